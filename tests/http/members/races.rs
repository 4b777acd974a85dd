//! Changes of members at the same time: one owner, and nobody acts who lost the role.

use super::*;

fn rounds() -> usize {
    many::number("ACCOUNT_TEST_ROUNDS", 10)
}

#[tokio::test]
async fn two_admins_cannot_remove_each_other() {
    let app = App::start().await;
    let ada = app.user("ada-duel").await;
    let team = ada.found_team("team-duel").await;
    let bob = member(&app, "bob-duel", team, Role::Admin).await;
    let eve = member(&app, "eve-duel", team, Role::Admin).await;
    let both = join(remove(&bob, "team-duel", eve.id()), remove(&eve, "team-duel", bob.id())).await;
    assert_eq!([both.0.brief(), both.1.brief()], ["403 FORBIDDEN", "403 FORBIDDEN"]);
    assert_eq!(stored(&app, team).await.members.len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn admin_who_is_removed_meanwhile_changes_nothing_afterwards() {
    let app = App::alone().await;
    let ada = app.user("ada-meanwhile").await;
    let team = ada.found_team("team-meanwhile").await;
    let (bob, eve) = (app.user("bob-meanwhile").await, app.user("eve-meanwhile").await);
    for n in 0..rounds() {
        for (who, role) in [(&bob, Role::Admin), (&eve, Role::Editor)] {
            if stored(&app, team).await.role(who).is_none() {
                who.join(team, role).await;
            }
        }
        let both = join(remove(&ada, "team-meanwhile", bob.id()), remove(&bob, "team-meanwhile", eve.id()));
        let (by_owner, by_admin) = both.await;
        by_owner.expect(200);
        assert!([200, 404].contains(&by_admin.status), "{n}: {}", by_admin.text);
        let stored = stored(&app, team).await;
        assert_eq!(stored.role(&bob), None);
        assert_eq!(stored.role(&eve).is_none(), by_admin.status == 200, "{n}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn team_whose_new_owner_leaves_meanwhile_keeps_one_owner() {
    const TEAM: &str = "team-leaving";
    let app = App::alone().await;
    let (mut owner, mut mate) = (app.user("ada-leaving").await, app.user("bob-leaving").await);
    let team = owner.found_team(TEAM).await;
    mate.join(team, Role::Editor).await;
    for n in 0..rounds() {
        let (transferred, left) = join(transfer(&owner, TEAM, mate.id()), leave(&mate, TEAM)).await;
        let stored = stored(&app, team).await;
        match (transferred.brief().as_str(), left.brief().as_str()) {
            ("200", "409 OWNER_CANNOT_LEAVE") => {
                assert_eq!((stored.role(&owner), stored.role(&mate)), (Some("admin"), Some("owner")), "{n}");
                (owner, mate) = (mate, owner);
            }
            ("404 NOT_FOUND", "200") => {
                assert_eq!((stored.role(&owner), stored.role(&mate)), (Some("owner"), None), "{n}");
                mate.join(team, Role::Editor).await;
            }
            others => panic!("{n}: {others:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn team_whose_new_owner_is_removed_meanwhile_keeps_one_owner() {
    const TEAM: &str = "team-removing";
    let app = App::alone().await;
    let (mut owner, mut mate) = (app.user("ada-removing").await, app.user("bob-removing").await);
    let team = owner.found_team(TEAM).await;
    let admin = member(&app, "eve-removing", team, Role::Admin).await;
    mate.join(team, Role::Editor).await;
    for n in 0..rounds() {
        let both = join(transfer(&owner, TEAM, mate.id()), remove(&admin, TEAM, mate.id())).await;
        let stored = stored(&app, team).await;
        assert_eq!(stored.role(&admin), Some("admin"), "{n}");
        match (both.0.brief().as_str(), both.1.brief().as_str()) {
            ("200", "403 FORBIDDEN") => {
                assert_eq!((stored.role(&owner), stored.role(&mate)), (Some("admin"), Some("owner")), "{n}");
                (owner, mate) = (mate, owner);
                // So that the admin may remove the next one too.
                change_role(&owner, TEAM, mate.id(), "editor").await.expect(200);
            }
            ("404 NOT_FOUND", "200") => {
                assert_eq!((stored.role(&owner), stored.role(&mate)), (Some("owner"), None), "{n}");
                mate.join(team, Role::Editor).await;
            }
            others => panic!("{n}: {others:?}"),
        }
    }
}
