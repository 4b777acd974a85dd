//! Teams in another region than the home of their owner, and the five places for owned teams in all regions.

use domain::team::MOST_OWNED;
use futures::future::join_all;
use tests::Answer;

use super::*;
use crate::teams::is_available;

/// Calls of `teams-create` in `eu` fail when they create the team.
async fn fails_to_create(app: &App, kind: &str) {
    let fault = json!({
        "service": "dynamodb", "operation": "TransactWriteItems", "function": "teams-create", "region": "eu",
        "kind": kind, "times": 0,
    });
    app.faults(json!([fault])).await;
}

/// Somebody of `us` who owns all teams but one.
async fn owner_of_four(app: &App, name: &str) -> (Person, Vec<WorkspaceId>) {
    let owner = user(app, name, Region::Us).await;
    let mut teams = Vec::new();
    for n in 1..MOST_OWNED {
        teams.push(owner.create_team(&format!("{name}-{n}")).await);
    }
    (owner, teams)
}

fn id_of(made: &Answer) -> WorkspaceId {
    made.text_at("/team/userId").parse().unwrap()
}

#[tokio::test]
async fn created_team_is_in_the_chosen_region() {
    let app = App::start().await;
    for (home, region) in [
        (Region::Us, Region::Eu),
        (Region::Ap, Region::Us),
        (Region::Eu, Region::Ap),
        (Region::Ap, Region::Ap),
    ] {
        let owner = user(&app, &format!("owner-{home}-{region}"), home).await;
        let lab = format!("lab-{home}-{region}");
        let made = owner.ask_for_team_in(&lab, region).await.expect(201);
        let team = id_of(&made);
        let row = json!({
            "userId": team, "username": lab, "fullName": lab.to_uppercase(), "plan": "free", "region": region,
            "role": "owner",
        });
        assert_eq!(made.body, json!({ "team": row }));
        lists(&owner, &lab, "owner").await;
        assert_eq!(teams_of(&owner).await, [row]);
        takes_places(&owner, &[team]).await;
        app.replicated().await;
        assert_eq!(owner.activity_of(&lab).await, [format!("created team {lab}")]);
        assert_eq!(owner.activity().await.len(), 1, "onboarding");
        let members = members::list(&owner, &lab).await;
        assert_eq!(members.len(), 1);
        assert_eq!((&members[0]["role"], &members[0]["email"]), (&json!("owner"), &json!(owner.email)));
        for way in Region::ALL {
            owner.by_way_of(way).get(&within("/api/settings", &lab)).await.expect(200);
            let profile = app.by_way_of(way).get(&format!("/api/users?username={lab}")).await.expect(200);
            assert_eq!(profile.at("/user/accountType"), "team");
        }
        assert!(!is_available(&app, &lab).await);
    }
}

#[tokio::test]
async fn team_is_created_through_every_endpoint() {
    let app = App::start().await;
    let una = user(&app, "una-ways", Region::Us).await;
    for way in Region::ALL {
        let lab = format!("lab-ways-{way}");
        let made = una.by_way_of(way).ask_for_team_in(&lab, Region::Eu).await.expect(201);
        assert_eq!(made.at("/team/region"), "eu");
        lists(&una, &lab, "owner").await;
    }
}

#[tokio::test]
async fn taken_handles_and_unknown_regions_are_refused() {
    let app = App::start().await;
    let (una, anh) = (user(&app, "una-taken", Region::Us).await, user(&app, "anh-taken", Region::Ap).await);
    una.found_team_in("lab-taken", Region::Eu).await;
    for region in Region::ALL {
        for taken in ["lab-taken", "una-taken", "anh-taken"] {
            for who in [&una, &anh] {
                let refused = who.ask_for_team_in(taken, region).await;
                assert_eq!(refused.brief(), "409 USERNAME_TAKEN", "{taken} in {region}");
            }
        }
    }
    for region in [json!("mars"), json!("EU"), json!(1), json!("")] {
        let form = json!({ "username": "lab-of-mars", "fullName": "Lab", "region": region });
        let refused = anh.post("/api/teams/create", form).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{region}");
        assert!(refused.complaints().starts_with("region "), "{region}: {}", refused.text);
    }
    let newcomer = app.living_in(Region::Ap).newcomer("new-taken").await;
    let refused = newcomer.ask_for_team_in("lab-of-mars", Region::Eu).await;
    assert_eq!(refused.brief(), "403 ONBOARDING_REQUIRED");
    assert!(is_available(&app, "lab-of-mars").await);
    assert_eq!(teams_of(&anh).await, Vec::<Value>::new());
    assert_eq!(places(&anh).await.len(), 0);
}

#[tokio::test]
async fn repeated_request_answers_with_the_same_team() {
    let app = App::start().await;
    let una = user(&app, "una-repeats", Region::Us).await;
    let create = async |handle: &str, way: Region| {
        let form = json!({ "username": handle, "fullName": "Again", "region": "eu" });
        una.by_way_of(way).post_once("/api/teams/create", form, "the-key").await
    };
    let first = create("lab-repeated", Region::Us).await.expect(201);
    for way in Region::ALL {
        assert_eq!(create("lab-repeated", way).await.expect(201).body, first.body, "through {way}");
    }
    assert_eq!(create("lab-another", Region::Us).await.brief(), "422 IDEMPOTENCY_KEY_REUSED");
    lists(&una, "lab-repeated", "owner").await;
    app.replicated().await;
    assert_eq!(una.activity_of("lab-repeated").await, ["created team lab-repeated"]);
    takes_places(&una, &[id_of(&first)]).await;
    // Without the key, the username is taken: by the caller's own team.
    let taken = una.ask_for_team_in("lab-repeated", Region::Eu).await;
    assert_eq!(taken.brief(), "409 USERNAME_TAKEN");
}

