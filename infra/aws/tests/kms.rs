//! KMS: results and errors of every operation, and durability.

use aws_sdk_kms::Client;
use aws_sdk_kms::primitives::Blob;
use aws_sdk_kms::types::DataKeySpec;

use crate::support::{Local, code, said};

async fn key(kms: &Client) -> String {
    kms.create_key().description("test").send().await.unwrap().key_metadata.unwrap().key_id
}

async fn sealed(kms: &Client, key: &str) -> Blob {
    let sent = kms.encrypt().key_id(key).plaintext(Blob::new("hello")).encryption_context("a", "1");
    sent.encryption_context("b", "2").send().await.unwrap().ciphertext_blob.unwrap()
}

async fn opened(kms: &Client, blob: &Blob) -> Result<Vec<u8>, String> {
    let sent = kms.decrypt().ciphertext_blob(blob.clone()).encryption_context("b", "2");
    match sent.encryption_context("a", "1").send().await {
        Ok(answer) => Ok(answer.plaintext.unwrap().into_inner()),
        error => Err(code(error)),
    }
}

#[tokio::test]
async fn key_is_found_by_id_arn_and_alias() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let made = kms.create_key().send().await.unwrap().key_metadata.unwrap();
    kms.create_alias().alias_name("alias/app").target_key_id(&made.key_id).send().await.unwrap();
    let arn = made.arn.unwrap();
    assert_eq!(arn, format!("arn:aws:kms:eu-central-1:000000000000:key/{}", made.key_id));
    let alias_arn = "arn:aws:kms:eu-central-1:000000000000:alias/app";
    for name in [made.key_id.as_str(), &arn, "alias/app", alias_arn] {
        let seen = kms.describe_key().key_id(name).send().await.unwrap().key_metadata.unwrap();
        assert_eq!(seen.key_id, made.key_id, "{name}");
        let data = kms.generate_data_key().key_id(name).key_spec(DataKeySpec::Aes256).send().await.unwrap();
        assert_eq!(data.key_id.as_deref(), Some(arn.as_str()));
        assert_eq!(data.plaintext.as_ref().unwrap().as_ref().len(), 32);
        let back = kms.decrypt().ciphertext_blob(data.ciphertext_blob.unwrap()).send().await.unwrap();
        assert_eq!(back.plaintext, data.plaintext);
        assert_eq!(back.key_id.as_deref(), Some(arn.as_str()));
    }
}

#[tokio::test]
async fn data_key_has_the_requested_length() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let id = key(&kms).await;
    for n in [1, 16, 1024] {
        let data = kms.generate_data_key().key_id(&id).number_of_bytes(n).send().await.unwrap();
        assert_eq!(data.plaintext.unwrap().as_ref().len(), n as usize);
    }
    let bare = kms.generate_data_key_without_plaintext().key_id(&id).number_of_bytes(5).send().await.unwrap();
    let plain = kms.decrypt().ciphertext_blob(bare.ciphertext_blob.unwrap()).send().await.unwrap();
    assert_eq!(plain.plaintext.unwrap().as_ref().len(), 5);
    for n in [0, 1025, -1] {
        let refused = kms.generate_data_key().key_id(&id).number_of_bytes(n).send().await;
        assert_eq!(code(refused), "ValidationException", "{n}");
    }
    assert_eq!(
        said(kms.generate_data_key().key_id(&id).send().await),
        "ValidationException: Please specify either number of bytes or key spec."
    );
    let both = kms.generate_data_key().key_id(&id).key_spec(DataKeySpec::Aes128).number_of_bytes(8);
    assert_eq!(code(both.send().await), "ValidationException");
}

#[tokio::test]
async fn other_encryption_context_is_refused() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let blob = sealed(&kms, &key(&kms).await).await;
    assert_eq!(opened(&kms, &blob).await.unwrap(), b"hello");
    let contexts: [&[(&str, &str)]; 5] = [
        &[],
        &[("a", "1")],
        &[("a", "1"), ("b", "3")],
        &[("a", "1b"), ("", "2")],
        &[("a", "1"), ("b", "2"), ("c", "3")],
    ];
    for context in contexts {
        let mut sent = kms.decrypt().ciphertext_blob(blob.clone());
        for (name, value) in context {
            sent = sent.encryption_context(*name, *value);
        }
        assert_eq!(said(sent.send().await), "InvalidCiphertextException", "{context:?}");
    }
}

