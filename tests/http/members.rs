//! Members of teams: which role may act on which, and the result of concurrent changes.

mod lists;
mod races;
mod transfers;

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    Timestamp,
    handle::Handle,
    id::{UserId, WorkspaceId},
    role::Role,
    team::TeamMember,
};
use futures::future::join;
use kit::ItemKind;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::{fixtures::SOME_ULID, many};

const ROLES: [Role; 4] = [Role::Viewer, Role::Editor, Role::Admin, Role::Owner];

fn path_of(user: UserId, team: &str) -> String {
    format!("/api/members/{user}?owner={team}")
}

/// Changes the role of a member.
pub async fn change_role(by: &Person, team: &str, user: UserId, role: &str) -> Answer {
    by.patch(&path_of(user, team), json!({ "role": role })).await
}

/// Removes a member.
pub async fn remove(by: &Person, team: &str, user: UserId) -> Answer {
    by.delete(&path_of(user, team)).await
}

/// Leaves a team.
pub async fn leave(who: &Person, team: &str) -> Answer {
    who.post(&format!("/api/members/leave?owner={team}"), json!({})).await
}

/// Transfers a team.
pub async fn transfer(by: &Person, team: &str, to: UserId) -> Answer {
    by.post(&transfer_path(team), json!({ "targetUserId": to })).await
}

/// The path of the transfer of a team.
pub fn transfer_path(team: &str) -> String {
    format!("/api/members/transfer-ownership?owner={team}")
}

/// The rows of a team's list.
pub async fn list(who: &Person, team: &str) -> Vec<Value> {
    let answer = who.get(&format!("/api/members?owner={team}")).await.expect(200);
    answer.at("/members").as_array().cloned().unwrap()
}

/// The role of a member, as the list shows it.
pub async fn role_of(who: &Person, team: &str, user: UserId) -> Option<String> {
    let row = list(who, team).await.into_iter().find(|row| row["userId"] == json!(user))?;
    row["role"].as_str().map(str::to_owned)
}

/// A team as it is stored.
struct Stored {
    owner: String,
    seats: usize,
    members: BTreeMap<String, String>,
}

fn text(value: impl ToString) -> AttributeValue {
    AttributeValue::S(value.to_string())
}

async fn get(app: &App, pk: String, sk: String) -> Value {
    let request = app.tables().get_item().table_name(app.table("workspaces")).consistent_read(true);
    let found = request.key("pk", text(pk)).key("sk", text(sk)).send().await.unwrap().item.unwrap();
    serde_dynamo::from_item(found).unwrap()
}

async fn query(app: &App, kind: ItemKind, team: WorkspaceId, start: &str) -> Vec<Value> {
    let query = app.tables().query().table_name(app.table("workspaces")).consistent_read(true);
    let query = query
        .key_condition_expression("pk = :pk AND begins_with(sk, :sk)")
        .expression_attribute_values(":pk", text(kind.partition(team)))
        .expression_attribute_values(":sk", text(start));
    let items = query.send().await.unwrap().items.unwrap_or_default();
    items.into_iter().map(|item| serde_dynamo::from_item(item).unwrap()).collect()
}

/// Reads a team as it is stored, and checks what always holds: exactly one owner, who is the owner in the team's record; a role that
/// is the same on both sides; seats for all members and invitations, and no more.
async fn stored(app: &App, team: WorkspaceId) -> Stored {
    let record = get(app, ItemKind::Workspaces.partition(team), "WS".to_owned()).await;
    let of = |item: &Value, name: &str| item[name].as_str().unwrap().to_owned();
    let items = query(app, ItemKind::Members, team, "MEMBER#").await;
    let members: BTreeMap<String, String> =
        items.iter().map(|item| (of(item, "user"), of(item, "role"))).collect();
    for (user, role) in &members {
        let copy = get(app, ItemKind::Memberships.partition(user), team.to_string()).await;
        assert_eq!(copy["role"], json!(role), "{user}");
    }
    let owner = of(&record, "owner");
    let owners: Vec<&String> =
        members.iter().filter(|(_, role)| *role == "owner").map(|(user, _)| user).collect();
    assert_eq!(owners, [&owner], "one owner");
    let seats = usize::try_from(record["seatsTaken"].as_u64().unwrap()).unwrap();
    let invited = query(app, ItemKind::Invitations, team, "INVITE#").await.len();
    assert_eq!(seats, members.len() + invited, "seats taken");
    Stored { owner, seats, members }
}

