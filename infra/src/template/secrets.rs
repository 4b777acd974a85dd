//! The secrets: a region's own, and those that are the same in every region.

use domain::region::Region;

use super::{REGION, quoted};
use crate::pascal;

/// Where a secret is the same.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// In its region.
    Region,
    /// Everywhere: the authority makes it, and it is replicated to the other regions.
    Shared,
}

/// Every secret, and what it is for.
const SECRETS: [(&str, Scope, &str); 4] = [
    ("tokens", Scope::Region, "What access tokens are signed with and refresh tokens derived from"),
    ("codes", Scope::Region, "What mailed codes are derived from"),
    (
        "addresses",
        Scope::Shared,
        "What addresses are hashed with: without this very one nobody's address is found again",
    ),
    ("forwarding", Scope::Shared, "What regions sign requests with that they send on to each other"),
];

/// All of them.
pub(super) fn secrets() -> String {
    SECRETS.map(|(name, scope, description)| secret(name, scope, description)).join("\n")
}

fn secret(name: &str, scope: Scope, description: &str) -> String {
    let (header, full_name, kept) = match scope {
        Scope::Region => (
            "",
            format!("!Sub [\"${{AWS::StackName}}/${{Region}}/{name}\", {REGION}]"),
            "KmsKeyId: !Ref Key".to_owned(),
        ),
        Scope::Shared => (
            "    Condition: IsAuthority\n    Metadata: { checkov: { skip: [{ id: CKV_AWS_149, comment: \"Its replicas can't \
             share one region's key.\" }] } }\n",
            format!("!Sub \"${{AWS::StackName}}/shared/{name}\""),
            format!("ReplicaRegions: [{}]", replicas()),
        ),
    };
    format!(
        r"  {id}Secret:
    Type: AWS::SecretsManager::Secret
{header}    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      Name: {full_name}
      Description: {description}
      GenerateSecretString: {{ SecretStringTemplate: '{{}}', GenerateStringKey: unfilled }}
      {kept}
",
        id = pascal(name),
        description = quoted(description),
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
        let granted = named(&functions(&Functions::all()).unwrap(), "-??????");
        assert_eq!(named(&secrets(), "\""), granted);
        assert_eq!(granted.len(), SECRETS.len());
    }
}
