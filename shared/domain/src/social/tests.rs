use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization;

use super::*;

fn check<P: SocialPlatform>(good: &[(&str, &str)], bad: &[&str]) {
    for (input, stored) in good {
        let link = SocialLink::<P>::parse(input).unwrap_or_else(|error| panic!("{input}: {error}"));
        assert_eq!(link.as_str(), *stored, "{input}");
        assert_eq!(SocialLink::<P>::parse(stored).as_ref(), Ok(&link), "{input}");
    }
    for input in bad.iter().chain(&["", " ", "@", "/", "?", "a b", "https://", "\0"]) {
        assert_eq!(SocialLink::<P>::parse(input), Err(Invalid::new(P::RULE)), "{input:?}");
    }
}

#[test]
fn github_accepts_names_and_urls() {
    let octocat = "https://github.com/octocat";
    check::<Github>(
        &[
            ("octocat", octocat),
            (" @octocat ", octocat),
            ("github.com/octocat", octocat),
            ("HTTP://WWW.GitHub.com/octocat/", octocat),
            ("https://github.com/octocat?tab=repos#x", octocat),
            ("a-B-9", "https://github.com/a-B-9"),
            (&"a".repeat(39), &format!("https://github.com/{}", "a".repeat(39))),
        ],
        &[
            "-a",
            "a-",
            "a--b",
            "a_b",
            "octo.cat",
            "github.com",
            "https://github.com/",
            "https://github.com/a/b",
            "https://github.com.evil.example/a",
            "https://github.com@evil.example/a",
            "javascript:alert(1)",
            "a/b",
            "https://gist.github.com/a",
            "окто",
            &"a".repeat(40),
            "https://github.com/a%20b",
            "//github.com/a",
        ],
    );
}

#[test]
fn linkedin_accepts_people_and_companies() {
    let ada = "https://www.linkedin.com/in/ada-lovelace";
    check::<Linkedin>(
        &[
            ("ada-lovelace", ada),
            ("@ada-lovelace", ada),
            ("in/ada-lovelace", ada),
            ("linkedin.com/in/ada-lovelace/", ada),
            ("https://de.linkedin.com/in/ada-lovelace?originalSubdomain=de", ada),
            ("https://www.linkedin.com/in/ada-lovelace", ada),
            ("company/acme", "https://www.linkedin.com/company/acme"),
            ("https://linkedin.com/company/acme", "https://www.linkedin.com/company/acme"),
            ("in/jürgen", "https://www.linkedin.com/in/j%C3%BCrgen"),
            ("in/j%c3%bcrgen", "https://www.linkedin.com/in/j%C3%BCrgen"),
            ("in/%61da%2Dlovelace", ada),
            ("jose\u{301}", "https://www.linkedin.com/in/jos%C3%A9"),
            ("in/jose%CC%81", "https://www.linkedin.com/in/jos%C3%A9"),
            (
                "https://www.linkedin.com/in/%E6%9D%8E%E5%B0%8F%E9%BE%8D",
                "https://www.linkedin.com/in/%E6%9D%8E%E5%B0%8F%E9%BE%8D",
            ),
            (&"ก".repeat(100), &format!("https://www.linkedin.com/in/{}", "%E0%B8%81".repeat(100))),
            (
                &format!("in/{}", "%F0%A0%80%80".repeat(100)),
                &format!("https://www.linkedin.com/in/{}", "%F0%A0%80%80".repeat(100)),
            ),
        ],
        &[
            &"ก".repeat(101),
            "in/jos\u{301}\u{301}\u{feff}e",
            "in/\u{301}abc",
            "in/a-\u{301}bc",
            "in/abc%E2%80%AE",
            "in/abc%C0%AF",
            "in/abc%ED%A0%80",
            "in/abc%EF%BB%BF",
            "in/abc%E2%80%8B",
            "in/abc%E2%80%8D",
            "in/abc\u{200d}def",
            "in/abc\u{fe0f}",
            "in/abc%EF%B8%8F",
            "in/abc%E3%85%A4",
            "in/abc%20d",
            "in/abc%0A",
            "in/a%252Fbc",
            "in/abc🙂",
            "ab",
            "https://www.linkedin.com/ada-lovelace",
            "https://www.linkedin.com/feed/",
            "in/a%2Fb",
            "in/abc%00",
            "https://evillinkedin.com/in/ada",
            "https://a.b.linkedin.com/in/ada",
            "in/ada/x",
            "abc%c3",
            "abc%",
            "abc%c3%+8",
        ],
    );
}

