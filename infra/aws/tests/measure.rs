//! Measures the duration of calls: `cargo test -p aws -- --ignored --nocapture measure`.

use std::time::{Duration, Instant};

use aws_sdk_dynamodb::types::{Put, TransactWriteItem};

use crate::dynamodb::{table, text};
use crate::support::Local;

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[tokio::test]
#[ignore = "prints times"]
async fn measure() {
    let began = Instant::now();
    let local = Local::start().await;
    eprintln!("start                      {:?}", began.elapsed());
    let dynamodb = local.dynamodb("f");
    table(&dynamodb, "things").await;
    let item = |pk: String| {
        let put = Put::builder().table_name("things").item("pk", text(&pk)).build().unwrap();
        TransactWriteItem::builder().put(put).build()
    };
    for batch in 0..5 {
        let (mut writes, mut reads) = (Vec::new(), Vec::new());
        for n in 0..400 {
            let began = Instant::now();
            let items = (0..4).map(|i| item(format!("{batch}-{n}-{i}"))).collect();
            dynamodb.transact_write_items().set_transact_items(Some(items)).send().await.unwrap();
            writes.push(began.elapsed());
            let began = Instant::now();
            dynamodb.get_item().table_name("things").key("pk", text("0-0-0")).send().await.unwrap();
            reads.push(began.elapsed());
        }
        let records = (batch + 1) * 1600;
        eprintln!(
            "{records} stream records: transaction of four {:?}, get {:?}",
            median(writes),
            median(reads)
        );
    }
    let kms = local.kms("f");
    let key = kms.create_key().send().await.unwrap().key_metadata.unwrap().key_id;
    let mut times = Vec::new();
    for _ in 0..200 {
        let began = Instant::now();
        kms.generate_data_key().key_id(&key).number_of_bytes(32).send().await.unwrap();
        times.push(began.elapsed());
    }
    eprintln!("data key                   {:?}", median(times));
}
