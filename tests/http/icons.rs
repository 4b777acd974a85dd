//! Pictures of users and teams: who may set them, who sees them, and what is left of a file.

use std::time::{Duration, Instant};

use domain::{blob::BlobKey, region::Region, role::Role};
use flate2::{Compression, write::ZlibEncoder};
use reqwest::{Method, redirect::Policy};
use tests::{Answer, App, Person, icon_form, json, red_pixel, with_picture};

use crate::privacy;

const ICON: &str = "/api/settings/icon";

async fn upload(who: &Person, picture: &[u8], fields: &[(&str, &str)]) -> Answer {
    upload_at(who, ICON, picture, fields).await
}

async fn upload_at(who: &Person, path: &str, picture: &[u8], fields: &[(&str, &str)]) -> Answer {
    who.app.send(with_picture(who.request(Method::POST, path), picture, fields)).await
}

/// The answer of the store to which a path leads, without credentials.
async fn picture(app: &App, path: &str) -> reqwest::Response {
    let redirect = app.get(path).await.expect(302);
    let client = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
    client.get(redirect.header("location").unwrap()).send().await.unwrap()
}

/// The names of a person's pictures in the store.
async fn stored(who: &Person) -> Vec<String> {
    let folder = BlobKey::icons_of(who.workspace());
    let names = who.app.file_keys().await.into_iter();
    names.filter(|name| name.starts_with(&folder)).collect()
}

async fn image_url(who: &Person) -> Option<String> {
    who.get("/api/settings").await.expect(200).at("/imageUrl").as_str().map(str::to_owned)
}

fn png_chunk(kind: &[u8], data: &[u8]) -> Vec<u8> {
    let checked = [kind, data].concat();
    let length = u32::try_from(data.len()).unwrap().to_be_bytes();
    [&length[..], &checked, &crc32fast::hash(&checked).to_be_bytes()].concat()
}

/// A grey PNG that claims this size, with this content.
fn png(side: u32, content: &[u8]) -> Vec<u8> {
    let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
    std::io::Write::write_all(&mut zlib, content).unwrap();
    let size = [side.to_be_bytes(), side.to_be_bytes()].concat();
    let header = png_chunk(b"IHDR", &[&size[..], &[8, 0, 0, 0, 0]].concat());
    let (content, end) = (png_chunk(b"IDAT", &zlib.finish().unwrap()), png_chunk(b"IEND", b""));
    [b"\x89PNG\r\n\x1a\n".to_vec(), header, content, end].concat()
}

#[tokio::test]
async fn picture_is_shown_to_anyone_as_a_png_through_every_region() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.living_in(Region::Eu).user("ada-icon").await;
    app.replicated().await;
    assert_eq!(image_url(&ada).await, None);
    let fields = [("iconColor", "#1a2b3c"), ("iconLetter", "AL")];
    let mut paths = Vec::new();
    for way in Region::ALL {
        let answer = upload(&ada.by_way_of(way), &red_pixel(), &fields).await.expect(200);
        assert_eq!(answer.at("/success"), true);
        paths.push(answer.text_at("/downloadUrl"));
    }
    let path = paths.pop().unwrap();
    let settings = ada.get("/api/settings").await.expect(200);
    assert_eq!(settings.at("/imageUrl"), &json!(path));
    assert_eq!((settings.at("/iconColor"), settings.at("/iconLetter")), (&json!("#1a2b3c"), &json!("AL")));
    for way in Region::ALL {
        let app = app.by_way_of(way);
        let profile = app.get("/api/users?username=ada-icon").await.expect(200);
        assert_eq!(profile.at("/user/imageUrl"), &json!(path), "{way}");
        let redirect = app.get(&path).await.expect(302);
        assert_eq!(redirect.header("cache-control"), Some("public, max-age=300"));
        assert_eq!(redirect.header("x-content-type-options"), Some("nosniff"));
        let found = picture(&app, &path).await;
        assert_eq!(found.status(), 200);
        let header = |name: &str| found.headers().get(name).unwrap().to_str().unwrap().to_owned();
        assert_eq!(header("content-type"), "image/png");
        assert_eq!(header("content-disposition"), "inline");
        assert_eq!(header("cache-control"), "public, max-age=31536000, immutable");
        let bytes = found.bytes().await.unwrap();
        assert_eq!((&bytes[..8], &bytes[16..24]), (&b"\x89PNG\r\n\x1a\n"[..], &[0, 0, 1, 0, 0, 0, 1, 0][..]));
        // Those that were replaced are gone, as is whatever never was.
        for gone in paths.iter().cloned().chain([
            format!("{path}x"),
            path.replace("icon_", "ICON_"),
            path.replace("ada-icon", "nobody-icon"),
            "/api/icons/NOT%20A%20HANDLE/x".to_owned(),
        ]) {
            assert_eq!(app.get(&gone).await.brief(), "404 NOT_FOUND", "{gone}");
        }
    }
    assert_eq!(stored(&ada).await.len(), 1);
    ada.delete(ICON).await.expect(200);
    ada.delete(ICON).await.expect(200);
    assert_eq!((image_url(&ada).await, stored(&ada).await), (None, Vec::new()));
    assert_eq!(app.get(&path).await.brief(), "404 NOT_FOUND");
    let events = ada.activity().await;
    assert_eq!(events.iter().filter(|line| line.starts_with("updated settings")).count(), 4);
}

