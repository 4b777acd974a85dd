//! Test cards, and how they behave (<https://docs.stripe.com/testing>).

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::api_error::ApiError;

/// How a charge of a card ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CardOutcome {
    /// The bank approves it.
    Succeeds,
    /// The bank declines it.
    Declined {
        /// The code of the error.
        code: &'static str,
        /// The bank's reason, if the code does not say it.
        decline_code: Option<&'static str>,
    },
    /// The bank wants the customer to authenticate.
    NeedsAuthentication,
}

/// What the stand-in knows about the card of a payment method and no answer shows.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HiddenCard {
    /// The number.
    pub number: String,
    /// Whether the customer authenticated when the card was saved for later.
    pub set_up: bool,
    /// Whether the payment method can't be used again: it was detached, or it paid without being attached.
    #[serde(default)]
    pub used_up: bool,
    /// Whether the customer has just authenticated on the page of a Checkout session, for the charge that
    /// follows.
    #[serde(default)]
    pub authenticated: bool,
}

impl HiddenCard {
    /// A new card.
    pub fn new(number: &str) -> Self {
        Self { number: number.to_owned(), set_up: false, used_up: false, authenticated: false }
    }
}

/// What a card does after a successful charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DisputeKind {
    /// The customer disputes the charge as fraudulent.
    Fraudulent,
    /// The bank inquires first, which moves no money.
    Inquiry,
}

#[derive(Debug, Clone, Copy)]
enum Behaviour {
    Succeeds,
    /// Neither charges nor attaches.
    Declines(&'static str, Option<&'static str>),
    /// Attaches, but every charge is declined.
    DeclinesCharges,
    AuthenticatesUnlessSetUp,
    /// Is set up for use off-session from the beginning.
    AuthenticatesOnSession,
    AlwaysAuthenticates,
    /// Authenticates, and then lacks the money.
    AuthenticatesThenDeclines,
    Disputes(DisputeKind),
}

/// A test card: its number, the suffixes of its ids (`pm_card_visa`, `tok_visa`), its brand, funding, country
/// and behaviour.
struct TestCard {
    number: &'static str,
    names: &'static [&'static str],
    brand: &'static str,
    funding: &'static str,
    behaviour: Behaviour,
}

const fn card(
    number: &'static str,
    names: &'static [&'static str],
    brand: &'static str,
    funding: &'static str,
    behaviour: Behaviour,
) -> TestCard {
    TestCard { number, names, brand, funding, behaviour }
}

