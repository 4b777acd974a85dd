//! The names and settings of a region: what the template sets in a deployment.

use std::{collections::BTreeMap, time::Duration};

use aws::{EventRule, QueueConfig, RedrivePolicy};
use domain::{email::EmailAddress, region::Region};
use infra::{Functions, queues};
use kit::{Trigger, WorkerSpec, worker};
use lambda::Config;

/// The minimum delay of refusals. Local regions are microseconds apart.
const REFUSALS_AFTER: Duration = Duration::from_millis(100);

/// The name of the directory table.
pub const DIRECTORY: &str = "account-directory";

/// The address that receives feedback: the template's parameter `FeedbackTo`.
const FEEDBACK_TO: &str = "feedback@account.example";

/// The start of the names of queues, in every region.
const PLATFORM: &str = "account-platform";

/// The queue for the messages that a consumer failed on too often.
pub fn dead_letters() -> String {
    queue("dead-letters")
}

/// The name of the queue of a consumer.
pub fn queue(id: &str) -> String {
    format!("{PLATFORM}-{id}")
}

/// The queues of a region: one for each consumer, one for their dead letters, and one for other failed invocations.
pub fn queues() -> Vec<QueueConfig> {
    let last = |name: String| QueueConfig {
        name,
        visibility_seconds: 30,
        retention_seconds: queues::DEAD_LETTER_SECONDS,
        redrive: None,
    };
    let consumers = Functions::all().workers.into_iter().filter(WorkerSpec::reads_queue);
    let of_consumer = |consumer: WorkerSpec| QueueConfig {
        name: queue(consumer.id),
        visibility_seconds: queues::visibility_seconds(&consumer),
        retention_seconds: queues::DEAD_LETTER_SECONDS,
        redrive: Some(RedrivePolicy { queue: dead_letters(), max_receives: queues::max_receives(&consumer) }),
    };
    consumers.map(of_consumer).chain([last(dead_letters()), last(queue("failed-invocations"))]).collect()
}

/// The rules of a region's event buses: the platform's own bus, and the default bus with the events of SES.
pub fn rules() -> Vec<EventRule> {
    let rule = |source: &str, detail_types: &[&str], id: &str| EventRule {
        source: source.to_owned(),
        detail_types: detail_types.iter().map(|name| (*name).to_owned()).collect(),
        queue: queue(id),
    };
    let workers = Functions::all().workers;
    let of_worker = |worker: &WorkerSpec| {
        let mail = worker.has(Trigger::MailFeedback);
        let of_mail = mail.then(|| rule(worker::FEEDBACK_SOURCE, &worker::FEEDBACK_TYPES, worker.id));
        let own = (!worker.events().is_empty()).then(|| rule(events::SOURCE, &worker.events(), worker.id));
        own.into_iter().chain(of_mail)
    };
    workers.iter().flat_map(of_worker).collect()
}

/// The configuration of a region, with no service of breached passwords. `endpoints` has the URL of each region's API, `entry` the one of the entry point.
pub fn config(region: Region, entry: &str, endpoints: &BTreeMap<Region, String>) -> Config {
    Config {
        region,
        table_prefix: format!("account-{region}-"),
        secret_prefix: format!("account/{region}/"),
        shared_secret_prefix: "account/shared/".to_owned(),
        kms_key: format!("alias/account-{region}"),
        event_bus: format!("account-{region}"),
        bucket: format!("account-{region}-files"),
        mail_from: "no-reply@account.example".to_owned(),
        mail_configuration_set: format!("account-{region}"),
        feedback_to: EmailAddress::parse(FEEDBACK_TO).ok(),
        directory_table: DIRECTORY.to_owned(),
        endpoints: endpoints.clone(),
        shared_endpoint: Some(entry.to_owned()),
        breached_passwords: None,
        refusals_after: REFUSALS_AFTER,
    }
}
