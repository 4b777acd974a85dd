//! The labels of versions: each is at one version at a time, and a version without one is forgotten.

use serde::Deserialize;
use serde_json::{Value, json};

use super::{ByName, Secret, Secrets, find_primary};
use crate::answer::Refusal;

pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

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
        secrets: &mut ByName,
        input: UpdateSecretVersionStage,
    ) -> Result<Value, Refusal> {
        let (name, mut secret) = find_primary(secrets, &input.secret_id)?;
        let label = input.version_stage;
        check(&secret, &label, input.move_to_version_id.as_ref(), input.remove_from_version_id.as_ref())?;
        if input.move_to_version_id.as_ref() != holder(&secret, &label) {
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

/// Which version has a label.
pub(super) fn holder<'a>(secret: &'a Secret, label: &str) -> Option<&'a String> {
    let has = |stages: &[String]| stages.iter().any(|stage| stage == label);
    secret.versions.iter().find(|(_, version)| has(&version.stages)).map(|(id, _)| id)
}

/// A label is taken from the version that has it only if the call names that version.
fn check(secret: &Secret, label: &str, to: Option<&String>, from: Option<&String>) -> Result<(), Refusal> {
    let invalid = |message: String| Err(Refusal::new("InvalidParameterException", message));
    for named in [to, from].into_iter().flatten() {
        if !secret.versions.contains_key(named) {
            return invalid(format!("Not a valid version: {named}"));
        }
    }
    match (holder(secret, label), from) {
        (Some(holder), None) if Some(holder) != to => invalid(format!(
            "The parameter RemoveFromVersionId can't be empty. Staging label {label} is currently attached to version \
             {holder}, so you must explicitly reference that version in RemoveFromVersionId."
        )),
        (held, Some(from)) if held != Some(from) => {
            invalid(format!("Staging label {label} is not attached to the version {from}."))
        }
        (None, None) if to.is_none() => {
            invalid("You must name a version to move the staging label to, or to remove it from.".to_owned())
        }
        _ if to.is_none() && label == CURRENT => invalid(format!(
            "You can only move the staging label {CURRENT} to another version; it can't be removed altogether."
        )),
        _ => Ok(()),
    }
}

/// Takes labels from the versions that have them; what was current becomes previous.
pub(super) fn take_away(secret: &mut Secret, labels: &[String]) {
    let takes_current = labels.iter().any(|label| label == CURRENT);
    for version in secret.versions.values_mut() {
        let was_current = version.stages.iter().any(|stage| stage == CURRENT);
        let moves = |stage: &String| labels.contains(stage) || (takes_current && stage == PREVIOUS);
        version.stages.retain(|stage| !moves(stage));
        if takes_current && was_current {
            version.stages.push(PREVIOUS.to_owned());
        }
    }
}

/// AWS forgets versions without a label too, in its own time.
pub(super) fn forget_unlabelled(secret: &mut Secret) {
    secret.versions.retain(|_, version| !version.stages.is_empty());
}
