//! Following users and teams, and the numbers of followers over all regions.
//!
//! Not run in outages: it chooses its regions.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    follow::{FollowedHash, FollowerCount, MOST},
    ports::Directory as _,
    region::Region,
};
use futures::future::join_all;
use kit::ItemKind;
use reqwest::{Method, header};
use store::DirectoryStore;
use tests::{Answer, App, Person, Value, json};

use crate::privacy::{Everything, erase, until_delivered};

/// Follows or unfollows somebody.
pub async fn follow(who: &Person, username: &str, followed: bool) -> Answer {
    who.patch("/api/users", json!({ "username": username, "followed": followed })).await
}

/// What somebody's profile says of followers, and whether the reader is one.
pub fn followers(profile: Answer) -> (u64, bool) {
    let profile = profile.expect(200);
    let number = profile.at("/user/followerCount").as_u64().unwrap();
    (number, profile.at("/user/isFollowed").as_bool().unwrap())
}

fn path(username: &str) -> String {
    format!("/api/users?username={username}")
}

/// What a reader sees of somebody.
pub async fn seen_by(reader: &Person, username: &str) -> (u64, bool) {
    followers(reader.get(&path(username)).await)
}

/// What anybody sees of somebody.
async fn seen(app: &App, username: &str) -> (u64, bool) {
    followers(app.get(&path(username)).await)
}

/// Waits until every region's endpoint shows this number.
async fn shown_everywhere(app: &App, username: &str, number: u64) {
    for way in Region::ALL {
        let way = app.by_way_of(way);
        until_delivered(app, "the number of followers does not arrive", || async {
            seen(&way, username).await.0 == number
        })
        .await;
    }
}

/// Waits until the replicas know everybody's handle, and that it is confirmed.
async fn known(app: &App, people: &[&Person]) {
    for who in people {
        let reader = app.living_in(who.app.home());
        for way in Region::ALL {
            let way = reader.by_way_of(way);
            until_delivered(&reader, "the handle is not known", || async {
                way.get(&path(&who.handle)).await.status == 200
            })
            .await;
        }
        until_delivered(&reader, "the claim is not confirmed", || async {
            reader.queue("confirm-claims").await == (0, 0, 0)
        })
        .await;
    }
    app.replicated().await;
}

/// Follows somebody of another region, as soon as the claim on the username is confirmed everywhere.
async fn follow_abroad(who: &Person, username: &str) -> Answer {
    until_delivered(&who.app, "the username stays unknown", || async {
        follow(who, username, true).await.status == 200
    })
    .await;
    follow(who, username, true).await
}

/// The numbers of accounts that somebody follows, and the relations, as they are stored.
async fn stored(who: &Person) -> (i64, usize) {
    let partition = ItemKind::Follows.partition(who.id());
    let query = who.app.tables().query().table_name(who.app.table("workspaces")).consistent_read(true);
    let query = query.key_condition_expression("pk = :pk");
    let query = query.expression_attribute_values(":pk", AttributeValue::S(partition));
    let items = query.send().await.unwrap().items.unwrap();
    let count = items.iter().find(|item| item["sk"].as_s().unwrap() == "COUNT");
    let count = count.map_or(0, |item| item["followed"].as_n().unwrap().parse().unwrap());
    let relations = items.iter().filter(|item| item["sk"].as_s().unwrap().starts_with("ACCOUNT#"));
    (count, relations.count())
}

/// Has somebody follow so many accounts, as far as the limit knows.
async fn plant_count(who: &Person, followed: usize) {
    let item = [
        ("pk", AttributeValue::S(ItemKind::Follows.partition(who.id()))),
        ("sk", AttributeValue::S("COUNT".to_owned())),
        ("followed", AttributeValue::N(followed.to_string())),
    ];
    let item = item.map(|(name, value)| (name.to_owned(), value)).into();
    let put = who.app.tables().put_item().table_name(who.app.table("workspaces"));
    put.set_item(Some(item)).send().await.unwrap();
}

/// The directory, as the authority has it.
fn directory(app: &App) -> DirectoryStore {
    let authority = app.tables_of(Region::AUTHORITY);
    let writer = authority.clone();
    DirectoryStore::new(authority, move || writer, "account-directory".to_owned())
}

