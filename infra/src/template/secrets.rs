//! Renders the secrets: regional ones, and shared ones with the same value in every region.

use domain::region::Region;

use super::{REGION, quoted};
use crate::pascal;

/// The worker that creates the values of secrets.
const ROTATION_WORKER: &str = "rotate-secrets";
/// The rotation interval in days.
const ROTATION_DAYS: u32 = 30;

/// Where a secret has the same value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Within its region.
    Region,
    /// In every region: the authority creates the secret, and Secrets Manager replicates it.
    Shared,
}

impl Scope {
    /// The YAML condition that limits a resource to the authority.
    fn condition(self) -> &'static str {
        match self {
            Self::Region => "",
            Self::Shared => "    Condition: IsAuthority\n",
        }
    }
}

/// The first value of every secret: a document without keys. CloudFormation can't generate keys, so the first rotation adds
/// them. Never change this text: CloudFormation sets a secret again when its `SecretString` in the template changes
/// ([update]), and all keys would be lost.
///
/// [update]: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-resource-secretsmanager-secret.html
const WITHOUT_KEYS: &str = "{}";

/// The secret that `infra/deploy` sets once and that never rotates.
const ADDRESSES: &str = "addresses";
/// The secret that an operator fills, with the platform's credentials at Google and GitHub. Empty: sign-in by them is off.
const PROVIDERS: &str = "providers";

/// The secret that an operator fills, with the platform's key at Stripe. Empty: payments are off.
const PAYMENTS: &str = "payments";

/// Every secret: name, scope, description.
const SECRETS: [(&str, Scope, &str); 6] = [
    ("tokens", Scope::Region, "Signs access tokens and derives refresh tokens"),
    ("codes", Scope::Region, "Derives the codes in emails"),
    (
        ADDRESSES,
        Scope::Shared,
        "Hashes email addresses. If it is lost, no account can be found by its address",
    ),
    ("forwarding", Scope::Shared, "Signs requests that regions forward to each other"),
    (PROVIDERS, Scope::Shared, "Credentials at Google and GitHub, set by an operator"),
    (PAYMENTS, Scope::Region, "Key and webhook secrets at Stripe, set by an operator"),
];

/// Renders all secrets.
pub(super) fn secrets() -> String {
    SECRETS.map(|(name, scope, description)| secret(name, scope, description)).join("\n")
}

/// Renders the rotation of all secrets but those that never rotate.
pub(super) fn rotations() -> String {
    let rotated = SECRETS.iter().filter(|(name, ..)| ![ADDRESSES, PROVIDERS, PAYMENTS].contains(name));
    rotated.map(|(name, scope, _)| rotation(name, *scope)).collect::<Vec<_>>().join("\n")
}

fn secret(name: &str, scope: Scope, description: &str) -> String {
    let (header, full_name, kept) = match scope {
        Scope::Region => (
            "",
            format!("!Sub [\"${{Platform}}/${{Region}}/{name}\", {REGION}]"),
            "KmsKeyId: !Ref Key".to_owned(),
        ),
        Scope::Shared => (
            "    Metadata: { checkov: { skip: [{ id: CKV_AWS_149, comment: \"Replicas can't \
             share the key of one region.\" }] } }\n",
            format!("!Sub \"${{Platform}}/shared/{name}\""),
            format!("ReplicaRegions: [{}]", replicas()),
        ),
    };
    format!(
        r"  {id}Secret:
    Type: AWS::SecretsManager::Secret
{condition}{header}    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      Name: {full_name}
      Description: {description}
      SecretString: '{WITHOUT_KEYS}'
      {kept}
",
        id = pascal(name),
        condition = scope.condition(),
        description = quoted(description),
    )
}

/// The rotation schedule of a secret. The first rotation starts immediately.
fn rotation(name: &str, scope: Scope) -> String {
    let place = match scope {
        Scope::Region => format!("!Sub [\"${{Platform}}/${{Region}}/{name}\", {REGION}]"),
        Scope::Shared => format!("!Sub \"${{Platform}}/shared/{name}\""),
    };
    format!(
        r#"  {id}Rotation:
    Type: AWS::SecretsManager::RotationSchedule
{condition}    DependsOn: WorkersStack
    Properties:
      SecretId: {place}
      RotationLambdaARN: !Sub "{function}"
      RotationRules: {{ AutomaticallyAfterDays: {ROTATION_DAYS} }}
      RotateImmediatelyOnUpdate: true
"#,
        id = pascal(name),
        condition = scope.condition(),
        function = super::function_arn(ROTATION_WORKER),
    )
}

fn replicas() -> String {
    let others = Region::ALL.into_iter().filter(|region| *region != Region::AUTHORITY);
    others.map(|region| format!("{{ Region: {} }}", region.aws())).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Functions, template::functions::functions};

    /// The secrets that a text names, for example `shared/addresses` and `${Region}/tokens`.
    fn named(text: &str, end: &str) -> BTreeSet<String> {
        let names = text.split("${Platform}/").skip(1).filter_map(|rest| rest.split_once(end));
        names.map(|(name, _)| name.to_owned()).filter(|name| !name.contains('\n')).collect()
    }

    #[test]
    fn every_secret_starts_with_the_same_document_without_keys() {
        let text = secrets();
        // Literally: another text would replace the values of deployed secrets.
        assert_eq!(text.matches("      SecretString: '{}'\n").count(), SECRETS.len());
        assert_eq!(text.matches("SecretString").count(), SECRETS.len());
        let first = keys::SecretDocument::read(&domain::secret::Secret::new("{}".to_owned())).unwrap();
        assert!(first.is_empty());
    }

    #[test]
    fn secrets_match_the_grants_of_functions() {
        let granted = named(&functions(&Functions::all()), "-??????");
        assert_eq!(named(&secrets(), "\""), granted);
        assert_eq!(granted.len(), SECRETS.len());
    }

    #[test]
    fn every_secret_of_keys_except_addresses_rotates() {
        let text = rotations();
        for (name, ..) in SECRETS {
            let is_rotated = text.contains(&format!("/{name}\""));
            assert_eq!(is_rotated, ![ADDRESSES, PROVIDERS, PAYMENTS].contains(&name), "{name}");
        }
    }

    #[test]
    fn rotation_worker_is_in_the_stack_that_rotations_wait_for() {
        let (_, workers) = crate::areas().into_iter().find(|(area, _)| *area == "workers").unwrap();
        assert!(workers.workers.iter().any(|worker| worker.id == ROTATION_WORKER));
        assert_eq!(super::super::stacks::stack_id("workers"), "WorkersStack");
    }
}
