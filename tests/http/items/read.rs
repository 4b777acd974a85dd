//! Reads stored items of every kind back through the ports.

mod billing;
mod directory;

use std::str::FromStr;

use domain::{
    Timestamp,
    activity::Inbox,
    deletion::Erasure,
    domain_events::Message,
    follow::FollowedHash,
    handle::Handle,
    id::{MessageId, UserId, WorkspaceId},
    ports::{
        Accounts, ApiKeys, AuthorizationRequests, Connected, ConnectedBy, Connections, Consumed, Created,
        DUE_PARTS, Deletions, Exports, FeedbackRecords, Follows, History, IdempotencyRecords, Inventory,
        MailBlocks, MessageLease, PasswordResets, Purges, RateWindows, Resources, Sessions, SignUps,
        TeamsElsewhere, Throttles, Trash, Uploads, UserAddresses, Within, Workspaces,
    },
    provider::{Connection, IdentityHash},
    resource::{Kind, Resource, ResourceId, Slug},
    role::Role,
    secret::Digest256,
    trash::Due,
    user::{EmailHash, personal_workspace},
};
use kit::ItemKind;
use serde_json::from_value;
use store::tables::Table;
use tests::{Value, json};

use super::{
    Tables,
    form::{Item, key_of},
    write::{GIVEN_UP, at, export_proof, nth},
};

/// As many as any list has.
const MANY: usize = 100;

/// After everything.
fn end() -> Timestamp {
    at(1_000_000_000)
}

/// The part of a key that is an id or the like.
fn part<T: FromStr>(text: &str) -> T {
    text.parse().ok().unwrap_or_else(|| panic!("{text} can't be read"))
}

fn hash(text: &str) -> Digest256 {
    Digest256::from_base64(text).unwrap()
}

/// The value that the ports read from a stored item, or `null`.
pub async fn item(tables: &Tables, kind: ItemKind, item: &Item) -> Value {
    let (pk, sk) = key_of(item);
    let of = pk.strip_prefix(kind.prefix()).unwrap();
    let last = sk.rsplit('#').next().unwrap();
    match kind.table() {
        Table::Identity => identity(tables, kind, of, last).await,
        Table::Workspaces => workspaces(tables, kind, of, sk, item).await,
        Table::Activity => activity(tables, kind, of, sk, last).await,
        Table::Resources => resources(tables, kind, of, sk, item).await,
        Table::Billing => billing::item(tables, kind, of, sk, item).await,
        Table::Operations => operations(tables, kind, of, sk, item).await,
        // No function reads the ledger.
        Table::Erasures => json!(serde_dynamo::from_item::<_, Erasure>(item.clone()).unwrap()),
        Table::Directory => directory::item(tables, kind, of, sk).await,
    }
}

async fn identity(tables: &Tables, kind: ItemKind, of: &str, last: &str) -> Value {
    let store = &tables.store;
    match kind {
        ItemKind::Users => json!(store.user(part(of)).await.unwrap()),
        ItemKind::Passwords => json!({ "password": store.password(part(of)).await.unwrap() }),
        ItemKind::LastResets => {
            let found = PasswordResets::find(store, part(of)).await.unwrap();
            json!(found.unwrap().last)
        }
        ItemKind::Sessions => {
            let user: UserId = part(of);
            let found = store.context(user, part(last), personal_workspace(user)).await.unwrap();
            json!(found.unwrap().session)
        }
        ItemKind::Addresses => json!({ "user": store.by_address(EmailHash(hash(of))).await.unwrap() }),
        ItemKind::Connections => {
            let (all, _) = store.sign_in_methods(part(of)).await.unwrap();
            json!(all.iter().find(|connection| connection.provider.as_str() == last))
        }
        ItemKind::Disconnections => {
            let (user, provider) = (part(of), last.parse().unwrap());
            let identity = IdentityHash(Digest256::of("another"));
            let connection = Connection { user, provider, identity, connected_at: at(0) };
            let connected =
                store.connect(&connection, ConnectedBy::Address, Default::default()).await.unwrap();
            assert_eq!(connected, Connected::WasDisconnected);
            json!({})
        }
        ItemKind::Identities => {
            json!({ "user": store.by_identity(IdentityHash(hash(of))).await.unwrap() })
        }
        ItemKind::UserAddresses => {
            let found = UserAddresses::find(store, part(of)).await.unwrap().unwrap();
            if last == "VERIFIED" { json!(found.verified) } else { json!(found.pending) }
        }
        ItemKind::SignUps => json!(SignUps::find(store, EmailHash(hash(of))).await.unwrap()),
        ItemKind::MailBlocks => json!(MailBlocks::find(store, EmailHash(hash(of))).await.unwrap()),
        ItemKind::ResetsAsked => json!(store.asked(EmailHash(hash(of))).await.unwrap()),
        other => panic!("{other:?} has no reader here"),
    }
}

