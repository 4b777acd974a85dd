//! Disputes (<https://docs.stripe.com/api/disputes>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    cards::DisputeKind,
    charges,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    routes::{Route, path_id, route},
    subscriptions::member::{integer, previous, set, set_at, text, update_metadata},
    work::Work,
};

/// The operations on disputes.
pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/v1/disputes", list),
    route("GET", "/v1/disputes/{id}", retrieve),
    route("POST", "/v1/disputes/{id}", update),
    route("POST", "/v1/disputes/{id}/close", close_by_request),
];

/// The fee of a dispute, in cents.
const FEE: i64 = 1_500;

/// How long evidence can be sent, in seconds.
const EVIDENCE_TIME: i64 = 9 * 24 * 60 * 60;

/// Opens the dispute that a test card causes.
pub(crate) fn open_for_card(work: &mut Work<'_>, charge: &Value, kind: DisputeKind) {
    let status = match kind {
        DisputeKind::Fraudulent => "needs_response",
        DisputeKind::Inquiry => "warning_needs_response",
    };
    drop(open(work, text(charge, "/id"), None, status));
}

/// Opens a dispute about a charge, over an amount or over what is not refunded. `status` is `needs_response`,
/// which takes the amount from the balance, or `warning_needs_response`, which is an inquiry.
///
/// # Errors
///
/// 404, if there is no such charge; 400, if the amount, the status or the charge's state is wrong.
pub(crate) fn open(
    work: &mut Work<'_>,
    charge: &str,
    amount: Option<i64>,
    status: &str,
) -> Result<Value, ApiError> {
    let mut charge = work.get("charge", charge)?.clone();
    let rest = integer(&charge, "/amount").saturating_sub(integer(&charge, "/amount_refunded"));
    let amount = amount.unwrap_or(rest);
    if !matches!(status, "needs_response" | "warning_needs_response") {
        return Err(ApiError::invalid("status", "Use the status needs_response or warning_needs_response."));
    }
    if text(&charge, "/status") != "succeeded" || !(1..=integer(&charge, "/amount")).contains(&amount) {
        return Err(ApiError::invalid("amount", "Only the amount of a successful charge can be disputed."));
    }
    let takes_funds = status == "needs_response";
    let mut dispute = new(work, &charge, amount, status);
    if takes_funds {
        let transaction = transaction(work, &dispute, amount.saturating_neg(), FEE);
        set(&mut dispute, "balance_transactions", vec![transaction]);
    }
    set(&mut charge, "disputed", true);
    work.put(dispute.clone());
    work.emit("charge.dispute.created", dispute.clone(), None);
    if takes_funds {
        work.emit("charge.dispute.funds_withdrawn", dispute.clone(), None);
    }
    charges::store_changes(work, &charge, "charge.updated");
    Ok(dispute)
}

fn new(work: &mut Work<'_>, charge: &Value, amount: i64, status: &str) -> Value {
    let copy = |member: &str| charge.get(member).cloned().unwrap_or_default();
    let brand = text(charge, "/payment_method_details/card/brand");
    let is_inquiry = status == "warning_needs_response";
    json!({
        "id": work.new_id("du"), "object": "dispute", "amount": amount, "balance_transactions": [],
        "charge": copy("id"), "created": work.now, "currency": copy("currency"),
        "enhanced_eligibility_types": [], "evidence": { "enhanced_evidence": {} },
        "evidence_details": {
            "due_by": work.now.saturating_add(EVIDENCE_TIME), "enhanced_eligibility": {},
            "has_evidence": false,
            "past_due": false, "submission_count": 0, "submission_method": "not_submitted",
        },
        "is_charge_refundable": is_inquiry, "livemode": false, "metadata": {},
        "network_reason_code": "10.4", "payment_intent": copy("payment_intent"),
        "payment_method_details": {
            "card": {
                "brand": brand, "case_type": if is_inquiry { "inquiry" } else { "chargeback" },
                "network": brand, "network_reason_code": "10.4",
            },
            "type": "card",
        },
        "reason": "fraudulent", "status": status,
    })
}

