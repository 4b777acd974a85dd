//! Applies a subscription as Stripe has it now to the plan of its workspace, in the same way as a payment: it is fetched after the
//! records were read, and stored if they did not change meanwhile.

use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    domain_events::DomainEvent,
    entitlements::Quota,
    id::WorkspaceId,
    payment::{
        BillingAccount, InvoiceId, PaidSubscription, Subscription, SubscriptionId, SubscriptionStatus,
        SubscriptionTag,
    },
    permissions::worker_may_set_paid_plans,
    plan::Plan,
    ports::{Outcome, PaymentError, PaymentRecords, Payments, Rounds, Saved, TransactionExtras, Workspaces},
    wallet::whole_millis,
    workspace::{PlanTerms, Workspace, WorkspaceKind},
};
use kit::RunContext;

use crate::applied_payment::{Applied, failed};

/// The ports.
pub struct SubscriptionPorts<'a> {
    /// Stripe.
    pub payments: &'a dyn Payments,
    /// Customers of the platform.
    pub records: &'a dyn PaymentRecords,
    /// The workspaces.
    pub workspaces: &'a dyn Workspaces,
}

/// Applies the subscription with this id.
pub async fn apply(ports: &SubscriptionPorts<'_>, id: &SubscriptionId, job: &RunContext) -> Outcome<Applied> {
    let Some((_, tag)) = ours(ports, id, job).await? else { return Ok(Applied::NotOurs) };
    apply_to(ports, id, tag.workspace, job).await
}

/// Applies the subscription with this id to its workspace.
pub async fn apply_to(
    ports: &SubscriptionPorts<'_>,
    id: &SubscriptionId,
    of: WorkspaceId,
    job: &RunContext,
) -> Outcome<Applied> {
    let mut rounds = Rounds::new();
    loop {
        rounds.begin()?;
        let (workspace, account) = futures::try_join!(ports.workspaces.find(of), ports.records.account(of))?;
        let Some((now, tag)) = ours(ports, id, job).await? else { return Ok(Applied::NotOurs) };
        let account = account.filter(|it| it.customer == now.customer && it.workspace == tag.workspace);
        let (Some(workspace), Some(account)) = (workspace, account) else {
            // The deletion of a workspace ends its subscription.
            if now.is_alive() {
                tracing::error!(subscription = %id, workspace = %of, "a subscription is of no customer of the workspace");
            }
            log_late_payment(&now, of);
            return Ok(Applied::NotOurs);
        };
        if let Some(applied) = ports.is_another(&account, &now).await? {
            return Ok(applied);
        }
        let applied = match ports.store(&account, &workspace, &now, job).await? {
            Some(Saved::Yes) => Applied::Changed,
            Some(Saved::Stale) => continue,
            None => Applied::Unchanged,
        };
        ports.tidy(&account, &now).await?;
        ports.close(&account, &now).await?;
        return Ok(applied);
    }
}

/// Logs the last invoice of a subscription, if it was paid after the end: an operator refunds it.
fn log_late_payment(now: &Subscription, of: WorkspaceId) {
    if let Some(invoice) = &now.paid_after_end {
        log_paid_after_end(invoice, of);
    }
}

/// Logs an invoice that was paid after its subscription ended.
fn log_paid_after_end(invoice: &InvoiceId, of: WorkspaceId) {
    tracing::error!(
        defect = "an invoice was paid after its subscription ended",
        %invoice,
        workspace = %of,
        "an invoice was paid after its subscription ended: refund it"
    );
}

