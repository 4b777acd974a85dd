//! The list of members.

use super::*;

#[tokio::test]
async fn pages_of_members_show_each_member_once() {
    const COUNT: usize = 120;
    let app = App::start().await;
    let ada = app.user("ada-pages").await;
    let team = ada.found_team("team-pages").await;
    let joined_at: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let prefix = &SOME_ULID[..SOME_ULID.len() - 4];
    let items = (0..COUNT).map(|n| {
        let member = TeamMember {
            user: format!("user_{prefix}{n:04}").parse().unwrap(),
            role: Role::Viewer,
            handle: Handle::parse(&format!("page-member{n}")).unwrap(),
            region: app.home(),
            joined_at,
            invited_by: Some(ada.id()),
            changes: 0,
        };
        let mut item = serde_json::to_value(&member).unwrap();
        item["pk"] = ItemKind::Members.partition(team).into();
        item["sk"] = format!("MEMBER#{}", member.user).into();
        item
    });
    many::put_all(&app, "workspaces", items).await;
    for (limit, lengths) in [(50, vec![50, 50, 21]), (200, vec![121]), (121, vec![121])] {
        let (mut pages, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/members?owner=team-pages&limit={limit}{cursor}");
            let page = ada.get(&path).await.expect(200);
            pages.push(page.at("/members").as_array().cloned().unwrap());
            let Some(next) = page.at("/nextCursor").as_str() else { break };
            assert!(page.header("link").unwrap().contains(next));
            cursor = format!("&cursor={next}");
        }
        assert_eq!(pages.iter().map(Vec::len).collect::<Vec<_>>(), lengths, "{limit}");
        let rows = pages.iter().flatten();
        let ids: Vec<&str> = rows.map(|row| row["userId"].as_str().unwrap()).collect();
        assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), COUNT + 1);
        assert!(ids.is_sorted());
    }
    for bad in ["limit=0", "limit=201", "page=2"] {
        let answer = ada.get(&format!("/api/members?owner=team-pages&{bad}")).await;
        assert_eq!(answer.brief(), "400 VALIDATION_ERROR", "{bad}");
    }
    let foreign = ada.get("/api/members?owner=team-pages&cursor=AAAA").await;
    assert_eq!(foreign.brief(), "400 BAD_REQUEST");
}

#[tokio::test]
async fn list_shows_members_invitations_and_seats() {
    let app = App::start().await;
    let ada = app.user("ada-lists").await;
    let team = ada.found_team("team-lists").await;
    let bob = member(&app, "bob-lists", team, Role::Viewer).await;
    for email in ["first@people.example", "second@people.example"] {
        let form = json!({ "email": email, "role": "editor" });
        ada.post("/api/members?owner=team-lists", form).await.expect(201);
    }
    let listed = ada.get("/api/members?owner=team-lists").await.expect(200);
    let numbers = ["/maxSeats", "/seatsUsed", "/seatsAvailable"].map(|at| listed.at(at).clone());
    assert_eq!(numbers, [json!(5), json!(4), json!(1)]);
    let rows = listed.at("/members").as_array().unwrap();
    let statuses: Vec<&str> = rows.iter().map(|row| row["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["pending", "pending", "active", "active"]);
    assert_eq!(
        (&rows[0]["email"], &rows[1]["email"]),
        (&json!("first@people.example"), &json!("second@people.example"))
    );
    assert_eq!((&rows[0]["role"], &rows[0]["invitedBy"]), (&json!("editor"), &json!(ada.id())));
    let present = |row: &Value, names: &[&str]| names.iter().all(|name| row.get(name).is_some());
    assert!(present(&rows[0], &["inviteId", "inviteCreatedAt", "inviteExpiresAt"]), "{}", rows[0]);
    assert!(!["userId", "joinedAt"].iter().any(|name| rows[0].get(name).is_some()), "{}", rows[0]);
    let own = rows.iter().find(|row| row["userId"] == json!(bob.id())).unwrap();
    assert_eq!((&own["username"], &own["email"]), (&json!("bob-lists"), &json!(bob.email)));
    assert!(present(own, &["joinedAt"]) && own.get("inviteId").is_none(), "{own}");
    // Only who can cancel an invitation sees its address.
    let masked = list(&bob, "team-lists").await;
    assert_eq!(masked[0]["email"], "f***@people.example");
    // Invitations take no place on a page of members, and stand on the first one only.
    let first = ada.get("/api/members?owner=team-lists&limit=1").await.expect(200);
    assert_eq!(first.at("/members").as_array().unwrap().len(), 3);
    let next = format!("/api/members?owner=team-lists&limit=1&cursor={}", first.text_at("/nextCursor"));
    let second = ada.get(&next).await.expect(200);
    assert_eq!(second.at("/members").as_array().unwrap().len(), 1);
    assert!(second.at("/nextCursor").is_null());
    assert_eq!(second.at("/seatsUsed"), &json!(4));
    // Expired invitations take no seat.
    app.advance(14 * 86_400 + 1).await;
    let listed = again(&ada).await.get("/api/members?owner=team-lists").await.expect(200);
    assert_eq!(listed.at("/members").as_array().unwrap().len(), 2);
    assert_eq!((listed.at("/seatsUsed"), listed.at("/seatsAvailable")), (&json!(2), &json!(3)));
}
