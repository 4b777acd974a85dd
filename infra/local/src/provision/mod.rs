//! Creates the resources of the regions as the template does: tables, the KMS key, secrets, the bucket, and the public
//! signing keys in the directory. Existing resources are unchanged. Secrets start with the value of their first
//! rotation.

mod secrets;
mod tables;

use aws_sdk_s3::types::{BucketLocationConstraint, CorsConfiguration, CorsRule, CreateBucketConfiguration};
use domain::{ports::Directory, region::Region};
use futures::future::try_join_all;
use lambda::{AwsEndpoint, Config, HttpClient};
use store::tables::Table;

use crate::sdk_error::why;

/// A region to set up.
pub struct RegionSetup {
    config: Config,
    /// The origins of pages that may use the bucket.
    origins: Vec<String>,
    dynamodb: aws_sdk_dynamodb::Client,
    kms: aws_sdk_kms::Client,
    s3: aws_sdk_s3::Client,
    secrets: aws_sdk_secretsmanager::Client,
}

impl RegionSetup {
    /// The region of `config`, with AWS at `endpoint`. Pages of `origins` may use its bucket.
    pub fn new(config: Config, endpoint: &AwsEndpoint, http: &HttpClient, origins: Vec<String>) -> Self {
        let sdk = lambda::patient_sdk_config(config.region.aws(), endpoint, http);
        // Virtual-hosted buckets would need a DNS lookup.
        let s3 = aws_sdk_s3::config::Builder::from(&sdk).force_path_style(true).build();
        Self {
            config,
            origins,
            dynamodb: aws_sdk_dynamodb::Client::new(&sdk),
            kms: aws_sdk_kms::Client::new(&sdk),
            s3: aws_sdk_s3::Client::from_conf(s3),
            secrets: aws_sdk_secretsmanager::Client::new(&sdk),
        }
    }

    /// Creates the region's own resources and its empty replica of the directory.
    async fn set_up(&self) -> Result<(), String> {
        let Config { region, kms_key, bucket, directory_table, table_prefix, .. } = &self.config;
        let tables = Table::REGIONAL.map(|table| (table, table.name(table_prefix)));
        let tables = tables.into_iter().chain([(Table::Directory, directory_table.clone())]);
        // Only the authority's directory table has a stream.
        let is_read = |table| table != Table::Directory || *region == Region::AUTHORITY;
        let tables = tables.map(|(table, name)| {
            tables::make(&self.dynamodb, table, name, table.is_streamed() && is_read(table))
        });
        tokio::try_join!(
            try_join_all(tables),
            make_key(&self.kms, kms_key),
            make_bucket(&self.s3, *region, bucket, &self.origins),
            secrets::make_own(&self.secrets, &self.config),
        )
        .map(drop)
    }

    async fn publish_keys(&self, authority: &Self) -> Result<(), String> {
        let (replica, authority) = (self.dynamodb.clone(), authority.dynamodb.clone());
        let directory =
            store::DirectoryStore::new(replica, move || authority, self.config.directory_table.clone());
        for key in secrets::signing_keys(&self.secrets, &self.config).await? {
            directory.publish_signing_key(&key).await.map_err(why)?;
        }
        Ok(())
    }
}

/// Creates missing resources of all regions concurrently. `entry` is the URL of the entry point, which has the local providers.
pub async fn provision(sites: &[RegionSetup], entry: &str) -> Result<(), String> {
    try_join_all(sites.iter().map(RegionSetup::set_up)).await?;
    let of_authority = |site: &&RegionSetup| site.config.region == Region::AUTHORITY;
    let authority = sites.iter().find(of_authority).ok_or("the directory has no authority")?;
    secrets::make_shared(&authority.secrets, &authority.config).await?;
    secrets::make_providers(&authority.secrets, &authority.config, entry).await?;
    try_join_all(sites.iter().map(|site| secrets::make_payments(&site.secrets, &site.config, entry))).await?;
    try_join_all(sites.iter().map(|site| site.publish_keys(authority))).await.map(drop)
}

async fn make_key(client: &aws_sdk_kms::Client, alias: &str) -> Result<(), String> {
    match client.describe_key().key_id(alias).send().await {
        Ok(_) => return Ok(()),
        Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found_exception()) => {}
        Err(error) => return Err(why(error)),
    }
    let made =
        client.create_key().description("Wraps the workspaces' data keys").send().await.map_err(why)?;
    let id = made.key_metadata().map(|key| key.key_id().to_owned()).unwrap_or_default();
    client.create_alias().alias_name(alias).target_key_id(id).send().await.map_err(why)?;
    Ok(())
}

async fn make_bucket(
    client: &aws_sdk_s3::Client,
    region: Region,
    name: &str,
    origins: &[String],
) -> Result<(), String> {
    let mut request = client.create_bucket().bucket(name);
    // us-east-1 is the default region of S3, and S3 refuses it as a location constraint.
    if region != Region::Us {
        let place = BucketLocationConstraint::from(region.aws());
        let place = CreateBucketConfiguration::builder().location_constraint(place).build();
        request = request.create_bucket_configuration(place);
    }
    match request.send().await {
        Ok(_) => {}
        Err(error)
            if error.as_service_error().is_some_and(|error| {
                error.is_bucket_already_owned_by_you() || error.is_bucket_already_exists()
            }) => {}
        Err(error) => return Err(why(error)),
    }
    let rule = |rule| cors_rule(rule, origins);
    let rules = infra::cors::BUCKET_RULES.iter().map(rule).collect::<Result<_, _>>().map_err(why)?;
    let rules = CorsConfiguration::builder().set_cors_rules(Some(rules)).build().map_err(why)?;
    client.put_bucket_cors().bucket(name).cors_configuration(rules).send().await.map(drop).map_err(why)
}

fn cors_rule(
    rule: &infra::cors::BucketRule,
    origins: &[String],
) -> Result<CorsRule, aws_sdk_s3::error::BuildError> {
    let list = |names: &[&str]| Some(names.iter().map(ToString::to_string).collect::<Vec<_>>());
    CorsRule::builder()
        .set_allowed_methods(list(rule.methods))
        .set_allowed_origins(Some(origins.to_vec()))
        .set_allowed_headers(list(rule.headers))
        .set_expose_headers(list(rule.exposed))
        .max_age_seconds(infra::cors::MAX_AGE)
        .build()
}
