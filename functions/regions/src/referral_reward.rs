//! `POST /internal/regions/referral-rewards`: adds or takes back the reward of a user of this region, whose friend in the region that asks
//! has topped up, or no longer has. A request may be sent twice, late or in another order.

use std::sync::Arc;

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    id::{EventId, OfEvent, WorkspaceId},
    permissions::worker_may_reward_referrers,
    ports::{Failure, Outcome, Rounds, Saved, TransactionExtras, Wallets, Workspaces},
    referral::{MOST_CHANGES, ReferralKey},
    wallet::{Booking, Cause, RewardStep, StoredWallet, reward_steps},
    workspace::{Workspace, WorkspaceKind},
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec,
    grants::{extras, wallets, workspaces},
    spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Books the reward for a referral.
pub struct BookReward;

/// The ports.
pub struct RewardPorts {
    wallets: Arc<dyn Wallets>,
    workspaces: Arc<dyn Workspaces>,
}

/// A referral, as the region of the friend has it.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct ReferralReward {
    /// The personal workspace of the referrer.
    pub referrer: WorkspaceId,
    /// The referral.
    pub referral: ReferralKey,
    /// The number of the last change. Changes after the sixth do nothing.
    pub changes: u32,
}

/// Whether the wallet of the referrer changed.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct BookedReward {
    /// Whether this request changed it.
    pub booked: bool,
}
impl Output for BookedReward {}

impl Endpoint for BookReward {
    const SPEC: Spec = spec("region-referral-reward", Post, "/internal/regions/referral-rewards")
        .summary("Add or take back the reward of a user who referred a user of another region")
        .access(Access::region())
        .uses(&[workspaces::FIND, wallets::WITH_CAUSES, wallets::BOOK_CREDIT, extras::EVENT]);
    type Caller = OtherRegion;
    type Deps = RewardPorts;
    type Input = Body<ReferralReward>;
    type Output = BookedReward;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> RewardPorts {
        RewardPorts::of(ports)
    }

    async fn handle(
        deps: &RewardPorts,
        call: &RequestContext<OtherRegion>,
        Body(reward): Self::Input,
    ) -> Result<BookedReward, Failure> {
        let event = call.id::<OfEvent>();
        Ok(BookedReward { booked: deps.book(&reward, event, call.now).await? })
    }
}

impl RewardPorts {
    /// Of a function's ports.
    pub fn of(ports: &impl Ports) -> Self {
        Self { wallets: ports.wallets(), workspaces: ports.workspaces() }
    }

    /// Books what the last change of a referral leads to, with a line in the history under this id. Returns whether the wallet of the
    /// referrer changed: it doesn't if everything is booked already, or if the account was deleted.
    ///
    /// # Errors
    ///
    /// If AWS fails.
    pub async fn book(&self, reward: &ReferralReward, event: EventId, now: Timestamp) -> Outcome<bool> {
        let causes = causes(reward);
        let mut rounds = Rounds::new();
        loop {
            rounds.begin()?;
            let workspace = self.workspaces.find(reward.referrer);
            let wallet = self.wallets.with_causes(reward.referrer, &causes);
            let (workspace, (wallet, booked)) = futures::try_join!(workspace, wallet)?;
            let workspace = workspace.filter(|workspace| workspace.kind == WorkspaceKind::Personal);
            let Some(workspace) = workspace else { return Ok(false) };
            let mut booking = StoredWallet::of(&workspace, wallet).booking(now);
            let steps = reward_steps(reward.changes, &booked);
            if steps.is_empty() {
                return Ok(false);
            }
            let posting = take(&mut booking, reward.referral, &steps)?;
            let Some(change) = booking.finish() else { return Ok(false) };
            let event = posting.map(|posting| line(event, &workspace, posting));
            let extras = TransactionExtras { event, messages: Vec::new(), receipt: None };
            if self.wallets.book(&worker_may_reward_referrers(), &change, extras).await? == Saved::Yes {
                return Ok(true);
            }
        }
    }
}

/// The causes of all changes up to the last one.
fn causes(reward: &ReferralReward) -> Vec<Cause> {
    let last = reward.changes.min(MOST_CHANGES);
    (1..=last).map(|change| Cause::Reward { referral: reward.referral, change }).collect()
}

/// Books steps. Returns the number of the last posting, if there is one.
fn take(booking: &mut Booking, referral: ReferralKey, steps: &[RewardStep]) -> Outcome<Option<u64>> {
    let mut last = None;
    for step in steps {
        let posting = booking
            .book_reward(referral, *step)
            .map_err(|refusal| Failure::Broken(format!("the wallet refuses a reward: {refusal:?}")))?;
        last = posting.map(|posting| posting.number).or(last);
    }
    Ok(last)
}

/// The line in the history. An actor is a user: the owner, with a note that a referral was the reason. The amount is in the transaction,
/// which fewer people may read.
fn line(id: EventId, workspace: &Workspace, transaction: u64) -> ActivityEvent {
    let actor = Actor { user: workspace.owner, key: None };
    let event = ActivityEvent::new(id, workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event = event.about(workspace.id, &workspace.handle);
    let details = [("by", "referral".into()), ("transaction", transaction.into())];
    event.metadata.extend(details.map(|(name, value)| (name.to_owned(), value)));
    event
}
