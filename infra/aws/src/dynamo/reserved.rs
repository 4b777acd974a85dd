//! Refuses expressions with an attribute name that is reserved and has no `#` placeholder, as DynamoDB does. dynoxide accepts
//! them in key conditions, and an external emulator may accept them everywhere.
//!
//! `reserved_words.txt` holds the 573 words of
//! <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ReservedWords.html>.

use std::collections::HashSet;
use std::sync::LazyLock;

use serde_json::Value;

use crate::answer::Refusal;

static WORDS: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("reserved_words.txt").split_whitespace().collect());

/// The members of requests that hold expressions.
const EXPRESSIONS: [&str; 5] = [
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
];

/// The refusal of a request with a reserved attribute name in one of its expressions, also in those of a batch's tables and a
/// transaction's items.
pub(crate) fn refusal(body: &[u8]) -> Option<Refusal> {
    let request: Value = serde_json::from_slice(body).ok()?;
    let (member, word) = find(&request)?;
    let message = format!("Invalid {member}: Attribute name is a reserved keyword; reserved keyword: {word}");
    Some(Refusal::new("ValidationException", message))
}

/// The first reserved attribute name, with the member that holds its expression. Attributes are no members: their values are
/// objects, never plain strings.
fn find(value: &Value) -> Option<(&str, &str)> {
    match value {
        Value::Array(values) => values.iter().find_map(find),
        Value::Object(members) => members.iter().find_map(|(name, value)| match value {
            Value::String(text) if EXPRESSIONS.contains(&name.as_str()) => {
                Some((name.as_str(), reserved(name, text)?))
            }
            other => find(other),
        }),
        _ => None,
    }
}

/// The first attribute name in an expression that is reserved.
fn reserved<'a>(member: &str, expression: &'a str) -> Option<&'a str> {
    let is_part = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let mut rest = expression;
    let mut before = ' ';
    while let Some(first) = rest.chars().next() {
        let length = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        if length == 0 {
            before = first;
            rest = rest.split_at(first.len_utf8()).1;
            continue;
        }
        let (word, after) = rest.split_at(length);
        let is_placeholder = matches!(before, '#' | ':');
        let next = after.trim_start().chars().next();
        if !is_placeholder
            && !is_grammar(member, word, before, next)
            && WORDS.contains(word.to_ascii_uppercase().as_str())
        {
            return Some(word);
        }
        before = ' ';
        rest = after;
    }
    None
}

/// Whether a word is a function, an operator, or the start of a clause, judged by what stands around it.
fn is_grammar(member: &str, word: &str, before: char, next: Option<char>) -> bool {
    let upper = word.to_ascii_uppercase();
    let begins_operand =
        next.is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '#' | ':' | '('));
    let is_keyword = match member {
        "UpdateExpression" => {
            matches!(upper.as_str(), "SET" | "REMOVE" | "ADD" | "DELETE") && next != Some(':')
        }
        "ProjectionExpression" => false,
        _ => matches!(upper.as_str(), "AND" | "OR" | "NOT" | "IN" | "BETWEEN"),
    };
    before != '.' && ((is_keyword && begins_operand) || (next == Some('(') && !is_keyword))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn list_has_every_reserved_word() {
        assert_eq!(WORDS.len(), 573);
        assert!(WORDS.contains("ABORT") && WORDS.contains("ZONE") && WORDS.contains("TTL"));
        assert!(!WORDS.contains("PK") && !WORDS.contains("SK"));
    }

    #[test]
    fn reserved_attribute_name_is_found_in_each_expression() {
        for (member, expression, word) in [
            ("UpdateExpression", "SET a = :a, status = :s", "status"),
            ("UpdateExpression", "REMOVE a.Owner", "Owner"),
            ("UpdateExpression", "SET a = if_not_exists(role, :a)", "role"),
            ("UpdateExpression", "ADD add :n", "add"),
            ("ConditionExpression", "attribute_not_exists(pk) OR ttl <= :now", "ttl"),
            ("ConditionExpression", "size(data) > :n", "data"),
            ("ConditionExpression", "and = :x", "and"),
            ("FilterExpression", "NOT contains(names, :n)", "names"),
            ("KeyConditionExpression", "pk = :pk AND range BETWEEN :a AND :b", "range"),
            ("ProjectionExpression", "pk, items[0].x, #a", "items"),
        ] {
            assert_eq!(reserved(member, expression), Some(word), "{expression}");
        }
    }

    #[test]
    fn placeholders_functions_and_grammar_are_no_attribute_names() {
        for (member, expression) in [
            (
                "UpdateExpression",
                "SET #status = :status, n = n + :one REMOVE #a.#owner ADD used :want DELETE #p :x",
            ),
            ("UpdateExpression", "set l = list_append(l, :values)"),
            ("ConditionExpression", "(#ttl <= :now) AND (version = :version OR NOT (attribute_exists(pk)))"),
            ("ConditionExpression", "size(#data) IN (:size, :a) and begins_with(sk, :from)"),
            ("KeyConditionExpression", "pk = :pk AND sk BETWEEN :from AND :to"),
            ("ProjectionExpression", "pk, sk, #ttl[1]"),
        ] {
            assert_eq!(reserved(member, expression), None, "{expression}");
        }
    }

    #[test]
    fn expressions_of_batches_and_transactions_are_checked_and_attributes_are_not() {
        let get = json!({ "RequestItems": { "t": { "Keys": [], "ProjectionExpression": "pk, url" } } });
        let write = json!({ "TransactItems": [
            { "Put": { "Item": { "UpdateExpression": { "S": "SET status = :s" } } } },
            { "Delete": { "Key": {}, "ConditionExpression": "version = :v AND user = :u" } },
        ] });
        assert_eq!(find(&get), Some(("ProjectionExpression", "url")));
        assert_eq!(find(&write), Some(("ConditionExpression", "user")));
        assert_eq!(find(&json!({ "Item": { "UpdateExpression": { "S": "SET status = :s" } } })), None);
    }
}
