//! Finds the binaries of functions.

use std::{
    collections::BTreeMap,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

/// The path of each function's binary.
#[derive(Debug)]
pub struct Binaries(BTreeMap<&'static str, PathBuf>);

/// Binaries that are missing or not executable.
#[derive(Debug, thiserror::Error)]
#[error(
    "no executable for {} in {}: build each function as FUNCTION/bootstrap (cargo-lambda) or FUNCTION (cargo)",
    functions.join(", "), folder.display()
)]
pub struct MissingBinaries {
    folder: PathBuf,
    functions: Vec<&'static str>,
}

impl Binaries {
    /// Finds the binaries of all functions in `folder`.
    pub fn find(folder: &Path) -> Result<Self, MissingBinaries> {
        let all = infra::Functions::all();
        let endpoints = all.operations.iter().map(|operation| operation.spec.id);
        Self::of_these(folder, endpoints.chain(all.workers.iter().map(|worker| worker.id)))
    }

    fn of_these(folder: &Path, ids: impl IntoIterator<Item = &'static str>) -> Result<Self, MissingBinaries> {
        // Instances have another working directory.
        let folder = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
        let (mut found, mut missing) = (BTreeMap::new(), Vec::new());
        for id in ids {
            let places = [folder.join(id).join("bootstrap"), folder.join(id)];
            match places.into_iter().find(|place| is_program(place)) {
                Some(place) => drop(found.insert(id, place)),
                None => missing.push(id),
            }
        }
        if missing.is_empty() { Ok(Self(found)) } else { Err(MissingBinaries { folder, functions: missing }) }
    }

    /// The binary of a function.
    pub fn of(&self, function: &str) -> PathBuf {
        self.0.get(function).cloned().unwrap_or_default()
    }
}

fn is_program(file: &Path) -> bool {
    std::fs::metadata(file).is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(file: &Path, mode: u32) {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, "").unwrap();
        std::fs::set_permissions(file, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn both_layouts_are_found_and_missing_binaries_are_named() {
        let folder = tempfile::tempdir().unwrap();
        write(&folder.path().join("a/bootstrap"), 0o755);
        write(&folder.path().join("b"), 0o755);
        write(&folder.path().join("c"), 0o644);
        let found = Binaries::of_these(folder.path(), ["a", "b"]).unwrap();
        assert_eq!(found.of("a"), folder.path().join("a/bootstrap"));
        assert_eq!(found.of("b"), folder.path().join("b"));
        let missing = Binaries::of_these(folder.path(), ["a", "b", "c", "d"]).unwrap_err();
        assert_eq!(missing.functions, ["c", "d"]);
        assert!(missing.to_string().starts_with("no executable for c, d in /"), "{missing}");
    }

    #[test]
    fn missing_binary_of_any_function_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Binaries::find(folder.path()).unwrap_err().functions;
        assert!(missing.contains(&"auth-sign-in") && missing.contains(&"send-mail"), "{missing:?}");
    }
}
