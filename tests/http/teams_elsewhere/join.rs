//! Invitations of people whose home is another region than that of the team.

use futures::future::join;
use tests::Answer;

use super::*;
use crate::{
    emails,
    invitations::{ACCEPT, accept, decline, info, invite, lets_nobody_in, opens_nothing, token},
};

/// A user of `eu` who owns a team there.
async fn host(app: &App, name: &str, lab: &str) -> (Person, WorkspaceId) {
    let host = user(app, name, Region::Eu).await;
    let team = host.found_team_in(lab, Region::Eu).await;
    (host, team)
}

#[tokio::test]
async fn only_a_user_with_the_invited_address_joins() {
    let app = App::start().await;
    let (ewa, _) = host(&app, "ewa-address", "lab-address").await;
    let (anh, una) =
        (user(&app, "anh-address", Region::Ap).await, user(&app, "una-address", Region::Us).await);
    let near = user(&app, "near-address", Region::Eu).await;
    let email = "Anh@Second-Address.example";
    invite(&ewa, "lab-address", email, "editor").await.expect(201);
    let token = token(&app, email).await;
    let is_refused = |answer: Answer| {
        assert_eq!(answer.brief(), "403 INVITATION_ADDRESS_MISMATCH");
        assert!(!answer.text.to_lowercase().contains("second-address"), "{}", answer.text);
    };
    for who in [&anh, &una, &near] {
        for way in Region::ALL {
            is_refused(accept(&who.by_way_of(way), &token).await);
        }
    }
    // An address that waits for its code is not verified.
    let lower = email.to_lowercase();
    let id = emails::add(&anh, &lower).await.expect(201).text_at("/id");
    is_refused(accept(&anh, &token).await);
    let code = emails::code(&app, &lower).await;
    emails::verify(&anh, &id, &code).await.expect(200);
    is_refused(accept(&una, &token).await);
    accept(&anh, &token).await.expect(200);
    lists(&anh, "lab-address", "editor").await;
    opens_nothing(&anh, &token).await;
    // The directory knows whose the address is.
    for address in [&anh.email, &lower] {
        let again = invitations::invite(&ewa, "lab-address", address, "viewer").await;
        assert_eq!(again.brief(), "409 ALREADY_MEMBER", "{address}");
    }
    assert_eq!(member_row(&ewa, "lab-address", &anh).await["role"], "editor");
}

#[tokio::test]
async fn invitation_is_shown_and_accepted_through_every_endpoint() {
    let app = App::start().await;
    let (ewa, team) = host(&app, "ewa-every", "lab-every").await;
    for way in Region::ALL {
        let anh = user(&app, &format!("anh-every-{way}"), Region::Ap).await.by_way_of(way);
        let token = is_invited(&ewa, "lab-every", &anh, "viewer").await;
        let shown = info(&anh.app, &token).await.expect(200);
        let expected = (&json!("lab-every"), &json!("ewa-every"), &json!("viewer"));
        assert_eq!(
            (shown.at("/team/username"), shown.at("/invitedBy/username"), shown.at("/role")),
            expected
        );
        let joined = accept(&anh, &token).await.expect(200);
        let row = json!({
            "userId": team, "username": "lab-every", "fullName": "LAB-EVERY", "plan": "pro", "region": "eu",
            "role": "viewer",
        });
        assert_eq!(joined.body, json!({ "team": row }), "through {way}");
        lists(&anh, "lab-every", "viewer").await;
        let member = member_row(&ewa, "lab-every", &anh).await;
        assert_eq!((&member["invitedBy"], &member["role"]), (&json!(ewa.id()), &json!("viewer")));
    }
}

#[tokio::test]
async fn altered_tokens_of_another_region_open_nothing() {
    let app = App::start().await;
    let (ewa, _) = host(&app, "ewa-tokens", "lab-tokens").await;
    let (other, _) = host(&app, "other-tokens", "lab-others").await;
    let anh = user(&app, "anh-tokens", Region::Ap).await;
    let good = is_invited(&ewa, "lab-tokens", &anh, "viewer").await;
    let others = is_invited(&other, "lab-others", &anh, "viewer").await;
    let parts = |token: &str| token.splitn(5, '_').map(str::to_owned).collect::<Vec<String>>();
    let with = |n: usize, part: &str| {
        let mut parts = parts(&good);
        parts[n] = part.to_owned();
        parts.join("_")
    };
    let others = parts(&others);
    let secret = &parts(&good)[4];
    let altered = if secret.starts_with('A') { "B" } else { "A" }.to_owned() + &secret[1..];
    for wrong in [
        with(1, "us"),
        with(1, "ap"),
        with(1, "xx"),
        with(2, &others[2]),
        with(3, &others[3]),
        with(4, &others[4]),
        with(4, &altered),
        good[..good.len() - 1].to_owned(),
        format!("{good}A"),
    ] {
        opens_nothing(&anh, &wrong).await;
    }
    info(&anh.app, &good).await.expect(200);
    accept(&anh, &good).await.expect(200);
}