#[test]
fn x_accepts_both_hosts() {
    let ada = "https://x.com/Ada_1";
    check::<Twitter>(
        &[
            ("Ada_1", ada),
            ("@Ada_1", ada),
            ("https://twitter.com/Ada_1", ada),
            ("mobile.twitter.com/@Ada_1/", ada),
            ("x.com/Ada_1?s=20", ada),
        ],
        &["ada-1", "a234567890123456", "x.com", "https://x.com/ada/status/1", "https://netflix.com/ada"],
    );
}

#[test]
fn youtube_accepts_handles_and_channel_ids() {
    let (name, id) =
        ("https://www.youtube.com/@ada.l", "https://www.youtube.com/channel/UC-9-kyTW8ZkZNDHQJ6FgpwQ");
    check::<Youtube>(
        &[
            ("ada.l", name),
            ("@ada.l", name),
            ("youtube.com/@ada.l", name),
            ("https://m.youtube.com/@ada.l/?app=x", name),
            ("UC-9-kyTW8ZkZNDHQJ6FgpwQ", id),
            ("https://youtube.com/channel/UC-9-kyTW8ZkZNDHQJ6FgpwQ", id),
            ("@한국어", "https://www.youtube.com/@%ED%95%9C%EA%B5%AD%EC%96%B4"),
            ("@\u{1112}\u{1161}\u{11ab}국어", "https://www.youtube.com/@%ED%95%9C%EA%B5%AD%EC%96%B4"),
            ("@हिन्दी", "https://www.youtube.com/@%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80"),
            (
                "youtube.com/@%e0%a4%b9%e0%a4%bf%e0%a4%a8%e0%a5%8d%e0%a4%a6%e0%a5%80",
                "https://www.youtube.com/@%E0%A4%B9%E0%A4%BF%E0%A4%A8%E0%A5%8D%E0%A4%A6%E0%A5%80",
            ),
            ("@ข่าวสด", "https://www.youtube.com/@%E0%B8%82%E0%B9%88%E0%B8%B2%E0%B8%A7%E0%B8%AA%E0%B8%94"),
            ("https://www.youtube.com/%40ada.l", name),
            (
                "@می\u{200c}خواهم",
                "https://www.youtube.com/@%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85",
            ),
            ("@ක්\u{200d}ෂය", "https://www.youtube.com/@%E0%B6%9A%E0%B7%8A%E2%80%8D%E0%B7%82%E0%B6%BA"),
            (&"ก".repeat(30), &format!("https://www.youtube.com/@{}", "%E0%B8%81".repeat(30))),
        ],
        &[
            &"ก".repeat(31),
            "@abc%C0%AF",
            "@abc%E2%80%AE",
            "@a\u{200c}b",
            "@می\u{200d}خواهم",
            "@مید\u{200c}",
            "@%2Eada",
            "@ada%5F",
            "https://www.youtube.com/%2540ada",
            "ab",
            ".ada",
            "ada_",
            "https://www.youtube.com/ada",
            "https://www.youtube.com/watch?v=abc",
            "a".repeat(31).as_str(),
            "https://www.youtube.com/channel/UCshort",
            "https://youtu.be/abc",
        ],
    );
}

#[test]
fn scholar_accepts_profiles_of_all_countries() {
    let stored = "https://scholar.google.com/citations?user=AbC-_fGhIjKl";
    check::<Scholar>(
        &[
            ("AbC-_fGhIjKl", stored),
            ("https://scholar.google.co.uk/citations?hl=en&user=AbC-_fGhIjKl&oi=ao", stored),
            ("scholar.google.de/citations?user=AbC-_fGhIjKl#x", stored),
        ],
        &[
            "short",
            "https://scholar.google.com/citations?hl=en",
            "https://scholar.google.com/AbC-_fGhIjKl",
            "https://scholar.google.evil.example/citations?user=AbC-_fGhIjKl",
            "https://google.com/citations?user=AbC-_fGhIjKl",
        ],
    );
}

