//! The IAM statements of the functions' roles, from their grants: written into the template, and applied by the local
//! platform, so that what is deployed is what was tested.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use domain::{blob, region::Region};
use kit::{Grant, Items, On};
use store::table::Table;

use crate::{
    conditions::{self, Condition, Context, Deployment, Test, Text},
    template::{REGION, table_id},
};

/// The secrets that are the same in every region.
const SHARED_SECRETS: [&str; 2] = ["addresses", "forwarding"];

/// The one action on files and bundles that is asked of their bucket.
const LIST: &str = "ListBucket";

/// Allows some actions on one thing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The actions, as in `dynamodb:GetItem`.
    pub actions: BTreeSet<String>,
    /// What on.
    pub resource: Resource,
    /// What a request has to be like.
    pub conditions: Vec<Condition>,
}

/// What actions are allowed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Resource {
    /// A table; of the directory, the region's own replica.
    Table(Table),
    /// The directory where it is written.
    Authority,
    /// The region's key.
    Key,
    /// A secret.
    Secret(&'static str),
    /// The region's event bus.
    Bus,
    /// The domain that mail is from.
    Mail,
    /// The region's bucket itself.
    Bucket,
    /// What is in the folder of files in it.
    Files,
    /// What is in the folder of export bundles.
    Bundles,
}

impl Resource {
    fn of(grant: &Grant) -> Self {
        match grant.on {
            On::Items(items) => Self::Table(items.table()),
            On::Authority(_) => Self::Authority,
            On::DataKeys => Self::Key,
            On::Secret(name) => Self::Secret(name),
            On::Bus => Self::Bus,
            On::Mail => Self::Mail,
            // Listing is an action on the bucket; the condition says which part of it.
            On::Files | On::Bundles if grant.action == LIST => Self::Bucket,
            On::Files => Self::Files,
            On::Bundles => Self::Bundles,
        }
    }

    /// In the template's terms.
    fn yaml(self) -> String {
        let here = "${AWS::Region}:${AWS::AccountId}";
        let arn = |rest: String| format!("!Sub \"arn:${{AWS::Partition}}:{rest}\"");
        let directory = |region: &str| {
            arn(format!("dynamodb:{region}:${{AWS::AccountId}}:table/${{DirectoryTableName}}"))
        };
        match self {
            Self::Table(Table::Directory) => directory("${AWS::Region}"),
            Self::Table(table) => format!("!GetAtt {}.Arn", table_id(table)),
            Self::Authority => directory(Region::AUTHORITY.aws()),
            Self::Key => "!GetAtt Key.Arn".to_owned(),
            Self::Bus => "!GetAtt Bus.Arn".to_owned(),
            Self::Mail => arn(format!("ses:{here}:identity/${{MailDomain}}")),
            Self::Bucket => "!GetAtt Files.Arn".to_owned(),
            Self::Files => format!("!Sub \"${{Files.Arn}}/{}*\"", blob::FOLDER),
            Self::Bundles => format!("!Sub \"${{Files.Arn}}/{}*\"", blob::BUNDLES),
            // Secrets Manager puts six characters of its own after a secret's name.
            Self::Secret(name) if SHARED_SECRETS.contains(&name) => {
                arn(format!("secretsmanager:{here}:secret:${{AWS::StackName}}/shared/{name}-??????"))
            }
            Self::Secret(name) => format!(
                "!Sub [\"arn:${{AWS::Partition}}:secretsmanager:{here}:secret:${{AWS::StackName}}/${{Region}}/{name}-??????\", \
                 {REGION}]"
            ),
        }
    }
}

