//! The IAM statements of the template's functions, from their grants.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use domain::region::Region;
use kit::Grant;
use store::table::Table;

use crate::template::{REGION, table_id};

/// The secrets that are the same in every region.
const SHARED_SECRETS: [&str; 2] = ["addresses", "forwarding"];

/// A function is granted something on a thing that the template does not have.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is nothing called {0} to grant anything on")]
pub struct UnknownResource(String);

/// One statement for each thing that something is granted on.
///
/// # Errors
///
/// When a grant names a thing that the template does not have.
pub fn policies(grants: &[Grant]) -> Result<String, UnknownResource> {
    let mut by_resource: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
    for grant in grants {
        let action = format!("{}:{}", grant.service, grant.action);
        by_resource.entry((grant.service, place(grant))).or_default().push(action);
    }
    if by_resource.is_empty() {
        return Ok(String::new());
    }
    let mut text = "      Policies:\n        - Version: \"2012-10-17\"\n          Statement:\n".to_owned();
    for ((service, on), actions) in by_resource {
        let _ = write!(
            text,
            "            - Effect: Allow\n              Action: [{}]\n              Resource: {}\n",
            actions.join(", "),
            resource(service, on)?,
        );
    }
    Ok(text)
}

/// The directory is written in the authority's region only, whichever region writes.
const AUTHORITY: &str = "directory in the authority";

fn place(grant: &Grant) -> &'static str {
    let reads = matches!(grant.action, "GetItem" | "Query");
    if grant.on == Table::Directory.as_str() && !reads { AUTHORITY } else { grant.on }
}

/// What a grant is on, in the template's terms.
fn resource(service: &str, on: &str) -> Result<String, UnknownResource> {
    let arn = |rest: String| format!("!Sub \"arn:${{AWS::Partition}}:{rest}\"");
    let here = "${AWS::Region}:${AWS::AccountId}";
    match service {
        "dynamodb" if on == AUTHORITY => Some(directory_in(Region::AUTHORITY.aws())),
        "dynamodb" if on == Table::Directory.as_str() => {
            let (here, there) = (directory_in("${AWS::Region}"), directory_in(Region::AUTHORITY.aws()));
            Some(format!("[{here}, {there}]"))
        }
        "dynamodb" => {
            let table = Table::REGIONAL.into_iter().find(|table| table.as_str() == on);
            table.map(|table| format!("!GetAtt {}.Arn", table_id(table)))
        }
        "kms" if on == "key" => Some("!GetAtt Key.Arn".to_owned()),
        "events" if on == "bus" => Some("!GetAtt Bus.Arn".to_owned()),
        "ses" if on == "mail" => Some(arn(format!("ses:{here}:identity/${{MailDomain}}"))),
        // Secrets Manager puts six characters of its own after a secret's name.
        "secretsmanager" => {
            let scope = if SHARED_SECRETS.contains(&on) { "shared" } else { "${Region}" };
            let arn = format!(
                "arn:${{AWS::Partition}}:secretsmanager:{here}:secret:${{AWS::StackName}}/{scope}/{on}-??????"
            );
            Some(match scope {
                "shared" => format!("!Sub \"{arn}\""),
                _ => format!("!Sub [\"{arn}\", {REGION}]"),
            })
        }
        _ => None,
    }
    .ok_or_else(|| UnknownResource(format!("{service} {on}")))
}

fn directory_in(region: &str) -> String {
    format!(
        "!Sub \"arn:${{AWS::Partition}}:dynamodb:{region}:${{AWS::AccountId}}:table/${{DirectoryTableName}}\""
    )
}

#[cfg(test)]
mod tests {
    use crate::Functions;

    use super::*;

    #[test]
    fn every_grant_is_on_something_that_the_template_has() {
        let all = Functions::all();
        let endpoints = all.operations.iter().flat_map(|operation| operation.spec.all_grants());
        for grant in endpoints.chain(all.workers.iter().flat_map(|worker| worker.grants.to_vec())) {
            resource(grant.service, grant.on).unwrap();
        }
        assert!(resource("dynamodb", "nonsense").is_err());
    }

    #[test]
    fn a_statement_names_one_resource_and_no_wildcard_action() {
        let text =
            policies(&[Grant::table("GetItem", "identity"), Grant::table("Query", "identity")]).unwrap();
        assert!(text.contains("Action: [dynamodb:GetItem, dynamodb:Query]\n"));
        assert!(text.contains("Resource: !GetAtt IdentityTable.Arn\n") && !text.contains('*'));
        assert_eq!(policies(&[]).unwrap(), "");
    }
}
