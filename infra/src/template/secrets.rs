//! The secrets: a region's own, and those that are the same in every region.

use domain::region::Region;

use super::{REGION, quoted};
use crate::{Functions, pascal};

/// The worker that gives secrets their values.
const ROTATES: &str = "rotate-secrets";
/// How often it gives them new ones, in days.
const ROTATION_DAYS: u32 = 30;

/// Where a secret is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In its region.
    Region,
    /// Everywhere: the authority makes it, and it is replicated to the other regions.
    Shared,
}

impl Scope {
    /// Says that only the authority has something.
    fn condition(self) -> &'static str {
        match self {
            Self::Region => "",
            Self::Shared => "    Condition: IsAuthority\n",
        }
    }
}

/// The secret that is given a value once, by `infra/deploy`, and never another.
const ADDRESSES: &str = "addresses";

/// Every secret, and what it is for.
const SECRETS: [(&str, Scope, &str); 4] = [
    ("tokens", Scope::Region, "What access tokens are signed with and refresh tokens derived from"),
    ("codes", Scope::Region, "What mailed codes are derived from"),
    (
        ADDRESSES,
        Scope::Shared,
        "What addresses are hashed with: without this very one nobody's address is found again",
    ),
    ("forwarding", Scope::Shared, "What regions sign requests with that they send on to each other"),
];

/// All of them, and, if there is a worker for it, how they are rotated.
pub(super) fn secrets(functions: &Functions) -> String {
    let mut all = Vec::from(SECRETS.map(|(name, scope, description)| secret(name, scope, description)));
    if functions.workers.iter().any(|worker| worker.id == ROTATES) {
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
            "    Metadata: { checkov: { skip: [{ id: CKV_AWS_149, comment: \"Its replicas can't \
             share one region's key.\" }] } }\n",
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

/// When a secret gets a new value; the first one at once.
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
        function = pascal(ROTATES),
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

    /// The secrets that a text names, as in `shared/addresses` and `${Region}/tokens`.
    fn named(text: &str, end: &str) -> BTreeSet<String> {
        let names = text.split("${AWS::StackName}/").skip(1).filter_map(|rest| rest.split_once(end));
        names.map(|(name, _)| name.to_owned()).filter(|name| !name.contains('\n')).collect()
    }

    #[test]
    fn there_are_exactly_the_secrets_that_functions_are_granted() {
        let all = Functions::all();
        let granted = named(&functions(&all), "-??????");
        assert_eq!(named(&secrets(&all), "\""), granted);
        assert_eq!(granted.len(), SECRETS.len());
    }

    #[test]
    fn every_secret_is_rotated_but_the_one_that_addresses_are_found_by() {
        let mut functions = Functions::all();
        functions.workers.retain(|worker| worker.id != ROTATES);
        assert!(!secrets(&functions).contains("RotationSchedule"));
        functions.workers.push(kit::worker(ROTATES, kit::Trigger::Authorizer, "", &[]));
        let text = secrets(&functions);
        for (name, ..) in SECRETS {
            let is_rotated = text.contains(&format!("SecretId: !Ref {}Secret", pascal(name)));
            assert_eq!(is_rotated, name != "addresses", "{name}");
        }
    }
}
