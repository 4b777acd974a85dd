//! The generated parts of `template.yaml`: one file of this folder a part.

mod alarms;
mod functions;
mod routes;
mod secrets;
mod tables;
mod triggers;

use domain::region::Region;
use store::table::Table;

use crate::{Functions, pascal};
pub use functions::{REQUEST_SECONDS, worker_seconds};

/// Where the template finds the data region's name.
pub(crate) const REGION: &str = r#"{ Region: !FindInMap [DataRegions, !Ref "AWS::Region", Name] }"#;

/// Why a template can't be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A comment that says where a generated part begins or ends is gone.
    #[error("template.yaml has no line \"# --- generated {0}: begin ---\", or none that ends it")]
    NoMarkers(&'static str),
    /// No alarm can tell whether a job still runs that runs so seldom.
    #[error("{0} is scheduled more seldom than CloudWatch can look back: seven days")]
    TooSeldom(&'static str),
}

/// The template with its generated parts made again.
///
/// # Errors
///
/// When a marker is missing, or a schedule can't be watched.
pub fn fill_in(template: &str, functions: &Functions) -> Result<String, Error> {
    let parts = [
        ("regions", regions()),
        ("directory", tables::directory()),
        ("secrets", secrets::secrets(functions)),
        ("tables", tables::tables()),
        ("routes", routes::settings(functions)),
        ("functions", functions::functions(functions)),
        ("alarms", alarms::alarms(functions)?),
    ];
    parts.into_iter().try_fold(template.to_owned(), |template, (part, text)| replace(&template, part, &text))
}

/// Puts `generated` between the two comments that name `part`.
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

/// A table's name in the template.
pub(crate) fn table_id(table: Table) -> String {
    format!("{}Table", pascal(table.as_str()))
}

/// A YAML scalar in double quotes, which JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn what_stands_outside_the_markers_is_left_alone() {
        let template = "a\n  # --- generated x: begin ---\nold\n  # --- generated x: end ---\nb\n";
        let filled = replace(template, "x", "new\n").unwrap();
        assert_eq!(filled, "a\n  # --- generated x: begin ---\nnew\n  # --- generated x: end ---\nb\n");
        assert_eq!(replace(&filled, "x", "new\n").unwrap(), filled);
        assert_eq!(replace(template, "y", ""), Err(Error::NoMarkers("y")));
    }

    #[test]
    fn the_boundary_lets_functions_do_what_they_are_granted() {
        let template = include_str!("../../template.yaml");
        let (_, rest) = template.split_once("\n  Boundary:\n").unwrap();
        let (boundary, _) = rest.split_once("\n\n").unwrap();
        let words = |text: &str| {
            text.split(|c: char| !(c.is_ascii_alphanumeric() || c == ':'))
                .map(str::to_owned)
                .collect::<BTreeSet<_>>()
        };
        let allowed = words(boundary);
        let functions = functions::functions(&Functions::all());
        let granted =
            functions.lines().filter_map(|line| line.trim().strip_prefix("Action: [")).flat_map(words);
        let granted: Vec<String> = granted.filter(|action| !action.is_empty()).collect();
        assert!(granted.len() > 100, "{granted:?}");
        for action in granted {
            assert!(allowed.contains(&action), "{action}");
        }
    }

    #[test]
    fn bundles_that_nobody_removes_go_when_they_are_over() {
        let template = include_str!("../../template.yaml");
        let days = domain::export::KEPT.as_hours() / 24;
        let rule = format!("Prefix: {}, ExpirationInDays: {days}, ", domain::blob::BUNDLES);
        assert!(template.contains(&rule), "{rule}");
    }

    #[test]
    fn every_region_is_told_where_the_others_are() {
        let template = include_str!("../../template.yaml");
        for region in Region::ALL {
            assert!(template.contains(&format!("{region}=https://{region}.${{ApiDomain}}")), "{region}");
        }
    }

    #[test]
    fn the_access_log_says_nothing_of_who_called_with_what() {
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
