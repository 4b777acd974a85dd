//! The page of Checkout sessions, and the page where a customer authenticates: plain HTML without scripts.

use std::fmt::Write as _;

use axum::response::{IntoResponse, Response};
use base64::{Engine, prelude::BASE64_STANDARD};
use http::{
    HeaderValue, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use serde_json::Value;
use sha2::{Digest, Sha256};
use url::Url;

use crate::{
    api_error::ApiError,
    cards,
    checkout::{KIND, lines_of},
    checkout_payment::{self, BANK_DEBIT, PageOutcome, takes_bank_debits},
    params::Params,
    payment_attempts,
    prices::money,
    server::Shared,
    setup_intents,
    subscriptions::member::{integer, is_true, text},
    work::Work,
};

const STYLE: &str = "body{font:16px/1.5 system-ui;max-width:36rem;margin:2rem auto;padding:0 1rem}\
table{width:100%;border-collapse:collapse}td,th{padding:.3em 0;text-align:left}\
td:last-child,th:last-child{text-align:right}\
label{display:block}.option label{display:inline}\
input:not([type=checkbox]),select{width:100%;box-sizing:border-box}\
input,select,button{font:inherit;padding:.4em .6em}[role=alert]{border-left:.3em solid;padding-left:.7em}";

/// The fields that the form of the authentication sends again.
const CARRIED: [&str; 8] = ["card", "email", "name", "country", "save", "terms", "tax_id_type", "tax_id"];

/// The types of tax ids that the form offers.
const TAX_ID_TYPES: [&str; 8] =
    ["eu_vat", "gb_vat", "us_ein", "in_gst", "jp_cn", "au_abn", "sg_uen", "ch_vat"];

/// Shows the page of a session.
pub(crate) fn show(shared: &Shared, id: &str) -> Response {
    shared.with(None, |work| match work.get(KIND, id) {
        Ok(session) if text(session, "/status") == "open" => {
            form_page(work, session, &Params::default(), None)
        }
        Ok(session) => closed(session),
        Err(error) => not_found(&error),
    })
}

/// Performs the form of a session's page.
pub(crate) fn submit(shared: &Shared, id: &str, body: &str) -> Response {
    shared.with(None, |work| {
        let form = match Params::parse(body) {
            Ok(form) => form,
            Err(error) => return not_found(&error),
        };
        let outcome = checkout_payment::submit(work, id, &form);
        let session = match work.get(KIND, id) {
            Ok(session) => session,
            Err(error) => return not_found(&error),
        };
        match outcome {
            Ok(PageOutcome::Redirect(url)) => redirect(&url),
            Ok(PageOutcome::Again(message)) => form_page(work, session, &form, Some(&message)),
            Ok(PageOutcome::Authenticate) => step_page(session, &form),
            Ok(PageOutcome::Canceled) => document(
                StatusCode::OK,
                "Canceled",
                "<p>You canceled the payment. You can close this page.</p>",
                &[],
            ),
            Ok(PageOutcome::Closed) => closed(session),
            Err(error) => not_found(&error),
        }
    })
}

/// Shows the page where the customer authenticates a payment or setup intent.
pub(crate) fn show_authentication(shared: &Shared, id: &str) -> Response {
    shared.with(None, |work| match waiting_intent(work, id) {
        Ok(intent) => {
            let target = text(intent, "/next_action/redirect_to_url/return_url");
            document(StatusCode::OK, "Authenticate", &authentication_form(""), &[target])
        }
        Err(error) => not_found(&error),
    })
}

/// Ends the authentication of an intent, and sends the customer back.
pub(crate) fn authenticate(shared: &Shared, id: &str, body: &str) -> Response {
    shared.with(None, |work| {
        let form = Params::parse(body).unwrap_or_default();
        let succeeds = form.text("authentication") == Some("complete");
        let intent = match waiting_intent(work, id) {
            Ok(intent) => intent.clone(),
            Err(error) => return not_found(&error),
        };
        let kind = text(&intent, "/object");
        let result = match kind {
            "setup_intent" => setup_intents::authenticate(work, id, succeeds),
            _ => payment_attempts::authenticate(work, id, succeeds),
        };
        let target = text(&intent, "/next_action/redirect_to_url/return_url");
        let Ok(mut url) = Url::parse(target) else {
            return document(StatusCode::OK, "Done", "<p>You can close this page.</p>", &[]);
        };
        url.query_pairs_mut()
            .append_pair(kind, id)
            .append_pair(&format!("{kind}_client_secret"), text(&intent, "/client_secret"))
            .append_pair("redirect_status", if result.is_ok() { "succeeded" } else { "failed" });
        redirect(url.as_str())
    })
}

fn waiting_intent<'a>(work: &'a Work<'_>, id: &str) -> Result<&'a Value, ApiError> {
    let intent = work.find("payment_intent", id).or_else(|| work.find("setup_intent", id));
    let waiting = intent.filter(|intent| text(intent, "/status") == "requires_action");
    waiting.ok_or_else(|| ApiError::not_found("No authentication is pending."))
}

fn form_page(work: &Work<'_>, session: &Value, form: &Params, message: Option<&str>) -> Response {
    let mut main = String::from(
        "<p>This page of the local platform stands in for Stripe Checkout. Use a test card.</p>",
    );
    if let Some(message) = message {
        let _ = write!(main, "<p role=\"alert\">{}</p>", escape(message));
    }
    main.push_str(&summary(work, session));
    let _ = write!(main, "<form method=\"post\">{}</form>", fields(session, form));
    let targets = [text(session, "/success_url"), text(session, "/cancel_url")];
    document(StatusCode::OK, title(session), &main, &targets)
}

/// The title of the page, and the label of its button.
fn title(session: &Value) -> &'static str {
    match text(session, "/mode") {
        "setup" => "Save card",
        "subscription" => "Subscribe",
        _ => "Pay",
    }
}