#[test]
fn discord_accepts_invites_users_and_names() {
    let invite = "https://discord.gg/AbC-12";
    check::<Discord>(
        &[
            ("https://discord.gg/AbC-12", invite),
            ("discord.com/invite/AbC-12", invite),
            ("https://discordapp.com/invite/AbC-12/", invite),
            ("https://discord.com/users/80351110224678912", "https://discord.com/users/80351110224678912"),
            ("Ada.L_1", "ada.l_1"),
            ("@ada", "ada"),
        ],
        &[
            "a",
            "ada..l",
            "Ada#1234",
            "https://discord.com/AbC",
            "https://discord.gg/invite/AbC",
            "discord.gg",
            "invite/AbC",
            "https://discord.com/users/1",
            "users/80351110224678912",
            "https://discord.com/channels/1/2",
        ],
    );
}

#[test]
fn website_requires_web_url_with_domain() {
    check::<Website>(
        &[
            ("example.com", "https://example.com/"),
            ("HTTP://Example.com", "http://example.com/"),
            ("https://example.com:443/a?b=c#d", "https://example.com/a?b=c#d"),
            ("example.com:8080", "https://example.com:8080/"),
            ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
            ("example.com/@ada", "https://example.com/@ada"),
            ("example.com/?u=http://x", "https://example.com/?u=http://x"),
            ("example.com/a%20b%2F%c3%a9", "https://example.com/a%20b%2F%c3%a9"),
            ("example.com/e\u{301}", "https://example.com/e%CC%81"),
            (
                "example.com/می\u{200c}خواهم",
                "https://example.com/%D9%85%DB%8C%E2%80%8C%D8%AE%D9%88%D8%A7%D9%87%D9%85",
            ),
        ],
        &[
            "example.com/%C0%AF",
            "example.com/?q=%ff",
            "example.com/#%E2%80%AE",
            "example.com/\u{202e}gpj.exe",
            "example.com/%0d%0aSet-Cookie",
            "example.com/%00",
            "example.com/%E2%80%8B",
            "localhost",
            "https://localhost:8080",
            "https://127.0.0.1",
            "https://[::1]/",
            "https://2130706433",
            "https://0x7f.1",
            "ftp://example.com",
            "mailto:a@example.com",
            "javascript:alert(1)",
            "data:text/html,x",
            "https://a:b@example.com",
            "https://@example.com",
            "https:///example.com",
            "https:example.com",
            "https://exa mple.com",
            "https:\\\\example.com",
            "https://-a.com",
            "https://example.com.",
            "https://a..com",
            "example.c",
            &format!("https://example.com/{}", "a".repeat(181)),
        ],
    );
    assert!(SocialLink::<Website>::parse(&format!("https://example.com/{}", "a".repeat(180))).is_ok());
}

#[test]
fn url_on_other_host_is_refused() {
    fn check<P: SocialPlatform>(name: &str) {
        for host in
            ["https://evil.example/", "http://evil.example/", "evil.example/", "https://evil.example/?", "//"]
        {
            assert!(SocialLink::<P>::parse(name).is_ok(), "{name}");
            assert!(SocialLink::<P>::parse(&format!("{host}{name}")).is_err(), "{host}{name}");
        }
    }
    check::<Github>("octocat");
    check::<Linkedin>("in/octocat");
    check::<Twitter>("octocat");
    check::<Youtube>("@octocat");
    check::<Scholar>("AbC-_fGhIjKl");
    check::<Discord>("octocat");
}

#[test]
fn invalid_stored_link_reads_as_none() {
    let json = r#"{"github": "@octocat", "linkedin": "", "website": " ", "discord": null}"#;
    let links: SocialLinks = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_string(&links).unwrap(), r#"{"github":"https://github.com/octocat"}"#);
    assert!(!links.is_empty() && SocialLinks::default().is_empty());
    let json = r#"{
        "linkedin": "https://www.linkedin.com/in/jose%CC%81",
        "youtube": "https://www.youtube.com/@abc%C0%AF",
        "website": "https://example.com/%E2%80%AE"
    }"#;
    let links: SocialLinks = serde_json::from_str(json).unwrap();
    assert_eq!(
        serde_json::to_string(&links).unwrap(),
        r#"{"linkedin":"https://www.linkedin.com/in/jos%C3%A9"}"#
    );
}

#[test]
fn typed_and_encoded_names_give_same_link() {
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    for name in ["हिन्दी", "ข่าวสด", "josé", "Привет", "ελληνικά", "한국어", "தமிழ்", "עברית", "العربية"]
    {
        let composed: String = name.nfc().collect();
        let decomposed: String = name.nfd().collect();
        let forms = [encoded(&composed), encoded(&decomposed), decomposed, composed];
        let links = forms.map(|name| {
            let (linkedin, youtube) = (format!("in/{name}"), format!("@{name}"));
            (SocialLink::<Linkedin>::parse(&linkedin), SocialLink::<Youtube>::parse(&youtube))
        });
        assert!(links[0].0.is_ok() && links[0].1.is_ok(), "{name}");
        assert!(links.iter().all(|link| *link == links[0]), "{name}");
    }
}

