//! While one region is down, teams of other regions and accounts of other regions go on.

use std::time::{Duration, Instant};

use domain::resource::Kind;
use tests::{Answer, outage};

use super::*;
use crate::{members::role_of, privacy::looked_once};

/// Every call to the AWS services of a region fails.
async fn goes_down(app: &App, region: Region) {
    app.faults(json!(outage(region))).await;
}

fn is_unavailable(answer: &Answer) {
    assert_eq!(answer.brief(), "503 UNAVAILABLE", "{}", answer.text);
    assert!(answer.header("retry-after").is_some_and(|seconds| seconds.parse::<u64>().is_ok()));
}

/// A team in `eu` with its owner from `us` and a member from `ap`.
async fn lab(app: &App, name: &str) -> (Person, Person, WorkspaceId) {
    let una = user(app, &format!("una-{name}"), Region::Us).await;
    let anh = user(app, &format!("anh-{name}"), Region::Ap).await;
    let lab = format!("lab-{name}");
    let team = una.found_team_in(&lab, Region::Eu).await;
    joins(&una, &lab, &anh, "editor").await;
    lists(&anh, &lab, "editor").await;
    (una, anh, team)
}

#[tokio::test]
async fn team_works_while_the_home_of_a_member_is_down() {
    const LAB: &str = "lab-home-down";
    let app = App::start().await;
    let (una, anh, team) = lab(&app, "home-down").await;
    assert_eq!(member_row(&una, LAB, &anh).await["email"], json!(anh.email));
    goes_down(&app, Region::Ap).await;
    let down = member_row(&una, LAB, &anh).await;
    assert!(down.get("email").is_none() && down.get("imageUrl").is_none(), "{down}");
    assert_eq!((&down["username"], &down["role"]), (&json!("anh-home-down"), &json!("editor")));
    assert_eq!(member_row(&una, LAB, &una).await["email"], json!(una.email), "its own home is up");
    makes_dataset(&una, LAB, "meanwhile").await;
    members::change_role(&una, LAB, anh.id(), "viewer").await.expect(200);
    assert_eq!(role_of(&una, LAB, anh.id()).await.as_deref(), Some("viewer"));
    for way in Region::ALL {
        is_unavailable(&anh.by_way_of(way).get(&within("/api/datasets", LAB)).await);
    }
    app.no_faults().await;
    // The home follows, and so does the mail.
    home_knows(&anh, team, json!("viewer")).await;
    lists(&anh, LAB, "viewer").await;
    app.mail_of_kind(&anh.email, "team-role-changed").await;
    assert_eq!(member_row(&una, LAB, &anh).await["email"], json!(anh.email));
    assert_eq!(datasets(&anh, LAB).await, ["meanwhile"]);
}

#[tokio::test]
async fn owner_whose_place_cannot_be_reserved_gets_no_team() {
    const LAB: &str = "lab-no-place";
    let app = App::start().await;
    let (una, anh, _) = lab(&app, "no-place").await;
    goes_down(&app, Region::Ap).await;
    is_unavailable(&members::transfer(&una, LAB, anh.id()).await);
    assert_eq!(role_of(&una, LAB, una.id()).await.as_deref(), Some("owner"));
    app.no_faults().await;
    members::transfer(&una, LAB, anh.id()).await.expect(200);
    lists(&anh, LAB, "owner").await;
}

#[tokio::test]
async fn account_works_while_the_region_of_its_team_is_down() {
    const LAB: &str = "lab-team-down";
    let app = App::start().await;
    let (una, anh, team) = lab(&app, "team-down").await;
    let other = is_invited(&una, LAB, &user(&app, "guest-team-down", Region::Ap).await, "viewer").await;
    anh.found_team_in("lab-at-home", Region::Ap).await;
    let own = anh.make(Kind::Dataset, "of-anh").await;
    goes_down(&app, Region::Eu).await;
    let denied = json!({
        "userId": team, "username": LAB, "plan": "pro", "region": "eu", "role": "editor",
        "deniedReason": "regionUnavailable",
    });
    let listed = teams_of(&anh).await;
    let handles: Vec<&str> = listed.iter().map(|row| row["username"].as_str().unwrap()).collect();
    assert_eq!(handles, ["lab-at-home", LAB]);
    assert_eq!(listed[1], denied);
    assert!(listed[0].get("deniedReason").is_none(), "{}", listed[0]);
    assert_eq!(anh.get("/api/account/summary").await.expect(200).at("/teams/1"), &denied);
    let session = anh.get("/api/auth/session").await.expect(200);
    assert_eq!(session.at("/workspaces/2/username"), LAB);
    // An account and a team of a region that is up.
    anh.patch("/api/settings", json!({ "company": "Still here" })).await.expect(200);
    anh.trash(&own).await.expect(200);
    anh.restore(&own).await.expect(200);
    makes_dataset(&anh, "lab-at-home", "meanwhile").await;
    anh.make_key("ci").await;
    anh.ask_for_team_in("lab-in-outage", Region::Us).await.expect(201);
    // What only the region of the team can do.
    for refused in [
        anh.get(&within("/api/datasets", LAB)).await,
        members::leave(&anh, LAB).await,
        invitations::accept(&anh, &other).await,
        invitations::info(&anh.app, &other).await,
        anh.ask_for_team_in("lab-not-now", Region::Eu).await,
        anh.ask_to_delete_team(LAB).await,
    ] {
        is_unavailable(&refused);
    }
    app.no_faults().await;
    let back = row(&anh, LAB).await.unwrap();
    assert_eq!((back.get("deniedReason"), &back["fullName"]), (None, &json!("LAB-TEAM-DOWN")));
    anh.get(&within("/api/datasets", LAB)).await.expect(200);
}

#[tokio::test]
async fn list_does_not_wait_long_for_a_region_that_stalls() {
    let app = App::alone().await;
    let (_, anh, _) = lab(&app, "stalls").await;
    let stalled = json!([{ "service": "dynamodb", "region": Region::Eu, "kind": "stall", "times": 0 }]);
    app.faults(stalled).await;
    for path in ["/api/teams", "/api/account/summary", "/api/auth/session"] {
        let began = Instant::now();
        let answer = anh.get(path).await.expect(200);
        assert!(began.elapsed() < Duration::from_millis(3_000), "{path}: {:?}", began.elapsed());
        assert!(answer.text.contains("lab-stalls"), "{}", answer.text);
    }
}

#[tokio::test]
async fn deleted_account_leaves_a_team_once_its_region_is_up() {
    const LAB: &str = "lab-left-later";
    let app = App::start().await;
    let (una, anh, _) = lab(&app, "left-later").await;
    goes_down(&app, Region::Eu).await;
    anh.ask_to_be_deleted().await.expect(202);
    assert_eq!(anh.get("/api/settings").await.brief(), "401 UNAUTHORIZED");
    app.no_faults().await;
    let is_gone = async || {
        // The job continues by itself, or with the next run of the schedule.
        anh.app.try_worker("run-deletion").await;
        role_of(&una, LAB, anh.id()).await.is_none()
    };
    until_delivered(&app, "the membership does not end", is_gone).await;
    looked_once(&anh).await;
    let listed = una.get(&within("/api/members", LAB)).await.expect(200);
    assert_eq!(listed.at("/seatsUsed"), 1);
}