/// The statements that allow what is granted, and nothing else.
///
/// An action on a table has one statement with all the kinds of items that it may be on: DynamoDB asks for the keys of a
/// batch together, and no two statements would each allow half of it.
pub fn statements(grants: &[Grant]) -> Vec<Statement> {
    let mut items: BTreeMap<(Resource, String), BTreeSet<Items>> = BTreeMap::new();
    let mut others: BTreeMap<Resource, BTreeSet<String>> = BTreeMap::new();
    for grant in grants {
        let (resource, action) = (Resource::of(grant), grant.iam_action());
        match grant.on {
            On::Items(kind) | On::Authority(kind) => {
                items.entry((resource, action)).or_default().insert(kind);
            }
            On::DataKeys | On::Secret(_) | On::Bus | On::Mail | On::Files | On::Bundles => {
                others.entry(resource).or_default().insert(action);
            }
        }
    }
    let mut alike: BTreeMap<(Resource, BTreeSet<Items>), BTreeSet<String>> = BTreeMap::new();
    for ((resource, action), kinds) in items {
        alike.entry((resource, kinds)).or_default().insert(action);
    }
    let on_items = alike.into_iter().map(|((resource, kinds), actions)| {
        let conditions = vec![Condition::items(&kinds)];
        Statement { actions, resource, conditions }
    });
    let on_others = others.into_iter().map(|(resource, actions)| {
        let conditions = conditions_on(resource, grants);
        Statement { actions, resource, conditions }
    });
    on_items.chain(on_others).collect()
}

/// What a request on something other than items has to be like.
fn conditions_on(resource: Resource, grants: &[Grant]) -> Vec<Condition> {
    let is = |key: &'static str, text: Text| Condition { key, test: Test::Is(text) };
    let same = |text: &str| Text::Same(text.to_owned());
    match resource {
        // The key also encrypts tables: what is decrypted for a function is a workspace's data key of this region.
        Resource::Key => vec![
            is("kms:EncryptionContext:purpose", same(keys::PURPOSE)),
            is("kms:EncryptionContext:region", Text::ThenRegion(String::new())),
            Condition { key: "kms:EncryptionContext:workspace", test: Test::IsThere },
        ],
        // One call carries events of several messages.
        Resource::Bus => {
            vec![Condition { key: "events:source", test: Test::EachLike(vec![same(events::SOURCE)]) }]
        }
        Resource::Mail => vec![is("ses:FromAddress", Text::Sender)],
        Resource::Bucket => {
            let folders = listed(grants).into_iter().map(|folder| same(&format!("{folder}*"))).collect();
            vec![Condition { key: "s3:prefix", test: Test::IsLike(folders) }]
        }
        Resource::Table(_)
        | Resource::Authority
        | Resource::Secret(_)
        | Resource::Files
        | Resource::Bundles => Vec::new(),
    }
}

/// The folders of the bucket that may be listed.
fn listed(grants: &[Grant]) -> BTreeSet<&'static str> {
    let folder = |grant: &Grant| match grant.on {
        On::Files => Some(blob::FOLDER),
        On::Bundles => Some(blob::BUNDLES),
        _ => None,
    };
    grants.iter().filter(|grant| grant.action == LIST).filter_map(folder).collect()
}

impl Statement {
    /// Whether it allows an action on what it is about, to a request with this context.
    pub fn allows(&self, action: &str, context: &Context, deployment: &Deployment) -> bool {
        self.actions.contains(action)
            && self.conditions.iter().all(|condition| condition.holds(context, deployment))
    }

    fn yaml(&self) -> String {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        format!(
            "            - Effect: Allow\n              Action: [{}]\n              Resource: {}\n{}",
            actions.join(", "),
            self.resource.yaml(),
            conditions::yaml(&self.conditions),
        )
    }
}

