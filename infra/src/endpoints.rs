//! Renders `docs/endpoints.md`: one table row per function.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use kit::{
    Grant, On, Spec, Trigger, WorkerSpec,
    access::Scope,
    spec::{Every, Memory},
};

use crate::Functions;

/// Renders the document.
pub fn document(functions: &Functions) -> String {
    let mut text = "# Functions

Written by `cargo generate` from the `SPEC` beside each handler; change it there. *Caller*: `anyone`; `person` (a session,
also before onboarding); `user` (a session after onboarding); `viewer`, `editor`, `admin`, `owner` (a session with at least
this role in the workspace that `owner=` selects); `key` (also an API key); `service` (another service of the platform, by its
IAM role); `region` (another region, by its signature). *Once*: the endpoint honours `Idempotency-Key`.
*Grants* include those of access checks, limits and idempotency. They list the [kinds of items](../shared/tables/src/items.rs)
that IAM policies distinguish.

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
            grants(&spec.grants()),
        );
    }
    text.push_str(
        "\n## Workers\n\n| function | trigger | summary | memory | grants |\n|---|---|---|---|---|\n",
    );
    for worker in &functions.workers {
        let memory = Memory::Small.megabytes();
        let triggers = worker.triggers().map(|it| trigger(it, worker)).collect::<Vec<_>>().join("; ");
        let (id, grants) = (worker.id, grants(&worker.grants()));
        let _ = writeln!(text, "| {id} | {triggers} | {} | {memory} MB | {grants} |", worker.summary);
    }
    text
}

fn caller(spec: &Spec) -> String {
    let key = spec.takes_key().then_some("key");
    let scope = match spec.access.scope {
        Scope::Nothing => "anyone",
        Scope::Person => "person",
        Scope::Workspace(role) => role.as_str(),
        Scope::Service => "service",
        Scope::Region => "region",
    };
    let step_up = spec.access.step_up.then_some("stepped up");
    [key, Some(scope), step_up].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

fn trigger(trigger: Trigger, worker: &WorkerSpec) -> String {
    match trigger {
        Trigger::OutboxStream => "the outbox's stream".to_owned(),
        Trigger::Bus => format!("events: {}", worker.events().join(", ")),
        Trigger::Schedule(every) => format!("a schedule: {}", often(every)),
        Trigger::MailFeedback => "bounces and complaints from SES".to_owned(),
        Trigger::Authorizer => "API Gateway authorizer, for other services".to_owned(),
        Trigger::Rotation => "Secrets Manager rotation".to_owned(),
    }
}

fn often(every: Every) -> String {
    match every {
        Every::Minutes(minutes) => format!("every {minutes} minutes"),
        Every::Hours(hours) => format!("every {hours} hours"),
        Every::Days(days) => format!("every {days} days"),
    }
}

/// Grants grouped by resource, for example `Sessions`: BatchGetItem, PutItem.
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
        On::ItemKind(kind) => format!("`{kind:?}`"),
        On::Authority(kind) => format!("`{kind:?}` in the authority"),
        On::DataKeys => "data keys".to_owned(),
        On::Secret(name) => format!("secret `{name}`"),
        On::Bus => "the bus".to_owned(),
        On::Mail => "mail".to_owned(),
        On::Files => "files".to_owned(),
        On::Bundles => "export bundles".to_owned(),
        On::Icons => "pictures".to_owned(),
    }
}
