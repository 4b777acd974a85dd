//! Public signing key.  Table `directory`: PK `SIGNING-KEYS`  SK `<region>#<kid>`.
//! Reads: all of them (query), once a container.

use async_trait::async_trait;
use domain::ports::{Directory, Outcome, PublicKey};

use crate::{
    Store,
    failure::unavailable,
    item::{Key, from_item, to_item},
    table::Table,
};

const PARTITION: &str = "SIGNING-KEYS";
/// More than there ever are: three regions, each with a key in use, one before and one to come.
const MOST: usize = 100;

#[async_trait]
impl Directory for Store {
    async fn signing_keys(&self) -> Outcome<Vec<PublicKey>> {
        let all = ("!".to_owned(), "~".to_owned());
        let page = self.range(Table::Directory, PARTITION.to_owned(), all, MOST).await?;
        page.items.into_iter().map(from_item).collect()
    }

    async fn publish_signing_key(&self, key: &PublicKey) -> Outcome<()> {
        let place = Key::new(Table::Directory, PARTITION.to_owned(), format!("{}#{}", key.region, key.kid));
        let item = to_item(&place, key)?;
        let request = self.client.put_item().table_name(self.name(place.table)).set_item(Some(item));
        request.send().await.map_err(unavailable)?;
        Ok(())
    }
}
