//! The names and settings of a region: what the template sets in a deployment.

use std::{collections::BTreeMap, time::Duration};

use domain::region::Region;
use lambda::Config;

/// The minimum delay of refusals. Local regions are microseconds apart.
const REFUSALS_AFTER: Duration = Duration::from_millis(100);

/// The name of the directory table.
pub const DIRECTORY: &str = "account-directory";

/// The configuration of a region. `endpoints` has the URL of each region's API.
pub fn config(region: Region, endpoints: &BTreeMap<Region, String>) -> Config {
    Config {
        region,
        table_prefix: format!("account-{region}-"),
        secret_prefix: format!("account/{region}/"),
        shared_secret_prefix: "account/shared/".to_owned(),
        kms_key: format!("alias/account-{region}"),
        event_bus: format!("account-{region}"),
        bucket: format!("account-{region}-files"),
        mail_from: "no-reply@account.example".to_owned(),
        directory_table: DIRECTORY.to_owned(),
        endpoints: endpoints.clone(),
        refusals_after: REFUSALS_AFTER,
    }
}
