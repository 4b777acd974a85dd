//! Renders the throttling of expensive routes.

use std::fmt::Write as _;

use kit::{Spec, grants::address_hashes, spec::Memory};

use super::quoted;
use crate::Functions;

/// The rate limit of an expensive route in requests per second, and its burst limit. A request occupies a function for
/// about a second, so six routes at their limit use about a third of the 1,000 concurrent executions of a region. No
/// reserved concurrency is needed.
const RATE: u32 = 50;
const BURST: u32 = 100;

/// Renders the route settings.
pub(super) fn settings(functions: &Functions) -> String {
    let mut text = String::new();
    for spec in functions.operations.iter().map(|operation| &operation.spec).filter(|spec| is_expensive(spec))
    {
        for route in spec.routes() {
            let route = quoted(&format!("{} {}", route.method.as_str(), route.path));
            let _ = writeln!(
                text,
                "        {route}: {{ ThrottlingRateLimit: {RATE}, ThrottlingBurstLimit: {BURST} }}"
            );
        }
    }
    text
}

/// Whether the route hashes a password, or sends email to an address that an unauthenticated caller enters.
fn is_expensive(spec: &Spec) -> bool {
    let hashes = spec.memory == Memory::FullCpu;
    let takes_addresses = !spec.is_private() && spec.uses.contains(&address_hashes::HASH);
    hashes || takes_addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn password_and_public_mail_routes_are_throttled() {
        let all = Functions::all();
        let costly = all.operations.iter().map(|operation| &operation.spec).filter(|spec| is_expensive(spec));
        assert_eq!(
            costly.map(|spec| spec.id).collect::<Vec<_>>(),
            [
                "auth-sign-up",
                "auth-verify",
                "auth-sign-in",
                "auth-step-up",
                "auth-password-forgot",
                "auth-password-reset",
            ]
        );
        assert!(settings(&all).starts_with("        \"POST /api/auth/sign-up\": { ThrottlingRateLimit: 50"));
    }
}