/// The subscription, if it is one of this region.
async fn ours(
    ports: &SubscriptionPorts<'_>,
    id: &SubscriptionId,
    job: &RunContext,
) -> Outcome<Option<(Subscription, SubscriptionTag)>> {
    let subscription = match ports.payments.subscription(id).await? {
        Ok(subscription) => subscription,
        Err(PaymentError::NotFound) => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let tag = subscription.tag.filter(|tag| tag.region == job.region);
    Ok(tag.map(|tag| (subscription, tag)))
}

impl SubscriptionPorts<'_> {
    /// Handles a subscription that is not the one of the workspace. A second subscription is ended at once; one that is over, or never
    /// began, changes nothing.
    async fn is_another(&self, account: &BillingAccount, now: &Subscription) -> Outcome<Option<Applied>> {
        if account.subscription.as_ref().is_some_and(|stored| stored.id == now.id) {
            return Ok(None);
        }
        if !now.is_alive() {
            self.close(account, now).await?;
            return Ok(Some(Applied::Unchanged));
        }
        let Some(stored) = account.running() else { return Ok(None) };
        // The event that ends the stored one may be late.
        match self.payments.subscription(&stored.id).await? {
            Ok(stored) if stored.is_alive() => {}
            Ok(_) | Err(PaymentError::NotFound) => return Ok(None),
            Err(error) => return Err(failed(error)),
        }
        tracing::error!(subscription = %now.id, workspace = %account.workspace, "a second subscription was ended: refund it");
        self.payments.cancel_now(&now.id).await?.map_err(failed)?;
        let ended = Subscription { status: SubscriptionStatus::Canceled, ..now.clone() };
        self.close(account, &ended).await?;
        Ok(Some(Applied::Changed))
    }

    /// Voids the invoices of a subscription that ended: a payment at the page of one would buy nothing. Stripe voids those of a
    /// subscription that never began.
    async fn close(&self, account: &BillingAccount, now: &Subscription) -> Outcome<()> {
        if now.status != SubscriptionStatus::Canceled {
            return Ok(());
        }
        log_late_payment(now, account.workspace);
        let payable = self.payments.payable_invoices(&account.customer, Some(&now.id)).await?;
        for invoice in payable.map_err(failed)? {
            if !self.payments.void_invoice(&invoice).await?.map_err(failed)? {
                log_paid_after_end(&invoice, account.workspace);
            }
        }
        Ok(())
    }

    /// Closes the page on which somebody could subscribe once more, and pays later invoices with the customer's default payment method,
    /// which the person can change. Stripe's page gives the subscription a payment method of its own.
    async fn tidy(&self, account: &BillingAccount, now: &Subscription) -> Outcome<()> {
        if let Some(page) = account.subscribe_page.as_ref().filter(|_| now.is_alive()) {
            let closed = self.payments.expire_checkout(page).await?;
            closed
                .or_else(|error| if error == PaymentError::NotFound { Ok(()) } else { Err(failed(error)) })?;
        }
        let Some(method) = now.method.as_ref().filter(|_| now.is_alive()) else { return Ok(()) };
        let details = self.payments.billing_details(&now.customer).await?.map_err(failed)?;
        if details.default_method.is_none() {
            match self.payments.set_default_method(&now.customer, method).await? {
                // It was removed meanwhile.
                Ok(()) | Err(PaymentError::NotFound) => {}
                Err(error) => return Err(failed(error)),
            }
        }
        self.payments.use_default_method(&now.id).await?.map_err(failed)
    }

    /// Stores the subscription and the plan that it gives. `None`: both are stored already.
    async fn store(
        &self,
        account: &BillingAccount,
        workspace: &Workspace,
        now: &Subscription,
        job: &RunContext,
    ) -> Outcome<Option<Saved>> {
        let paid = PaidSubscription::after(account.subscription.as_ref(), now);
        let after = with_plan(workspace.clone(), &paid, job);
        let is_same_plan =
            after.plan_terms() == workspace.plan_terms() && months(&after) == months(workspace);
        if is_same_plan && account.subscription.as_ref() == Some(&paid) {
            return Ok(None);
        }
        let mut replaced = account.next();
        replaced.subscription = Some(paid);
        replaced.subscribe_page = None;
        let extras = if is_same_plan {
            TransactionExtras::default()
        } else {
            let message = job.message(DomainEvent::PlanChanged { workspace: workspace.id });
            let event = Some(event(job, &after));
            TransactionExtras { event, messages: vec![message], receipt: None }
        };
        let proof = worker_may_set_paid_plans();
        self.records.subscribe(&proof, &replaced, workspace, &after, extras).await.map(Some)
    }
}

/// The workspace with the plan that the subscription gives. The contract of an operator stays.
fn with_plan(workspace: Workspace, paid: &PaidSubscription, job: &RunContext) -> Workspace {
    if workspace.plan_at(job.now) == Plan::Enterprise {
        return workspace;
    }
    let Some(ends_at) = paid.plan_ends_at().filter(|end| *end > job.now) else {
        let is_paid = workspace.plan == Plan::Pro;
        let terms = PlanTerms { plan: Plan::Free, ends_at: None, seats: None };
        return if is_paid { workspace.with_plan_terms(terms, job.now) } else { workspace };
    };
    let seats = Quota::AtMost(u64::from(paid.paid_seats));
    let seats = Some(seats).filter(|_| workspace.kind == WorkspaceKind::Team);
    let terms = PlanTerms { plan: Plan::Pro, ends_at: Some(ends_at), seats };
    // The months of the plan are those of the subscription, also if it lapsed meanwhile: each has its credit once.
    let since = Some(whole_millis(paid.started_at));
    let paid_until = Some(paid.paid_until);
    Workspace { plan_since: since, plan_paid_until: paid_until, ..workspace.with_plan_terms(terms, job.now) }
}

/// The start of the plan's months, and the end of those that are paid.
const fn months(workspace: &Workspace) -> (Option<Timestamp>, Option<Timestamp>) {
    (workspace.plan_since, workspace.plan_paid_until)
}

/// The line in the history. An actor is a user: the owner, with a note that Stripe acted.
fn event(job: &RunContext, workspace: &Workspace) -> ActivityEvent {
    let actor = Actor { user: workspace.owner, key: None };
    let event = job.event(workspace.id, actor, Action::Updated, ResourceType::Billing);
    let mut event = event.about(workspace.id, &workspace.handle);
    let details = [
        ("by", Some("stripe".into())),
        ("plan", Some(workspace.plan.name().to_lowercase().into())),
        ("endsAt", workspace.plan_ends_at.map(|end| end.to_string().into())),
    ];
    let details = details.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
    event.metadata.extend(details);
    event
}
