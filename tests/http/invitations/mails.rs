//! The mails about teams: what they say, and how many there are.

use super::*;

#[tokio::test]
async fn bounced_address_gets_no_more_invitations() {
    let app = App::start().await;
    let ada = app.user("ada-bounced").await;
    ada.found_team("lab-bounced").await;
    let email = "nobody-bounced@people.example";
    let id = invited(&ada, "lab-bounced", email).await;
    token(&app, email).await;
    report(&app, email, "bounce").await;
    let since = app.last_call().await;
    // The answer does not tell.
    resend(&ada, "lab-bounced", &id).await.expect(200);
    settled(&app, since).await;
    assert_eq!(tokens(&app, email, 1).await.len(), 1);
    assert_eq!(app.sign_up(email).await.brief(), "422 EMAIL_UNDELIVERABLE");
}

#[tokio::test]
async fn hostile_names_add_nothing_to_the_mail() {
    let app = App::start().await;
    let ada = app.user("ada-hostile").await;
    let create = async |handle: &str, name: &str| {
        ada.post("/api/teams/create", json!({ "username": handle, "fullName": name })).await
    };
    for (handle, name) in [("lab-lines", "Lab\nBcc: all@people.example"), ("lab-lines", "Lab\r\nx")] {
        assert_eq!(create(handle, name).await.brief(), "400 VALIDATION_ERROR");
    }
    let markup = "\"Lab\" <script>alert('1')</script> & <a href=x>";
    for (handle, name, shown) in [
        ("lab-markup", markup, format!("{markup} (lab-markup)")),
        ("lab-links", "Win at https://evil.example/now", "lab-links".to_owned()),
        ("lab-domains", "evil.example", "lab-domains".to_owned()),
    ] {
        let team = app.claiming(create(handle, name)).await.expect(201);
        ada.pays(team.text_at("/team/userId").parse().unwrap()).await;
        let email = format!("{handle}-guest@people.example");
        invited(&ada, handle, &email).await;
        let mail = app.mail_of_kind(&email, "team-invitation").await;
        let [subject, text, html] = ["subject", "text", "html"].map(|part| mail[part].as_str().unwrap());
        assert_eq!(subject, format!("Join the team {shown}"));
        let first = format!("ADA-HOSTILE (ada-hostile) invites you to join the team {shown} as an editor.");
        assert_eq!(text.lines().next(), Some(first.as_str()));
        for markup in ["<script", "<a ", "evil"] {
            assert!(!html.contains(markup), "{html}");
        }
        assert!(!text.contains("evil"), "{text}");
    }
}

#[tokio::test]
async fn mails_of_a_team_are_limited_by_day() {
    let app = App::start().await;
    // Not at the end of a day.
    app.stop_clock().await;
    let (ada, bob) = (app.user("ada-floods").await, app.user("bob-floods").await);
    ada.found_team("lab-floods").await;
    bob.found_team("lab-calm").await;
    for n in 0..25 {
        let id = invited(&ada, "lab-floods", &format!("flood{n}-floods@people.example")).await;
        resend(&ada, "lab-floods", &id).await.expect(200);
        cancel(&ada, "lab-floods", &id).await.expect(200);
    }
    let email = "more-floods@people.example";
    let refused = invite(&ada, "lab-floods", email, "viewer").await;
    assert_eq!(refused.brief(), "429 RATE_LIMITED");
    let wait: i64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=DAY).contains(&wait), "{wait}");
    let id = invited(&bob, "lab-calm", email).await;
    for _ in 1..10 {
        resend(&bob, "lab-calm", &id).await.expect(200);
    }
    // The address has had its mails of the day from this team.
    assert_eq!(resend(&bob, "lab-calm", &id).await.brief(), "429 RATE_LIMITED");
    invited(&bob, "lab-calm", "other-floods@people.example").await;
    app.advance(wait).await;
    let (ada, bob) = (again(&ada).await, again(&bob).await);
    invited(&ada, "lab-floods", email).await;
    resend(&bob, "lab-calm", &id).await.expect(200);
}

#[tokio::test]
async fn mails_to_an_address_from_all_teams_are_limited_by_day() {
    let app = App::start().await;
    // Not at the end of a day.
    app.stop_clock().await;
    let email = "everybodys-friend@people.example";
    let ada = app.user("ada-bombs").await;
    for n in 0..4 {
        let team = format!("lab-bombs{n}");
        ada.found_team(&team).await;
        let id = invited(&ada, &team, email).await;
        for _ in 1..10 {
            resend(&ada, &team, &id).await.expect(200);
        }
    }
    ada.found_team("lab-bombs-last").await;
    assert_eq!(invite(&ada, "lab-bombs-last", email, "viewer").await.brief(), "429 RATE_LIMITED");
    invited(&ada, "lab-bombs-last", "somebody-bombs@people.example").await;
}

#[tokio::test]
async fn members_are_told_of_changes_by_mail() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-tells").await, app.user("bob-tells").await);
    let team = ada.found_team("lab-tells").await;
    bob.join(team, Role::Viewer).await;
    let starts = async |to: &Person, kind: &str, line: &str| {
        let mail = app.mail_of_kind(&to.email, kind).await;
        assert!(mail["text"].as_str().unwrap().starts_with(line), "{mail}");
    };
    members::change_role(&ada, "lab-tells", bob.id(), "editor").await.expect(200);
    let said = "Your role in the team LAB-TELLS (lab-tells) was changed. You are an editor now.";
    starts(&bob, "team-role-changed", said).await;
    members::transfer(&ada, "lab-tells", bob.id()).await.expect(200);
    let said = "The ownership of the team LAB-TELLS (lab-tells) was transferred to you.";
    starts(&bob, "team-ownership", said).await;
    members::remove(&bob, "lab-tells", ada.id()).await.expect(200);
    let said = "You were removed from the team LAB-TELLS (lab-tells).";
    starts(&ada, "team-member-removed", said).await;
}
