//! The configuration of a function. A configuration that mixes regions is refused.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    email::EmailAddress,
    region::{Region, UnknownRegion},
};
use providers::RangeUrl;

/// The names of a deployment's resources.
#[derive(Debug, Clone)]
pub struct Config {
    /// The data region.
    pub region: Region,
    /// The prefix of table names.
    pub table_prefix: String,
    /// The name prefix of the region's own secrets.
    pub secret_prefix: String,
    /// The name prefix of the secrets with the same value in every region.
    pub shared_secret_prefix: String,
    /// The ARN or alias of the KMS key that wraps data keys.
    pub kms_key: String,
    /// The name of the event bus.
    pub event_bus: String,
    /// The name of the bucket for files.
    pub bucket: String,
    /// The sender address of emails.
    pub mail_from: String,
    /// The SES configuration set of emails.
    pub mail_configuration_set: String,
    /// The address that receives feedback. `None`: feedback is not accepted.
    pub feedback_to: Option<EmailAddress>,
    /// The name of the directory table, the same in every region.
    pub directory_table: String,
    /// The URL of each region's API, for example `https://eu.api.example.com`.
    pub endpoints: BTreeMap<Region, String>,
    /// The URL of the name that leads to the nearest region, if there is one.
    pub shared_endpoint: Option<String>,
    /// The service that looks up new passwords among breached ones, if the deployment has one.
    pub breached_passwords: Option<RangeUrl>,
    /// The minimum delay of refusals that must not leak timing.
    pub refusals_after: Duration,
}

/// Why a configuration is refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A variable is not set.
    #[error("the environment variable {0} is not set")]
    Missing(&'static str),
    /// A variable has an invalid value.
    #[error("the environment variable {0} is invalid")]
    Unreadable(&'static str),
    /// The data region is unknown.
    #[error(transparent)]
    Region(#[from] UnknownRegion),
    /// The data region does not match the AWS region.
    #[error("the data region {region} belongs to the AWS region {}, not {aws}", region.aws())]
    Mixed {
        /// The data region.
        region: Region,
        /// The AWS region in which the function runs.
        aws: String,
    },
    /// A table, key, secret, bus or bucket belongs to another region.
    #[error("{name} in {variable} does not belong to the region {region}")]
    Foreign {
        /// The data region.
        region: Region,
        /// The name of the variable.
        variable: &'static str,
        /// The value of the variable.
        name: String,
    },
}

/// The default minimum delay of refusals. Regions are far apart, so a shorter delay would reveal which region answered.
/// `REFUSALS_AFTER_MILLIS` overrides it.
const REFUSALS_AFTER: Duration = Duration::from_millis(800);

impl Config {
    /// Reads the configuration from the environment.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::read(|name| std::env::var(name).ok())
    }

    /// Reads the configuration from variables.
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
            mail_configuration_set: own("MAIL_CONFIGURATION_SET")?,
            feedback_to: address(&variable, "FEEDBACK_TO")?,
            directory_table: var("DIRECTORY_TABLE")?,
            shared_endpoint: variable("SHARED_ENDPOINT"),
            endpoints: endpoints(&var("API_ENDPOINTS")?)?,
            breached_passwords: breached_passwords(variable("BREACHED_PASSWORDS_URL"))?,
            refusals_after: millis(&variable, "REFUSALS_AFTER_MILLIS")?.unwrap_or(REFUSALS_AFTER),
        })
    }

    /// The URLs at which clients reach this deployment.
    pub fn origins(&self) -> Vec<String> {
        self.endpoints.values().chain(&self.shared_endpoint).cloned().collect()
    }

    /// The names of the secrets.
    pub fn secret_names(&self) -> keys::SecretNames {
        keys::SecretNames { own: self.secret_prefix.clone(), shared: self.shared_secret_prefix.clone() }
    }
}

/// Accepts a name of this region: an ARN with its AWS region, or another name that contains the data region as a word.
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