impl Stored {
    fn role(&self, who: &Person) -> Option<&str> {
        self.members.get(&who.id().to_string()).map(String::as_str)
    }
}

/// The same person with a new session.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// A user who is a member of a team.
async fn member(app: &App, handle: &str, team: WorkspaceId, role: Role) -> Person {
    let who = app.user(handle).await;
    who.join(team, role).await;
    who
}

/// What a member does to another.
#[derive(Debug, Clone, Copy)]
enum Act {
    Remove,
    Give(Role),
}

impl Act {
    /// Whether the table of roles allows it: both the role that the target has and the one that it gets are below the actor's.
    fn is_allowed(self, by: Role, target: Role) -> bool {
        let given = match self {
            Self::Remove => target,
            Self::Give(role) => role,
        };
        by >= Role::Admin && target < by && given < by
    }

    async fn run(self, by: &Person, team: &str, target: &Person) -> Answer {
        match self {
            Self::Remove => remove(by, team, target.id()).await,
            Self::Give(role) => change_role(by, team, target.id(), role.as_str()).await,
        }
    }
}

#[tokio::test]
async fn members_act_only_on_roles_below_their_own() {
    const TEAM: &str = "table-team";
    let app = App::start().await;
    let owner = app.user("table-owner").await;
    let team = owner.found_team(TEAM).await;
    let mut actors = vec![(Role::Owner, owner.clone())];
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        actors.push((role, member(&app, &format!("acting-{}", role.as_str()), team, role).await));
    }
    let target = app.user("the-target").await;
    let acts = [Act::Remove, Act::Give(Role::Viewer), Act::Give(Role::Editor), Act::Give(Role::Admin)];
    for (by, actor) in &actors {
        for of in ROLES {
            // Nobody is the target of themselves here.
            if (*by, of) == (Role::Owner, Role::Owner) {
                continue;
            }
            for act in acts {
                let target = if of == Role::Owner { &owner } else { &target };
                if of != Role::Owner {
                    target.leave(team).await;
                    target.join(team, of).await;
                }
                let answer = act.run(actor, TEAM, target).await;
                let wanted = if act.is_allowed(*by, of) { "200" } else { "403 FORBIDDEN" };
                assert_eq!(answer.brief(), wanted, "{by:?} {act:?} {of:?}: {}", answer.text);
                let now = match (act, wanted) {
                    (Act::Remove, "200") => None,
                    (Act::Give(role), "200") => Some(role.as_str().to_owned()),
                    _ => Some(of.as_str().to_owned()),
                };
                assert_eq!(role_of(&owner, TEAM, target.id()).await, now, "{by:?} {act:?} {of:?}");
            }
        }
    }
    // The transfer is the owner's.
    target.join(team, Role::Editor).await;
    for (by, actor) in actors.iter().filter(|(by, _)| *by != Role::Owner) {
        assert_eq!(transfer(actor, TEAM, target.id()).await.brief(), "403 FORBIDDEN", "{by:?}");
    }
    transfer(&owner, TEAM, target.id()).await.expect(200);
}

#[tokio::test]
async fn team_is_hidden_from_strangers() {
    let app = App::start().await;
    let (ada, eve) = (app.user("ada-hidden").await, app.user("eve-hidden").await);
    ada.found_team("team-hidden").await;
    for answer in [
        remove(&eve, "team-hidden", ada.id()).await,
        change_role(&eve, "team-hidden", ada.id(), "viewer").await,
        transfer(&eve, "team-hidden", ada.id()).await,
        leave(&eve, "team-hidden").await,
        eve.get("/api/members?owner=team-hidden").await,
    ] {
        assert_eq!(answer.brief(), "404 NOT_FOUND");
    }
}

