//! Invitations to teams: the mail, what its token opens, and the seats.

mod mails;
mod races;
mod senders;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{id::WorkspaceId, role::Role};
use futures::future::join;
use kit::ItemKind;
use reqwest::Method;
use tests::{Answer, App, PASSWORD, Person, Value, json};

use crate::{
    emails,
    mail_blocks::{report, settled},
    many, members,
};

pub const INFO: &str = "/api/invites/info";
pub const ACCEPT: &str = "/api/invites/accept";
pub const DECLINE: &str = "/api/invites/decline";

const DAY: i64 = 86_400;
const VALID: i64 = 14 * DAY;

/// The path of a team's new invitations.
pub fn invite_path(team: &str) -> String {
    format!("/api/members?owner={team}")
}

/// The path that sends an invitation again.
pub fn resend_path(team: &str, id: &str) -> String {
    format!("/api/invites/{id}/resend?owner={team}")
}

/// The path of an invitation.
pub fn cancel_path(team: &str, id: &str) -> String {
    format!("/api/invites/{id}?owner={team}")
}

/// Invites an address.
pub async fn invite(by: &Person, team: &str, email: &str, role: &str) -> Answer {
    by.post(&invite_path(team), json!({ "email": email, "role": role })).await
}

/// Invites an address, and gives the invitation's id.
pub async fn invited(by: &Person, team: &str, email: &str) -> String {
    invite(by, team, email, "editor").await.expect(201).text_at("/inviteId")
}

/// Sends an invitation again.
pub async fn resend(by: &Person, team: &str, id: &str) -> Answer {
    by.post(&resend_path(team, id), json!({})).await
}

/// Cancels an invitation.
pub async fn cancel(by: &Person, team: &str, id: &str) -> Answer {
    by.delete(&cancel_path(team, id)).await
}

/// Shows what a token is about.
pub async fn info(app: &App, token: &str) -> Answer {
    app.send(app.request(Method::GET, INFO).query(&[("token", token)])).await
}

/// Accepts an invitation.
pub async fn accept(who: &Person, token: &str) -> Answer {
    who.post(ACCEPT, json!({ "token": token })).await
}

/// Declines an invitation.
pub async fn decline(who: &Person, token: &str) -> Answer {
    who.post(DECLINE, json!({ "token": token })).await
}

/// The tokens that were mailed to an address, newest first, once there are so many.
pub async fn tokens(app: &App, email: &str, count: usize) -> Vec<String> {
    for n in 1..4_000 {
        let mail = app.mail(email).await;
        let mail = mail.iter().filter(|mail| mail["kind"] == "team-invitation");
        let line = |text: &str| text.lines().find(|line| line.starts_with("ti_")).unwrap().to_owned();
        let tokens: Vec<String> = mail.map(|mail| line(mail["text"].as_str().unwrap())).collect();
        if tokens.len() >= count {
            return tokens;
        }
        app.wait_for_message(n).await;
    }
    panic!("{count} invitations did not come to {email}");
}

/// The newest token that was mailed to an address.
pub async fn token(app: &App, email: &str) -> String {
    tokens(app, email, 1).await.remove(0)
}

/// The same person with a new session.
async fn again(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// Nothing can be done with a token: every answer is the same.
pub async fn opens_nothing(who: &Person, token: &str) {
    let answers = [info(&who.app, token).await, accept(who, token).await, decline(who, token).await];
    for answer in answers {
        assert_eq!(answer.brief(), "422 TOKEN_INVALID", "{token}: {}", answer.text);
        let sentence = "This invitation is not valid any more. Ask for a new one.";
        assert_eq!(answer.text_at("/detail"), sentence);
    }
}

/// Nobody joins with the token of an invitation whose sender may not invite any more.
pub async fn lets_nobody_in(who: &Person, token: &str) {
    for answer in [info(&who.app, token).await, accept(who, token).await] {
        assert_eq!(answer.brief(), "422 TOKEN_INVALID", "{}", answer.text);
    }
}

/// The items of a partition, without their keys' prefixes.
async fn items(app: &App, kind: ItemKind, team: WorkspaceId) -> Vec<Value> {
    let query = app.tables().query().table_name(app.table("workspaces")).consistent_read(true);
    let query = query
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(kind.partition(team)));
    let items = query.send().await.unwrap().items.unwrap_or_default();
    items.into_iter().map(|item| serde_dynamo::from_item(item).unwrap()).collect()
}

