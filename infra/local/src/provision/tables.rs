//! Creates tables with their streams and time-to-live settings.

use aws_sdk_dynamodb::{
    Client,
    types::{
        AttributeDefinition, BillingMode, KeySchemaElement, KeyType, ScalarAttributeType,
        StreamSpecification, StreamViewType, TimeToLiveSpecification, TimeToLiveStatus,
    },
};
use store::tables::{PARTITION_KEY, SORT_KEY, TTL, Table};

use crate::sdk_error::why;

/// Creates a table, with or without a stream, unless it exists.
pub async fn make(client: &Client, table: Table, name: String, is_streamed: bool) -> Result<(), String> {
    create(client, &name, is_streamed).await?;
    if table.expires() { expire(client, &name).await } else { Ok(()) }
}

async fn create(client: &Client, name: &str, is_streamed: bool) -> Result<(), String> {
    let attribute = |name| {
        AttributeDefinition::builder()
            .attribute_name(name)
            .attribute_type(ScalarAttributeType::S)
            .build()
            .map_err(why)
    };
    let key =
        |name, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build().map_err(why);
    let mut request = client
        .create_table()
        .table_name(name)
        .billing_mode(BillingMode::PayPerRequest)
        .attribute_definitions(attribute(PARTITION_KEY)?)
        .attribute_definitions(attribute(SORT_KEY)?)
        .key_schema(key(PARTITION_KEY, KeyType::Hash)?)
        .key_schema(key(SORT_KEY, KeyType::Range)?);
    if is_streamed {
        let stream =
            StreamSpecification::builder().stream_enabled(true).stream_view_type(StreamViewType::NewImage);
        request = request.stream_specification(stream.build().map_err(why)?);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_resource_in_use_exception()) => {
            Ok(())
        }
        Err(error) => Err(why(error)),
    }
}

/// Enables time to live. A start that was interrupted may have created the table without it.
async fn expire(client: &Client, name: &str) -> Result<(), String> {
    let there = client.describe_time_to_live().table_name(name).send().await;
    let there = there.map_err(why)?;
    let status = there.time_to_live_description().and_then(|there| there.time_to_live_status());
    if matches!(status, Some(TimeToLiveStatus::Enabled | TimeToLiveStatus::Enabling)) {
        return Ok(());
    }
    let ttl = TimeToLiveSpecification::builder().enabled(true).attribute_name(TTL).build().map_err(why)?;
    let request = client.update_time_to_live().table_name(name).time_to_live_specification(ttl);
    request.send().await.map(drop).map_err(why)
}
