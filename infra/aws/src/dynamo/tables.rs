//! Routes requests to the database with the region's own tables or to the replica of the directory.

use bytes::Bytes;
use http::request::Parts;

use crate::answer::{Answer, Refusal};
use crate::config::StandInConfig;
use crate::dynamo::Databases;
use crate::dynamo::backend::Backend;
use crate::dynamo::reserved;
use crate::dynamo::table_names::TableNames;
use crate::journal::CallOutcome;
use crate::request::Caller;
use crate::service::Service;
use crate::upstream::Upstream;

/// The databases of a region.
pub(crate) struct Tables {
    own: Backend,
    /// `None` with an external emulator, which holds all tables of a region.
    replica: Option<Backend>,
    directory: String,
}

impl Tables {
    pub(crate) fn new(
        config: &StandInConfig,
        databases: Option<&Databases>,
        external: Option<Upstream>,
    ) -> Self {
        let region = &config.region;
        let own = match databases {
            Some(databases) => Backend::embedded(region, &databases.own),
            None => Backend::external(region, external),
        };
        let replica = databases.map(|databases| Backend::embedded(region, &databases.directory));
        Self { own, replica, directory: config.directory.table.clone() }
    }

    /// Serves one request. `ListTables`, and `ListStreams` without a table, list only the region's own tables.
    pub(crate) async fn apply(
        &self,
        caller: &Caller,
        named: &TableNames,
        parts: &Parts,
        body: Bytes,
        outcome: &mut CallOutcome,
    ) -> Answer {
        if let Some(refusal) = reserved::refusal(&body) {
            return refusal.answer(Service::DynamoDb);
        }
        let about_directory = named.has(&self.directory);
        if about_directory && !named.is_only(&self.directory) {
            let message = format!(
                "{} is in another database: a call can't combine it with other tables",
                self.directory
            );
            return Refusal::new("ValidationException", message).answer(Service::DynamoDb);
        }
        let backend = match &self.replica {
            Some(replica) if about_directory => replica,
            _ => &self.own,
        };
        backend.apply(&caller.operation, parts, body, outcome).await
    }
}
