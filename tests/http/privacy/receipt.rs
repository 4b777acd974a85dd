//! The receipt of a deletion: signed, exact, and of nobody.

use domain::{resource::Kind, secret::decode_base64};
use serde_json::Map;
use tests::{App, Person, Value, json};

use super::erase;
use crate::fixtures::billing::charges;

/// The receipt in a mail, as its text: a JSON Web Token.
fn token(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let found =
        text.split_whitespace().find(|word| word.starts_with("eyJ") && word.matches('.').count() == 2);
    found.unwrap_or_else(|| panic!("no receipt in {text}")).to_owned()
}

/// What the receipt in a mail says, unverified.
fn claims(mail: &Value) -> Value {
    serde_json::from_slice(&decode_base64(token(mail).split('.').nth(1).unwrap()).unwrap()).unwrap()
}

/// Somebody who has a few of everything.
async fn somebody(app: &App) -> Person {
    let who = app.user("ada-receipt").await;
    who.make_key("first").await;
    who.make_key("second").await;
    let project = who.make(Kind::Project, "yolo").await;
    let within = who.make_in(&project, "nano").await;
    let (dataset, gone) = (who.make(Kind::Dataset, "coco").await, who.make(Kind::Dataset, "gone").await);
    for asset in [&within, &dataset, &dataset, &gone] {
        who.upload(asset, "12345").await;
    }
    who.trash(&gone).await.expect(200);
    who.join(app.user("bob-receipt").await.workspace(), domain::role::Role::Viewer).await;
    charges(&who, "job-receipt", 1_000).await.expect(200);
    who.export("zip").await;
    let tokens = app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    Person::new(app.clone(), &who.handle, &who.email, &tokens)
}

#[tokio::test]
async fn deletion_receipt_is_signed_complete_and_anonymous() {
    tests::needs_every_region!();
    let app = App::start().await;
    let who = somebody(&app).await;
    let history = who.activity().await.len();
    erase(&who).await;
    let mail = app.mail_of_kind(&who.email, "account-deleted").await;
    assert_eq!(mail["to"], who.email);

    let token = token(&mail);
    let keys = app.get("/.well-known/jwks.json").await.expect(200);
    let header: Value =
        serde_json::from_slice(&decode_base64(token.split('.').next().unwrap()).unwrap()).unwrap();
    let key = keys.at("/keys").as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
    let verified: Option<Map<String, Value>> =
        jwt::verify(jwt::TokenType::DeletionReceipt, &token, key["x"].as_str().unwrap());
    assert_eq!(verified.map(Value::Object), Some(claims(&mail)));
    // It lets nobody in.
    let asked = app.send(app.request("GET".parse().unwrap(), "/api/settings").bearer_auth(&token)).await;
    assert_eq!(asked.brief(), "401 UNAUTHORIZED");

    let receipt = claims(&mail);
    let erased = json!({
        "API keys": 2, "sessions": 2, "projects": 1, "models": 1, "datasets": 1, "things in the trash": 1,
        "files": 4, "export bundles": 1, "memberships": 1, "transactions": 2, "lines of history": history,
    });
    assert_eq!(receipt["erased"], erased);
    let kept: Vec<&str> =
        receipt["kept"].as_array().unwrap().iter().map(|kept| kept["what"].as_str().unwrap()).collect();
    for part in ["ackups", "mounts of transactions"] {
        assert!(kept.iter().any(|what| what.contains(part)), "{part} is not in {kept:?}");
    }
    let text = mail["text"].as_str().unwrap();
    assert!(kept.iter().all(|what| text.contains(what)), "{text}");
    let everything = format!("{} {} {receipt}", mail["text"], mail["subject"]);
    for whose in [
        &who.email,
        &who.handle,
        &who.handle.to_uppercase(),
        &who.id().bare(),
        "yolo",
        "first",
        "job-receipt",
    ] {
        assert!(!everything.contains(whose), "{whose} is in {everything}");
    }
}
