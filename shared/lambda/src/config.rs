//! What a function must be told of its deployment. One that mixes regions is refused.

use std::{collections::BTreeMap, time::Duration};

use domain::region::{Region, UnknownRegion};

/// A deployment's names.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data region.
    pub region: Region,
    /// What the tables' names begin with.
    pub table_prefix: String,
    /// What the names of the region's own secrets begin with.
    pub secret_prefix: String,
    /// What the names of the secrets begin with that are the same in every region.
    pub shared_secret_prefix: String,
    /// The KMS key that wraps data keys: ARN or alias.
    pub kms_key: String,
    /// The event bus.
    pub event_bus: String,
    /// The bucket for files.
    pub bucket: String,
    /// Whom mail is from.
    pub mail_from: String,
    /// The directory's table, which has the same name in every region.
    pub directory_table: String,
    /// Where each region's API is, as in `https://eu.api.example.com`.
    pub endpoints: BTreeMap<Region, String>,
    /// How long a refusal that must not tell by time where it comes from is held back at the least.
    pub refusals_after: Duration,
}

/// Why a function refuses to start.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable can't be understood.
    #[error("the environment variable {0} can't be understood")]
    Unreadable(&'static str),
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
    /// A table, key, secret, bus or bucket is not this region's.
    #[error("{name} in {variable} is not of the region {region}")]
    Foreign {
        /// The data region.
        region: Region,
        /// Which variable names it.
        variable: &'static str,
        /// What it says.
        name: String,
    },
}

/// Regions are far apart: the least that hides by time which of them answered. `REFUSALS_AFTER_MILLIS` says another.
const REFUSALS_AFTER: Duration = Duration::from_millis(800);

impl Config {
    /// Reads the environment, and refuses one that mixes regions.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads variables, and refuses those that mix regions.
    pub fn read(variable: impl Fn(&'static str) -> Option<String>) -> Result<Self, ConfigError> {
        let var = |name| variable(name).ok_or(ConfigError::Missing(name));
        let region: Region = var("PLATFORM_REGION")?.parse()?;
        let aws = var("AWS_REGION")?;
        if aws != region.aws() {
            return Err(ConfigError::Mixed { region, aws });
        }
        let own = |name| own(region, name, var(name)?);
        Ok(Self {
            region,
            table_prefix: own("TABLE_PREFIX")?,
            secret_prefix: own("SECRET_PREFIX")?,
            shared_secret_prefix: var("SHARED_SECRET_PREFIX")?,
            kms_key: own("KMS_KEY")?,
            event_bus: own("EVENT_BUS")?,
            bucket: own("BUCKET")?,
            mail_from: var("MAIL_FROM")?,
            directory_table: var("DIRECTORY_TABLE")?,
            endpoints: endpoints(&var("API_ENDPOINTS")?)?,
            refusals_after: millis(&variable, "REFUSALS_AFTER_MILLIS")?.unwrap_or(REFUSALS_AFTER),
        })
    }

    /// What the secrets are called.
    pub fn secret_names(&self) -> keys::SecretNames {
        keys::SecretNames { own: self.secret_prefix.clone(), shared: self.shared_secret_prefix.clone() }
    }
}

/// Lets a name pass that is this region's: an ARN by its region, any other by the data region among its words.
fn own(region: Region, variable: &'static str, name: String) -> Result<String, ConfigError> {
    let is_own = match name.strip_prefix("arn:") {
        Some(arn) => arn.split(':').nth(2) == Some(region.aws()),
        None => {
            let has =
                |wanted: &str| name.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word == wanted);
            Region::ALL.into_iter().all(|other| has(other.as_str()) == (other == region))
        }
    };
    if is_own { Ok(name) } else { Err(ConfigError::Foreign { region, variable, name }) }
}