/// The numbers of somebody's followers that the regions published.
pub async fn published(who: &Person) -> Vec<i64> {
    let account = FollowedHash::of(who.workspace());
    let totals = directory(&who.app).follower_totals(account).await.unwrap();
    totals.iter().map(|total| total.count.followers).collect()
}

#[tokio::test]
async fn follower_count_and_relation_are_shown_to_their_readers() {
    let app = App::start().await;
    let (ada, bob, cyd) = (app.user("ada-fol").await, app.user("bob-fol").await, app.user("cyd-fol").await);
    assert_eq!(seen(&app, "bob-fol").await, (0, false));
    let answer = follow(&ada, "BOB-fol", true).await.expect(200);
    assert_eq!(answer.body, json!({ "followed": true, "followerCount": 1 }));
    let key = ada.with_api_key("ci").await;
    assert_eq!(seen_by(&ada, "bob-fol").await, (1, true));
    assert_eq!(seen_by(&key, "bob-fol").await, (1, true));
    assert_eq!(seen_by(&cyd, "bob-fol").await, (1, false));
    assert_eq!(seen_by(&bob, "bob-fol").await, (1, false));
    assert_eq!(seen(&app, "bob-fol").await, (1, false));
    assert_eq!(seen_by(&bob, "ada-fol").await, (0, false), "following is not mutual");
    let answer = follow(&ada, "bob-fol", false).await.expect(200);
    assert_eq!(answer.body, json!({ "followed": false, "followerCount": 0 }));
    assert_eq!(seen_by(&ada, "bob-fol").await, (0, false));
    assert_eq!(ada.activity().await.len(), 2, "onboarding and the key");
}

#[tokio::test]
async fn api_key_of_a_person_follows_as_its_owner() {
    let app = App::start().await;
    let (ada, _) = (app.user("ada-key-fol").await, app.user("bob-key-fol").await);
    let key = ada.with_api_key("ci").await;
    let answer = follow(&key, "bob-key-fol", true).await.expect(200);
    assert!(answer.header("ratelimit").is_some(), "the request counts on the key");
    assert_eq!(seen_by(&ada, "bob-key-fol").await, (1, true));
    follow(&ada, "bob-key-fol", false).await.expect(200);
    assert_eq!(seen_by(&key, "bob-key-fol").await, (0, false));
}

