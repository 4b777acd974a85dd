//! Creates the region's own secrets and, in the authority, the shared secrets.

use aws_sdk_secretsmanager::Client;
use domain::{ports::PublicKey, rotation::SecretName, secret::Secret};
use keys::SecretDocument;
use lambda::{Config, OsEntropy};

use crate::sdk_error::why;

/// Creates the region's own secrets.
pub async fn make_own(client: &Client, config: &Config) -> Result<(), String> {
    tokio::try_join!(make(client, config, SecretName::Codes), make(client, config, SecretName::Tokens))
        .map(drop)
}

/// Creates the shared secrets in the primary region.
pub async fn make_shared(client: &Client, config: &Config) -> Result<(), String> {
    tokio::try_join!(
        make(client, config, SecretName::Addresses),
        make(client, config, SecretName::Forwarding)
    )
    .map(drop)
}

/// Saves the credentials at the platform's own providers under `/_local/idp`, unless others were saved. The port may be another than
/// at the last start.
pub async fn make_providers(client: &Client, config: &Config, entry: &str) -> Result<(), String> {
    let local = serde_json::json!({
        "google": {
            "clientId": "local-google",
            "clientSecret": "local-secret",
            "issuer": format!("{entry}/_local/idp/google"),
        },
        "github": {
            "clientId": "local-github",
            "clientSecret": "local-secret",
            "url": format!("{entry}/_local/idp/github"),
            "apiUrl": format!("{entry}/_local/idp/github"),
        },
    });
    save_local(client, &config.secret_names().providers(), &local, "/_local/idp/").await
}

/// Saves the credentials at the platform's own stand-in for Stripe, unless others were saved.
pub async fn make_payments(client: &Client, config: &Config, entry: &str) -> Result<(), String> {
    let local = crate::payments::credentials(config.region, entry);
    save_local(client, &config.secret_names().payments(), &local, "/_local/stripe").await
}

/// Saves a secret unless it has a value that does not contain `mark`.
async fn save_local(
    client: &Client,
    name: &str,
    local: &serde_json::Value,
    mark: &str,
) -> Result<(), String> {
    let made = client.create_secret().name(name).secret_string(local.to_string()).send().await;
    match made {
        Ok(_) => return Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {}
        Err(error) => return Err(why(error)),
    }
    let saved = client.get_secret_value().secret_id(name).send().await.map_err(why)?;
    if saved.secret_string.is_some_and(|text| text.contains(mark)) {
        client
            .put_secret_value()
            .secret_id(name)
            .secret_string(local.to_string())
            .send()
            .await
            .map_err(why)?;
    }
    Ok(())
}

/// The public keys of the region's signing keys.
pub async fn signing_keys(client: &Client, config: &Config) -> Result<Vec<PublicKey>, String> {
    let name = config.secret_names().of(SecretName::Tokens);
    let found = client.get_secret_value().secret_id(name).send().await.map_err(why)?;
    let document =
        SecretDocument::read(&Secret::new(found.secret_string.unwrap_or_default())).map_err(why)?;
    document.public_keys(config.region).map_err(why)
}

async fn make(client: &Client, config: &Config, secret: SecretName) -> Result<(), String> {
    let first = SecretDocument::first(secret, &OsEntropy).write().map_err(why)?;
    let request = client.create_secret().name(config.secret_names().of(secret));
    match request.secret_string(first.expose()).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            Ok(())
        }
        Err(error) => Err(why(error)),
    }
}
