//! `publish-followers`: publishes how many users of this region follow an account, for the other regions.
//!
//! It reads the number after the change and writes it with its version, so that repeated and reordered messages are harmless: a
//! later number is never replaced by an earlier one.

use std::sync::Arc;

use domain::{
    domain_events::{DomainEvent, Message},
    ports::{Directory, Failure, Follows},
};
use kit::{
    Ports, RunContext, Trigger, Worker, WorkerSpec,
    grants::{directory, follows},
    worker,
    worker::Envelope,
};
use serde::Serialize;

/// Publishes numbers of followers.
pub struct PublishFollowers;

/// The ports that it uses.
pub struct Deps {
    follows: Arc<dyn Follows>,
    directory: Arc<dyn Directory>,
}

/// The result.
#[derive(Serialize)]
pub struct PublishFollowersReport {
    published: bool,
}

impl Worker for PublishFollowers {
    const SPEC: WorkerSpec = worker(
        "publish-followers",
        Trigger::Bus,
        "Publishes how many users of the region follow an account",
        &[follows::FOLLOWERS, directory::PUBLISH_FOLLOWERS],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = PublishFollowersReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { follows: ports.follows(), directory: ports.directory() }
    }

    async fn handle(
        deps: &Deps,
        job: &RunContext,
        event: Envelope,
    ) -> Result<PublishFollowersReport, Failure> {
        let Message { notice, .. } = event.detail;
        let DomainEvent::FollowersChanged { followed } = notice else {
            return Ok(PublishFollowersReport { published: false });
        };
        let count = deps.follows.followers(followed).await?;
        deps.directory.publish_followers(followed, job.region, count).await?;
        Ok(PublishFollowersReport { published: true })
    }
}