#[tokio::test]
async fn every_changed_byte_of_a_ciphertext_is_refused() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let blob = sealed(&kms, &key(&kms).await).await;
    for n in 0..blob.as_ref().len() {
        let mut bytes = blob.as_ref().to_vec();
        bytes[n] ^= 1;
        assert_eq!(
            opened(&kms, &Blob::new(bytes)).await,
            Err("InvalidCiphertextException".to_owned()),
            "byte {n}"
        );
    }
    for cut in [1, 20, 21, 33, 40] {
        let bytes = blob.as_ref()[..cut].to_vec();
        assert_eq!(
            opened(&kms, &Blob::new(bytes)).await,
            Err("InvalidCiphertextException".to_owned()),
            "{cut} bytes"
        );
    }
}

#[tokio::test]
async fn lengths_are_checked() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let id = key(&kms).await;
    for (length, right) in [(0, false), (1, true), (4096, true), (4097, false)] {
        let sent = kms.encrypt().key_id(&id).plaintext(Blob::new(vec![7; length])).send().await;
        match right {
            true => assert!(sent.is_ok(), "{length}"),
            false => assert_eq!(code(sent), "ValidationException", "{length}"),
        }
    }
    let empty = kms.decrypt().ciphertext_blob(Blob::new("")).send().await;
    assert_eq!(code(empty), "ValidationException");
    let long = kms.decrypt().ciphertext_blob(Blob::new(vec![1; 6145])).send().await;
    assert_eq!(code(long), "ValidationException");
}

#[tokio::test]
async fn unknown_keys_are_not_found() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let id = "6a3b1c55-0000-4000-8000-000000000000";
    let unknown = format!("Key 'arn:aws:kms:eu-central-1:000000000000:key/{id}' does not exist");
    assert_eq!(said(kms.describe_key().key_id(id).send().await), format!("NotFoundException: {unknown}"));
    let alias = "NotFoundException: Alias arn:aws:kms:eu-central-1:000000000000:alias/none is not found.";
    assert_eq!(said(kms.describe_key().key_id("alias/none").send().await), alias);
    let elsewhere = "arn:aws:kms:us-east-1:000000000000:key/6a3b1c55-0000-4000-8000-000000000000";
    assert_eq!(code(kms.describe_key().key_id(elsewhere).send().await), "NotFoundException");
    let sent = kms.encrypt().key_id(id).plaintext(Blob::new("x")).send().await;
    assert_eq!(code(sent), "NotFoundException");
    assert_eq!(code(kms.disable_key().key_id(id).send().await), "NotFoundException");
}

#[tokio::test]
async fn disabled_key_is_unusable_until_enabled() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let id = key(&kms).await;
    let blob = sealed(&kms, &id).await;
    kms.disable_key().key_id(&id).send().await.unwrap();
    let message = format!("DisabledException: arn:aws:kms:eu-central-1:000000000000:key/{id} is disabled.");
    assert_eq!(said(kms.encrypt().key_id(&id).plaintext(Blob::new("x")).send().await), message);
    assert_eq!(opened(&kms, &blob).await, Err("DisabledException".to_owned()));
    let data = kms.generate_data_key().key_id(&id).number_of_bytes(8).send().await;
    assert_eq!(code(data), "DisabledException");
    assert_eq!(code(kms.rotate_key_on_demand().key_id(&id).send().await), "DisabledException");
    kms.enable_key().key_id(&id).send().await.unwrap();
    assert_eq!(opened(&kms, &blob).await.unwrap(), b"hello");
}

