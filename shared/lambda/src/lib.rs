//! The Lambda runtime of functions: configuration from the environment, SDK clients, and serving.

mod amazon_roots;
mod boot;
mod client;
mod config;
mod http_client;
mod partner_client;
pub mod payload;
mod regions;
mod serve;
mod signing;
mod system;

pub use boot::FunctionRuntime;
pub use client::{AwsEndpoint, patient_sdk_config, sdk_config};
pub use config::{Config, ConfigError};
pub use http_client::HttpClient;
pub use providers::RangeUrl;
pub use serve::{Error, Server, WorkerHost, WorkerResponse, serve, work};
pub use system::{OsEntropy, SystemClock};
