//! Teams whose region is not the home of all of their members: each member works through the endpoint of their home.
//!
//! Not run in outages: it chooses its regions.

mod bytes;
mod copies;
mod cost;
mod create;
mod endings;
mod join;
mod outages;
mod owners;

use std::collections::BTreeSet;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{id::WorkspaceId, region::Region};
use kit::ItemKind;
use tests::{App, Person, Value, icon_form, in_trash, json, names, path_of};

use crate::{invitations, members, privacy::until_delivered, teams::teams_of};

/// A user of a region.
async fn user(app: &App, name: &str, home: Region) -> Person {
    app.living_in(home).user(name).await
}

/// After so many seconds, the request that reserved a place has ended.
const UNDER_WAY: i64 = 601;

/// Waits until no reservation is under way any more. The person signs in again: sessions need a new token by then.
async fn later(who: &Person) -> Person {
    who.app.advance(UNDER_WAY).await;
    let tokens = who.app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// Lets somebody join a team with an invitation.
async fn joins(by: &Person, lab: &str, who: &Person, role: &str) {
    let token = is_invited(by, lab, who, role).await;
    invitations::accept(who, &token).await.expect(200);
}

/// Invites somebody, and gives the token.
async fn is_invited(by: &Person, lab: &str, who: &Person, role: &str) -> String {
    let before = who.app.mail(&who.email).await;
    let before = before.iter().filter(|mail| mail["kind"] == "team-invitation").count();
    invitations::invite(by, lab, &who.email, role).await.expect(201);
    invitations::tokens(&who.app, &who.email, before + 1).await.remove(0)
}

/// The row of a team in somebody's list.
async fn row(who: &Person, lab: &str) -> Option<Value> {
    teams_of(who).await.into_iter().find(|row| row["username"] == lab)
}

/// Waits until somebody's list has the team with this role.
async fn lists(who: &Person, lab: &str, role: &str) {
    let is_listed = async || row(who, lab).await.is_some_and(|row| row["role"] == role);
    until_delivered(&who.app, "the list does not have the team with the role", is_listed).await;
}

/// An item at home.
async fn item(app: &App, pk: String, sk: String) -> Option<Value> {
    let request = app.tables().get_item().table_name(app.table("workspaces")).consistent_read(true);
    let request = request.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
    request.send().await.unwrap().item.map(|item| serde_dynamo::from_item(item).unwrap())
}

/// The copy of a membership that somebody's home keeps.
async fn copy_of(who: &Person, team: WorkspaceId) -> Option<Value> {
    item(&who.app, ItemKind::Memberships.partition(who.id()), format!("ws~AWAY#{team}")).await
}

/// The role in that copy; `null` if the membership has ended.
async fn copied_role(who: &Person, team: WorkspaceId) -> Value {
    copy_of(who, team).await.unwrap()["role"].clone()
}

/// Waits until the copy at somebody's home has this role.
async fn home_knows(who: &Person, team: WorkspaceId, role: Value) {
    let is_known = async || copy_of(who, team).await.is_some_and(|copy| copy["role"] == role);
    until_delivered(&who.app, "the home does not know the role", is_known).await;
}

/// The teams that take the places of somebody for owned teams.
async fn places(who: &Person) -> BTreeSet<String> {
    let found = item(&who.app, ItemKind::OwnedTeams.partition(who.id()), "OWNED".to_owned()).await;
    let teams = found.map(|item| item["teams"].clone()).unwrap_or_default();
    let teams = teams.as_array().cloned().unwrap_or_default();
    teams.iter().map(|team| team.as_str().unwrap().to_owned()).collect()
}

/// Waits until these teams, and no others, take somebody's places.
async fn takes_places(who: &Person, teams: &[WorkspaceId]) {
    let wanted: BTreeSet<String> = teams.iter().map(ToString::to_string).collect();
    let is_so = async || places(who).await == wanted;
    until_delivered(&who.app, "the places are taken by other teams", is_so).await;
}

/// The row of a member in the list of a team.
async fn member_row(reader: &Person, lab: &str, who: &Person) -> Value {
    let rows = members::list(reader, lab).await;
    rows.into_iter().find(|row| row["userId"] == json!(who.id())).unwrap()
}

/// A path in a team.
fn within(path: &str, lab: &str) -> String {
    format!("{path}?owner={lab}")
}

/// Makes a dataset in a team; its id.
async fn makes_dataset(who: &Person, lab: &str, slug: &str) -> String {
    let form = json!({ "slug": slug, "name": slug });
    who.post(&within("/api/datasets", lab), form).await.expect(201).text_at("/_id")
}

/// The names of the datasets of a team.
async fn datasets(who: &Person, lab: &str) -> Vec<String> {
    names(&who.get(&within("/api/datasets", lab)).await.expect(200), "/datasets")
}

#[tokio::test]
async fn team_works_over_three_regions_through_each_members_endpoint() {
    const LAB: &str = "lab-of-three";
    let app = App::start().await;
    let (una, anh) =
        (user(&app, "una-of-three", Region::Us).await, user(&app, "anh-of-three", Region::Ap).await);
    una.found_team_in(LAB, Region::Eu).await;
    let token = is_invited(&una, LAB, &anh, "editor").await;
    let joined = invitations::accept(&anh, &token).await.expect(200);
    assert_eq!((joined.at("/team/region"), joined.at("/team/role")), (&json!("eu"), &json!("editor")));
    // The editor works, and the owner sees it.
    let id = makes_dataset(&anh, LAB, "by-anh").await;
    let path = within(&path_of(&id), LAB);
    assert_eq!(datasets(&una, LAB).await, ["by-anh"]);
    anh.delete(&path).await.expect(200);
    assert_eq!(una.get(&path).await.brief(), "404 NOT_FOUND");
    anh.post(&within("/api/trash", LAB), in_trash(&id)).await.expect(200);
    una.get(&path).await.expect(200);
    let lines = una.activity_of(LAB).await;
    assert_eq!(lines[..3], ["restored dataset by-anh", "trashed dataset by-anh", "created dataset by-anh"]);
    // A lower role holds from the next request, and so does the removal.
    members::change_role(&una, LAB, anh.id(), "viewer").await.expect(200);
    anh.get(&path).await.expect(200);
    assert_eq!(anh.delete(&path).await.brief(), "403 FORBIDDEN");
    members::remove(&una, LAB, anh.id()).await.expect(200);
    for path in [path.as_str(), &within("/api/datasets", LAB), &within("/api/members", LAB)] {
        for way in Region::ALL {
            assert_eq!(anh.by_way_of(way).get(path).await.brief(), "404 NOT_FOUND", "{path} through {way}");
        }
    }
    assert_eq!(row(&anh, LAB).await, None);
}

#[tokio::test]
async fn teams_of_all_regions_are_listed_in_order() {
    let app = App::start().await;
    let anh = user(&app, "mid-lister", Region::Ap).await;
    let (una, ewa) = (user(&app, "una-lister", Region::Us).await, user(&app, "ewa-lister", Region::Eu).await);
    anh.found_team_in("lab-b-here", Region::Ap).await;
    let far = una.found_team_in("lab-a-far", Region::Eu).await;
    ewa.found_team_in("lab-c-near", Region::Eu).await;
    una.found_team_in("lab-d-us", Region::Us).await;
    for (by, lab, role) in
        [(&una, "lab-a-far", "viewer"), (&ewa, "lab-c-near", "editor"), (&una, "lab-d-us", "admin")]
    {
        joins(by, lab, &anh, role).await;
        lists(&anh, lab, role).await;
    }
    let listed = teams_of(&anh).await;
    let first = json!({
        "userId": far, "username": "lab-a-far", "fullName": "LAB-A-FAR", "plan": "pro", "region": "eu",
        "role": "viewer",
    });
    assert_eq!(listed[0], first);
    let handles: Vec<&str> = listed.iter().map(|row| row["username"].as_str().unwrap()).collect();
    assert_eq!(handles, ["lab-a-far", "lab-b-here", "lab-c-near", "lab-d-us"]);
    for way in Region::ALL {
        let anh = anh.by_way_of(way);
        assert_eq!(teams_of(&anh).await, listed, "through {way}");
        let summary = anh.get("/api/account/summary").await.expect(200);
        assert_eq!(summary.at("/teams"), &json!(listed), "through {way}");
        let session = anh.get("/api/auth/session").await.expect(200);
        let workspaces = session.at("/workspaces").as_array().unwrap();
        let of_session: Vec<&str> = workspaces.iter().map(|row| row["username"].as_str().unwrap()).collect();
        assert_eq!(of_session, ["mid-lister", "lab-a-far", "lab-b-here", "lab-c-near", "lab-d-us"]);
        let near = json!({
            "username": "lab-c-near", "accountType": "team", "region": "eu", "plan": "pro", "role": "editor",
        });
        assert_eq!(workspaces[3], near, "through {way}");
    }
    // In a team of another region, the list is that of the caller, too.
    let summary = anh.get("/api/account/summary?owner=lab-d-us").await.expect(200);
    assert_eq!(summary.at("/username"), "lab-d-us");
}

#[tokio::test]
async fn list_shows_addresses_and_pictures_that_other_regions_keep() {
    const LAB: &str = "lab-of-faces";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-faces", Region::Us).await, user(&app, "anh-faces", Region::Ap).await);
    let ewa = user(&app, "ewa-faces", Region::Eu).await;
    una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "admin").await;
    joins(&una, LAB, &ewa, "viewer").await;
    anh.post("/api/settings/icon", icon_form(json!({}))).await.expect(200);
    for reader in [&una, &anh] {
        for who in [&una, &anh, &ewa] {
            let row = member_row(reader, LAB, who).await;
            assert_eq!((&row["email"], &row["username"]), (&json!(who.email), &json!(who.handle)));
            assert_eq!(row["imageUrl"].is_string(), who.handle == anh.handle, "{row}");
        }
    }
    // The picture is where the list says, in the region of the member.
    let path = member_row(&una, LAB, &anh).await["imageUrl"].as_str().unwrap().to_owned();
    app.get(&path).await.expect(302);
}