#[tokio::test]
async fn invitation_is_declined_before_onboarding_and_without_the_address() {
    let app = App::start().await;
    let (ewa, _) = host(&app, "ewa-declines", "lab-declines").await;
    let anh = user(&app, "anh-declines", Region::Ap).await;
    for (n, home) in Region::ALL.into_iter().enumerate() {
        let token = is_invited(&ewa, "lab-declines", &anh, "viewer").await;
        let stranger = app.living_in(home).newcomer(&format!("new-declines{n}")).await;
        assert_eq!(accept(&stranger, &token).await.brief(), "403 ONBOARDING_REQUIRED");
        let done = decline(&stranger, &token).await.expect(200);
        assert_eq!(done.body, json!({ "declined": true }));
        opens_nothing(&anh, &token).await;
        let rows = members::list(&ewa, "lab-declines").await;
        assert_eq!(rows.len(), 1, "{rows:?}");
        // The history does not tell who declined.
        let history = ewa.get(&within("/api/activity", "lab-declines")).await.expect(200);
        assert!(!history.text.contains(&stranger.id().to_string()), "{}", history.text);
    }
    let lines = ewa.activity_of("lab-declines").await;
    assert_eq!(lines.iter().filter(|line| *line == "cancelled team").count(), 3, "{lines:?}");
}

#[tokio::test]
async fn repeated_requests_join_and_decline_once() {
    let app = App::start().await;
    let (ewa, _) = host(&app, "ewa-twice", "lab-twice").await;
    let (anh, una) = (user(&app, "anh-twice", Region::Ap).await, user(&app, "una-twice", Region::Us).await);
    let (of_anh, of_una) = (
        json!({ "token": is_invited(&ewa, "lab-twice", &anh, "editor").await }),
        json!({ "token": is_invited(&ewa, "lab-twice", &una, "editor").await }),
    );
    let joined = anh.post_once(ACCEPT, of_anh.clone(), "the-key").await.expect(200);
    let declined = una.post_once(invitations::DECLINE, of_una.clone(), "the-key").await.expect(200);
    for way in Region::ALL {
        let again = anh.by_way_of(way).post_once(ACCEPT, of_anh.clone(), "the-key").await.expect(200);
        assert_eq!(again.body, joined.body, "through {way}");
        let una = una.by_way_of(way);
        let again = una.post_once(invitations::DECLINE, of_una.clone(), "the-key").await.expect(200);
        assert_eq!(again.body, declined.body, "through {way}");
    }
    let reused = anh.post_once(ACCEPT, of_una, "the-key").await;
    assert_eq!(reused.brief(), "422 IDEMPOTENCY_KEY_REUSED");
    assert_eq!(anh.post(ACCEPT, of_anh).await.brief(), "422 TOKEN_INVALID");
    let lines = ewa.activity_of("lab-twice").await;
    assert_eq!(lines.iter().filter(|line| line.starts_with("completed team")).count(), 1, "{lines:?}");
    assert_eq!(members::list(&ewa, "lab-twice").await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_that_is_accepted_twice_at_once_makes_one_member() {
    let app = App::start().await;
    for round in 0..crate::many::number("ACCOUNT_TEST_ROUNDS", 5) {
        let lab = format!("lab-at-once{round}");
        let (ewa, _) = host(&app, &format!("ewa-at-once{round}"), &lab).await;
        let anh = user(&app, &format!("anh-at-once{round}"), Region::Ap).await;
        let token = is_invited(&ewa, &lab, &anh, "editor").await;
        let other = anh.by_way_of(Region::Us);
        let (one, other) = join(accept(&anh, &token), accept(&other, &token)).await;
        let mut answers = [one.brief(), other.brief()];
        answers.sort();
        assert_eq!(answers, ["200", "422 TOKEN_INVALID"], "round {round}");
        let listed = ewa.get(&within("/api/members", &lab)).await.expect(200);
        assert_eq!(listed.at("/seatsUsed"), 2, "round {round}");
    }
}

#[tokio::test]
async fn team_without_a_plan_takes_in_nobody_from_elsewhere() {
    let app = App::start().await;
    let (ewa, team) = host(&app, "ewa-lapses", "lab-lapses").await;
    let anh = user(&app, "anh-lapses", Region::Ap).await;
    let token = is_invited(&ewa, "lab-lapses", &anh, "editor").await;
    ewa.stops_paying(team).await;
    assert_eq!(accept(&anh, &token).await.brief(), "403 TEAM_INACTIVE");
    ewa.pays(team).await;
    accept(&anh, &token).await.expect(200);
    lists(&anh, "lab-lapses", "editor").await;
    ewa.stops_paying(team).await;
    let denied = row(&anh, "lab-lapses").await.unwrap();
    assert_eq!((&denied["deniedReason"], &denied["plan"]), (&json!("planInactive"), &json!("free")));
    assert_eq!(anh.get(&within("/api/settings", "lab-lapses")).await.brief(), "403 TEAM_INACTIVE");
}

#[tokio::test]
async fn invitation_by_a_member_from_elsewhere_ends_with_the_membership() {
    let app = App::start().await;
    let (ewa, _) = host(&app, "ewa-sender", "lab-sender").await;
    let (anh, una) = (user(&app, "anh-sender", Region::Ap).await, user(&app, "una-sender", Region::Us).await);
    joins(&ewa, "lab-sender", &anh, "admin").await;
    let token = is_invited(&anh, "lab-sender", &una, "viewer").await;
    let shown = info(&una.app, &token).await.expect(200);
    // The name of a member from another region is not in the region of the team.
    assert_eq!(shown.at("/invitedBy"), &json!({ "username": "anh-sender" }));
    members::remove(&ewa, "lab-sender", anh.id()).await.expect(200);
    lets_nobody_in(&una, &token).await;
}
