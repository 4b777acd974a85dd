//! What a function must be told of its deployment.

use domain::region::{Region, UnknownRegion};

/// A deployment's names.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data region.
    pub region: Region,
    /// What the tables' names begin with.
    pub table_prefix: String,
    /// What the secrets' names begin with.
    pub secret_prefix: String,
    /// The KMS key that wraps data keys: id, ARN or alias.
    pub kms_key: String,
    /// The event bus.
    pub event_bus: String,
    /// Whom mail is from.
    pub mail_from: String,
}

/// Why a function refuses to start.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// The data region is none.
    #[error(transparent)]
    Region(#[from] UnknownRegion),
    /// The data region and the AWS region do not belong together.
    #[error("the data region {region} belongs to the AWS region {}, not {aws}", region.aws())]
    Mixed {
        /// The data region.
        region: Region,
        /// The AWS region that the function runs in.
        aws: String,
    },
}

impl Config {
    /// Reads the environment, and refuses one that mixes regions.
    pub fn from_env() -> Result<Self, ConfigError> {
        let var = |name| std::env::var(name).map_err(|_| ConfigError::Missing(name));
        let region: Region = var("PLATFORM_REGION")?.parse()?;
        let aws = var("AWS_REGION")?;
        if aws != region.aws() {
            return Err(ConfigError::Mixed { region, aws });
        }
        Ok(Self {
            region,
            table_prefix: var("TABLE_PREFIX")?,
            secret_prefix: var("SECRET_PREFIX")?,
            kms_key: var("KMS_KEY")?,
            event_bus: var("EVENT_BUS")?,
            mail_from: var("MAIL_FROM")?,
        })
    }
}
