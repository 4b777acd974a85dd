//! The bundle's README.

use std::fmt::Write;

use domain::Timestamp;

use super::sections::Section;

/// Text of the README of a bundle created at `created_at`.
pub fn text(created_at: Timestamp) -> String {
    let mut text = format!(
        "Your data\n=========\n\nThis is a copy of the data that we store about you, as you requested on {}.\n\n",
        created_at.strftime("%-d %B %Y at %H:%M UTC")
    );
    for section in Section::ALL {
        let _ = writeln!(text, "{}\n    {}.", section.file(), section.about());
    }
    text.push_str(
        "manifest.json\n    the list of files with their number of records, size and SHA-256.
schemas/
    JSON Schemas that describe each field: one schema per .json file, and one per line of each .ndjson file.

Each line of an .ndjson file is one record in JSON. Any text editor opens these files.
All times are in UTC. activity.ndjson and transactions.ndjson contain the actions of other people in your account, but not their names.
This copy does not contain the content of your files, your password or your API keys.
Keep this copy where only you can read it.
",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readme_names_the_time_and_every_file() {
        let text = text("2026-11-28T20:41:03Z".parse().unwrap());
        assert!(text.contains("on 28 November 2026 at 20:41 UTC"), "{text}");
        for section in Section::ALL {
            assert!(text.contains(&format!("\n{}\n    {}.\n", section.file(), section.about())));
        }
        assert!(text.contains("\nmanifest.json\n") && text.contains("\nschemas/\n"));
    }
}
