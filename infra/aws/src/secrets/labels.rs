//! Staging labels of versions. A label is attached to at most one version; a version without labels is deleted.

use super::secret::Secret;
use crate::answer::Refusal;

pub(super) const CURRENT: &str = "AWSCURRENT";
pub(super) const PENDING: &str = "AWSPENDING";
const PREVIOUS: &str = "AWSPREVIOUS";

/// The version with this label.
pub(super) fn holder<'a>(secret: &'a Secret, label: &str) -> Option<&'a String> {
    let has = |stages: &[String]| stages.iter().any(|stage| stage == label);
    secret.versions.iter().find(|(_, version)| has(&version.stages)).map(|(id, _)| id)
}

/// Checks a move: a label that is attached to a version moves only if the call names that version.
pub(super) fn check_move(
    secret: &Secret,
    label: &str,
    to: Option<&String>,
    from: Option<&String>,
) -> Result<(), Refusal> {
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

/// Detaches labels from their versions. The version that was current becomes previous.
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

/// Deletes versions without labels. AWS also deletes them, at an unspecified time.
pub(super) fn forget_unlabelled(secret: &mut Secret) {
    secret.versions.retain(|_, version| !version.stages.is_empty());
}
