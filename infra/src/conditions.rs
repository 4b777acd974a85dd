//! IAM policy conditions. The generator writes them into the template; the local platform evaluates them.
//!
//! `ForAllValues` also matches a request that lacks the key. AWS therefore recommends an additional `Null` check
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>).

use std::collections::{BTreeMap, BTreeSet};

use kit::ItemKind;

/// A test of one condition key. A request without the key fails the test.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IamCondition {
    /// The condition key.
    pub key: &'static str,
    /// The test of the key's values.
    pub test: Test,
}

/// A test of the values of a condition key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// The key has exactly one value, which equals this text.
    Equals(Text),
    /// The key has exactly one value, which matches one of these patterns. A trailing `*` matches any suffix.
    Like(Vec<Text>),
    /// Every value matches one of these patterns. A trailing `*` matches any suffix.
    EachLike(Vec<Text>),
    /// The key has at least one value.
    Exists,
}

/// A text that may depend on the deployment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// The same text in every deployment.
    Fixed(String),
    /// This text, followed by the name of the data region.
    WithRegion(String),
    /// The sender address of emails.
    Sender,
}

/// The properties that differ between deployments.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The name of the data region.
    pub region: String,
    /// The sender address of emails.
    pub sender: String,
}

/// The condition keys of a request and their values.
pub type Context = BTreeMap<String, BTreeSet<String>>;

impl Text {
    fn in_deployment(&self, deployment: &Deployment) -> String {
        match self {
            Self::Fixed(text) => text.clone(),
            Self::WithRegion(before) => format!("{before}{}", deployment.region),
            Self::Sender => deployment.sender.clone(),
        }
    }

    fn yaml(&self) -> String {
        match self {
            Self::Fixed(text) => format!("\"{text}\""),
            Self::WithRegion(before) => format!("!Sub \"{before}${{Region}}\""),
            Self::Sender => "!Sub \"no-reply@${MailDomain}\"".to_owned(),
        }
    }
}

impl IamCondition {
    /// Requires that every item of a request is of one of these kinds.
    pub fn items(kinds: &BTreeSet<ItemKind>) -> Self {
        let pattern = |kind: &ItemKind| match kind.are_by_region() {
            true => Text::WithRegion(kind.prefix().to_owned()),
            false => Text::Fixed(format!("{}*", kind.prefix())),
        };
        // Kinds of different tables may have the same prefix.
        let patterns: BTreeSet<Text> = kinds.iter().map(pattern).collect();
        Self { key: "dynamodb:LeadingKeys", test: Test::EachLike(patterns.into_iter().collect()) }
    }

    /// Whether a request with this context satisfies the condition.
    pub fn holds(&self, context: &Context, deployment: &Deployment) -> bool {
        let Some(values) = context.get(self.key).filter(|values| !values.is_empty()) else { return false };
        match &self.test {
            Test::Exists => true,
            Test::Equals(text) => values.len() == 1 && values.contains(&text.in_deployment(deployment)),
            Test::Like(texts) => values.len() == 1 && each_is_like(values, texts, deployment),
            Test::EachLike(texts) => each_is_like(values, texts, deployment),
        }
    }

    /// The IAM operators of the condition, each with the values to compare the key with.
    fn operators(&self) -> Vec<(&'static str, String)> {
        let is_there = ("\"Null\"", "\"false\"".to_owned());
        match &self.test {
            Test::Exists => vec![is_there],
            Test::Equals(text) => vec![("StringEquals", text.yaml())],
            Test::Like(texts) => vec![("StringLike", list(texts))],
            Test::EachLike(texts) => vec![("ForAllValues:StringLike", list(texts)), is_there],
        }
    }
}

fn list(texts: &[Text]) -> String {
    format!("[{}]", texts.iter().map(Text::yaml).collect::<Vec<_>>().join(", "))
}

fn each_is_like(values: &BTreeSet<String>, texts: &[Text], deployment: &Deployment) -> bool {
    let patterns: Vec<String> = texts.iter().map(|text| text.in_deployment(deployment)).collect();
    values.iter().all(|value| patterns.iter().any(|pattern| is_like(value, pattern)))
}

fn is_like(value: &str, pattern: &str) -> bool {
    pattern.strip_suffix('*').map_or(value == pattern, |prefix| value.starts_with(prefix))
}

/// Renders the conditions as YAML. IAM accepts each operator once per statement, so conditions are grouped by operator.
pub fn yaml(conditions: &[IamCondition]) -> String {
    let mut operators: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for condition in conditions {
        for (operator, value) in condition.operators() {
            operators.entry(operator).or_default().push(format!("\"{}\": {value}", condition.key));
        }
    }
    let line = |(operator, tests): (&str, Vec<String>)| {
        format!("                {operator}: {{ {} }}\n", tests.join(", "))
    };
    let lines: String = operators.into_iter().map(line).collect();
    if lines.is_empty() { lines } else { format!("              Condition:\n{lines}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(key: &str, values: &[&str]) -> Context {
        Context::from([(key.to_owned(), values.iter().map(|value| (*value).to_owned()).collect())])
    }

    fn eu() -> Deployment {
        Deployment { region: "eu".to_owned(), sender: "no-reply@mail.example".to_owned() }
    }

    #[test]
    fn batch_with_another_kind_or_without_items_is_denied() {
        let sessions = IamCondition::items(&BTreeSet::from([ItemKind::Sessions, ItemKind::Users]));
        let holds = |keys: &[&str]| sessions.holds(&context("dynamodb:LeadingKeys", keys), &eu());
        assert!(holds(&["SESSIONS#1"]) && holds(&["SESSIONS#1", "USER#1"]));
        assert!(!holds(&["SESSIONS#1", "PASSWORD#1"]) && !holds(&["XSESSIONS#1"]));
        assert!(!holds(&[]) && !sessions.holds(&Context::new(), &eu()));
    }

    #[test]
    fn pending_claims_of_another_region_are_denied() {
        let pending = IamCondition::items(&BTreeSet::from([ItemKind::PendingClaims]));
        let holds = |key: &str| pending.holds(&context("dynamodb:LeadingKeys", &[key]), &eu());
        assert!(holds("PENDING#eu") && !holds("PENDING#us") && !holds("PENDING#europe"));
    }

    #[test]
    fn single_value_test_denies_several_values() {
        let sender = IamCondition { key: "ses:FromAddress", test: Test::Equals(Text::Sender) };
        let holds = |values: &[&str]| sender.holds(&context("ses:FromAddress", values), &eu());
        assert!(holds(&["no-reply@mail.example"]));
        assert!(!holds(&["ceo@mail.example"]) && !holds(&["ceo@mail.example", "no-reply@mail.example"]));
        let folders = ["files/*", "exports/*"].map(|folder| Text::Fixed(folder.to_owned()));
        let prefix = IamCondition { key: "s3:prefix", test: Test::Like(folders.into()) };
        let holds = |values: &[&str]| prefix.holds(&context("s3:prefix", values), &eu());
        assert!(holds(&["files/"]) && holds(&["files/a"]) && holds(&["exports/a"]));
        assert!(!holds(&[]) && !holds(&["file"]) && !holds(&["files/a", "exports/a"]));
    }
}
