//! Secrets: a region's own, and those that are the same in every region.

use aws_sdk_secretsmanager::Client;
use domain::ports::PublicKey;
use keys::secrets::{ADDRESSES, CODES, FORWARDING, MacSecret, TOKENS, TokenSecret};
use lambda::{Config, OsEntropy};
use serde::Serialize;

use crate::why;

/// A secret's name and value.
pub type Shared = (String, String);

/// Makes the region's own.
pub async fn make_own(client: &Client, config: &Config) -> Result<(), String> {
    let name = |secret| format!("{}{secret}", config.secret_prefix);
    tokio::try_join!(
        make(client, name(CODES), MacSecret::generate(&OsEntropy)),
        make(client, name(TOKENS), TokenSecret::generate(&OsEntropy)),
    )
    .map(drop)
}

/// Makes the shared ones where they come from, and gives their values.
pub async fn make_shared(client: &Client, config: &Config) -> Result<[Shared; 2], String> {
    let shared = async |secret| {
        let name = format!("{}{secret}", config.shared_secret_prefix);
        make(client, name.clone(), MacSecret::generate(&OsEntropy)).await?;
        let value = read(client, &name).await?.unwrap_or_default();
        Ok::<_, String>((name, value))
    };
    let (addresses, forwarding) = tokio::try_join!(shared(ADDRESSES), shared(FORWARDING))?;
    Ok([addresses, forwarding])
}

/// Copies the shared ones, as Secrets Manager [replicates] them.
///
/// [replicates]: https://docs.aws.amazon.com/secretsmanager/latest/userguide/replicate-secrets.html
pub async fn copy_shared(client: &Client, shared: &[Shared]) -> Result<(), String> {
    for (name, value) in shared {
        match read(client, name).await? {
            Some(there) if there == *value => {}
            Some(_) => {
                let request = client.put_secret_value().secret_id(name).secret_string(value);
                request.send().await.map_err(why)?;
            }
            None => create(client, name, value.clone()).await?,
        }
    }
    Ok(())
}

/// The public half of the region's signing key.
pub async fn signing_key(client: &Client, config: &Config) -> Result<PublicKey, String> {
    let tokens = read(client, &format!("{}{TOKENS}", config.secret_prefix)).await?.unwrap_or_default();
    let tokens: TokenSecret = serde_json::from_str(&tokens).map_err(why)?;
    tokens.public_key(config.region).map_err(why)
}

async fn make(client: &Client, name: String, value: impl Serialize) -> Result<(), String> {
    create(client, &name, serde_json::to_string(&value).map_err(why)?).await
}

async fn create(client: &Client, name: &str, value: String) -> Result<(), String> {
    match client.create_secret().name(name).secret_string(value).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            Ok(())
        }
        Err(error) => Err(why(error)),
    }
}

async fn read(client: &Client, name: &str) -> Result<Option<String>, String> {
    match client.get_secret_value().secret_id(name).send().await {
        Ok(found) => Ok(found.secret_string),
        Err(error)
            if error.as_service_error().is_some_and(|error| error.is_resource_not_found_exception()) =>
        {
            Ok(None)
        }
        Err(error) => Err(why(error)),
    }
}
