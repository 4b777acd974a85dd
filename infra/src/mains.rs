//! The comment of each function's main: what the function may do with AWS, as its spec grants it.

use std::collections::{BTreeMap, BTreeSet};

use kit::{Grant, On};

/// The most characters of a line of a comment.
const WIDTH: usize = 110;

/// What a function does with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verb {
    Reads,
    Writes,
    Deletes,
    Uses,
    Publishes,
    Sends,
}

/// The source of a function's main, with the comment that its grants call for.
pub fn commented(source: &str, id: &str, grants: &[Grant]) -> String {
    let code: String = source.split_inclusive('\n').skip_while(|line| line.starts_with("//!")).collect();
    comment(id, grants) + &code
}

fn comment(id: &str, grants: &[Grant]) -> String {
    let mut things: BTreeMap<Verb, BTreeSet<String>> = BTreeMap::new();
    for grant in grants {
        for verb in verbs(grant.action) {
            things.entry(*verb).or_default().insert(thing(grant.on));
        }
    }
    if things.is_empty() {
        return format!("//! Lambda entry point of `{id}`, which has no grants.\n");
    }
    let list = |(verb, things): (Verb, BTreeSet<String>)| {
        wrapped(&format!("- {verb:?} {}.", things.into_iter().collect::<Vec<_>>().join(", ")))
    };
    let lists: String = things.into_iter().map(list).collect();
    format!("//! Lambda entry point of `{id}`. Its grants (written by `cargo generate`):\n//!\n{lists}")
}

/// An item of a list, in as many lines of a comment as it takes.
fn wrapped(item: &str) -> String {
    let mut lines = vec!["//!".to_owned()];
    for word in item.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= WIDTH => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(format!("//!   {word}")),
        }
    }
    lines.join("\n") + "\n"
}

/// What an AWS action does. A batch may both write and delete.
fn verbs(action: &str) -> &'static [Verb] {
    match action {
        "BatchGetItem" | "ConditionCheckItem" | "DescribeSecret" | "GetItem" | "GetObject"
        | "GetSecretValue" | "ListBucket" | "Query" => &[Verb::Reads],
        "PutItem" | "PutObject" | "PutSecretValue" | "UpdateItem" | "UpdateSecretVersionStage" => {
            &[Verb::Writes]
        }
        "AbortMultipartUpload" | "DeleteItem" | "DeleteObject" => &[Verb::Deletes],
        "BatchWriteItem" => &[Verb::Writes, Verb::Deletes],
        "PutEvents" => &[Verb::Publishes],
        "SendEmail" => &[Verb::Sends],
        _ => &[Verb::Uses],
    }
}

fn thing(on: On) -> String {
    match on {
        On::ItemKind(kind) => words(&format!("{kind:?}")),
        On::Authority(kind) => format!("{} (in the authority)", words(&format!("{kind:?}"))),
        On::DataKeys => "data keys".to_owned(),
        On::Secret(name) => format!("the secret `{name}`"),
        On::Bus => "events".to_owned(),
        On::Mail => "mail".to_owned(),
        On::Files => "files".to_owned(),
        On::Bundles => "export bundles".to_owned(),
        On::Icons => "pictures".to_owned(),
    }
}

/// `HandleClaims` as `handle claims`.
fn words(name: &str) -> String {
    let mut words = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !words.is_empty() {
            words.push(' ');
        }
        words.push(letter.to_ascii_lowercase());
    }
    words
}

#[cfg(test)]
mod tests {
    use kit::ItemKind;

    use super::*;

    const CODE: &str = "\nfn main() {}\n";

    #[test]
    fn grants_replace_the_comment_and_keep_the_code() {
        let grants = [
            Grant::items("Query", ItemKind::Sessions),
            Grant::items("GetItem", ItemKind::Sessions),
            Grant::authority("BatchWriteItem", ItemKind::HandleClaims),
            Grant::data_keys("Decrypt"),
            Grant::secret("codes"),
            Grant::mail(),
        ];
        let expected = "\
//! Lambda entry point of `x`. Its grants (written by `cargo generate`):
//!
//! - Reads sessions, the secret `codes`.
//! - Writes handle claims (in the authority).
//! - Deletes handle claims (in the authority).
//! - Uses data keys.
//! - Sends mail.
";
        let written = commented(&format!("//! Old.\n//!\n//! - Older.\n{CODE}"), "x", &grants);
        assert_eq!(written, format!("{expected}{CODE}"));
        assert_eq!(commented(&written, "x", &grants), written);
        assert_eq!(
            commented(&written, "x", &[]),
            format!("//! Lambda entry point of `x`, which has no grants.\n{CODE}")
        );
    }

    #[test]
    fn long_list_continues_on_indented_lines() {
        let text = wrapped(&format!("- Reads {}.", ["word"; 40].join(", ")));
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines.len() > 1 && lines.iter().all(|line| line.len() <= WIDTH), "{text}");
        assert!(lines[1..].iter().all(|line| line.starts_with("//!   word,")), "{text}");
        assert_eq!(text.matches("word").count(), 40);
    }

    #[test]
    fn only_actions_on_data_keys_are_called_uses() {
        for grant in crate::grants().iter().flat_map(|(_, grants)| grants) {
            let is_use = verbs(grant.action) == [Verb::Uses];
            assert_eq!(is_use, grant.on == On::DataKeys, "say what {} does", grant.iam_action());
        }
    }
}
