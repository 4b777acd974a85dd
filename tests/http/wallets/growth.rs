//! What a page of transactions and the balance cost does not depend on how many transactions there are.

use domain::{
    money::MicroUsd,
    reference::Reference,
    wallet::{JobCategory, JobRecord, Lot, LotId, LotKind, Lots},
};

use super::*;
use crate::many::{number, put_all};

/// A posting of one micro-USD, and the balance after it.
fn posting(who: &Person, number: u64, at: domain::Timestamp, balance: i64) -> Value {
    let (one, job) = (MicroUsd::new(-1), Reference::parse(&format!("job-{number}")).unwrap());
    let record = JobRecord {
        category: JobCategory::Training,
        gpu_type: Some(Reference::parse("a100").unwrap()),
        user: Some(who.id()),
        api_key: None,
        dataset: None,
        model: None,
        run: Some(job.clone()),
    };
    let posting = Posting {
        number,
        r#type: domain::wallet::PostingType::Training,
        amount: one,
        balance: MicroUsd::new(balance),
        lots: Lots::from(Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount: one }),
        cause: domain::wallet::Cause::Job(job),
        at,
        record: Some(record),
        reason: None,
    };
    let mut item = serde_json::to_value(posting).unwrap();
    item["pk"] = json!(ItemKind::Postings.partition(who.workspace()));
    item["sk"] = json!(format!("{number:012}"));
    item
}

/// Fills a wallet until it has so many postings. What it has afterwards is right: it can be recomputed.
pub(super) async fn fill(who: &Person, count: u64) {
    charges(who, "first", 1).await.expect(200);
    let at = recomputed(who).await.pop().unwrap().at;
    let postings = (3..=count).map(|n| posting(who, n, at, 25_000_001 - i64::try_from(n).unwrap()));
    put_all(&who.app, "billing", postings).await;
    let mut wallet: Value = items::<Value>(who, ItemKind::Wallets).await.pop().unwrap();
    wallet["postings"] = json!(count);
    wallet["lots"][0]["amount"] = json!(25_000_001 - i64::try_from(count).unwrap());
    put_all(&who.app, "billing", std::iter::once(wallet)).await;
}

/// The read units of a request.
async fn units(who: &Person, function: &str, path: &str) -> f64 {
    let before = who.app.last_call().await;
    who.get(path).await.expect(200);
    let calls = who.app.calls_of(function, before).await;
    calls.iter().map(|call| call["capacity"]["read"].as_f64().unwrap_or(0.0)).sum()
}

/// The path of the last page of 20.
async fn last_page(who: &Person, count: u64) -> String {
    let (mut path, mut left) = ("/api/billing/transactions?limit=20".to_owned(), count);
    loop {
        // Long steps towards the end, then pages of 20.
        let step = if left > 2_000 { 1_000 } else { 20 };
        let page = who.get(&path.replace("limit=20", &format!("limit={step}"))).await.expect(200);
        let Value::String(cursor) = page.at("/nextCursor") else { return path };
        left = left.saturating_sub(step);
        path = format!("/api/billing/transactions?limit=20&cursor={cursor}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the figures are the point: run with --nocapture")]
async fn pages_and_balance_cost_the_same_with_many_transactions() {
    let many = u64::try_from(number("ACCOUNT_TEST_POSTINGS", 2_100)).unwrap();
    let mut all = Vec::new();
    for count in [100, many] {
        let app = App::start().await;
        let who = app.user("wallet-grown").await;
        fill(&who, count).await;
        recomputed(&who).await;
        let last = last_page(&who, count).await;
        let mut costs = Vec::new();
        for (function, path) in [
            ("billing-transactions", "/api/billing/transactions?limit=20"),
            ("billing-transactions", last.as_str()),
            ("billing-balance", "/api/billing/balance"),
        ] {
            costs.push(units(&who, function, path).await);
        }
        println!(
            "{count} transactions: {costs:?} read units for the first page, the last page and the balance"
        );
        all.push(costs);
    }
    for (few, many) in all[0].iter().zip(&all[1]) {
        assert!(*many <= few * 1.1, "{all:?}");
    }
}