#[tokio::test]
async fn changed_and_removed_members_are_in_the_history() {
    let app = App::start().await;
    let ada = app.user("ada-history").await;
    let team = ada.found_team("team-history").await;
    let bob = member(&app, "bob-history", team, Role::Viewer).await;
    let changed = change_role(&ada, "team-history", bob.id(), "editor").await.expect(200);
    assert_eq!(changed.body, json!({ "success": true }));
    // The same role again changes nothing.
    change_role(&ada, "team-history", bob.id(), "editor").await.expect(200);
    remove(&ada, "team-history", bob.id()).await.expect(200);
    assert_eq!(remove(&ada, "team-history", bob.id()).await.brief(), "404 NOT_FOUND");
    assert_eq!(change_role(&ada, "team-history", bob.id(), "viewer").await.brief(), "404 NOT_FOUND");
    let lines = ada.activity_of("team-history").await;
    assert_eq!(lines[..2], ["unshared team bob-history", "updated team bob-history"]);
    let events = ada.get("/api/activity?owner=team-history").await.expect(200);
    assert_eq!(events.at("/events/1/metadata"), &json!({ "from": "viewer", "to": "editor" }));
    assert_eq!(events.at("/events/1/resourceId"), &json!(bob.id()));
    assert_eq!(stored(&app, team).await.seats, 1);
}

#[tokio::test]
async fn nobody_removes_or_promotes_themselves() {
    let app = App::start().await;
    let ada = app.user("ada-self").await;
    let team = ada.found_team("team-self").await;
    let bob = member(&app, "bob-self", team, Role::Admin).await;
    for who in [&ada, &bob] {
        assert_eq!(change_role(who, "team-self", who.id(), "viewer").await.brief(), "403 FORBIDDEN");
        let refused = remove(who, "team-self", who.id()).await;
        assert_eq!(refused.brief(), "409 CONFLICT");
        assert!(refused.text_at("/error").contains("Leave"), "{}", refused.text);
    }
    assert_eq!(transfer(&ada, "team-self", ada.id()).await.brief(), "409 CONFLICT");
    assert_eq!(leave(&ada, "team-self").await.brief(), "409 OWNER_CANNOT_LEAVE");
    let stored = stored(&app, team).await;
    assert_eq!((stored.role(&ada), stored.role(&bob)), (Some("owner"), Some("admin")));
}

#[tokio::test]
async fn unknown_role_and_owner_are_invalid() {
    let app = App::start().await;
    let ada = app.user("ada-roles").await;
    let team = ada.found_team("team-roles").await;
    let bob = member(&app, "bob-roles", team, Role::Viewer).await;
    for body in [
        json!({ "role": "owner" }),
        json!({ "role": "superuser" }),
        json!({ "role": "Admin" }),
        json!({ "role": null }),
        json!({}),
        json!({ "role": "editor", "owner": true }),
    ] {
        let answer = ada.patch(&path_of(bob.id(), "team-roles"), body.clone()).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR", "{body}");
    }
    assert_eq!(role_of(&ada, "team-roles", bob.id()).await.as_deref(), Some("viewer"));
}

#[tokio::test]
async fn id_that_names_no_member_is_not_found() {
    let app = App::start().await;
    let (ada, eve) = (app.user("ada-ids").await, app.user("eve-ids").await);
    ada.found_team("team-ids").await;
    let some = format!("user_{SOME_ULID}");
    let personal = ada.workspace().to_string();
    for id in [eve.id().to_string().as_str(), &some, &personal, "507f1f77bcf86cd799439011", "x", "%00"] {
        let path = format!("/api/members/{id}?owner=team-ids");
        assert_eq!(ada.patch(&path, json!({ "role": "viewer" })).await.brief(), "404 NOT_FOUND", "{id}");
        assert_eq!(ada.delete(&path).await.brief(), "404 NOT_FOUND", "{id}");
        let answer = ada.post(&transfer_path("team-ids"), json!({ "targetUserId": id })).await;
        assert_eq!(answer.brief(), "404 NOT_FOUND", "{id}");
    }
}

#[tokio::test]
async fn personal_account_has_its_owner_only() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-personal").await, app.user("bob-personal").await);
    let listed = ada.get("/api/members").await.expect(200);
    let members = listed.at("/members").as_array().unwrap();
    assert_eq!(members.len(), 1);
    assert_eq!((&members[0]["userId"], &members[0]["role"]), (&json!(ada.id()), &json!("owner")));
    assert_eq!((listed.at("/maxSeats"), listed.at("/seatsUsed")), (&json!(1), &json!(1)));
    assert_eq!(ada.post("/api/members/leave", json!({})).await.brief(), "409 CONFLICT");
    for id in [ada.id(), bob.id()] {
        let path = format!("/api/members/{id}");
        assert_eq!(ada.delete(&path).await.brief(), "404 NOT_FOUND");
        assert_eq!(ada.patch(&path, json!({ "role": "viewer" })).await.brief(), "404 NOT_FOUND");
        let form = json!({ "targetUserId": id });
        assert_eq!(ada.post("/api/members/transfer-ownership", form).await.brief(), "404 NOT_FOUND");
    }
}

