//! Payments by Stripe.  Table `billing`: PK `CUSTOMER#<workspace>`  SK `CUSTOMER`; PK `PAYMENTS#<workspace>`  SK `<payment intent>`;
//! PK `FORMER#<sha256 of a workspace that was deleted>`  SK `FORMER` (its referral, gone after 180 days);
//! PK `STRIPEEVENT#<event>`  SK `EVENT` (uniqueness: an event is handled once; gone after 60 days, when Stripe has
//! forgotten it too); PK `RECONCILED`  SK `RECONCILED`.
//! Reads: each by its key (get), the payments of a workspace (query, by id), all strongly consistent.
//! Writes: a payment in the transaction that changes the wallet, if it has the version that was read; an event in the transaction
//! that writes the message about it; the others by conditional puts, the customer in a transaction that checks the workspace.

use async_trait::async_trait;
use domain::{
    Timestamp,
    id::WorkspaceId,
    payment::{BillingAccount, Payment, PaymentIntentId, StripeEvent, StripeEventId},
    permissions::{ChangesWallets, ManagesBilling, SetsPlans},
    ports::{Outcome, Page, PaymentRecords, Reconciled, Saved, TransactionExtras},
    referral::{FormerReferral, FriendHash},
    wallet::WalletChange,
    workspace::Workspace,
};
use jiff::SignedDuration;
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, to_expiring_item, to_item},
    retry::spread,
    transaction::Condition,
    workspaces,
};

/// How long events are kept. Stripe lists them for 30 days.
const EVENTS_KEPT: SignedDuration = SignedDuration::from_hours(60 * 24);

fn customer_key(workspace: WorkspaceId) -> Key {
    Key::new(ItemKind::Customers, workspace, "CUSTOMER")
}

fn payment_key(workspace: WorkspaceId, intent: &PaymentIntentId) -> Key {
    Key::new(ItemKind::Payments, workspace, intent.as_str())
}

fn former_key(friend: FriendHash) -> Key {
    Key::new(ItemKind::FormerReferrals, friend, "FORMER")
}

fn event_key(id: &StripeEventId) -> Key {
    Key::new(ItemKind::StripeEvents, id, "EVENT")
}

fn reconciled_key() -> Key {
    Key::new(ItemKind::Reconciliations, "", "RECONCILED")
}

/// The version of a record before this one was made.
fn before(version: u64) -> Condition {
    Condition::version(version.saturating_sub(1))
}

#[async_trait]
impl PaymentRecords for Store {
    async fn account(&self, workspace: WorkspaceId) -> Outcome<Option<BillingAccount>> {
        self.get(customer_key(workspace)).await?.map(from_item).transpose()
    }

    async fn open_account(&self, _proof: &ManagesBilling, account: &BillingAccount) -> Outcome<Saved> {
        let key = customer_key(account.workspace);
        let workspace = workspaces::key_of(account.workspace);
        let transaction = self
            .transaction()
            .put("customer", &key, to_item(&key, account)?, Condition::absent())
            .check("workspace", &workspace, Condition::present());
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn replace_account(&self, _proof: &ManagesBilling, account: &BillingAccount) -> Outcome<Saved> {
        let key = customer_key(account.workspace);
        self.put_if(&key, to_item(&key, account)?, before(account.version)).await
    }

    async fn subscribe(
        &self,
        _proof: &SetsPlans,
        account: &BillingAccount,
        from: &Workspace,
        to: &Workspace,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let key = customer_key(account.workspace);
        let transaction =
            self.transaction().put("account", &key, to_item(&key, account)?, before(account.version));
        let transaction = transaction.change_plan(from, to)?.extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn payment(&self, workspace: WorkspaceId, intent: &PaymentIntentId) -> Outcome<Option<Payment>> {
        self.get(payment_key(workspace, intent)).await?.map(from_item).transpose()
    }

    async fn payments_after(
        &self,
        workspace: WorkspaceId,
        after: Option<&PaymentIntentId>,
        limit: usize,
    ) -> Outcome<Page<Payment>> {
        // Ids have no character before the digits.
        let from = after.map_or_else(|| "!".to_owned(), |after| format!("{after}!"));
        let range = (from, "~".to_owned());
        let page = self.range_ascending(ItemKind::Payments, workspace, range, limit).await?;
        let items = page.items.into_iter().map(from_item).collect::<Outcome<Vec<Payment>>>()?;
        Ok(Page { items, more: page.more })
    }

    async fn former_referral(&self, friend: FriendHash, now: Timestamp) -> Outcome<Option<FormerReferral>> {
        let found: Option<FormerReferral> = self.get(former_key(friend)).await?.map(from_item).transpose()?;
        Ok(found.filter(|found| found.kept_until > now))
    }

    async fn save_former_referral(
        &self,
        record: &FormerReferral,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let key = former_key(record.friend);
        let item = to_expiring_item(&key, record, record.kept_until)?;
        let transaction =
            self.transaction().put("former", &key, item, before(record.version)).extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn book(
        &self,
        _proof: &ChangesWallets,
        payment: &Payment,
        change: Option<&WalletChange>,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let key = payment_key(payment.workspace, &payment.intent);
        let mut transaction =
            self.transaction().put("payment", &key, to_item(&key, payment)?, before(payment.version));
        if let Some(change) = change {
            transaction = transaction.book(change)?;
        }
        let saved = transaction.extras(extras)?.commit().await?.map_or(Saved::Yes, |_| Saved::Stale);
        if saved == Saved::Stale {
            spread().await;
        }
        Ok(saved)
    }

    async fn knows_event(&self, id: &StripeEventId) -> Outcome<bool> {
        Ok(self.get(event_key(id)).await?.is_some())
    }

    async fn keep_event(
        &self,
        event: &StripeEvent,
        now: Timestamp,
        extras: TransactionExtras,
    ) -> Outcome<Saved> {
        let key = event_key(&event.id);
        let gone = now.saturating_add(EVENTS_KEPT).unwrap_or(Timestamp::MAX);
        let item = to_expiring_item(&key, event, gone)?;
        let transaction = self.transaction().put("event", &key, item, Condition::absent()).extras(extras)?;
        Ok(transaction.commit().await?.map_or(Saved::Yes, |_| Saved::Stale))
    }

    async fn reconciled(&self) -> Outcome<Option<Reconciled>> {
        self.get(reconciled_key()).await?.map(from_item).transpose()
    }

    async fn save_reconciled(&self, reconciled: &Reconciled) -> Outcome<Saved> {
        let key = reconciled_key();
        self.put_if(&key, to_item(&key, reconciled)?, before(reconciled.version)).await
    }
}