const fn visa(number: &'static str, names: &'static [&'static str], behaviour: Behaviour) -> TestCard {
    card(number, names, "visa", "credit", behaviour)
}

static CARDS: [TestCard; 29] = [
    visa("4242424242424242", &["visa", "us"], Behaviour::Succeeds),
    card("4000056655665556", &["visa_debit"], "visa", "debit", Behaviour::Succeeds),
    card("5555555555554444", &["mastercard"], "mastercard", "credit", Behaviour::Succeeds),
    card("2223003122003222", &[], "mastercard", "credit", Behaviour::Succeeds),
    card("5200828282828210", &["mastercard_debit"], "mastercard", "debit", Behaviour::Succeeds),
    card("5105105105105100", &["mastercard_prepaid"], "mastercard", "prepaid", Behaviour::Succeeds),
    card("378282246310005", &["amex"], "amex", "credit", Behaviour::Succeeds),
    card("371449635398431", &[], "amex", "credit", Behaviour::Succeeds),
    card("6011111111111117", &["discover"], "discover", "credit", Behaviour::Succeeds),
    card("3056930009020004", &["diners"], "diners", "credit", Behaviour::Succeeds),
    card("3566002020360505", &["jcb"], "jcb", "credit", Behaviour::Succeeds),
    card("6200000000000005", &["unionpay"], "unionpay", "credit", Behaviour::Succeeds),
    visa(
        "4000000000000002",
        &["chargeDeclined", "visa_chargeDeclined"],
        Behaviour::Declines("card_declined", Some("generic_decline")),
    ),
    visa(
        "4000000000009995",
        &["chargeDeclinedInsufficientFunds", "visa_chargeDeclinedInsufficientFunds"],
        Behaviour::Declines("card_declined", Some("insufficient_funds")),
    ),
    visa(
        "4000000000009987",
        &["chargeDeclinedLostCard", "visa_chargeDeclinedLostCard"],
        Behaviour::Declines("card_declined", Some("lost_card")),
    ),
    visa(
        "4000000000009979",
        &["chargeDeclinedStolenCard", "visa_chargeDeclinedStolenCard"],
        Behaviour::Declines("card_declined", Some("stolen_card")),
    ),
    visa("4000000000000069", &["chargeDeclinedExpiredCard"], Behaviour::Declines("expired_card", None)),
    visa("4000000000000127", &["chargeDeclinedIncorrectCvc"], Behaviour::Declines("incorrect_cvc", None)),
    visa(
        "4000000000000119",
        &["chargeDeclinedProcessingError"],
        Behaviour::Declines("processing_error", None),
    ),
    visa(
        "4000000000006975",
        &["chargeDeclinedVelocityLimitExceeded", "visa_chargeDeclinedVelocityLimitExceeded"],
        Behaviour::Declines("card_declined", Some("card_velocity_exceeded")),
    ),
    visa("4100000000000019", &["radarBlock"], Behaviour::Declines("card_declined", Some("fraudulent"))),
    visa("4000000000000341", &["chargeCustomerFail"], Behaviour::DeclinesCharges),
    visa(
        "4000002500003155",
        &["authenticationRequiredOnSetup", "threeDSecureOptional"],
        Behaviour::AuthenticatesUnlessSetUp,
    ),
    visa(
        "4000003800000446",
        &["authenticationRequiredSetupForOffSession"],
        Behaviour::AuthenticatesOnSession,
    ),
    visa(
        "4000002760003184",
        &["authenticationRequired", "threeDSecure2Required"],
        Behaviour::AlwaysAuthenticates,
    ),
    visa(
        "4000008260003178",
        &["authenticationRequiredChargeDeclinedInsufficientFunds"],
        Behaviour::AuthenticatesThenDeclines,
    ),
    visa("4000000000000259", &["createDispute"], Behaviour::Disputes(DisputeKind::Fraudulent)),
    visa("4000000000001976", &["createDisputeInquiry"], Behaviour::Disputes(DisputeKind::Inquiry)),
    visa("4000000000000077", &["bypassPending"], Behaviour::Succeeds),
];

/// The cards that the page offers: the number and what it does.
pub(crate) const OFFERED: [(&str, &str); 7] = [
    ("4242424242424242", "Visa: succeeds"),
    ("5555555555554444", "Mastercard: succeeds"),
    ("4000000000000002", "Visa: is declined"),
    ("4000000000009995", "Visa: has insufficient funds"),
    ("4000002500003155", "Visa: needs authentication, once"),
    ("4000002760003184", "Visa: always needs authentication"),
    ("4000000000000341", "Visa: is saved, but later charges are declined"),
];

/// How a charge of a card ends. `off_session` says that the customer is absent.
pub(crate) fn charge_outcome(card: &HiddenCard, off_session: bool) -> CardOutcome {
    if card.authenticated && !off_session {
        return authenticated_outcome(card);
    }
    unauthenticated_outcome(card, off_session)
}

fn unauthenticated_outcome(card: &HiddenCard, off_session: bool) -> CardOutcome {
    match behaviour(&card.number) {
        Some(Behaviour::Succeeds | Behaviour::Disputes(_)) => CardOutcome::Succeeds,
        Some(Behaviour::Declines(code, decline_code)) => CardOutcome::Declined { code, decline_code },
        Some(Behaviour::DeclinesCharges) => declined("generic_decline"),
        Some(Behaviour::AuthenticatesUnlessSetUp) if card.set_up => CardOutcome::Succeeds,
        Some(Behaviour::AuthenticatesOnSession) if off_session => CardOutcome::Succeeds,
        Some(
            Behaviour::AuthenticatesUnlessSetUp
            | Behaviour::AuthenticatesOnSession
            | Behaviour::AlwaysAuthenticates
            | Behaviour::AuthenticatesThenDeclines,
        ) => CardOutcome::NeedsAuthentication,
        None => declined("test_mode_live_card"),
    }
}

/// How a charge of a card ends after the customer authenticated.
pub(crate) fn authenticated_outcome(card: &HiddenCard) -> CardOutcome {
    match unauthenticated_outcome(card, false) {
        CardOutcome::NeedsAuthentication => match behaviour(&card.number) {
            Some(Behaviour::AuthenticatesThenDeclines) => declined("insufficient_funds"),
            _ => CardOutcome::Succeeds,
        },
        outcome => outcome,
    }
}

/// How setting up a card for later ends, without a charge.
pub(crate) fn setup_outcome(card: &HiddenCard) -> CardOutcome {
    match behaviour(&card.number) {
        Some(Behaviour::DeclinesCharges) => CardOutcome::Succeeds,
        _ => unauthenticated_outcome(card, true),
    }
}

/// How attaching a card to a customer ends. Banks don't ask the customer to authenticate for it.
pub(crate) fn attach_outcome(card: &HiddenCard) -> CardOutcome {
    match setup_outcome(card) {
        CardOutcome::NeedsAuthentication => CardOutcome::Succeeds,
        outcome => outcome,
    }
}

/// Whether a successful charge of the card is disputed at once.
pub(crate) fn dispute_of(card: &HiddenCard) -> Option<DisputeKind> {
    match behaviour(&card.number) {
        Some(Behaviour::Disputes(kind)) => Some(kind),
        _ => None,
    }
}

const fn declined(decline_code: &'static str) -> CardOutcome {
    CardOutcome::Declined { code: "card_declined", decline_code: Some(decline_code) }
}

fn behaviour(number: &str) -> Option<Behaviour> {
    CARDS.iter().find(|card| card.number == number).map(|card| card.behaviour)
}

/// The number of a test id, for example `pm_card_visa` with the prefix `pm_card_`, or `tok_visa` with `tok_`.
pub(crate) fn test_number(id: &str, prefix: &str) -> Option<&'static str> {
    let name = id.strip_prefix(prefix)?;
    CARDS.iter().find(|card| card.names.contains(&name)).map(|card| card.number)
}

