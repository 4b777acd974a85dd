//! What somebody who signs in learns of others, and what is known of where they come from.

use aws_sdk_dynamodb::types::AttributeValue;

use super::*;

/// On the local platform refusals that could tell where they come from are held back so long.
const HELD_BACK: Duration = Duration::from_millis(100);

#[tokio::test]
async fn a_refusal_does_not_tell_where_an_address_is_at_home_or_whether_it_is_at_all() {
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
async fn guesses_through_all_endpoints_share_one_count_for_known_and_unknown_addresses() {
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

/// Linux answers on every address of 127.0.0.0/8, so that a client can have one of its own.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn attempts_are_counted_on_the_clients_address_not_on_the_region_that_sent_them_on() {
    let app = App::start().await;
    app.living_in(Region::Eu).newcomer("ada-e").await;
    let address = [127, 0, 0, 2].into();
    let client = reqwest::Client::builder().local_address(Some(address)).build().unwrap();
    for way in [Region::Us, Region::Ap] {
        let form = json!({ "email": "ada-e@people.example", "password": "not the right password" });
        let request =
            app.by_way_of(way).request(Method::POST, "/api/auth/sign-in").json(&form).build().unwrap();
        assert_eq!(client.execute(request).await.unwrap().status(), 401);
    }
    for region in Region::ALL {
        let app = app.living_in(region);
        let count = async |address: &str| {
            let key = AttributeValue::S(format!("THROTTLE#network/{address}"));
            let request = app.tables().get_item().table_name(app.table("operations")).key("pk", key);
            let found = request.key("sk", AttributeValue::S("THROTTLE".to_owned())).send().await.unwrap();
            found.item.map(|item| item["count"].as_n().unwrap().clone())
        };
        let expected = (region == Region::Eu).then(|| "2".to_owned());
        assert_eq!((count("127.0.0.2").await, count("127.0.0.1").await), (expected, None), "in {region}");
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