async fn workspaces(tables: &Tables, kind: ItemKind, of: &str, sk: &str, item: &Item) -> Value {
    let (store, last) = (&tables.store, last_id(sk));
    match kind {
        ItemKind::Workspaces => {
            let record = Workspaces::find(store, part(of)).await.unwrap().unwrap();
            json!([record, store.profile(part(of)).await.unwrap().unwrap()])
        }
        ItemKind::Members if item.contains_key("handle") => {
            json!(domain::ports::Teams::member(store, part(of), part(last)).await.unwrap())
        }
        // As members were stored before there were teams.
        ItemKind::Members => {
            let found = store.membership(part(of), part(last)).await.unwrap();
            json!({ "role": found.map(|(_, role): (_, Role)| role) })
        }
        ItemKind::OwnedTeams if sk.starts_with("RESERVED#") => {
            let places = TeamsElsewhere::reservations(store, part(of)).await.unwrap().into_iter();
            json!(places.filter(|place| place.team == part(last)).collect::<Vec<_>>())
        }
        ItemKind::OwnedTeams => {
            json!({ "teams": domain::ports::Teams::owned(store, part(of)).await.unwrap() })
        }
        ItemKind::Memberships if sk.starts_with("ws~AWAY#") => {
            let copies = store.copies(part(of), MANY).await.unwrap();
            json!(copies.iter().find(|copy| copy.team == part(last)))
        }
        ItemKind::Memberships => {
            let teams = domain::ports::Teams::of(store, part(of), MANY).await.unwrap().here;
            json!({ "role": teams.iter().find(|it| it.team.id == part(sk)).map(|it| it.role) })
        }
        ItemKind::Invitations if sk.starts_with("ADDRESS#") => {
            let address = EmailHash(hash(last));
            let found = domain::ports::Invitations::by_address(store, part(of), address).await;
            json!({ "invitation": found.unwrap() })
        }
        ItemKind::Invitations => {
            json!(domain::ports::Invitations::find(store, part(of), part(last)).await.unwrap())
        }
        ItemKind::Handles => {
            let handle = Handle::parse_existing(of).unwrap();
            json!({ "workspace": store.by_handle(&handle).await.unwrap() })
        }
        ItemKind::Keys => json!(ApiKeys::find(store, part(of), part(last)).await.unwrap()),
        // How many accounts a user follows, only the condition of a write asks.
        ItemKind::Follows if sk == "COUNT" => {
            json!({ "followed": Follows::list(store, part(of), MANY).await.unwrap().len() })
        }
        ItemKind::Follows => {
            let found = Follows::list(store, part(of), MANY).await.unwrap().into_iter();
            let account = FollowedHash(hash(last));
            assert!(store.is_followed(part(of), account).await.unwrap());
            json!({ "followed_at": found.filter(|it| it.account == account).map(|it| it.followed_at).next() })
        }
        ItemKind::FollowerCounts => json!(store.followers(FollowedHash(hash(of))).await.unwrap()),
        ItemKind::KeyHolders => {
            let key =
                (1..=2).map(|n| Digest256::of(format!("key {n}"))).find(|hash| hash.to_hex().as_str() == of);
            json!(store.holder(key.unwrap()).await.unwrap())
        }
        other => panic!("{other:?} has no reader here"),
    }
}

async fn activity(tables: &Tables, kind: ItemKind, of: &str, sk: &str, last: &str) -> Value {
    let (store, workspace): (_, WorkspaceId) = (&tables.store, part(of));
    match kind {
        ItemKind::Events => {
            let page = History::page(store, workspace, part(last), part(last), 1).await.unwrap();
            json!(page.items.first())
        }
        ItemKind::Marks if sk == "INBOX" => {
            let inbox: Inbox = store.inbox(workspace).await.unwrap();
            json!(inbox)
        }
        ItemKind::Marks => {
            json!(History::marks(store, workspace, part(last), 1).await.unwrap().get(&part(last)))
        }
        other => panic!("{other:?} has no reader here"),
    }
}

