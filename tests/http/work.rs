//! The work of a request is linear in its size, and its answer is bounded.

use std::time::{Duration, Instant};

use kit::{Endpoint, Input, Spec, Visitor, Worker, input::Raw, routes::KIND};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use tests::{App, Value, json};

/// The smaller of two sizes; the larger is four times as much.
const SMALL: usize = 1_000;
/// Four times as much may take up to so many times as long. Sorting adds a little; work that grows with the square takes 16 times
/// as long.
const MOST: u32 = 9;
/// Times are the least of some runs, as a busy machine can only add to them: of at most so many more until they fit.
const MOST_RUNS: usize = 50;
/// And no longer than this.
const PATIENCE: Duration = Duration::from_secs(20);

/// A query and a body of some size.
type Sent = (Vec<(String, String)>, String);

/// Requests of a kind, by size.
type Make = Box<dyn Fn(usize) -> Sent>;

/// Reads a request; whether it is accepted.
type Read = fn(&Sent) -> bool;

/// The endpoints, each with its kinds of large requests, and what reads them.
#[derive(Default)]
struct Readers(Vec<(String, Make, Read)>);

impl Visitor for Readers {
    fn endpoint<E: Endpoint>(&mut self) {
        let mut generator = Default::default();
        let schemas = E::Input::describe(&mut generator);
        let properties = |schema: Option<&Value>| -> Vec<String> {
            let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
            properties.into_iter().flatten().map(|(name, _)| name.clone()).collect()
        };
        let mut add = |kind: String, make: Make| {
            self.0.push((format!("{} with {kind}", E::SPEC.id), make, read::<E>));
        };
        add(
            "unknown parameters".to_owned(),
            Box::new(|n| (parameters(n, |n| format!("p{n}")), String::new())),
        );
        for name in properties(schemas.params.as_ref()).into_iter().take(1) {
            add(
                format!("{name} again and again"),
                Box::new(move |n| (parameters(n, |_| name.clone()), String::new())),
            );
        }
        let Some(body) = schemas.body else { return };
        let name = body.get("$ref").and_then(Value::as_str).and_then(|place| place.rsplit('/').next());
        let body = name.map_or(&body, |name| &generator.definitions()[name]);
        let members = |n: usize, name: fn(usize) -> String| {
            (0..n).map(|n| format!("{:?}:0", name(n))).collect::<Vec<_>>().join(",")
        };
        add(
            "unknown fields".to_owned(),
            Box::new(move |n| body_of(format!("{{{}}}", members(n, |n| format!("f{n}"))))),
        );
        add(
            "one field again and again".to_owned(),
            Box::new(move |n| body_of(format!("{{{}}}", members(n, |_| "f".to_owned())))),
        );
        for name in properties(Some(body)) {
            let field = move |value: String| body_of(format!("{{{name:?}:{value}}}"));
            let (list, object, text) = (field.clone(), field.clone(), field);
            add("a long list".to_owned(), Box::new(move |n| list(json!(vec!["x"; n]).to_string())));
            add(
                "a large object".to_owned(),
                Box::new(move |n| object(format!("{{{}}}", members(n, |n| format!("f{n}"))))),
            );
            add("a long text".to_owned(), Box::new(move |n| text(json!("xé ".repeat(4 * n)).to_string())));
        }
    }

    fn worker<W: Worker>(&mut self) {}
}

fn parameters(count: usize, name: impl Fn(usize) -> String) -> Vec<(String, String)> {
    (0..count).map(|n| (name(n), "x".to_owned())).collect()
}

fn body_of(text: String) -> Sent {
    (Vec::new(), text)
}

/// Values for the names in an endpoint's path: a body is read after them.
fn path_of(spec: &Spec) -> Vec<(String, String)> {
    let names = spec.path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    let value = |name: &str| if name == KIND { spec.kinds[0] } else { "x" };
    names.map(|name| (name.to_owned(), value(name).to_owned())).collect()
}

/// Whether the endpoint takes it.
fn read<E: Endpoint>((query, body): &Sent) -> bool {
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    let body = body.clone().into();
    let path = path_of(&E::SPEC);
    let raw = Raw { path: &path, query: query.clone(), headers: &headers, body: &body };
    E::Input::read(&raw).is_ok()
}

#[test]
fn reading_four_times_as_much_takes_no_more_than_linear_time() {
    let mut readers = Readers::default();
    infra::every(&mut readers);
    assert!(readers.0.len() > 100, "{}", readers.0.len());
    for (name, make, read) in readers.0 {
        let sizes = [make(SMALL), make(4 * SMALL)];
        let (mut least, began) = ([Duration::MAX; 2], Instant::now());
        let is_linear = (0..MOST_RUNS).any(|_| {
            for (sent, least) in sizes.iter().zip(&mut least) {
                let began = Instant::now();
                read(sent);
                *least = began.elapsed().min(*least);
            }
            // What takes next to no time proves nothing.
            least[1] <= MOST * least[0].max(Duration::from_micros(50)) || began.elapsed() > PATIENCE
        });
        assert!(is_linear && began.elapsed() <= PATIENCE, "{name}: {least:?}");
    }
}

#[tokio::test]
async fn answer_names_the_first_twenty_problems_in_short() {
    let app = App::start().await;
    let ada = app.user("ada32").await;
    let fields =
        |n: usize| (0..n).map(|n| (format!("f{n:04}{}", "x".repeat(4)), json!(0))).collect::<Value>();
    let long = json!({ "x".repeat(50_000): 0 });
    for (method, path) in [
        ("POST", "/api/auth/sign-in"),
        ("POST", "/api/auth/sign-up"),
        ("POST", "/api/api-keys"),
        ("PATCH", "/api/settings"),
        ("POST", "/api/activity/archive"),
        ("POST", "/api/models"),
        ("POST", "/api/trash"),
        ("DELETE", "/api/trash"),
        ("POST", "/api/upload/signed-url"),
        ("POST", "/api/gdpr"),
    ] {
        let refused = ada.send(method.parse().unwrap(), path, Some(fields(4_000))).await;
        assert_eq!(refused.brief(), "400 VALIDATION_ERROR", "{path}");
        assert_eq!(refused.at("/errors").as_array().unwrap().len(), 20, "{path}");
        assert!(
            refused.text_at("/error").ends_with("Only the first 20 problems are listed."),
            "{}",
            refused.text
        );
        assert!(refused.text.len() < 4_000, "{path}: {}", refused.text.len());
        let refused = ada.send(method.parse().unwrap(), path, Some(long.clone())).await;
        assert!(refused.status == 400 && refused.text.len() < 2_000, "{path}: {}", refused.text);
    }
    let query: String = (0..1_000).map(|n| format!("&p{n}=1")).collect();
    let refused = ada.get(&format!("/api/activity?x{query}")).await;
    assert_eq!((refused.status, refused.at("/errors").as_array().unwrap().len()), (400, 20));
}
