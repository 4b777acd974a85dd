//! The least that each function could do with, and why it does with more.

use super::*;

/// Calls, trips, read units and write units.
type Figures = (usize, usize, f64, f64);

const ALIVE_FIRST: &str = "what it reads could be read beside the session; it is read once the session is known to be alive \
    and the caller to be allowed, so that nothing is read for whoever was signed out or has no business there";
const BESIDE: &str = "two ports read side by side: one call for both would save neither a trip nor a unit";
/// Why a rotation reads more than its four steps must.
const THE_RIGHT_VERSION: &str = "the last step looks at the version and the labels again, to move the label from no other \
                                 version than the one that this was made from";

/// Each row's least, and the reason where more is measured.
const LEAST: [(&str, Figures, &str); 65] = [
    ("auth-sign-up", (2, 2, 1.0, 4.0), ""),
    (
        "auth-verify",
        (4, 4, 1.0, 17.0),
        "the count of tries is a transaction of one item, at a unit more: sent again \
        after a lost answer it does not count twice",
    ),
    (
        "auth-sign-in",
        (4, 3, 6.0, 6.0),
        "counters and accounts are different ports, side by side; clearing the counter in the \
        session's transaction would cost a unit more and collide with attempts under way",
    ),
    ("auth-refresh", (2, 2, 2.0, 1.0), ""),
    (
        "auth-sign-out",
        (1, 1, 0.0, 1.0),
        "the token alone would do; every session is read before anything is done in its \
        name",
    ),
    ("auth-step-up", (4, 3, 5.0, 3.0), ALIVE_FIRST),
    ("auth-password-forgot", (3, 2, 2.5, 4.0), BESIDE),
    (
        "auth-password-reset",
        (3, 2, 4.0, 14.0),
        "sessions that began while the password was on its way are looked for after \
        it: from then on the old one begins no more",
    ),
    (
        "jwks",
        (0, 0, 0.0, 0.0),
        "a container could keep the keys; clients do, so it is asked seldom, and a new key is there \
        at once",
    ),
    ("onboarding", (4, 3, 3.0, 14.0), BESIDE),
    (
        "username-check (free)",
        (1, 1, 2.0, 0.0),
        "the own replica is asked first: it knows taken names without a trip to \
        another region",
    ),
    ("users-public-profile", (2, 2, 1.0, 0.0), "strongly consistent, so that a change shows at once"),
    ("settings-read", (1, 1, 3.0, 0.0), ALIVE_FIRST),
    ("settings-update", (2, 2, 2.0, 6.0), ""),
    ("account-summary (session)", (2, 1, 3.0, 0.0), ALIVE_FIRST),
    ("account-summary (API key)", (2, 2, 3.0, 0.0), BESIDE),
    ("api-keys-list", (2, 1, 2.5, 0.0), ALIVE_FIRST),
    ("api-keys-list (API key)", (2, 2, 1.5, 0.0), ""),
    ("api-keys-list (with values)", (2, 1, 2.5, 0.0), ALIVE_FIRST),
    ("api-keys-create", (2, 2, 2.0, 10.0), ""),
    (
        "api-keys-create (with Idempotency-Key)",
        (2, 2, 3.0, 12.0),
        "the receipt is looked for under the caller's name, so the \
        caller comes first",
    ),
    ("api-keys-revoke", (2, 2, 3.0, 8.0), ALIVE_FIRST),
    ("activity-list", (4, 2, 6.5, 0.0), ALIVE_FIRST),
    ("activity-mark-seen (all)", (2, 2, 2.0, 1.0), ""),
    ("activity-mark-seen (one)", (2, 2, 3.0, 1.0), ALIVE_FIRST),
    ("activity-archive (one)", (2, 2, 3.0, 1.0), ALIVE_FIRST),
    ("authorizer (API key)", (1, 1, 1.0, 0.0), ""),
    ("authorizer (session)", (1, 1, 2.0, 0.0), ""),
    ("resources-list (projects)", (2, 1, 3.0, 0.0), ALIVE_FIRST),
    ("resources-list (models)", (3, 2, 5.0, 0.0), ALIVE_FIRST),
    ("resources-create (a dataset)", (2, 2, 2.0, 8.0), ""),
    ("resources-create (a model in a project)", (2, 2, 2.0, 12.0), ""),
    ("resources-read (a dataset)", (2, 1, 3.0, 0.0), ALIVE_FIRST),
    ("resources-read (a model in a project)", (3, 2, 4.0, 0.0), ALIVE_FIRST),
    ("resources-update (a dataset's name)", (3, 2, 3.0, 4.0), ALIVE_FIRST),
    ("resources-update (the slug of a model in a project)", (4, 3, 4.0, 10.0), ALIVE_FIRST),
    ("resources-trash (a dataset)", (3, 2, 4.0, 16.0), ALIVE_FIRST),
    ("resources-trash (a model in a project)", (4, 3, 5.0, 18.0), ALIVE_FIRST),
    ("upload-url", (3, 2, 3.0, 8.0), ALIVE_FIRST),
    ("upload-complete", (5, 3, 4.0, 14.0), ALIVE_FIRST),
    ("storage-read (one dataset)", (4, 2, 5.0, 0.0), ALIVE_FIRST),
    (
        "trash-list (one thing)",
        (3, 1, 4.0, 0.0),
        "what the trash was emptied of bounds the list, so that is read first, and nothing before the session is known \
        to be alive",
    ),
    ("trash-restore (a dataset)", (3, 2, 4.0, 16.0), ALIVE_FIRST),
    ("trash-restore (a model to its project)", (4, 3, 5.0, 18.0), ALIVE_FIRST),
    ("trash-purge (a dataset)", (3, 2, 4.0, 16.0), ALIVE_FIRST),
    ("trash-empty", (3, 2, 3.0, 6.0), ALIVE_FIRST),
    (
        "purge-trash (nothing due)",
        (8, 1, 8.0, 0.0),
        "the parts are looked at one after another: nobody waits for it, and what a run does is counted over all of them",
    ),
    ("purge-trash (the files of one thing)", (7, 7, 3.0, 3.0), ""),
    ("publish-events (a message)", (1, 1, 0.0, 0.0), ""),
    ("send-mail (a code)", (5, 4, 2.5, 2.0), BESIDE),
    ("send-mail (a token)", (5, 5, 2.0, 2.0), ""),
    ("send-mail (a notice)", (4, 4, 1.0, 2.0), ""),
    ("confirm-claims (a name)", (2, 2, 1.0, 4.0), ""),
    ("reap-claims (nothing due)", (1, 1, 0.5, 0.0), ""),
    ("reap-claims (one due)", (3, 3, 1.5, 4.0), ""),
    ("gdpr-request (an export)", (2, 2, 2.0, 10.0), ""),
    (
        "gdpr-request (a deletion)",
        (7, 5, 7.0, 22.0),
        "keys and sessions are counted before they are erased, and asked for until none is left, so that whoever goes on \
        counts none again",
    ),
    ("gdpr-status (an export)", (2, 1, 3.0, 0.0), ALIVE_FIRST),
    ("send-mail (a bundle that is ready)", (4, 4, 1.0, 2.0), ""),
    ("run-export (nothing due)", (1, 1, 1.0, 0.0), ""),
    (
        "run-export (a small account)",
        (29, 12, 20.5, 22.0),
        "kinds of records are read one after another, so that no more than a page of one is in memory",
    ),
    ("run-deletion (nothing due)", (1, 1, 1.0, 0.0), ""),
    (
        "run-deletion (a small account, the first look)",
        (46, 20, 27.0, 36.0),
        "what leads to other records goes after them, so parts are erased one after another, and each is asked for until \
        nothing is left",
    ),
    ("run-deletion (a small account, the second look)", (41, 15, 32.0, 8.0), "as in the first look"),
    ("rotate-secrets (four steps)", (10, 10, 0.0, 0.0), THE_RIGHT_VERSION),
];