/// A movement of the balance. `fee` lowers its net amount.
fn transaction(work: &mut Work<'_>, dispute: &Value, amount: i64, fee: i64) -> Value {
    let currency = text(dispute, "/currency");
    let fees = match fee {
        0 => Vec::new(),
        fee => vec![json!({
            "amount": fee, "application": null, "currency": currency, "description": "Dispute fee",
            "type": "stripe_fee",
        })],
    };
    let (kind, category) = if amount < 0 { ("dispute", "dispute") } else { ("reversal", "dispute_reversal") };
    json!({
        "id": work.new_id("txn"), "object": "balance_transaction", "amount": amount, "available_on": work.now,
        "balance_type": "payments", "created": work.now, "currency": currency,
        "description": format!("Chargeback {kind} for {}", text(dispute, "/charge")), "exchange_rate": null,
        "fee": fee, "fee_details": fees, "net": amount.saturating_sub(fee), "reporting_category": category,
        "source": text(dispute, "/id"), "status": "available", "type": "adjustment",
    })
}

/// Ends a dispute as `won`, `lost`, or (an inquiry) `warning_closed`.
///
/// # Errors
///
/// 404, if there is no such dispute; 400, if the status is wrong, or if the dispute is closed.
pub(crate) fn close(work: &mut Work<'_>, id: &str, status: &str) -> Result<Value, ApiError> {
    let before = work.get("dispute", id)?.clone();
    let is_inquiry = text(&before, "/status").starts_with("warning_");
    if matches!(text(&before, "/status"), "won" | "lost" | "warning_closed") {
        return Err(ApiError::state("dispute_already_closed", "The dispute is closed already."));
    }
    if !matches!((status, is_inquiry), ("won" | "lost", false) | ("warning_closed", true)) {
        return Err(ApiError::invalid("status", "Use won or lost; for an inquiry, use warning_closed."));
    }
    let mut dispute = before.clone();
    set(&mut dispute, "status", status);
    set(&mut dispute, "is_charge_refundable", status != "lost");
    if status == "won" {
        let back = transaction(work, &dispute, integer(&dispute, "/amount"), 0);
        let transactions = dispute.get_mut("balance_transactions").and_then(Value::as_array_mut);
        transactions.into_iter().for_each(|transactions| transactions.push(back.clone()));
    }
    work.put(dispute.clone());
    let changed = previous(&before, &dispute);
    work.emit("charge.dispute.updated", dispute.clone(), changed.clone());
    if status == "won" {
        work.emit("charge.dispute.funds_reinstated", dispute.clone(), None);
    }
    work.emit("charge.dispute.closed", dispute.clone(), changed);
    Ok(dispute)
}

fn close_by_request(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let id = path_id(ids, 0);
    let is_inquiry = text(work.get("dispute", id)?, "/status").starts_with("warning_");
    close(work, id, if is_inquiry { "warning_closed" } else { "lost" })
}

fn update(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["evidence", "metadata", "submit"])?;
    let before = work.get("dispute", path_id(ids, 0))?.clone();
    let mut dispute = before.clone();
    for (member, value) in params.map("evidence").into_iter().flatten() {
        set_evidence(&mut dispute, member, value);
    }
    if params.has("evidence") && params.flag("submit")?.unwrap_or(true) {
        let status = match text(&before, "/status") {
            "needs_response" => "under_review",
            "warning_needs_response" => "warning_under_review",
            _ => {
                return Err(ApiError::state(
                    "dispute_already_closed",
                    "The dispute takes no evidence any more.",
                ));
            }
        };
        set(&mut dispute, "status", status);
        set_at(&mut dispute, "/evidence_details/submission_count", 1);
        set_at(&mut dispute, "/evidence_details/submission_method", "manual");
    }
    update_metadata(&mut dispute, params)?;
    if let Some(changed) = previous(&before, &dispute) {
        work.put(dispute.clone());
        work.emit("charge.dispute.updated", dispute.clone(), Some(changed));
    }
    Ok(dispute)
}

