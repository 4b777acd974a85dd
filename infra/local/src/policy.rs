//! The functions' roles, with the very statements that the template gives them: each may do what its spec grants, on what
//! it grants it.

use std::collections::BTreeMap;

use aws::Need;
use domain::{blob, region::Region};
use infra::{
    conditions::Deployment,
    statements::{Resource, Statement, statements},
};
use kit::Grant;
use store::table::Table;

use crate::region;

/// What each function may do.
pub struct Roles(BTreeMap<&'static str, Vec<Statement>>);

/// Lambda's own: reads the outbox's stream for the function that it sets off.
pub const EVENT_SOURCE: &str = "event-source";

impl Roles {
    /// The roles of functions with these grants.
    pub fn new(grants: impl IntoIterator<Item = (&'static str, Vec<Grant>)>) -> Self {
        Self(grants.into_iter().map(|(function, grants)| (function, statements(&grants))).collect())
    }
}

impl aws::Policy for Roles {
    fn allows(&self, function: &str, home: &str, need: &Need) -> bool {
        if function == EVENT_SOURCE {
            let streams = ["ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"];
            return need.action.strip_prefix("dynamodb:").is_some_and(|action| streams.contains(&action));
        }
        let Some(home) = Region::ALL.into_iter().find(|region| region.aws() == home) else { return false };
        let config = region::config(home, &BTreeMap::new());
        let deployment = Deployment { region: home.to_string(), sender: config.mail_from.clone() };
        let mut statements = self.0.get(function).into_iter().flatten();
        statements.any(|statement| {
            is_about(statement.resource, home, &config.bucket, need)
                && statement.allows(&need.action, &need.context, &deployment)
        })
    }
}

/// Whether what a request names is what a statement of a region's role is about: `account-eu-identity` is the table
/// `identity`, `account/eu/tokens` the secret `tokens`, `account-eu-files/files/…` a file.
fn is_about(resource: Resource, home: Region, bucket: &str, need: &Need) -> bool {
    let here = need.region == home.aws();
    let ends_with = |separator: char, name: &str| need.on.rsplit(separator).next() == Some(name);
    match resource {
        Resource::Authority => {
            need.region == Region::AUTHORITY.aws() && ends_with('-', Table::Directory.as_str())
        }
        Resource::Table(table) => here && ends_with('-', table.as_str()),
        Resource::Secret(name) => here && ends_with('/', name),
        Resource::Bucket => here && need.on == bucket,
        Resource::Files => here && need.on.starts_with(&format!("{bucket}/{}", blob::FOLDER)),
        Resource::Bundles => here && need.on.starts_with(&format!("{bucket}/{}", blob::BUNDLES)),
        // There is one of each in a region.
        Resource::Key | Resource::Bus | Resource::Mail => here,
    }
}