/// The line items and the sum.
fn summary(work: &Work<'_>, session: &Value) -> String {
    if text(session, "/mode") == "setup" {
        return String::new();
    }
    let currency = text(session, "/currency");
    let mut table = String::from("<table><tr><th>Item</th><th>Quantity</th><th>Amount</th></tr>");
    for line in lines_of(work, text(session, "/id")) {
        let interval = match text(line, "/price/recurring/interval") {
            "" => String::new(),
            interval => format!(" / {interval}"),
        };
        let _ = write!(
            table,
            "<tr><td>{}</td><td>{}</td><td>{}{}</td></tr>",
            escape(text(line, "/description")),
            integer(line, "/quantity"),
            money(integer(line, "/amount_total"), currency),
            escape(&interval),
        );
    }
    let total = money(integer(session, "/amount_total"), currency);
    let _ = write!(table, "<tr><th>Total</th><td></td><th>{total}</th></tr></table>");
    table
}

fn fields(session: &Value, form: &Params) -> String {
    let given = |name: &str| form.text(name).unwrap_or_default();
    let mut fields =
        format!("<p><label for=\"card\">Card</label>{}</p>", card_select(session, given("card")));
    let email = match given("email") {
        "" => text(session, "/customer_details/email"),
        email => email,
    };
    fields.push_str(&input("email", "Email address", email));
    fields.push_str(&input("name", "Name", given("name")));
    fields.push_str(&input("country", "Country (code of two letters)", given("country")));
    if is_true(session, "/tax_id_collection/enabled") {
        let option = |kind: &&str| format!("<option>{kind}</option>");
        let options: String = TAX_ID_TYPES.iter().map(option).collect();
        let _ = write!(
            fields,
            "<p><label for=\"tax_id_type\">Type of tax ID</label>\
             <select id=\"tax_id_type\" name=\"tax_id_type\">{options}</select></p>{}",
            input("tax_id", "Tax ID (optional)", given("tax_id")),
        );
    }
    if text(session, "/saved_payment_method_options/payment_method_save") == "enabled" {
        fields.push_str(&checkbox("save", "Save the card for later payments"));
    }
    if text(session, "/consent_collection/terms_of_service") == "required" {
        fields.push_str(&checkbox("terms", "I accept the terms of service"));
    }
    let _ = write!(
        fields,
        "<p><button name=\"action\" value=\"pay\">{}</button> \
         <button name=\"action\" value=\"cancel\" formnovalidate>Cancel</button></p>",
        title(session),
    );
    fields
}

/// The choice of a card, or of what else a session or an invoice takes.
pub(crate) fn card_select(payable: &Value, chosen: &str) -> String {
    let debit = takes_bank_debits(payable).then_some((BANK_DEBIT, "Bank debit: takes days"));
    let choices = cards::OFFERED.into_iter().chain(debit);
    let option = |(value, label): (&str, &str)| {
        let selected = if value == chosen { " selected" } else { "" };
        format!("<option value=\"{value}\"{selected}>{value} – {label}</option>")
    };
    let options: String = choices.map(option).collect();
    format!("<select id=\"card\" name=\"card\">{options}</select>")
}

fn input(name: &str, label: &str, value: &str) -> String {
    format!(
        "<p><label for=\"{name}\">{label}</label>\
         <input id=\"{name}\" name=\"{name}\" autocomplete=\"off\" maxlength=\"256\" value=\"{}\"></p>",
        escape(value)
    )
}

fn checkbox(name: &str, label: &str) -> String {
    format!(
        "<p class=\"option\"><input id=\"{name}\" name=\"{name}\" type=\"checkbox\" value=\"on\"> \
         <label for=\"{name}\">{label}</label></p>"
    )
}

/// The step where the customer authenticates at the bank, before the payment.
fn step_page(session: &Value, form: &Params) -> Response {
    let hidden = |name: &str| {
        let value = form.text(name)?;
        Some(format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">", escape(value)))
    };
    let carried: String = CARRIED.into_iter().filter_map(hidden).collect();
    let main =
        authentication_form(&format!("{carried}<input type=\"hidden\" name=\"action\" value=\"pay\">"));
    let targets = [text(session, "/success_url"), text(session, "/cancel_url")];
    document(StatusCode::OK, "Authenticate", &main, &targets)
}