/// The email address in a variable. A parameter of the template without a value is an empty variable.
fn address(
    variable: impl Fn(&'static str) -> Option<String>,
    name: &'static str,
) -> Result<Option<EmailAddress>, ConfigError> {
    let address = variable(name).filter(|text| !text.is_empty());
    address.map(|text| EmailAddress::parse(&text)).transpose().map_err(|_| ConfigError::Unreadable(name))
}

/// An empty variable is the template's default: there is no service.
fn breached_passwords(url: Option<String>) -> Result<Option<RangeUrl>, ConfigError> {
    let parse = |url: String| RangeUrl::parse(&url).ok_or(ConfigError::Unreadable("BREACHED_PASSWORDS_URL"));
    url.filter(|url| !url.is_empty()).map(parse).transpose()
}

/// Parses `us=https://…,eu=https://…,ap=https://…`.
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
            "MAIL_CONFIGURATION_SET" => "account-eu",
            "DIRECTORY_TABLE" => "account-directory",
            "API_ENDPOINTS" => "us=https://us.example,eu=https://eu.example/,ap=https://ap.example",
            _ => return None,
        };
        Some(value.to_owned())
    }

    /// The error of a configuration in which one variable is changed.
    fn refusal(changed: &'static str, value: Option<&str>) -> ConfigError {
        let value = value.map(str::to_owned);
        let read = Config::read(|name| if name == changed { value.clone() } else { variable(name) });
        read.map(|_| ()).unwrap_err()
    }

    #[test]
    fn configuration_of_one_region_is_accepted() {
        let config = Config::read(variable).unwrap();
        assert_eq!(config.region, Region::Eu);
        assert_eq!(config.endpoints.get(&Region::Eu).unwrap(), "https://eu.example");
        assert_eq!(config.refusals_after, REFUSALS_AFTER);
    }

    #[test]
    fn delay_of_refusals_is_configurable() {
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
    fn address_for_feedback_is_optional() {
        let with = |value: &'static str| {
            Config::read(move |name| match name {
                "FEEDBACK_TO" => Some(value.to_owned()),
                _ => variable(name),
            })
        };
        assert_eq!(Config::read(variable).unwrap().feedback_to, None);
        assert_eq!(with("").unwrap().feedback_to, None);
        let address = EmailAddress::parse("feedback@account.example").unwrap();
        assert_eq!(with("feedback@account.example").unwrap().feedback_to, Some(address));
        assert_eq!(with("no address").unwrap_err(), ConfigError::Unreadable("FEEDBACK_TO"));
    }

    #[test]
    fn breached_passwords_are_looked_up_only_where_a_service_is_named() {
        let with = |value: &'static str| {
            Config::read(move |name| match name {
                "BREACHED_PASSWORDS_URL" => Some(value.to_owned()),
                _ => variable(name),
            })
        };
        assert_eq!(Config::read(variable).unwrap().breached_passwords, None);
        assert_eq!(with("").unwrap().breached_passwords, None);
        let url = with("https://ranges.example/range").unwrap().breached_passwords.unwrap();
        assert_eq!(url.to_string(), "https://ranges.example/range/");
        for unsafe_url in ["http://ranges.example/", "off"] {
            let refused = with(unsafe_url).unwrap_err();
            assert_eq!(refused, ConfigError::Unreadable("BREACHED_PASSWORDS_URL"), "{unsafe_url}");
        }
    }

    #[test]
    fn name_of_another_region_is_refused() {
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
            ("MAIL_CONFIGURATION_SET", "account-us"),
        ];
        for (name, value) in foreign {
            assert!(
                matches!(refusal(name, Some(value)), ConfigError::Foreign { variable, .. } if variable == name),
                "{name}={value}"
            );
        }
    }

    #[test]
    fn unknown_or_mismatched_region_is_refused() {
        assert_eq!(refusal("PLATFORM_REGION", Some("mars")), ConfigError::Region(UnknownRegion));
        let mixed = ConfigError::Mixed { region: Region::Eu, aws: "us-east-1".to_owned() };
        assert_eq!(refusal("AWS_REGION", Some("us-east-1")), mixed);
        assert_eq!(refusal("API_ENDPOINTS", Some("mars=https://x")), ConfigError::Region(UnknownRegion));
        let unreadable = ConfigError::Unreadable("API_ENDPOINTS");
        assert_eq!(refusal("API_ENDPOINTS", Some("us=https://x")), unreadable);
    }

    #[test]
    fn error_names_the_missing_variable() {
        assert_eq!(refusal("BUCKET", None), ConfigError::Missing("BUCKET"));
    }
}
