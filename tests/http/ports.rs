//! What the ports promise, kept by the adapters over the real SDK clients: no endpoint in between.
//!
//! Not run in outages: it chooses its regions.

mod accounts;
mod blobs;
mod bucket;
mod bundles;
mod closing;
mod counters;
mod deletions;
mod directory;
mod erasing;
mod exports;
mod history;
mod inventory;
pub mod keys;
mod payments;
mod planted;
mod purges;
mod resources;
mod stock;
mod teams_elsewhere;
mod transactions;
mod trash;
mod uploads;
mod wallet_work;
mod wallets;
mod workspaces;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    activity::{Action, ActivityEvent, Actor, ResourceType},
    credential::PasswordHash,
    domain_events::{DomainEvent, Message},
    email::EmailAddress,
    entitlements::EntitlementOverrides,
    handle::Handle,
    id::{EventId, Id, IdKind, SessionId, UserId, WorkspaceId},
    money::MicroUsd,
    permissions::Member,
    plan::Plan,
    ports::{IdempotencyRecord, NewAccount, Outcome, TransactionExtras},
    profile::DisplayName,
    region::Region,
    role::Role,
    secret::{Digest256, MacKey},
    session::{RefreshToken, Session},
    sign_up::{Attempt, SignUp},
    team::TeamMember,
    user::{EmailHash, User, personal_workspace},
    user_agent::Device,
    workspace::{Profile, Workspace, WorkspaceKind, WrappedKey},
};
use lambda::OsEntropy;
use store::{DirectoryStore, Store};
use tests::{App, json};

fn store(app: &App) -> Store {
    Store::new(app.tables(), app.table(""))
}

fn directory(app: &App) -> DirectoryStore {
    let authority = app.living_in(Region::AUTHORITY).tables();
    DirectoryStore::new(app.tables(), move || authority, "account-directory".to_owned())
}

/// So many seconds into the test: a time that is yet to come, so that nothing has expired.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn id<K: IdKind>() -> Id<K> {
    Id::new(at(0), &OsEntropy)
}

/// What came of it, as the log says it.
fn why<T>(outcome: Outcome<T>) -> String {
    outcome.map_or_else(|failure| failure.to_string(), |_| "done".to_owned())
}

fn password(hash: &str) -> PasswordHash {
    serde_json::from_value(json!(hash)).unwrap()
}

fn address(name: &str) -> EmailAddress {
    EmailAddress::parse(&format!("{name}@people.example")).unwrap()
}

fn hash_of(name: &str) -> EmailHash {
    EmailHash(Digest256::of(name))
}

/// A sign-up with one attempt, to be saved first.
fn sign_up(name: &str) -> SignUp {
    let attempt = Attempt {
        id: id(),
        email: address(name),
        password: PasswordHash::nobody(),
        region: Region::Us,
        at: at(0),
        tries: 0,
        source: None,
        device: Device::default(),
    };
    SignUp { attempts: vec![attempt], version: 1, ..SignUp::none(hash_of(name), id()) }
}

fn session_of(user: UserId) -> Session {
    let session: SessionId = id();
    let first = RefreshToken::first(Region::Us, user, session, &MacKey::new([7; 32]));
    Session::begin(session, user, &first, at(0))
}

/// What a sign-up becomes.
fn account_of(sign_up: &SignUp) -> NewAccount {
    let primary_email = sign_up.attempts[0].email.clone();
    let user = User { id: id(), region: Region::Us, primary_email, created_at: at(0) };
    let session = session_of(user.id);
    NewAccount { sign_up: sign_up.clone(), user, password: password("first"), session }
}

fn workspace_of(owner: UserId, handle: &str) -> Workspace {
    Workspace {
        id: personal_workspace(owner),
        handle: Handle::parse(handle).unwrap(),
        kind: WorkspaceKind::Personal,
        owner,
        region: Region::Us,
        plan: Plan::Free,
        plan_ends_at: None,
        plan_since: None,
        plan_paid_until: None,
        seats_taken: 0,
        joins: 0,
        entitlement_overrides: EntitlementOverrides::default(),
        opening_credit: MicroUsd::ZERO,
        data_key: WrappedKey("none".to_owned()),
        created_at: at(0),
    }
}

