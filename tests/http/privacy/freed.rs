//! What a deleted account leaves free: its address at once, its handle after thirty days, and neither with anything of it.

use domain::{Timestamp, deletion::RESERVED, region::Region, resource::Kind};
use tests::{App, PASSWORD, Person, json};

use super::{SECOND_LOOK, erase, everything::Everything, forgotten, looked_once};

/// Signs up in a region with an address whose `mails`th code comes.
async fn sign_up(app: &App, email: &str, mails: usize) -> Person {
    app.advance(61).await;
    app.sign_up(email).await.expect(202);
    let code = app.codes(email, mails).await.remove(0);
    let answer = app
        .claiming(app.post("/api/auth/verify", json!({ "email": email, "code": code, "password": PASSWORD })))
        .await;
    Person::new(app.clone(), "", email, &answer.expect(200))
}

#[tokio::test]
async fn deleted_address_signs_up_anew_in_any_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada74").await;
    let (id, key) = ada.make_key("old").await;
    let dataset = ada.make(Kind::Dataset, "old").await;
    ada.ask_to_be_deleted().await.expect(202);
    looked_once(&ada).await;
    let mut users = vec![ada.id()];
    // The second of the new ones is deleted too, and its address used in the same region again.
    for (mails, region) in [(2, app.home()), (3, Region::Eu), (4, Region::Eu)] {
        let app = app.living_in(region);
        let new = sign_up(&app, &ada.email, mails).await;
        assert!(!users.contains(&new.id()));
        users.push(new.id());
        let handle = format!("ada74-{mails}");
        let form = json!({ "username": handle, "displayName": "Ada" });
        app.claiming(new.post("/api/onboarding", form)).await.expect(201);
        for (path, list) in [("datasets", "/datasets"), ("api-keys", "/keys"), ("trash", "/items")] {
            assert_eq!(new.get(&format!("/api/{path}")).await.expect(200).at(list), &json!([]), "{path}");
        }
        assert_eq!(new.activity().await.len(), 1);
        assert_eq!(new.get(&tests::path_of(&dataset)).await.status, 404);
        assert_eq!(new.delete(&format!("/api/api-keys?keyId={id}")).await.status, 404);
        let as_key = app.request("GET".parse().unwrap(), "/api/account/summary").bearer_auth(&key);
        assert_eq!(app.send(as_key).await.status, 401);
        // The old account's second look does no harm to the new one.
        app.advance(SECOND_LOOK).await;
        forgotten(&ada).await;
        let tokens = app.first_sign_in(&ada.email).await;
        let new = Person::new(app.clone(), &handle, &ada.email, &tokens);
        assert_eq!(new.get("/api/settings").await.expect(200).at("/username"), &json!(handle));
        new.ask_to_be_deleted().await.expect(202);
        looked_once(&new).await;
    }
}

#[tokio::test]
async fn the_handle_is_nobodys_for_thirty_days_to_the_millisecond() {
    tests::needs_every_region!();
    let app = App::start().await;
    app.stop_clock().await;
    let ada = app.user("ada75").await;
    let asked_at = app.now().await;
    erase(&ada).await;
    assert_eq!(app.get("/api/users?username=ada75").await.status, 404);
    let until = |millis: i64| {
        Timestamp::from_millisecond(asked_at.as_millisecond() + RESERVED.as_secs() * 1_000 + millis).unwrap()
    };
    let former = sign_up(&app, &ada.email, 2).await;
    let early = [(&app, until(-1)), (&app, asked_at)];
    for (app, now) in early {
        app.set_clock(now).await;
        for region in Region::ALL {
            let check = app.by_way_of(region).get("/api/username/check?username=ada75").await.expect(200);
            assert_eq!(check.at("/available"), false, "{region}");
        }
    }
    app.set_clock(until(-1)).await;
    let form = json!({ "username": "ada75", "displayName": "Ada" });
    for region in [app.home(), Region::Ap] {
        let new = app.living_in(region).newcomer(&format!("new75-{region}")).await;
        assert_eq!(new.post("/api/onboarding", form.clone()).await.status, 409, "{region}");
    }
    let tokens = app.sign_in(&former.email, PASSWORD).await.expect(200);
    let former = Person::new(app.clone(), "ada75", &former.email, &tokens);
    assert_eq!(former.post("/api/onboarding", form.clone()).await.status, 409, "even for whose it was");
    app.set_clock(until(0)).await;
    let check = app.by_way_of(Region::Ap).get("/api/username/check?username=ada75").await.expect(200);
    assert_eq!(check.at("/available"), true);
    let ap = app.living_in(Region::Ap);
    let tokens = ap.first_sign_in("new75-ap@people.example").await;
    let new = Person::new(ap, "ada75", "new75-ap@people.example", &tokens);
    app.claiming(new.post("/api/onboarding", form)).await.expect(201);
    let profile = app.get("/api/users?username=ada75").await;
    assert!([200, 404].contains(&profile.status), "the directory may be late");
    let left = Everything::of(&app).await.tell_of(&[ada.id().bare()]);
    assert_eq!(left, Vec::<String>::new());
}