#[tokio::test]
async fn only_admins_set_the_picture_of_a_workspace() {
    let app = App::start().await;
    let owner = app.user("icon-owner").await;
    let at_owner = format!("{ICON}?owner=icon-owner");
    let stranger = app.user("icon-stranger").await;
    assert_eq!(upload_at(&stranger, &at_owner, &red_pixel(), &[]).await.brief(), "404 NOT_FOUND");
    for (role, wanted) in [(Role::Viewer, 403), (Role::Editor, 403), (Role::Admin, 200)] {
        let member = app.user(&format!("icon-{role:?}").to_lowercase()).await;
        owner.let_in(&member, role).await;
        assert_eq!(upload_at(&member, &at_owner, &red_pixel(), &[]).await.status, wanted, "{role:?}");
        assert_eq!(member.delete(&at_owner).await.status, wanted, "{role:?}");
        assert_eq!(image_url(&member).await, None);
    }
    let key = owner.with_api_key("ci").await;
    assert_eq!(upload(&key, &red_pixel(), &[]).await.status, 401);
    assert_eq!(upload(&Person { token: String::new(), ..owner }, &red_pixel(), &[]).await.status, 401);
}

#[tokio::test]
async fn hostile_files_are_refused_and_leave_nothing() {
    let app = App::start().await;
    let ada = app.user("ada-bombs").await;
    let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
    for (file, wanted) in [
        (png(100_000, &[0; 9]), "must not exceed 4096"),
        (svg.to_vec(), "SVG is not supported"),
        (b"GIF89a/*\x01\x01*/=alert(1)//".to_vec(), "not a PNG, JPEG or WebP file"),
        (red_pixel()[..40].to_vec(), "damaged"),
        (Vec::new(), "not a PNG, JPEG or WebP file"),
    ] {
        let began = Instant::now();
        let answer = upload(&ada, &file, &[]).await;
        assert_eq!(
            (answer.brief(), answer.complaints()),
            ("400 VALIDATION_ERROR".into(), "image INVALID".into())
        );
        assert!(answer.text_at("/errors/0/message").contains(wanted), "{}", answer.text);
        assert!(began.elapsed() < Duration::from_secs(2));
    }
    // One pixel, and a hundred million zeros after it.
    let bomb = upload(&ada, &png(1, &vec![0; 100_000_000]), &[]).await;
    assert!([200, 400].contains(&bomb.status), "{}", bomb.text);
    ada.delete(ICON).await.expect(200);
    assert_eq!((image_url(&ada).await, stored(&ada).await), (None, Vec::new()));
}

#[tokio::test]
async fn polyglot_is_stored_without_what_else_it_was() {
    let app = App::start().await;
    let ada = app.user("ada-both").await;
    let script = b"<script>alert('GPS 48.8584 N')</script>";
    let comment = png_chunk(b"tEXt", &[b"Comment\0", &script[..]].concat());
    let pixel = red_pixel();
    // After the header's 8 + 25 bytes, and at the end.
    let both = [&pixel[..33], &comment, &pixel[33..], script].concat();
    let path = upload(&ada, &both, &[]).await.expect(200).text_at("/downloadUrl");
    let bytes = picture(&app, &path).await.bytes().await.unwrap();
    assert!(!bytes.windows(8).any(|window| window == b"<script>"));
}

