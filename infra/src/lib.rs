//! What derives from the specs. One walk over every function gives the template's functions and tables, their IAM
//! statements, the OpenAPI document and the tables of the docs; `cargo generate` writes them, `cargo generate --check`
//! says whether they are as they should be.

pub mod conditions;
pub mod data_model;
pub mod endpoints;
pub mod functions;
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

/// Shows every function of every area to `visitor`.
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

/// `auth-sign-up` as `AuthSignUp`.
fn pascal(id: &str) -> String {
    let word = |word: &str| {
        let mut letters = word.chars();
        letters.next().map(|first| first.to_ascii_uppercase()).into_iter().chain(letters).collect::<String>()
    };
    id.split('-').map(word).collect()
}