fn millis(
    variable: impl Fn(&'static str) -> Option<String>,
    name: &'static str,
) -> Result<Option<Duration>, ConfigError> {
    let millis = variable(name).map(|text| text.parse()).transpose();
    millis.map(|millis| millis.map(Duration::from_millis)).map_err(|_| ConfigError::Unreadable(name))
}

/// Reads `us=https://…,eu=https://…,ap=https://…`.
fn endpoints(text: &str) -> Result<BTreeMap<Region, String>, ConfigError> {
    let unreadable = ConfigError::Unreadable("API_ENDPOINTS");
    let mut endpoints = BTreeMap::new();
    for pair in text.split(',') {
        let Some((region, url)) = pair.split_once('=') else { return Err(unreadable) };
        endpoints.insert(region.parse()?, url.trim_end_matches('/').to_owned());
    }
    if endpoints.len() == Region::ALL.len() { Ok(endpoints) } else { Err(unreadable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variable(name: &str) -> Option<String> {
        let value = match name {
            "PLATFORM_REGION" => "eu",
            "AWS_REGION" => "eu-central-1",
            "TABLE_PREFIX" => "account-eu-",
            "SECRET_PREFIX" => "account/eu/",
            "SHARED_SECRET_PREFIX" => "account/shared/",
            "KMS_KEY" => "arn:aws:kms:eu-central-1:000000000000:key/6f7e",
            "EVENT_BUS" => "account-eu",
            "BUCKET" => "account-eu-files-000000000000",
            "MAIL_FROM" => "no-reply@account.example",
            "DIRECTORY_TABLE" => "account-directory",
            "API_ENDPOINTS" => "us=https://us.example,eu=https://eu.example/,ap=https://ap.example",
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// What the configuration is refused for when one variable is something else.
    fn refusal(changed: &'static str, value: Option<&str>) -> ConfigError {
        let value = value.map(str::to_owned);
        let read = Config::read(|name| if name == changed { value.clone() } else { variable(name) });
        read.map(|_| ()).unwrap_err()
    }

    #[test]
    fn a_configuration_of_one_region_is_taken() {
        let config = Config::read(variable).unwrap();
        assert_eq!(config.region, Region::Eu);
        assert_eq!(config.endpoints.get(&Region::Eu).unwrap(), "https://eu.example");
        assert_eq!(config.refusals_after, REFUSALS_AFTER);
    }

    #[test]
    fn how_long_refusals_are_held_back_may_be_said() {
        let with = |value: &'static str| {
            Config::read(move |name| match name {
                "REFUSALS_AFTER_MILLIS" => Some(value.to_owned()),
                _ => variable(name),
            })
        };
        assert_eq!(with("100").unwrap().refusals_after, Duration::from_millis(100));
        assert_eq!(with("soon").unwrap_err(), ConfigError::Unreadable("REFUSALS_AFTER_MILLIS"));
    }

    #[test]
    fn a_name_of_another_region_is_refused_whatever_it_names() {
        let foreign = [
            ("TABLE_PREFIX", "account-us-"),
            ("TABLE_PREFIX", "account-eu-us-"),
            ("TABLE_PREFIX", "account-"),
            ("TABLE_PREFIX", "arn:aws:dynamodb:us-east-1:000000000000:table/account-eu-"),
            ("SECRET_PREFIX", "account/ap/"),
            ("KMS_KEY", "arn:aws:kms:us-east-1:000000000000:key/6f7e"),
            ("KMS_KEY", "alias/account-us"),
            ("EVENT_BUS", "account-ap"),
            ("BUCKET", "account-us-files-000000000000"),
        ];
        for (name, value) in foreign {
            assert!(
                matches!(refusal(name, Some(value)), ConfigError::Foreign { variable, .. } if variable == name),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn an_unknown_or_wrong_region_is_refused() {
        assert_eq!(refusal("PLATFORM_REGION", Some("mars")), ConfigError::Region(UnknownRegion));
        let mixed = ConfigError::Mixed { region: Region::Eu, aws: "us-east-1".to_owned() };
        assert_eq!(refusal("AWS_REGION", Some("us-east-1")), mixed);
        assert_eq!(refusal("API_ENDPOINTS", Some("mars=https://x")), ConfigError::Region(UnknownRegion));
        let unreadable = ConfigError::Unreadable("API_ENDPOINTS");
        assert_eq!(refusal("API_ENDPOINTS", Some("us=https://x")), unreadable);
    }

    #[test]
    fn what_is_missing_is_named() {
        assert_eq!(refusal("BUCKET", None), ConfigError::Missing("BUCKET"));
    }
}
