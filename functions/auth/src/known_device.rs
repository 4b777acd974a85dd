//! The device token of a request: proof that somebody signed in on this device before.

use domain::{
    device::DeviceToken,
    ports::{Outcome, TokenKeys},
};
use kit::RequestContext;

/// The device token of a request. Malformed values are ignored.
pub fn claimed<C>(call: &RequestContext<C>, sent: Option<&str>) -> Option<DeviceToken> {
    match sent {
        Some(token) => token.trim().parse().ok(),
        None => call.device_cookie()?.parse().ok(),
    }
}

/// The device token, if this region issued it.
pub async fn genuine<C>(
    keys: &dyn TokenKeys,
    claimed: Option<DeviceToken>,
    call: &RequestContext<C>,
) -> Outcome<Option<DeviceToken>> {
    let Some(claimed) = claimed else { return Ok(None) };
    let key = keys.derivation_key(claimed.session.made_at()).await?;
    Ok(Some(claimed).filter(|claimed| claimed.is_genuine(&key, call.now)))
}
