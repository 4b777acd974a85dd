//! What each port method does with AWS: a file an area, a module a port. A spec lists the port methods that its function
//! calls (`.uses(&[sessions::END, extras::EVENT])`), and its IAM statements follow.
//!
//! A port method has its grants here and nowhere else; a test fails if it has none. A method whose actions depend on its
//! arguments has one constant for each case (`directory::CLAIM_HANDLE`).

/// Declares the methods of a port: a constant each, and `ALL` of them.
macro_rules! port {
    ($(#[$about:meta])* $port:ident = $name:literal {
        $($constant:ident = $method:literal: $grants:expr;)*
    }) => {
        $(#[$about])*
        pub mod $port {
            use super::*;

            $(
                #[doc = concat!("`", $name, "::", $method, "`")]
                pub const $constant: PortMethod =
                    PortMethod { name: concat!($name, "::", $method), grants: &$grants };
            )*
            /// Every method of this port.
            pub const ALL: &[PortMethod] = &[$($constant),*];
        }
    };
}

mod actions;
mod auth;
mod erasure;
mod files;
mod messages;
mod method;
mod names;
mod privacy;
mod resource;
mod secrets;
mod workspace;

pub use auth::{
    accounts, authorization_requests, breached_passwords, connections, password_resets, sessions, sign_ups,
    throttles, user_addresses,
};
pub use files::{blobs, bundles, icons, presigner};
pub use messages::{
    bus, consumed, extras, feedback_records, idempotency_records, mail_blocks, mailer, rate_windows,
};
pub use method::PortMethod;
pub use names::directory;
pub use privacy::{deletions, exports, inventory};
pub use resource::{purges, resources, trash, uploads};
pub use secrets::{
    address_hashes, codes, forwarding_keys, identity_keys, identity_providers, payments, rotations,
    token_keys, vault,
};
pub use workspace::{
    api_keys, follows, history, invitations, payment_records, promotions, teams, teams_elsewhere,
    wallet_work, wallets, workspaces,
};

/// The methods of every port.
pub const PORTS: [&[PortMethod]; 49] = [
    accounts::ALL,
    address_hashes::ALL,
    api_keys::ALL,
    authorization_requests::ALL,
    blobs::ALL,
    breached_passwords::ALL,
    bundles::ALL,
    bus::ALL,
    codes::ALL,
    connections::ALL,
    consumed::ALL,
    deletions::ALL,
    directory::ALL,
    exports::ALL,
    extras::ALL,
    feedback_records::ALL,
    follows::ALL,
    forwarding_keys::ALL,
    history::ALL,
    icons::ALL,
    idempotency_records::ALL,
    identity_keys::ALL,
    identity_providers::ALL,
    inventory::ALL,
    invitations::ALL,
    mail_blocks::ALL,
    mailer::ALL,
    password_resets::ALL,
    payment_records::ALL,
    payments::ALL,
    presigner::ALL,
    promotions::ALL,
    purges::ALL,
    rate_windows::ALL,
    resources::ALL,
    rotations::ALL,
    sessions::ALL,
    sign_ups::ALL,
    teams::ALL,
    teams_elsewhere::ALL,
    throttles::ALL,
    token_keys::ALL,
    trash::ALL,
    uploads::ALL,
    user_addresses::ALL,
    vault::ALL,
    wallets::ALL,
    wallet_work::ALL,
    workspaces::ALL,
];
