//! `cargo generate` writes the generated files. With `--check`, it reports files that differ and exits with status 1.

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

/// Whether every generated file is up to date. Prints the first difference of each outdated file.
fn check(root: &Path) -> Result<bool, Error> {
    let mut same = true;
    for file in files(root)? {
        let Some(difference) = file.difference(root)? else { continue };
        same = false;
        let line = |text: Option<String>| text.unwrap_or_else(|| "(end of file)".to_owned());
        say(&format!("{}:{}: outdated, run `cargo generate`", file.path, difference.line));
        say(&format!("  found:    {}", line(difference.found)));
        say(&format!("  expected: {}", line(difference.wanted)));
    }
    Ok(same)
}

fn say(line: &str) {
    // A failed write to stderr can't be reported anywhere.
    let _ = writeln!(io::stderr(), "{line}");
}
