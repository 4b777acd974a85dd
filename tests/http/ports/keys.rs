//! The vault and the secrets.

use std::{collections::BTreeSet, sync::Arc};

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    email::EmailAddress,
    id::{AttemptId, WorkspaceId},
    permissions::may_reveal_keys,
    ports::{AddressHashes, Codes, Directory, EncryptionContext, PublicKey, TokenKeys, Vault},
    region::Region,
    role::Role,
    rotation::SecretName,
    sealing::Sealed,
    secret::{Digest256, Secret},
    session::Claims,
    workspace::Workspace,
};
use keys::{KmsVault, SecretDocument, SecretNames, Secrets};
use kit::token::Verifier;
use lambda::OsEntropy;
use tests::{App, json};

use super::{asked, at, directory, id, member, session_of, why, workspace};

const UNREADABLE: &str = "a sealed value does not open";
const REFUSED: &str = "kms rejects the request: InvalidCiphertextException";

fn endpoint(app: &App) -> lambda::AwsEndpoint {
    let credentials = local::outsider("tests");
    lambda::AwsEndpoint { url: Some(app.aws_endpoint().to_owned()), credentials }
}

fn vault_of(app: &App, region: Region) -> KmsVault {
    let sdk = lambda::sdk_config(app.home().aws(), &endpoint(app), &lambda::HttpClient::new().unwrap());
    let client = move || aws_sdk_kms::Client::new(&sdk);
    KmsVault::new(client, format!("alias/account-{}", app.home()), region, Arc::new(OsEntropy))
}

fn secrets_client(app: &App) -> aws_sdk_secretsmanager::Client {
    let sdk = lambda::sdk_config(app.home().aws(), &endpoint(app), &lambda::HttpClient::new().unwrap());
    aws_sdk_secretsmanager::Client::new(&sdk)
}

/// The secrets of the home region.
pub fn secrets(app: &App) -> Secrets {
    secrets_named(app, &app.home().to_string())
}

fn secrets_named(app: &App, own: &str) -> Secrets {
    let names = SecretNames { own: format!("account/{own}/"), shared: "account/shared/".to_owned() };
    let client = secrets_client(app);
    Secrets::new(move || client, app.home(), names, Arc::new(|| at(0)), Arc::new(lambda::OsEntropy))
}

/// A workspace with a data key of its own.
async fn keyed(vault: &KmsVault, handle: &str) -> Workspace {
    let made = workspace(handle);
    let data_key = vault.new_data_key(made.id).await.unwrap();
    Workspace { data_key, ..made }
}

fn context<'a>(workspace: &'a Workspace, record: &'a str, field: &'static str) -> EncryptionContext<'a> {
    EncryptionContext { workspace, record, field }
}

#[tokio::test]
async fn a_sealed_value_opens_in_its_place_in_any_container() {
    let app = App::start().await;
    let vault = vault_of(&app, Region::Us);
    let ada = keyed(&vault, "ada-lovelace").await;
    let here = context(&ada, "key_1", "value");
    for value in ["", "x", "ul_0123", "Grüße, 世界", &"long ".repeat(2_000)] {
        let secret = Secret::new(value.to_owned());
        let (one, two) = (vault.seal(here, &secret).await.unwrap(), vault.seal(here, &secret).await.unwrap());
        assert!(one.0 != two.0, "the same value twice looks the same");
        assert!(value.is_empty() || !one.0.contains(&BASE64_STANDARD.encode(value)));
        assert_eq!(vault.open(here, &one).await.unwrap().expose(), value);
        assert_eq!(vault_of(&app, Region::Us).open(here, &two).await.unwrap().expose(), value);
        let proof = may_reveal_keys(&member(&ada, Role::Owner)).unwrap();
        assert_eq!(vault.reveal(&proof, here, &two).await.unwrap().expose(), value);
    }
}

#[tokio::test]
async fn a_sealed_value_opens_nowhere_else() {
    let app = App::start().await;
    let vault = vault_of(&app, Region::Us);
    let (ada, bob) = (keyed(&vault, "ada-lovelace").await, keyed(&vault, "bobs-context").await);
    let sealed = vault.seal(context(&ada, "key_1", "value"), &Secret::new("ul_1".to_owned())).await.unwrap();
    assert_eq!(why(vault.open(context(&ada, "key_2", "value"), &sealed).await), UNREADABLE);
    assert_eq!(why(vault.open(context(&ada, "key_1", "note"), &sealed).await), UNREADABLE);
    assert_eq!(why(vault.open(context(&ada, "key_1v", "alue"), &sealed).await), UNREADABLE);
    assert_eq!(why(vault.open(context(&bob, "key_1", "value"), &sealed).await), UNREADABLE);
    // A data key is bound to its workspace and region: moved to another, KMS does not unwrap it.
    let moved = Workspace { data_key: ada.data_key.clone(), ..workspace("moved-here") };
    assert_eq!(why(vault.open(context(&moved, "key_1", "value"), &sealed).await), REFUSED);
    let elsewhere = vault_of(&app, Region::Eu);
    assert_eq!(why(elsewhere.open(context(&ada, "key_1", "value"), &sealed).await), REFUSED);
    assert_eq!(vault.open(context(&ada, "key_1", "value"), &sealed).await.unwrap().expose(), "ul_1");
}

