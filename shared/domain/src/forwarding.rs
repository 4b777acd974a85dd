//! Requests that one region forwards to another.

use jiff::SignedDuration;

/// Maximum age of a forwarded request, including clock skew between regions.
pub const FORWARDED_REQUEST_VALID: SignedDuration = SignedDuration::from_secs(30);
