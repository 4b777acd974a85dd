//! The other region that has a handle.

use domain::{
    directory::Name,
    handle::Handle,
    ports::{Directory, Outcome},
    region::Region,
};
use kit::{Anyone, RequestContext};

/// The holder of a handle that this region does not know.
pub enum HandleHolder {
    /// Another region.
    Region(Region),
    /// Nobody.
    Nobody,
}

/// Looks up the holder of a handle that this region does not know. A forwarded request is not forwarded again.
pub async fn holder_of(
    directory: &dyn Directory,
    call: &RequestContext<Anyone>,
    handle: Handle,
) -> Outcome<HandleHolder> {
    if call.forwarded {
        return Ok(HandleHolder::Nobody);
    }
    let holder = directory.find(&Name::Handle(handle)).await?;
    let region = holder.map(|holder| holder.region).filter(|region| *region != call.region);
    Ok(region.map_or(HandleHolder::Nobody, HandleHolder::Region))
}
