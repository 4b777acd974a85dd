//! Products and prices (<https://docs.stripe.com/api/products>, <https://docs.stripe.com/api/prices>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    lists::{LIST_PARAMS, list_answer, matches},
    params::Params,
    routes::{Route, path_id, route},
    subscriptions::{
        member::{integer, set, text, update_metadata},
        period::Interval,
    },
    work::Work,
};

/// The operations on products and prices.
pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/v1/products", create_product),
    route("GET", "/v1/products", list_products),
    route("GET", "/v1/products/{id}", retrieve_product),
    route("POST", "/v1/prices", create_price),
    route("GET", "/v1/prices", list_prices),
    route("GET", "/v1/prices/{id}", retrieve_price),
    route("POST", "/v1/prices/{id}", update_price),
];

/// The product and the prices that exist from the first start.
const PRODUCT: &str = "prod_pro";
const PROVISIONED: [(&str, &str, i64, &str); 2] = [
    ("price_pro_monthly", "pro_monthly", 2_900, "month"),
    ("price_pro_yearly", "pro_yearly", 29_000, "year"),
];

/// Creates the product `prod_pro` with a monthly and a yearly price, unless they exist.
pub(crate) fn provision(work: &mut Work<'_>) {
    if work.find("product", PRODUCT).is_none() {
        let product = product(PRODUCT, "Pro", work.now);
        work.put(product);
    }
    for (id, lookup_key, amount, interval) in PROVISIONED {
        if work.find("price", id).is_none() {
            let mut price = price(id, PRODUCT, "usd", amount, work.now);
            set(&mut price, "lookup_key", lookup_key);
            set(&mut price, "recurring", recurring(interval, 1));
            set(&mut price, "type", "recurring");
            work.put(price);
        }
    }
}

fn product(id: &str, name: &str, now: i64) -> Value {
    json!({
        "id": id, "object": "product", "active": true, "created": now, "default_price": null,
        "description": null, "images": [], "livemode": false, "marketing_features": [], "metadata": {},
        "name": name, "package_dimensions": null, "shippable": null, "statement_descriptor": null,
        "tax_code": null, "type": "service", "unit_label": null, "updated": now, "url": null,
    })
}

fn price(id: &str, product: &str, currency: &str, amount: i64, now: i64) -> Value {
    json!({
        "id": id, "object": "price", "active": true, "billing_scheme": "per_unit", "created": now,
        "currency": currency, "custom_unit_amount": null, "livemode": false, "lookup_key": null,
        "metadata": {}, "nickname": null, "product": product, "recurring": null,
        "tax_behavior": "unspecified", "tiers_mode": null, "transform_quantity": null, "type": "one_time",
        "unit_amount": amount, "unit_amount_decimal": amount.to_string(),
    })
}

fn recurring(interval: &str, count: i64) -> Value {
    json!({
        "interval": interval, "interval_count": count, "meter": null, "trial_period_days": null,
        "usage_type": "licensed",
    })
}

/// A price with its product's name, as an invoice line names it: `Pro (at $29.00 / month)`.
pub(crate) fn label(work: &Work<'_>, price: &Value) -> String {
    let amount = money(integer(price, "/unit_amount"), text(price, "/currency"));
    let interval = text(price, "/recurring/interval");
    let every = match integer(price, "/recurring/interval_count") {
        0 | 1 => interval.to_owned(),
        count => format!("every {count} {interval}s"),
    };
    format!("{} (at {amount} / {every})", product_name(work, price))
}

/// The name of a price's product.
pub(crate) fn product_name(work: &Work<'_>, price: &Value) -> String {
    let product = work.find("product", text(price, "/product"));
    product.map(|product| text(product, "/name").to_owned()).unwrap_or_default()
}

/// An amount in cents as text: `$29.00`, `EUR 29.00`.
pub(crate) fn money(amount: i64, currency: &str) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let cents = amount.unsigned_abs();
    let symbol = if currency == "usd" { "$".to_owned() } else { format!("{} ", currency.to_uppercase()) };
    format!("{sign}{symbol}{}.{:02}", cents / 100, cents % 100)
}

fn create_product(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["id", "name", "active", "description", "metadata", "unit_label", "url", "type"])?;
    let name = params.required("name")?;
    let id = params.text("id").map_or_else(|| work.new_id("prod_"), str::to_owned);
    if work.find("product", &id).is_some() {
        return Err(ApiError::invalid("id", format!("Product already exists: {id}")));
    }
    let mut product = product(&id, name, work.now);
    describe(&mut product, params, &["description", "unit_label", "url"]);
    set(&mut product, "active", params.flag("active")?.unwrap_or(true));
    update_metadata(&mut product, params)?;
    work.put(product.clone());
    work.emit("product.created", product.clone(), None);
    Ok(product)
}

fn describe(object: &mut Value, params: &Params, names: &[&str]) {
    for name in names {
        if let Some(value) = params.text(name) {
            set(object, name, Some(value).filter(|value| !value.is_empty()));
        }
    }
}

fn retrieve_product(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("product", path_id(ids, 0)).cloned()
}

