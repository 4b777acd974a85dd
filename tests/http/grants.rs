//! Each function may do what the port methods in its spec do, no less and no more. Less fails everywhere: the local platform
//! refuses what is not granted, as IAM would. More fails here: a method with too many grants, and a method that is not called.
//!
//! Not run in outages: it chooses its regions.

use std::collections::{BTreeMap, BTreeSet};

use aws::{IamPermission, IamPolicy, LeadingKeys};
use domain::region::Region;
use kit::{Grant, ItemKind, On};
use local::policy::Roles;
use store::tables::Table;
use tests::{App, Value};

use crate::fixtures::{self, resident::Resident};

mod port_methods;
mod roles;

/// The needs of each function: the AWS region that it ran in, and the permission that a call needed.
type Needs = BTreeMap<String, BTreeSet<(String, IamPermission)>>;

/// What the functions' calls needed.
fn needs(calls: &[Value]) -> Needs {
    let mut needs = Needs::new();
    for call in calls {
        // Outsiders have no home. Lambda itself reads the stream with no function's role.
        let (Some(home), function) = (call["home"].as_str(), call["function"].as_str().unwrap()) else {
            continue;
        };
        if function == local::policy::EVENT_SOURCE {
            continue;
        }
        let these: Vec<IamPermission> = serde_json::from_value(call["needs"].clone()).unwrap();
        needs
            .entry(function.to_owned())
            .or_default()
            .extend(these.into_iter().map(|it| (home.to_owned(), it)));
    }
    needs
}

/// What a need is, as grants are written: each kind of items on its own. (Where the directory is written, its replica and
/// itself are one: what is read there, calls from other regions tell apart.)
fn granted_by((home, need): &(String, IamPermission)) -> Vec<String> {
    let (service, action) = need.action.split_once(':').unwrap();
    let keys = need.context.get("dynamodb:LeadingKeys").into_iter().flatten();
    let table = Table::ALL.into_iter().find(|table| need.on.ends_with(&format!("-{}", table.as_str())));
    let written = !matches!(action, "GetItem" | "Query");
    let far = table == Some(Table::Directory) && (written || need.region != *home);
    let at = if far { "authority" } else { "items" };
    let kind = |key: &String| table.and_then(|table| ItemKind::of(table, key));
    match service {
        // Keys of other tables are needs of their own.
        "dynamodb" => keys
            .filter_map(kind)
            .map(|kind| format!("Grant::{at}(\"{action}\", ItemKind::{kind:?})"))
            .collect(),
        "kms" => vec![format!("Grant::data_keys(\"{action}\")")],
        "secretsmanager" => vec![format!("Grant::secret(\"{}\")", need.on.rsplit('/').next().unwrap())],
        "events" => vec!["Grant::bus()".to_owned()],
        "s3" if is_of_bundles(need) => vec![format!("Grant::bundles(\"{action}\")")],
        "s3" => vec![format!("Grant::files(\"{action}\")")],
        _ => vec!["Grant::mail()".to_owned()],
    }
}

/// Whether it is about export bundles, and not about people's files.
fn is_of_bundles(need: &IamPermission) -> bool {
    let mut prefixes = need.context.get("s3:prefix").into_iter().flatten();
    need.on.contains("/exports/") || prefixes.any(|prefix| prefix.starts_with("exports/"))
}

/// A grant as it is written, and as a sentence would name it.
fn name(grant: &Grant) -> String {
    let on = match grant.on {
        On::ItemKind(kind) => format!("{kind:?} ({}*)", kind.prefix()),
        On::Authority(kind) => format!("{kind:?} ({}*) in the authority", kind.prefix()),
        other => format!("{other:?}"),
    };
    format!("{} on {on}", grant.iam_action())
}

