//! Mail block of an address.  Table `identity`: PK `NOMAIL#<address hash>`  SK `NOMAIL`; gone a week after the bounce or
//! complaint.
//! Reads: one by the address's hash (get, strongly consistent). Writes: a put; the latest event counts.

use async_trait::async_trait;
use domain::{
    mail_block::MailBlock,
    ports::{MailBlocks, Outcome},
    user::EmailHash,
};
use tables::ItemKind;

use crate::{
    client::Store,
    failure::failure,
    item::{Key, from_item, to_expiring_item},
};

pub fn key_of(address: EmailHash) -> Key {
    Key::new(ItemKind::MailBlocks, address, "NOMAIL")
}

#[async_trait]
impl MailBlocks for Store {
    async fn find(&self, address: EmailHash) -> Outcome<Option<MailBlock>> {
        self.get(key_of(address)).await?.map(from_item).transpose()
    }

    async fn put(&self, block: &MailBlock) -> Outcome<()> {
        let key = key_of(block.address);
        let item = to_expiring_item(&key, block, block.ends_at())?;
        let request = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        request.send().await.map_err(failure)?;
        Ok(())
    }
}
