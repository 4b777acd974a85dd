//! The table of the API's operations. Each module lists its operations in its own constant `ROUTES`.

use serde_json::Value;

use crate::{
    api_error::ApiError, charges, checkout, customers, disputes, events, invoices, params::Params,
    payment_intents, payment_methods, prices, refunds, setup_intents, subscriptions, tax_ids, work::Work,
};

/// A handler of an operation. The last argument has the ids of the path, in order.
pub(crate) type Handler = fn(&mut Work<'_>, &Params, &[&str]) -> Result<Value, ApiError>;

/// An operation: its method, its path with `{id}` for each id, and its handler.
pub(crate) struct Route {
    /// `GET`, `POST` or `DELETE`.
    pub method: &'static str,
    /// The path, for example `/v1/customers/{id}`.
    pub path: &'static str,
    /// The handler.
    pub handler: Handler,
}

/// A row of a table.
pub(crate) const fn route(method: &'static str, path: &'static str, handler: Handler) -> Route {
    Route { method, path, handler }
}

/// The tables of all modules.
static TABLES: [&[Route]; 13] = [
    customers::ROUTES,
    tax_ids::ROUTES,
    payment_methods::ROUTES,
    setup_intents::ROUTES,
    payment_intents::ROUTES,
    charges::ROUTES,
    refunds::ROUTES,
    disputes::ROUTES,
    checkout::ROUTES,
    events::ROUTES,
    prices::ROUTES,
    subscriptions::ROUTES,
    invoices::ROUTES,
];

/// The result of looking up an operation.
pub(crate) enum Lookup<'a> {
    /// The operation, and the ids of the path.
    Found(&'static Route, Vec<&'a str>),
    /// The path exists, but not with this method.
    OtherMethod,
    /// No operation has this path.
    NoPath,
}

/// Finds the operation of a method and a path. A fixed segment goes before an id.
pub(crate) fn find<'a>(method: &str, path: &'a str) -> Lookup<'a> {
    let mut candidates: Vec<(&Route, Vec<&str>)> = TABLES
        .iter()
        .flat_map(|table| table.iter())
        .filter_map(|route| Some((route, path_ids(route.path, path)?)))
        .collect();
    // The fewer ids a path has, the more of it is fixed.
    candidates.sort_by_key(|(_, ids)| ids.len());
    let has_path = !candidates.is_empty();
    match candidates.into_iter().find(|(route, _)| route.method == method) {
        Some((route, ids)) => Lookup::Found(route, ids),
        None if has_path => Lookup::OtherMethod,
        None => Lookup::NoPath,
    }
}

/// Whether the table has an operation like `POST /v1/payment_intents/{id}/confirm`.
pub(crate) fn has_operation(operation: &str) -> bool {
    let mut routes = TABLES.iter().flat_map(|table| table.iter());
    routes.any(|route| operation.split_once(' ') == Some((route.method, route.path)))
}

/// The ids of a path, if the pattern matches it.
fn path_ids<'a>(pattern: &str, path: &'a str) -> Option<Vec<&'a str>> {
    let mut ids = Vec::new();
    let (mut patterns, mut segments) = (pattern.split('/'), path.split('/'));
    loop {
        match (patterns.next(), segments.next()) {
            (None, None) => return Some(ids),
            (Some("{id}"), Some(id)) if !id.is_empty() => ids.push(id),
            (Some(fixed), Some(segment)) if fixed == segment => (),
            _ => return None,
        }
    }
}

/// An id of the path, by its index.
pub(crate) fn path_id<'a>(ids: &[&'a str], index: usize) -> &'a str {
    ids.get(index).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn found(method: &str, path: &str) -> Option<(&'static str, Vec<String>)> {
        match find(method, path) {
            Lookup::Found(route, ids) => Some((route.path, ids.into_iter().map(str::to_owned).collect())),
            _ => None,
        }
    }

    #[test]
    fn path_ids_are_read() {
        let ids = vec!["cus_1".to_owned(), "txi_1".to_owned()];
        let path = "/v1/customers/cus_1/tax_ids/txi_1";
        assert_eq!(found("DELETE", path), Some(("/v1/customers/{id}/tax_ids/{id}", ids)));
    }

    #[test]
    fn fixed_segment_goes_before_an_id() {
        let preview = found("POST", "/v1/invoices/create_preview").unwrap();
        assert_eq!(preview, ("/v1/invoices/create_preview", Vec::new()));
    }

    #[test]
    fn unknown_paths_and_methods_are_told_apart() {
        assert!(matches!(find("GET", "/v1/nothing"), Lookup::NoPath));
        assert!(matches!(find("GET", "/v1/customers/"), Lookup::NoPath));
        assert!(matches!(find("DELETE", "/v1/charges/ch_1"), Lookup::OtherMethod));
        assert!(has_operation("POST /v1/payment_intents"));
        assert!(!has_operation("POST /v1/payment_intent"));
    }

    #[test]
    fn operations_are_listed_once() {
        let routes = TABLES.iter().flat_map(|table| table.iter());
        let all: Vec<_> = routes.map(|route| (route.method, route.path)).collect();
        let unique: BTreeSet<_> = all.iter().collect();
        assert_eq!(all.len(), unique.len());
    }
}