#[tokio::test]
async fn following_twice_and_unfollowing_twice_change_nothing() {
    let app = App::start().await;
    let (ada, _) = (app.user("ada-twice").await, app.user("bob-twice").await);
    for _ in 0..2 {
        let answer = follow(&ada, "bob-twice", true).await.expect(200);
        assert_eq!(answer.body, json!({ "followed": true, "followerCount": 1 }));
        assert_eq!(stored(&ada).await, (1, 1));
    }
    for _ in 0..2 {
        let answer = follow(&ada, "bob-twice", false).await.expect(200);
        assert_eq!(answer.body, json!({ "followed": false, "followerCount": 0 }));
        assert_eq!(stored(&ada).await, (0, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn followers_at_once_are_all_counted() {
    let app = App::start().await;
    app.user("the-star").await;
    let mut fans = Vec::new();
    for n in 0..20 {
        fans.push(app.user(&format!("fan-number-{n}")).await);
    }
    let follows = fans.iter().map(|fan| async {
        // Changes of one number wait for each other; one that waited too long changed nothing.
        while follow(fan, "the-star", true).await.status == 503 {}
    });
    join_all(follows).await;
    assert_eq!(seen(&app, "the-star").await, (20, false));
    for fan in &fans {
        assert_eq!(seen_by(fan, "the-star").await, (20, true));
    }
}

#[tokio::test]
async fn parallel_requests_of_one_person_count_once() {
    let app = App::start().await;
    let (ada, _) = (app.user("ada-many").await, app.user("bob-many").await);
    let answers = join_all((0..6).map(|_| follow(&ada, "bob-many", true))).await;
    assert!(answers.iter().all(|answer| [200, 503].contains(&answer.status)));
    follow(&ada, "bob-many", true).await.expect(200);
    assert_eq!((seen_by(&ada, "bob-many").await, stored(&ada).await), ((1, true), (1, 1)));
}

#[tokio::test]
async fn follower_of_another_region_is_counted_and_known_everywhere() {
    let app = App::start().await;
    for (follower_home, home) in
        [(Region::Eu, Region::Ap), (Region::Ap, Region::Us), (Region::Us, Region::Eu)]
    {
        let ada = app.living_in(follower_home).user(&format!("ada-{follower_home}-{home}")).await;
        let bob = app.living_in(home).user(&format!("bob-{follower_home}-{home}")).await;
        known(&app, &[&ada, &bob]).await;
        let key = ada.with_api_key("ci").await;
        let answer = follow_abroad(&ada, &bob.handle).await.expect(200);
        assert_eq!(answer.body, json!({ "followed": true, "followerCount": 1 }));
        shown_everywhere(&app.living_in(follower_home), &bob.handle, 1).await;
        for way in Region::ALL {
            for reader in [&ada, &key] {
                assert_eq!(seen_by(&reader.by_way_of(way), &bob.handle).await, (1, true), "through {way}");
            }
            assert_eq!(seen_by(&bob.by_way_of(way), &bob.handle).await, (1, false), "through {way}");
            let again = follow(&ada.by_way_of(way), &bob.handle, true).await.expect(200);
            assert_eq!(again.at("/followerCount"), 1);
        }
        follow(&key.by_way_of(home), &bob.handle, false).await.expect(200);
        shown_everywhere(&app.living_in(follower_home), &bob.handle, 0).await;
        assert_eq!(seen_by(&ada.by_way_of(home), &bob.handle).await, (0, false));
    }
}

#[tokio::test]
async fn followers_of_all_regions_are_added() {
    let app = App::start().await;
    let star = app.living_in(Region::Ap).user("star-of-all").await;
    known(&app, &[&star]).await;
    for home in Region::ALL {
        for n in 0..2 {
            let fan = app.living_in(home).user(&format!("fan-{home}-{n}")).await;
            follow_abroad(&fan, "star-of-all").await.expect(200);
        }
    }
    for home in Region::ALL {
        shown_everywhere(&app.living_in(home), "star-of-all", 6).await;
    }
    assert_eq!(seen_by(&star, "star-of-all").await, (6, false));
}

#[tokio::test]
async fn repeated_and_reordered_messages_do_not_bring_back_a_number() {
    let app = App::start().await.living_in(Region::Eu);
    let (ada, bob) = (app.user("ada-late").await, app.user("bob-late").await);
    known(&app, &[&bob]).await;
    follow(&ada, "bob-late", true).await.expect(200);
    shown_everywhere(&app, "bob-late", 1).await;
    until_delivered(&app, "the number is not published", || async { published(&bob).await == [1] }).await;
    // As an earlier message would find it, if it were slow.
    let earlier = FollowerCount { followers: 70, version: 0 };
    let account = FollowedHash::of(bob.workspace());
    directory(&app).publish_followers(account, Region::Eu, earlier).await.unwrap();
    assert_eq!(published(&bob).await, [1]);
    let later = FollowerCount { followers: 2, version: 1_000 };
    directory(&app).publish_followers(account, Region::Eu, later).await.unwrap();
    assert_eq!(published(&bob).await, [2]);
    assert_eq!(seen(&app, "bob-late").await.0, 1, "the home counts itself");
}

#[tokio::test]
async fn limit_of_followed_accounts_holds() {
    let app = App::start().await;
    let ada = app.user("ada-limit").await;
    for name in ["bob-limit", "cyd-limit"] {
        app.user(name).await;
    }
    follow(&ada, "bob-limit", true).await.expect(200);
    plant_count(&ada, MOST - 1).await;
    let both = join_all(["bob-limit", "cyd-limit"].map(|name| follow(&ada, name, true))).await;
    assert!(both.iter().all(|answer| answer.status == 200));
    app.user("dan-limit").await;
    let refused = follow(&ada, "dan-limit", true).await;
    assert_eq!(refused.brief(), "409 FOLLOW_LIMIT_REACHED");
    assert_eq!(seen_by(&ada, "dan-limit").await, (0, false));
    follow(&ada, "bob-limit", true).await.expect(200);
    follow(&ada, "bob-limit", false).await.expect(200);
    follow(&ada, "dan-limit", true).await.expect(200);
}

#[tokio::test]
async fn own_unknown_and_malformed_usernames_are_refused() {
    let app = App::start().await;
    let ada = app.user("ada-wrong").await;
    for followed in [true, false] {
        assert_eq!(follow(&ada, "Ada-Wrong", followed).await.brief(), "409 CONFLICT");
        assert_eq!(follow(&ada, "nobody-at-all", followed).await.brief(), "404 NOT_FOUND");
        for bad in ["", "a", "two--hyphens", "with space", "ünicode"] {
            assert_eq!(follow(&ada, bad, followed).await.brief(), "400 VALIDATION_ERROR", "{bad}");
        }
    }
    for body in [
        json!({ "username": "nobody-at-all" }),
        json!({ "followed": true }),
        json!({ "username": "nobody-at-all", "followed": "yes" }),
        json!({ "username": "nobody-at-all", "followed": true, "more": 1 }),
    ] {
        assert_eq!(ada.patch("/api/users", body).await.brief(), "400 VALIDATION_ERROR");
    }
    assert_eq!(stored(&ada).await, (0, 0));
    let newcomer = app.newcomer("new-wrong").await;
    assert_eq!(follow(&newcomer, "ada-wrong", true).await.brief(), "403 ONBOARDING_REQUIRED");
}

#[tokio::test]
async fn api_key_of_a_team_follows_nobody() {
    let app = App::start().await;
    let (ada, _) = (app.user("ada-of-team").await, app.user("bob-of-team").await);
    ada.found_team("the-followers").await;
    ada.step_up().await;
    let made = ada.post("/api/api-keys?owner=the-followers", json!({ "name": "ci" })).await.expect(201);
    let key = Person { token: made.text_at("/key"), ..ada.clone() };
    assert_eq!(follow(&key, "bob-of-team", true).await.brief(), "403 FORBIDDEN");
    follow(&ada, "bob-of-team", true).await.expect(200);
    assert_eq!(seen_by(&key, "bob-of-team").await, (1, false), "the key is no person");
    follow(&ada, "the-followers", true).await.expect(200);
    assert_eq!(seen_by(&ada, "the-followers").await, (1, true), "a team can be followed");
}

#[tokio::test]
async fn invalid_credentials_read_the_public_profile() {
    let app = App::start().await;
    let eu = app.living_in(Region::Eu);
    let (ada, bob) = (eu.user("ada-pub").await, app.living_in(Region::Ap).user("bob-pub").await);
    known(&app, &[&ada, &bob]).await;
    follow_abroad(&ada, "bob-pub").await.expect(200);
    shown_everywhere(&eu, "bob-pub", 1).await;
    let (id, key) = ada.make_key("ci").await;
    let revoked = Person { token: key, ..ada.clone() };
    assert_eq!(seen_by(&revoked, "bob-pub").await, (1, true));
    ada.delete(&format!("/api/api-keys?keyId={id}")).await.expect(200);
    let tokens = eu.sign_in(&ada.email, tests::PASSWORD).await.expect(200);
    let ended = Person::new(eu.clone(), &ada.handle, &ada.email, &tokens);
    ended.post("/api/auth/sign-out", json!({})).await;
    let forged = |token: String| Person { token, ..ada.clone() };
    let invalid = [
        revoked,
        ended,
        forged("x".to_owned()),
        forged(format!("{}x", ada.token)),
        forged(format!("ul_{}", "0".repeat(40))),
    ];
    for way in Region::ALL {
        for reader in &invalid {
            assert_eq!(seen_by(&reader.by_way_of(way), "bob-pub").await, (1, false), "through {way}");
            let unknown = reader.by_way_of(way).get(&path("nobody-pub")).await;
            assert_eq!(unknown.brief(), "404 NOT_FOUND", "through {way}");
        }
        let app = app.by_way_of(way);
        let two = app.request(Method::GET, &path("bob-pub")).bearer_auth(&ada.token);
        let two = app.send(two.header(header::COOKIE, "__Host-session=x")).await;
        assert_eq!(followers(two), (1, false), "two credentials count as none");
        let other = app.request(Method::GET, &path("bob-pub")).header(header::AUTHORIZATION, "Basic x");
        assert_eq!(followers(app.send(other).await), (1, false));
    }
}

#[tokio::test]
async fn profile_without_credentials_costs_no_call_for_them() {
    let app = App::start().await;
    app.user("ada-cost").await;
    seen(&app, "ada-cost").await;
    let before = app.last_call().await;
    assert_eq!(seen(&app, "ada-cost").await, (0, false));
    let calls = app.calls_of("users-public-profile", before).await;
    let mut operations: Vec<&str> = calls.iter().map(|call| call["operation"].as_str().unwrap()).collect();
    operations.sort_unstable();
    // The username, the workspace, its profile, the number of this region, those of the others.
    assert_eq!(operations, ["BatchGetItem", "GetItem", "GetItem", "GetItem", "Query"]);
}

#[tokio::test]
async fn deleted_follower_is_counted_no_more() {
    let app = App::start().await;
    let (ada, bob) =
        (app.living_in(Region::Eu).user("ada-gone").await, app.living_in(Region::Ap).user("bob-stays").await);
    let near = app.living_in(Region::Eu).user("cyd-stays").await;
    known(&app, &[&ada, &bob, &near]).await;
    for name in ["bob-stays", "cyd-stays"] {
        follow_abroad(&ada, name).await.expect(200);
        shown_everywhere(&ada.app, name, 1).await;
    }
    let hash = FollowedHash::of(bob.workspace()).to_string();
    let id = ada.id().bare();
    erase(&ada).await;
    for name in ["bob-stays", "cyd-stays"] {
        shown_everywhere(&ada.app, name, 0).await;
    }
    let left = Everything::of(&ada.app).await.name(&[id]);
    assert!(left.is_empty(), "{left:?}");
    let left = Everything::of(&ada.app).await.name(&[hash]);
    assert!(left.iter().all(|item| !item.contains("FOLLOWS#")), "{left:?}");
}

#[tokio::test]
async fn deleted_account_leaves_no_readable_id_with_its_followers() {
    let app = App::start().await;
    let (ada, bob) =
        (app.living_in(Region::Eu).user("ada-fan").await, app.living_in(Region::Ap).user("bob-gone").await);
    known(&app, &[&ada, &bob]).await;
    follow_abroad(&ada, "bob-gone").await.expect(200);
    shown_everywhere(&ada.app, "bob-gone", 1).await;
    let id = bob.id().bare();
    erase(&bob).await;
    for region in Region::ALL {
        let left = Everything::of(&app.living_in(region)).await.name(&[id.clone(), "bob-gone".to_owned()]);
        assert!(left.is_empty(), "{region}: {left:?}");
    }
    assert_eq!(ada.get(&path("bob-gone")).await.brief(), "404 NOT_FOUND");
    assert_eq!(stored(&ada).await, (1, 1), "the relation stays, and names nobody");
    // The clock is weeks ahead.
    let tokens = ada.app.first_sign_in(&ada.email).await;
    erase(&Person::new(ada.app.clone(), "ada-fan", &ada.email, &tokens)).await;
}

#[tokio::test]
async fn export_lists_followed_accounts_by_their_hashes() {
    let app = App::start().await;
    let (ada, bob) = (app.user("ada-export").await, app.user("bob-export").await);
    follow(&ada, "bob-export", true).await.expect(200);
    let bundle: Value = serde_json::from_slice(&ada.export("json").await).unwrap();
    let following = &bundle["account"]["following"];
    assert_eq!(following.as_array().unwrap().len(), 1);
    let hash = FollowedHash::of(bob.workspace()).to_string();
    assert_eq!(following[0]["account"], json!(hash));
    assert!(following[0]["followedAt"].is_string());
    assert!(!bundle.to_string().contains("bob-export"));
}

#[tokio::test]
async fn interrupted_deletion_subtracts_a_follower_once() {
    let app = App::start().await;
    let bob = app.user("bob-counts").await;
    for nth in 1..6 {
        let ada = app.user(&format!("ada-dies-{nth}")).await;
        let eve = app.user(&format!("eve-stays-{nth}")).await;
        follow(&ada, "bob-counts", true).await.expect(200);
        follow(&ada, &eve.handle, true).await.expect(200);
        let fault = json!({
            "service": "dynamodb", "function": "run-deletion", "operation": "TransactWriteItems",
            "kind": if nth % 2 == 0 { "lost-response" } else { "refused" }, "nth": nth, "times": 3,
        });
        app.faults(json!([fault])).await;
        ada.ask_to_be_deleted().await.expect(202);
        app.no_faults().await;
        crate::privacy::looked_once(&ada).await;
        assert_eq!(seen(&app, "bob-counts").await.0, 0, "{nth}");
        assert_eq!(seen(&app, &eve.handle).await.0, 0, "{nth}");
    }
    follow(&app.user("cyd-counts").await, "bob-counts", true).await.expect(200);
    assert_eq!(seen_by(&bob, "bob-counts").await, (1, false));
}
