//! The line items of Checkout sessions (<https://docs.stripe.com/api/checkout/sessions/line_items>).

use serde_json::{Value, json};

use crate::{
    api_error::ApiError,
    params::Params,
    payment_intents, prices,
    routes::{self, Lookup},
    subscriptions::member::{integer, set, text},
    work::Work,
};

/// The most line items of a session.
const MOST: usize = 100;

/// Checks the parameter `line_items`, before anything is stored.
///
/// # Errors
///
/// 400, if an item is wrong, or if its price does not fit the mode.
pub(crate) fn check(work: &Work<'_>, params: &Params, mode: &str) -> Result<(), ApiError> {
    let lines = params.list("line_items");
    if lines.is_empty() || lines.len() > MOST {
        let message = format!("Sessions in {mode} mode need line_items: between 1 and {MOST}.");
        return Err(ApiError::invalid_code("parameter_missing", "line_items", message));
    }
    let mut any_recurring = false;
    for (index, line) in lines.iter().enumerate() {
        let place = format!("line_items[{index}]");
        line.only(&["price", "price_data", "quantity", "metadata"]).map_err(|error| below(error, &place))?;
        let quantity = line.integer("quantity").map_err(|error| below(error, &place))?;
        if !(1..=999_999).contains(&quantity.unwrap_or_default()) {
            let message = "Provide a quantity of at least 1.";
            return Err(ApiError::invalid(&format!("{place}[quantity]"), message));
        }
        any_recurring |= is_recurring(work, line).map_err(|error| below(error, &place))?;
    }
    if any_recurring != (mode == "subscription") {
        let message = match mode {
            "subscription" => "Sessions in subscription mode need at least one recurring price.",
            _ => "You specified payment mode but passed a recurring price. Use subscription mode.",
        };
        return Err(ApiError::invalid("line_items", message));
    }
    Ok(())
}

/// Checks the price of an item. Returns whether it is recurring.
fn is_recurring(work: &Work<'_>, line: &Params) -> Result<bool, ApiError> {
    if let Some(id) = line.text("price") {
        let price = work.get("price", id).map_err(|error| error.for_param("price"))?;
        if price.get("active") != Some(&Value::Bool(true)) {
            return Err(ApiError::invalid("price", format!("The price {id} is inactive.")));
        }
        return Ok(text(price, "/type") == "recurring");
    }
    payment_intents::currency(line, "price_data.currency")?;
    line.required("price_data.unit_amount")?;
    if line.integer("price_data.unit_amount")?.unwrap_or_default() < 0 {
        return Err(ApiError::invalid("price_data[unit_amount]", "The unit amount must not be negative."));
    }
    if let Some(product) = line.text("price_data.product") {
        work.get("product", product).map_err(|error| error.for_param("price_data[product]"))?;
    } else {
        line.required("price_data.product_data.name")?;
    }
    if line.has("price_data.recurring") {
        line.required("price_data.recurring.interval")?;
    }
    Ok(line.has("price_data.recurring"))
}

fn below(error: ApiError, place: &str) -> ApiError {
    let param = error.param.as_deref().map(|param| match param.split_once('[') {
        Some((first, rest)) => format!("{place}[{first}][{rest}"),
        None => format!("{place}[{param}]"),
    });
    ApiError { param, ..error }
}

/// Makes the line items of checked parameters. Prices that the parameters describe are stored, and inactive.
///
/// # Errors
///
/// 400, if a price can't be created.
pub(crate) fn create(work: &mut Work<'_>, params: &Params) -> Result<Vec<Value>, ApiError> {
    let lines = params.list("line_items");
    lines.iter().map(|line| create_one(work, line)).collect()
}

fn create_one(work: &mut Work<'_>, line: &Params) -> Result<Value, ApiError> {
    let price = match line.text("price") {
        Some(id) => work.get("price", id)?.clone(),
        None => create_price(work, line)?,
    };
    let quantity = line.integer("quantity")?.unwrap_or(1);
    let amount = integer(&price, "/unit_amount").saturating_mul(quantity);
    let name = prices::product_name(work, &price);
    Ok(json!({
        "id": work.new_id("li"), "object": "item", "adjustable_quantity": null, "amount_discount": 0,
        "amount_subtotal": amount, "amount_tax": 0, "amount_total": amount,
        "currency": price.get("currency"), "description": name, "discounts": [], "metadata": {},
        "price": price, "quantity": quantity, "taxes": [],
    }))
}

/// Makes the price that `price_data` describes, as the operation of prices does.
fn create_price(work: &mut Work<'_>, line: &Params) -> Result<Value, ApiError> {
    let mut data = line.map("price_data").cloned().unwrap_or_default();
    let description = data.get("product_data").and_then(|product| product.get("description")).cloned();
    data.insert("active".to_owned(), Value::from("false"));
    let Lookup::Found(route, ids) = routes::find("POST", "/v1/prices") else {
        return Err(ApiError::api(500, "Prices can't be created."));
    };
    let price = (route.handler)(work, &Params(Value::Object(data)), &ids)?;
    let product = work.find("product", text(&price, "/product")).cloned();
    if let (Some(description), Some(mut product)) = (description, product) {
        set(&mut product, "description", description);
        work.put(product);
    }
    Ok(price)
}

/// The sum of line items, in cents.
pub(crate) fn total(lines: &[Value]) -> i64 {
    lines.iter().fold(0, |sum, line| sum.saturating_add(integer(line, "/amount_total")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestBench;

    fn check_text(text: &str, mode: &str) -> Result<(), ApiError> {
        let mut bench = TestBench::new();
        check(&bench.work(), &Params::parse(text).unwrap(), mode)
    }

    #[test]
    fn lines_fit_the_mode() {
        let monthly = "line_items[0][price]=price_pro_monthly&line_items[0][quantity]=1";
        assert!(check_text(monthly, "subscription").is_ok());
        assert_eq!(check_text(monthly, "payment").unwrap_err().param.as_deref(), Some("line_items"));
        let data = "line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=500\
                    &line_items[0][price_data][product_data][name]=Credit&line_items[0][quantity]=2";
        assert!(check_text(data, "payment").is_ok());
        assert!(check_text(data, "subscription").is_err());
    }

    #[test]
    fn error_names_the_parameter_of_the_line() {
        let param = |text: &str| check_text(text, "payment").unwrap_err().param.unwrap();
        assert_eq!(param(""), "line_items");
        assert_eq!(param("line_items[0][price]=none&line_items[0][quantity]=1"), "line_items[0][price]");
        assert_eq!(param("line_items[0][price]=price_pro_monthly"), "line_items[0][quantity]");
        let nameless = "line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=5\
                        &line_items[0][quantity]=1";
        assert_eq!(param(nameless), "line_items[0][price_data][product_data][name]");
    }

    #[test]
    fn described_price_is_stored_inactive() {
        let mut bench = TestBench::new();
        let text = "line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=500\
                    &line_items[0][price_data][product_data][name]=Credit&line_items[0][quantity]=2";
        let lines = create(&mut bench.work(), &Params::parse(text).unwrap()).unwrap();
        assert_eq!(total(&lines), 1000);
        assert_eq!(lines[0]["description"], "Credit");
        assert_eq!(lines[0]["price"]["active"], false);
    }
}
