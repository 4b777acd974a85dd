//! The home region of an email address.

use domain::{
    directory::Name,
    ports::{Directory, Outcome},
    region::Region,
    user::EmailHash,
};

/// The home region of an email address that this region does not have. An unknown address has a stand-in home, so that
/// it is counted and answered in one region like any other.
pub async fn of(directory: &dyn Directory, address: EmailHash) -> Outcome<Region> {
    let holder = directory.find(&Name::Address(address)).await?;
    Ok(holder.map_or_else(|| address.stand_in_home(), |holder| holder.region))
}