/// The form where the customer authenticates at the bank. `hidden` has what it sends besides.
pub(crate) fn authentication_form(hidden: &str) -> String {
    format!(
        "<p>The bank of this test card asks the customer to authenticate.</p><form method=\"post\">{hidden}\
         <p><button name=\"authentication\" value=\"complete\">Complete authentication</button> \
         <button name=\"authentication\" value=\"fail\">Fail authentication</button></p></form>"
    )
}

fn closed(session: &Value) -> Response {
    let main = match text(session, "/status") {
        "complete" => "<p>This Checkout session is complete. You can close this page.</p>",
        _ => "<p>This Checkout session has expired. Go back to the shop and start again.</p>",
    };
    document(StatusCode::OK, "Nothing to pay", main, &[])
}

/// A page that says what is missing or wrong.
pub(crate) fn not_found(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.status).unwrap_or(StatusCode::BAD_REQUEST);
    document(status, "This page can't be shown", &format!("<p>{}</p>", escape(&error.message)), &[])
}

/// Sends the browser to a URL.
pub(crate) fn redirect(url: &str) -> Response {
    // A URL with characters that headers can't have is encoded by the parser.
    let normal = Url::parse(url).map(|parsed| parsed.to_string());
    let location = HeaderValue::from_str(url).or_else(|_| HeaderValue::try_from(normal.unwrap_or_default()));
    match location {
        Ok(location) => {
            let headers = [(LOCATION, location), (CACHE_CONTROL, HeaderValue::from_static("no-store"))];
            (StatusCode::SEE_OTHER, headers).into_response()
        }
        Err(_) => {
            document(StatusCode::BAD_REQUEST, "Invalid URL", "<p>The URL of the session is invalid.</p>", &[])
        }
    }
}

/// A page. Forms may lead to the origins of the targets: browsers apply the policy to redirects after a form,
/// too.
pub(crate) fn document(status: StatusCode, title: &str, main: &str, targets: &[&str]) -> Response {
    let page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title}</title>\
         <style>{STYLE}</style></head>\
         <body><main><h1>{title}</h1>{main}</main></body></html>"
    );
    let style = BASE64_STANDARD.encode(Sha256::digest(STYLE.as_bytes()));
    let origins = targets.iter().filter_map(|target| Url::parse(target).ok());
    let origins: Vec<String> = origins.map(|target| target.origin().ascii_serialization()).collect();
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style}'; form-action 'self' {}; \
         base-uri 'none'; frame-ancestors 'none'",
        origins.join(" ")
    );
    let strictest = HeaderValue::from_static("default-src 'none'; form-action 'none'");
    let headers = [
        (CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8")),
        (CONTENT_SECURITY_POLICY, HeaderValue::try_from(policy).unwrap_or(strictest)),
        (CACHE_CONTROL, HeaderValue::from_static("no-store")),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    (status, headers, page).into_response()
}

/// A text for HTML, in elements and in attributes.
pub(crate) fn escape(text: &str) -> String {
    let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    text.replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    async fn body(response: Response) -> String {
        let bytes = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn form_offers_what_the_session_asks_for() {
        let session = json!({
            "mode": "payment", "payment_method_types": ["card", "us_bank_account"],
            "tax_id_collection": { "enabled": true },
            "consent_collection": { "terms_of_service": "required" },
        });
        let form = Params::parse("card=4000000000000002&name=%3Cb%3E").unwrap();
        let html = fields(&session, &form);
        assert!(html.contains("value=\"bank_debit\"") && html.contains("name=\"tax_id\""));
        assert!(html.contains("name=\"terms\"") && !html.contains("name=\"save\""));
        assert!(html.contains("value=\"4000000000000002\" selected"));
        assert!(html.contains("value=\"&lt;b&gt;\""));
        let setup = fields(&json!({ "mode": "setup" }), &Params::default());
        assert!(setup.contains("Save card") && !setup.contains("bank_debit"));
    }

    #[tokio::test]
    async fn page_allows_forms_to_its_targets_only() {
        let page = document(StatusCode::OK, "Pay", "<p>x</p>", &["https://shop.example/done?a={b}", ""]);
        let policy = page.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap().to_owned();
        assert!(policy.contains("form-action 'self' https://shop.example;"), "{policy}");
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(body(page).await.contains("<h1>Pay</h1><p>x</p>"));
    }

    #[test]
    fn redirect_is_303_with_the_location() {
        let response = redirect("https://shop.example/done?session=cs_test_1");
        assert_eq!(response.status(), StatusCode::SEE_OTHER);
        assert_eq!(response.headers()[LOCATION], "https://shop.example/done?session=cs_test_1");
        assert_eq!(redirect("https://shop.example/\n").headers()[LOCATION], "https://shop.example/");
    }
}
