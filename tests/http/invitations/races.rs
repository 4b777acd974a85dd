//! Invitations at the same time: seats are exact, a token works once, and no member joins a team that is deleted.

use super::*;

/// The number of rounds of a race.
const ROUNDS: usize = 10;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn last_seat_goes_to_one_of_two_invitations() {
    let app = App::start().await;
    for round in 0..many::number("ACCOUNT_TEST_ROUNDS", 10) {
        let (owner, name) = (app.user(&format!("ada-last{round}")).await, format!("lab-last{round}"));
        let team = owner.found_team(&name).await;
        fill(&owner, &name, 3).await;
        let [one, other] = ["one", "other"].map(|who| format!("{name}.{who}@people.example"));
        let (one, other) =
            join(invite(&owner, &name, &one, "viewer"), invite(&owner, &name, &other, "viewer")).await;
        let mut answers = [one.brief(), other.brief()];
        answers.sort();
        assert_eq!(answers, ["201", "409 SEAT_LIMIT_REACHED"], "round {round}");
        assert_eq!(seats(&app, team).await, (1, 4), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn link_that_is_accepted_twice_at_once_makes_one_member() {
    let app = App::start().await;
    for round in 0..many::number("ACCOUNT_TEST_ROUNDS", 10) {
        let (owner, name) = (app.user(&format!("ada-twice{round}")).await, format!("lab-twice{round}"));
        let guest = app.user(&format!("bob-twice{round}")).await;
        let team = owner.found_team(&name).await;
        invited(&owner, &name, &guest.email).await;
        let token = token(&app, &guest.email).await;
        let (one, other) = join(accept(&guest, &token), accept(&guest, &token)).await;
        let mut answers = [one.brief(), other.brief()];
        answers.sort();
        assert_eq!(answers, ["200", "422 TOKEN_INVALID"], "round {round}");
        assert_eq!(seats(&app, team).await, (2, 0), "round {round}");
        let history = owner.activity_of(&name).await;
        assert_eq!(history.iter().filter(|line| line.starts_with("completed team")).count(), 1);
    }
}

/// A team is deleted only if it has no other members, also if somebody joins at that moment.
#[tokio::test]
async fn nobody_joins_a_team_that_is_deleted_at_once() {
    let app = App::start().await;
    for round in 0..ROUNDS {
        let [ada, bob] = ["ada", "bob"].map(|name| format!("{name}-at-once{round}"));
        let (ada, bob) = (app.user(&ada).await, app.user(&bob).await);
        let lab = format!("lab-at-once{round}");
        ada.found_team(&lab).await;
        invited(&ada, &lab, &bob.email).await;
        let token = tokens(&app, &bob.email, 1).await.remove(0);
        let (joined, deleted) = join(accept(&bob, &token), ada.ask_to_delete_team(&lab)).await;
        match (joined.status, deleted.status) {
            (200, 409) => assert_eq!(deleted.brief(), "409 TEAM_HAS_MEMBERS"),
            (422, 202) => assert_eq!(joined.brief(), "422 TOKEN_INVALID"),
            _ => panic!("{} {}", joined.text, deleted.text),
        }
    }
}
