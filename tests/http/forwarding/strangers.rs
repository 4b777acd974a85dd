//! Sign-in reveals nothing about other accounts, and the network address of the client reaches no other region.

use super::*;

/// On the local platform refusals that could tell where they come from are held back so long.
const HELD_BACK: Duration = Duration::from_millis(100);

#[tokio::test]
async fn refused_sign_in_reveals_no_account_or_region() {
    let app = App::alone().await;
    let mut emails = vec!["nobody-1@people.example", "nobody-2@people.example", "nobody-3@people.example"];
    for (home, name) in [(Region::Us, "ada-x"), (Region::Eu, "bob-x"), (Region::Ap, "cyd-x")] {
        app.living_in(home).newcomer(name).await;
    }
    emails.extend(["ada-x@people.example", "bob-x@people.example", "cyd-x@people.example"]);
    for way in Region::ALL {
        let mut seen = Vec::new();
        for email in &emails {
            let started = Instant::now();
            let refused = app.by_way_of(way).sign_in(email, "not the right password").await;
            assert!(started.elapsed() >= HELD_BACK, "{email} was refused after {:?}", started.elapsed());
            assert_eq!(refused.brief(), "401 INVALID_CREDENTIALS");
            seen.push(wire(&refused, "-"));
        }
        seen.dedup();
        assert_eq!(seen.len(), 1, "{seen:#?}");
    }
}

#[tokio::test]
async fn guesses_in_all_regions_share_one_count() {
    let app = App::alone().await;
    app.living_in(Region::Eu).newcomer("ada-e").await;
    for email in ["ada-e@people.example", "nobody-1@people.example", "nobody-2@people.example"] {
        for n in 0..6 {
            let refused = app.by_way_of(Region::ALL[n % 3]).sign_in(email, "not the right password").await;
            let expected = if n < 5 { "401 INVALID_CREDENTIALS" } else { "429 RATE_LIMITED" };
            assert_eq!(refused.brief(), expected, "guess {n} at {email}");
        }
    }
}

#[tokio::test]
async fn failed_sign_in_is_counted_without_network_address() {
    let app = App::start().await;
    app.living_in(Region::Eu).newcomer("ada-e").await;
    for way in [Region::Us, Region::Us, Region::Ap] {
        let refused = app.by_way_of(way).sign_in("ada-e@people.example", "not the right password").await;
        assert_eq!(refused.brief(), "401 INVALID_CREDENTIALS");
    }
    for region in Region::ALL {
        let scan = app.tables_of(region).scan().table_name(format!("account-{region}-operations"));
        let items = scan.consistent_read(true).send().await.unwrap().items.unwrap_or_default();
        let items = items.into_iter().map(|item| serde_dynamo::from_item(item).unwrap());
        let items: Vec<Value> = items.collect();
        let network = |item: &&Value| item["pk"].as_str().unwrap().starts_with("THROTTLE#network/sign-in/");
        let counts: Vec<_> = items.iter().filter(network).map(|item| item["count"].clone()).collect();
        let expected = match region {
            Region::Us => vec![json!(2)],
            Region::Ap => vec![json!(1)],
            Region::Eu => vec![],
        };
        assert_eq!(counts, expected, "in {region}");
        assert!(!items.iter().any(|item| item.to_string().contains("127.")), "{items:#?}");
    }
}

#[tokio::test]
async fn the_right_password_signs_in_at_home_through_every_endpoint() {
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).newcomer("ada-e").await;
    for way in Region::ALL {
        let session = app.by_way_of(way).first_sign_in(&ada.email).await;
        assert_eq!(session.at("/region"), "eu", "through {way}");
    }
}
