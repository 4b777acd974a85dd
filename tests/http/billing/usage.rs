//! What jobs cost: sums by period and group, ranges, and parts.

use std::collections::BTreeMap;

use domain::{
    Timestamp,
    money::MicroUsd,
    reference::Reference,
    wallet::{Cause, JobCategory, JobRecord, Lot, LotId, LotKind, Lots, Posting, PostingType},
};
use kit::ItemKind;
use tests::{Answer, App, Person, Value, json};

use super::{TRANSACTIONS, again, listed};
use crate::{
    fixtures::{
        SOME_ULID,
        billing::{adjusts, charges, settled, tells},
    },
    many,
};

const USAGE: &str = "/api/billing/usage";

/// What a query sums.
async fn usage(who: &Person, query: &str) -> Answer {
    who.get(&format!("{USAGE}?{query}")).await.expect(200)
}

/// Where the `Link` header leads.
fn next(page: &Answer) -> Option<String> {
    let (path, _) = page.header("link")?.strip_prefix('<')?.split_once('>')?;
    Some(path.to_owned())
}

/// An amount and a number of jobs.
type Sum = (i64, u64);
/// Sums by the keys of groups.
type Sums = BTreeMap<Option<String>, Sum>;

fn add(sums: &mut Sums, key: Option<String>, (amount, jobs): Sum) {
    let sum = sums.entry(key).or_default();
    *sum = (sum.0 + amount, sum.1 + jobs);
}

fn amounts((amount, jobs): Sum) -> Value {
    json!({ "amountMicroUsd": amount, "amountCents": amount.div_euclid(10_000), "jobs": jobs })
}

/// Groups as an answer has them.
fn groups(sums: &Sums) -> Value {
    let mut sorted: Vec<(&Option<String>, &Sum)> = sums.iter().collect();
    sorted.sort_by_key(|(_, sum)| -sum.0);
    let group = |(key, sum): (&Option<String>, &Sum)| {
        let mut group = amounts(*sum);
        group["key"] = json!(key);
        group
    };
    sorted.into_iter().map(group).collect()
}