/// Checks the number of a card, without spaces.
///
/// # Errors
///
/// 402 `incorrect_number`, if the check digit is wrong or the number is too short.
pub(crate) fn check_number(number: &str) -> Result<(), ApiError> {
    let is_number = (12..=19).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
    if is_number && luhn_sum(number).is_multiple_of(10) {
        return Ok(());
    }
    let error = ApiError::card("incorrect_number", None, "The card number is incorrect.");
    Err(ApiError { param: Some("number".to_owned()), ..error })
}

/// The sum of the digits, of which every second from the end counts twice (ISO/IEC 7812-1, annex B).
fn luhn_sum(number: &str) -> u32 {
    let digits = number.bytes().rev().map(|byte| u32::from(byte.saturating_sub(b'0')));
    let weighted = digits.enumerate().map(|(index, digit)| match (index % 2, digit.saturating_mul(2)) {
        (0, _) => digit,
        (_, double) if double > 9 => double.saturating_sub(9),
        (_, double) => double,
    });
    weighted.sum()
}

/// The member `card` of a payment method (<https://docs.stripe.com/api/payment_methods/object>).
pub(crate) fn card_object(number: &str, exp_month: i64, exp_year: i64) -> Value {
    let known = CARDS.iter().find(|card| card.number == number);
    let brand = known.map_or("visa", |card| card.brand);
    json!({
        "brand": brand,
        "checks": {
            "address_line1_check": null,
            "address_postal_code_check": null,
            "cvc_check": "pass",
        },
        "country": "US",
        "display_brand": if brand == "amex" { "american_express" } else { brand },
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": fingerprint(number),
        "funding": known.map_or("credit", |card| card.funding),
        "generated_from": null,
        "last4": last4(number),
        "networks": { "available": [brand], "preferred": null },
        "regulated_status": "unregulated",
        "three_d_secure_usage": { "supported": true },
        "wallet": null,
    })
}