/// The numbers of members, of stored invitations, and of seats, which must be the same as both together.
async fn seats(app: &App, team: WorkspaceId) -> (usize, usize) {
    let begins = |items: &[Value], start: &str| {
        items.iter().filter(|item| item["sk"].as_str().unwrap().starts_with(start)).count()
    };
    let invitations = items(app, ItemKind::Invitations, team).await;
    let invited = begins(&invitations, "INVITE#");
    assert_eq!(begins(&invitations, "ADDRESS#"), invited, "one uniqueness item for each invitation");
    let members = items(app, ItemKind::Members, team).await.len();
    let record = items(app, ItemKind::Workspaces, team).await.into_iter().find(|item| item["sk"] == "WS");
    assert_eq!(record.unwrap()["seatsTaken"].as_u64(), Some((members + invited) as u64), "seats taken");
    (members, invited)
}

/// Invites so many.
async fn fill(by: &Person, team: &str, count: usize) -> Vec<String> {
    let mut ids = Vec::new();
    for n in 0..count {
        ids.push(invited(by, team, &format!("{team}.fill{n}@people.example")).await);
    }
    ids
}

#[tokio::test]
async fn invited_stranger_signs_up_and_joins() {
    let app = App::start().await;
    let ada = app.user("ada-invites").await;
    let team = ada.found_team("lab-invites").await;
    let sent = invite(&ada, "lab-invites", "Grace-Joins@people.example", "editor").await.expect(201);
    assert_eq!(
        (sent.at("/invited"), sent.at("/email")),
        (&json!(true), &json!("Grace-Joins@people.example"))
    );
    assert!(sent.text_at("/inviteId").starts_with("inv_"));
    let token = token(&app, "grace-joins@people.example").await;
    let shown = info(&app, &token).await.expect(200);
    assert_eq!(
        shown.body,
        json!({
            "team": { "username": "lab-invites", "fullName": "LAB-INVITES" }, "role": "editor",
            "invitedBy": { "username": "ada-invites", "fullName": "ADA-INVITES" },
            "email": "g***@people.example", "expiresAt": sent.at("/expiresAt"),
        })
    );
    let grace = app.newcomer("grace-joins").await;
    assert_eq!(accept(&grace, &token).await.brief(), "403 ONBOARDING_REQUIRED");
    let form = json!({ "username": "grace-joins", "displayName": "Grace" });
    app.claiming(grace.post("/api/onboarding", form)).await.expect(201);
    let joined = accept(&grace, &format!(" {token}\n")).await.expect(200);
    assert_eq!(joined.text_at("/team/userId"), team.to_string());
    assert_eq!(
        (joined.at("/team/username"), joined.at("/team/role")),
        (&json!("lab-invites"), &json!("editor"))
    );
    grace.get("/api/settings?owner=lab-invites").await.expect(200);
    assert_eq!(members::role_of(&ada, "lab-invites", grace.id()).await.as_deref(), Some("editor"));
    assert_eq!(seats(&app, team).await, (2, 0));
    opens_nothing(&grace, &token).await;
    let history = ada.activity_of("lab-invites").await;
    assert_eq!(history[..2], ["completed team grace-joins", "shared team"]);
    is_known(&ada, "lab-invites", &grace.email).await;
}

