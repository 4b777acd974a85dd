//! Refunds (<https://docs.stripe.com/api/refunds>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    charges,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    prices::money,
    routes::{Route, path_id, route},
    subscriptions::member::{integer, is_true, previous, set, text, update_metadata},
    work::Work,
};

/// The operations on refunds.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/refunds", create),
    route("GET", "/v1/refunds", list),
    route("GET", "/v1/refunds/{id}", retrieve),
    route("POST", "/v1/refunds/{id}", update),
];

fn create(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["payment_intent", "charge", "amount", "reason", "metadata"])?;
    let mut charge = charge_of(work, params)?;
    let reason = params.choice("reason", &["duplicate", "fraudulent", "requested_by_customer"])?;
    let rest = integer(&charge, "/amount").saturating_sub(integer(&charge, "/amount_refunded"));
    let amount = params.integer("amount")?;
    let amount = check(work, &charge, amount, rest)?;
    let mut refund = new(work, &charge, amount);
    set(&mut refund, "reason", reason);
    update_metadata(&mut refund, params)?;
    let refunded = integer(&charge, "/amount_refunded").saturating_add(amount);
    set(&mut charge, "amount_refunded", refunded);
    set(&mut charge, "refunded", amount == rest);
    work.put(refund.clone());
    work.emit("refund.created", refund.clone(), None);
    charges::store_changes(work, &charge, "charge.refunded");
    Ok(refund)
}

/// The charge that the parameters name, by its own id or by the payment intent's.
fn charge_of(work: &Work<'_>, params: &Params) -> Result<Value, ApiError> {
    match (params.text("charge"), params.text("payment_intent")) {
        (Some(id), None) => Ok(work.get("charge", id).map_err(|error| error.for_param("charge"))?.clone()),
        (None, Some(id)) => {
            let intent = work.get("payment_intent", id).map_err(|error| error.for_param("payment_intent"))?;
            let charge = work.find("charge", text(intent, "/latest_charge"));
            charge.cloned().ok_or_else(|| {
                let message = format!("The payment intent {id} has no successful charge to refund.");
                ApiError::invalid("payment_intent", message)
            })
        }
        (Some(_), Some(_)) => {
            Err(ApiError::invalid("charge", "Provide `charge` or `payment_intent`, not both."))
        }
        (None, None) => {
            let message = "Provide `charge` or `payment_intent`.";
            Err(ApiError::invalid_code("parameter_missing", "payment_intent", message))
        }
    }
}

/// The amount to refund: the given one, or the rest.
fn check(work: &Work<'_>, charge: &Value, amount: Option<i64>, rest: i64) -> Result<i64, ApiError> {
    let id = text(charge, "/id");
    if text(charge, "/status") != "succeeded" {
        return Err(ApiError::invalid("charge", format!("The charge {id} has not succeeded.")));
    }
    if rest == 0 {
        let message = format!("The charge {id} is already refunded.");
        return Err(ApiError::state("charge_already_refunded", message));
    }
    let mut disputes = work.all("dispute").into_iter().filter(|dispute| text(dispute, "/charge") == id);
    if disputes.any(|dispute| !is_true(dispute, "/is_charge_refundable")) {
        let message = format!("The charge {id} was charged back. It can't be refunded.");
        return Err(ApiError::state("charge_disputed", message));
    }
    let currency = text(charge, "/currency");
    match amount.unwrap_or(rest) {
        ..=0 => {
            let message = "Invalid positive integer: the amount must be greater than 0.";
            Err(ApiError::invalid_code("parameter_invalid_integer", "amount", message))
        }
        amount if amount > rest => {
            let (amount, rest) = (money(amount, currency), money(rest, currency));
            let message =
                format!("The amount {amount} is greater than the unrefunded amount {rest} of the charge.");
            Err(ApiError::invalid("amount", message))
        }
        amount => Ok(amount),
    }
}

fn new(work: &mut Work<'_>, charge: &Value, amount: i64) -> Value {
    let copy = |member: &str| charge.get(member).cloned().unwrap_or_default();
    let kind = text(charge, "/payment_method_details/type");
    let details = json!({
        "reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund",
    });
    json!({
        "id": work.new_id("re"), "object": "refund", "amount": amount,
        "balance_transaction": work.new_id("txn"),
        "charge": copy("id"), "created": work.now, "currency": copy("currency"),
        "destination_details": { kind: if kind == "card" { details } else { json!({}) }, "type": kind },
        "metadata": {}, "payment_intent": copy("payment_intent"), "reason": null, "receipt_number": null,
        "source_transfer_reversal": null, "status": "succeeded", "transfer_reversal": null,
    })
}

