//! `UpdateSecretVersionStage`: moves a label to another version.

use serde::Deserialize;
use serde_json::{Value, json};

use super::labels::{CURRENT, check_move, forget_unlabelled, holder, take_away};
use super::secret::SecretsByName;
use super::{Secrets, find_primary};
use crate::answer::Refusal;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UpdateSecretVersionStage {
    secret_id: String,
    version_stage: String,
    move_to_version_id: Option<String>,
    remove_from_version_id: Option<String>,
}

impl Secrets {
    pub(super) fn update_label(
        &self,
        secrets: &mut SecretsByName,
        input: UpdateSecretVersionStage,
    ) -> Result<Value, Refusal> {
        let (name, mut secret) = find_primary(secrets, &input.secret_id)?;
        let label = input.version_stage;
        check_move(
            &secret,
            &label,
            input.move_to_version_id.as_ref(),
            input.remove_from_version_id.as_ref(),
        )?;
        if input.move_to_version_id.as_ref() != holder(&secret, &label) {
            // A rotation is complete once its version is the current one.
            if label == CURRENT && secret.rotated_by.is_some() {
                secret.rotated = Some((self.now)());
            }
            take_away(&mut secret, std::slice::from_ref(&label));
            if let Some(to) = input.move_to_version_id.and_then(|id| secret.versions.get_mut(&id)) {
                to.stages.push(label);
            }
            forget_unlabelled(&mut secret);
        }
        secret.changed = (self.now)();
        let answer = json!({ "ARN": secret.arn, "Name": name });
        self.save(secrets, name, secret)?;
        Ok(answer)
    }
}
