//! The HTML pages of the local platform. They work offline.

use std::fmt::Write as _;

use serde_json::Value;

/// The index page.
pub const INDEX: &str = r#"<!doctype html><html lang="en"><meta charset="utf-8"><title>Local platform</title>
<style>body{font:16px/1.5 system-ui;max-width:44rem;margin:3rem auto;padding:0 1rem}code{background:#f2f2f2;padding:.1em .3em}</style>
<h1>Local platform</h1><ul>
<li><a href="/_local/reference">API reference</a> (<a href="/_local/openapi.json">OpenAPI document</a>)</li>
<li><a href="/_local/mailbox">Mailbox</a> (<a href="/_local/mail">as JSON</a>; <code>?to=ADDRESS</code>)</li>
<li><code>POST /_local/mail-feedback</code> with <code>{"to": ADDRESS, "feedback": "bounce"}</code> (or <code>transient-bounce</code>, <code>complaint</code>): what becomes of the mails to an address</li>
<li><a href="/_local/calls">AWS calls</a> (<code>?since=N</code>)</li>
<li><a href="/_local/clock">Clock</a>: <code>POST {"advanceSeconds": N}</code> or <code>{"now": "…"}</code> moves it, <code>{"stopped": true}</code> stops it</li>
<li><a href="/_local/replication">Replication</a> of the directory: <code>POST {"paused": true}</code> or <code>false</code></li>
<li><code>POST /_local/run/FUNCTION?region=REGION</code> with an event: runs a worker; the event is optional for scheduled workers. An endpoint is invoked with the event as it is, without the gateway</li>
<li><code>POST /_local/rotate/SECRET?region=REGION</code>: rotates a secret (<code>tokens</code>, <code>codes</code>, <code>forwarding</code>)</li>
<li><code>POST /_local/compact</code>: erases deleted items and read stream records from the tables' files</li>
<li><a href="/_local/queues">Queues</a>; <code>POST /_local/redeliver</code>: delivers failed messages again at once</li>
<li><code>/_local/idp/google</code> (<a href="/_local/idp/google/.well-known/openid-configuration">configuration</a>) and <code>/_local/idp/github</code>: identity providers to sign in with</li>
<li><code>POST /_local/faults</code> with a plan, <code>DELETE</code> clears it</li>
<li><a href="/_local/health">Health</a></li></ul></html>"#;

const STYLE: &str = "body{font:15px/1.5 system-ui;max-width:60rem;margin:2rem auto;padding:0 1rem}\
pre{background:#f6f6f6;padding:1rem;white-space:pre-wrap;overflow-wrap:anywhere}h2{margin-top:2.5rem;border-top:1px solid #ddd;padding-top:1rem}\
table{border-collapse:collapse}td,th{border:1px solid #ddd;padding:.3em .6em;text-align:left;vertical-align:top}\
.m{font-weight:700;margin-right:.5em}code{background:#f2f2f2;padding:.1em .3em}summary{cursor:pointer}";

/// The sent mail, newest first.
pub fn mailbox(mail: &[aws::SentMail]) -> String {
    let mut page = head("Mailbox");
    for mail in mail {
        let Ok(mail) = serde_json::to_value(mail) else { continue };
        let _ = write!(
            page,
            "<h2>{}</h2><p>to {} · {} · {}</p><pre>{}</pre>",
            field(&mail, "/subject"),
            field(&mail, "/to"),
            field(&mail, "/sentAt"),
            field(&mail, "/region"),
            field(&mail, "/text"),
        );
    }
    page
}

/// The API reference, rendered from the OpenAPI document.
pub fn reference() -> String {
    let document = infra::openapi::document(&infra::Functions::all());
    let mut page = head("API reference");
    let none = serde_json::Map::new();
    let paths = document.get("paths").and_then(Value::as_object).unwrap_or(&none);
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap_or(&none) {
            describe(&mut page, path, method, operation);
        }
    }
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object).unwrap_or(&none);
    page.push_str("<h2>Schemas</h2>");
    for (name, schema) in schemas {
        let name = escape(name);
        let _ = write!(page, "<details id=\"{name}\"><summary>{name}</summary>{}</details>", json(schema));
    }
    page
}

fn describe(page: &mut String, path: &str, method: &str, operation: &Value) {
    let (path, method) = (escape(path), method.to_uppercase());
    let _ = write!(
        page,
        "<h2 id=\"{0}\"><span class=m>{method}</span><code>{path}</code></h2>",
        field(operation, "/operationId")
    );
    let _ = write!(page, "<p>{}</p>", field(operation, "/summary"));
    let parameters =
        operation.get("parameters").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    if !parameters.is_empty() {
        page.push_str("<table><tr><th>Parameter<th>In<th>Required<th>Meaning</tr>");
        for parameter in parameters {
            let required = if parameter.get("required") == Some(&Value::Bool(true)) { "yes" } else { "" };
            let (name, place, meaning) =
                (field(parameter, "/name"), field(parameter, "/in"), field(parameter, "/description"));
            let _ = write!(page, "<tr><td><code>{name}</code><td>{place}<td>{required}<td>{meaning}</tr>");
        }
        page.push_str("</table>");
    }
    if let Some(body) = operation.pointer("/requestBody/content/application~1json/schema") {
        let _ = write!(page, "<p>Body</p>{}", json(body));
    }
    let none = serde_json::Map::new();
    page.push_str("<table><tr><th>Status<th>Meaning</tr>");
    for (status, response) in operation.get("responses").and_then(Value::as_object).unwrap_or(&none) {
        let _ = write!(page, "<tr><td>{}<td>{}</tr>", escape(status), field(response, "/description"));
    }
    page.push_str("</table>");
}

fn head(title: &str) -> String {
    format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{STYLE}</style>\
         <h1>{title}</h1><p><a href=\"/_local/\">Local platform</a></p>"
    )
}

fn json(value: &Value) -> String {
    format!("<pre>{}</pre>", escape(&serde_json::to_string_pretty(value).unwrap_or_default()))
}

fn field(value: &Value, pointer: &str) -> String {
    escape(value.pointer(pointer).and_then(Value::as_str).unwrap_or_default())
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