/// The policy of a role with these grants, as the template has it.
pub fn policies(grants: &[Grant]) -> String {
    let statements = statements(grants);
    if statements.is_empty() {
        return String::new();
    }
    let mut text = "      Policies:\n        - Version: \"2012-10-17\"\n          Statement:\n".to_owned();
    for statement in statements {
        let _ = write!(text, "{}", statement.yaml());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What IAM takes of a role's policies together, white space apart
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    const LONGEST: usize = 10_240;
    /// No name that a deployment gives is longer.
    const NAME: usize = 64;

    #[test]
    fn an_action_names_all_kinds_that_it_may_be_on_and_nothing_else() {
        let grants = [
            Grant::items("BatchGetItem", Items::Sessions),
            Grant::items("BatchGetItem", Items::Users),
            Grant::items("PutItem", Items::Sessions),
        ];
        let text = policies(&grants);
        let batch = "Action: [dynamodb:BatchGetItem]\n              Resource: !GetAtt IdentityTable.Arn\n              \
                     Condition:\n                \"Null\": { \"dynamodb:LeadingKeys\": \"false\" }\n                \
                     ForAllValues:StringLike: { \"dynamodb:LeadingKeys\": [\"USER#*\", \"SESSIONS#*\"] }\n";
        assert!(text.contains(batch), "{text}");
        assert!(text.contains("{ \"dynamodb:LeadingKeys\": [\"SESSIONS#*\"] }"), "{text}");
        assert_eq!(policies(&[]), "");
    }

    #[test]
    fn files_are_granted_in_their_folder_of_the_bucket_and_nowhere_else() {
        let text = policies(&["PutObject", "DeleteObject", "ListBucket"].map(Grant::files));
        let objects = "Action: [s3:DeleteObject, s3:PutObject]\n              Resource: !Sub \"${Files.Arn}/files/*\"\n";
        let list = "Action: [s3:ListBucket]\n              Resource: !GetAtt Files.Arn\n              \
                    Condition:\n                StringLike: { \"s3:prefix\": [\"files/*\"] }\n";
        assert!(text.contains(objects) && text.contains(list) && !text.contains("exports/"), "{text}");
    }

    #[test]
    fn bundles_are_granted_apart_from_files() {
        let text = policies(&["PutObject", "AbortMultipartUpload", "ListBucket"].map(Grant::bundles));
        let objects = "Action: [s3:AbortMultipartUpload, s3:PutObject]\n              \
                       Resource: !Sub \"${Files.Arn}/exports/*\"\n";
        let list = "{ \"s3:prefix\": [\"exports/*\"] }";
        assert!(text.contains(objects) && text.contains(list) && !text.contains("files/"), "{text}");
    }

    #[test]
    fn whoever_may_list_both_files_and_bundles_has_one_statement_for_them() {
        let text = policies(&[Grant::files(LIST), Grant::bundles("GetObject"), Grant::bundles(LIST)]);
        assert_eq!(text.matches("s3:ListBucket").count(), 1, "{text}");
        assert!(text.contains("StringLike: { \"s3:prefix\": [\"exports/*\", \"files/*\"] }"), "{text}");
        let text = policies(&[Grant::files(LIST), Grant::bundles("GetObject")]);
        assert!(text.contains("StringLike: { \"s3:prefix\": [\"files/*\"] }"), "{text}");
    }

    #[test]
    fn every_statement_on_a_table_or_a_key_has_a_condition() {
        for (id, grants) in crate::grants() {
            for statement in statements(&grants) {
                let free =
                    matches!(statement.resource, Resource::Secret(_) | Resource::Files | Resource::Bundles);
                assert!(free || !statement.conditions.is_empty(), "{id}: {statement:?}");
                assert!(statement.actions.iter().all(|action| !action.contains('*')), "{id}: {statement:?}");
            }
        }
    }

    #[test]
    fn every_roles_policy_is_short_enough_for_iam() {
        let name = "n".repeat(NAME);
        let table = format!("arn:aws:dynamodb:ap-southeast-1:000000000000:table/{name}-operations");
        let mut lengths: Vec<(usize, &str)> = Vec::new();
        for (id, grants) in crate::grants() {
            let mut text = policies(&grants);
            for short in ["AWS::Partition", "AWS::Region", "AWS::AccountId", "AWS::StackName"] {
                text = text.replace(&format!("${{{short}}}"), &name);
            }
            for short in ["${DirectoryTableName}", "${MailDomain}"] {
                text = text.replace(short, &name);
            }
            text = text.replace("!GetAtt", &table).replace(REGION, "");
            lengths.push((text.chars().filter(|letter| !letter.is_whitespace()).count(), id));
        }
        let longest = lengths.iter().max().unwrap();
        assert!(longest.0 < LONGEST, "{longest:?}");
        eprintln!(
            "the longest policy is that of {}: at most {} characters of {LONGEST}",
            longest.1, longest.0
        );
    }
}
