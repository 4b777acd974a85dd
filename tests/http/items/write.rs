//! Writes items of every kind through the ports: always the same ones, with every optional field present in one and absent
//! in another. Records are made from JSON, so that a new optional field does not have to be named here.

mod deletions;
mod payments;
mod people;
mod resources;
mod wallets;

use domain::{
    Timestamp,
    activity::Watermark,
    directory::{Claim, Name},
    follow::{FollowedHash, FollowerCount},
    free_credit::{CreditClaim, CreditCounter, CreditGrant, MailboxHash, OrganizationHash},
    handle::Handle,
    id::{self, Id, IdKind, WorkspaceId},
    money::MicroUsd,
    permissions::{
        EditsResources, ExportsData, Member, may_act_on, may_edit_resources, may_export, may_keep_inbox,
        may_make_keys,
    },
    ports::{
        All, ApiKeys, Consumed, CopyKept, CreditClaimed, Directory as _, Exports, FeedbackRecords, Followed,
        Follows, History, Live, Marking, PlaceReserved, Purges, RateWindows, Resources, Saved, Sessions,
        TeamOpened, TeamsElsewhere, Throttles, TransactionExtras, Trash, Uploads, Workspaces,
    },
    promotion::PromoCode,
    region::Region,
    resource::ResourceId,
    role::Role,
    secret::Digest256,
    session::Session,
    team::TeamMember,
    throttle::{NetworkHash, Settled, Slot},
    trash::{Trashed, may_remove},
    upload::Upload,
    workspace::{Profile, Workspace},
};
use serde_json::from_value;
use tests::{Value, json};

use super::Tables;

/// A handle that was given up.
pub const GIVEN_UP: &str = "given-up";

/// So many seconds into the test.
pub fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn millis(second: i64) -> i64 {
    at(second).as_millisecond()
}

/// The nth id of a kind.
pub fn nth<K: IdKind>(n: u64) -> Id<K> {
    Id::from(ulid::Ulid::from_parts(1_900_000_000_000 + n, n.into()))
}

fn user(n: u64) -> id::UserId {
    nth(n)
}

fn workspace_id(n: u64) -> WorkspaceId {
    nth(n)
}

fn none() -> TransactionExtras {
    TransactionExtras::default()
}

fn session(n: u64, of: u64, previous: Option<&str>) -> Session {
    from_value(json!({
        "id": nth::<id::OfSession>(n), "user": user(of), "created_at": at(1), "authenticated_at": at(2),
        "refreshed_at": at(3), "current": Digest256::of(format!("current {n}")),
        "previous": previous.map(Digest256::of), "client": previous.map(|_| format!("sealed client {n}")),
    }))
    .unwrap()
}

fn workspace(n: u64, handle: &str, kind: &str, plan: &str) -> Workspace {
    from_value(json!({
        "id": workspace_id(n), "handle": handle, "kind": kind, "owner": user(if kind == "team" { 1 } else { n }),
        "region": "us", "plan": plan, "openingCredit": 5_000_000 + n, "dataKey": format!("wrapped key {n}"),
        "createdAt": at(4), "seatsTaken": if kind == "team" { 4 } else { 0 },
        "planEndsAt": Some(at(8)).filter(|_| plan == "enterprise"),
        "planSince": Some(at(5)).filter(|_| plan == "enterprise"),
        "planPaidUntil": Some(at(7)).filter(|_| plan == "enterprise"),
    }))
    .unwrap()
}

/// A member of a team. All but the first were invited. The role of an admin was another one before.
fn member(n: u64, role: Role) -> TeamMember {
    from_value(json!({
        "user": user(n), "role": role, "handle": format!("member-{n}"), "region": "us", "joinedAt": at(9),
        "invitedBy": Some(user(1)).filter(|_| role != Role::Owner),
        "changes": if role == Role::Admin { 3 } else { 0 },
    }))
    .unwrap()
}

/// A profile of no more than a name.
fn bare(name: &str) -> Profile {
    from_value(json!({ "displayName": name })).unwrap()
}

/// A profile with everything.
fn full() -> Profile {
    from_value(json!({
        "displayName": "Ada Lovelace", "company": "Analytical Engines", "useCase": "Agriculture",
        "bio": "I build engines.", "iconColor": "#1a2b3c", "iconLetter": "AL", "image": nth::<id::OfIcon>(1), "earlyAccess": true,
        "socials": {
            "github": "https://github.com/ada", "linkedin": "https://www.linkedin.com/in/ada-lovelace",
            "twitter": "https://x.com/ada_l", "youtube": "https://www.youtube.com/@ada-tube",
            "scholar": "https://scholar.google.com/citations?user=adaSchola_AJ",
            "discord": "https://discord.gg/adainvite", "website": "https://ada.example/me",
        },
    }))
    .unwrap()
}

