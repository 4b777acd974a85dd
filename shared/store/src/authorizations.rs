//! Authorization at a provider that was begun.  Table `operations`: PK `AUTHORIZATION#<sha256 of the state>`  SK `AUTHORIZATION`;
//! gone after ten minutes.
//! Reads: one, which is deleted thereby, for the browser that began it (delete that returns the item).

use async_trait::async_trait;
use aws_sdk_dynamodb::types::ReturnValue;
use domain::{
    ports::{AuthorizationRequests, Outcome},
    provider::AuthorizationRequest,
    secret::Digest256,
};
use tables::ItemKind;

use crate::{
    client::Store,
    failure::failure,
    item::{Key, from_item, text, to_expiring_item},
};

fn key_of(state: Digest256) -> Key {
    Key::new(ItemKind::AuthorizationRequests, state.to_base64(), "AUTHORIZATION")
}

#[async_trait]
impl AuthorizationRequests for Store {
    async fn save(&self, request: &AuthorizationRequest) -> Outcome<()> {
        let key = key_of(request.state);
        let item = to_expiring_item(&key, request, request.expires_at)?;
        let put = self.client.put_item().table_name(self.name(key.table)).set_item(Some(item));
        put.send().await.map_err(failure)?;
        Ok(())
    }

    async fn take(&self, state: Digest256, browser: Digest256) -> Outcome<Option<AuthorizationRequest>> {
        let key = key_of(state);
        let answer = self
            .client
            .delete_item()
            .table_name(self.name(key.table))
            .set_key(Some(key.attributes()))
            .condition_expression("browser = :browser")
            .expression_attribute_values(":browser", text(browser.to_base64()))
            .return_values(ReturnValue::AllOld)
            .send()
            .await;
        match answer {
            Ok(answer) => answer.attributes.map(from_item).transpose(),
            Err(error)
                if error
                    .as_service_error()
                    .is_some_and(|error| error.is_conditional_check_failed_exception()) =>
            {
                Ok(None)
            }
            Err(error) => Err(failure(error)),
        }
    }
}