/// What functions with these grants would be refused, of all that they need.
fn missing(grants: &[(&'static str, Vec<Grant>)], needs: &Needs) -> Vec<String> {
    let roles = Roles::new(grants.iter().cloned(), tests::leading_keys());
    let mut missing = Vec::new();
    for (function, needed) in needs {
        let refused = needed.iter().filter(|(home, need)| !roles.allows(function, home, need));
        let refused: BTreeSet<String> = refused.flat_map(granted_by).collect();
        // A prefix may be that of two tables' kinds. A batch of one then passes with a grant for the other.
        let exact = needed.iter().filter(|(_, need)| is_judged_exactly(need)).flat_map(granted_by);
        let named: BTreeSet<String> = exact.filter(|grant| grant.starts_with("Grant::items(")).collect();
        let has = |grant: &&String| {
            grants.iter().any(|(id, has)| id == function && has.iter().any(|has| written(has) == **grant))
        };
        // One missing kind refuses a batch for each of its tables, and so also names kinds that are granted.
        let (granted, ungranted): (Vec<&String>, Vec<&String>) = refused.iter().partition(has);
        let refused = if ungranted.is_empty() { granted } else { ungranted };
        let unnamed = named.iter().filter(|grant| !has(grant));
        let all: BTreeSet<&String> = refused.into_iter().chain(unnamed).collect();
        missing.extend(all.into_iter().map(|grant| format!("{function}: {grant}")));
    }
    missing
}

/// Whether a need's keys tell which kinds it is about: not if they include those of other items of a transaction, and not in the
/// directory, whose replica and authority are one.
fn is_judged_exactly(need: &IamPermission) -> bool {
    tests::leading_keys() != LeadingKeys::PerRequest && !need.on.ends_with("-directory")
}

/// A grant on items, as [`granted_by`] writes it.
fn written(grant: &Grant) -> String {
    let (at, kind) = match grant.on {
        On::ItemKind(kind) => ("items", kind),
        On::Authority(kind) => ("authority", kind),
        _ => return String::new(),
    };
    format!("Grant::{at}(\"{}\", ItemKind::{kind:?})", grant.action)
}

/// The grants of a function without which it could do all that it needs.
fn unused(function: &'static str, grants: &[Grant], needs: &Needs) -> Vec<String> {
    let needs: Needs =
        needs.get_key_value(function).map(|(id, it)| (id.clone(), it.clone())).into_iter().collect();
    let is_unused = |unwanted: &&Grant| {
        let others = grants.iter().filter(|grant| grant != unwanted).copied().collect();
        missing(&[(function, others)], &needs).is_empty()
    };
    grants.iter().filter(is_unused).map(|grant| format!("{function}: {}", name(grant))).collect()
}

/// The calls that each function made, to correct the port methods in its spec or their grants.
fn seen(needs: &Needs, functions: &[String]) -> String {
    let wanted = |function: &str| functions.iter().any(|line| line.starts_with(&format!("{function}: ")));
    let mut text = String::new();
    for (function, needs) in needs.iter().filter(|(function, _)| wanted(function)) {
        let grants: BTreeSet<String> = needs.iter().flat_map(granted_by).collect();
        text += &format!("{function} was seen to need:\n");
        text.extend(grants.iter().map(|grant| format!("    {grant},\n")));
    }
    text
}

/// Every secret gets its first keys, and tokens as many as it takes until one is withdrawn.
async fn rotate(app: &App) {
    let app = app.living_in(Region::AUTHORITY);
    crate::rotation::empty(&app, "addresses").await;
    for secret in ["addresses", "codes", "forwarding", "tokens", "tokens"] {
        app.rotate(secret).await.expect(200);
    }
    app.advance(2 * 3_600).await;
    app.rotate("tokens").await.expect(200);
}

/// What every function is for: each endpoint, and what happens seldom.
async fn use_everything(app: App) {
    rotate(&app).await;
    let mut residents = [Region::Eu, Region::Us].map(|home| Resident::new(&app, home, Region::Ap));
    for resident in &mut residents {
        resident.lives().await;
        resident.signs_in().await;
    }
    residents[0].visits(&residents[1].person.handle).await;
    fixtures::use_every_grant(&app).await;
    for area in fixtures::AREAS {
        (area.rare)(app.clone()).await;
    }
}

#[tokio::test]
async fn grants_are_exactly_what_functions_use() {
    let app = App::start().await;
    // In a separate task: the refused permissions say more than the failure that they cause.
    let lived = tokio::spawn(use_everything(app.clone())).await;
    let (needs, grants) = (needs(&app.calls(0).await), infra::grants());
    let missing = missing(&grants, &needs);
    assert!(missing.is_empty(), "needed, but not granted: {missing:#?}\n{}", seen(&needs, &missing));
    lived.unwrap();
    if tests::leading_keys() == LeadingKeys::PerRequest {
        // Statements then allow more than grants.
        return;
    }
    let unused: Vec<String> =
        grants.iter().flat_map(|(function, grants)| unused(function, grants, &needs)).collect();
    assert!(unused.is_empty(), "granted, but not needed: {unused:#?}\n{}", seen(&needs, &unused));
}

/// What a batch over these kinds needs in `eu`: one permission a table, with its own keys or with all.
fn batch_needs(kinds: &[ItemKind], all_keys: bool) -> BTreeSet<(String, IamPermission)> {
    let keys = |table: Option<Table>| {
        let kinds = kinds.iter().filter(|kind| table.is_none_or(|table| kind.table() == table));
        kinds.map(|kind| kind.partition("x")).collect::<BTreeSet<String>>()
    };
    let need = |kind: &ItemKind| IamPermission {
        action: "dynamodb:BatchGetItem".to_owned(),
        on: kind.table().name("account-eu-"),
        region: Region::Eu.aws().to_owned(),
        context: BTreeMap::from([(
            "dynamodb:LeadingKeys".to_owned(),
            keys((!all_keys).then_some(kind.table())),
        )]),
    };
    kinds.iter().map(|kind| (Region::Eu.aws().to_owned(), need(kind))).collect()
}

#[test]
fn missing_grant_of_a_batch_is_named_however_keys_are_judged() {
    let kinds = [ItemKind::Sessions, ItemKind::Members, ItemKind::Usage];
    let grants: Vec<Grant> = kinds.iter().map(|kind| Grant::items("BatchGetItem", *kind)).collect();
    for all_keys in [false, true] {
        let needs = Needs::from([("reader".to_owned(), batch_needs(&kinds, all_keys))]);
        assert_eq!(missing(&[("reader", grants.clone())], &needs), Vec::<String>::new());
        for (n, kind) in kinds.iter().enumerate() {
            let mut others = grants.clone();
            others.remove(n);
            let named = missing(&[("reader", others)], &needs);
            assert_eq!(named, [format!("reader: Grant::items(\"BatchGetItem\", ItemKind::{kind:?})")]);
        }
    }
}