fn of(row: &Row) -> Option<(Figures, &'static str)> {
    LEAST.iter().find(|(name, ..)| *name == row.name).map(|(_, least, why)| (*least, *why))
}

fn measured(cost: &Cost) -> Figures {
    (cost.calls(), cost.trips, cost.read, cost.write)
}

/// Whether one is more than the other in something, and whether it is less in something.
fn compare(one: Figures, other: Figures) -> (bool, bool) {
    let pairs =
        [(one.0 as f64, other.0 as f64), (one.1 as f64, other.1 as f64), (one.2, other.2), (one.3, other.3)];
    (pairs.iter().any(|(one, other)| one > other), pairs.iter().any(|(one, other)| one < other))
}

/// Rows that have no least, that are below it, or that are above it without a reason, or have a reason for nothing.
pub fn wrong(rows: &[Row]) -> Vec<String> {
    let is_wrong = |row: &Row| {
        let Some((least, why)) = of(row) else { return Some(format!("{}: there is no least", row.name)) };
        let (more, less) = compare(measured(&row.cost), least);
        let told = more != why.is_empty();
        (less || !told)
            .then(|| format!("{}: {:?}, at least {least:?}: {why:?}", row.name, measured(&row.cost)))
    };
    rows.iter().filter_map(is_wrong).collect()
}

/// The document's part on them.
pub fn table(rows: &[Row]) -> String {
    let mut text = "
## The least

The fewest calls, trips and units with which a function could do the same, and the reason where it does with more.

| function | calls: least | is | trips: least | is | read units: least | is | write units: least | is | because |
|---|---|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for row in rows {
        let Some((least, why)) = of(row) else { continue };
        let is = measured(&row.cost);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {why} |",
            row.name, least.0, is.0, least.1, is.1, least.2, is.2, least.3, is.3,
        );
    }
    text
}
