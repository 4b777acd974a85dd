//! Rotates secrets and replicates shared secrets, as Secrets Manager does.

use std::{collections::BTreeMap, sync::Arc};

use domain::{region::Region, rotation::SecretName};
use futures::future::join_all;
use serde_json::json;
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    functions::outsider, region::RunningRegion, region_config::config, replication::ReplicationSwitch,
    sdk_error::why,
};

/// The steps of a rotation, in order.
const STEPS: [&str; 4] = ["createSecret", "setSecret", "testSecret", "finishSecret"];

/// Rotates a secret of a region immediately, or resumes an incomplete rotation. Returns the id of the new version.
pub async fn rotate(region: &RunningRegion, secret: SecretName) -> Result<String, String> {
    let (id, worker) = region.functions.rotator().ok_or("no rotation function")?;
    let (client, name) =
        (client(region)?, config(region.region, "", &BTreeMap::new()).secret_names().of(secret));
    let account = aws::ACCOUNT;
    let arn = format!("arn:aws:lambda:{}:{account}:function:{id}", region.region.aws());
    let version = match client.rotate_secret().secret_id(&name).rotation_lambda_arn(arn).send().await {
        Ok(begun) => begun.version_id,
        Err(error) if error.as_service_error().is_some_and(|error| error.is_invalid_request_exception()) => {
            let described = client.describe_secret().secret_id(&name).send().await.map_err(why)?;
            let versions = described.version_ids_to_stages.unwrap_or_default();
            let is_pending = |stages: &[String]| stages.iter().any(|stage| stage == "AWSPENDING");
            let pending = versions.into_iter().find(|(_, stages)| is_pending(stages));
            Some(pending.ok_or_else(|| why(error))?.0)
        }
        Err(error) => return Err(why(error)),
    };
    let version = version.ok_or("no pending version")?;
    for step in STEPS {
        let event = json!({ "Step": step, "SecretId": name, "ClientRequestToken": version });
        worker.run(event).await.map_err(|error| format!("{step}: {error}"))?;
    }
    Ok(version)
}

fn client(region: &RunningRegion) -> Result<aws_sdk_secretsmanager::Client, String> {
    let endpoint = lambda::AwsEndpoint {
        url: Some(region.aws.endpoint().to_owned()),
        credentials: outsider("rotation"),
    };
    let http = lambda::HttpClient::new().map_err(why)?;
    let sdk = lambda::patient_sdk_config(region.region.aws(), &endpoint, &http);
    Ok(aws_sdk_secretsmanager::Client::new(&sdk))
}

/// Updates the replicas of the shared secrets in the other regions.
pub async fn replicate(authority: &aws::Aws, others: &[&aws::Aws]) {
    let names = config(Region::AUTHORITY, "", &BTreeMap::new()).secret_names();
    let shared =
        SecretName::ALL.into_iter().filter(|secret| secret.is_shared()).map(|secret| names.of(secret));
    let shared = shared.chain([names.providers()]);
    let copies = shared.flat_map(|name| others.iter().map(move |other| (name.clone(), *other)));
    join_all(copies.map(|(name, other)| authority.replicate_secret(name, other))).await;
}

/// Keeps the replicas up to date until stopped.
pub fn follow(
    regions: &[Arc<RunningRegion>],
    switch: Arc<ReplicationSwitch>,
    stopping: &watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    let (authority, others): (Vec<_>, Vec<_>) =
        regions.iter().cloned().partition(|running| running.region == Region::AUTHORITY);
    let authority = authority.into_iter().next()?;
    let (mut writes, mut stopping) = (authority.aws.secret_writes(), stopping.clone());
    Some(tokio::spawn(async move {
        let others: Vec<&aws::Aws> = others.iter().map(|running| &running.aws).collect();
        loop {
            let running = tokio::select! {
                _ = stopping.wait_for(|stop| *stop) => return,
                running = async {
                    let _ = writes.changed().await;
                    switch.running().await
                } => running,
            };
            // A change during replication is handled in the next iteration.
            writes.mark_unchanged();
            replicate(&authority.aws, &others).await;
            drop(running);
        }
    }))
}
