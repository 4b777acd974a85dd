//! Where an address is at home: the region that answers for it.

use domain::{
    directory::Name,
    ports::{Directory, Outcome},
    region::Region,
    user::EmailHash,
};

/// The home of an address that this region does not have. One that nobody has is at home somewhere too, so that it is
/// counted and answered in one place like any other.
pub async fn of(directory: &dyn Directory, address: EmailHash) -> Outcome<Region> {
    let holder = directory.find(&Name::Address(address)).await?;
    Ok(holder.map_or_else(|| address.stand_in_home(), |holder| holder.region))
}
