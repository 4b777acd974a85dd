//! `purge-trash`, killed wherever it can be: run again it comes to the same, touches nothing that is not due, and leaves no
//! file without a record and no record without its file.
//!
//! Not run in outages: it chooses its regions.

use domain::{region::Region, resource::Kind};
use futures::future::join_all;
use tests::{App, Person, every, in_trash, json, path_of};

use crate::{
    deaths::{Call, deaths, held_back, is_of, numbered, struck},
    stock::Stock,
};

const DAY: i64 = 86_400;
const WORKER: &str = "purge-trash";

/// Somebody with something of every sort: some of it due in a month, some not.
struct Scene {
    who: Person,
    project: String,
    dataset: String,
    model: String,
    /// Trashed, and back again.
    restored: String,
    /// Trashed a day after the others.
    later: String,
}

impl Scene {
    /// Sets it up, without the items that are trashed later.
    async fn new(app: &App, handle: &str) -> Self {
        let who = app.user(handle).await;
        let project = who.make(Kind::Project, "gone").await;
        let within = who.make_in(&project, "within").await;
        who.upload(&within, &"7".repeat(11)).await;
        who.make_in(&project, "bare").await;
        let dataset = who.make(Kind::Dataset, "gone").await;
        who.upload(&dataset, &"7".repeat(12)).await;
        who.upload(&dataset, &"7".repeat(13)).await;
        let model = who.make(Kind::Model, "gone").await;
        let restored = who.make(Kind::Dataset, "restored").await;
        who.upload(&restored, &"7".repeat(14)).await;
        for id in [&project, &dataset, &model, &restored] {
            who.delete(&path_of(id)).await.expect(200);
        }
        who.post("/api/trash", in_trash(&restored)).await.expect(200);
        let later = who.make(Kind::Model, "later").await;
        who.upload(&later, &"7".repeat(15)).await;
        // One was sent and never completed, one was never sent.
        let begun = who.begin_upload(&restored, 16).await.expect(200);
        who.app.put(&begun, &"7".repeat(16)).await.expect(200);
        who.begin_upload(&restored, 17).await.expect(200);
        Self { who, project, dataset, model, restored, later }
    }

    /// A day later.
    async fn trash_later(&self) {
        sign_in(&self.who).await.delete(&path_of(&self.later)).await.expect(200);
    }

    /// Due items are gone, and nothing else.
    async fn check(&self) {
        let who = sign_in(&self.who).await;
        who.get(&path_of(&self.restored)).await.expect(200);
        let listed = who.get("/api/trash").await.expect(200);
        assert_eq!(listed.at("/total"), &json!(1), "{}", listed.text);
        assert_eq!(listed.at("/items/0/_id"), &json!(self.later));
        let stored = who.get("/api/storage").await.expect(200);
        assert_eq!(stored.at("/usage/storage/current"), &json!(14 + 15), "{}", stored.text);
        let history = who.activity().await;
        for (kind, id) in [("project", &self.project), ("dataset", &self.dataset), ("model", &self.model)] {
            let line = format!("deleted {kind} gone");
            assert_eq!(history.iter().filter(|other| **other == line).count(), 1, "{id}: {history:?}");
        }
        let begun = who.begin_upload(&self.restored, 1).await.expect(200);
        assert!(begun.at("/sessionId").is_string(), "the promises of uploads that were swept are free again");
    }
}

async fn sign_in(who: &Person) -> Person {
    let tokens = who.app.sign_in(&who.email, tests::PASSWORD).await.expect(200);
    Person::new(who.app.clone(), &who.handle, &who.email, &tokens)
}

/// Runs the worker in every region until nothing is left to do.
async fn converge(scenes: &[Scene]) {
    for scene in scenes {
        let mut left = 100;
        // What failed is done by the next run; what that sets off is done soon after.
        loop {
            scene.who.app.run_worker(WORKER).await;
            if Stock::of(&scene.who.app).await.is_settled(scene.who.workspace()) {
                break;
            }
            assert_ne!(left, 0, "it does not come to an end");
            left -= 1;
            // Interrupted work is taken up an hour later.
            scene.who.app.advance(600).await;
        }
    }
}

/// Sets up a scene in every region, and lets a month pass in which the worker does not run.
async fn a_month_passes(app: &App, round: usize) -> Vec<Scene> {
    let set_up = Region::ALL.map(|region| async move {
        Scene::new(&app.living_in(region), &format!("purge-{region}-{round}")).await
    });
    let scenes = join_all(set_up).await;
    app.faults(Region::ALL.into_iter().flat_map(|region| held_back(WORKER, region)).collect()).await;
    app.advance(DAY).await;
    join_all(scenes.iter().map(Scene::trash_later)).await;
    let before = app.last_call().await;
    app.advance(29 * DAY).await;
    for region in Region::ALL {
        // The run that is due fails at its first call.
        while !app.calls(before).await.iter().any(|call| is_of(WORKER, region, call)) {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    }
    scenes
}

/// All that a run does and sets off, call by call.
async fn calls_of_a_clean_run(app: &App) -> Vec<Call> {
    let scenes = a_month_passes(app, 0).await;
    app.no_faults().await;
    let before = app.last_call().await;
    converge(&scenes).await;
    for scene in &scenes {
        scene.check().await;
    }
    let mut calls = app.calls(before).await;
    calls.retain(|call| is_of(WORKER, Region::Us, call));
    numbered(&calls)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the number of deaths is worth seeing: run with --nocapture")]
async fn interrupted_purge_is_completed_by_the_next_run() {
    let app = App::start().await;
    app.stop_clock().await;
    let calls = calls_of_a_clean_run(&app).await;
    // All of them take minutes: every day, another one of each few will do.
    let stride = every(6);
    let deaths: Vec<_> = deaths(&calls).into_iter().step_by(stride).collect();
    println!("{} calls, {} deaths", calls.len(), deaths.len());
    for (round, deaths) in deaths.chunks(Region::ALL.len()).enumerate() {
        let scenes = a_month_passes(&app, round + 1).await;
        let plan = Region::ALL.into_iter().zip(deaths);
        app.faults(plan.map(|(region, (call, kind))| struck(WORKER, region, call, kind)).collect()).await;
        let runs = scenes.iter().map(|scene| scene.who.app.try_worker(WORKER));
        let ends: Vec<u16> = join_all(runs).await.into_iter().map(|end| end.status).collect();
        assert!(ends.iter().all(|status| [200, 502].contains(status)), "{deaths:?}: {ends:?}");
        app.no_faults().await;
        converge(&scenes).await;
        for scene in &scenes {
            scene.check().await;
            Stock::of(&scene.who.app).await.check(scene.who.workspace(), true);
        }
    }
}
