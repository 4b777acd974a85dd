//! `docs/endpoints.md`: every function in a row.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kit::{
    Access, Grant, On, Spec, Trigger,
    spec::{Every, Memory},
};

use crate::Functions;

/// The document.
pub fn document(functions: &Functions) -> String {
    let mut text = "# Functions

Written by `cargo generate` from the `SPEC` beside each handler; change it there. *Caller*: `anyone`; `person` (a session,
before onboarding too); `user` (a session after it); `viewer`, `editor`, `admin`, `owner` (a session with at least that role
in the workspace that `owner=` names); `key` (also an API key). *Once*: an `Idempotency-Key` is honoured. *Grants* hold what
access, limits and receipts need too; items are named by the [kinds](../shared/tables/src/items.rs) that IAM can tell apart.

| function | method | path | caller | memory | once | grants |
|---|---|---|---|---|---|---|
"
    .to_owned();
    for operation in &functions.operations {
        let spec = &operation.spec;
        let methods = spec.methods().map(|method| method.as_str()).collect::<Vec<_>>().join(", ");
        let on_first = spec.routes().into_iter().filter(|route| route.method == spec.method);
        let paths = on_first.map(|route| format!("`{}`", route.path)).collect::<Vec<_>>().join(", ");
        let _ = writeln!(
            text,
            "| {} | {methods} | {paths} | {} | {} MB | {} | {} |",
            spec.id,
            caller(spec),
            spec.memory.megabytes(),
            if spec.once { "yes" } else { "" },
            grants(&spec.all_grants()),
        );
    }
    text.push_str(
        "\n## Without a route\n\n| function | set off by | does | memory | grants |\n|---|---|---|---|---|\n",
    );
    for worker in &functions.workers {
        let memory = Memory::Small.megabytes();
        let triggers = worker.triggers().map(trigger).collect::<Vec<_>>().join("; ");
        let (id, grants) = (worker.id, grants(worker.grants));
        let _ = writeln!(text, "| {id} | {triggers} | {} | {memory} MB | {grants} |", worker.summary);
    }
    text
}

fn caller(spec: &Spec) -> String {
    match spec.access {
        Access::Anyone => "anyone".to_owned(),
        Access::Person => "person".to_owned(),
        Access::User => "user".to_owned(),
        Access::Member(role) => role.as_str().to_owned(),
        Access::KeyOr(role) => format!("key, {}", role.as_str()),
    }
}

fn trigger(trigger: Trigger) -> String {
    match trigger {
        Trigger::OutboxStream => "the outbox's stream".to_owned(),
        Trigger::Bus(types) => format!("events: {}", types.join(", ")),
        Trigger::Schedule(every) => format!("a schedule: {}", often(every)),
        Trigger::Authorizer => "API Gateway, for other services".to_owned(),
        Trigger::Rotation => "Secrets Manager, to rotate a secret".to_owned(),
    }
}

fn often(every: Every) -> String {
    match every {
        Every::Minutes(minutes) => format!("every {minutes} minutes"),
        Every::Hours(hours) => format!("every {hours} hours"),
        Every::Days(days) => format!("every {days} days"),
    }
}

/// By what they are on: `Sessions`: BatchGetItem, PutItem.
fn grants(grants: &[Grant]) -> String {
    let mut by_resource: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for grant in grants {
        by_resource.entry(on(grant.on)).or_default().push(grant.action);
    }
    let group = |(on, mut actions): (String, Vec<&str>)| {
        actions.sort_unstable();
        format!("{on}: {}", actions.join(", "))
    };
    by_resource.into_iter().map(group).collect::<Vec<_>>().join("; ")
}

fn on(on: On) -> String {
    match on {
        On::Items(kind) => format!("`{kind:?}`"),
        On::Authority(kind) => format!("`{kind:?}` in the authority"),
        On::DataKeys => "data keys".to_owned(),
        On::Secret(name) => format!("secret `{name}`"),
        On::Bus => "the bus".to_owned(),
        On::Mail => "mail".to_owned(),
        On::Files => "files".to_owned(),
        On::Bundles => "export bundles".to_owned(),
    }
}
