//! Generates artifacts from the specifications of all functions: the functions, tables and IAM statements of the
//! template, the OpenAPI document and the reference tables of the docs. `cargo generate` writes them; `cargo generate
//! --check` reports files that differ.

pub mod conditions;
pub mod cors;
pub mod data_model;
pub mod endpoints;
pub mod functions;
mod mains;
pub mod openapi;
pub mod output;
mod parameters;
mod problems;
#[cfg(test)]
mod samples;
mod schemas;
pub mod statements;
pub mod template;

pub use functions::{Functions, grants};

/// Visits every function of every area.
pub fn every(visitor: &mut impl kit::Visitor) {
    auth::register(visitor);
    settings::register(visitor);
    api_keys::register(visitor);
    activity::register(visitor);
    resources::register(visitor);
    trash::register(visitor);
    privacy::register(visitor);
    workers::register(visitor);
}

/// Converts kebab case to Pascal case: `auth-sign-up` to `AuthSignUp`.
fn pascal(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(word).collect()
}
