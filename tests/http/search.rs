//! Finds texts in files, in every encoding.
//!
//! Not run in outages: it chooses its regions.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    path::{Path, PathBuf},
};

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The characters of base64 that depend on nothing but `secret`, which begins `offset` bytes into a group of three.
fn base64(secret: &[u8], offset: usize, alphabet: &[u8; 64]) -> Vec<u8> {
    let bit = |n: usize| secret.get((n - 8 * offset) / 8).map_or(0, |byte| byte >> (7 - n % 8) & 1);
    let (first, last) = ((8 * offset).div_ceil(6), 8 * (offset + secret.len()) / 6);
    let value = |at: usize| (6 * at..6 * at + 6).fold(0, |value, n| value << 1 | usize::from(bit(n)));
    (first..last).map(|at| alphabet[value(at)]).collect()
}

fn hex(secret: &[u8]) -> String {
    secret.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Every way in which a secret might be written down.
fn forms(secret: &[u8]) -> HashSet<Vec<u8>> {
    let hex = hex(secret);
    let mut forms = HashSet::from([secret.to_vec(), hex.to_uppercase().into_bytes(), hex.into_bytes()]);
    for offset in 0..3 {
        forms.extend([STANDARD, URL_SAFE].map(|alphabet| base64(secret, offset, alphabet)));
    }
    forms
}

/// What to look for.
#[derive(Default, Clone)]
pub struct Needles {
    /// By its first six bytes: what it is, and the whole of it.
    needles: HashMap<[u8; 6], Vec<(String, Vec<u8>)>>,
    known: HashSet<String>,
}

impl Needles {
    /// Remembers a secret, by a name that says what it is.
    pub fn keep(&mut self, name: &str, secret: &str) {
        if self.known.insert(secret.to_owned()) {
            self.keep_bytes(name, secret.as_bytes());
        }
    }

    /// In halves if it is long: a file may hold the two in different places (pages, lines).
    pub fn keep_bytes(&mut self, name: &str, secret: &[u8]) {
        let halves = if secret.len() < 24 {
            vec![secret]
        } else {
            vec![&secret[..secret.len() / 2], &secret[secret.len() / 2..]]
        };
        for form in halves.into_iter().flat_map(forms) {
            let start = form[..6].try_into().unwrap();
            self.needles.entry(start).or_default().push((name.to_owned(), form));
        }
    }

    /// Which ones are in these bytes.
    pub fn found_in(&self, bytes: &[u8]) -> HashSet<String> {
        let mut found = HashSet::new();
        for (at, start) in bytes.windows(6).enumerate() {
            let start: &[u8; 6] = start.try_into().unwrap();
            for (name, needle) in self.needles.get(start).into_iter().flatten() {
                let after = at + needle.len();
                let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
                // Six digits in a longer number are no code.
                let code = needle.len() == 6 && needle.iter().all(u8::is_ascii_digit);
                let number = code && (digit(after) || at > 0 && digit(at - 1));
                if bytes[at..].starts_with(needle) && !number {
                    found.insert(name.clone());
                }
            }
        }
        found
    }
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found
}

/// Which secrets are in which files.
pub fn search(needles: &Needles, folder: &Path) -> BTreeMap<String, Vec<String>> {
    let mut found = BTreeMap::new();
    for file in files(folder) {
        let bytes = match std::fs::read(&file) {
            // Files of a running platform come and go: their content moves into the files that replace them.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            read => read.unwrap(),
        };
        let mut names: Vec<String> = needles.found_in(&bytes).into_iter().collect();
        names.sort();
        if !names.is_empty() {
            found.insert(file.strip_prefix(folder).unwrap().display().to_string(), names);
        }
    }
    found
}

#[test]
fn search_finds_needles_in_every_encoding_and_place() {
    let mut needles = Needles::default();
    needles.keep("code", "395098");
    needles.keep("long", "a secret of more than twenty-four bytes");
    for secret in ["395098", "a secret of more than twenty-four bytes"] {
        for noise in ["", "x", "xy", "\u{0}\u{1}\u{2}"] {
            let text = format!("{noise}{secret}{noise}");
            let encodings = [STANDARD, URL_SAFE].map(|alphabet| base64(text.as_bytes(), 0, alphabet));
            for planted in
                [text.clone().into_bytes(), hex(text.as_bytes()).into_bytes()].iter().chain(&encodings)
            {
                let folder = tempfile::tempdir().unwrap();
                std::fs::create_dir(folder.path().join("deep")).unwrap();
                std::fs::write(
                    folder.path().join("deep/file"),
                    [b"\xff\x00 before: ", &**planted, b" after"].concat(),
                )
                .unwrap();
                let found = search(&needles, folder.path());
                assert_eq!(found.len(), 1, "{} is not found", String::from_utf8_lossy(planted));
            }
        }
    }
    assert_eq!(base64(b"lamp", 0, STANDARD), b"bGFtc");
    assert!(needles.found_in(b"at 1395098, or 3950981, a secret of more").is_empty());
    assert!(!needles.found_in(b"an-four bytes, torn off: than twenty-four bytes").is_empty());
}
