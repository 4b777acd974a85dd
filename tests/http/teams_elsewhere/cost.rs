//! The cost of requests about teams with members from several regions, counted in calls and units.

use domain::{handle::Handle, role::Role, team::TeamMember};

use super::*;
use crate::many;

/// The number of members, and of those on a page.
const MEMBERS: usize = 10_000;
const PAGE: usize = 200;

/// The calls and the read units of the functions that a page of members takes.
async fn cost(app: &App, since: u64) -> (usize, f64) {
    let mut calls = app.calls(since).await;
    calls.retain(|call| call["function"] == "members-list" || call["function"] == "region-people");
    let units = calls.iter().map(|call| call["capacity"]["read"].as_f64().unwrap_or(0.0));
    (calls.len(), units.sum())
}

/// Writes members of the home and of another region, in turns: half of them before the owner, in the order of the ids.
async fn plant_members(app: &App, team: WorkspaceId, count: usize) {
    let joined_at = app.now().await;
    let items = (0..count).map(|n| {
        let first = if n < count / 2 { 0 } else { 7 };
        let member = TeamMember {
            user: format!("user_{first}{n:025}").parse().unwrap(),
            role: Role::Viewer,
            handle: Handle::parse(&format!("planted-{n}")).unwrap(),
            region: if n.is_multiple_of(2) { Region::Eu } else { Region::Ap },
            joined_at,
            invited_by: None,
            changes: 0,
        };
        let mut item = serde_json::to_value(&member).unwrap();
        item["pk"] = ItemKind::Members.partition(team).into();
        item["sk"] = format!("MEMBER#{}", member.user).into();
        item
    });
    many::put_all(app, "workspaces", items).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the point: run with --nocapture")]
async fn last_page_of_ten_thousand_members_costs_as_much_as_the_first() {
    let app = App::start().await.living_in(Region::Eu);
    let ewa = app.user("ewa-of-many").await;
    let team = ewa.found_team("lab-of-many").await;
    let planted = many::number("ACCOUNT_TEST_MEMBERS", MEMBERS) - 1;
    plant_members(&app, team, planted).await;
    let (mut costs, mut seen, mut cursor) = (Vec::new(), BTreeSet::new(), String::new());
    // The first request of a container reads secrets.
    members::list(&ewa, "lab-of-many").await;
    loop {
        let before = app.last_call().await;
        let path = format!("/api/members?owner=lab-of-many&limit={PAGE}{cursor}");
        let page = ewa.get(&path).await.expect(200);
        costs.push(cost(&app, before).await);
        let rows = page.at("/members").as_array().unwrap();
        seen.extend(rows.iter().map(|row| row["userId"].as_str().unwrap().to_owned()));
        let Some(next) = page.at("/nextCursor").as_str() else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(seen.len(), planted + 1);
    let (first, last) = (costs[0], costs[costs.len() - 1]);
    println!(
        "{} pages of {PAGE}: the first takes {first:?} calls and read units, the last {last:?}",
        costs.len()
    );
    let (least, most) = (first.1.min(last.1), first.1.max(last.1));
    assert!(least > 0.0 && most <= 1.1 * least, "{costs:?}");
    let (least, most) = (first.0.min(last.0), first.0.max(last.0));
    assert!(10 * most <= 11 * least, "{costs:?}");
}

#[tokio::test]
async fn membership_of_a_member_from_elsewhere_is_read_once_where_the_team_is() {
    const LAB: &str = "lab-reads-once";
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-reads", Region::Us).await, user(&app, "anh-reads", Region::Ap).await);
    una.found_team_in(LAB, Region::Eu).await;
    joins(&una, LAB, &anh, "editor").await;
    for (path, function) in [
        ("/api/datasets", "resources-list"),
        ("/api/activity", "activity-list"),
        ("/api/storage", "storage-read"),
    ] {
        let path = within(path, LAB);
        // The first request of a container reads secrets.
        anh.get(&path).await.expect(200);
        let before = app.last_call().await;
        anh.get(&path).await.expect(200);
        let calls = app.calls_of(function, before).await;
        let is_about_members = |call: &&Value| call["needs"].to_string().contains(ItemKind::Members.prefix());
        let of = |region: Region| {
            let calls = calls.iter().filter(move |call| call["home"] == region.aws());
            calls.filter(is_about_members).map(|call| call["operation"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(of(Region::Eu), ["BatchGetItem"], "{function}: {calls:?}");
        assert_eq!(of(Region::Us), Vec::<Value>::new(), "{function}");
        // No region is asked for anything. A message about an earlier change may be on its way.
        let mut others = app.calls(before).await;
        others.retain(|call| {
            let function = call["function"].as_str().unwrap();
            function.starts_with("region-") && function != "region-memberships"
        });
        assert!(others.is_empty(), "{others:?}");
    }
}

#[tokio::test]
async fn lists_ask_only_regions_where_the_user_has_teams() {
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-asks", Region::Us).await, user(&app, "anh-asks", Region::Ap).await);
    let asked = async || {
        teams_of(&anh).await;
        let before = app.last_call().await;
        teams_of(&anh).await;
        let calls = app.calls_of("region-teams", before).await;
        calls.iter().map(|call| call["home"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(asked().await, Vec::<String>::new());
    for n in 0..3 {
        let lab = format!("lab-asks-{n}");
        una.found_team_in(&lab, Region::Eu).await;
        joins(&una, &lab, &anh, "viewer").await;
        lists(&anh, &lab, "viewer").await;
        // One read for all teams of a region.
        assert_eq!(asked().await, [Region::Eu.aws()]);
    }
}