#[tokio::test]
async fn a_sealed_value_with_any_byte_changed_or_missing_is_refused() {
    let app = App::start().await;
    let vault = vault_of(&app, Region::Us);
    let ada = keyed(&vault, "ada-lovelace").await;
    let here = context(&ada, "key_1", "value");
    let sealed = vault.seal(here, &Secret::new("ul_0123".to_owned())).await.unwrap();
    let bytes = BASE64_STANDARD.decode(&sealed.0).unwrap();
    assert_eq!(bytes.len(), 1 + 12 + 7 + 16);
    let open = async |bytes: &[u8]| why(vault.open(here, &Sealed(BASE64_STANDARD.encode(bytes))).await);
    assert_eq!(open(&bytes).await, "done");
    for n in 0..bytes.len() {
        for bit in [0x01, 0x80] {
            let mut flipped = bytes.clone();
            flipped[n] ^= bit;
            assert_eq!(open(&flipped).await, UNREADABLE, "byte {n}");
        }
        assert_eq!(open(&bytes[..n]).await, UNREADABLE, "the first {n} bytes");
    }
    assert_eq!(open(&[&bytes[..], &[0]].concat()).await, UNREADABLE);
    assert_eq!(why(vault.open(here, &Sealed("not base64".to_owned())).await), UNREADABLE);
}

#[tokio::test]
async fn kms_is_called_once_for_many_values_of_a_workspace() {
    let app = App::start().await;
    let vault = vault_of(&app, Region::Us);
    let (ada, bob) = (keyed(&vault, "ada-lovelace").await, keyed(&vault, "bobs-context").await);
    assert!(ada.data_key.0 != bob.data_key.0);
    let since = app.last_call().await;
    for n in 0..20 {
        let record = format!("key_{n}");
        let here = context(&ada, &record, "value");
        let sealed = vault.seal(here, &Secret::new(record.clone())).await.unwrap();
        assert_eq!(vault.open(here, &sealed).await.unwrap().expose(), record);
    }
    assert_eq!(asked(&app, "kms", since).await, ["Decrypt"]);
    vault.seal(context(&bob, "key_1", "value"), &Secret::new(String::new())).await.unwrap();
    assert_eq!(asked(&app, "kms", since).await, ["Decrypt"; 2]);
}

#[tokio::test]
async fn key_service_that_fails_is_asked_again_later() {
    let app = App::start().await;
    let (vault, secrets) = (vault_of(&app, Region::Us), secrets(&app));
    let ada = keyed(&vault, "ada-lovelace").await;
    let value = Secret::new("ul_1".to_owned());
    for (kind, failed) in [
        ("refused", "is unavailable: ExpiredTokenException"),
        ("denied", "rejects the request: AccessDeniedException"),
        ("validation", "rejects the request: ValidationException"),
    ] {
        let fault = |service| json!({ "service": service, "function": "tests", "kind": kind, "times": 0 });
        app.faults(json!([fault("kms"), fault("secretsmanager")])).await;
        assert_eq!(why(vault.seal(context(&ada, "key_1", "value"), &value).await), format!("kms {failed}"));
        assert_eq!(why(vault.new_data_key(ada.id).await), format!("kms {failed}"));
        assert_eq!(why(secrets.derivation_key(at(0)).await), format!("secretsmanager {failed}"));
        app.no_faults().await;
    }
    assert_eq!(why(vault.seal(context(&ada, "key_1", "value"), &value).await), "done");
    assert_eq!(why(secrets.derivation_key(at(0)).await), "done");
}

