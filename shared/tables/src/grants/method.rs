//! A port method with its grants.

use crate::grant::Grant;

/// A method of a port, and what its adapter does with AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PortMethod {
    /// The trait of `domain` and its method: `Sessions::begin`.
    pub name: &'static str,
    /// The actions that the adapter calls.
    pub grants: &'static [Grant],
}