/// The last four digits of a number.
pub(crate) fn last4(number: &str) -> &str {
    number.len().checked_sub(4).and_then(|start| number.get(start..)).unwrap_or(number)
}

/// A text that is the same for the same number: 16 letters and digits.
pub(crate) fn fingerprint(number: &str) -> String {
    let hash = hex::encode(Sha256::digest(number.as_bytes()));
    hash.chars().take(16).collect()
}

/// The message of a decline, for the cardholder.
fn decline_message(code: &str, decline_code: Option<&str>) -> &'static str {
    match (code, decline_code) {
        ("expired_card", _) => "The card has expired.",
        ("incorrect_cvc", _) => "The card's security code is incorrect.",
        ("processing_error", _) => "An error occurred while processing the card. Try again later.",
        (_, Some("insufficient_funds")) => "The card has insufficient funds.",
        (_, Some("test_mode_live_card")) => "The card was declined. Use a test card.",
        _ => "The card was declined.",
    }
}

/// The error of a declined card.
pub(crate) fn decline_error(code: &'static str, decline_code: Option<&'static str>) -> ApiError {
    ApiError::card(code, decline_code, decline_message(code, decline_code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(number: &str, set_up: bool) -> HiddenCard {
        HiddenCard { set_up, ..HiddenCard::new(number) }
    }

    #[test]
    fn every_test_number_has_a_check_digit() {
        for card in &CARDS {
            assert!(check_number(card.number).is_ok(), "{}", card.number);
        }
        for number in ["4242424242424241", "42", "424242424242424x", ""] {
            assert_eq!(check_number(number).unwrap_err().code, Some("incorrect_number"), "{number}");
        }
    }

    #[test]
    fn card_that_authenticates_once_needs_setup_off_session() {
        let number = "4000002500003155";
        assert_eq!(charge_outcome(&hidden(number, false), true), CardOutcome::NeedsAuthentication);
        assert_eq!(charge_outcome(&hidden(number, true), true), CardOutcome::Succeeds);
        assert_eq!(authenticated_outcome(&hidden(number, false)), CardOutcome::Succeeds);
        let always = hidden("4000002760003184", true);
        assert_eq!(charge_outcome(&always, true), CardOutcome::NeedsAuthentication);
    }

    #[test]
    fn card_that_fails_later_can_be_saved() {
        let card = hidden("4000000000000341", false);
        assert_eq!(setup_outcome(&card), CardOutcome::Succeeds);
        assert_eq!(charge_outcome(&card, true), declined("generic_decline"));
        assert_eq!(setup_outcome(&hidden("4000000000000002", false)), declined("generic_decline"));
    }

    #[test]
    fn unknown_card_is_declined_as_a_live_card() {
        assert_eq!(
            charge_outcome(&hidden("4111111111111111", false), false),
            declined("test_mode_live_card")
        );
    }

    #[test]
    fn test_ids_name_cards() {
        assert_eq!(test_number("pm_card_mastercard", "pm_card_"), Some("5555555555554444"));
        assert_eq!(test_number("tok_visa", "tok_"), Some("4242424242424242"));
        assert_eq!(test_number("pm_card_none", "pm_card_"), None);
    }

    #[test]
    fn same_number_has_the_same_fingerprint() {
        let fingerprint = |number| card_object(number, 1, 2030)["fingerprint"].clone();
        assert_eq!(fingerprint("4242424242424242"), fingerprint("4242424242424242"));
        assert_ne!(fingerprint("4242424242424242"), fingerprint("5555555555554444"));
        assert_eq!(card_object("378282246310005", 1, 2030)["last4"], "0005");
    }
}
