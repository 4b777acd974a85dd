//! Renders the secrets: regional ones, and shared ones with the same value in every region.

use domain::region::Region;

use super::{REGION, quoted};
use crate::{Functions, pascal};

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

/// The secret that `infra/deploy` sets once and that never rotates.
const ADDRESSES: &str = "addresses";

/// Every secret: name, scope, description.
const SECRETS: [(&str, Scope, &str); 4] = [
    ("tokens", Scope::Region, "Signs access tokens and derives refresh tokens"),
    ("codes", Scope::Region, "Derives the codes in emails"),
    (
        ADDRESSES,
        Scope::Shared,
        "Hashes email addresses. If it is lost, no account can be found by its address",
    ),
    ("forwarding", Scope::Shared, "Signs requests that regions forward to each other"),
];

/// Renders all secrets, and their rotation if the rotation worker exists.
pub(super) fn secrets(functions: &Functions) -> String {
    let mut all = Vec::from(SECRETS.map(|(name, scope, description)| secret(name, scope, description)));
    if functions.workers.iter().any(|worker| worker.id == ROTATION_WORKER) {
        let rotated = SECRETS.iter().filter(|(name, ..)| *name != ADDRESSES);
        all.extend(rotated.map(|(name, scope, _)| rotation(name, *scope)));
    }
    all.join("\n")
}

fn secret(name: &str, scope: Scope, description: &str) -> String {
    let (header, full_name, kept) = match scope {
        Scope::Region => (
            "",
            format!("!Sub [\"${{AWS::StackName}}/${{Region}}/{name}\", {REGION}]"),
            "KmsKeyId: !Ref Key".to_owned(),
        ),
        Scope::Shared => (
            "    Metadata: { checkov: { skip: [{ id: CKV_AWS_149, comment: \"Replicas can't \
             share the key of one region.\" }] } }\n",
            format!("!Sub \"${{AWS::StackName}}/shared/{name}\""),
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
      SecretString: '{{}}'
      {kept}
",
        id = pascal(name),
        condition = scope.condition(),
        description = quoted(description),
    )
}

/// The rotation schedule of a secret. The first rotation starts immediately.
fn rotation(name: &str, scope: Scope) -> String {
    format!(
        r"  {id}Rotation:
    Type: AWS::SecretsManager::RotationSchedule
{condition}    DependsOn: {function}Permission
    Properties:
      SecretId: !Ref {id}Secret
      RotationLambdaARN: !GetAtt {function}.Arn
      RotationRules: {{ AutomaticallyAfterDays: {ROTATION_DAYS} }}
      RotateImmediatelyOnUpdate: true
",
        id = pascal(name),
        condition = scope.condition(),
        function = pascal(ROTATION_WORKER),
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
        let names = text.split("${AWS::StackName}/").skip(1).filter_map(|rest| rest.split_once(end));
        names.map(|(name, _)| name.to_owned()).filter(|name| !name.contains('\n')).collect()
    }

    #[test]
    fn secrets_match_the_grants_of_functions() {
        let all = Functions::all();
        let granted = named(&functions(&all), "-??????");
        assert_eq!(named(&secrets(&all), "\""), granted);
        assert_eq!(granted.len(), SECRETS.len());
    }

    #[test]
    fn every_secret_except_addresses_rotates() {
        let mut functions = Functions::all();
        functions.workers.retain(|worker| worker.id != ROTATION_WORKER);
        assert!(!secrets(&functions).contains("RotationSchedule"));
        functions.workers.push(kit::worker(ROTATION_WORKER, kit::Trigger::Authorizer, "", &[]));
        let text = secrets(&functions);
        for (name, ..) in SECRETS {
            let is_rotated = text.contains(&format!("SecretId: !Ref {}Secret", pascal(name)));
            assert_eq!(is_rotated, name != "addresses", "{name}");
        }
    }
}