#[tokio::test]
async fn malformed_forms_are_refused() {
    let app = App::start().await;
    let ada = app.user("ada-forms").await;
    let with = |fields: &'static [(&str, &str)]| upload_owned(ada.clone(), fields);
    assert_eq!(with(&[("iconColor", "red")]).await.complaints(), "iconColor INVALID");
    assert_eq!(with(&[("iconLetter", "ABC")]).await.complaints(), "iconLetter INVALID");
    assert_eq!(with(&[("x", "1")]).await.complaints(), "x UNKNOWN");
    assert_eq!(with(&[("image", "1")]).await.complaints(), "image INVALID");
    assert_eq!(with(&[("iconLetter", "A"), ("iconLetter", "B")]).await.complaints(), "iconLetter INVALID");
    assert_eq!(ada.post(ICON, json!({})).await.brief(), "415 UNSUPPORTED_MEDIA_TYPE");
    let typed = |kind: &str, body: &'static str| {
        app.send(ada.request(Method::POST, ICON).header("content-type", kind).body(body))
    };
    assert_eq!(typed("multipart/form-data", "").await.brief(), "415 UNSUPPORTED_MEDIA_TYPE");
    assert_eq!(typed("multipart/form-data; boundary=x", "").await.brief(), "400 BAD_REQUEST");
    assert_eq!(typed("multipart/form-data; boundary=x", "--x--").await.complaints(), "image REQUIRED");
    // Lambda takes no larger event than six megabytes; the function says so a little earlier.
    let mut large = red_pixel();
    large.resize(4_400_000, 0);
    upload(&ada, &large, &[]).await.expect(200);
    large.resize(4_500_000, 0);
    assert_eq!(upload(&ada, &large, &[]).await.brief(), "413 PAYLOAD_TOO_LARGE");
    large.resize(5_000_000, 0);
    assert_eq!(upload(&ada, &large, &[]).await.status, 413);
}

async fn upload_owned(who: Person, fields: &[(&str, &str)]) -> Answer {
    upload(&who, &red_pixel(), fields).await
}

#[tokio::test]
async fn two_uploads_at_once_leave_one_picture_that_is_there() {
    let app = App::start().await;
    let ada = app.user("ada-twice").await;
    for _ in 0..3 {
        let file = red_pixel();
        let (one, other) = tokio::join!(upload(&ada, &file, &[]), upload(&ada, &file, &[]));
        for answer in [one, other] {
            answer.expect(200);
        }
        let path = image_url(&ada).await.unwrap();
        assert_eq!(picture(&app, &path).await.status(), 200);
        assert_eq!(stored(&ada).await.len(), 1);
    }
}

#[tokio::test]
async fn interrupted_upload_is_removed_with_the_next_change() {
    let app = App::start().await;
    let ada = app.user("ada-orphan").await;
    let fault = json!({
        "service": "dynamodb", "function": "icon-upload", "operation": "TransactWriteItems", "kind": "refused", "times": 0,
    });
    app.faults(json!([fault])).await;
    assert_eq!(upload(&ada, &red_pixel(), &[]).await.brief(), "503 UNAVAILABLE");
    app.no_faults().await;
    assert_eq!((image_url(&ada).await, stored(&ada).await.len()), (None, 1));
    // It might still be on its way, so it stays for a while.
    upload(&ada, &red_pixel(), &[]).await.expect(200);
    assert_eq!(stored(&ada).await.len(), 2);
    app.advance(9 * 60).await;
    let tokens = app.post("/api/auth/refresh", json!({ "refreshToken": ada.refresh })).await.expect(200);
    let ada = Person::new(app.clone(), "ada-orphan", &ada.email, &tokens);
    app.advance(2 * 60).await;
    upload(&ada, &red_pixel(), &[]).await.expect(200);
    assert_eq!(stored(&ada).await.len(), 1);
    assert_eq!(picture(&app, &image_url(&ada).await.unwrap()).await.status(), 200);
}

#[tokio::test]
async fn deleted_account_leaves_no_picture() {
    tests::needs_every_region!();
    let app = App::start().await;
    let ada = app.user("ada-leaves").await;
    ada.post(ICON, icon_form(json!({}))).await.expect(200);
    assert_eq!(stored(&ada).await.len(), 1);
    privacy::erase(&ada).await;
    assert_eq!(stored(&ada).await.len(), 0);
}