async fn resources(tables: &Tables, kind: ItemKind, of: &str, sk: &str, item: &Item) -> Value {
    let store = &tables.store;
    let id = || part::<ResourceId>(sk.rsplit('#').next().unwrap());
    match kind {
        ItemKind::Projects | ItemKind::Datasets | ItemKind::Models => record(tables, part(of), id()).await,
        ItemKind::Groups => {
            let found = match sk.split('#').next().unwrap() {
                "-" => {
                    let all = Within::Workspace(Kind::Model);
                    let listed = Resources::list(store, part(of), all, None, MANY).await.unwrap();
                    listed.items.into_iter().map(|model| model.id).collect::<Vec<_>>()
                }
                project => {
                    let models = Purges::models(store, part(of), part(project), MANY).await.unwrap();
                    models.into_iter().map(ResourceId::Model).collect()
                }
            };
            assert!(found.contains(&id()), "{sk} is not in its list");
            json!({})
        }
        ItemKind::Slugs => slug(tables, part(of), sk, item).await,
        ItemKind::Sizes => {
            let largest = store.largest(part(of), MANY).await.unwrap().into_iter();
            let found = largest.filter(|live| live.resource.id == id()).collect::<Vec<_>>();
            assert_eq!(found.len(), 1, "{sk} is not among the largest");
            json!({ "project": found[0].project.as_ref().map(|project| project.id) })
        }
        ItemKind::Usage => json!(store.usage(part(of)).await.unwrap()),
        ItemKind::Trash => json!(Trash::find(store, part(of), id()).await.unwrap().0),
        ItemKind::TrashList => {
            let page = Trash::page(store, part(of), None, Timestamp::UNIX_EPOCH, MANY).await.unwrap();
            json!(page.items.iter().find(|trashed| trashed.place().to_string() == sk))
        }
        ItemKind::Uploads => json!(Uploads::find(store, part(of), part(sk)).await.unwrap()),
        ItemKind::Files => {
            let page = Inventory::files(store, part(of), None, MANY).await.unwrap();
            json!(page.items.iter().find(|file| file.id == part(sk)))
        }
        ItemKind::Purges => json!(Purges::find(store, part(of), id()).await.unwrap()),
        ItemKind::Due => {
            assert!(part::<u8>(of) < DUE_PARTS);
            let page = Purges::due(store, part(of), end(), None, MANY).await.unwrap();
            let of_it = |due: &&Due| sk.starts_with(&format!("{:013}#", due.at.as_millisecond()));
            json!(page.items.iter().filter(of_it).find(|due| json!(due).to_string().contains(last_id(sk))))
        }
        other => panic!("{other:?} has no reader here"),
    }
}

/// The id that a key ends with.
fn last_id(sk: &str) -> &str {
    sk.rsplit('#').next().unwrap()
}

async fn record(tables: &Tables, workspace: WorkspaceId, id: ResourceId) -> Value {
    let page = tables.store.resources(workspace, id.kind(), None, MANY).await.unwrap();
    json!(page.items.iter().find(|resource: &&Resource| resource.id == id))
}

/// Nobody else gets a slug. Whose it is, nobody reads.
async fn slug(tables: &Tables, workspace: WorkspaceId, sk: &str, item: &Item) -> Value {
    let mut parts = sk.splitn(3, '#');
    let mut next = || parts.next().unwrap();
    let (kind, project, slug) = (next(), next(), Slug::parse(next()).unwrap());
    let id = match kind {
        "project" => nth::<domain::id::OfProject>(900).to_string(),
        "dataset" => nth::<domain::id::OfDataset>(900).to_string(),
        _ => nth::<domain::id::OfModel>(900).to_string(),
    };
    let rival: Resource = from_value(json!({
        "id": id, "workspace": workspace, "project": Some(project).filter(|it| *it != "-"), "slug": slug,
        "name": "rival", "visibility": "private", "created_at": at(0), "updated_at": at(0), "version": 1,
    }))
    .unwrap();
    let proof = tables.editor(workspace).await;
    let store = &tables.store;
    let created = Resources::create(store, &proof, &rival, None, Default::default()).await.unwrap();
    // A project in the trash takes no models at all.
    let is_gone = created == Created::NoProject && project != "-";
    assert!(created == Created::SlugTaken || is_gone, "{sk}: {created:?}");
    json!({ "id": item["id"].as_s().unwrap() })
}

