//! The senders of invitations: which roles they may give, and the end of their invitations with that right.

use super::*;

#[tokio::test]
async fn roles_limit_whom_a_member_invites() {
    let app = App::start().await;
    let ada = app.user("ada-roles").await;
    let team = ada.found_team("lab-roles").await;
    let mut mates = Vec::new();
    for role in [Role::Viewer, Role::Editor, Role::Admin] {
        let mate = app.user(&format!("{}-roles", role.as_str())).await;
        mate.join(team, role).await;
        mates.push(mate);
    }
    let [viewer, editor, admin] = mates.try_into().unwrap_or_else(|_| panic!("three"));
    let of_editor = invited(&ada, "lab-roles", "one-roles@people.example").await;
    for mate in [&viewer, &editor] {
        for refused in [
            invite(mate, "lab-roles", "two-roles@people.example", "viewer").await,
            resend(mate, "lab-roles", &of_editor).await,
            cancel(mate, "lab-roles", &of_editor).await,
        ] {
            assert_eq!(refused.brief(), "403 FORBIDDEN");
        }
    }
    resend(&admin, "lab-roles", &of_editor).await.expect(200);
    cancel(&admin, "lab-roles", &of_editor).await.expect(200);
    assert_eq!(
        invite(&admin, "lab-roles", "two-roles@people.example", "admin").await.brief(),
        "403 FORBIDDEN"
    );
    let of_admin = invite(&ada, "lab-roles", "two-roles@people.example", "admin").await.expect(201);
    let of_admin = of_admin.text_at("/inviteId");
    for refused in
        [resend(&admin, "lab-roles", &of_admin).await, cancel(&admin, "lab-roles", &of_admin).await]
    {
        assert_eq!(refused.brief(), "403 FORBIDDEN");
    }
    resend(&ada, "lab-roles", &of_admin).await.expect(200);
    let stranger = app.user("stranger-roles").await;
    for refused in [
        invite(&stranger, "lab-roles", "three-roles@people.example", "viewer").await,
        resend(&stranger, "lab-roles", &of_admin).await,
        cancel(&stranger, "lab-roles", &of_admin).await,
    ] {
        assert_eq!(refused.brief(), "404 NOT_FOUND");
    }
    cancel(&ada, "lab-roles", &of_admin).await.expect(200);
}

#[tokio::test]
async fn invitation_ends_when_its_sender_leaves_or_is_removed() {
    let app = App::start().await;
    let ada = app.user("ada-senders").await;
    let team = ada.found_team("lab-senders").await;
    for (n, leaves) in [(0, true), (1, false)] {
        let (admin, guest) =
            (app.user(&format!("admin{n}-senders")).await, app.user(&format!("guest{n}-senders")).await);
        admin.join(team, Role::Admin).await;
        invited(&admin, "lab-senders", &guest.email).await;
        let token = token(&app, &guest.email).await;
        info(&app, &token).await.expect(200);
        if leaves {
            members::leave(&admin, "lab-senders").await.expect(200);
        } else {
            members::remove(&ada, "lab-senders", admin.id()).await.expect(200);
        }
        lets_nobody_in(&guest, &token).await;
        assert_eq!(members::role_of(&ada, "lab-senders", guest.id()).await, None);
    }
}

#[tokio::test]
async fn invitation_ends_when_its_sender_may_not_give_the_role_any_more() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-demoted").await, app.user("bob-demoted").await);
    let team = ada.found_team("lab-demoted").await;
    bob.join(team, Role::Admin).await;
    let (one, other) = (app.user("one-demoted").await, app.user("other-demoted").await);
    invite(&ada, "lab-demoted", &one.email, "admin").await.expect(201);
    invite(&bob, "lab-demoted", &other.email, "viewer").await.expect(201);
    let (of_ada, of_bob) = (token(&app, &one.email).await, token(&app, &other.email).await);
    // An editor invites nobody.
    members::change_role(&ada, "lab-demoted", bob.id(), "editor").await.expect(200);
    lets_nobody_in(&other, &of_bob).await;
    info(&app, &of_ada).await.expect(200);
    // The former owner is an admin, who invites no other admin.
    members::transfer(&ada, "lab-demoted", bob.id()).await.expect(200);
    lets_nobody_in(&one, &of_ada).await;
}

#[tokio::test]
async fn sender_is_a_member_already() {
    let app = App::start().await;
    let ada = app.user("ada-invites-herself").await;
    let team = ada.found_team("lab-herself").await;
    let email = "second-herself@people.example";
    let id = invited(&ada, "lab-herself", email).await;
    let token = tokens(&app, email, 1).await.remove(0);
    let address = emails::add(&ada, email).await.expect(201).text_at("/id");
    let code = emails::code(&app, email).await;
    app.claiming(emails::verify(&ada, &address, &code)).await.expect(200);
    assert_eq!(accept(&ada, &token).await.brief(), "409 ALREADY_MEMBER");
    cancel(&ada, "lab-herself", &id).await.expect(200);
    assert_eq!(seats(&app, team).await, (1, 0));
}
