//! `cargo generate` writes what derives from the specs; with `--check` it only says what differs, and exits with 1.

use std::{
    env,
    io::{self, Write},
    path::Path,
    process::ExitCode,
};

use infra::output::{Error, files};

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let done = match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        [] => write(&root),
        ["--check"] => check(&root),
        _ => {
            say("usage: cargo generate [--check]");
            return ExitCode::from(2);
        }
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&error.to_string());
            ExitCode::from(2)
        }
    }
}

fn write(root: &Path) -> Result<bool, Error> {
    for file in files(root)? {
        if file.difference(root)?.is_some() {
            file.write(root)?;
            say(&format!("wrote {}", file.path));
        }
    }
    Ok(true)
}

/// Whether every file is as it should be; says of each that is not where it begins to differ.
fn check(root: &Path) -> Result<bool, Error> {
    let mut same = true;
    for file in files(root)? {
        let Some(difference) = file.difference(root)? else { continue };
        same = false;
        let line = |text: Option<String>| text.unwrap_or_else(|| "(the end)".to_owned());
        say(&format!("{}:{}: is not what the specs say; run `cargo generate`", file.path, difference.line));
        say(&format!("  is:     {}", line(difference.found)));
        say(&format!("  should: {}", line(difference.wanted)));
    }
    Ok(same)
}

fn say(line: &str) {
    // Nothing is left to do when nobody listens.
    let _ = writeln!(io::stderr(), "{line}");
}