fn owner_of(workspace: &Workspace) -> Member {
    let user = workspace.owner;
    Member { workspace: workspace.clone(), role: Role::Owner, user, stepped_up: true }
}

/// Writes items of every kind.
pub async fn everything(tables: &Tables) {
    people::accounts(tables).await;
    people::connections(tables).await;
    let ada = workspaces(tables).await;
    invitations(tables).await;
    teams_elsewhere(tables).await;
    keys_and_inbox(tables, &ada).await;
    follows(tables).await;
    extras(tables, &ada).await;
    let proof = may_edit_resources(&owner_of(&ada)).unwrap();
    let dataset = resources::assets(tables, &proof).await;
    resources::uploads(tables, &proof, dataset).await;
    resources::trash(tables, &proof).await;
    exports(tables).await;
    wallets::wallets(tables).await;
    payments::payments(tables).await;
    deletions::deletions(tables).await;
    operations(tables).await;
    directory(tables).await;
}

/// A full workspace and bare ones, with members.
async fn workspaces(tables: &Tables) -> Workspace {
    let store = &tables.store;
    let ada = workspace(1, "ada-lovelace", "personal", "free");
    store.open(&ada, &full(), None, None, none()).await.unwrap();
    let bob = workspace(2, "bob-babbage", "personal", "enterprise");
    store.open(&bob, &bare(bob.handle.as_str()), None, None, none()).await.unwrap();
    let team = workspace(3, "the-team", "team", "pro");
    let (profile, owner) = (bare(team.handle.as_str()), member(1, Role::Owner));
    let opened = domain::ports::Teams::open(store, &team, &profile, &owner, none()).await.unwrap();
    assert_eq!(opened, TeamOpened::Yes);
    for (n, role) in (2..).zip([Role::Viewer, Role::Editor, Role::Admin]) {
        tables.put("workspaces", store::member_item(team.id, &member(n, role)).unwrap()).await;
        tables.put("workspaces", store::membership_item(user(n), team.id, role).unwrap()).await;
    }
    ada
}

/// Invitations to the team.
async fn invitations(tables: &Tables) {
    let owner = owner_of(&workspace(3, "the-team", "team", "pro"));
    for (n, role) in (1..).zip([Role::Viewer, Role::Editor]) {
        let invitation = json!({
            "id": nth::<id::OfInvitation>(n), "team": workspace_id(3), "email": format!("Guest{n}@people.example"),
            "address": Digest256::of(format!("guest {n}")), "role": role, "invitedBy": user(1), "createdAt": at(10),
            "sentAt": at(11), "secret": Digest256::of(format!("invitation {n}")), "version": 1,
        });
        let (proof, invitation) = (may_act_on(&owner, &[role]).unwrap(), from_value(invitation).unwrap());
        let made = domain::ports::Invitations::create(&tables.store, &proof, &invitation, None, none())
            .await
            .unwrap();
        assert_eq!(made, Saved::Yes);
    }
}

/// Copies of memberships in other regions, of which one has ended, and a place that is reserved for a team there.
async fn teams_elsewhere(tables: &Tables) {
    let store = &tables.store;
    for (n, of, role) in [(7, 1, Some("viewer")), (8, 2, Some("owner")), (9, 2, None)] {
        let mut copy = json!({
            "team": workspace_id(n), "user": user(of), "handle": format!("team-{n}"), "region": "eu",
            "plan": if role.is_some() { "pro" } else { "free" }, "since": at(12), "changes": n - 7,
        });
        if let Some(role) = role {
            copy["role"] = json!(role);
        }
        let kept = TeamsElsewhere::keep_copy(store, &from_value(copy).unwrap()).await.unwrap();
        assert_eq!(kept, CopyKept::Yes);
    }
    let place = json!({ "team": workspace_id(10), "region": "ap", "at": at(13) });
    let reserved = TeamsElsewhere::reserve(store, user(2), &from_value(place).unwrap()).await.unwrap();
    assert_eq!(reserved, PlaceReserved::Yes);
}