fn stable<P: SocialPlatform + fmt::Debug>(input: &str) {
    if let Ok(link) = SocialLink::<P>::parse(input) {
        assert_eq!(SocialLink::<P>::parse(link.as_str()).as_ref(), Ok(&link), "{input:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn any_input_parses_or_fails_and_stored_form_is_stable(
        input in prop_oneof![
            any::<String>(),
            "@?[A-Za-z0-9._%/-]{1,30}",
            "@?([a-zé\u{301}हिन्दी\u{200d}\u{200c}می]|%[0-9A-F]{2}){1,30}",
            "(https?://)?(www\\.)?(github\\.com|x\\.com|linkedin\\.com/(in|company)|youtube\\.com|discord\\.(gg|com))/@?\\PC{1,12}",
            "(https?://)?[a-zäé0-9.-]{1,12}\\.[a-z]{2,5}(:[0-9]{1,5})?(/\\PC{0,12})?(\\?\\PC{0,9})?(#\\PC{0,9})?",
        ]
    ) {
        stable::<Github>(&input);
        stable::<Linkedin>(&input);
        stable::<Twitter>(&input);
        stable::<Youtube>(&input);
        stable::<Scholar>(&input);
        stable::<Discord>(&input);
        stable::<Website>(&input);
    }

    #[test]
    fn schema_matches_are_accepted(
        github in "((https?://)?(www\\.)?github\\.com/|@)?[A-Za-z0-9]{1,12}(-[A-Za-z0-9]{1,12}){0,2}/?",
        linkedin in "((https?://)?([a-z]{2,3}\\.)?linkedin\\.com/(in|company)/|(in|company)/|@)?([A-Za-z0-9_à-ïа-я가-힣-]|%[Cc]3%[Aa][0-9A-Fa-f]){3,10}/?",
        x in "((https?://)?((www|mobile|m)\\.)?(x|twitter)\\.com/)?@?[A-Za-z0-9_]{1,15}/?",
        youtube in "((https?://)?((www|m)\\.)?youtube\\.com/@|@)?[A-Za-z0-9à-ï]([A-Za-z0-9._а-я-]|%[Cc]3%[Aa][0-9A-Fa-f]){1,28}[A-Za-z0-9가-힣]/?",
        scholar in "(https?://)?scholar\\.google\\.[a-z]{2,3}(\\.[a-z]{2})?/citations\\?([a-z]{1,4}=[A-Za-z0-9_-]{0,3}&){0,2}user=[A-Za-z0-9_-]{12}(&[a-z]{1,3}=[A-Za-z0-9_-]{0,3}){0,2}|@?[A-Za-z0-9_-]{12}",
        discord in "((https?://)?(www\\.)?(discord\\.gg|discord(app)?\\.com/invite)/[A-Za-z0-9-]{2,32}/?|(https?://)?(www\\.)?discord(app)?\\.com/users/[0-9]{17,20}/?|@?[A-Za-z0-9_]{2,32})",
        website in "(https?://)?([A-Za-wyz0-9]([A-Za-z0-9-]{0,9}[A-Za-z0-9])?\\.){1,3}[A-Za-z]{2,9}(:[0-9]{1,4})?([/?#]([A-Za-z0-9._~:/?#@!$&'()*+,;=\\[\\]|^-]|%[2-6][0-9A-Fa-f]|%[Cc]3%[Aa][0-9A-Fa-f]){0,19})?",
    ) {
        prop_assert!(SocialLink::<Github>::parse(&github).is_ok(), "{}", github);
        prop_assert!(SocialLink::<Linkedin>::parse(&linkedin).is_ok(), "{}", linkedin);
        prop_assert!(SocialLink::<Twitter>::parse(&x).is_ok(), "{}", x);
        prop_assert!(SocialLink::<Youtube>::parse(&youtube).is_ok(), "{}", youtube);
        prop_assert!(SocialLink::<Scholar>::parse(&scholar).is_ok(), "{}", scholar);
        prop_assert!(SocialLink::<Discord>::parse(&discord).is_ok(), "{}", discord);
        prop_assert!(SocialLink::<Website>::parse(&website).is_ok(), "{}", website);
    }
}
