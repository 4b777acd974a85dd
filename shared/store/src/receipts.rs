//! Idempotency record of a request with an `Idempotency-Key`.  Table `operations`: PK `RECEIPT#<scope>`  SK `RECEIPT`; gone after a
//! day.
//! Reads: one by its scope (get, strongly consistent).

use async_trait::async_trait;
use domain::{
    ports::{IdempotencyRecord, IdempotencyRecords, Outcome},
    secret::Digest256,
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, to_expiring_item},
};

fn key_of(scope: Digest256) -> Key {
    Key::new(ItemKind::IdempotencyRecords, scope.to_base64(), "RECEIPT")
}

pub fn receipt_item(receipt: &IdempotencyRecord) -> Outcome<(Key, Item)> {
    let key = key_of(receipt.scope);
    Ok((key.clone(), to_expiring_item(&key, receipt, receipt.expires_at)?))
}

#[async_trait]
impl IdempotencyRecords for Store {
    async fn find(&self, scope: Digest256) -> Outcome<Option<IdempotencyRecord>> {
        self.get(key_of(scope)).await?.map(from_item).transpose()
    }
}
