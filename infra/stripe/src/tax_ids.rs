//! Tax ids of customers (<https://docs.stripe.com/api/tax_ids>,
//! <https://docs.stripe.com/billing/customer/tax-ids>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    customers,
    lists::{LIST_PARAMS, list_answer},
    params::Params,
    routes::{Route, path_id, route},
    subscriptions::member::{set_at, text},
    work::Work,
};

/// The operations on tax ids.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/customers/{id}/tax_ids", create),
    route("GET", "/v1/customers/{id}/tax_ids", list),
    route("GET", "/v1/customers/{id}/tax_ids/{id}", retrieve),
    route("DELETE", "/v1/customers/{id}/tax_ids/{id}", delete),
];

/// The types: the name, the country (of `eu_vat`, the value has it), and the patterns of values. In a
/// pattern, `9` is a digit, `A` a capital letter, `*` either, and `?` an optional letter or digit.
const TYPES: [(&str, &str, &[&str]); 42] = [
    ("ae_trn", "AE", &["999999999999999"]),
    ("au_abn", "AU", &["99999999999"]),
    ("au_arn", "AU", &["999999999999"]),
    ("br_cnpj", "BR", &["99.999.999/9999-99", "99999999999999"]),
    ("br_cpf", "BR", &["999.999.999-99", "99999999999"]),
    ("ca_bn", "CA", &["999999999"]),
    ("ca_gst_hst", "CA", &["999999999RT9999"]),
    ("ca_qst", "CA", &["9999999999TQ9999"]),
    ("ch_uid", "CH", &["CHE-999.999.999"]),
    ("ch_vat", "CH", &["CHE-999.999.999 MWST", "CHE-999.999.999 TVA", "CHE-999.999.999 IVA"]),
    ("cl_tin", "CL", &["99.999.999-*", "9.999.999-*"]),
    ("cn_tin", "CN", &["999999999999999", "******************"]),
    ("es_cif", "ES", &["A9999999*"]),
    ("eu_vat", "", &["AA**???????????"]),
    ("gb_vat", "GB", &["GB999999999", "GB999999999999"]),
    ("hk_br", "HK", &["99999999"]),
    ("id_npwp", "ID", &["99.999.999.9-999.999", "999999999999999?"]),
    ("il_vat", "IL", &["999999999"]),
    ("in_gst", "IN", &["99AAAAA9999A***"]),
    ("is_vat", "IS", &["999999"]),
    ("jp_cn", "JP", &["9999999999999"]),
    ("jp_rn", "JP", &["99999"]),
    ("jp_trn", "JP", &["T9999999999999"]),
    ("kr_brn", "KR", &["999-99-99999"]),
    ("li_uid", "LI", &["CHE999999999"]),
    ("mx_rfc", "MX", &["AAA999999***", "AAAA999999***"]),
    ("my_sst", "MY", &["A99-9999-99999999"]),
    ("no_vat", "NO", &["999999999MVA"]),
    ("nz_gst", "NZ", &["999999999", "99999999"]),
    ("ph_tin", "PH", &["999999999", "999999999999"]),
    ("rs_pib", "RS", &["999999999"]),
    ("sa_vat", "SA", &["999999999999999"]),
    ("sg_gst", "SG", &["M99999999A"]),
    ("sg_uen", "SG", &["999999999*", "99999999A"]),
    ("th_vat", "TH", &["9999999999999"]),
    ("tr_tin", "TR", &["9999999999"]),
    ("tw_vat", "TW", &["99999999"]),
    ("ua_vat", "UA", &["999999999", "999999999999"]),
    ("us_ein", "US", &["99-9999999"]),
    ("vn_tin", "VN", &["9999999999"]),
    ("za_vat", "ZA", &["4999999999"]),
    ("ke_pin", "KE", &["A999999999A"]),
];

/// The countries of `eu_vat`. Greece uses `EL`; `XI` is Northern Ireland.
const EU: [&str; 28] = [
    "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "EL", "ES", "FI", "FR", "HR", "HU", "IE", "IT", "LT",
    "LU", "LV", "MT", "NL", "PL", "PT", "RO", "SE", "SI", "SK", "XI",
];

