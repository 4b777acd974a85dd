//! A region's tables: its own in one place, its replica of the directory in another.

use bytes::Bytes;
use http::request::Parts;

use crate::Config;
use crate::answer::{Answer, Refusal};
use crate::dynamo::way::Way;
use crate::dynamo::{Databases, Named};
use crate::journal::Seen;
use crate::request::Caller;
use crate::service::Service;
use crate::upstream::Upstream;

/// The ways to them.
pub(crate) struct Tables {
    own: Way,
    /// Absent with an external emulator, which has all tables of a region in one place.
    replica: Option<Way>,
    directory: String,
}

impl Tables {
    pub(crate) fn new(config: &Config, databases: Option<&Databases>, external: Option<Upstream>) -> Self {
        let region = &config.region;
        let own = match databases {
            Some(databases) => Way::embedded(region, &databases.own),
            None => Way::external(region, external),
        };
        let replica = databases.map(|databases| Way::embedded(region, &databases.directory));
        Self { own, replica, directory: config.directory.table.clone() }
    }

    /// Whether an operation changes items.
    pub(crate) fn writes(operation: &str) -> bool {
        matches!(operation, "TransactWriteItems" | "BatchWriteItem" | "PutItem" | "UpdateItem" | "DeleteItem")
    }

    /// Serves one request. `ListTables` and `ListStreams` without a table tell of the region's own.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        named: &Named,
        parts: &Parts,
        body: Bytes,
        seen: &mut Seen,
    ) -> Answer {
        let about_directory = named.has(&self.directory);
        if about_directory && !named.is_only(&self.directory) {
            let message =
                format!("{} lies apart: one call can't be about it and another table", self.directory);
            return Refusal::new("ValidationException", message).answer(Service::DynamoDb);
        }
        let way = match &self.replica {
            Some(replica) if about_directory => replica,
            _ => &self.own,
        };
        way.apply(&caller.operation, parts, body, seen).await
    }
}
