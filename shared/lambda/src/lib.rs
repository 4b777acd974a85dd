//! The runtime glue: configuration from the environment, the SDK clients, and serving one function.

mod boot;
mod client;
mod config;
mod http_client;
pub mod payload;
mod regions;
mod serve;
mod signing;
mod system;

pub use boot::Boot;
pub use client::{Endpoint, patient_sdk_config, sdk_config};
pub use config::{Config, ConfigError};
pub use http_client::HttpClient;
pub use serve::{Error, Hand, Server, serve, work};
pub use system::{OsEntropy, SystemClock};