/// The types whose values are checked against a registry, after the answer.
const VERIFIED: [&str; 3] = ["au_abn", "eu_vat", "gb_vat"];

/// A checked tax id: its type, its country and its value.
struct CheckedTaxId {
    kind: &'static str,
    country: String,
    value: String,
}

/// Checks the parameters `type` and `value`.
///
/// # Errors
///
/// 400 `tax_id_invalid`, if the value does not have the type's form.
pub(crate) fn check(params: &Params) -> Result<(), ApiError> {
    read(params).map(|_| ())
}

fn read(params: &Params) -> Result<CheckedTaxId, ApiError> {
    let (name, value) = (params.required("type")?, params.required("value")?.trim());
    let known = TYPES.iter().find(|(kind, _, _)| *kind == name);
    let Some(&(kind, country, patterns)) = known else {
        return Err(ApiError::invalid("type", format!("Invalid type: {name}")));
    };
    let value = value.to_uppercase();
    let is_right = patterns.iter().any(|pattern| has_form(&value, pattern));
    let country = match country {
        "" => value.get(..2).unwrap_or_default(),
        country => country,
    };
    if !is_right || (kind == "eu_vat" && !EU.contains(&country)) {
        let message = format!("Invalid value for {name}.");
        return Err(ApiError::invalid_code("tax_id_invalid", "value", message));
    }
    let country = if country == "EL" { "GR" } else { country };
    Ok(CheckedTaxId { kind, country: country.to_owned(), value })
}

/// Whether a value has the form of a pattern.
fn has_form(value: &str, pattern: &str) -> bool {
    let mut characters = value.chars();
    let fits = pattern.chars().all(|expected| match (expected, characters.next()) {
        ('?', None) => true,
        ('?' | '*', Some(character)) => character.is_ascii_alphanumeric(),
        ('9', Some(character)) => character.is_ascii_digit(),
        ('A', Some(character)) => character.is_ascii_uppercase(),
        (fixed, Some(character)) => fixed == character,
        (_, None) => false,
    });
    fits && characters.next().is_none()
}

/// Makes and stores a tax id. Its verification ends at once, by the test values that Stripe documents: digits
/// of only 1 fail, and digits of only 2 stay pending.
///
/// # Errors
///
/// 400, if the parameters are wrong.
pub(crate) fn add(work: &mut Work<'_>, customer: &str, params: &Params) -> Result<Value, ApiError> {
    let CheckedTaxId { kind, country, value } = read(params)?;
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let is_verified = VERIFIED.contains(&kind);
    let tax_id = json!({
        "id": work.new_id("txi"), "object": "tax_id", "country": country, "created": work.now,
        "customer": customer,
        "customer_account": null, "livemode": false,
        "owner": {
            "account": null, "application": null, "customer": customer, "customer_account": null,
            "type": "customer",
        },
        "type": kind, "value": value,
        "verification": {
            "status": if is_verified { "pending" } else { "unavailable" },
            "verified_address": null, "verified_name": null,
        },
    });
    work.put(tax_id.clone());
    work.emit("customer.tax_id.created", tax_id.clone(), None);
    let is_only = |digit: char| !digits.is_empty() && digits.chars().all(|other| other == digit);
    if is_verified && !is_only('2') {
        let mut checked = tax_id.clone();
        let status = if is_only('1') { "unverified" } else { "verified" };
        set_at(&mut checked, "/verification/status", status);
        work.put(checked.clone());
        let before = json!({ "verification": tax_id.get("verification") });
        work.emit("customer.tax_id.updated", checked, Some(before));
    }
    Ok(tax_id)
}

fn create(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["type", "value"])?;
    let customer = path_id(ids, 0);
    customers::live(work, customer)?;
    add(work, customer, params)
}

fn list(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&LIST_PARAMS)?;
    let customer = path_id(ids, 0);
    customers::live(work, customer)?;
    list_answer(params, of_customer(work, customer), &format!("/v1/customers/{customer}/tax_ids"))
}