fn set_evidence(dispute: &mut Value, member: &str, value: &Value) {
    if let Some(evidence) = dispute.get_mut("evidence") {
        set(evidence, member, value.clone());
    }
    set_at(dispute, "/evidence_details/has_evidence", true);
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("dispute", path_id(ids, 0)).cloned()
}

fn list(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["charge", "payment_intent"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let mut disputes = work.all("dispute");
    disputes
        .retain(|dispute| matches(params, dispute, "charge") && matches(params, dispute, "payment_intent"));
    list_answer(params, disputes, "/v1/disputes")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestBench, id};

    /// The charge of a paid intent over $5.00.
    fn paid(bench: &mut TestBench, method: &str) -> String {
        let params = format!(
            "amount=500&currency=usd&confirm=true&payment_method={method}&payment_method_types[]=card"
        );
        text(&bench.post("/v1/payment_intents", &params), "/latest_charge").to_owned()
    }

    #[test]
    fn chargeback_takes_funds_and_blocks_refunds() {
        let mut bench = TestBench::new();
        let charge = paid(&mut bench, "pm_card_visa");
        let dispute = open(&mut bench.work(), &charge, None, "needs_response").unwrap();
        assert_eq!(dispute["amount"], 500);
        assert_eq!(dispute["balance_transactions"][0]["net"], -2000);
        assert_eq!(bench.get(&format!("/v1/charges/{charge}"))["disputed"], true);
        let refund = bench.call("POST", "/v1/refunds", &format!("charge={charge}")).unwrap_err();
        assert_eq!(refund.code, Some("charge_disputed"));
        let list = bench.call("GET", "/v1/disputes", &format!("charge={charge}")).unwrap();
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn won_dispute_returns_the_funds() {
        let mut bench = TestBench::new();
        let charge = paid(&mut bench, "pm_card_visa");
        let dispute = id(&open(&mut bench.work(), &charge, Some(300), "needs_response").unwrap());
        let won = close(&mut bench.work(), &dispute, "won").unwrap();
        assert_eq!(won["balance_transactions"][1]["amount"], 300);
        assert!(close(&mut bench.work(), &dispute, "lost").is_err());
        let events = ["charge.dispute.updated", "charge.dispute.funds_reinstated", "charge.dispute.closed"];
        assert!(bench.event_types().ends_with(&events.map(str::to_owned)));
    }

    #[test]
    fn inquiry_moves_no_money() {
        let mut bench = TestBench::new();
        let charge = paid(&mut bench, "pm_card_createDisputeInquiry");
        let dispute = bench.get("/v1/disputes")["data"][0].clone();
        assert_eq!(
            (text(&dispute, "/charge"), text(&dispute, "/status")),
            (charge.as_str(), "warning_needs_response")
        );
        assert_eq!(dispute["balance_transactions"], json!([]));
        assert!(close(&mut bench.work(), &id(&dispute), "won").is_err());
        let closed = close(&mut bench.work(), &id(&dispute), "warning_closed").unwrap();
        assert_eq!(closed["status"], "warning_closed");
    }

    #[test]
    fn evidence_is_submitted() {
        let mut bench = TestBench::new();
        paid(&mut bench, "pm_card_createDispute");
        let dispute = id(&bench.get("/v1/disputes")["data"][0]);
        let updated =
            bench.post(&format!("/v1/disputes/{dispute}"), "evidence[customer_name]=Ada&submit=true");
        assert_eq!(
            (&updated["status"], &updated["evidence"]["customer_name"]),
            (&json!("under_review"), &json!("Ada"))
        );
        assert_eq!(bench.post(&format!("/v1/disputes/{dispute}/close"), "")["status"], "lost");
    }
}