#[tokio::test]
async fn only_an_account_with_the_invited_address_joins() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-address").await, app.user("bob-address").await);
    let team = ada.found_team("lab-address").await;
    let email = "Bob@work-address.example";
    invited(&ada, "lab-address", email).await;
    let token = token(&app, email).await;
    let refused = accept(&bob, &token).await;
    assert_eq!(refused.brief(), "403 INVITATION_ADDRESS_MISMATCH");
    assert!(!refused.text.to_lowercase().contains("work-address"), "{}", refused.text);
    // An address that waits for its code is not verified.
    let id = emails::add(&bob, "bob@work-address.example").await.expect(201).text_at("/id");
    assert_eq!(accept(&bob, &token).await.brief(), "403 INVITATION_ADDRESS_MISMATCH");
    let code = emails::code(&app, "bob@work-address.example").await;
    app.claiming(emails::verify(&bob, &id, &code)).await.expect(200);
    accept(&bob, &token).await.expect(200);
    assert_eq!(seats(&app, team).await, (2, 0));
    // The same person is not invited twice, by any address.
    for address in [&bob.email, email, &ada.email] {
        is_known(&ada, "lab-address", address).await;
    }
}

/// The address of a member is not invited. The directory says whose it is, unless its authority is down and the test made the
/// account without it.
async fn is_known(by: &Person, lab: &str, address: &str) {
    if tests::authority_is_up() {
        assert_eq!(invite(by, lab, address, "viewer").await.brief(), "409 ALREADY_MEMBER", "{address}");
    }
}

#[tokio::test]
async fn member_who_is_invited_by_an_address_added_later_keeps_the_role() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-later").await, app.user("bob-later").await);
    let team = ada.found_team("lab-later").await;
    bob.join(team, Role::Viewer).await;
    let email = "bob-later.more@people.example";
    invited(&ada, "lab-later", email).await;
    let token = token(&app, email).await;
    emails::add_verified(&bob, email).await;
    assert_eq!(accept(&bob, &token).await.brief(), "409 ALREADY_MEMBER");
    assert_eq!(members::role_of(&ada, "lab-later", bob.id()).await.as_deref(), Some("viewer"));
    decline(&bob, &token).await.expect(200);
    assert_eq!(seats(&app, team).await, (2, 0));
}

#[tokio::test]
async fn wrong_tokens_open_nothing() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-tokens").await, app.user("bob-tokens").await);
    ada.found_team("lab-tokens").await;
    ada.found_team("lab-others").await;
    invited(&ada, "lab-tokens", &bob.email).await;
    let good = token(&app, &bob.email).await;
    invited(&ada, "lab-others", "somebody-tokens@people.example").await;
    let other = token(&app, "somebody-tokens@people.example").await;
    let parts = |token: &str| token.splitn(5, '_').map(str::to_owned).collect::<Vec<String>>();
    let (good_parts, other_parts) = (parts(&good), parts(&other));
    let with = |n: usize, part: &str| {
        let mut parts = good_parts.clone();
        parts[n] = part.to_owned();
        parts.join("_")
    };
    let secret = &good_parts[4];
    let altered = if secret.starts_with('A') { "B" } else { "A" }.to_owned() + &secret[1..];
    for wrong in [
        String::new(),
        "ti_".to_owned(),
        "nothing".to_owned(),
        "\u{0}".to_owned(),
        "x".repeat(5_000),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
        good.to_uppercase(),
        with(0, "pr"),
        with(1, "xx"),
        with(2, &other_parts[2]),
        with(3, &other_parts[3]),
        with(4, &other_parts[4]),
        with(4, &altered),
    ] {
        opens_nothing(&bob, &wrong).await;
    }
    for body in [json!({}), json!({ "token": 1 }), json!({ "token": null }), json!({ "token": good, "x": 1 })]
    {
        assert_eq!(bob.post(ACCEPT, body).await.brief(), "400 VALIDATION_ERROR");
    }
    info(&app, &good).await.expect(200);
    accept(&bob, &good).await.expect(200);
}