/// Two keys, and marks of events.
async fn keys_and_inbox(tables: &Tables, ada: &Workspace) {
    let (store, owner) = (&tables.store, owner_of(ada));
    for n in 1..=2 {
        let (key, name) = (nth::<id::OfKey>(n), format!("key number {n}"));
        let record = json!({
            "id": key, "workspace": ada.id, "name": name, "prefix": format!("ul_prefix{n}"),
            "hash": Digest256::of(format!("key {n}")), "sealed": format!("sealed {n}"), "created_at": at(30),
        });
        let holder = json!({
            "key": key, "name": name, "workspace": ada.id, "handle": ada.handle, "kind": ada.kind,
            "region": "us",
        });
        let proof = may_make_keys(&owner).unwrap();
        let (record, holder) = (from_value(record).unwrap(), from_value(holder).unwrap());
        ApiKeys::create(store, &proof, &record, &holder, none()).await.unwrap();
    }
    let proof = may_keep_inbox(&owner);
    let marks = [(1, Marking::Seen), (2, Marking::Archived(true, at(31))), (2, Marking::Seen)];
    for (n, mark) in marks.into_iter().chain([(3, Marking::Archived(false, at(32)))]) {
        store.mark(&proof, &[(nth(n), mark)]).await.unwrap();
    }
    for (n, all) in [(1, All::Seen), (2, All::Archived(true)), (3, All::Archived(false))] {
        let watermark = Watermark { up_to: nth(n), at: at(33 + i64::try_from(n).unwrap()) };
        store.mark_all(&proof, all, watermark).await.unwrap();
    }
}

/// An account that is followed by two, and one that was and is not any more.
async fn follows(tables: &Tables) {
    let store = &tables.store;
    let account = |n| FollowedHash::of(workspace_id(n));
    for (follower, followed) in [(1, 2), (1, 3), (2, 3)] {
        let done = store.follow(user(follower), account(followed), at(35), none()).await.unwrap();
        assert_eq!(done, Followed::Yes);
    }
    store.unfollow(user(1), account(2), none()).await.unwrap();
    let count = FollowerCount { followers: 2, version: 2 };
    tables.directory.publish_followers(account(3), Region::Us, count).await.unwrap();
}

const ACTIONS: [&str; 15] = [
    "created",
    "updated",
    "deleted",
    "trashed",
    "restored",
    "started",
    "completed",
    "failed",
    "cancelled",
    "uploaded",
    "shared",
    "unshared",
    "exported",
    "cloned",
    "analyzed",
];
const RESOURCE_TYPES: [&str; 12] = [
    "project",
    "dataset",
    "model",
    "training",
    "settings",
    "api_key",
    "export",
    "deployment",
    "onboarding",
    "team",
    "billing",
    "security",
];

/// Every message.
fn notices() -> Vec<Value> {
    let (user, workspace, address) = (user(1), workspace_id(1), Digest256::of("address"));
    let (key, job, session) = (nth::<id::OfKey>(1), nth::<id::OfJob>(1), nth::<id::OfSession>(1));
    vec![
        json!({ "type": "sign-up-started", "address": address, "attempt": nth::<id::OfAttempt>(1) }),
        json!({ "type": "account-opened", "user": user, "address": address }),
        json!({ "type": "workspace-opened", "workspace": workspace, "handle": "ada-lovelace" }),
        json!({ "type": "settings-changed", "workspace": workspace }),
        json!({ "type": "api-key-created", "workspace": workspace, "user": user, "key": key, "name": "ci" }),
        json!({ "type": "api-key-revoked", "workspace": workspace, "key": key }),
        json!({ "type": "refresh-token-reused", "user": user, "session": session }),
        json!({ "type": "password-forgotten", "address": address, "reset": nth::<id::OfReset>(1) }),
        json!({ "type": "password-changed", "user": user }),
        json!({ "type": "purge-begun", "workspace": workspace, "root": nth::<id::OfDataset>(1) }),
        json!({ "type": "trash-emptied", "workspace": workspace }),
        json!({ "type": "purge-goes-on" }),
        json!({ "type": "export-goes-on", "user": user, "export": job }),
        json!({ "type": "export-ready", "user": user, "export": job }),
        json!({ "type": "deletion-goes-on", "user": user, "deletion": job }),
        json!({ "type": "new-device-signed-in", "user": user, "session": session }),
        json!({ "type": "address-code-requested", "user": user, "attempt": nth::<id::OfAttempt>(1) }),
        json!({
            "type": "address-verified", "user": user, "address": address, "id": nth::<id::OfAddress>(1),
            "firstCompany": true,
        }),
        json!({ "type": "address-removed", "user": user, "address": address }),
        json!({ "type": "primary-address-changed", "user": user, "former": nth::<id::OfAddress>(1) }),
        json!({ "type": "feedback-received", "feedback": nth::<id::OfFeedback>(1) }),
        json!({ "type": "followers-changed", "followed": Digest256::of("followed") }),
        json!({ "type": "member-invited", "team": workspace, "invitation": nth::<id::OfInvitation>(1) }),
        json!({ "type": "member-role-changed", "team": workspace, "user": user }),
        json!({ "type": "member-removed", "team": workspace, "user": user }),
        json!({ "type": "member-removed", "team": workspace, "user": user, "home": "ap" }),
        json!({ "type": "team-transferred", "team": workspace, "user": user }),
        json!({
            "type": "membership-changed", "team": workspace, "handle": "the-team", "user": user, "home": "eu",
            "since": at(9),
        }),
        json!({ "type": "membership-ends", "team": workspace, "region": "eu", "user": user }),
        json!({
            "type": "mail-written", "user": user, "home": "ap",
            "content": {
                "kind": "team-deleted", "subject": "The subject", "text": "The text.", "html": "<p>The text.</p>",
            },
        }),
        json!({ "type": "plan-changed", "workspace": workspace }),
        json!({ "type": "payment-changed", "subject": { "payment": "pi_1" } }),
        json!({ "type": "payment-changed", "subject": { "checkout": "cs_test_1" } }),
        json!({ "type": "payment-changed", "subject": { "subscription": "sub_1" } }),
        json!({ "type": "top-ups-paused", "workspace": workspace, "reason": "no-payment-method" }),
        json!({ "type": "referral-changed", "workspace": workspace }),
    ]
}

