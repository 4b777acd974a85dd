//! Promotion.  Table `billing`: PK `PROMO#<code>`  SK `PROMO`.
//! Reads: one by its code (get, strongly consistent).
//! Writes: a conditional put; the transaction that redeems a code counts it.

use async_trait::async_trait;
use domain::{
    ports::{Outcome, Promotions, Saved},
    promotion::{PromoCode, Promotion},
};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Key, from_item, number, to_item},
    transaction::{Condition, Transaction},
};

fn key_of(code: &PromoCode) -> Key {
    Key::new(ItemKind::Promotions, code, "PROMO")
}

#[async_trait]
impl Promotions for Store {
    async fn find(&self, code: &PromoCode) -> Outcome<Option<Promotion>> {
        self.get(key_of(code)).await?.map(from_item).transpose()
    }

    async fn create(&self, promotion: &Promotion) -> Outcome<Saved> {
        let key = key_of(&promotion.code);
        self.put_if(&key, to_item(&key, promotion)?, Condition::absent()).await
    }
}

impl Transaction<'_> {
    /// Counts one more who redeemed a code, if the most have not. Label: `promotion`.
    pub fn count_redemption(self, promotion: &Promotion) -> Self {
        let one = [(":one".to_owned(), number(1))];
        let left = Condition::of("redeemed < most", []);
        self.update("promotion", &key_of(&promotion.code), "ADD redeemed :one", one, left)
    }
}
