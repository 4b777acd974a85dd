//! The platform's ports, taken before anything starts that has to know where the regions are.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

use domain::region::Region;
use tokio::net::TcpListener;

use crate::StartError;

/// The entry point and the regions.
pub struct Listeners {
    /// Where clients come.
    pub entry: TcpListener,
    /// Each region's own door.
    pub regions: BTreeMap<Region, TcpListener>,
}

impl Listeners {
    /// Takes `port` and the ones after it, a region each; 0: any free ones.
    pub async fn bind(port: u16) -> Result<Self, StartError> {
        let entry = listen(port).await?;
        let mut regions = BTreeMap::new();
        for (offset, region) in (1..).zip(Region::ALL) {
            regions.insert(region, listen(after(port, offset)?).await?);
        }
        Ok(Self { entry, regions })
    }

    /// Where each region is, as in `http://127.0.0.1:9001`.
    pub fn endpoints(&self) -> Result<BTreeMap<Region, String>, StartError> {
        self.regions.iter().map(|(region, listener)| Ok((*region, url(listener)?))).collect()
    }
}

/// A listener's address, as clients write it.
pub fn url(listener: &TcpListener) -> Result<String, StartError> {
    let address = listener.local_addr().map_err(|source| StartError::Port { port: 0, source })?;
    Ok(format!("http://{address}"))
}

fn after(port: u16, offset: u16) -> Result<u16, StartError> {
    if port == 0 {
        return Ok(0);
    }
    let none = || io::Error::new(io::ErrorKind::InvalidInput, "there are too few ports after it");
    port.checked_add(offset).ok_or_else(|| StartError::Port { port, source: none() })
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| StartError::Port { port, source })
}
