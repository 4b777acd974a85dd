//! Teams that pass to an owner whose home is another region.

use domain::team::MOST_OWNED;
use futures::future::join;

use super::*;
use crate::members::{leave, role_of, transfer, transfer_path};

#[tokio::test]
async fn transferred_team_takes_the_place_of_the_new_owner_and_frees_the_former() {
    const LAB: &str = "lab-passes";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-passes", Region::Us).await, user(&app, "anh-passes", Region::Ap).await);
    let ewa = user(&app, "ewa-passes", Region::Eu).await;
    let team = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    joins(&una, LAB, &ewa, "editor").await;
    takes_places(&una, &[team]).await;
    // To another region, back, to the region of the team, and to another region again.
    for (from, to) in [(&una, &anh), (&anh, &una), (&una, &ewa), (&ewa, &anh)] {
        transfer(from, LAB, to.id()).await.expect(200);
        takes_places(to, &[team]).await;
        takes_places(from, &[]).await;
        lists(to, LAB, "owner").await;
        lists(from, LAB, "admin").await;
        let owners = members::list(to, LAB).await.into_iter().filter(|row| row["role"] == "owner");
        assert_eq!(owners.map(|row| row["userId"].clone()).collect::<Vec<_>>(), [json!(to.id())]);
        assert_eq!(transfer(from, LAB, from.id()).await.brief(), "403 FORBIDDEN");
        assert_eq!(from.get(&within("/api/api-keys", LAB)).await.brief(), "403 FORBIDDEN");
        to.get(&within("/api/api-keys", LAB)).await.expect(200);
        assert_eq!(leave(to, LAB).await.brief(), "409 OWNER_CANNOT_LEAVE");
    }
    home_knows(&anh, team, json!("owner")).await;
    home_knows(&una, team, json!("admin")).await;
    let lines = anh.activity_of(LAB).await;
    assert_eq!(lines[..2], ["updated team anh-passes", "updated team ewa-passes"]);
}

#[tokio::test]
async fn repeated_transfer_to_another_region_is_made_once() {
    const LAB: &str = "lab-passes-once";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-once", Region::Us).await, user(&app, "anh-once", Region::Ap).await);
    let team = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "viewer").await;
    let form = json!({ "targetUserId": anh.id() });
    let path = transfer_path(LAB);
    let done = una.post_once(&path, form.clone(), "once").await.expect(200);
    for way in Region::ALL {
        let again = una.by_way_of(way).post_once(&path, form.clone(), "once").await.expect(200);
        assert_eq!(again.body, done.body, "through {way}");
    }
    assert_eq!(una.post_once(&path, form, "another").await.brief(), "403 FORBIDDEN");
    takes_places(&anh, &[team]).await;
    takes_places(&una, &[]).await;
    let lines = anh.activity_of(LAB).await;
    assert_eq!(lines.iter().filter(|line| *line == "updated team anh-once").count(), 1, "{lines:?}");
}

#[tokio::test]
async fn owner_of_five_teams_in_all_regions_gets_no_sixth() {
    const LAB: &str = "lab-sixth";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-sixth", Region::Us).await, user(&app, "anh-sixth", Region::Ap).await);
    let sixth = una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "admin").await;
    let mut teams = Vec::new();
    for (n, region) in [Region::Ap, Region::Us, Region::Eu, Region::Ap, Region::Us].into_iter().enumerate() {
        teams.push(anh.found_team_in(&format!("anhs-team-{n}"), region).await);
    }
    takes_places(&anh, &teams).await;
    for _ in 0..2 {
        assert_eq!(transfer(&una, LAB, anh.id()).await.brief(), "403 TEAM_LIMIT_REACHED");
    }
    assert_eq!(role_of(&una, LAB, anh.id()).await.as_deref(), Some("admin"));
    takes_places(&una, &[sixth]).await;
    takes_places(&anh, &teams).await;
    // A team that is given away makes room for another.
    joins(&anh, "anhs-team-1", &una, "viewer").await;
    transfer(&anh, "anhs-team-1", una.id()).await.expect(200);
    let given = teams.remove(1);
    takes_places(&anh, &teams).await;
    transfer(&una, LAB, anh.id()).await.expect(200);
    teams.push(sixth);
    takes_places(&anh, &teams).await;
    takes_places(&una, &[given]).await;
    assert_eq!(anh.ask_for_team_in("one-too-many", Region::Eu).await.brief(), "403 TEAM_LIMIT_REACHED");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_place_goes_to_a_transfer_or_to_a_new_team() {
    let app = App::start().await;
    for round in 0..crate::many::number("ACCOUNT_TEST_ROUNDS", 3) {
        let lab = format!("lab-last{round}");
        let una = user(&app, &format!("una-last{round}"), Region::Us).await;
        let anh = user(&app, &format!("anh-last{round}"), Region::Ap).await;
        una.found_team_in(&lab, Region::Eu).await;
        joins(&una, &lab, &anh, "admin").await;
        for n in 1..MOST_OWNED {
            anh.create_team(&format!("anhs-last{round}-{n}")).await;
        }
        let new = format!("new-last{round}");
        let both = join(transfer(&una, &lab, anh.id()), anh.ask_for_team_in(&new, Region::Us)).await;
        let answers = [both.0.brief(), both.1.brief()];
        let allowed = ["200", "201", "403 TEAM_LIMIT_REACHED", "503 UNAVAILABLE"];
        assert!(answers.iter().all(|brief| allowed.contains(&brief.as_str())), "{round}: {answers:?}");
        assert!(answers != ["200", "201"], "{round}: the user owns six teams");
        assert!(places(&anh).await.len() <= MOST_OWNED, "{round}");
        // The one who lost tries again: there is one place at most.
        app.advance(121).await;
        let owner = role_of(&anh, &lab, anh.id()).await;
        let again = if owner.as_deref() == Some("owner") {
            anh.ask_for_team_in(&new, Region::Us).await
        } else {
            anh.ask_for_team_in(&new, Region::Us).await;
            transfer(&una, &lab, anh.id()).await
        };
        assert_eq!(again.brief(), "403 TEAM_LIMIT_REACHED", "{round}: after {answers:?}");
        assert_eq!(places(&anh).await.len(), MOST_OWNED, "{round}");
    }
}

#[tokio::test]
async fn owner_elsewhere_who_is_removed_as_a_member_keeps_the_own_teams() {
    const LAB: &str = "lab-keeps";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-keeps", Region::Us).await, user(&app, "anh-keeps", Region::Ap).await);
    una.found_team_in(LAB, Region::Eu).await;
    let own = anh.found_team_in("lab-of-anh", Region::Eu).await;
    joins(&una, LAB, &anh, "admin").await;
    members::remove(&una, LAB, anh.id()).await.expect(200);
    takes_places(&anh, &[own]).await;
    assert_eq!(row(&anh, LAB).await, None);
    lists(&anh, "lab-of-anh", "owner").await;
}
