//! Only adapters name AWS SDK crates ([decision 15](../../docs/decisions/0015-let-only-adapters-depend-on-the-aws-sdk.md)). cargo-deny
//! checks the same list, `deny.toml`, where it is installed; this test looks at the workspace's own packages everywhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

/// A package of the workspace.
struct Package {
    name: String,
    /// Its `Cargo.toml`.
    manifest: String,
    folder: PathBuf,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.as_ref().display()))
}

/// What stands between quotes.
fn quoted(text: &str) -> Vec<&str> {
    text.split('"').skip(1).step_by(2).collect()
}

/// The folders that the workspace's `members` name.
fn members(root: &Path) -> Vec<PathBuf> {
    let manifest = read(root.join("Cargo.toml"));
    let line = manifest.lines().find(|line| line.starts_with("members = [")).unwrap();
    let mut folders = Vec::new();
    for pattern in quoted(line) {
        match pattern.strip_suffix("/*") {
            Some(parent) => folders.extend(
                fs::read_dir(root.join(parent))
                    .unwrap()
                    .map(|entry| entry.unwrap().path())
                    .filter(|path| path.join("Cargo.toml").is_file()),
            ),
            None => folders.push(root.join(pattern)),
        }
    }
    folders
}

fn packages() -> Vec<Package> {
    let packages = members(&root()).into_iter().map(|folder| {
        let manifest = read(folder.join("Cargo.toml"));
        let name = manifest.lines().find_map(|line| line.strip_prefix("name = ")).unwrap();
        Package { name: quoted(name)[0].to_owned(), manifest: manifest.clone(), folder }
    });
    packages.collect()
}

/// The crates that `deny.toml` bans, each with the packages that may name it all the same.
fn bans() -> BTreeMap<String, BTreeSet<String>> {
    let text = read(root().join("deny.toml"));
    let ban = |line: &str| {
        let rest = line.trim_start().strip_prefix("{ crate = ")?;
        let (rest, _) = rest.split_once("reason = ").unwrap_or((rest, ""));
        let mut names = quoted(rest).into_iter().map(str::to_owned);
        Some((names.next()?, names.collect()))
    };
    text.lines().filter_map(ban).collect()
}

/// Whether the text has this name, and not only one that it is a part of.
fn has_name(text: &str, name: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    text.match_indices(name)
        .any(|(at, _)| !text[..at].ends_with(is_part) && !text[at + name.len()..].starts_with(is_part))
}

/// A manifest without its comments.
fn uncommented(manifest: &str) -> String {
    manifest.lines().map(|line| line.split('#').next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        // A package inside of another is one of its own.
        if path.is_dir() && !path.join("Cargo.toml").is_file() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// The SDK crates that a source file names.
fn sdk_crates(source: &str) -> BTreeSet<String> {
    let name = |(at, prefix): (usize, &str)| {
        let rest = &source[at + prefix.len()..];
        let service: String =
            rest.chars().take_while(|c| c.is_ascii_lowercase() || c.is_ascii_digit()).collect();
        (!service.is_empty()).then(|| format!("aws-sdk-{service}"))
    };
    source.match_indices("aws_sdk_").filter_map(name).collect()
}

#[test]
fn every_sdk_crate_of_the_workspace_has_a_rule() {
    let manifest = uncommented(&read(root().join("Cargo.toml")));
    let names = manifest.lines().filter_map(|line| line.split_once(" = ")).map(|(name, _)| name.trim());
    let named: BTreeSet<&str> = names.filter(|name| name.starts_with("aws-sdk-")).collect();
    assert_eq!(named.len(), 8, "{named:?}");
    let bans = bans();
    for name in named {
        assert!(
            bans.get(name).is_some_and(|wrappers| !wrappers.is_empty()),
            "{name} has no rule in deny.toml"
        );
    }
}

#[test]
fn only_the_packages_of_deny_toml_depend_on_a_banned_crate() {
    let (packages, bans) = (packages(), bans());
    assert!(packages.len() > 20 && bans.len() >= 10, "{} {}", packages.len(), bans.len());
    for package in &packages {
        let manifest = uncommented(&package.manifest);
        for (name, wrappers) in &bans {
            let (depends, may) = (has_name(&manifest, name), wrappers.contains(&package.name));
            assert_eq!(depends, may, "{} and {name}: Cargo.toml and deny.toml differ", package.name);
        }
    }
}

#[test]
fn no_source_file_names_an_sdk_crate_that_its_package_may_not() {
    let bans = bans();
    let mut named = 0;
    for package in packages() {
        for path in sources(&package.folder) {
            for sdk in sdk_crates(&read(&path)) {
                let may = bans.get(&sdk).is_some_and(|wrappers| wrappers.contains(&package.name));
                assert!(may, "{} names {sdk}", path.display());
                named += 1;
            }
        }
    }
    assert!(named > 50, "{named}");
}

#[test]
fn names_are_told_apart_from_parts_of_others() {
    assert!(has_name("aws-sdk-s3.workspace = true", "aws-sdk-s3"));
    assert!(has_name("x = { package = \"aws-sdk-s3\" }", "aws-sdk-s3"));
    assert!(!has_name("aws-sdk-dynamodbstreams = \"1\"", "aws-sdk-dynamodb"));
    assert!(!has_name("my-aws-sdk-s3 = \"1\"", "aws-sdk-s3"));
    assert_eq!(
        sdk_crates("use aws_sdk_kms::Client; // aws_sdk_ and"),
        BTreeSet::from(["aws-sdk-kms".to_owned()])
    );
}