#[tokio::test]
async fn cancelled_and_expired_invitations_end() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-ends").await, app.user("bob-ends").await);
    let team = ada.found_team("lab-ends").await;
    let id = invited(&ada, "lab-ends", &bob.email).await;
    let first = token(&app, &bob.email).await;
    let cancelled = cancel(&ada, "lab-ends", &id).await.expect(200);
    assert_eq!(cancelled.body, json!({ "deleted": true, "inviteId": id }));
    opens_nothing(&bob, &first).await;
    assert_eq!(cancel(&ada, "lab-ends", &id).await.brief(), "404 NOT_FOUND");
    assert_eq!(resend(&ada, "lab-ends", &id).await.brief(), "404 NOT_FOUND");
    for id in ["nothing", "inv_01m858qy4a1ar9by88nhafn40x"] {
        assert_eq!(cancel(&ada, "lab-ends", id).await.brief(), "404 NOT_FOUND");
        assert_eq!(resend(&ada, "lab-ends", id).await.brief(), "404 NOT_FOUND");
    }
    assert_eq!(ada.activity_of("lab-ends").await[0], "cancelled team");
    let id = invited(&ada, "lab-ends", &bob.email).await;
    let second = tokens(&app, &bob.email, 2).await.remove(0);
    opens_nothing(&bob, &first).await;
    app.advance(VALID - 60).await;
    info(&app, &second).await.expect(200);
    app.advance(61).await;
    let (ada, bob) = (again(&ada).await, again(&bob).await);
    opens_nothing(&bob, &second).await;
    assert_eq!(seats(&app, team).await, (1, 1), "the record is still there");
    // It can be sent again, and then it is good for another 14 days.
    resend(&ada, "lab-ends", &id).await.expect(200);
    let third = tokens(&app, &bob.email, 3).await.remove(0);
    opens_nothing(&bob, &second).await;
    accept(&bob, &third).await.expect(200);
}

#[tokio::test]
async fn resent_invitation_ends_the_earlier_token_and_begins_anew() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-resends").await, app.user("bob-resends").await);
    let team = ada.found_team("lab-resends").await;
    let sent = invite(&ada, "lab-resends", &bob.email, "viewer").await.expect(201);
    let (id, first) = (sent.text_at("/inviteId"), token(&app, &bob.email).await);
    app.advance(60).await;
    let resent = resend(&ada, "lab-resends", &id).await.expect(200);
    assert_eq!((resent.at("/invited"), resent.at("/inviteId")), (&json!(true), &json!(id)));
    assert!(resent.text_at("/expiresAt") > sent.text_at("/expiresAt"));
    let second = tokens(&app, &bob.email, 2).await.remove(0);
    opens_nothing(&bob, &first).await;
    assert_eq!(info(&app, &second).await.expect(200).at("/expiresAt"), resent.at("/expiresAt"));
    assert_eq!(seats(&app, team).await, (1, 1));
    accept(&bob, &second).await.expect(200);
    assert_eq!(resend(&ada, "lab-resends", &id).await.brief(), "404 NOT_FOUND");
    assert_eq!(seats(&app, team).await, (2, 0));
}

#[tokio::test]
async fn address_is_invited_once_in_every_spelling() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-spells").await, app.user("bob-spells").await);
    let team = ada.found_team("lab-spells").await;
    invited(&ada, "lab-spells", "Ada@Bücher.example").await;
    invited(&ada, "lab-spells", &bob.email).await;
    let mut refusals = Vec::new();
    for email in ["ada@bücher.example", " ADA@xn--bcher-kva.example ", &bob.email, &bob.email.to_uppercase()]
    {
        let refused = invite(&ada, "lab-spells", email, "viewer").await;
        assert_eq!(refused.brief(), "409 ALREADY_INVITED", "{email}");
        refusals.push(refused.text_at("/detail"));
    }
    // Whether the address has an account makes no difference.
    refusals.dedup();
    assert_eq!(refusals, ["This address is invited already. Send the invitation again or cancel it."]);
    assert_eq!(seats(&app, team).await, (1, 2));
    for (email, role) in [("no address", "viewer"), ("c@people.example", "owner"), ("c@people.example", "x")]
    {
        assert_eq!(invite(&ada, "lab-spells", email, role).await.brief(), "400 VALIDATION_ERROR");
    }
    let personal = ada.post("/api/members", json!({ "email": "c@people.example", "role": "viewer" })).await;
    assert_eq!(personal.brief(), "409 CONFLICT");
}

