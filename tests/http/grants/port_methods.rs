//! Every method of a port has its grants, in `shared/tables/src/grants`.

use std::{collections::BTreeSet, fs, path::PathBuf};

use kit::grants::PORTS;

/// Methods that only compute.
const WITHOUT_CALLS: [&str; 3] =
    ["IdentityProviders::redirect_uri", "Payments::return_url", "Rotations::secret"];
/// Writes in the transaction of a change belong to no trait.
const EXTRAS: &str = "TransactionExtras::";

/// The methods of the traits in a source file, as `Trait::method`.
fn methods(source: &str) -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let mut port = None;
    for line in source.lines() {
        if let Some(name) = line.strip_prefix("pub trait ") {
            port = name.split([':', ' ']).next();
        } else if line == "}" {
            port = None;
        }
        let function = line.strip_prefix("    async fn ").or_else(|| line.strip_prefix("    fn "));
        if let (Some(port), Some(name)) = (port, function.and_then(|rest| rest.split('(').next())) {
            methods.insert(format!("{port}::{name}"));
        }
    }
    methods
}

fn declared() -> BTreeSet<String> {
    let domain = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/domain/src");
    let ports = fs::read_dir(domain.join("ports")).unwrap().map(|file| file.unwrap().path());
    let files = ports.chain(["ports.rs", "blob.rs"].map(|file| domain.join(file)));
    files.flat_map(|file| methods(&fs::read_to_string(file).unwrap())).collect()
}

#[test]
fn every_port_method_has_its_grants() {
    let declared: BTreeSet<String> =
        declared().into_iter().filter(|name| !WITHOUT_CALLS.contains(&name.as_str())).collect();
    let granted = PORTS.iter().flat_map(|port| port.iter());
    let granted: BTreeSet<String> =
        granted.map(|method| method.name.to_owned()).filter(|name| !name.starts_with(EXTRAS)).collect();
    assert!(declared.len() > 100, "{declared:?}");
    let (without, unknown): (Vec<_>, Vec<_>) =
        (declared.difference(&granted).collect(), granted.difference(&declared).collect());
    assert!(without.is_empty(), "add their grants to shared/tables/src/grants: {without:?}");
    assert!(unknown.is_empty(), "no port has these methods: {unknown:?}");
}

#[test]
fn methods_are_read_from_traits_only() {
    let source = "pub trait Port: Send {\n    async fn one(&self);\n    fn two(&self) -> u8;\n}\n\
                  impl Other {\n    fn three(&self) {}\n}\n";
    assert_eq!(methods(source).into_iter().collect::<Vec<_>>(), ["Port::one", "Port::two"]);
}
