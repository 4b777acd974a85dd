//! `kill -9` loses no acknowledged write, in any service.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use aws_sdk_s3::primitives::ByteStream;

use crate::dynamodb::{table, text};
use crate::support::Local;

const FOLDER: &str = "AWS_TEST_VICTIM_FOLDER";

/// The process that the test below kills. Prints every acknowledged round.
#[tokio::test]
#[ignore = "started by the test below"]
async fn victim() {
    let Ok(folder) = std::env::var(FOLDER) else { return };
    let local = Local::at(Path::new(&folder)).await;
    table(&local.dynamodb("f"), "things").await;
    local.s3("f").create_bucket().bucket("blobs").send().await.unwrap();
    for n in 0.. {
        write(&local, &format!("round-{n}")).await;
        eprintln!("acknowledged round-{n}");
    }
}

async fn write(local: &Local, id: &str) {
    local.dynamodb("f").put_item().table_name("things").item("pk", text(id)).send().await.unwrap();
    local.secrets("f").create_secret().name(id).secret_string(id).send().await.unwrap();
    crate::ses::mail(local, &[&format!("{id}@example.com")]).send().await.unwrap();
    let body = ByteStream::from(id.as_bytes().to_vec());
    local.s3("f").put_object().bucket("blobs").key(id).body(body).send().await.unwrap();
}

#[tokio::test]
async fn killed_process_loses_no_acknowledged_write() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut victim = Command::new(std::env::current_exe().unwrap())
        .args(["killed::victim", "--exact", "--ignored", "--nocapture"])
        .env(FOLDER, folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(victim.stderr.take().unwrap()).lines();
    let mut acknowledged = Vec::new();
    for line in lines {
        acknowledged.extend(line.unwrap().strip_prefix("acknowledged ").map(str::to_owned));
        if acknowledged.len() == 20 {
            // SIGKILL on Unix.
            victim.kill().unwrap();
        }
    }
    victim.wait().unwrap();
    assert!(acknowledged.len() >= 20);
    let local = Local::at(folder.path()).await;
    for id in acknowledged {
        let got =
            local.dynamodb("f").get_item().table_name("things").key("pk", text(&id)).send().await.unwrap();
        assert!(got.item.is_some(), "{id}");
        local.secrets("f").get_secret_value().secret_id(&id).send().await.unwrap();
        assert_eq!(local.aws().mail(Some(&format!("{id}@example.com"))).len(), 1);
        local.s3("f").head_object().bucket("blobs").key(&id).send().await.unwrap();
    }
}
