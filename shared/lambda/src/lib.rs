//! The runtime glue: configuration from the environment, the SDK clients, and serving one function.

mod boot;
mod client;
mod config;
mod regions;
mod serve;
mod system;

pub use aws_smithy_runtime_api::client::http::SharedHttpClient as HttpClient;
pub use boot::Boot;
pub use client::{Endpoint, http_client, patient_sdk_config, sdk_config};
pub use config::{Config, ConfigError};
pub use serve::{Error, serve, work};
pub use system::{OsEntropy, SystemClock};
