//! Deletions of accounts and teams.

use domain::{
    id,
    permissions::{may_delete_account, may_delete_team},
    ports::{Closing, Deletions, Workspaces},
    secret::Digest256,
    workspace::Workspace,
};
use serde_json::from_value;
use tests::{Value, json};

use super::{super::Tables, at, bare, millis, none, nth, people, wallets, workspace};

/// The deletion of an account that is under way, one of a team that is, and one of a team that is over.
pub async fn deletions(tables: &Tables) {
    let store = &tables.store;
    let account = people::open_account(tables, 4).await;
    let own = workspace(4, "leaving", "personal", "free");
    let teams = [workspace(5, "leaving-team", "team", "pro"), workspace(6, "left-team", "team", "pro")];
    for workspace in [&own].into_iter().chain(&teams) {
        store.open(workspace, &bare("leaving"), None, None, none()).await.unwrap();
    }
    wallets::charge(tables, &own).await;
    let deletion = |n: u64, of: &Workspace, version: u64, more: Value| {
        let mut deletion = json!({
            "id": nth::<id::OfJob>(n), "scope": "team", "user": of.owner, "workspace": of.id, "region": "us",
            "handle": of.handle, "receipt_to": "receipt@people.example", "status": "queued",
            "created_at": millis(100), "version": version,
        });
        deletion.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        from_value(deletion).unwrap()
    };
    let of_account = json!({ "scope": "account", "address": account.sign_up.email_hash });
    let queued = deletion(11, &own, 1, of_account.clone());
    let proof = may_delete_account(&account.session, at(5)).unwrap();
    let closing = Closing { deletion: &queued, user: Some(&account.user), workspace: Some(&own) };
    store.close(&proof, &closing, none()).await.unwrap();
    wallets::close(tables, &queued).await;
    let mut runs = of_account;
    let more = json!({
        "status": "running", "looks_again": true, "done": 7, "addresses": [Digest256::of("another")], "counted": "0/KEY#1",
        "counts": { "API keys": 101, "files": 102 }, "referral_kept_until": millis(105),
    });
    runs.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Deletions::replace(store, &queued, &deletion(11, &own, 2, runs), none()).await.unwrap();
    for (n, team) in (12..).zip(&teams) {
        // The owner of one of them lives in another region, which knows the address.
        let more = if n == 12 { json!({ "requester_home": "ap", "receipt_to": null }) } else { json!({}) };
        let queued = deletion(n, team, 1, more);
        let proof = may_delete_team(team.owner, true, team).unwrap();
        let closing = Closing { deletion: &queued, user: None, workspace: Some(team) };
        store.close(&proof, &closing, none()).await.unwrap();
        if n == 13 {
            let ended = json!({ "status": "completed", "ended_at": millis(103), "counts": { "files": 104 } });
            let ended = deletion(n, team, 2, ended);
            Deletions::replace(store, &queued, &ended, none()).await.unwrap();
            Deletions::forget(store, &ended).await.unwrap();
        }
    }
}
