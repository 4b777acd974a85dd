//! The parameter `expand` (<https://docs.stripe.com/api/expanding_objects>): ids in an answer become the
//! objects.

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    checkout::{self, lines_list},
    params::Params,
    refunds,
    subscriptions::member::text,
    tax_ids,
    work::Work,
};

/// The members whose ids can become objects.
const EXPANDABLE: [&str; 13] = [
    "charge",
    "customer",
    "default_payment_method",
    "dispute",
    "invoice",
    "latest_charge",
    "latest_invoice",
    "payment_intent",
    "payment_method",
    "price",
    "product",
    "setup_intent",
    "subscription",
];

/// The members that an answer has only if it is asked to, or has always.
const INCLUDED: [&str; 6] =
    ["confirmation_secret", "line_items", "payments", "refunds", "subscriptions", "tax_ids"];

/// The members that a path can go through.
const TRAVERSED: [&str; 17] = [
    "card",
    "data",
    "invoice_item_details",
    "invoice_settings",
    "items",
    "last_payment_error",
    "last_setup_error",
    "lines",
    "object",
    "owner",
    "parent",
    "payment",
    "price_details",
    "pricing",
    "subscription_details",
    "subscription_item_details",
    "payment_method_details",
];

/// The deepest path, without the `data` of a list.
const DEPTH: usize = 4;

/// Checks the parameter `expand`, before the request has an effect.
///
/// # Errors
///
/// 400, if a path is too deep or names a member that can't be expanded.
pub(crate) fn check(params: &Params) -> Result<(), ApiError> {
    for path in paths(params) {
        let depth = path.split('.').filter(|segment| *segment != "data").count();
        if depth > DEPTH {
            let message = format!("You cannot expand more than {DEPTH} levels of a property: {path}.");
            return Err(ApiError::invalid("expand", message));
        }
        let last = path.split('.').next_back().unwrap_or_default();
        let is_end = |name: &str| EXPANDABLE.contains(&name) || INCLUDED.contains(&name);
        let is_known = |name: &str| is_end(name) || TRAVERSED.contains(&name);
        if !is_end(last) || !path.split('.').all(is_known) {
            return Err(ApiError::invalid("expand", format!("This property cannot be expanded ({path}).")));
        }
    }
    Ok(())
}

fn paths(params: &Params) -> Vec<String> {
    params.list("expand").iter().filter_map(|path| path.text("").map(str::to_owned)).collect()
}

/// Expands the ids of an answer.
pub(crate) fn apply(work: &Work<'_>, params: &Params, answer: &mut Value) {
    for path in paths(params) {
        let segments: Vec<&str> = path.split('.').collect();
        expand(work, answer, &segments);
    }
}

fn expand(work: &Work<'_>, value: &mut Value, segments: &[&str]) {
    let Some((segment, rest)) = segments.split_first() else { return };
    if let Value::Array(items) = value {
        items.iter_mut().for_each(|item| expand(work, item, segments));
        return;
    }
    let added = value.is_object().then(|| included(work, value, segment)).flatten();
    let Some(members) = value.as_object_mut() else { return };
    if let Some(added) = added {
        members.insert((*segment).to_owned(), added);
    }
    let Some(member) = members.get_mut(*segment) else { return };
    if let Value::String(id) = member
        && EXPANDABLE.contains(segment)
        && let Some(object) = work.state.object(id)
    {
        *member = object.clone();
    }
    expand(work, member, rest);
}

/// A member that the object has only in answers that expand it.
fn included(work: &Work<'_>, object: &Value, member: &str) -> Option<Value> {
    if object.get(member).is_some_and(|value| !value.is_null()) {
        return None;
    }
    let id = text(object, "/id");
    match (text(object, "/object"), member) {
        (checkout::KIND, "line_items") => Some(lines_list(work, id)),
        ("customer", "tax_ids") => {
            Some(list_of(tax_ids::of_customer(work, id), format!("/v1/customers/{id}/tax_ids")))
        }
        ("customer", "subscriptions") => {
            let is_live = |subscription: &&Value| {
                text(subscription, "/customer") == id && text(subscription, "/status") != "canceled"
            };
            let subscriptions = work.all("subscription").into_iter().filter(is_live).collect();
            Some(list_of(subscriptions, format!("/v1/customers/{id}/subscriptions")))
        }
        ("charge", "refunds") => {
            Some(list_of(refunds::of_charge(work, id), format!("/v1/charges/{id}/refunds")))
        }
        _ => None,
    }
}

fn list_of(objects: Vec<&Value>, url: String) -> Value {
    json!({ "object": "list", "data": objects, "has_more": false, "url": url })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestBench;

    fn expanded(bench: &mut TestBench, path: &str, expand: &str) -> Value {
        let mut answer = bench.get(path);
        let params = Params::parse(expand).unwrap();
        check(&params).unwrap();
        apply(&bench.work(), &params, &mut answer);
        answer
    }

    #[test]
    fn ids_become_objects_along_the_path() {
        let mut bench = TestBench::new();
        let (customer, method) = bench.customer_with_card("4242424242424242");
        let params = format!(
            "amount=500&currency=usd&customer={customer}&payment_method={method}\
             &confirm=true&off_session=true"
        );
        bench.post("/v1/payment_intents", &params);
        let list = expanded(
            &mut bench,
            "/v1/payment_intents",
            "expand[]=data.latest_charge&expand[]=data.customer.invoice_settings.default_payment_method",
        );
        let intent = &list["data"][0];
        assert_eq!(intent["latest_charge"]["object"], "charge");
        assert_eq!(intent["customer"]["invoice_settings"]["default_payment_method"]["id"], method.as_str());
        assert_eq!(intent["payment_method"], method.as_str());
    }

    #[test]
    fn left_out_lists_are_included() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        bench.post(&format!("/v1/customers/{customer}/tax_ids"), "type=us_ein&value=12-3456789");
        let path = format!("/v1/customers/{customer}");
        let answer = expanded(&mut bench, &path, "expand[]=tax_ids&expand[]=subscriptions");
        assert_eq!(answer["tax_ids"]["data"][0]["type"], "us_ein");
        assert_eq!(answer["subscriptions"]["has_more"], false);
    }

    #[test]
    fn wrong_paths_are_refused() {
        for path in
            ["nothing", "customer.name", "data", "a.customer", "customer.customer.customer.customer.customer"]
        {
            let params = Params::parse(&format!("expand[]={path}")).unwrap();
            assert_eq!(check(&params).unwrap_err().status, 400, "{path}");
        }
        assert!(
            check(&Params::parse("expand[0]=data.latest_invoice.payments.data.payment").unwrap()).is_err()
        );
        assert!(check(&Params::parse("expand[0]=latest_invoice.payments").unwrap()).is_ok());
    }
}