async fn operations(tables: &Tables, kind: ItemKind, of: &str, sk: &str, item: &Item) -> Value {
    let store = &tables.store;
    match kind {
        ItemKind::IdempotencyRecords => json!(IdempotencyRecords::find(store, hash(of)).await.unwrap()),
        ItemKind::AuthorizationRequests => {
            let browser = hash(item["browser"].as_s().unwrap());
            assert!(
                AuthorizationRequests::take(store, hash(of), Digest256::of("another"))
                    .await
                    .unwrap()
                    .is_none()
            );
            json!(AuthorizationRequests::take(store, hash(of), browser).await.unwrap())
        }
        ItemKind::Throttles => json!(store.load(&[of.to_owned()]).await.unwrap()),
        ItemKind::RateWindows => {
            let (name, ends) = of.rsplit_once('#').unwrap();
            let ends = Timestamp::from_second(part(ends)).unwrap();
            json!({ "used": RateWindows::take(store, name, ends, 1, 1_000_000).await.unwrap().used - 1 })
        }
        ItemKind::Consumed => consumed(tables, of, item).await,
        ItemKind::Feedback => json!(FeedbackRecords::find(store, part(of)).await.unwrap()),
        ItemKind::Outbox => json!(serde_dynamo::from_item::<_, Message>(item.clone()).unwrap()),
        ItemKind::Jobs => job(tables, part(of), sk).await,
        ItemKind::ExportsDue => due(&Exports::due(store, end(), MANY).await.unwrap(), sk),
        ItemKind::DeletionsDue => due(&Deletions::due(store, end(), MANY).await.unwrap(), sk),
        other => panic!("{other:?} has no reader here"),
    }
}

/// Whether a message was acted on, and until when somebody is at it.
async fn consumed(tables: &Tables, of: &str, item: &Item) -> Value {
    let (consumer, message) = of.rsplit_once('#').unwrap();
    let message: MessageId = part(message);
    let ends: i64 = part(item["lease_ends"].as_n().unwrap());
    let ends = Timestamp::from_millisecond(ends).unwrap();
    let before = Timestamp::from_millisecond(ends.as_millisecond() - 1).unwrap();
    let claim = async |now| Consumed::claim(&tables.store, consumer, message, now, end()).await.unwrap();
    let first = claim(before).await;
    if first == MessageLease::Busy {
        assert_eq!(claim(ends).await, MessageLease::Taken, "{of}");
    }
    json!({ "done": first == MessageLease::Done, "lease_ends": ends.as_millisecond() })
}

async fn job(tables: &Tables, user: UserId, sk: &str) -> Value {
    let store = &tables.store;
    match sk.split('#').collect::<Vec<_>>()[..] {
        ["EXPORT", id] => json!(Exports::find(store, user, part(id)).await.unwrap()),
        ["DELETION", id] => json!(Deletions::find(store, user, part(id)).await.unwrap()),
        ["RUNNING", "delete", workspace] => {
            json!({ "job": store.running(user, part(workspace)).await.unwrap() })
        }
        ["RUNNING", "export"] => {
            let running = store.of(user, MANY).await.unwrap().into_iter();
            let another = json!({
                "id": nth::<domain::id::OfJob>(900), "user": user, "format": "zip", "status": "queued",
                "created_at": at(0).as_millisecond(), "version": 1,
            });
            let proof = export_proof(user);
            let began = store.start(&proof, &from_value(another).unwrap(), Default::default()).await.unwrap();
            let open: Vec<_> = running.filter(|export| export.status.is_open()).map(|it| it.id).collect();
            assert_eq!(began, domain::ports::Started::Running(open[0]), "{sk}");
            json!({ "job": open[0] })
        }
        _ => panic!("{sk} has no reader here"),
    }
}

fn due(all: &[(UserId, domain::id::JobId)], sk: &str) -> Value {
    assert!(all.iter().any(|(user, job)| sk.ends_with(&format!("#{user}#{job}"))), "{sk} is not due");
    json!({})
}
