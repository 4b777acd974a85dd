//! Routes that are throttled more tightly than the others.

use std::fmt::Write as _;

use kit::{Access, Grant, Spec, spec::Memory};

use super::quoted;
use crate::Functions;

/// How many requests a second such a route gets, and how many at once. Each holds a function for about a second: six routes
/// at their limit take about a third of the 1,000 functions that may run at a time in a region, and no reservation is needed.
const RATE: u32 = 50;
const BURST: u32 = 100;

/// Their settings.
pub(super) fn settings(functions: &Functions) -> String {
    let mut text = String::new();
    for spec in functions.operations.iter().map(|operation| &operation.spec).filter(|spec| is_costly(spec)) {
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

/// Whether it hashes a password, or lets a stranger enter somebody's address, to which mail may go.
fn is_costly(spec: &Spec) -> bool {
    let hashes = spec.memory == Memory::FullCpu;
    let takes_addresses = spec.access == Access::Anyone && spec.grants.contains(&Grant::secret("addresses"));
    hashes || takes_addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hashes_passwords_or_mails_at_a_strangers_word_is_throttled_tightly() {
        let all = Functions::all();
        let costly = all.operations.iter().map(|operation| &operation.spec).filter(|spec| is_costly(spec));
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
