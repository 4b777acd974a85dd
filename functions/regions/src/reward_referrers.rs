//! `reward-referrers`: tells the region of a referrer that the top-ups of a friend reached the threshold for the reward, or fell below it
//! again. In the friend's own region it books the reward itself.
//!
//! It reads the number of the last change, and the receiver books a change once, so that repeated and reordered messages are harmless.
//! While the other region is down, the message waits in its queue.

use std::sync::Arc;

use domain::{
    domain_events::DomainEvent,
    id::{Id, OfEvent, WorkspaceId},
    ports::{Failure, Outcome, PaymentRecords, Wallets},
    referral::{FriendHash, Referral, ReferralKey},
};
use kit::{
    Ports, RegionClient, RunContext, Trigger, Worker, WorkerSpec,
    grants::{extras, forwarding_keys, payment_records, wallets, workspaces},
    region_client::IN_BACKGROUND,
    worker,
    worker::Envelope,
};
use serde::Serialize;

use crate::referral_reward::{BookReward, ReferralReward, RewardPorts};

/// Rewards referrers.
pub struct RewardReferrers;

/// The ports that it uses.
pub struct Deps {
    records: Arc<dyn PaymentRecords>,
    regions: RegionClient,
    rewards: RewardPorts,
    wallets: Arc<dyn Wallets>,
}

/// The result.
#[derive(Serialize)]
pub struct RewardReport {
    /// Whether the wallet of a referrer changed.
    booked: bool,
}

impl Worker for RewardReferrers {
    const SPEC: WorkerSpec = worker(
        "reward-referrers",
        Trigger::Bus,
        "Adds and takes back the rewards of users who referred others, also in other regions",
        &[
            wallets::FIND,
            payment_records::FORMER_REFERRAL,
            workspaces::FIND,
            wallets::WITH_CAUSES,
            wallets::BOOK_CREDIT,
            extras::EVENT,
            forwarding_keys::FORWARDING_KEY,
        ],
    );
    type Deps = Deps;
    type Event = Envelope;
    type Result = RewardReport;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            records: ports.payment_records(),
            regions: ports.region_client(),
            rewards: RewardPorts::of(ports),
            wallets: ports.wallets(),
        }
    }

    async fn handle(deps: &Deps, job: &RunContext, event: Envelope) -> Result<RewardReport, Failure> {
        let booked = match event.detail.notice {
            DomainEvent::ReferralChanged { workspace } => deps.reward(workspace, job).await?,
            _ => false,
        };
        Ok(RewardReport { booked })
    }
}

impl Deps {
    /// Rewards the referrer of a friend, if the friend has one and the referral changed.
    async fn reward(&self, friend: WorkspaceId, job: &RunContext) -> Outcome<bool> {
        let referral = self.referral(friend, job).await?.filter(|referral| referral.changes > 0);
        let Some(referral) = referral else { return Ok(false) };
        let reward = ReferralReward {
            referrer: referral.referrer,
            referral: ReferralKey::of(referral.referrer, friend),
            changes: referral.changes,
        };
        if referral.region == job.region {
            let event = Id::<OfEvent>::new(job.now, &*job.entropy);
            return self.rewards.book(&reward, event, job.now).await;
        }
        Ok(self.regions.ask::<BookReward, _>(referral.region, &reward, IN_BACKGROUND).await?.booked)
    }

    /// The referral in the friend's wallet, or its record after the friend's account was deleted.
    async fn referral(&self, friend: WorkspaceId, job: &RunContext) -> Outcome<Option<Referral>> {
        if let Some(wallet) = self.wallets.find(friend).await? {
            return Ok(wallet.referral);
        }
        let former = self.records.former_referral(FriendHash::of(friend), job.now).await?;
        Ok(former.map(|former| former.referral))
    }
}
