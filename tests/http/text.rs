//! Text in every script: found by its parts, linked, shown.

use domain::resource::Kind;
use proptest::{prelude::*, sample::Index, strategy::ValueTree, test_runner::TestRunner};
use reqwest::Method;
use tests::{Answer, App, Person, json, names, path_of};
use unicode_normalization::UnicodeNormalization;

/// What the trash and the history say to a search: the names that each finds.
async fn search(who: &Person, term: &str) -> [Vec<String>; 2] {
    let list = async |path: &str| -> Answer {
        who.app.send(who.request(Method::GET, path).query(&[("search", term)])).await.expect(200)
    };
    let history = list("/api/activity").await;
    let events = history.at("/events").as_array().unwrap().iter();
    let in_history = events.map(|event| event["resourceName"].as_str().unwrap().to_owned()).collect();
    [names(&list("/api/trash").await, "/items"), in_history]
}

/// Puts something of this name into the trash.
async fn throw_away(who: &Person, slug: &str, name: &str) {
    let id = who.make(Kind::Dataset, slug).await;
    who.patch(&path_of(&id), json!({ "name": name })).await.expect(200);
    who.trash(&id).await.expect(200);
}

#[tokio::test]
async fn search_ignores_case_accents_and_normalization() {
    let app = App::start().await;
    let ada = app.user("ada-finds").await;
    for (slug, name) in [("german", "Größe"), ("greek", "ΟΔΥΣΣΕΑΣ"), ("hindi", "हिन्दी"), ("thai", "ข่าวสด")]
    {
        throw_away(&ada, slug, name).await;
    }
    for (term, name) in [
        ("gro\u{df}e", "Größe"),
        ("gro\u{308}\u{df}e", "Größe"),
        ("GRÖSSE", "Größe"),
        ("ΟΔΥΣ", "ΟΔΥΣΣΕΑΣ"),
        ("οδυσσέας", "ΟΔΥΣΣΕΑΣ"),
        ("न्दी", "हिन्दी"),
        ("ข่าว", "ข่าวสด"),
    ] {
        for found in search(&ada, term).await {
            assert!(!found.is_empty() && found.iter().all(|found| found == name), "{term}: {found:?}");
        }
    }
    for found in search(&ada, "größer").await {
        assert!(found.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn any_part_of_a_name_in_any_case_and_form_finds_it() {
    let app = App::start().await;
    let ada = app.user("ada-parts").await;
    let all = [
        "Größe ẞ",
        "Ὀδυσσέας ΣΑΣ",
        "İstanbul ılık",
        "Crème brûlée ﬁn",
        "हिन्दी भाषा",
        "한국어 Ångström",
        "ガラス ＦＵＬＬ",
    ];
    for (n, name) in all.into_iter().enumerate() {
        throw_away(&ada, &format!("name-{n}"), name).await;
    }
    let part = (0..all.len(), any::<Index>(), 1..6_usize, 0..3, 0..4);
    let mut runner = TestRunner::deterministic();
    for _ in 0..100 {
        let (n, start, length, case, form) = part.new_tree(&mut runner).unwrap().current();
        let name: String = all[n].nfc().collect();
        let part: String = name.chars().skip(start.index(name.chars().count())).take(length).collect();
        let part = match case {
            0 => part.to_uppercase(),
            1 => part.to_lowercase(),
            _ => part,
        };
        let part: String = match form {
            0 => part.nfc().collect(),
            1 => part.nfd().collect(),
            2 => part.nfkc().collect(),
            _ => part.nfkd().collect(),
        };
        for found in search(&ada, &part).await {
            assert!(found.contains(&name), "{part:?} of {name}: {found:?}");
        }
    }
}

#[tokio::test]
async fn social_links_in_any_script_have_one_form() {
    let app = App::start().await;
    let ada = app.user("ada-links").await;
    let hindi = "https://www.youtube.com/@%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80";
    let jose = "https://www.linkedin.com/in/jos%C3%A9";
    for (member, typed, stored) in [
        ("youtube", "@हिन्दी", hindi),
        ("youtube", "https://youtube.com/@%e0%a4%b9%e0%a4%bf%e0%a4%a8%e0%a5%8d%e0%a4%a6%e0%a5%80", hindi),
        (
            "youtube",
            "@ข่าวสด",
            "https://www.youtube.com/@%E0%B8%82%E0%B9%88%E0%B8%B2%E0%B8%A7%E0%B8%AA%E0%B8%94",
        ),
        ("linkedin", "jose\u{301}", jose),
        ("linkedin", "in/jos\u{e9}", jose),
        ("linkedin", "https://www.linkedin.com/in/jose%CC%81/", jose),
    ] {
        ada.patch("/api/settings", json!({ member: typed })).await.expect(200);
        let profile = app.get("/api/users?username=ada-links").await.expect(200);
        assert_eq!(profile.at(&format!("/user/socials/{member}")), stored, "{typed}");
    }
    for (member, bad) in [
        ("youtube", "@abc%C0%AF"),
        ("youtube", "@abc%E2%80%AE"),
        ("linkedin", "in/abc%C0%AF"),
        ("linkedin", "in/abc%E2%80%AEdef"),
        ("linkedin", "in/abc%ED%A0%80"),
        ("website", "https://example.com/%C0%AF"),
        ("website", "https://example.com/%E2%80%AEgpj.exe"),
    ] {
        let answer = ada.patch("/api/settings", json!({ member: bad })).await;
        assert_eq!(answer.complaints(), format!("{member} INVALID"), "{bad}");
    }
}

#[tokio::test]
async fn flags_of_subdivisions_are_accepted_and_stray_tags_refused() {
    let app = App::start().await;
    let ada = app.user("ada-flags").await;
    let flag = |code: &str| -> String {
        let tag = |c: char| char::from_u32(0xe0000 + u32::from(c)).unwrap();
        "🏴".chars().chain(code.chars().map(tag)).chain(['\u{e007f}']).collect()
    };
    for code in ["gbeng", "gbsct", "gbwls"] {
        let name = format!("Ada {}", flag(code));
        ada.patch("/api/settings", json!({ "displayName": name })).await.expect(200);
        assert_eq!(ada.get("/api/settings").await.expect(200).at("/displayName"), name.as_str());
        ada.make_key(&name).await;
    }
    for bad in [flag("hidden text"), flag("gbeng").replace('🏴', "a"), flag("")] {
        let answer = ada.patch("/api/settings", json!({ "displayName": bad })).await;
        assert_eq!(answer.complaints(), "displayName INVALID", "{bad:?}");
    }
}