#[tokio::test]
async fn deletion_can_be_cancelled_until_it_is_due() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let id = key(&kms).await;
    kms.create_alias().alias_name("alias/doomed").target_key_id(&id).send().await.unwrap();
    let blob = sealed(&kms, &id).await;
    for days in [6, 31] {
        let sent = kms.schedule_key_deletion().key_id(&id).pending_window_in_days(days).send().await;
        assert_eq!(code(sent), "ValidationException");
    }
    let early = kms.cancel_key_deletion().key_id(&id).send().await;
    assert_eq!(code(early), "KMSInvalidStateException");
    kms.schedule_key_deletion().key_id(&id).pending_window_in_days(7).send().await.unwrap();
    assert_eq!(opened(&kms, &blob).await, Err("KMSInvalidStateException".to_owned()));
    assert_eq!(code(kms.enable_key().key_id(&id).send().await), "KMSInvalidStateException");
    assert_eq!(code(kms.schedule_key_deletion().key_id(&id).send().await), "KMSInvalidStateException");
    kms.cancel_key_deletion().key_id(&id).send().await.unwrap();
    assert_eq!(opened(&kms, &blob).await, Err("DisabledException".to_owned()));
    kms.enable_key().key_id(&id).send().await.unwrap();
    assert_eq!(opened(&kms, &blob).await.unwrap(), b"hello");

    kms.schedule_key_deletion().key_id(&id).pending_window_in_days(7).send().await.unwrap();
    local.advance(7 * 86_400);
    assert_eq!(code(kms.describe_key().key_id(&id).send().await), "NotFoundException");
    assert_eq!(code(kms.describe_key().key_id("alias/doomed").send().await), "NotFoundException");
    assert_eq!(opened(&kms, &blob).await, Err("InvalidCiphertextException".to_owned()));
}

#[tokio::test]
async fn ciphertext_before_rotation_and_restart_still_decrypts() {
    let mut local = Local::start().await;
    let kms = local.kms("f");
    let id = key(&kms).await;
    let before = sealed(&kms, &id).await;
    kms.rotate_key_on_demand().key_id(&id).send().await.unwrap();
    let after = sealed(&kms, &id).await;
    // Bytes 17 to 20 contain the version.
    assert_ne!(before.as_ref()[17..21], after.as_ref()[17..21]);
    local.restart().await;
    let kms = local.kms("f");
    assert_eq!(opened(&kms, &before).await.unwrap(), b"hello");
    assert_eq!(opened(&kms, &after).await.unwrap(), b"hello");

    let status = kms.get_key_rotation_status().key_id(&id).send().await.unwrap();
    assert!(!status.key_rotation_enabled);
    kms.enable_key_rotation().key_id(&id).rotation_period_in_days(90).send().await.unwrap();
    let status = kms.get_key_rotation_status().key_id(&id).send().await.unwrap();
    assert!(status.key_rotation_enabled);
    local.advance(90 * 86_400);
    let yearly = sealed(&kms, &id).await;
    assert_ne!(yearly.as_ref()[17..21], after.as_ref()[17..21]);
    assert_eq!(opened(&kms, &before).await.unwrap(), b"hello");
}

#[tokio::test]
async fn re_encrypt_moves_a_ciphertext_to_another_key() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let (from, to) = (key(&kms).await, key(&kms).await);
    let blob = sealed(&kms, &from).await;
    let moved = kms
        .re_encrypt()
        .ciphertext_blob(blob.clone())
        .source_encryption_context("a", "1")
        .source_encryption_context("b", "2")
        .destination_key_id(&to)
        .destination_encryption_context("c", "3")
        .send()
        .await
        .unwrap()
        .ciphertext_blob
        .unwrap();
    let sent = kms.decrypt().ciphertext_blob(moved.clone()).encryption_context("c", "3").key_id(&to);
    assert_eq!(sent.send().await.unwrap().plaintext.unwrap().as_ref(), b"hello");
    let sent = kms.decrypt().ciphertext_blob(moved).encryption_context("c", "3").key_id(&from);
    assert_eq!(code(sent.send().await), "IncorrectKeyException");
}

#[tokio::test]
async fn duplicate_or_malformed_alias_is_refused() {
    let local = Local::start().await;
    let kms = local.kms("f");
    let id = key(&kms).await;
    let name = |name: &str| kms.create_alias().alias_name(name).target_key_id(&id).send();
    name("alias/one").await.unwrap();
    assert_eq!(code(name("alias/one").await), "AlreadyExistsException");
    for wrong in ["one", "alias/", "alias/with space"] {
        assert_eq!(code(name(wrong).await), "ValidationException", "{wrong}");
    }
    assert_eq!(code(name("alias/aws/mine").await), "NotAuthorizedException");
}
