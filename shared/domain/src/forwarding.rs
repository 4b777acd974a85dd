//! Requests that one region sends on to another.

use jiff::SignedDuration;

/// How old the letter that goes along may be, and how far two regions' clocks may be apart.
pub const LETTER_VALID: SignedDuration = SignedDuration::from_secs(30);
