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
pub mod queues;
#[cfg(test)]
mod samples;
mod schemas;
pub mod statements;
pub mod template;
pub mod timeouts;

pub use functions::{Functions, areas, every, grants};

/// Converts kebab case to Pascal case: `auth-sign-up` to `AuthSignUp`.
fn pascal(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(word).collect()
}