fn profile(name: &str) -> Profile {
    Profile::named(DisplayName::parse(name).unwrap())
}

/// A member of a team.
fn team_member(user: UserId, role: Role) -> TeamMember {
    let handle = Handle::parse("some-member").unwrap();
    TeamMember { user, role, handle, region: Region::Us, joined_at: at(0), invited_by: None, changes: 0 }
}

fn workspace(handle: &str) -> Workspace {
    workspace_of(id(), handle)
}

fn member(workspace: &Workspace, role: Role) -> Member {
    Member { workspace: workspace.clone(), role, user: workspace.owner, stepped_up: true }
}

fn event(workspace: WorkspaceId, second: i64) -> ActivityEvent {
    ActivityEvent {
        id: EventId::new(at(second), &OsEntropy),
        workspace,
        actor: Actor { user: id(), key: None },
        action: Action::Created,
        resource_type: ResourceType::Project,
        resource_id: None,
        resource_name: Some(format!("number {second}")),
        metadata: serde_json::Map::new(),
    }
}

fn receipt(scope: &str) -> IdempotencyRecord {
    IdempotencyRecord {
        scope: Digest256::of(scope),
        fingerprint: Digest256::of("request"),
        reference: format!("made by {scope}"),
        made_at: at(0),
        expires_at: at(86_400),
    }
}

fn with_receipt(scope: &str) -> TransactionExtras {
    TransactionExtras { receipt: Some(receipt(scope)), ..TransactionExtras::default() }
}

fn with_event(event: &ActivityEvent) -> TransactionExtras {
    TransactionExtras { event: Some(event.clone()), ..TransactionExtras::default() }
}

/// An event, a message and a receipt.
fn with_all(event: &ActivityEvent, scope: &str) -> TransactionExtras {
    let notice = DomainEvent::SettingsChanged { workspace: event.workspace };
    let messages = vec![Message { id: id(), at: at(0), notice }];
    TransactionExtras { event: Some(event.clone()), messages, receipt: Some(receipt(scope)) }
}

type Item = std::collections::HashMap<String, AttributeValue>;

/// What an item is found by.
fn key_of(item: &Item) -> (String, String) {
    (item["pk"].as_s().unwrap().clone(), item["sk"].as_s().unwrap().clone())
}

/// Everything in a table, by key.
async fn items(app: &App, table: &str) -> Vec<Item> {
    let scan = app.tables().scan().table_name(app.table(table)).consistent_read(true);
    let mut items = scan.send().await.unwrap().items.unwrap_or_default();
    items.sort_by_key(key_of);
    items
}

/// The items of the tables that changes are written to, without the notes on handled messages and the position in Stripe's events, which
/// workers write.
async fn everything(app: &App) -> Vec<Vec<Item>> {
    let mut tables = Vec::new();
    for table in ["identity", "workspaces", "activity", "resources", "operations", "erasures", "billing"] {
        let mut items = items(app, table).await;
        items.retain(|item| !["DONE#", "RECONCILED"].iter().any(|kind| key_of(item).0.starts_with(kind)));
        tables.push(items);
    }
    tables
}

/// The operations that the test itself has asked a service for since call `since`.
async fn asked(app: &App, service: &str, since: u64) -> Vec<String> {
    let mut calls = app.calls_of("tests", since).await;
    calls.retain(|call| call["service"] == service && call["operation"] != "Scan");
    calls.iter().map(|call| call["operation"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Plans a fault for what the test itself asks of DynamoDB.
async fn fail(app: &App, operation: &str, kind: &str, times: u64) {
    let mut fault = json!({ "service": "dynamodb", "function": "tests", "operation": operation });
    (fault["kind"], fault["times"]) = (json!(kind), json!(times));
    app.faults(json!([fault])).await;
}
