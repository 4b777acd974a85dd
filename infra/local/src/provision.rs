//! Sets a region up as the template does: tables, the KMS key, secrets, and the public signing key in the directory.
//! What is there already stays as it is.

use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType, StreamSpecification,
    StreamViewType, TimeToLiveSpecification,
};
use domain::ports::Directory;
use keys::secrets::{ADDRESSES, CODES, MacSecret, TOKENS, TokenSecret};
use lambda::{Config, Endpoint, HttpClient, OsEntropy};
use serde::Serialize;
use store::table::{PARTITION_KEY, SORT_KEY, TTL, Table};

/// Makes what is missing.
pub async fn provision(config: &Config, endpoint: &Endpoint, http: HttpClient) -> Result<(), String> {
    let sdk = lambda::sdk_config(config.region.aws(), endpoint, http);
    let dynamodb = aws_sdk_dynamodb::Client::new(&sdk);
    for table in Table::ALL {
        make_table(&dynamodb, table, &table.name(&config.table_prefix)).await?;
    }
    make_key(&aws_sdk_kms::Client::new(&sdk), &config.kms_key).await?;
    let secrets = aws_sdk_secretsmanager::Client::new(&sdk);
    let name = |secret| format!("{}{secret}", config.secret_prefix);
    make_secret(&secrets, &name(ADDRESSES), &MacSecret::generate(&OsEntropy)).await?;
    make_secret(&secrets, &name(CODES), &MacSecret::generate(&OsEntropy)).await?;
    make_secret(&secrets, &name(TOKENS), &TokenSecret::generate(&OsEntropy)).await?;
    let answer = secrets.get_secret_value().secret_id(name(TOKENS)).send().await.map_err(text)?;
    let tokens: TokenSecret =
        serde_json::from_str(answer.secret_string().unwrap_or_default()).map_err(text)?;
    let public = tokens.public_key(config.region).map_err(text)?;
    let store = store::Store::new(dynamodb, config.table_prefix.clone());
    store.publish_signing_key(&public).await.map_err(text)
}

async fn make_table(client: &aws_sdk_dynamodb::Client, table: Table, name: &str) -> Result<(), String> {
    let attribute = |name| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(text)
    };
    let key =
        |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(text);
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(PARTITION_KEY)?)
        .attribute_definitions(attribute(SORT_KEY)?)
        .key_schema(key(PARTITION_KEY, KeyType::Hash)?)
        .key_schema(key(SORT_KEY, KeyType::Range)?);
    if table.is_streamed() {
        let stream =
            StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
        request = request.stream_specification(stream.build().map_err(text)?);
    }
    match request.send().await {
        Ok(_) => {}
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {
            return Ok(());
        }
        Err(error) => return Err(text(aws_sdk_dynamodb::error::DisplayErrorContext(error))),
    }
    if table.expires() {
        let ttl =
            TimeToLiveSpecification::builder().enabled(true).attribute_name(TTL).build().map_err(text)?;
        let request = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
        request.send().await.map_err(|error| text(aws_sdk_dynamodb::error::DisplayErrorContext(error)))?;
    }
    Ok(())
}

async fn make_key(client: &aws_sdk_kms::Client, alias: &str) -> Result<(), String> {
    match client.describe_key().key_id(alias).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found_exception()) => {}
        Err(error) => return Err(text(aws_sdk_kms::error::DisplayErrorContext(error))),
    }
    let made =
        client.create_key().description("Wraps the workspaces' data keys").send().await.map_err(text)?;
    let id = made.key_metadata().map(|key| key.key_id().to_owned()).unwrap_or_default();
    client.create_alias().alias_name(alias).target_key_id(id).send().await.map_err(text)?;
    Ok(())
}

async fn make_secret(
    client: &aws_sdk_secretsmanager::Client,
    name: &str,
    value: &impl Serialize,
) -> Result<(), String> {
    let value = serde_json::to_string(value).map_err(text)?;
    match client.create_secret().name(name).secret_string(value).send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_exists_exception()) => {
            Ok(())
        }
        Err(error) => Err(text(aws_sdk_secretsmanager::error::DisplayErrorContext(error))),
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
