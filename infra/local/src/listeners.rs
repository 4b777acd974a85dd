//! The ports of the platform. They are bound first, because the components need the addresses of the regions.

use std::{collections::BTreeMap, io, net::Ipv4Addr};

use domain::region::Region;
use tokio::net::TcpListener;

use crate::start_error::StartError;

/// The listeners of the entry point and of the regions.
pub struct Listeners {
    /// The entry point.
    pub entry: TcpListener,
    /// The APIs of the regions.
    pub regions: BTreeMap<Region, TcpListener>,
}

impl Listeners {
    /// Binds `port` for the entry point and the following ports for the regions. 0 selects free ports.
    pub async fn bind(port: u16) -> Result<Self, StartError> {
        let entry = listen(port).await?;
        let mut regions = BTreeMap::new();
        for (offset, region) in (1..).zip(Region::ALL) {
            regions.insert(region, listen(after(port, offset)?).await?);
        }
        Ok(Self { entry, regions })
    }

    /// The URL of each region, for example `http://127.0.0.1:9001`.
    pub fn endpoints(&self) -> Result<BTreeMap<Region, String>, StartError> {
        self.regions.iter().map(|(region, listener)| Ok((*region, url(listener)?))).collect()
    }
}

/// The URL of a listener.
pub fn url(listener: &TcpListener) -> Result<String, StartError> {
    let address = listener.local_addr().map_err(|source| StartError::Port { port: 0, source })?;
    Ok(format!("http://{address}"))
}

fn after(port: u16, offset: u16) -> Result<u16, StartError> {
    if port == 0 {
        return Ok(0);
    }
    let none = || io::Error::new(io::ErrorKind::InvalidInput, "not enough ports after it");
    port.checked_add(offset).ok_or_else(|| StartError::Port { port, source: none() })
}

async fn listen(port: u16) -> Result<TcpListener, StartError> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.map_err(|source| StartError::Port { port, source })
}
