//! Requests of another region, signed with the key that the regions share.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use domain::{
    id::RequestId,
    secret::{Digest256, MacKey, Secret},
};
use keys::SecretDocument;
use kit::forwarding::HEADER;
use lambda::OsEntropy;
use reqwest::Method;
use serde_json::{Value, json};

use crate::{Answer, App};

/// A forwarding header: these facts, signed for this request.
pub fn forwarding_header(key: &MacKey, facts: &str, method: &str, path: &str, body: &str) -> String {
    let parts = [facts, method, path, body].map(str::as_bytes);
    let mac = Digest256::from_bytes(key.derive("forward", &parts)).to_base64();
    format!("{}.{mac}", BASE64_URL_SAFE_NO_PAD.encode(facts))
}

impl App {
    /// The key with which the regions sign requests to each other now.
    pub async fn forwarding_key(&self) -> MacKey {
        let secret = self.secrets_manager().get_secret_value().secret_id("account/shared/forwarding");
        let found = secret.send().await.unwrap();
        let text = Secret::new(found.secret_string().unwrap().to_owned());
        SecretDocument::read(&text).unwrap().mac_key(self.now().await).unwrap()
    }

    /// What another region says of a request that it sends to this endpoint on its own account.
    pub async fn forwarding_facts(&self) -> Value {
        let now = self.now().await;
        let request = RequestId::new(now, &OsEntropy);
        json!({ "to": self.endpoint(), "at": now, "request": request, "network": null, "within": 2_900 })
    }

    /// Sends JSON as another region does on its own account.
    pub async fn as_region(&self, path: &str, body: Value) -> Answer {
        let (facts, body) = (self.forwarding_facts().await.to_string(), body.to_string());
        let header = forwarding_header(&self.forwarding_key().await, &facts, "POST", path, &body);
        let request = self.request(Method::POST, path).header("content-type", "application/json");
        self.send(request.header(HEADER, header).body(body)).await
    }
}