#[tokio::test]
async fn an_address_has_one_hash_however_it_is_written() {
    let app = App::start().await;
    let (one, two) = (secrets(&app), secrets(&app));
    let hash = async |text: &str| one.hash(&EmailAddress::parse_existing(text).unwrap()).await.unwrap();
    let ada = hash("ada@bücher.example").await;
    for same in [
        " ada@bücher.example ",
        "ADA@Bücher.Example",
        "Ada@xn--bcher-kva.example",
        "ada@BU\u{308}CHER.example",
    ] {
        assert_eq!(hash(same).await, ada, "{same}");
        assert_eq!(two.hash(&EmailAddress::parse(same).unwrap()).await.unwrap(), ada, "{same}");
    }
    let cafe = hash("caf\u{e9}@people.example").await;
    assert_eq!(hash("cafe\u{301}@people.example").await, cafe);
    for other in ["ada@bucher.example", "a.da@bücher.example", "ada+x@bücher.example", "cafe@people.example"]
    {
        assert!(![ada, cafe].contains(&hash(other).await), "{other}");
    }
    assert_ne!(ada.0, Digest256::of("ada@xn--bcher-kva.example"), "it is keyed");
}

#[tokio::test]
async fn referral_tag_is_of_one_workspace_in_one_region() {
    let app = App::start().await;
    let (one, two) = (secrets(&app), secrets(&app));
    let [ada, bob]: [WorkspaceId; 2] =
        ["ws_01m858qy4a1ar9by88nhafn40x", "ws_01m858qy4a1ar9by88nhafn40y"].map(|id| id.parse().unwrap());
    let tag = one.referral_tag(Region::Us, ada).await.unwrap();
    assert!(tag.matches(two.referral_tag(Region::Us, ada).await.unwrap()));
    for (region, workspace) in [(Region::Eu, ada), (Region::Us, bob)] {
        assert!(!tag.matches(one.referral_tag(region, workspace).await.unwrap()), "{region} {workspace}");
    }
    // Every region makes the same tags.
    for region in Region::ALL {
        let there = secrets(&app.living_in(region));
        assert!(tag.matches(there.referral_tag(Region::Us, ada).await.unwrap()), "{region}");
    }
}

#[tokio::test]
async fn each_attempt_has_its_own_stable_code() {
    let app = App::start().await;
    let (one, two) = (secrets(&app), secrets(&app));
    let attempts: Vec<AttemptId> = (0..20).map(|_| id()).collect();
    let since = app.last_call().await;
    let codes: Vec<String> =
        one.sign_up_codes(&attempts).await.unwrap().iter().map(|code| code.expose().to_owned()).collect();
    assert!(
        codes.iter().all(|code| code.len() == 6 && code.bytes().all(|c| c.is_ascii_digit())),
        "{codes:?}"
    );
    // Two of twenty may be the same by chance, in one run of five thousand; three pairs never are.
    assert!(codes.iter().collect::<BTreeSet<_>>().len() > 17, "{codes:?}");
    for (attempt, code) in attempts.iter().zip(&codes).rev() {
        assert_eq!(two.sign_up_codes(&[*attempt]).await.unwrap()[0].expose(), code);
    }
    assert!(one.sign_up_codes(&[]).await.unwrap().is_empty());
    assert_eq!(asked(&app, "secretsmanager", since).await, ["GetSecretValue"; 2], "once a container");
}

#[tokio::test]
async fn a_signed_token_is_good_until_the_second_it_expires() {
    let app = App::start().await;
    let (secrets, verifier) = (secrets(&app), Verifier::new(Arc::new(directory(&app))));
    let session = session_of(id());
    let claims = Claims::of(&session, Region::Us, Some(&Secret::new("csrf".to_owned())), at(0));
    assert_eq!(claims.exp, at(600).as_second());
    let token = secrets.sign(&claims).await.unwrap();
    let since = app.last_call().await;
    let verify = async |token: &str, now| verifier.verify(token, now).await.unwrap();
    let last = domain::Timestamp::from_millisecond(at(600).as_millisecond() - 1).unwrap();
    assert_eq!(verify(token.expose(), at(0)).await, Some(claims.clone()));
    assert_eq!(verify(token.expose(), at(599)).await, Some(claims.clone()));
    assert_eq!(verify(token.expose(), last).await, Some(claims.clone()));
    assert_eq!(verify(token.expose(), at(600)).await, None);
    assert_eq!(verify(token.expose(), at(3_599)).await, None);
    // Another region's claims under this region's key.
    let foreign = secrets.sign(&Claims { iss: Region::Eu, ..claims }).await.unwrap();
    assert_eq!(verify(foreign.expose(), at(0)).await, None);
    // The keys are read once.
    assert_eq!(asked(&app, "dynamodb", since).await, ["Query"]);
}