#[tokio::test]
async fn removed_member_is_refused_by_the_next_request() {
    let app = App::start().await;
    let ada = app.user("ada-removes").await;
    let team = ada.found_team("team-removes").await;
    let bob = member(&app, "bob-removed", team, Role::Editor).await;
    let paths = ["/api/datasets?owner=team-removes", "/api/settings?owner=team-removes"];
    for path in paths {
        bob.get(path).await.expect(200);
    }
    remove(&ada, "team-removes", bob.id()).await.expect(200);
    for path in paths {
        assert_eq!(bob.get(path).await.brief(), "404 NOT_FOUND", "{path}");
    }
}

#[tokio::test]
async fn lower_role_holds_from_the_next_request() {
    let app = App::start().await;
    let ada = app.user("ada-lowers").await;
    let team = ada.found_team("team-lowers").await;
    let bob = member(&app, "bob-lowered", team, Role::Editor).await;
    let make = async |slug: &str| {
        bob.post("/api/datasets?owner=team-lowers", json!({ "slug": slug, "name": slug })).await
    };
    make("before").await.expect(201);
    change_role(&ada, "team-lowers", bob.id(), "viewer").await.expect(200);
    assert_eq!(make("after").await.brief(), "403 FORBIDDEN");
    bob.get("/api/datasets?owner=team-lowers").await.expect(200);
}

#[tokio::test]
async fn what_a_member_made_stays_with_the_team() {
    let app = App::start().await;
    let ada = app.user("ada-keeps").await;
    let team = ada.found_team("team-keeps").await;
    for (handle, slug) in [("bob-removed2", "by-bob"), ("eve-leaves", "by-eve")] {
        let who = member(&app, handle, team, Role::Editor).await;
        let form = json!({ "slug": slug, "name": slug });
        who.post("/api/datasets?owner=team-keeps", form).await.expect(201);
        if slug == "by-bob" {
            remove(&ada, "team-keeps", who.id()).await.expect(200);
        } else {
            leave(&who, "team-keeps").await.expect(200);
        }
        let kept = ada.get("/api/datasets?owner=team-keeps").await.expect(200);
        assert!(kept.text.contains(slug), "{}", kept.text);
        let lines = ada.activity_of("team-keeps").await;
        assert!(lines.contains(&format!("created dataset {slug}")), "{lines:?}");
        assert_eq!(who.get("/api/datasets").await.expect(200).at("/datasets"), &json!([]));
    }
    let events = ada.get("/api/activity?owner=team-keeps").await.expect(200);
    assert_eq!(events.at("/events/0/metadata"), &json!({ "left": true }));
}

#[tokio::test]
async fn member_of_an_inactive_team_can_leave_and_do_nothing_else() {
    let app = App::start().await;
    let ada = app.user("ada-lapsed").await;
    let team = ada.found_team("team-lapsed").await;
    let bob = member(&app, "bob-lapsed", team, Role::Admin).await;
    let eve = member(&app, "eve-lapsed", team, Role::Viewer).await;
    ada.stops_paying(team).await;
    for answer in [
        bob.get("/api/members?owner=team-lapsed").await,
        remove(&bob, "team-lapsed", eve.id()).await,
        change_role(&bob, "team-lapsed", eve.id(), "editor").await,
        transfer(&bob, "team-lapsed", eve.id()).await,
    ] {
        assert_eq!(answer.brief(), "403 TEAM_INACTIVE");
    }
    leave(&bob, "team-lapsed").await.expect(200);
    assert_eq!(leave(&bob, "team-lapsed").await.brief(), "404 NOT_FOUND");
    // The owner still manages the others.
    assert_eq!(leave(&ada, "team-lapsed").await.brief(), "409 OWNER_CANNOT_LEAVE");
    assert_eq!(list(&ada, "team-lapsed").await.len(), 2);
    remove(&ada, "team-lapsed", eve.id()).await.expect(200);
    assert_eq!(stored(&app, team).await.seats, 1);
}