#[tokio::test]
async fn repeated_requests_invite_and_join_once() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-repeats").await, app.user("bob-repeats").await);
    let team = ada.found_team("lab-repeats").await;
    let form = json!({ "email": bob.email, "role": "admin" });
    let (path, key) = (invite_path("lab-repeats"), "the-key");
    let first = ada.post_once(&path, form.clone(), key).await.expect(201);
    assert_eq!(ada.post_once(&path, form.clone(), key).await.expect(201).body, first.body);
    let token = token(&app, &bob.email).await;
    let joined = bob.post_once(ACCEPT, json!({ "token": token }), key).await.expect(200);
    assert_eq!(bob.post_once(ACCEPT, json!({ "token": token }), key).await.expect(200).body, joined.body);
    assert_eq!(accept(&bob, &token).await.brief(), "422 TOKEN_INVALID");
    // The invitation is used, and the answer is still the one to the first request.
    assert_eq!(ada.post_once(&path, form, key).await.expect(201).at("/inviteId"), first.at("/inviteId"));
    assert_eq!(seats(&app, team).await, (2, 0));
    assert_eq!(app.mail(&bob.email).await.iter().filter(|mail| mail["kind"] == "team-invitation").count(), 1);
}

#[tokio::test]
async fn seats_are_those_of_members_and_pending_invitations() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-seats").await, app.user("bob-seats").await);
    let team = ada.found_team("lab-seats").await;
    let ids = fill(&ada, "lab-seats", 3).await;
    invited(&ada, "lab-seats", &bob.email).await;
    let full = async |ada: &Person| {
        let refused = invite(ada, "lab-seats", "more-seats@people.example", "viewer").await;
        assert_eq!(refused.brief(), "409 SEAT_LIMIT_REACHED");
        assert!(refused.text_at("/detail").contains("(5)"), "{}", refused.text);
    };
    full(&ada).await;
    // A member sits in the seat of the invitation.
    accept(&bob, &token(&app, &bob.email).await).await.expect(200);
    full(&ada).await;
    assert_eq!(seats(&app, team).await, (2, 3));
    // A cancelled invitation frees its seat, and so does a declined one, and a removed member.
    cancel(&ada, "lab-seats", &ids[0]).await.expect(200);
    invited(&ada, "lab-seats", "fourth-seats@people.example").await;
    full(&ada).await;
    let stranger = app.newcomer("stranger-seats").await;
    let mailed = token(&app, "fourth-seats@people.example").await;
    assert_eq!(decline(&stranger, &mailed).await.expect(200).body, json!({ "declined": true }));
    opens_nothing(&bob, &mailed).await;
    invited(&ada, "lab-seats", "fifth-seats@people.example").await;
    full(&ada).await;
    members::remove(&ada, "lab-seats", bob.id()).await.expect(200);
    invited(&ada, "lab-seats", "sixth-seats@people.example").await;
    full(&ada).await;
    assert_eq!(seats(&app, team).await, (1, 4));
    // Expired ones give way: that of the same address, and as many as are needed.
    app.advance(VALID + 1).await;
    let ada = again(&ada).await;
    invited(&ada, "lab-seats", "sixth-seats@people.example").await;
    assert_eq!(seats(&app, team).await, (1, 4));
    invited(&ada, "lab-seats", "seventh-seats@people.example").await;
    assert_eq!(seats(&app, team).await, (1, 4));
    for n in 0..2 {
        invited(&ada, "lab-seats", &format!("more{n}-seats@people.example")).await;
    }
    full(&ada).await;
    // What a stranger declined does not tell who that was.
    let history = items_of_history(&app, team).await;
    assert!(history.contains("declined") && !history.contains(&stranger.id().to_string()), "{history}");
}

