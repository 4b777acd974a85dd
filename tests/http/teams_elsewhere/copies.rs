//! The copies of memberships at the homes of members: lists are right although messages are late, lost, or come twice.

use super::*;
use crate::{invitations::accept, privacy::until_delivered};

/// A message that failed is received again within so many seconds.
const RETRY: i64 = 15 * 60;

/// Removes the copy at somebody's home, as if its message had been lost.
async fn loses_copy(who: &Person, team: WorkspaceId) {
    let delete = who.app.tables().delete_item().table_name(who.app.table("workspaces"));
    let delete = delete.key("pk", AttributeValue::S(ItemKind::Memberships.partition(who.id())));
    delete.key("sk", AttributeValue::S(format!("ws~AWAY#{team}"))).send().await.unwrap();
}

/// Keeps a region from telling the others.
async fn tells_nobody(app: &App, region: Region) {
    let fault = json!({
        "service": "dynamodb", "function": "tell-regions", "region": region, "kind": "refused", "times": 0,
    });
    app.faults(json!([fault])).await;
}

/// Waits until every message for a home is handled.
async fn no_message_waits(app: &App) {
    until_delivered(app, "a message waits", async || app.queue("tell-regions").await == (0, 0, 0)).await;
}

/// Waits until a message for a home has failed and waits in its queue. On a busy machine it can come late, or twice.
async fn message_waits(app: &App) {
    let waits = async || matches!(app.queue("tell-regions").await, (0, 0, 1..));
    until_delivered(app, "the message does not wait", waits).await;
}

#[tokio::test]
async fn list_is_right_while_the_home_knows_nothing_of_a_change() {
    const LAB: &str = "lab-unheard";
    let app = App::start().await;
    let (una, anh) =
        (user(&app, "una-unheard", Region::Us).await, user(&app, "anh-unheard", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    lists(&anh, LAB, "viewer").await;
    tells_nobody(&app, Region::Eu).await;
    members::change_role(&una, LAB, anh.id(), "admin").await.expect(200);
    assert_eq!(copied_role(&anh, team).await, "viewer");
    assert_eq!(row(&anh, LAB).await.unwrap()["role"], "admin");
    anh.patch(&within("/api/settings", LAB), json!({ "company": "By an admin" })).await.expect(200);
    members::remove(&una, LAB, anh.id()).await.expect(200);
    assert_eq!(copied_role(&anh, team).await, "viewer");
    assert_eq!(row(&anh, LAB).await, None);
    assert_eq!(anh.get(&within("/api/settings", LAB)).await.brief(), "404 NOT_FOUND");
    app.no_faults().await;
    home_knows(&anh, team, Value::Null).await;
}

#[tokio::test]
async fn lost_message_is_made_up_for_by_the_next_change() {
    const LAB: &str = "lab-made-up";
    let app = App::start().await;
    let (una, anh) =
        (user(&app, "una-made-up", Region::Us).await, user(&app, "anh-made-up", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    home_knows(&anh, team, json!("viewer")).await;
    // The message about joining may still be on its way.
    let is_lost = async || {
        loses_copy(&anh, team).await;
        row(&anh, LAB).await.is_none()
    };
    until_delivered(&app, "the copy is there", is_lost).await;
    // The membership itself does not depend on the copy.
    anh.get(&within("/api/datasets", LAB)).await.expect(200);
    members::change_role(&una, LAB, anh.id(), "editor").await.expect(200);
    lists(&anh, LAB, "editor").await;
    home_knows(&anh, team, json!("editor")).await;
}

#[tokio::test]
async fn message_outlasts_an_hour_in_which_the_home_is_down() {
    const LAB: &str = "lab-for-an-hour";
    let app = App::start().await;
    let (una, anh) =
        (user(&app, "una-an-hour", Region::Us).await, user(&app, "anh-an-hour", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    home_knows(&anh, team, json!("viewer")).await;
    let eu = app.living_in(Region::Eu);
    no_message_waits(&eu).await;
    app.stop_clock().await;
    app.faults(json!(tests::outage(Region::Ap))).await;
    members::change_role(&una, LAB, anh.id(), "admin").await.expect(200);
    for _ in 0..60 * 60 / RETRY {
        message_waits(&eu).await;
        app.advance(RETRY).await;
    }
    message_waits(&eu).await;
    app.no_faults().await;
    assert_eq!(copied_role(&anh, team).await, "viewer");
    app.advance(RETRY).await;
    home_knows(&anh, team, json!("admin")).await;
    assert_eq!(eu.queue("dead-letters").await, (0, 0, 0));
}

#[tokio::test]
async fn late_and_doubled_messages_do_not_bring_back_an_earlier_state() {
    const LAB: &str = "lab-late";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-late", Region::Us).await, user(&app, "anh-late", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    let since = member_row(&una, LAB, &anh).await["joinedAt"].clone();
    members::remove(&una, LAB, anh.id()).await.expect(200);
    home_knows(&anh, team, Value::Null).await;
    let told = async |role: Option<&str>, since: &Value, changes: u64| {
        let mut copy = json!({
            "team": team, "user": anh.id(), "handle": LAB, "region": "eu", "plan": "pro", "since": since,
            "changes": changes,
        });
        if let Some(role) = role {
            copy["role"] = json!(role);
        }
        let kept = anh.app.as_region("/internal/regions/memberships", copy).await.expect(200);
        assert_eq!(kept.body, json!({ "userGone": false }));
        copied_role(&anh, team).await
    };
    for (role, changes) in [("viewer", 0), ("owner", 1), ("admin", 7)] {
        assert_eq!(told(Some(role), &since, changes).await, Value::Null, "{role}");
    }
    assert_eq!(places(&anh).await.len(), 0);
    // A second membership begins after the first one has ended.
    let token = is_invited(&una, LAB, &anh, "editor").await;
    accept(&anh, &token).await.expect(200);
    home_knows(&anh, team, json!("editor")).await;
    assert_eq!(told(None, &since, 0).await, "editor");
    assert_eq!(told(Some("viewer"), &since, 3).await, "editor");
    lists(&anh, LAB, "editor").await;
}

#[tokio::test]
async fn copy_gives_no_permission() {
    const LAB: &str = "lab-closed";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-closed", Region::Us).await, user(&app, "anh-closed", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    let copy = json!({
        "team": team, "user": anh.id(), "handle": LAB, "region": "eu", "plan": "pro", "role": "admin",
        "since": app.now().await, "changes": 0,
    });
    anh.app.as_region("/internal/regions/memberships", copy).await.expect(200);
    assert_eq!(copied_role(&anh, team).await, "admin");
    for way in Region::ALL {
        let refused = anh.by_way_of(way).get(&within("/api/settings", LAB)).await;
        assert_eq!(refused.brief(), "404 NOT_FOUND", "through {way}");
    }
    assert_eq!(row(&anh, LAB).await, None);
}