/// The tax ids of a customer, newest first.
pub(crate) fn of_customer<'a>(work: &'a Work<'_>, customer: &str) -> Vec<&'a Value> {
    let mut tax_ids = work.all("tax_id");
    tax_ids.retain(|tax_id| text(tax_id, "/customer") == customer);
    tax_ids
}

fn find<'a>(work: &'a Work<'_>, ids: &[&str]) -> Result<&'a Value, ApiError> {
    let id = path_id(ids, 1);
    let tax_id = work.get("tax_id", id)?;
    let is_own = text(tax_id, "/customer") == path_id(ids, 0);
    if is_own { Ok(tax_id) } else { Err(ApiError::missing("tax_id", id)) }
}

fn retrieve(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    find(work, ids).cloned()
}

fn delete(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    let tax_id = find(work, ids)?.clone();
    let id = text(&tax_id, "/id");
    work.remove(id);
    let deleted = json!({ "id": id, "object": "tax_id", "deleted": true });
    work.emit("customer.tax_id.deleted", tax_id.clone(), None);
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{TestBench, id};

    fn read_pair(kind: &str, value: &str) -> Result<CheckedTaxId, ApiError> {
        read(&Params(json!({ "type": kind, "value": value })))
    }

    #[test]
    fn values_of_each_type_are_checked() {
        for (kind, value) in [
            ("eu_vat", "DE123456789"),
            ("eu_vat", "nl123456789B12"),
            ("us_ein", "12-3456789"),
            ("gb_vat", "GB123456789"),
            ("in_gst", "12ABCDE3456FGZH"),
            ("jp_cn", "1234567891234"),
            ("au_abn", "12345678912"),
            ("sg_uen", "123456789F"),
        ] {
            assert!(read_pair(kind, value).is_ok(), "{kind} {value}");
        }
        for (kind, value) in [
            ("eu_vat", "US123456789"),
            ("eu_vat", "DE"),
            ("us_ein", "123456789"),
            ("gb_vat", "GB12345678"),
            ("jp_cn", "12345678912345"),
        ] {
            let error = read_pair(kind, value).map(|_| ()).unwrap_err();
            assert_eq!(error.code, Some("tax_id_invalid"), "{kind} {value}");
        }
        assert_eq!(read_pair("xx_vat", "1").map(|_| ()).unwrap_err().param.as_deref(), Some("type"));
    }

    #[test]
    fn country_of_a_greek_number_is_gr() {
        assert_eq!(read_pair("eu_vat", "EL123456789").unwrap().country, "GR");
    }

    #[test]
    fn tax_id_is_verified_listed_and_deleted() {
        let mut bench = TestBench::new();
        let customer = bench.customer();
        let path = format!("/v1/customers/{customer}/tax_ids");
        let created = bench.post(&path, "type=eu_vat&value=DE123456789");
        assert_eq!(created["verification"]["status"], "pending");
        let one = format!("{path}/{}", id(&created));
        assert_eq!(bench.get(&one)["verification"]["status"], "verified");
        assert_eq!(bench.get(&path)["data"].as_array().unwrap().len(), 1);
        let deleted = bench.call("DELETE", &one, "").unwrap();
        assert_eq!(deleted["deleted"], true);
        assert_eq!(bench.call("GET", &one, "").unwrap_err().status, 404);
        let tax_id_events = bench.event_types().split_off(1);
        let events = ["customer.tax_id.created", "customer.tax_id.updated", "customer.tax_id.deleted"];
        assert_eq!(tax_id_events, events);
    }

    #[test]
    fn tax_id_of_another_customer_is_not_found() {
        let mut bench = TestBench::new();
        let (one, other) = (bench.customer(), bench.customer());
        let created = bench.post(&format!("/v1/customers/{one}/tax_ids"), "type=us_ein&value=12-3456789");
        let path = format!("/v1/customers/{other}/tax_ids/{}", id(&created));
        assert_eq!(bench.call("DELETE", &path, "").unwrap_err().status, 404);
    }
}