/// Every line of a history, every message, and a receipt, each alongside a session that ends again.
async fn extras(tables: &Tables, ada: &Workspace) {
    for (n, (action, notice)) in (1..).zip(ACTIONS.into_iter().cycle().zip(notices())) {
        let resource = RESOURCE_TYPES[usize::try_from(n).unwrap() % RESOURCE_TYPES.len()];
        let mut event = json!({
            "id": nth::<id::OfEvent>(n), "workspace": ada.id, "actor": { "user": user(n) }, "action": action,
            "resource_type": resource,
        });
        if n.is_multiple_of(2) {
            event["actor"]["key"] = json!(nth::<id::OfKey>(n));
            event["resource_id"] = json!(format!("resource {n}"));
            event["resource_name"] = json!(format!("name {n}"));
            event["metadata"] = json!({ "bio": { "from": null, "to": format!("bio {n}") }, "count": 40 + n });
        }
        let message = json!({ "id": nth::<id::OfMessage>(n), "at": at(40), "notice": notice });
        let receipt = (n == 1).then(|| {
            let (scope, fingerprint) = (Digest256::of("scope"), Digest256::of("request"));
            json!({
                "scope": scope, "fingerprint": fingerprint, "reference": "what was made", "made_at": at(41),
                "expires_at": at(42),
            })
        });
        let extras = TransactionExtras {
            event: Some(from_value(event).unwrap()),
            messages: vec![from_value(message).unwrap()],
            receipt: receipt.map(|receipt| from_value(receipt).unwrap()),
        };
        let session = session(100 + n, 1, None);
        Sessions::begin(&tables.store, &session, None, extras).await.unwrap();
        tables.store.end(session.user, session.id, none()).await.unwrap();
    }
}

/// The proof that a person may export, from a session of that moment.
pub fn export_proof(of: id::UserId) -> ExportsData {
    let session = json!({
        "id": nth::<id::OfSession>(900), "user": of, "created_at": at(0), "authenticated_at": at(0),
        "refreshed_at": at(0), "current": Digest256::of("current"), "previous": null,
    });
    may_export(&from_value(session).unwrap(), at(0)).unwrap()
}

/// Exports in every state.
async fn exports(tables: &Tables) {
    let store = &tables.store;
    let export = |n: u64, of: u64, version: u64, more: Value| {
        let mut export = json!({
            "id": nth::<id::OfJob>(n), "user": user(of), "format": if n.is_multiple_of(2) { "json" } else { "zip" },
            "status": "queued", "created_at": millis(90), "version": version,
        });
        export.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        from_value::<domain::export::Export>(export).unwrap()
    };
    let runs = json!({
        "status": "running", "lease_ends": millis(91), "upload": "the upload", "parts": ["first", "second"],
        "position": "datasets", "progress": 42, "bytes": 4_711, "restarts": 3,
    });
    let ended =
        |status: &str| json!({ "status": status, "ended_at": millis(92), "progress": 100, "bytes": 5 });
    for (n, of, then) in
        [(1, 1, ended("completed")), (2, 1, runs), (3, 2, ended("failed")), (4, 3, json!({}))]
    {
        let queued = export(n, of, 1, json!({}));
        store.start(&export_proof(user(of)), &queued, none()).await.unwrap();
        if then != json!({}) {
            Exports::replace(store, &queued, &export(n, of, 2, then), none()).await.unwrap();
        }
    }
}