/// Lets a refund fail: the bank sends the amount back, and the charge counts as less refunded.
///
/// # Errors
///
/// 404, if there is no such refund; 400, if it failed already.
pub(crate) fn fail(work: &mut Work<'_>, id: &str) -> Result<Value, ApiError> {
    let before = work.get("refund", id)?.clone();
    if text(&before, "/status") == "failed" {
        return Err(ApiError::state("refund_already_failed", "The refund failed already."));
    }
    let mut charge = work.get("charge", text(&before, "/charge"))?.clone();
    let mut refund = before.clone();
    set(&mut refund, "status", "failed");
    set(&mut refund, "failure_reason", "lost_or_stolen_card");
    let transaction = work.new_id("txn");
    set(&mut refund, "failure_balance_transaction", transaction);
    let refunded = integer(&charge, "/amount_refunded").saturating_sub(integer(&refund, "/amount"));
    set(&mut charge, "amount_refunded", refunded);
    set(&mut charge, "refunded", false);
    work.put(refund.clone());
    let changed = previous(&before, &refund);
    for event_type in ["refund.updated", "charge.refund.updated", "refund.failed"] {
        work.emit(event_type, refund.clone(), changed.clone());
    }
    charges::store_changes(work, &charge, "charge.updated");
    Ok(refund)
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("refund", path_id(ids, 0)).cloned()
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["metadata"])?;
    let before = work.get("refund", path_id(ids, 0))?.clone();
    let mut refund = before.clone();
    update_metadata(&mut refund, params)?;
    if let Some(changed) = previous(&before, &refund) {
        work.put(refund.clone());
        work.emit("refund.updated", refund.clone(), Some(changed));
    }
    Ok(refund)
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["charge", "payment_intent"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let mut refunds = work.all("refund");
    refunds.retain(|refund| matches(params, refund, "charge") && matches(params, refund, "payment_intent"));
    list_answer(params, refunds, "/v1/refunds")
}

/// The refunds of a charge, newest first.
pub(crate) fn of_charge<'a>(work: &'a Work<'_>, charge: &str) -> Vec<&'a Value> {
    let mut refunds = work.all("refund");
    refunds.retain(|refund| text(refund, "/charge") == charge);
    refunds
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestBench, id};

    /// A paid intent over $5.00.
    fn paid(bench: &mut TestBench) -> Value {
        let params =
            "amount=500&currency=usd&confirm=true&payment_method=pm_card_visa&payment_method_types[]=card";
        bench.post("/v1/payment_intents", params)
    }

    #[test]
    fn charge_is_refunded_in_parts() {
        let mut bench = TestBench::new();
        let intent = id(&paid(&mut bench));
        let params = format!("payment_intent={intent}&amount=200&reason=requested_by_customer");
        let refund = bench.post("/v1/refunds", &params);
        assert_eq!((&refund["amount"], &refund["status"]), (&json!(200), &json!("succeeded")));
        let charge_path = format!("/v1/charges/{}", text(&refund, "/charge"));
        let charge = bench.get(&charge_path);
        assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(200), &json!(false)));
        let too_much = bench.call("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=301"));
        assert_eq!(too_much.unwrap_err().param.as_deref(), Some("amount"));
        bench.post("/v1/refunds", &format!("payment_intent={intent}"));
        assert_eq!(bench.get(&charge_path)["refunded"], true);
        let over = bench.call("POST", "/v1/refunds", &format!("payment_intent={intent}")).unwrap_err();
        assert_eq!(over.code, Some("charge_already_refunded"));
        let list = bench.call("GET", "/v1/refunds", &format!("payment_intent={intent}")).unwrap();
        assert_eq!(list["data"].as_array().unwrap().len(), 2);
    }

    #[test]
    fn failed_refund_returns_the_amount_to_the_charge() {
        let mut bench = TestBench::new();
        let intent = paid(&mut bench);
        let refund = bench.post("/v1/refunds", &format!("payment_intent={}", id(&intent)));
        let failed = fail(&mut bench.work(), &id(&refund)).unwrap();
        assert_eq!(failed["status"], "failed");
        let charge = bench.get(&format!("/v1/charges/{}", text(&intent, "/latest_charge")));
        assert_eq!((&charge["amount_refunded"], &charge["refunded"]), (&json!(0), &json!(false)));
        assert!(fail(&mut bench.work(), &id(&refund)).is_err());
        let events = ["refund.updated", "charge.refund.updated", "refund.failed", "charge.updated"];
        assert!(bench.event_types().ends_with(&events.map(str::to_owned)));
    }

    #[test]
    fn unpaid_intent_is_not_refunded() {
        let mut bench = TestBench::new();
        let intent = bench.post("/v1/payment_intents", "amount=500&currency=usd");
        let error =
            bench.call("POST", "/v1/refunds", &format!("payment_intent={}", id(&intent))).unwrap_err();
        assert_eq!((error.status, error.param.as_deref()), (400, Some("payment_intent")));
        assert_eq!(bench.call("POST", "/v1/refunds", "").unwrap_err().code, Some("parameter_missing"));
    }
}
