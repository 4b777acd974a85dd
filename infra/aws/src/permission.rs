//! What the functions' roles allow of a call, beyond what the signature proves: nothing but their own region
//! and the directory, which only its authority lets them write.

use crate::Directory;
use crate::answer::Refusal;
use crate::dynamo::{Named, Tables};
use crate::fault::denied;
use crate::request::Caller;

/// Refuses what no role of a function allows. Outsiders may do everything: they set regions up, replicate, and
/// look into tables.
pub(crate) fn check(caller: &Caller, named: &Named, directory: &Directory) -> Result<(), Refusal> {
    let Some(home) = &caller.home else { return Ok(()) };
    let allowed = if named.has(&directory.table) && Tables::writes(&caller.operation) {
        caller.region == directory.authority
    } else {
        *home == caller.region || named.is_only(&directory.table)
    };
    if allowed { Ok(()) } else { Err(denied(caller)) }
}
