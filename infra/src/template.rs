//! Writes the templates: the generated parts of `template.yaml` (the parent) and `infra/stacks/data.yaml`, and the nested
//! stack of each area. Each submodule writes one part.

mod alarms;
mod api;
mod functions;
mod queues;
mod secrets;
mod stacks;
mod tables;
mod triggers;

use domain::region::Region;
use store::tables::Table;

use crate::{Functions, pascal};

/// YAML that looks up the name of the data region, in the parent and in the data stack.
const REGION: &str = r#"{ Region: !FindInMap [DataRegions, !Ref "AWS::Region", Name] }"#;

/// An error while filling in a template.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A comment that marks a generated part is missing.
    #[error("the template lacks \"# --- generated {0}: begin ---\" or the matching end")]
    NoMarkers(&'static str),
    /// CloudWatch alarms can't cover an interval this long.
    #[error("{0}: the schedule exceeds the seven days that a CloudWatch alarm can evaluate")]
    TooSeldom(&'static str),
}

/// Replaces the generated parts of `template.yaml`.
///
/// # Errors
///
/// When a marker is missing, or an alarm can't monitor a schedule.
pub fn parent(template: &str, areas: &[(&str, Functions)]) -> Result<String, Error> {
    let functions = Functions::all();
    let parts = [
        ("regions", regions()),
        ("dependencies", stacks::dependencies(areas)),
        ("paths", api::paths(&functions)),
        ("internal", api::internal_routes(&functions)),
        ("stacks", stacks::stacks(areas)),
        ("queues", queues::queues(&functions)),
        ("rotations", secrets::rotations()),
        ("alarms", alarms::alarms(&functions)?),
    ];
    fill_in(template, parts)
}

/// Replaces the generated parts of the data stack.
///
/// # Errors
///
/// When a marker is missing.
pub fn data(template: &str) -> Result<String, Error> {
    let parts = [
        ("regions", regions()),
        ("directory", tables::directory()),
        ("secrets", secrets::secrets()),
        ("tables", tables::tables()),
        ("streams", tables::streams()),
    ];
    fill_in(template, parts)
}

/// Renders the nested stack of an area.
pub fn area(name: &str, functions: &Functions) -> String {
    stacks::template(name, functions)
}

fn fill_in<const N: usize>(template: &str, parts: [(&'static str, String); N]) -> Result<String, Error> {
    parts.into_iter().try_fold(template.to_owned(), |template, (part, text)| replace(&template, part, &text))
}

/// Replaces the text between the two comments that mark `part`.
fn replace(template: &str, part: &'static str, generated: &str) -> Result<String, Error> {
    let begin = format!("# --- generated {part}: begin ---\n");
    let end = format!("# --- generated {part}: end ---\n");
    let missing = || Error::NoMarkers(part);
    let (before, rest) = template.split_once(&begin).ok_or_else(missing)?;
    let (old, after) = rest.split_once(&end).ok_or_else(missing)?;
    let indent: String = old.chars().rev().take_while(|letter| *letter == ' ').collect();
    Ok(format!("{before}{begin}{generated}{indent}{end}{after}"))
}

fn regions() -> String {
    Region::ALL.iter().map(|region| format!("    {}: {{ Name: {region} }}\n", region.aws())).collect()
}

/// The ARN of the alias that callers of a function invoke, as text for `!Sub`.
fn function_arn(id: &str) -> String {
    format!(
        "arn:${{AWS::Partition}}:lambda:${{AWS::Region}}:${{AWS::AccountId}}:function:${{Platform}}-{id}:live"
    )
}

/// The logical id of a table in the data stack.
fn table_id(table: Table) -> String {
    format!("{}Table", pascal(table.as_str()))
}

/// A double-quoted YAML scalar. JSON strings are valid ones.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn text_outside_the_markers_is_unchanged() {
        let template = "a\n  # --- generated x: begin ---\nold\n  # --- generated x: end ---\nb\n";
        let filled = replace(template, "x", "new\n").unwrap();
        assert_eq!(filled, "a\n  # --- generated x: begin ---\nnew\n  # --- generated x: end ---\nb\n");
        assert_eq!(replace(&filled, "x", "new\n").unwrap(), filled);
        assert_eq!(replace(template, "y", ""), Err(Error::NoMarkers("y")));
    }

    /// The text of the permissions boundary.
    fn boundary() -> &'static str {
        let template = include_str!("../../template.yaml");
        let (_, rest) = template.split_once("\n  Boundary:\n").unwrap();
        rest.split_once("\n\n").unwrap().0
    }

    #[test]
    fn permissions_boundary_allows_every_granted_action() {
        let words = |text: &str| {
            text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        let allowed = words(boundary());
        let functions = functions::functions(&Functions::all());
        let granted =
            functions.lines().filter_map(|line| line.trim().strip_prefix("Action: [")).flat_map(words);
        let granted: Vec<String> = granted.filter(|action| !action.is_empty()).collect();
        assert!(granted.len() > 100, "{granted:?}");
        for action in granted {
            assert!(allowed.contains(&action), "{action}");
        }
    }

    /// Actions on objects of the bucket, with their folders.
    fn object_actions(statements: &str) -> BTreeSet<(String, String)> {
        let mut actions = Vec::new();
        let mut found = BTreeSet::new();
        for line in statements.lines().map(str::trim) {
            if let Some(list) = line.strip_prefix("Action: [").and_then(|list| list.strip_suffix(']')) {
                actions = list.split(", ").map(str::to_owned).collect();
            }
            for object in line.split("-files-${AWS::AccountId}/").skip(1) {
                let folder = object.split('"').next().unwrap_or_default();
                found.extend(actions.iter().map(|action| (action.clone(), folder.to_owned())));
            }
        }
        found
    }

    #[test]
    fn permissions_boundary_allows_every_action_on_objects() {
        let allowed = object_actions(boundary());
        let granted = object_actions(&functions::functions(&Functions::all()));
        assert!(granted.contains(&("s3:PutObject".to_owned(), "files/*".to_owned())), "{granted:?}");
        let missing: Vec<_> = granted.difference(&allowed).collect();
        assert!(missing.is_empty(), "{missing:?}");
    }

    #[test]
    fn lifecycle_rule_deletes_expired_bundles() {
        let template = include_str!("../stacks/data.yaml");
        let days = domain::export::KEPT.as_hours() / 24;
        let rule = format!("Prefix: {}, ExpirationInDays: {days}, ", domain::blob::BUNDLES);
        assert!(template.contains(&rule), "{rule}");
    }

    #[test]
    fn every_region_knows_the_urls_of_all_regions() {
        let template = area("auth", &Functions::default());
        for region in Region::ALL {
            assert!(template.contains(&format!("{region}=https://{region}.${{ApiDomain}}")), "{region}");
        }
    }

    #[test]
    fn access_log_contains_no_personal_data() {
        let template = include_str!("../../template.yaml");
        let (_, rest) = template.split_once("AccessLogSettings:").unwrap();
        let (format, _) = rest.split_once("\n\n").unwrap();
        let variables = format.split('$').skip(1).map(|variable| variable.split('"').next().unwrap());
        let harmless = [
            "context.requestId",
            "context.requestTimeEpoch",
            "context.routeKey",
            "context.status",
            "context.responseLength",
            "context.responseLatency",
            "context.integration.status",
            "context.integration.latency",
            "context.error.responseType",
        ];
        assert_eq!(variables.collect::<Vec<_>>(), harmless);
    }
}
