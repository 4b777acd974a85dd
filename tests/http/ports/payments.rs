//! Customers, payments and events of Stripe: each is stored once, and changed over what was read.

use domain::{
    deletion::Part,
    domain_events::DomainEvent,
    entitlements::Quota,
    id::WorkspaceId,
    money::MicroUsd,
    payment::{
        BillingAccount, BillingCycle, Cents, CheckoutId, CustomerId, PaidSubscription, Payment,
        PaymentIntentId, PaymentPurpose, PaymentSubject, StripeEvent, StripeEventId, SubscriptionId,
        SubscriptionStatus,
    },
    permissions::{may_manage_billing, worker_may_book_payments, worker_may_set_paid_plans},
    plan::Plan,
    ports::{Founded, PaymentRecords, Reconciled, Saved, TransactionExtras, Wallets, Workspaces},
    role::Role,
    wallet::{Booking, Cause, PostingType, Wallet, WalletChange},
    workspace::{PlanTerms, Workspace},
};
use futures::future::join_all;
use serde_json::{Value, to_value};
use store::Store;
use tests::App;

use super::{
    Item, asked, at,
    erasing::erase,
    event, everything, items, key_of, member,
    planted::{Planted, message},
    profile, store,
    wallets::booking,
    with_all, with_event, workspace,
};

/// The customer of a workspace.
pub fn account_of(workspace: &Workspace) -> BillingAccount {
    BillingAccount::new(workspace.id, CustomerId::parse("cus_1").unwrap(), at(0))
}

/// A payment of $20 of which nothing is in the wallet.
pub fn payment(workspace: WorkspaceId, intent: &str) -> Payment {
    Payment {
        workspace,
        intent: PaymentIntentId::parse(intent).unwrap(),
        purpose: PaymentPurpose::TopUp,
        received: Cents::new(2_000),
        refunded: Cents::ZERO,
        disputed: Cents::ZERO,
        counted: Cents::ZERO,
        changes: 0,
        version: 1,
        seen_at: at(0),
        changed_at: at(0),
    }
}

/// Stores a payment, with what it changes in the wallet.
pub async fn save(store: &Store, payment: &Payment, change: Option<&WalletChange>) -> Saved {
    save_with(store, payment, change, TransactionExtras::default()).await
}

async fn save_with(
    store: &Store,
    payment: &Payment,
    change: Option<&WalletChange>,
    extras: TransactionExtras,
) -> Saved {
    PaymentRecords::book(store, &worker_may_book_payments(), payment, change, extras).await.unwrap()
}

/// A payment of which this much is in the wallet, after a record of it of which another amount was.
fn counting(before: &Payment, cents: u32, second: i64) -> Payment {
    let counts = Cents::new(cents);
    Payment {
        counted: counts,
        changes: before.changes + u32::from(counts != before.counted),
        version: before.version + 1,
        changed_at: at(second),
        ..before.clone()
    }
}

/// The first record of a payment, all of which is in the wallet.
fn credited(workspace: &Workspace, intent: &str) -> Payment {
    Payment { counted: Cents::new(2_000), changes: 1, ..payment(workspace.id, intent) }
}

/// The change of the wallet that a payment makes.
async fn change_of(
    store: &Store,
    workspace: &Workspace,
    payment: &Payment,
    before: Cents,
    second: i64,
) -> WalletChange {
    let mut booking: Booking = booking(store, workspace, second).await;
    assert!(booking.count_payment(payment, before).unwrap().is_some());
    booking.finish().unwrap()
}

async fn opened(store: &Store, workspace: Workspace) -> Workspace {
    let opened = store.open(&workspace, &profile("somebody"), None, None, TransactionExtras::default()).await;
    assert_eq!(opened.unwrap(), Founded::Yes);
    workspace
}

async fn account(store: &Store, of: &Workspace) -> Option<BillingAccount> {
    PaymentRecords::account(store, of.id).await.unwrap()
}

async fn stored(store: &Store, of: &Workspace, intent: &str) -> Option<Payment> {
    let intent = PaymentIntentId::parse(intent).unwrap();
    PaymentRecords::payment(store, of.id, &intent).await.unwrap()
}

async fn wallet(store: &Store, of: &Workspace) -> Option<Wallet> {
    Wallets::find(store, of.id).await.unwrap()
}

/// The record of a workspace.
async fn stored_form(store: &Store, id: WorkspaceId) -> Value {
    to_value(Workspaces::find(store, id).await.unwrap().unwrap()).unwrap()
}

