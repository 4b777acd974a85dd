//! The conditions of IAM statements: written into the template, and applied by the local platform.
//!
//! `ForAllValues` holds of a request without the key too, which is why AWS wants a `Null` beside it
//! (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>).

use std::collections::{BTreeMap, BTreeSet};

use kit::Items;

use crate::template::REGION;

/// A test of one of a request's condition keys; it must be there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Condition {
    /// The condition key.
    pub key: &'static str,
    /// What its values have to be.
    pub test: Test,
}

/// What a condition key's values have to be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Test {
    /// Its one value is this.
    Is(Text),
    /// Its one value is one of these; a star at the end of one stands for anything.
    IsLike(Vec<Text>),
    /// Each of its values is one of these; a star at the end of one stands for anything.
    EachLike(Vec<Text>),
    /// It has a value.
    IsThere,
}

/// A text that may say where the deployment is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Text {
    /// The same everywhere.
    Same(String),
    /// This, and then the data region's name.
    ThenRegion(String),
    /// The address that mail is from.
    Sender,
}

/// What differs between deployments.
#[derive(Debug, Clone)]
pub struct Deployment {
    /// The data region's name.
    pub region: String,
    /// The address that mail is from.
    pub sender: String,
}

/// Condition keys and their values, as a request has them.
pub type Context = BTreeMap<String, BTreeSet<String>>;

impl Text {
    fn in_deployment(&self, deployment: &Deployment) -> String {
        match self {
            Self::Same(text) => text.clone(),
            Self::ThenRegion(before) => format!("{before}{}", deployment.region),
            Self::Sender => deployment.sender.clone(),
        }
    }

    fn yaml(&self) -> String {
        match self {
            Self::Same(text) => format!("\"{text}\""),
            Self::ThenRegion(before) => format!("!Sub [\"{before}${{Region}}\", {REGION}]"),
            Self::Sender => "!Sub \"no-reply@${MailDomain}\"".to_owned(),
        }
    }
}

impl Condition {
    /// That all items of a request are of these kinds.
    pub fn items(kinds: &BTreeSet<Items>) -> Self {
        let pattern = |kind: &Items| match kind.are_by_region() {
            true => Text::ThenRegion(kind.prefix().to_owned()),
            false => Text::Same(format!("{}*", kind.prefix())),
        };
        Self { key: "dynamodb:LeadingKeys", test: Test::EachLike(kinds.iter().map(pattern).collect()) }
    }

    /// Whether a request's context passes.
    pub fn holds(&self, context: &Context, deployment: &Deployment) -> bool {
        let Some(values) = context.get(self.key).filter(|values| !values.is_empty()) else { return false };
        match &self.test {
            Test::IsThere => true,
            Test::Is(text) => values.len() == 1 && values.contains(&text.in_deployment(deployment)),
            Test::IsLike(texts) => values.len() == 1 && each_is_like(values, texts, deployment),
            Test::EachLike(texts) => each_is_like(values, texts, deployment),
        }
    }

    /// The operators that it needs, each with the key and what the key is compared with.
    fn operators(&self) -> Vec<(&'static str, String)> {
        let is_there = ("\"Null\"", "\"false\"".to_owned());
        match &self.test {
            Test::IsThere => vec![is_there],
            Test::Is(text) => vec![("StringEquals", text.yaml())],
            Test::IsLike(texts) => vec![("StringLike", list(texts))],
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

/// The conditions in YAML: IAM wants each operator once, with all that it compares.
pub fn yaml(conditions: &[Condition]) -> String {
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
    fn one_item_of_another_kind_spoils_a_batch_and_no_item_is_none_of_the_kind() {
        let sessions = Condition::items(&BTreeSet::from([Items::Sessions, Items::Users]));
        let holds = |keys: &[&str]| sessions.holds(&context("dynamodb:LeadingKeys", keys), &eu());
        assert!(holds(&["SESSIONS#1"]) && holds(&["SESSIONS#1", "USER#1"]));
        assert!(!holds(&["SESSIONS#1", "PASSWORD#1"]) && !holds(&["XSESSIONS#1"]));
        assert!(!holds(&[]) && !sessions.holds(&Context::new(), &eu()));
    }

    #[test]
    fn what_is_kept_by_region_is_its_own_regions() {
        let pending = Condition::items(&BTreeSet::from([Items::PendingClaims]));
        let holds = |key: &str| pending.holds(&context("dynamodb:LeadingKeys", &[key]), &eu());
        assert!(holds("PENDING#eu") && !holds("PENDING#us") && !holds("PENDING#europe"));
    }

    #[test]
    fn a_single_value_has_to_be_the_only_one() {
        let sender = Condition { key: "ses:FromAddress", test: Test::Is(Text::Sender) };
        let holds = |values: &[&str]| sender.holds(&context("ses:FromAddress", values), &eu());
        assert!(holds(&["no-reply@mail.example"]));
        assert!(!holds(&["ceo@mail.example"]) && !holds(&["ceo@mail.example", "no-reply@mail.example"]));
        let folders = ["files/*", "exports/*"].map(|folder| Text::Same(folder.to_owned()));
        let prefix = Condition { key: "s3:prefix", test: Test::IsLike(folders.into()) };
        let holds = |values: &[&str]| prefix.holds(&context("s3:prefix", values), &eu());
        assert!(holds(&["files/"]) && holds(&["files/a"]) && holds(&["exports/a"]));
        assert!(!holds(&[]) && !holds(&["file"]) && !holds(&["files/a", "exports/a"]));
    }
}
