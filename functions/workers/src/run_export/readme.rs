//! The bundle's README.

use std::fmt::Write;

use domain::Timestamp;

use super::sections::Section;

/// What is in a bundle of that time, in plain words.
pub fn text(created_at: Timestamp) -> String {
    let mut text = format!(
        "Your data\n=========\n\nThis is a copy of what is stored about you, as you asked for it on {}.\n\n",
        created_at.strftime("%-d %B %Y at %H:%M UTC")
    );
    for section in Section::ALL {
        let _ = writeln!(text, "{}\n    {}.", section.file(), section.about());
    }
    text.push_str(
        "manifest.json\n    what else is in here: how many records each file has, its length and its SHA-256.
schemas/
    what each field means, as JSON Schemas: of each .json file the whole, of each .ndjson file every line.

The .ndjson files hold one record a line. Any text editor opens them, and most programs that read JSON read them line by line.
All times are in UTC. What other people did in your account is in activity.ndjson, but not who they are: that is theirs.
What is not in here: the content of your files, your password, and your API keys themselves.
Keep this file where only you can read it.
",
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_when_and_what_every_file_is() {
        let text = text("2026-11-28T20:41:03Z".parse().unwrap());
        assert!(text.contains("on 28 November 2026 at 20:41 UTC"), "{text}");
        for section in Section::ALL {
            assert!(text.contains(&format!("\n{}\n    {}.\n", section.file(), section.about())));
        }
        assert!(text.contains("\nmanifest.json\n") && text.contains("\nschemas/\n"));
    }
}
