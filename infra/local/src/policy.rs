//! Enforces the IAM statements of the template on the functions: each may perform only the actions that its
//! specification grants.

use std::collections::BTreeMap;

use aws::{IamPermission, LeadingKeys};
use domain::{blob, region::Region};
use infra::{
    conditions::Deployment,
    statements::{self, IamResource, Statement, TRANSACTION_KEYS, TransactionKeys},
};
use kit::Grant;
use store::tables::Table;

use crate::region_config;

/// The statements of each function's role.
pub struct Roles(BTreeMap<&'static str, Vec<Statement>>);

/// The caller name of Lambda's event source mapping, which reads the outbox stream on behalf of a function.
pub const EVENT_SOURCE: &str = "event-source";

impl Roles {
    /// Derives the roles of functions from their grants. If transactions are judged with all their keys, the statements are
    /// those that the template would have then.
    pub fn new(
        grants: impl IntoIterator<Item = (&'static str, Vec<Grant>)>,
        leading_keys: LeadingKeys,
    ) -> Self {
        let keys = match leading_keys {
            LeadingKeys::PerTable | LeadingKeys::PerBatch => TRANSACTION_KEYS,
            LeadingKeys::PerRequest => TransactionKeys::All,
        };
        let statements = |grants: Vec<Grant>| statements::for_transactions(&grants, keys);
        Self(grants.into_iter().map(|(function, grants)| (function, statements(grants))).collect())
    }
}

impl aws::IamPolicy for Roles {
    fn allows(&self, function: &str, home: &str, need: &IamPermission) -> bool {
        if function == EVENT_SOURCE {
            let streams = ["ListStreams", "DescribeStream", "GetShardIterator", "GetRecords"];
            return need.action.strip_prefix("dynamodb:").is_some_and(|action| streams.contains(&action));
        }
        let Some(home) = Region::ALL.into_iter().find(|region| region.aws() == home) else { return false };
        let config = region_config::config(home, "", &BTreeMap::new());
        let deployment = Deployment { region: home.to_string(), sender: config.mail_from.clone() };
        let mut statements = self.0.get(function).into_iter().flatten();
        statements.any(|statement| {
            statement.resources.iter().any(|resource| is_about(*resource, home, &config.bucket, need))
                && statement.allows(&need.action, &need.context, &deployment)
        })
    }
}

/// Whether the resource in a request is the resource of a statement. In a region, `account-eu-identity` is the table
/// `identity`, `account/eu/tokens` the secret `tokens`, and `account-eu-files/files/…` a file.
fn is_about(resource: IamResource, home: Region, bucket: &str, need: &IamPermission) -> bool {
    let here = need.region == home.aws();
    let ends_with = |separator: char, name: &str| need.on.rsplit(separator).next() == Some(name);
    match resource {
        IamResource::Authority => {
            need.region == Region::AUTHORITY.aws() && ends_with('-', Table::Directory.as_str())
        }
        IamResource::Table(table) => here && ends_with('-', table.as_str()),
        IamResource::Secret(name) => here && ends_with('/', name),
        IamResource::Bucket => here && need.on == bucket,
        IamResource::Files => here && need.on.starts_with(&format!("{bucket}/{}", blob::FOLDER)),
        IamResource::Bundles => here && need.on.starts_with(&format!("{bucket}/{}", blob::BUNDLES)),
        IamResource::Icons => here && need.on.starts_with(&format!("{bucket}/{}", blob::ICONS)),
        // A region has only one of each.
        IamResource::Key | IamResource::Bus | IamResource::Mail => here,
    }
}