#[tokio::test]
async fn five_teams_over_all_regions_are_the_most() {
    let app = App::start().await;
    let una = user(&app, "una-most", Region::Us).await;
    let mut teams = Vec::new();
    for (n, region) in [Region::Us, Region::Eu, Region::Ap, Region::Us, Region::Eu].into_iter().enumerate() {
        teams.push(una.found_team_in(&format!("lab-most-{n}"), region).await);
    }
    for region in Region::ALL {
        let refused = una.ask_for_team_in("one-too-many", region).await;
        assert_eq!(refused.brief(), "403 TEAM_LIMIT_REACHED", "{region}");
        assert!(is_available(&app, "one-too-many").await, "a refused team reserves no username");
    }
    // Teams in which the user is only a member take no place.
    let ewa = user(&app, "ewa-most", Region::Eu).await;
    ewa.found_team_in("lab-of-ewa", Region::Eu).await;
    joins(&ewa, "lab-of-ewa", &una, "admin").await;
    lists(&una, "lab-of-ewa", "admin").await;
    assert_eq!(places(&una).await.len(), MOST_OWNED);
    // A deleted team in another region gives its place to one in a third region.
    una.ask_to_delete_team("lab-most-1").await.expect(202);
    teams.remove(1);
    takes_places(&una, &teams).await;
    teams.push(una.found_team_in("room-again", Region::Ap).await);
    let refused = una.ask_for_team_in("one-too-many", Region::Eu).await;
    assert_eq!(refused.brief(), "403 TEAM_LIMIT_REACHED");
    takes_places(&una, &teams).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn teams_created_in_two_regions_at_once_are_exactly_five() {
    let app = App::start().await;
    let una = user(&app, "una-races", Region::Us).await;
    let regions = [Region::Eu, Region::Ap];
    let wanted: Vec<(String, Region)> =
        (0..MOST_OWNED).flat_map(|n| regions.map(|region| (format!("raced-{region}-{n}"), region))).collect();
    let answers = join_all(wanted.iter().map(|(handle, region)| una.ask_for_team_in(handle, *region))).await;
    let allowed = ["201", "403 TEAM_LIMIT_REACHED", "503 UNAVAILABLE"];
    assert!(answers.iter().all(|answer| allowed.contains(&answer.brief().as_str())), "{answers:?}");
    let created = answers.iter().filter(|answer| answer.status == 201).count();
    assert!((1..=MOST_OWNED).contains(&created), "{created}");
    if answers.iter().all(|answer| answer.status != 503) {
        assert_eq!(created, MOST_OWNED);
    }
    // Those that gave way are repeated. What they reserved is free by then.
    let una = later(&una).await;
    for (handle, region) in &wanted {
        let again = una.ask_for_team_in(handle, *region).await;
        let allowed = ["201", "403 TEAM_LIMIT_REACHED", "409 USERNAME_TAKEN"];
        assert!(allowed.contains(&again.brief().as_str()), "{}", again.text);
    }
    let has_five = async || teams_of(&una).await.len() == MOST_OWNED;
    until_delivered(&app, "the list does not have five teams", has_five).await;
    assert_eq!(places(&una).await.len(), MOST_OWNED);
}

#[tokio::test]
async fn place_of_a_failed_request_is_free_after_ten_minutes() {
    let app = App::start().await;
    let (una, mut teams) = owner_of_four(&app, "una-fails").await;
    fails_to_create(&app, "refused").await;
    assert_eq!(una.ask_for_team_in("lab-that-fails", Region::Eu).await.brief(), "503 UNAVAILABLE");
    app.no_faults().await;
    assert_eq!(places(&una).await.len(), MOST_OWNED, "the place is reserved");
    for region in Region::ALL {
        let refused = una.ask_for_team_in("lab-instead", region).await;
        assert_eq!(refused.brief(), "403 TEAM_LIMIT_REACHED", "{region}");
    }
    let una = later(&una).await;
    teams.push(id_of(&una.ask_for_team_in("lab-instead", Region::Ap).await.expect(201)));
    takes_places(&una, &teams).await;
    let late = una.ask_for_team_in("lab-that-fails", Region::Eu).await;
    assert_eq!(late.brief(), "403 TEAM_LIMIT_REACHED");
}

#[tokio::test]
async fn failed_request_is_repeated_at_once_with_its_own_place() {
    let app = App::start().await;
    let (una, mut teams) = owner_of_four(&app, "una-again").await;
    fails_to_create(&app, "refused").await;
    assert_eq!(una.ask_for_team_in("lab-again", Region::Eu).await.brief(), "503 UNAVAILABLE");
    app.no_faults().await;
    teams.push(id_of(&una.ask_for_team_in("lab-again", Region::Eu).await.expect(201)));
    takes_places(&una, &teams).await;
    lists(&una, "lab-again", "owner").await;
}

#[tokio::test]
async fn place_of_a_team_whose_answer_was_lost_stays_taken() {
    let app = App::start().await;
    let (mut una, _) = owner_of_four(&app, "una-lost").await;
    fails_to_create(&app, "lost-response").await;
    assert_eq!(una.ask_for_team_in("lab-lost", Region::Eu).await.brief(), "503 UNAVAILABLE");
    app.no_faults().await;
    lists(&una, "lab-lost", "owner").await;
    for _ in 0..2 {
        for region in [Region::Us, Region::Ap] {
            let refused = una.ask_for_team_in("one-too-many", region).await;
            assert_eq!(refused.brief(), "403 TEAM_LIMIT_REACHED", "{region}");
        }
        una = later(&una).await;
    }
    assert_eq!(places(&una).await.len(), MOST_OWNED);
}