/// The stored history of a team, as text.
async fn items_of_history(app: &App, team: WorkspaceId) -> String {
    let query = app.tables().query().table_name(app.table("activity")).consistent_read(true);
    let query = query
        .key_condition_expression("pk = :pk")
        .expression_attribute_values(":pk", AttributeValue::S(ItemKind::Events.partition(team)));
    let items = query.send().await.unwrap().items.unwrap_or_default();
    let items = items.into_iter().map(|item| serde_dynamo::from_item(item).unwrap());
    items.map(|item: Value| item.to_string()).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn inactive_team_invites_and_takes_in_nobody() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-lapses").await, app.user("bob-lapses").await);
    let team = ada.found_team("lab-lapses").await;
    invited(&ada, "lab-lapses", &bob.email).await;
    let token = token(&app, &bob.email).await;
    ada.stops_paying(team).await;
    assert_eq!(accept(&bob, &token).await.brief(), "403 TEAM_INACTIVE");
    let more = invite(&ada, "lab-lapses", "more-lapses@people.example", "viewer").await;
    assert_eq!(more.brief(), "409 SEAT_LIMIT_REACHED");
    ada.pays(team).await;
    accept(&bob, &token).await.expect(200);
}

#[tokio::test]
async fn tables_hold_no_token_and_the_history_no_address() {
    let app = App::start().await;
    let ada = app.user("ada-secret").await;
    let team = ada.found_team("lab-secret").await;
    let email = "grace-secret@people.example";
    let id = invited(&ada, "lab-secret", email).await;
    let first = token(&app, email).await;
    resend(&ada, "lab-secret", &id).await.expect(200);
    let second = tokens(&app, email, 2).await.remove(0);
    for table in ["identity", "workspaces", "activity", "operations"] {
        let scan = app.tables().scan().table_name(app.table(table)).consistent_read(true);
        let mut found = scan.into_paginator().items().send();
        while let Some(item) = found.next().await {
            let item: Value = serde_dynamo::from_item(item.unwrap()).unwrap();
            for token in [&first, &second] {
                let secret = token.splitn(5, '_').last().unwrap();
                assert!(!item.to_string().contains(secret), "{table}");
            }
        }
    }
    let history = items_of_history(&app, team).await;
    assert!(history.contains(&id) && !history.contains("grace-secret"), "{history}");
    cancel(&ada, "lab-secret", &id).await.expect(200);
    assert!(items(&app, ItemKind::Invitations, team).await.is_empty());
}

#[tokio::test]
async fn expired_invitation_is_sent_again_only_if_a_seat_is_free() {
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada-renews").await;
    let team = ada.found_team("lab-renews").await;
    let ids = fill(&ada, "lab-renews", 4).await;
    app.advance(VALID).await;
    let ada = again(&ada).await;
    let terms = json!({ "username": "lab-renews", "plan": "enterprise", "seats": 3 });
    app.as_service(reqwest::Method::POST, crate::provision::PATH, terms).await.expect(200);
    for id in &ids[..2] {
        resend(&ada, "lab-renews", id).await.expect(200);
    }
    assert_eq!(resend(&ada, "lab-renews", &ids[2]).await.brief(), "409 SEAT_LIMIT_REACHED");
    // A pending one keeps its seat.
    resend(&ada, "lab-renews", &ids[0]).await.expect(200);
    cancel(&ada, "lab-renews", &ids[1]).await.expect(200);
    resend(&ada, "lab-renews", &ids[2]).await.expect(200);
    assert_eq!(seats(&app, team).await, (1, 3));
}