#[tokio::test]
async fn a_token_with_any_character_changed_is_refused() {
    let app = App::start().await;
    let (secrets, verifier) = (secrets(&app), Verifier::new(Arc::new(directory(&app))));
    let claims = Claims::of(&session_of(id()), Region::Us, None, at(0));
    let token = secrets.sign(&claims).await.unwrap().expose().to_owned();
    assert_eq!(verifier.verify(&token, at(0)).await.unwrap(), Some(claims));
    for n in 0..token.len() {
        let mut changed = token.clone().into_bytes();
        changed[n] = if changed[n] == b'A' { b'Q' } else { b'A' };
        let changed = String::from_utf8(changed).unwrap();
        assert_eq!(verifier.verify(&changed, at(0)).await.unwrap(), None, "character {n}");
    }
    for bad in ["", ".", "..", "a.b.c", &token[..token.len() - 1], &format!("{token}.")] {
        assert_eq!(verifier.verify(bad, at(0)).await.unwrap(), None, "{bad}");
    }
    let unsigned = token.rsplit_once('.').unwrap().0;
    assert_eq!(verifier.verify(&format!("{unsigned}."), at(0)).await.unwrap(), None);
}

#[tokio::test]
async fn token_is_valid_while_its_key_is_published() {
    let app = App::start().await;
    let directory = Arc::new(directory(&app));
    let verifier = Verifier::new(directory.clone());
    let rotated = SecretDocument::first(SecretName::Tokens, &OsEntropy);
    let create = secrets_client(&app).create_secret().name("account/next/tokens");
    create.secret_string(rotated.write().unwrap().expose()).send().await.unwrap();
    let next = secrets_named(&app, "next");
    let claims = Claims::of(&session_of(id()), Region::Us, None, at(0));
    let token = next.sign(&claims).await.unwrap();
    assert_eq!(verifier.verify(token.expose(), at(0)).await.unwrap(), None);
    let public = rotated.public_keys(Region::Us).unwrap().pop().unwrap();
    directory.publish_signing_key(&public).await.unwrap();
    directory.publish_signing_key(&public).await.unwrap();
    let known = directory.signing_keys().await.unwrap();
    assert_eq!(known.iter().filter(|key| **key == public).count(), 1);
    assert_eq!(known.len(), Region::ALL.len() + 1, "{known:?}");
    let since = app.last_call().await;
    assert_eq!(verifier.verify(token.expose(), at(9)).await.unwrap(), None, "asked a moment ago");
    assert!(asked(&app, "dynamodb", since).await.is_empty());
    assert_eq!(verifier.verify(token.expose(), at(10)).await.unwrap(), Some(claims));
    let own = secrets(&app).sign(&Claims::of(&session_of(id()), Region::Us, None, at(10))).await.unwrap();
    assert!(verifier.verify(own.expose(), at(10)).await.unwrap().is_some(), "the key before stays good");
    for _ in 0..2 {
        directory.withdraw_signing_key(Region::Us, &public.kid).await.unwrap();
        assert_eq!(directory.retired_keys().await.unwrap(), std::slice::from_ref(&public), "for receipts");
    }
    let late = Claims::of(&session_of(id()), Region::Us, None, at(3_600));
    let token = next.sign(&late).await.unwrap();
    assert!(verifier.verify(token.expose(), at(3_609)).await.unwrap().is_some(), "kept for an hour");
    assert_eq!(verifier.verify(token.expose(), at(3_610)).await.unwrap(), None, "withdrawn");
}

#[tokio::test]
async fn verified_token_is_refused_once_its_key_changes() {
    let app = App::start().await;
    let directory = Arc::new(directory(&app));
    let (secrets, verifier) = (secrets(&app), Verifier::new(directory.clone()));
    let claims = Claims::of(&session_of(id()), Region::Us, None, at(3_600));
    let token = secrets.sign(&claims).await.unwrap();
    assert_eq!(verifier.verify(token.expose(), at(3_600)).await.unwrap(), Some(claims.clone()));
    assert_eq!(verifier.verify(token.expose(), at(3_601)).await.unwrap(), Some(claims));
    let kid = jwt::key_id(token.expose()).unwrap();
    let other =
        SecretDocument::first(SecretName::Tokens, &OsEntropy).public_keys(Region::Us).unwrap().pop().unwrap();
    directory.publish_signing_key(&PublicKey { kid, ..other }).await.unwrap();
    // Keys are kept for an hour.
    let within = Claims::of(&session_of(id()), Region::Us, None, at(7_100));
    let within = secrets.sign(&within).await.unwrap();
    assert!(verifier.verify(within.expose(), at(7_199)).await.unwrap().is_some());
    assert_eq!(verifier.verify(within.expose(), at(7_200)).await.unwrap(), None);
}
