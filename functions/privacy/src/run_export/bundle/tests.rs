//! Bundles are read back by another program: Python's `zipfile` and `json`.

use std::process::Command;

use domain::{
    id::{JobId, UserId},
    usage::Usage,
    user::User,
};
use serde_json::{Value, json};
use tempfile::tempdir;

use super::{super::rows, *};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn export(format: Format) -> Export {
    let now = at("2026-11-28T20:41:03Z");
    Export::new(JobId::floor(now), UserId::floor(now), format, now)
}

fn account() -> Account {
    let now = at("2026-11-01T00:00:00Z");
    let user = User {
        id: UserId::floor(now),
        region: domain::region::Region::Eu,
        primary_email: domain::email::EmailAddress::parse("ada@people.example").unwrap(),
        created_at: now,
    };
    let stored = domain::user_addresses::StoredAddresses { user, verified: None, pending: None };
    Account::new(stored, None, Usage::default(), (None, None), rows::AccountLists::default())
}

/// The rows of a section, whatever they are.
fn rows_of(section: Section) -> Vec<Value> {
    let several = [("n", 1), ("n", 2), ("n", 3)].map(|(name, n)| json!({ name: n, "text": "é \"\n" }));
    match section {
        Section::Transactions => Vec::new(),
        Section::Files => vec![json!({ "n": 1 })],
        _ => several.into(),
    }
}

/// Writes a bundle. With pieces, another run takes over after every row, and each piece has so many bytes at least.
fn written(format: Format, pieces: Option<usize>) -> Vec<u8> {
    let export = export(format);
    let mut bundle = Bundle::begin(&export, &account()).unwrap();
    let mut bytes = Vec::new();
    for section in Section::ALL {
        bundle.enter(section).unwrap();
        for row in rows_of(section) {
            bundle.row(&row).unwrap();
            if let Some(least) = pieces {
                let (piece, state) = bundle.hand_over(least).unwrap();
                assert!(piece.len() >= least);
                bytes.extend(piece);
                let state = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();
                bundle = Bundle::resume(&export, section, state).unwrap();
            }
        }
    }
    bytes.extend(bundle.finish().unwrap());
    bytes
}

