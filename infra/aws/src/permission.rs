//! What the functions' roles allow of a call, beyond what the signature proves: nothing but their own region and the
//! directory, which only its authority lets them write; and of that, what their policies say.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::answer::Refusal;
use crate::dynamo::{Named, Tables, short};
use crate::fault::denied;
use crate::request::{Caller, Service};
use crate::{Directory, Policy};

/// One thing that IAM asks a role's policies about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// The action without its service, as in `PutItem`. A transaction needs those of its items.
    pub action: String,
    /// What on: a table, key, secret, bus or bucket, as the request names it.
    pub on: String,
}

/// What a call needs to be allowed.
pub(crate) fn needs(caller: &Caller, named: &Named, body: &[u8]) -> Vec<Need> {
    let request: Map<String, Value> = serde_json::from_slice(body).unwrap_or_default();
    let text = |name: &str| request.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let need = |on: String| vec![Need { action: caller.operation.clone(), on }];
    match caller.service {
        Service::DynamoDb => match request.get("TransactItems") {
            Some(Value::Array(items)) => of_items(items),
            _ => named.each().flat_map(|table| need(table.to_owned())).collect(),
        },
        Service::Kms => need(text("KeyId")),
        Service::SecretsManager => need(text("SecretId")),
        Service::Events => {
            let entries = request.get("Entries").and_then(Value::as_array).into_iter().flatten();
            let bus = |entry: &Value| entry.get("EventBusName").and_then(Value::as_str).map(str::to_owned);
            entries.filter_map(bus).next().map(need).unwrap_or_default()
        }
        Service::Ses => need("mail".to_owned()),
        // Which bucket, its path says; no function stores files yet.
        Service::S3 => need(String::new()),
    }
}

/// A transaction's items are each allowed like the single operation.
fn of_items(items: &[Value]) -> Vec<Need> {
    let each = items.iter().filter_map(Value::as_object).flatten();
    let mut needs: Vec<Need> = Vec::new();
    for (name, item) in each {
        let action =
            if name == "ConditionCheck" { "ConditionCheckItem".to_owned() } else { format!("{name}Item") };
        let table = item.get("TableName").and_then(Value::as_str).map(short).unwrap_or_default();
        let need = Need { action, on: table.to_owned() };
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

/// Refuses what a function's role does not allow. Outsiders may do everything: they set regions up, replicate, and look
/// into tables.
pub(crate) fn check(
    caller: &Caller,
    named: &Named,
    needs: &[Need],
    (directory, policy): (&Directory, &dyn Policy),
) -> Result<(), Refusal> {
    let Some(home) = &caller.home else { return Ok(()) };
    let in_reach = if named.has(&directory.table) && Tables::writes(&caller.operation) {
        caller.region == directory.authority
    } else {
        *home == caller.region || named.is_only(&directory.table)
    };
    let service = caller.service.name();
    let refused = needs.iter().find(|need| !policy.allows(&caller.function, service, &need.action, &need.on));
    match refused {
        None if in_reach => Ok(()),
        None => Err(denied(caller, &caller.operation)),
        Some(need) => Err(denied(caller, &need.action)),
    }
}
