//! The objects of erased accounts and teams. A bucket is not restored, but a deletion that was under way may have left some.

use aws_sdk_s3::Client;
use domain::blob;

use crate::{error::RestoreError, ledger::ErasureLedger};

/// Deletes the files, export bundles and pictures of erased accounts and teams. Returns their number; with `only_looks`, counts them.
///
/// # Errors
///
/// When a call fails. The command can be repeated.
pub async fn erase_objects(
    client: &Client,
    bucket: &str,
    ledger: &ErasureLedger,
    only_looks: bool,
) -> Result<u64, RestoreError> {
    let mut erased = 0;
    for folder in [blob::FOLDER, blob::BUNDLES, blob::ICONS] {
        let list = client.list_objects_v2().bucket(bucket).prefix(folder).delimiter("/");
        let mut pages = list.into_paginator().send();
        while let Some(page) = pages.next().await {
            let page = page.map_err(RestoreError::call)?;
            let owners = page.common_prefixes.unwrap_or_default();
            for owner in owners.into_iter().filter_map(|owner| owner.prefix) {
                if ledger.is_named_in(&owner) {
                    erased += erase_folder(client, bucket, &owner, only_looks).await?;
                }
            }
        }
    }
    Ok(erased)
}

async fn erase_folder(
    client: &Client,
    bucket: &str,
    folder: &str,
    only_looks: bool,
) -> Result<u64, RestoreError> {
    let mut erased = 0;
    let mut pages = client.list_objects_v2().bucket(bucket).prefix(folder).into_paginator().send();
    while let Some(page) = pages.next().await {
        let objects = page.map_err(RestoreError::call)?.contents.unwrap_or_default();
        for key in objects.into_iter().filter_map(|object| object.key) {
            if !only_looks {
                client.delete_object().bucket(bucket).key(key).send().await.map_err(RestoreError::call)?;
            }
            erased += 1;
        }
    }
    Ok(erased)
}