/// The files of a ZIP, in order.
fn unzipped(bytes: &[u8]) -> Vec<(String, String)> {
    const READER: &str = "import json, sys, zipfile
bundle = zipfile.ZipFile(sys.argv[1])
assert bundle.testzip() is None
print(json.dumps([[name, bundle.read(name).decode()] for name in bundle.namelist()]))";
    let folder = tempdir().unwrap();
    let path = folder.path().join("bundle.zip");
    std::fs::write(&path, bytes).unwrap();
    let output = Command::new("python3").args(["-c", READER]).arg(&path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn a_zip_and_a_json_document_have_the_same_records() {
    let files = unzipped(&written(Format::Zip, None));
    let document: Value = serde_json::from_slice(&written(Format::Json, None)).unwrap();
    for section in Section::ALL {
        let (_, text) = files.iter().find(|(name, _)| name == section.file()).unwrap();
        let there = document.get(section.member()).unwrap();
        if section == Section::Account {
            assert_eq!(&serde_json::from_str::<Value>(text).unwrap(), there);
            assert_eq!(there["emails"][0]["address"], "ada@people.example");
            assert_eq!(there["sessions"], Value::from(rows_of(section)));
        } else {
            let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
            assert_eq!(lines, rows_of(section), "{section:?}");
            assert_eq!(&Value::from(lines), there);
        }
    }
    assert_eq!(document["createdAt"], "2026-11-28T20:41:03Z");
    assert_eq!(document.as_object().unwrap().len(), Section::ALL.len() + 2);
}

#[test]
fn taking_over_and_filling_up_change_nothing_that_is_read() {
    for least in [0, 4_000] {
        let whole = unzipped(&written(Format::Zip, None));
        assert_eq!(unzipped(&written(Format::Zip, Some(least))), whole);
        let document = |pieces| -> Value { serde_json::from_slice(&written(Format::Json, pieces)).unwrap() };
        assert_eq!(document(Some(least)), document(None));
    }
}

#[test]
fn the_manifest_and_the_readme_tell_of_every_file() {
    let files = unzipped(&written(Format::Zip, Some(0)));
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let manifest: Value = serde_json::from_str(&files.last().unwrap().1).unwrap();
    let listed: Vec<&str> =
        manifest["files"].as_array().unwrap().iter().map(|file| file["name"].as_str().unwrap()).collect();
    assert_eq!([&listed[..], &["manifest.json"]].concat(), names);
    for section in Section::ALL {
        let file = &manifest["files"][names.iter().position(|name| *name == section.file()).unwrap()];
        let rows = if section == Section::Account { 1 } else { rows_of(section).len() };
        assert_eq!(file["rows"], rows, "{file}");
        let text = &files[names.iter().position(|name| *name == section.file()).unwrap()].1;
        assert_eq!(file["bytes"], text.len());
        assert!(names.contains(&section.schema_file().as_str()));
    }
    let readme = &files[0];
    assert_eq!(readme.0, "README.txt");
    for name in names.iter().filter(|name| !name.starts_with("schemas/") && **name != "README.txt") {
        assert!(readme.1.contains(&format!("\n{name}\n")), "{name}");
    }
}

#[test]
fn bundle_begun_by_an_earlier_version_goes_on_with_its_sections() {
    let export = export(Format::Zip);
    let mut bundle = Bundle::begin(&export, &account()).unwrap();
    bundle.enter(Section::Projects).unwrap();
    bundle.row(&json!({ "n": 1 })).unwrap();
    bundle.enter(Section::Datasets).unwrap();
    let (mut bytes, written) = bundle.hand_over(0).unwrap();
    let mut stored = serde_json::to_value(written).unwrap();
    assert_eq!(stored["done"], json!({ "account": 1, "projects": 1 }));
    // As it was stored before.
    stored["done"] = json!([1, 1]);
    let written = serde_json::from_value(stored).unwrap();
    let mut bundle = Bundle::resume(&export, Section::Datasets, written).unwrap();
    for section in &Section::ALL[3..] {
        bundle.enter(*section).unwrap();
    }
    bytes.extend(bundle.finish().unwrap());
    let manifest: Value = serde_json::from_str(&unzipped(&bytes).last().unwrap().1).unwrap();
    for section in Section::ALL {
        let listed = manifest["files"].as_array().unwrap().iter().find(|file| file["name"] == section.file());
        let rows = if [Section::Account, Section::Projects].contains(&section) { 1 } else { 0 };
        assert_eq!(listed.unwrap()["rows"], rows, "{section:?}");
    }
}

/// The members that a record of a schema has.
fn members(section: Section) -> Vec<String> {
    let schema = section.schema().to_value();
    let properties = schema["properties"].as_object().unwrap_or_else(|| panic!("{schema}"));
    properties.keys().cloned().collect()
}

#[test]
fn schemas_name_every_member_and_no_secret_one() {
    let account = serde_json::to_value(account()).unwrap();
    let written: Vec<String> = account.as_object().unwrap().keys().cloned().collect();
    assert_eq!(members(Section::Account), written);
    assert_eq!(members(Section::ApiKeys), ["createdAt", "id", "name", "prefix"]);
    let upload = ["bytes", "contentType", "createdAt", "expiresAt", "id", "name", "of", "status"];
    assert_eq!(members(Section::Uploads), upload);
    let transaction = [
        "amountMicroUsd",
        "apiKey",
        "at",
        "balanceMicroUsd",
        "category",
        "dataset",
        "gpuType",
        "job",
        "lots",
        "model",
        "number",
        "payment",
        "promoCode",
        "reason",
        "reference",
        "run",
        "type",
        "user",
    ];
    assert_eq!(members(Section::Transactions), transaction);
    let project = members(Section::Projects);
    for name in ["id", "slug", "sizeBytes", "trashedAt", "models"] {
        assert!(project.iter().any(|member| member == name), "{name} in {project:?}");
    }
    for section in Section::ALL {
        // The path of a picture, which everybody may see.
        let schema = section.schema().to_value().to_string().replace("\"imageUrl\"", "");
        for secret in ["hash", "sealed", "password\"", "dataKey", "current", "previous", "url\"", "Url\""] {
            assert!(!schema.contains(secret), "{secret} in {schema}");
        }
    }
}

#[test]
fn whoever_else_did_something_has_no_name_and_no_key() {
    use domain::activity::{Action, ActivityEvent, Actor, EventState, ResourceType};
    let now = at("2026-11-28T20:41:03Z");
    let (own, other) = (UserId::floor(now), UserId::ceiling(now));
    let key = Some(domain::id::KeyId::floor(now));
    let row = |user| {
        let actor = Actor { user, key };
        let workspace = domain::user::personal_workspace(own);
        let event = ActivityEvent::new(
            domain::id::EventId::floor(now),
            workspace,
            actor,
            Action::Created,
            ResourceType::Model,
        );
        let standing = EventState { seen: true, archived: false };
        serde_json::to_value(rows::Activity::new(event, standing, own)).unwrap()
    };
    assert_eq!((&row(own)["actor"], &row(own)["keyId"]), (&json!("you"), &json!(key)));
    assert_eq!((&row(other)["actor"], &row(other)["keyId"]), (&json!("a member"), &Value::Null));
    assert!(!row(other).to_string().contains(&other.to_string()));
}

#[test]
fn job_of_another_member_has_no_id_and_no_key() {
    use domain::{
        money::MicroUsd,
        reference::Reference,
        wallet::{Cause, JobCategory, JobRecord, Lot, LotId, LotKind, Lots, Posting, PostingType},
    };
    let now = at("2026-11-28T20:41:03Z");
    let (own, other) = (UserId::floor(now), UserId::ceiling(now));
    let key = domain::id::KeyId::floor(now);
    let lot = Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount: MicroUsd::new(-5) };
    let job = |name: &str| Reference::parse(name).unwrap();
    let row = |user: Option<UserId>| {
        let record = JobRecord {
            category: JobCategory::Training,
            gpu_type: Some(job("h100")),
            user,
            api_key: Some(key),
            dataset: None,
            model: None,
            run: Some(job("run-7")),
        };
        let posting = Posting {
            number: 2,
            r#type: PostingType::Training,
            amount: MicroUsd::new(-5),
            balance: MicroUsd::new(20),
            lots: Lots::from(lot),
            cause: Cause::Job(job("job-7")),
            at: now,
            record: Some(record),
            reason: None,
        };
        serde_json::to_value(rows::TransactionRow::new(posting, own)).unwrap()
    };
    let expected = json!({
        "number": 2, "type": "training", "amountMicroUsd": -5, "balanceMicroUsd": 20,
        "lots": [{ "kind": "sign-up", "amountMicroUsd": -5, "expiresAt": null }],
        "at": "2026-11-28T20:41:03Z", "job": "job-7", "category": "training", "gpuType": "h100", "user": "you",
        "apiKey": key, "run": "run-7",
    });
    assert_eq!(row(Some(own)), expected);
    let others = row(Some(other));
    assert_eq!((&others["user"], others.get("apiKey")), (&json!("a member"), None));
    assert!(!others.to_string().contains(&other.to_string()));
    // A key without a user is one of the account.
    assert_eq!((row(None).get("user"), &row(None)["apiKey"]), (None, &json!(key)));
}
