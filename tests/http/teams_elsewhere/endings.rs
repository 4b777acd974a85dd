//! The ends of memberships in another region: members leave, are removed, or delete their accounts, and teams are deleted.

use lambda::OsEntropy;

use super::*;
use crate::{
    members::{leave, role_of},
    privacy::{Everything, SECOND_LOOK, looked_once},
};

/// The same person as the records of another region have them.
fn records_in(who: &Person, region: Region) -> Person {
    Person { app: who.app.living_in(region), ..who.clone() }
}

/// The seats of a team that members take.
async fn seats(reader: &Person, lab: &str) -> Value {
    reader.get(&within("/api/members", lab)).await.expect(200).at("/seatsUsed").clone()
}

#[tokio::test]
async fn member_leaves_a_team_of_another_region() {
    const LAB: &str = "lab-is-left";
    let app = App::start().await;
    let (ewa, anh) =
        (user(&app, "ewa-is-left", Region::Eu).await, user(&app, "anh-leaves", Region::Ap).await);
    let team = ewa.found_team_in(LAB, Region::Eu).await;
    joins(&ewa, LAB, &anh, "editor").await;
    makes_dataset(&anh, LAB, "by-anh").await;
    // Also while the team has no plan.
    ewa.stops_paying(team).await;
    assert_eq!(anh.get(&within("/api/datasets", LAB)).await.brief(), "403 TEAM_INACTIVE");
    leave(&anh, LAB).await.expect(200);
    ewa.pays(team).await;
    assert_eq!(row(&anh, LAB).await, None);
    for refused in [leave(&anh, LAB).await, anh.get(&within("/api/datasets", LAB)).await] {
        assert_eq!(refused.brief(), "404 NOT_FOUND");
    }
    home_knows(&anh, team, Value::Null).await;
    assert_eq!(seats(&ewa, LAB).await, 1);
    assert_eq!(datasets(&ewa, LAB).await, ["by-anh"]);
    let events = ewa.get(&within("/api/activity", LAB)).await.expect(200);
    assert_eq!(events.at("/events/0/metadata"), &json!({ "left": true }));
    // A second membership is another one.
    joins(&ewa, LAB, &anh, "viewer").await;
    lists(&anh, LAB, "viewer").await;
    home_knows(&anh, team, json!("viewer")).await;
    assert_eq!(seats(&ewa, LAB).await, 2);
}

#[tokio::test]
async fn deleted_account_leaves_the_teams_of_other_regions() {
    let app = App::start().await;
    let anh = user(&app, "anh-departs", Region::Ap).await;
    let mut hosts = Vec::new();
    for region in [Region::Eu, Region::Us] {
        let host = user(&app, &format!("host-{region}"), region).await;
        let lab = format!("lab-departs-{region}");
        host.found_team_in(&lab, region).await;
        joins(&host, &lab, &anh, "admin").await;
        lists(&anh, &lab, "admin").await;
        hosts.push((host, lab));
    }
    makes_dataset(&anh, &hosts[0].1, "by-anh").await;
    let id = [anh.id().bare()];
    anh.ask_to_be_deleted().await.expect(202);
    looked_once(&anh).await;
    for (host, lab) in &hosts {
        let is_gone = async || role_of(host, lab, anh.id()).await.is_none();
        until_delivered(&app, "the membership does not end", is_gone).await;
        assert_eq!(seats(host, lab).await, 1);
        assert_eq!(host.activity_of(lab).await[0], "unshared team", "without the username");
    }
    assert_eq!(datasets(&hosts[0].0, &hosts[0].1).await, ["by-anh"]);
    // Only the history of the teams names the id, as of every former member.
    for region in [Region::Eu, Region::Us] {
        let mut left = Everything::of(&app.living_in(region)).await.name(&id);
        // The directory frees the names of the account, and its replicas follow.
        left.retain(|item| !item.starts_with("account-directory"));
        assert!(left.iter().all(|item| item.contains("\"EVT#")), "{left:?}");
    }
    app.advance(SECOND_LOOK).await;
    crate::privacy::forgotten(&anh).await;
    let left = Everything::of(&app.living_in(Region::Ap)).await.name(&id);
    assert_eq!(left, Vec::<String>::new());
}