/// Counters, who acted on which message, and feedback.
async fn operations(tables: &Tables) {
    let store = &tables.store;
    for n in 1..=4 {
        let slot = Slot { count: u32::try_from(n - 1).unwrap(), room: 5, forget: false };
        Throttles::reserve(store, "sign-in/somebody", nth(n), slot, at(111)).await.unwrap();
        // The last one is still being judged.
        if n < 4 {
            Throttles::settle(store, "sign-in/somebody", nth(n), Settled::Failed).await.unwrap();
        }
    }
    RateWindows::take(store, "a key", at(120), 17, 100).await.unwrap();
    for n in 1..=2 {
        Consumed::claim(store, "send-mail", nth(n), at(112), at(113)).await.unwrap();
    }
    store.done("send-mail", nth(2), at(114)).await.unwrap();
    feedback(tables).await;
}

/// Feedback with an address for an answer, and without.
async fn feedback(tables: &Tables) {
    for n in 1..=2 {
        let mut feedback = json!({
            "id": nth::<id::OfFeedback>(n), "kind": if n == 1 { "bug" } else { "other" },
            "text": format!("The lamp flickers.\n{n} times."), "at": at(115),
        });
        if n == 1 {
            feedback["contact"] = json!("Contact@people.example");
        }
        FeedbackRecords::save(&tables.store, &from_value(feedback).unwrap(), none()).await.unwrap();
    }
}

/// Names that are claimed, confirmed and given up, and public keys.
async fn directory(tables: &Tables) {
    let directory = &tables.directory;
    let handle = |handle: &str, n| {
        Claim::on_handle(Handle::parse_existing(handle).unwrap(), Region::Us, workspace_id(n), at(120))
    };
    let address = |address: &str, n| {
        Claim::on_address(from_value(json!(Digest256::of(address))).unwrap(), Region::Eu, user(n), at(121))
    };
    let identity = |identity: &str, n| {
        Claim::on_identity(from_value(json!(Digest256::of(identity))).unwrap(), Region::Eu, user(n), at(121))
    };
    let names = [
        handle("confirmed", 1),
        address("confirmed", 1),
        identity("confirmed", 1),
        handle("pending", 2),
        address("pending", 2),
        identity("pending", 2),
    ];
    for claim in &names {
        directory.claim(claim).await.unwrap();
    }
    for claim in &names[..3] {
        directory.confirm(claim).await.unwrap();
    }
    let given_up = handle(GIVEN_UP, 3);
    directory.claim(&given_up).await.unwrap();
    directory.confirm(&given_up).await.unwrap();
    let name = Name::Handle(Handle::parse_existing(GIVEN_UP).unwrap());
    let holder = directory.find(&name).await.unwrap().unwrap();
    directory.give_up(&name, &holder, at(122)).await.unwrap();
    for n in 1..=2 {
        let key = json!({ "kid": format!("kid-{n}"), "region": "eu", "x": format!("public key {n}") });
        directory.publish_signing_key(&from_value(key).unwrap()).await.unwrap();
    }
    directory.withdraw_signing_key(Region::Eu, "kid-2").await.unwrap();
    let promo = CreditGrant::Promo(PromoCode::parse("FULL-CODE").unwrap());
    for (n, grant) in (1..).zip([CreditGrant::SignUp, CreditGrant::Company, promo]) {
        let mailbox = MailboxHash(Digest256::of(format!("mailbox {n}")));
        let claim =
            CreditClaim::new(mailbox, grant, user(n), MicroUsd::new(8_000 + i64::try_from(n).unwrap()));
        let counters = [
            CreditCounter::Network(NetworkHash(Digest256::of("network"))),
            CreditCounter::Organization(OrganizationHash(Digest256::of("organization"))),
        ];
        let came = directory.grant_credit(&claim, &counters, at(141)).await.unwrap();
        assert_eq!(came, CreditClaimed::Yes(claim.amount));
    }
}