#[tokio::test]
async fn workspace_has_one_customer_and_only_while_it_exists() {
    let app = App::start().await;
    let store = store(&app);
    let ada = workspace("ada-lovelace");
    let proof = may_manage_billing(&member(&ada, Role::Owner)).unwrap();
    let first = account_of(&ada);
    let other = BillingAccount { customer: CustomerId::parse("cus_2").unwrap(), ..first.clone() };
    let before = everything(&app).await;
    assert_eq!(store.open_account(&proof, &first).await.unwrap(), Saved::Stale, "there is no workspace");
    assert_eq!(everything(&app).await, before);
    assert_eq!(account(&store, &ada).await, None);
    opened(&store, ada.clone()).await;
    let since = app.last_call().await;
    assert_eq!(store.open_account(&proof, &first).await.unwrap(), Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    let before = everything(&app).await;
    for again in [&first, &other] {
        assert_eq!(store.open_account(&proof, again).await.unwrap(), Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(account(&store, &ada).await, Some(first));
    assert_eq!(account(&store, &workspace("grace-hopper")).await, None);
}

#[tokio::test]
async fn account_is_replaced_over_the_version_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let ada = opened(&store, workspace("ada-lovelace")).await;
    let proof = may_manage_billing(&member(&ada, Role::Admin)).unwrap();
    let first = account_of(&ada);
    let with_page = |page: &str| BillingAccount { subscribe_page: CheckoutId::parse(page), ..first.next() };
    let (one, other) = (with_page("cs_1"), with_page("cs_2"));
    assert_eq!(store.replace_account(&proof, &one).await.unwrap(), Saved::Stale, "there is no account");
    assert_eq!(account(&store, &ada).await, None);
    assert_eq!(store.open_account(&proof, &first).await.unwrap(), Saved::Yes);
    assert_eq!(store.replace_account(&proof, &one).await.unwrap(), Saved::Yes);
    let before = everything(&app).await;
    for stale in [&other, &one, &first] {
        assert_eq!(store.replace_account(&proof, stale).await.unwrap(), Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(account(&store, &ada).await, Some(one));
}

/// A subscription that is paid until this second.
fn subscription(until: i64) -> PaidSubscription {
    PaidSubscription {
        id: SubscriptionId::parse("sub_1").unwrap(),
        status: SubscriptionStatus::Active,
        cycle: Some(BillingCycle::Monthly),
        seats: 3,
        paid_seats: 4,
        started_at: at(10),
        period_end: at(until),
        paid_until: at(until),
        cancel_at_period_end: false,
        payment_failed_at: None,
    }
}

/// The account after a subscription is applied, and the workspace with its plan.
fn subscribed(account: &BillingAccount, workspace: &Workspace, until: i64) -> (BillingAccount, Workspace) {
    let terms = PlanTerms { plan: Plan::Pro, ends_at: Some(at(until)), seats: Some(Quota::AtMost(4)) };
    let (since, paid_until) = (Some(at(10)), Some(at(until)));
    let plan = workspace.clone().with_plan_terms(terms, at(10));
    let plan = Workspace { plan_since: since, plan_paid_until: paid_until, ..plan };
    (BillingAccount { subscription: Some(subscription(until)), ..account.next() }, plan)
}

async fn subscribe(store: &Store, account: &BillingAccount, from: &Workspace, to: &Workspace) -> Saved {
    let (proof, extras) = (worker_may_set_paid_plans(), with_event(&event(from.id, 9)));
    store.subscribe(&proof, account, from, to, extras).await.unwrap()
}

#[tokio::test]
async fn subscription_and_plan_change_together_or_not_at_all() {
    let app = App::start().await;
    let store = store(&app);
    let free = opened(&store, workspace("ada-lovelace")).await;
    let proof = may_manage_billing(&member(&free, Role::Owner)).unwrap();
    let first = account_of(&free);
    let (account_then, pro) = subscribed(&first, &free, 1_000);
    let before = everything(&app).await;
    assert_eq!(subscribe(&store, &account_then, &free, &pro).await, Saved::Stale, "there is no account");
    assert_eq!(everything(&app).await, before);
    assert_eq!(store.open_account(&proof, &first).await.unwrap(), Saved::Yes);
    let before = everything(&app).await;
    // The terms of the plan are not those that were read.
    assert_eq!(subscribe(&store, &account_then, &pro, &pro).await, Saved::Stale);
    assert_eq!(everything(&app).await, before);
    let since = app.last_call().await;
    assert_eq!(subscribe(&store, &account_then, &free, &pro).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    assert_eq!(account(&store, &free).await, Some(account_then.clone()));
    assert_eq!(stored_form(&store, free.id).await, to_value(&pro).unwrap());
    // The version of the account is not the one that was read.
    let before = everything(&app).await;
    assert_eq!(subscribe(&store, &account_then, &pro, &free).await, Saved::Stale);
    assert_eq!(everything(&app).await, before);
    // The plan stays as it is.
    let (renewed, _) = subscribed(&account_then, &pro, 2_000);
    assert_eq!(subscribe(&store, &renewed, &pro, &pro).await, Saved::Yes);
    assert_eq!(stored_form(&store, free.id).await, to_value(&pro).unwrap());
    let stored = account(&store, &free).await.unwrap();
    assert_eq!(stored.subscription.map(|subscription| subscription.period_end), Some(at(2_000)));
}

#[tokio::test]
async fn payment_without_credit_is_stored_alone() {
    let app = App::start().await;
    let store = store(&app);
    let ada = opened(&store, workspace("ada-lovelace")).await;
    let first = payment(ada.id, "pi_1");
    assert_eq!(stored(&store, &ada, "pi_1").await, None);
    assert_eq!(save(&store, &first, None).await, Saved::Yes);
    let second = Payment { refunded: Cents::new(5), ..counting(&first, 0, 5) };
    assert_eq!(save(&store, &second, None).await, Saved::Yes);
    let before = everything(&app).await;
    for stale in [&first, &second] {
        assert_eq!(save_with(&store, stale, None, with_event(&event(ada.id, 3))).await, Saved::Stale);
    }
    assert_eq!(everything(&app).await, before);
    assert_eq!(stored(&store, &ada, "pi_1").await, Some(second));
    assert_eq!(stored(&store, &ada, "pi_2").await, None);
    assert_eq!(stored(&store, &workspace("grace-hopper"), "pi_1").await, None);
    assert_eq!(wallet(&store, &ada).await, None);
}

#[tokio::test]
async fn payment_and_wallet_change_together_or_not_at_all() {
    let app = App::start().await;
    let store = store(&app);
    let ada = Workspace { opening_credit: MicroUsd::new(1_000), ..workspace("ada-lovelace") };
    let paid = credited(&ada, "pi_1");
    let change = change_of(&store, &ada, &paid, Cents::ZERO, 1).await;
    let before = everything(&app).await;
    assert_eq!(save(&store, &paid, Some(&change)).await, Saved::Stale, "there is no workspace");
    assert_eq!(everything(&app).await, before);
    opened(&store, ada.clone()).await;
    let extras = with_all(&event(ada.id, 2), "payment");
    let since = app.last_call().await;
    assert_eq!(save_with(&store, &paid, Some(&change), extras).await, Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    assert_eq!(stored(&store, &ada, "pi_1").await, Some(paid.clone()));
    assert_eq!(wallet(&store, &ada).await, Some(change.wallet));
    let posted = store.posting(ada.id, 2).await.unwrap().unwrap();
    let cause = Cause::Payment { intent: paid.intent.clone(), change: 1 };
    assert_eq!((posted.r#type, posted.cause), (PostingType::Purchase, cause));
    // Over another version of the wallet, the payment stays as it was, and over another version of the payment, the wallet does.
    let (half, none) = (counting(&paid, 1_000, 3), counting(&paid, 0, 3));
    let (one, other) = (
        change_of(&store, &ada, &half, paid.counted, 3).await,
        change_of(&store, &ada, &none, paid.counted, 3).await,
    );
    assert_eq!(save(&store, &half, Some(&one)).await, Saved::Yes);
    let before = everything(&app).await;
    assert_eq!(save(&store, &none, Some(&other)).await, Saved::Stale);
    let next = counting(&half, 0, 4);
    assert_eq!(save(&store, &next, Some(&other)).await, Saved::Stale, "the wallet changed");
    let current = change_of(&store, &ada, &next, half.counted, 4).await;
    assert_eq!(save(&store, &none, Some(&current)).await, Saved::Stale, "the payment changed");
    assert_eq!(everything(&app).await, before);
    assert_eq!(save(&store, &next, Some(&current)).await, Saved::Yes);
    assert_eq!(wallet(&store, &ada).await.unwrap().balance(), MicroUsd::new(1_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn same_payment_at_the_same_time_is_credited_once() {
    let app = App::start().await;
    let store = store(&app);
    let ada = opened(&store, workspace("ada-lovelace")).await;
    let paid = credited(&ada, "pi_1");
    let change = change_of(&store, &ada, &paid, Cents::ZERO, 1).await;
    let proof = worker_may_book_payments();
    let book = |_| PaymentRecords::book(&store, &proof, &paid, Some(&change), TransactionExtras::default());
    // Those that lose too many races are told so.
    let came = join_all((0..12).map(book)).await;
    let winners = came.iter().filter(|came| matches!(came, Ok(Saved::Yes))).count();
    assert_eq!(winners, 1, "{came:?}");
    assert_eq!(wallet(&store, &ada).await.unwrap().balance(), MicroUsd::new(20_000_000));
}

fn stripe_event(id: &str, subject: Option<PaymentSubject>) -> StripeEvent {
    StripeEvent {
        id: StripeEventId::parse(id).unwrap(),
        r#type: "payment_intent.succeeded".to_owned(),
        created: at(1),
        subject,
        live: false,
        account: None,
        region: None,
    }
}

#[tokio::test]
async fn event_is_kept_once_with_its_message_and_for_sixty_days() {
    let app = App::start().await;
    let store = store(&app);
    let subject = PaymentSubject::Payment(PaymentIntentId::parse("pi_1").unwrap());
    let (event, other) = (stripe_event("evt_1", Some(subject.clone())), stripe_event("evt_2", None));
    let notice = || message(DomainEvent::PaymentChanged { subject: subject.clone() });
    assert!(!store.knows_event(&event.id).await.unwrap());
    let since = app.last_call().await;
    assert_eq!(store.keep_event(&event, at(2), notice()).await.unwrap(), Saved::Yes);
    assert_eq!(asked(&app, "dynamodb", since).await, ["TransactWriteItems"]);
    let before = kept(&app).await;
    assert_eq!(store.keep_event(&event, at(3), notice()).await.unwrap(), Saved::Stale);
    assert_eq!(kept(&app).await, before);
    assert_eq!(before.len(), 1);
    assert_eq!(before[0]["ttl"].as_n().unwrap(), &at(2 + 60 * 86_400).as_second().to_string());
    for (id, is_known) in [(&event.id, true), (&other.id, false)] {
        assert_eq!(store.knows_event(id).await.unwrap(), is_known);
    }
    assert_eq!(store.keep_event(&other, at(4), TransactionExtras::default()).await.unwrap(), Saved::Yes);
    assert!(store.knows_event(&other.id).await.unwrap());
}

/// The events that are stored.
async fn kept(app: &App) -> Vec<Item> {
    let mut items = items(app, "billing").await;
    items.retain(|item| key_of(item).0.starts_with("STRIPEEVENT#"));
    items
}

#[tokio::test]
async fn position_moves_over_the_version_that_was_read() {
    let app = App::start().await;
    let store = store(&app);
    let position =
        |second, version| Reconciled { events_until: at(second), payments_until: at(second - 1), version };
    assert_eq!(store.reconciled().await.unwrap(), None);
    for version in 1..=2 {
        let next = position(10 * i64::try_from(version).unwrap(), version);
        assert_eq!(store.save_reconciled(&next).await.unwrap(), Saved::Yes);
        assert_eq!(store.save_reconciled(&position(99, version)).await.unwrap(), Saved::Stale);
        assert_eq!(store.reconciled().await.unwrap(), Some(next));
    }
    assert_eq!(store.save_reconciled(&position(99, 4)).await.unwrap(), Saved::Stale);
}

#[tokio::test]
async fn deletion_of_payments_deletes_the_customer_and_every_payment() {
    let app = App::start().await;
    let ada = Planted::full(&app, "ada", "ada-lovelace").await;
    let bob = Planted::full(&app, "bob", "bob-the-builder").await;
    let (store, deletion) = (ada.store(), ada.close().await);
    assert_eq!(erase(store, &deletion, Part::Payments).await, 5);
    assert_eq!(account(store, &ada.workspace).await, None);
    assert_eq!(stored(store, &ada.workspace, "pi_1").await, None);
    assert_eq!(account(store, &bob.workspace).await, Some(account_of(&bob.workspace)));
    assert!(stored(store, &bob.workspace, "pi_4").await.is_some());
    // Late requests create no customer of a workspace that is gone.
    let proof = may_manage_billing(&member(&ada.workspace, Role::Owner)).unwrap();
    assert_eq!(store.open_account(&proof, &account_of(&ada.workspace)).await.unwrap(), Saved::Stale);
}