#[tokio::test]
async fn mails_reach_members_from_their_own_homes() {
    const LAB: &str = "lab-of-mails";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-mails", Region::Us).await, user(&app, "anh-mails", Region::Ap).await);
    una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    let starts = async |to: &Person, kind: &str, from: &str, line: &str| {
        let mail = app.mail_of_kind(&to.email, kind).await;
        assert_eq!(mail["region"], from, "{mail}");
        assert!(mail["text"].as_str().unwrap().starts_with(line), "{mail}");
        let all = app.mail(&to.email).await;
        assert_eq!(all.iter().filter(|mail| mail["kind"] == kind).count(), 1, "{all:?}");
    };
    let invitation = app.mail_of_kind(&anh.email, "team-invitation").await;
    assert_eq!(invitation["region"], "eu");
    // The region of the team knows the username of a member from another region, and not the name.
    let text = invitation["text"].as_str().unwrap();
    assert!(text.contains("una-mails") && !text.contains("UNA-MAILS"), "{text}");
    members::change_role(&una, LAB, anh.id(), "editor").await.expect(200);
    let said = "Your role in the team LAB-OF-MAILS (lab-of-mails) was changed. You are an editor now.";
    starts(&anh, "team-role-changed", "ap", said).await;
    members::transfer(&una, LAB, anh.id()).await.expect(200);
    let said = "The ownership of the team LAB-OF-MAILS (lab-of-mails) was transferred to you.";
    starts(&anh, "team-ownership", "ap", said).await;
    members::remove(&anh, LAB, una.id()).await.expect(200);
    starts(&una, "team-member-removed", "us", "You were removed from the team LAB-OF-MAILS (lab-of-mails).")
        .await;
}
