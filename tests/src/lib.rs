//! The testkit: a platform for each test, and people who use it.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that can't go on should stop where it stands"
)]

mod answer;
mod app;
mod form;
mod oauth_browser;
mod payments;
mod person;
mod privacy;
mod region;
mod report;
mod resources;
mod service;
mod team;
mod tools;

pub use answer::Answer;
pub use app::{App, binaries, outage};
pub use form::{icon_form, red_pixel, with_body, with_picture};
pub use oauth_browser::{OauthBrowser, ProviderPersona};
pub use payments::{Stripe, cards};
pub use person::Person;
pub use privacy::Download;
pub use region::forwarding_header;
pub use report::{authority_is_up, every, is_left_out, leading_keys};
pub use resources::{FILE_TYPE, checks_signatures, in_trash, kind_of, names, path_of};
pub use serde_json::{Value, from_str, json};
pub use service::Signing;
pub use tools::python_tools;

/// A password that the estimator lets pass.
pub const PASSWORD: &str = "a plain lamp above the desk";
