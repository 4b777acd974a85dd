//! Personal data stays in the chosen region, no matter through which region's endpoint it is entered.
//!
//! Not run in outages: it chooses its regions.

use std::collections::{BTreeMap, BTreeSet};

use domain::region::Region;
use kit::{Endpoint, Visitor, Worker};
use tests::{App, Value, json};

use crate::{
    fixtures::{
        Marks, members_elsewhere,
        payments_resident::{belongs_at_stripe, expected_at_stripe},
        resident::Resident,
    },
    privacy,
    search::{Needles, search},
};

/// The one table that functions reach in a region that is not theirs, and only in the authority's.
const DIRECTORY: &str = "account-directory";

/// Every function that calls AWS.
#[derive(Default)]
struct Ids(BTreeSet<&'static str>);

impl Visitor for Ids {
    fn endpoint<E: Endpoint>(&mut self) {
        if !E::SPEC.grants().is_empty() {
            self.0.insert(E::SPEC.id);
        }
    }

    fn worker<W: Worker>(&mut self) {
        self.0.insert(W::SPEC.id);
    }
}

/// Every function called AWS in every region, but never that of another region, except the directory's authority.
fn no_function_left_its_region(calls: &[Value]) {
    let mut functions = Ids::default();
    infra::every(&mut functions);
    let mut seen: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    assert_eq!(calls[0]["n"], 1, "not all calls were kept");
    for call in calls {
        let function = call["function"].as_str().unwrap();
        let Some(home) = call["home"].as_str() else {
            assert!(!functions.0.contains(function), "a function of no region: {call}");
            continue;
        };
        let directory = call["table"] == DIRECTORY && call["region"] == Region::AUTHORITY.aws();
        assert!(call["region"] == home || directory, "{call}");
        seen.entry(home).or_default().insert(function);
    }
    for region in Region::ALL {
        let missing: Vec<_> = functions.0.difference(&seen[region.aws()]).collect();
        assert!(missing.is_empty(), "not called in {region}: {missing:?}; a resident should use it");
    }
}

/// What files hold was found in the bucket of their home, and nowhere else.
fn files_are_in_the_bucket_alone(found: &BTreeMap<String, Vec<String>>) {
    for (file, names) in found {
        for home in names.iter().filter_map(|name| name.strip_suffix(" content")) {
            assert!(file.starts_with(&format!("{home}/s3/")), "the content of a file of {home} is in {file}");
        }
    }
}

/// Where each thing was found: the region's folder, or its mail, or the directory's folder.
fn places(found: BTreeMap<String, Vec<String>>) -> BTreeSet<(String, String)> {
    let place = |file: &str| {
        let file = file.strip_prefix("mail/").unwrap_or(file);
        file.split(['/', '.']).next().unwrap().to_owned()
    };
    let each = |(file, names): (String, Vec<String>)| names.into_iter().map(move |name| (place(&file), name));
    found.into_iter().flat_map(each).collect()
}

/// Whether a thing may be in a place. A home knows all of its residents but their secrets and what only Stripe stores; the directory,
/// handles and ids.
fn belongs(place: &str, name: &str) -> bool {
    let (home, field) = name.split_once(' ').unwrap();
    let [_, discarded, public] = Marks::all();
    if let Some(belongs) = belongs_at_stripe(place, field) {
        return belongs;
    }
    if place == "directory" { public.contains(&field) } else { place == home && !discarded.contains(&field) }
}

/// What must be found where, if the search is any good.
fn expected() -> impl Iterator<Item = (String, String)> {
    let [kept, _, public] = Marks::all();
    Region::ALL.into_iter().flat_map(move |home| {
        let found = |place: String| move |field: &&str| (place.clone(), format!("{home} {field}"));
        let at_home = kept.iter().map(found(home.to_string()));
        let known_to_all = public.iter().map(found("directory".to_owned()));
        at_home.chain(known_to_all).collect::<Vec<_>>()
    })
}

/// Somebody takes all data along and leaves permanently, through a region's endpoint.
async fn departs(app: &App, entry: Region) {
    let who = app.user(&format!("departs-{}", app.home())).await.by_way_of(entry);
    let dataset = who.make(domain::resource::Kind::Dataset, "taken-along").await;
    who.upload(&dataset, "12345").await;
    who.export("zip").await;
    privacy::erase(&who).await;
}

#[tokio::test]
async fn personal_data_is_stored_in_the_chosen_region_only() {
    let app = App::start().await;
    let pairs = Region::ALL.into_iter().flat_map(|home| Region::ALL.map(|entry| (home, entry)));
    let mut residents: Vec<Resident> = pairs.map(|(home, entry)| Resident::new(&app, home, entry)).collect();
    for resident in &mut residents {
        resident.lives().await;
        app.post(&format!("/_local/run/reap-claims?region={}", resident.home), json!({})).await.expect(200);
        app.living_in(resident.home).rotate("tokens").await.expect(200);
    }
    for (home, entry) in Region::ALL.into_iter().zip(Region::ALL.into_iter().cycle().skip(1)) {
        departs(&app.living_in(home), entry).await;
        // Users of the one region in a team of the other. They leave no marks: `teams_elsewhere` looks for those.
        members_elsewhere::live(&app, home, entry).await;
    }
    for resident in &mut residents {
        resident.signs_in().await;
    }
    // One resident of each home stands for its others.
    for resident in &residents {
        for other in residents.iter().step_by(4).filter(|it| it.person.handle != resident.person.handle) {
            resident.visits(&other.person.handle).await;
        }
    }
    for resident in &residents {
        // The last thing: no more mail goes there.
        let event = json!({ "to": resident.person.email, "feedback": "complaint" });
        app.post("/_local/mail-feedback", event).await.expect(204);
        let home = app.living_in(resident.home);
        let settled = async || home.queue("record-mail-feedback").await == (0, 0, 0);
        privacy::until_delivered(&home, "the complaint is not handled", settled).await;
    }
    privacy::until_delivered(&app, "the numbers of followers are not published", || async {
        let calls = app.calls_of("publish-followers", 0).await;
        Region::ALL.iter().all(|region| calls.iter().any(|call| call["home"] == region.aws()))
    })
    .await;
    no_function_left_its_region(&app.calls(0).await);
    app.stop().await;

    let mut needles = Needles::default();
    residents.iter().flat_map(Resident::all).for_each(|(name, text)| needles.keep(&name, &text));
    let found = search(&needles, &app.data());
    // With an external emulator, neither tables nor files are in the folder.
    let embedded = std::env::var_os("ACCOUNT_TEST_AWS").is_none();
    if embedded {
        files_are_in_the_bucket_alone(&found);
    }
    let found = places(found);
    let strays: Vec<_> = found.iter().filter(|(place, name)| !belongs(place, name)).collect();
    assert!(strays.is_empty(), "found where it should not be: {strays:#?}");

    if embedded {
        let missed: Vec<_> =
            expected().chain(expected_at_stripe()).filter(|wanted| !found.contains(wanted)).collect();
        assert!(missed.is_empty(), "the search does not reach {missed:#?}");
    }
}