fn list_products(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[["active", "ids"].as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let active = params.flag("active")?;
    let ids = texts(params, "ids");
    let mut products = work.all("product");
    products.retain(|product| {
        active.is_none_or(|active| product.get("active") == Some(&json!(active)))
            && (ids.is_empty() || ids.iter().any(|id| id == text(product, "/id")))
    });
    list_answer(params, products, "/v1/products")
}

/// The strings of a list parameter.
fn texts(params: &Params, name: &str) -> Vec<String> {
    params.list(name).iter().filter_map(|element| element.text("").map(str::to_owned)).collect()
}

fn create_price(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[
        "currency",
        "unit_amount",
        "product",
        "product_data",
        "recurring",
        "lookup_key",
        "nickname",
        "metadata",
        "active",
        "tax_behavior",
        "billing_scheme",
    ])?;
    let currency = params.required("currency")?.to_lowercase();
    params.required("unit_amount")?;
    let amount = params.integer("unit_amount")?.unwrap_or_default();
    if amount < 0 {
        return Err(ApiError::invalid(
            "unit_amount",
            "Invalid integer: the unit amount must not be negative.",
        ));
    }
    let recurring = match params.text("recurring.interval") {
        None => None,
        Some(unit) => Some(recurring_of(unit, params.integer("recurring.interval_count")?.unwrap_or(1))?),
    };
    let new_product = new_product(work, params)?;
    let product =
        new_product.as_ref().map_or_else(|| params.text("product").unwrap_or_default(), |it| text(it, "/id"));
    let id = work.new_id("price_");
    let mut price = price(&id, product, &currency, amount, work.now);
    set(&mut price, "type", if recurring.is_some() { "recurring" } else { "one_time" });
    set(&mut price, "recurring", recurring);
    describe(&mut price, params, &["lookup_key", "nickname"]);
    set(&mut price, "active", params.flag("active")?.unwrap_or(true));
    update_metadata(&mut price, params)?;
    if let Some(product) = new_product {
        work.put(product);
    }
    work.put(price.clone());
    work.emit("price.created", price.clone(), None);
    Ok(price)
}

fn recurring_of(unit: &str, count: i64) -> Result<Value, ApiError> {
    if Interval::parse(unit, count).is_none() {
        let message = "Invalid recurring[interval]: use one of day, week, month or year.";
        return Err(ApiError::invalid("recurring[interval]", message));
    }
    if !(1..=1_095).contains(&count) {
        return Err(ApiError::invalid("recurring[interval_count]", "Invalid interval_count: at least 1."));
    }
    Ok(recurring(unit, count))
}

/// The product that `product_data` describes; none if `product` names one that exists.
fn new_product(work: &mut Work<'_>, params: &Params) -> Result<Option<Value>, ApiError> {
    if !params.has("product_data") {
        let id = params.required("product")?;
        return work.get("product", id).map(|_| None).map_err(|error| error.for_param("product"));
    }
    let name = params.required("product_data.name")?;
    let id = work.new_id("prod_");
    Ok(Some(product(&id, name, work.now)))
}

fn retrieve_price(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&[])?;
    work.get("price", path_id(ids, 0)).cloned()
}

fn update_price(work: &mut Work<'_>, params: &Params, ids: &[&str]) -> Result<Value, ApiError> {
    params.only(&["active", "lookup_key", "nickname", "metadata"])?;
    let mut price = work.get("price", path_id(ids, 0))?.clone();
    if let Some(active) = params.flag("active")? {
        set(&mut price, "active", active);
    }
    describe(&mut price, params, &["lookup_key", "nickname"]);
    update_metadata(&mut price, params)?;
    work.put(price.clone());
    work.emit("price.updated", price.clone(), None);
    Ok(price)
}

fn list_prices(work: &mut Work<'_>, params: &Params, _ids: &[&str]) -> Result<Value, ApiError> {
    let filters = ["lookup_keys", "active", "product", "currency", "type"];
    params.only(&[filters.as_slice(), LIST_PARAMS.as_slice()].concat())?;
    let active = params.flag("active")?;
    let keys = texts(params, "lookup_keys");
    let mut prices = work.all("price");
    prices.retain(|price| {
        active.is_none_or(|active| price.get("active") == Some(&json!(active)))
            && (keys.is_empty() || keys.iter().any(|key| key == text(price, "/lookup_key")))
            && ["product", "currency", "type"].iter().all(|name| matches(params, price, name))
    });
    list_answer(params, prices, "/v1/prices")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_has_sign_symbol_and_two_decimals() {
        assert_eq!(money(2_900, "usd"), "$29.00");
        assert_eq!(money(-5, "usd"), "-$0.05");
        assert_eq!(money(100_001, "eur"), "EUR 1000.01");
    }

    #[test]
    fn recurring_interval_is_validated() {
        assert_eq!(recurring_of("month", 3).unwrap(), recurring("month", 3));
        assert_eq!(recurring_of("fortnight", 1).unwrap_err().status, 400);
        assert_eq!(recurring_of("month", 0).unwrap_err().status, 400);
    }
}