/// The sums that transactions come to: their total, `periods` and `groups`. A period is named by so many characters of the time, and a
/// group by a member.
fn summed(rows: &[Value], characters: usize, member: &str) -> (Sum, Value, Value) {
    let (mut all, mut periods) = (Sums::new(), BTreeMap::<String, Sums>::new());
    for row in rows {
        let jobs = match row["type"].as_str().unwrap() {
            "training" => 1,
            "refund" => 0,
            _ => continue,
        };
        let sum = (-row["amountMicroUsd"].as_i64().unwrap(), jobs);
        let key = row[member].as_str().map(str::to_owned);
        let start = row["createdAt"].as_str().unwrap()[..characters].to_owned();
        add(periods.entry(start).or_default(), key.clone(), sum);
        add(&mut all, key, sum);
    }
    let total = |sums: &Sums| -> Sum {
        sums.values().fold((0_i64, 0_u64), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    let period = |(start, sums): (&String, &Sums)| {
        let mut period = amounts(total(sums));
        (period["start"], period["groups"]) = (json!(start), groups(sums));
        period
    };
    (total(&all), periods.iter().map(period).collect(), groups(&all))
}

/// Settles eight different jobs on each of four days, refunds some of them on others, and charges nothing for some.
async fn spends(app: &App, handle: &str) -> (Person, Person) {
    app.stop_clock().await;
    app.set_clock("2027-01-30T08:00:00Z".parse().unwrap()).await;
    let (who, mate) = (app.user(handle).await, app.user(&format!("{handle}-mate")).await);
    let dataset = format!("dset_{SOME_ULID}");
    let key = format!("key_{SOME_ULID}");
    for (day, time) in
        ["2027-01-30T09:00:00Z", "2027-01-31T23:59:59.999Z", "2027-02-01T00:00:00Z", "2027-02-28T12:00:00Z"]
            .into_iter()
            .enumerate()
    {
        app.set_clock(time.parse().unwrap()).await;
        let job = |n: usize| {
            let cost = i64::try_from(10_007 * (day + 1) + 1_111 * n).unwrap();
            let mut job = settled(&format!("job-{day}-{n}"), cost, cost);
            job["category"] = ["training", "deployment", "inference"][n % 3].into();
            if n.is_multiple_of(2) {
                job["gpuType"] = ["a100", "h100"][n / 2 % 2].into();
            }
            if n % 4 != 3 {
                job["user"] = json!(if n < 3 { who.id() } else { mate.id() });
            }
            if n == 5 {
                job["apiKey"] = json!(key);
            }
            if n > 5 {
                job["dataset"] = json!(dataset);
            }
            job
        };
        let free = settled(&format!("free-{day}"), 0, 0);
        tells(&who, (0..8).map(job).chain([free]).collect()).await.expect(200);
        // Not what a job cost.
        adjusts(&who, &format!("gift-{day}"), 12_345).await.expect(200);
        if day > 0 {
            let refund = |n: usize| json!({ "job": format!("job-{}-{n}", day - 1), "outcome": "refunded", "amountMicroUsd": 10_007 });
            tells(&who, [2, 3, 6].map(refund).into_iter().collect()).await.expect(200);
        }
    }
    (again(&who).await, mate)
}

#[tokio::test]
async fn sums_are_those_of_the_transactions_by_period_and_group() {
    let app = App::start().await;
    let (who, mate) = spends(&app, "usage-ada").await;
    let mut rows = listed(&who, "").await;
    for row in &mut rows {
        // The list of transactions does not name the user.
        let Some(job) = row["job"].as_str() else { continue };
        let n: usize = job.rsplit('-').next().unwrap().parse().unwrap();
        row["user"] = if n % 4 == 3 { Value::Null } else { json!(if n < 3 { who.id() } else { mate.id() }) };
    }
    let members = [
        ("category", "category"),
        ("gpu", "gpuType"),
        ("user", "user"),
        ("apiKey", "apiKeyId"),
        ("dataset", "datasetId"),
    ];
    for (by, characters) in [("day", 10), ("month", 7)] {
        for (group, member) in members {
            let query = format!("from=2027-01-01&to=2027-02-28&by={by}&group={group}");
            let answer = usage(&who, &query).await;
            let ((amount, jobs), periods, groups) = summed(&rows, characters, member);
            let total = ["/amountMicroUsd", "/amountCents", "/jobs"].map(|part| answer.at(part).clone());
            assert_eq!(total, [json!(amount), json!(amount.div_euclid(10_000)), json!(jobs)]);
            assert_eq!(answer.at("/averageMicroUsd"), amount.div_euclid(32));
            assert_eq!((answer.at("/periods"), answer.at("/groups")), (&periods, &groups), "{query}");
            assert_eq!((answer.at("/complete"), next(&answer)), (&json!(true), None));
        }
        let plain = usage(&who, &format!("from=2027-01-01&to=2027-02-28&by={by}")).await;
        assert_eq!((plain.at("/groups"), plain.at("/periods/0/groups")), (&Value::Null, &Value::Null));
    }
    // A day with charges, and with refunds of jobs of the day before.
    let february = usage(&who, "from=2027-02-01&to=2027-02-01&group=category").await;
    let of_the_day = listed(&who, "from=2027-02-01&to=2027-02-01").await;
    let (_, periods, _) = summed(&of_the_day, 10, "category");
    assert_eq!(february.at("/periods"), &periods);
    assert_eq!(february.at("/jobs"), 8);
}

#[tokio::test]
async fn refund_reduces_the_month_in_which_it_is_made() {
    let app = App::start().await;
    app.stop_clock().await;
    app.set_clock("2027-03-31T23:59:59Z".parse().unwrap()).await;
    let who = app.user("usage-bob").await;
    let mut job = settled("job", 50_000, 50_000);
    job["gpuType"] = json!("h100");
    tells(&who, json!([job])).await.expect(200);
    app.set_clock("2027-04-01T00:00:00Z".parse().unwrap()).await;
    let refund = json!([{ "job": "job", "outcome": "refunded", "amountMicroUsd": 20_001 }]);
    for _ in 0..2 {
        tells(&who, refund.clone()).await.expect(200);
    }
    let who = again(&who).await;
    let answer = usage(&who, "from=2027-03-01&to=2027-04-30&by=month&group=gpu").await;
    let group = |sum: Sum| {
        let mut group = amounts(sum);
        group["key"] = json!("h100");
        json!([group])
    };
    let period = |start: &str, sum: Sum| {
        let mut period = amounts(sum);
        (period["start"], period["groups"]) = (json!(start), group(sum));
        period
    };
    let expected = json!([period("2027-03", (50_000, 1)), period("2027-04", (-20_001, 0))]);
    assert_eq!((answer.at("/periods"), answer.at("/groups")), (&expected, &group((29_999, 1))));
    assert_eq!((answer.at("/amountCents"), answer.at("/averageMicroUsd")), (&json!(2), &json!(29_999)));
    // A month with a refund alone has no average.
    let april = usage(&who, "from=2027-04-01&to=2027-04-30").await;
    assert_eq!((april.at("/amountCents"), april.at("/jobs")), (&json!(-3), &json!(0)));
    assert_eq!(april.at("/averageMicroUsd"), &Value::Null);
    // The transaction of the refund tells of the job, too.
    let rows = listed(&who, "type=refund").await;
    assert_eq!((&rows[0]["gpuType"], &rows[0]["category"]), (&json!("h100"), &json!("training")));
}

#[tokio::test]
async fn workspace_without_jobs_has_an_empty_answer() {
    let app = App::start().await;
    app.stop_clock().await;
    app.set_clock("2027-05-30T10:00:00Z".parse().unwrap()).await;
    let who = app.user("usage-cyd").await;
    let mut expected = json!({
        "from": "2027-05-01T00:00:00Z", "to": "2027-05-30T23:59:59.999999999Z", "amountMicroUsd": 0, "amountCents": 0,
        "jobs": 0, "periods": [], "complete": true,
    });
    assert_eq!(who.get(USAGE).await.expect(200).body, expected);
    expected["groups"] = json!([]);
    assert_eq!(usage(&who, "group=user").await.body, expected);
    // A wallet with corrections alone.
    adjusts(&who, "gift", 1_000).await.expect(200);
    assert_eq!(usage(&who, "group=user").await.body, expected);
}

#[tokio::test]
async fn usual_range_is_thirty_days_and_both_of_its_ends_count() {
    let app = App::start().await;
    app.stop_clock().await;
    app.set_clock("2027-03-01T23:59:59.999Z".parse().unwrap()).await;
    let who = app.user("usage-dan").await;
    for (time, job, cost) in [
        ("2027-03-01T23:59:59.999Z", "job-1", 1),
        ("2027-03-02T00:00:00Z", "job-2", 20),
        ("2027-03-31T10:00:00Z", "job-3", 300),
    ] {
        app.set_clock(time.parse().unwrap()).await;
        charges(&who, job, cost).await.expect(200);
    }
    let who = again(&who).await;
    for (query, expected) in [
        ("", 320),
        ("from=2027-03-01", 321),
        ("to=2027-03-30", 21),
        ("from=2027-03-02&to=2027-03-02", 20),
        ("from=2027-03-02T00:00:00Z&to=2027-03-31T10:00:00Z", 320),
        ("from=2027-03-02T00:00:00.001Z&to=2027-03-31T09:59:59.999Z", 0),
        ("from=2027-04-01", 0),
        ("to=0001-01-01", 0),
        ("to=9999-12-31", 0),
    ] {
        assert_eq!(usage(&who, query).await.at("/amountMicroUsd"), expected, "{query}");
    }
}

#[tokio::test]
async fn reversed_absurd_and_unknown_parameters_are_refused() {
    let app = App::start().await;
    let who = app.user("usage-eve").await;
    for (query, complaints) in [
        ("from=2027-03-02&to=2027-03-01", "from INVALID"),
        ("from=2027-01-01&to=2028-01-02", "from INVALID"),
        ("from=0001-01-01&to=9999-12-31", "from INVALID"),
        ("from=2020-01-01", "from INVALID"),
        ("from=2027-02-29", "from INVALID"),
        ("to=yesterday", "to INVALID"),
        ("by=week", "by INVALID"),
        ("by=", "by INVALID"),
        ("group=model", "group INVALID"),
        ("group=APIKEY", "group INVALID"),
    ] {
        let answer = who.get(&format!("{USAGE}?{query}")).await;
        assert_eq!((answer.status, answer.complaints().as_str()), (400, complaints), "{query}");
    }
    for query in ["limit=5", "by=day&by=day", "type=refund"] {
        assert_eq!(who.get(&format!("{USAGE}?{query}")).await.brief(), "400 VALIDATION_ERROR", "{query}");
    }
    usage(&who, "from=2028-01-01&to=2028-12-31").await;
    charges(&who, "job", 1).await.expect(200);
    let page = who.get(&format!("{TRANSACTIONS}?limit=1")).await.expect(200);
    for cursor in [page.text_at("/nextCursor").as_str(), "x", ""] {
        let answer = who.get(&format!("{USAGE}?cursor={cursor}")).await;
        assert_eq!(answer.brief(), "400 BAD_REQUEST", "{cursor}");
    }
}

/// Stores postings that charge a job each, and no wallet.
async fn plant(who: &Person, charges: impl Iterator<Item = (u64, i64, Timestamp)>) {
    let posting = |(number, cost, at): (u64, i64, Timestamp)| {
        let amount = MicroUsd::new(-cost);
        let record = JobRecord {
            category: JobCategory::Training,
            gpu_type: None,
            user: None,
            api_key: None,
            dataset: None,
            model: None,
            run: None,
        };
        let posting = Posting {
            number,
            r#type: PostingType::Training,
            amount,
            balance: amount,
            lots: Lots::from(Lot { id: LotId { kind: LotKind::SignUp, expires: None }, amount }),
            cause: Cause::Job(Reference::parse(&format!("job-{number}")).unwrap()),
            at,
            record: Some(record),
            reason: None,
        };
        let mut item = serde_json::to_value(posting).unwrap();
        item["pk"] = ItemKind::Postings.partition(who.workspace()).into();
        item["sk"] = format!("{number:012}").into();
        item
    };
    many::put_all(&who.app, "billing", charges.map(posting)).await;
}

/// How many postings a request reads one by one, and how many pages of them.
async fn reads(who: &Person, path: &str) -> (Answer, usize, usize) {
    let since = who.app.last_call().await;
    let answer = who.get(path).await.expect(200);
    let calls = who.app.calls_of("billing-usage", since).await;
    let table = who.app.table("billing");
    let count = |operation: &str| {
        calls.iter().filter(|call| call["table"] == *table && call["operation"] == operation).count()
    };
    (answer, count("GetItem"), count("Query"))
}

#[tokio::test]
async fn old_range_is_found_among_many_transactions_with_few_reads() {
    let app = App::start().await;
    let who = app.user("usage-fay").await;
    // Every six hours one: the nth costs n.
    let first: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let at = |n: i64| first.saturating_add(jiff::SignedDuration::from_hours(6 * n)).unwrap();
    plant(&who, (1..=700).map(|n| (u64::try_from(n).unwrap(), n, at(n)))).await;
    for (from, to, expected) in [
        // Before all, and after all.
        ("2026-12-01", "2026-12-31", 0..0),
        ("2027-12-01", "2027-12-31", 0..0),
        ("2027-01-01", "2027-01-01", 1..4),
        ("2027-01-01T00:00:00Z", "2027-01-01T05:59:59.999Z", 0..0),
        ("2027-01-02", "2027-01-02", 4..8),
        ("2027-01-02T00:00:00Z", "2027-01-02T00:00:00Z", 4..5),
        ("2027-01-02T00:00:00.001Z", "2027-01-02T05:59:59.999Z", 0..0),
        ("2027-02-10", "2027-02-28", 160..236),
        ("2027-01-01", "2027-06-24", 1..700),
        ("2027-06-24", "2027-06-30", 696..701),
        ("2027-01-01", "2027-12-31", 1..701),
    ] {
        let (answer, gets, queries) = reads(&who, &format!("{USAGE}?from={from}&to={to}")).await;
        let (amount, jobs) = (expected.clone().sum::<i64>(), expected.count());
        let case = format!("{from} {to}");
        assert_eq!(answer.at("/amountMicroUsd"), amount, "{case}");
        assert_eq!(answer.at("/jobs"), &json!(jobs), "{case}");
        assert_eq!(answer.at("/complete"), true, "{case}");
        assert!(gets <= 10 && queries <= 3, "{case}: {gets} postings and {queries} pages");
    }
}

#[tokio::test]
async fn parts_of_a_range_add_up_and_their_cursors_belong_to_the_query() {
    let app = App::start().await;
    app.stop_clock().await;
    app.set_clock("2027-03-30T23:50:00Z".parse().unwrap()).await;
    let who = app.user("usage-gil").await;
    // So much that no two fit into one sum.
    let cost = 600_000_000_000_000;
    let first: Timestamp = "2027-03-27T12:00:00Z".parse().unwrap();
    let at = |n: i64| first.saturating_add(jiff::SignedDuration::from_hours(24 * n)).unwrap();
    plant(&who, (1..=3).map(|n| (u64::try_from(n).unwrap(), cost, at(n)))).await;
    let query = format!("{USAGE}?by=month&group=category");
    let (mut parts, mut path) = (Vec::new(), Some(query.clone()));
    let (mut reader, mut amount, mut jobs) = (who.clone(), 0, 0);
    while let Some(part) = path {
        let answer = reader.get(&part).await.expect(200);
        path = next(&answer);
        assert_eq!(answer.at("/complete"), path.is_none());
        amount += answer.at("/amountMicroUsd").as_i64().unwrap();
        jobs += answer.at("/jobs").as_u64().unwrap();
        assert_eq!(answer.at("/periods/0/start"), "2027-03");
        parts.push((answer.text_at("/from"), answer.text_at("/to")));
        // The next day, the range is still that of the first part.
        app.advance(3_600).await;
        reader = again(&who).await;
    }
    let range = ("2027-03-01T00:00:00Z".to_owned(), "2027-03-30T23:59:59.999999999Z".to_owned());
    assert_eq!((parts, amount, jobs), (vec![range; 3], 3 * cost, 3));

    let page = reader.get(&format!("{USAGE}?from=2027-03-01&to=2027-03-30")).await.expect(200);
    let link = next(&page).unwrap();
    reader.get(&link).await.expect(200);
    let cursor = link.rsplit('=').next().unwrap();
    for other in
        ["from=2027-03-02&to=2027-03-30", "from=2027-03-01", "from=2027-03-01&to=2027-03-30&by=month", ""]
    {
        let answer = reader.get(&format!("{USAGE}?{other}&cursor={cursor}")).await;
        assert_eq!(answer.brief(), "400 BAD_REQUEST", "{other}");
    }
    // Another workspace's cursor.
    let other = app.user("usage-hal").await;
    assert_eq!(other.get(&link).await.brief(), "400 BAD_REQUEST");
}

#[tokio::test]
async fn key_and_team_members_see_the_usage_of_their_workspace_only() {
    let app = App::start().await;
    let (who, other) = (app.user("usage-ida").await, app.user("usage-jon").await);
    charges(&who, "job", 70_000).await.expect(200);
    charges(&other, "job", 1).await.expect(200);
    let key = who.with_api_key("ci").await;
    for reader in [&who, &key] {
        assert_eq!(reader.get(USAGE).await.expect(200).at("/amountMicroUsd"), 70_000);
    }
    let path = format!("{USAGE}?owner=usage-ida");
    for stranger in [&other, &other.with_api_key("theirs").await] {
        assert_eq!(stranger.get(&path).await.brief(), "404 NOT_FOUND");
    }
    assert_eq!(app.get(USAGE).await.status, 401);
}
