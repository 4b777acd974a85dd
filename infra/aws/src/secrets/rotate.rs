//! Rotation: creates a version without a value, labelled `AWSPENDING`. The platform runs the rotation function.

use serde::Deserialize;
use serde_json::{Value, json};

use super::labels::{CURRENT, PENDING, holder, take_away};
use super::secret::{SecretsByName, ValueType, Version};
use super::{Secrets, check_token, find_primary};
use crate::answer::Refusal;
use crate::durable;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RotateSecret {
    secret_id: String,
    client_request_token: Option<String>,
    #[serde(rename = "RotationLambdaARN")]
    rotation_lambda_arn: Option<String>,
    rotate_immediately: Option<bool>,
}

impl Secrets {
    pub(super) fn rotate(&self, secrets: &mut SecretsByName, input: RotateSecret) -> Result<Value, Refusal> {
        let refused = |message: &str| Err(Refusal::new("InvalidRequestException", message));
        let (name, mut secret) = find_primary(secrets, &input.secret_id)?;
        let token = input.client_request_token.unwrap_or_else(durable::uuid);
        check_token(&token)?;
        secret.rotated_by = input.rotation_lambda_arn.or(secret.rotated_by);
        if secret.rotated_by.is_none() {
            return refused("No Lambda rotation function ARN is associated with this secret.");
        }
        let pending = holder(&secret, PENDING).cloned();
        let underway = pending.is_some() && pending.as_ref() != holder(&secret, CURRENT);
        if underway && pending.as_ref() != Some(&token) {
            return refused("A previous rotation isn't complete. That rotation will be reattempted.");
        }
        let mut answer = json!({ "ARN": secret.arn, "Name": name });
        if input.rotate_immediately.unwrap_or(true) {
            if !underway {
                if secret.versions.contains_key(&token) {
                    return refused("The ClientRequestToken is already that of a version of the secret.");
                }
                let stages = vec![PENDING.to_owned()];
                take_away(&mut secret, &stages);
                let version =
                    Version { created: (self.now)(), stages, kind: ValueType::String, sealed: None };
                secret.versions.insert(token.clone(), version);
            }
            if let Value::Object(answer) = &mut answer {
                answer.insert("VersionId".to_owned(), json!(token));
            }
        }
        self.save(secrets, name, secret)?;
        Ok(answer)
    }
}