#[tokio::test]
async fn owner_of_a_team_elsewhere_keeps_the_account_until_the_team_has_another_owner() {
    const LAB: &str = "lab-holds";
    let app = App::start().await;
    let (una, ewa) = (user(&app, "una-holds", Region::Us).await, user(&app, "ewa-holds", Region::Eu).await);
    una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &ewa, "admin").await;
    assert_eq!(una.ask_to_be_deleted().await.brief(), "409 OWNS_TEAMS");
    una.get("/api/settings").await.expect(200);
    members::transfer(&una, LAB, ewa.id()).await.expect(200);
    takes_places(&una, &[]).await;
    una.ask_to_be_deleted().await.expect(202);
    looked_once(&una).await;
    let is_gone = async || role_of(&ewa, LAB, una.id()).await.is_none();
    until_delivered(&app, "the membership does not end", is_gone).await;
}

#[tokio::test]
async fn place_that_was_reserved_in_vain_does_not_keep_an_account() {
    let app = App::start().await;
    let anh = user(&app, "anh-in-vain", Region::Ap).await;
    let team = WorkspaceId::new(app.now().await, &OsEntropy);
    let place = json!({ "user": anh.id(), "team": team, "region": "eu" });
    let reserved = anh.app.as_region("/internal/regions/owned-teams", place).await.expect(200);
    assert_eq!(reserved.at("/result"), "yes");
    // The team may come to be.
    assert_eq!(anh.ask_to_be_deleted().await.brief(), "409 OWNS_TEAMS");
    later(&anh).await.ask_to_be_deleted().await.expect(202);
}

#[tokio::test]
async fn owner_deletes_a_team_of_another_region_and_gets_the_place_back() {
    const LAB: &str = "lab-erased";
    let app = App::start().await;
    app.stop_clock().await;
    let (una, anh) = (user(&app, "una-erases", Region::Us).await, user(&app, "anh-erases", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    makes_dataset(&una, LAB, "by-una").await;
    assert_eq!(anh.ask_to_delete_team(LAB).await.brief(), "404 NOT_FOUND");
    joins(&una, LAB, &anh, "admin").await;
    assert_eq!(anh.ask_to_delete_team(LAB).await.brief(), "403 FORBIDDEN");
    assert_eq!(una.ask_to_delete_team(LAB).await.brief(), "409 TEAM_HAS_MEMBERS");
    leave(&anh, LAB).await.expect(200);
    let form = json!({ "action": "delete", "confirmationWord": "DELETE", "teamUsername": LAB });
    let begun = una.post_once("/api/gdpr", form.clone(), "the-key").await.expect(202);
    let job = begun.text_at("/jobId");
    assert_eq!(begun.at("/region"), "eu");
    let again = una.by_way_of(Region::Ap).post_once("/api/gdpr", form, "the-key").await.expect(202);
    assert_eq!(again.at("/jobId"), begun.at("/jobId"));
    assert_eq!(una.get(&within("/api/datasets", LAB)).await.brief(), "404 NOT_FOUND");
    takes_places(&una, &[]).await;
    assert_eq!(row(&una, LAB).await, None);
    // The job is in the region of the team, and the user's alone.
    for way in Region::ALL {
        let status = una.by_way_of(way).job_in(&job, Region::Eu).await.expect(200);
        assert_eq!((status.at("/jobId"), status.at("/action")), (&json!(job), &json!("delete")));
        assert_eq!(anh.by_way_of(way).job_in(&job, Region::Eu).await.brief(), "404 NOT_FOUND");
        assert_eq!(una.by_way_of(way).job(&job).await.brief(), "404 NOT_FOUND");
    }
    looked_once(&records_in(&una, Region::Eu)).await;
    app.advance(SECOND_LOOK).await;
    let tokens = una.app.sign_in(&una.email, tests::PASSWORD).await.expect(200);
    let una = Person::new(una.app.clone(), &una.handle, &una.email, &tokens);
    let is_over = async || {
        app.living_in(Region::Eu).try_worker("run-deletion").await;
        una.job_in(&job, Region::Eu).await.expect(200).at("/status") == "completed"
    };
    until_delivered(&app, "the team is not erased", is_over).await;
    let left = Everything::of(&app.living_in(Region::Eu)).await.name(&[team.bare()]);
    // That it was deleted is known for a while, and how many mails it sent that day.
    let expires = |item: &String| item.contains("\"JOBS#") || item.contains("\"RATE#");
    assert!(left.iter().all(expires), "{left:?}");
    una.get("/api/settings").await.expect(200);
    una.ask_to_be_deleted().await.expect(202);
}
