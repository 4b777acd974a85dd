//! First rotations, and secrets that are rotated in one region only, or never.

use std::sync::Arc;

use domain::{
    Timestamp,
    ports::{Prepared, Progress, Rotation, Rotations, Saved},
};
use keys::{SecretNames, SecretRotations};
use lambda::OsEntropy;

use super::*;

#[tokio::test]
async fn first_rotation_fills_secrets_for_immediate_use() {
    let app = App::start().await.living_in(Region::AUTHORITY);
    for secret in SecretName::ALL {
        empty(&app, secret.as_str()).await;
    }
    assert_eq!(app.sign_up("early@people.example").await.brief(), "503 UNAVAILABLE");
    for secret in SecretName::ALL {
        app.rotate(secret.as_str()).await.expect(200);
        assert_eq!(keys(&app, secret.as_str()).await, 1);
    }
    for secret in ["addresses", "forwarding"] {
        is_everywhere(&app, secret).await;
    }
    let eu = app.living_in(Region::Eu);
    let mut ada = app.user("ada-first").await;
    let mut bob = eu.user("bob-first").await;
    for person in [&mut ada, &mut bob] {
        goes_on(person, Region::Ap).await;
    }
    app.sign_up("early@people.example").await.expect(202);
}

#[tokio::test]
async fn empty_secret_gets_a_value_for_immediate_use() {
    let app = App::start().await;
    let secrets = app.secrets_manager();
    secrets.create_secret().name("account/fresh/codes").send().await.unwrap();
    let begun = secrets.rotate_secret().secret_id("account/fresh/codes");
    let begun = begun.rotation_lambda_arn("arn:aws:lambda:::function:f").send().await.unwrap();
    let names = SecretNames { own: "account/fresh/".to_owned(), shared: "account/shared/".to_owned() };
    let rotations = SecretRotations::new(secrets, app.home(), names, Arc::new(OsEntropy));
    let rotation = Rotation { secret: SecretName::Codes, version: begun.version_id.unwrap() };
    let progress = async || rotations.progress(&rotation).await.unwrap();
    assert_eq!(progress().await, Progress::Announced);
    let now = "2030-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(rotations.prepare(&rotation, now).await.unwrap(), Prepared::Yes);
    let Progress::Pending(version) = progress().await else { panic!("it has a value") };
    assert_eq!((version.made_from, version.newest_from), (None, Timestamp::UNIX_EPOCH));
    for _ in 0..2 {
        assert_eq!(rotations.finish(&rotation, None).await.unwrap(), Saved::Yes);
        assert_eq!(progress().await, Progress::Done);
    }
}

#[tokio::test]
async fn the_key_of_addresses_is_never_replaced() {
    let app = App::start().await.living_in(Region::AUTHORITY);
    let ada = app.user("ada-address").await;
    for _ in 0..2 {
        let refused = app.rotate("addresses").await.expect(502).text_at("/errorMessage");
        assert!(refused.contains("can't be replaced"), "{refused}");
        assert_eq!(keys(&app, "addresses").await, 1);
    }
    app.sign_in(&ada.email, PASSWORD).await.expect(200);
}

#[tokio::test]
async fn shared_secrets_are_rotated_in_the_authority_only() {
    let app = App::start().await;
    for region in [Region::Eu, Region::Ap] {
        let app = app.living_in(region);
        for secret in ["addresses", "forwarding"] {
            app.rotate(secret).await.expect(502);
            let event = json!({ "Step": "createSecret", "SecretId": name(&app, secret),
                "ClientRequestToken": "0123456789abcdef0123456789abcdef" });
            let refused = app.post(&format!("/_local/run/rotate-secrets?region={region}"), event).await;
            let said = refused.expect(502).text_at("/errorMessage");
            assert!(said.contains("rotated in us"), "{said}");
            assert_eq!(keys(&app, secret).await, 1);
        }
    }
}
