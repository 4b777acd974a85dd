//! Messages about addresses of accounts, and the mail that follows from them.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::region::Region;
use kit::ItemKind;
use tests::{PASSWORD, Person};

use super::{Event, settle};
use crate::{emails, fixtures::BESIDE, free_credit};

/// The events.
pub fn events() -> Vec<Event> {
    vec![
        Event {
            function: "send-mail",
            name: "a code for an address",
            set_off: |who, n| Box::pin(add(who, n)),
            last_call: "UpdateItem",
            least: (6, 5, 3.5, 2.0),
            reason: BESIDE,
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "an added address",
            set_off: |who, n| Box::pin(verify(who, n)),
            last_call: "UpdateItem",
            least: (14, 11, 9.0, 4.0),
            reason: "",
            sets_off: &[],
        },
        Event {
            function: "send-mail",
            name: "a changed primary address",
            set_off: |who, n| Box::pin(change_primary(who, n)),
            last_call: "UpdateItem",
            least: (19, 16, 13.0, 6.0),
            reason: "",
            sets_off: &[],
        },
    ]
}

/// Somebody new, who has another address.
async fn with_address(who: &Person, what: &str, n: usize) -> (Person, String) {
    let new = who.app.user(&format!("{what}{n}")).await;
    let id = emails::add_verified(&new, &format!("{what}{n}.more@people.example")).await;
    settle(&who.app).await;
    (new, id)
}

async fn add(who: Person, n: usize) {
    let new = who.app.user(&format!("adder{n}")).await;
    emails::add(&new, &format!("added{n}@people.example")).await.expect(201);
}

async fn verify(who: Person, n: usize) {
    let new = who.app.user(&format!("verifier{n}")).await;
    let email = format!("verifier{n}.more@people.example");
    let id = emails::add(&new, &email).await.expect(201).text_at("/id");
    let code = emails::code(&who.app, &email).await;
    settle(&who.app).await;
    emails::verify(&new, &id, &code).await.expect(200);
}

async fn change_primary(who: Person, n: usize) {
    let (new, id) = with_address(&who, "changer", n).await;
    emails::set_primary(&new, &id).await.expect(200);
}

/// Somebody new has an address to remove, and every claim of theirs is confirmed: messages about claims could otherwise be handled side
/// by side.
pub async fn prepare_removal(who: &Person, n: usize) {
    let (new, _) = with_address(who, "remover", n).await;
    for n in 1.. {
        if !is_claiming(&new).await && who.app.queue("confirm-claims").await == (0, 0, 0) {
            return;
        }
        who.app.wait_for_message(n).await;
    }
}

/// That address is removed.
pub async fn remove(who: Person, n: usize) {
    let email = format!("remover{n}@people.example");
    let tokens = who.app.sign_in(&email, PASSWORD).await.expect(200);
    let new = Person::new(who.app.clone(), &format!("remover{n}"), &email, &tokens);
    let more = format!("remover{n}.more@people.example");
    let listed = new.get("/api/settings/emails").await.expect(200);
    let mut rows = listed.at("/emails").as_array().unwrap().iter();
    let id = rows.find(|row| row["email"] == *more).unwrap()["id"].as_str().unwrap();
    emails::remove(&new, id).await.expect(200);
}

/// Somebody with a personal address has a company address that waits for its code.
pub async fn prepare_company_address(who: &Person, n: usize) {
    let new = free_credit::opens(&who.app, &format!("mover{n}"), &format!("mover{n}@gmail.com")).await;
    let company = format!("mover{n}@company.example");
    emails::add(&new, &company).await.expect(201);
    emails::code(&who.app, &company).await;
}

/// That address is verified.
pub async fn verify_company_address(who: Person, n: usize) {
    let tokens = who.app.sign_in(&format!("mover{n}@gmail.com"), PASSWORD).await.expect(200);
    let new = Person::new(who.app.clone(), &format!("mover{n}"), &format!("mover{n}@gmail.com"), &tokens);
    let company = format!("mover{n}@company.example");
    let listed = new.get("/api/settings/emails").await.expect(200);
    let mut rows = listed.at("/emails").as_array().unwrap().iter();
    let id = rows.find(|row| row["email"] == *company).unwrap()["id"].as_str().unwrap();
    emails::verify(&new, id, &emails::code(&who.app, &company).await).await.expect(200);
}

/// Whether a claim of this person is not confirmed yet.
async fn is_claiming(who: &Person) -> bool {
    let directory = who.app.tables_of(Region::AUTHORITY);
    let marks = directory.query().table_name("account-directory").key_condition_expression("pk = :pk");
    let marks = marks.expression_attribute_values(
        ":pk",
        AttributeValue::S(ItemKind::PendingClaims.partition(who.app.home())),
    );
    let marks = marks.send().await.unwrap().items.unwrap_or_default();
    marks.iter().any(|mark| mark["id"].as_s().is_ok_and(|id| *id == who.id().to_string()))
}
