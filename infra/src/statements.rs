//! Derives the IAM statements of the functions' roles from their grants. The generator writes them into the template
//! and the local platform enforces them, so tests cover the deployed policies.

mod items;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use domain::{blob, region::Region};
use kit::{Grant, On};
use store::tables::Table;

use crate::conditions::{self, Context, Deployment, IamCondition, Test, Text};

use items::{GrantedTable, ItemGrants, ItemStatement};
pub use items::{TRANSACTION_KEYS, TransactionKeys};

/// The secrets with the same value in every region.
const SHARED_SECRETS: [&str; 3] = ["addresses", "forwarding", "providers"];

/// The only action on files and bundles whose IAM resource is the bucket.
const LIST: &str = "ListBucket";

/// An `Allow` statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Statement {
    /// The actions, for example `dynamodb:GetItem`.
    pub actions: BTreeSet<String>,
    /// The resources.
    pub resources: BTreeSet<IamResource>,
    /// The conditions on a request. All must hold.
    pub conditions: Vec<IamCondition>,
}

/// The resource of a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum IamResource {
    /// A table of the region. For the directory, the local replica.
    Table(Table),
    /// The directory table in the authority region, which takes all writes.
    Authority,
    /// The KMS key of the region.
    Key,
    /// A secret.
    Secret(&'static str),
    /// The event bus of the region.
    Bus,
    /// The SES identity of the sender domain.
    Mail,
    /// The bucket of the region itself.
    Bucket,
    /// The objects in the folder of files.
    Files,
    /// The objects in the folder of export bundles.
    Bundles,
    /// The objects in the folder of pictures.
    Icons,
}

impl IamResource {
    fn of(grant: &Grant) -> Self {
        match grant.on {
            On::ItemKind(items) => Self::Table(items.table()),
            On::Authority(_) => Self::Authority,
            On::DataKeys => Self::Key,
            On::Secret(name) => Self::Secret(name),
            On::Bus => Self::Bus,
            On::Mail => Self::Mail,
            // `s3:ListBucket` is an action on the bucket. A condition limits it to the folder.
            On::Files | On::Bundles | On::Icons if grant.action == LIST => Self::Bucket,
            On::Files => Self::Files,
            On::Bundles => Self::Bundles,
            On::Icons => Self::Icons,
        }
    }

    /// The resource as the template's YAML.
    fn yaml(self) -> String {
        let arn = |rest: String| format!("!Sub \"arn:${{AWS::Partition}}:{rest}\"");
        let here =
            |service: &str, rest: &str| arn(format!("{service}:${{AWS::Region}}:${{AWS::AccountId}}:{rest}"));
        let bucket =
            |path: &str| arn(format!("s3:::${{Platform}}-${{Region}}-files-${{AWS::AccountId}}{path}"));
        match self {
            Self::Table(Table::Directory) => here("dynamodb", "table/${DirectoryTableName}"),
            Self::Table(table) => {
                here("dynamodb", &format!("table/{}", table.name("${Platform}-${Region}-")))
            }
            Self::Authority => arn(format!(
                "dynamodb:{}:${{AWS::AccountId}}:table/${{DirectoryTableName}}",
                Region::AUTHORITY.aws()
            )),
            Self::Key => "!Ref Key".to_owned(),
            Self::Bus => here("events", "event-bus/${Platform}-${Region}-events"),
            // A mail with a configuration set needs both
            // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsimpleemailservicev2.html).
            Self::Mail => {
                let identity = here("ses", "identity/${MailDomain}");
                let set = here("ses", "configuration-set/${Platform}-${Region}");
                format!("[{identity}, {set}]")
            }
            Self::Bucket => bucket(""),
            Self::Files => bucket(&format!("/{}*", blob::FOLDER)),
            Self::Bundles => bucket(&format!("/{}*", blob::BUNDLES)),
            Self::Icons => bucket(&format!("/{}*", blob::ICONS)),
            // Secrets Manager appends a hyphen and six random characters to the name in an ARN.
            Self::Secret(name) => {
                let scope = if SHARED_SECRETS.contains(&name) { "shared" } else { "${Region}" };
                here("secretsmanager", &format!("secret:${{Platform}}/{scope}/{name}-??????"))
            }
        }
    }
}

/// Derives the statements that allow exactly these grants, as the template has them.
pub fn statements(grants: &[Grant]) -> Vec<Statement> {
    for_transactions(grants, TRANSACTION_KEYS)
}

/// Derives the statements for a deployment that judges transactions with these keys.
pub fn for_transactions(grants: &[Grant], keys: TransactionKeys) -> Vec<Statement> {
    let mut items = ItemGrants::default();
    let mut others: BTreeMap<IamResource, BTreeSet<String>> = BTreeMap::new();
    for grant in grants {
        let (resource, action) = (IamResource::of(grant), grant.iam_action());
        match grant.on {
            On::ItemKind(kind) => items.add(GrantedTable::Here(kind.table()), action, kind),
            On::Authority(kind) => items.add(GrantedTable::Authority, action, kind),
            On::DataKeys | On::Secret(_) | On::Bus | On::Mail | On::Files | On::Bundles | On::Icons => {
                others.entry(resource).or_default().insert(action);
            }
        }
    }
    let mut statements: Vec<Statement> = items.statements(keys).map(on_items).collect();
    for (resource, actions) in others {
        let conditions = conditions_on(resource, grants);
        let same = statements.iter_mut().find(|it| it.actions == actions && it.conditions == conditions);
        // The inline policies of a role may have 10,240 characters.
        if let Some(statement) = same {
            statement.resources.insert(resource);
        } else {
            statements.push(Statement { actions, resources: BTreeSet::from([resource]), conditions });
        }
    }
    statements
}

fn on_items(ItemStatement { actions, tables, kinds }: ItemStatement) -> Statement {
    let resource = |table| match table {
        GrantedTable::Here(table) => IamResource::Table(table),
        GrantedTable::Authority => IamResource::Authority,
    };
    let resources = tables.into_iter().map(resource).collect();
    Statement { actions, resources, conditions: vec![IamCondition::items(&kinds)] }
}

/// The conditions on requests to resources other than tables.
fn conditions_on(resource: IamResource, grants: &[Grant]) -> Vec<IamCondition> {
    let is = |key: &'static str, text: Text| IamCondition { key, test: Test::Equals(text) };
    let same = |text: &str| Text::Fixed(text.to_owned());
    match resource {
        // Tables are encrypted with the same key. Functions may decrypt only data keys of workspaces of this region.
        IamResource::Key => vec![
            is("kms:EncryptionContext:purpose", same(keys::PURPOSE)),
            is("kms:EncryptionContext:region", Text::WithRegion(String::new())),
            IamCondition { key: "kms:EncryptionContext:workspace", test: Test::Exists },
        ],
        // A single PutEvents call may carry several events.
        IamResource::Bus => {
            vec![IamCondition { key: "events:source", test: Test::EachLike(vec![same(events::SOURCE)]) }]
        }
        IamResource::Mail => vec![is("ses:FromAddress", Text::Sender)],
        IamResource::Bucket => {
            let folders = listed(grants).into_iter().map(|folder| same(&format!("{folder}*"))).collect();
            vec![IamCondition { key: "s3:prefix", test: Test::Like(folders) }]
        }
        IamResource::Table(_)
        | IamResource::Authority
        | IamResource::Secret(_)
        | IamResource::Files
        | IamResource::Bundles
        | IamResource::Icons => Vec::new(),
    }
}

/// The folders of the bucket that the grants allow to list.
fn listed(grants: &[Grant]) -> BTreeSet<&'static str> {
    let folder = |grant: &Grant| match grant.on {
        On::Files => Some(blob::FOLDER),
        On::Bundles => Some(blob::BUNDLES),
        On::Icons => Some(blob::ICONS),
        _ => None,
    };
    grants.iter().filter(|grant| grant.action == LIST).filter_map(folder).collect()
}

impl Statement {
    /// Whether the statement allows an action to a request with this context.
    pub fn allows(&self, action: &str, context: &Context, deployment: &Deployment) -> bool {
        self.actions.contains(action)
            && self.conditions.iter().all(|condition| condition.holds(context, deployment))
    }

    fn yaml(&self) -> String {
        let actions: Vec<&str> = self.actions.iter().map(String::as_str).collect();
        let resources: Vec<String> = self.resources.iter().map(|resource| resource.yaml()).collect();
        let resource = match resources.as_slice() {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        format!(
            "            - Effect: Allow\n              Action: [{}]\n              Resource: {resource}\n{}",
            actions.join(", "),
            conditions::yaml(&self.conditions),
        )
    }
}

/// Renders the inline policy of a role with these grants, as the template's YAML.
pub fn policies(grants: &[Grant]) -> String {
    rendered(statements(grants))
}

/// Renders statements as an inline policy.
fn rendered(statements: Vec<Statement>) -> String {
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
    use kit::ItemKind;

    use super::*;

    /// The maximum size of all inline policies of a role in characters, without white space
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
    const LONGEST: usize = 10_240;
    /// An upper bound for the length of names chosen at deployment.
    const NAME: usize = 32;

    #[test]
    fn statement_of_an_action_lists_exactly_its_item_kinds() {
        let grants = [
            Grant::items("BatchGetItem", ItemKind::Sessions),
            Grant::items("BatchGetItem", ItemKind::Users),
            Grant::items("PutItem", ItemKind::Sessions),
        ];
        let text = policies(&grants);
        let batch = "Action: [dynamodb:BatchGetItem]\n              Resource: !Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${Platform}-${Region}-identity\"\n              \
                     Condition:\n                \"Null\": { \"dynamodb:LeadingKeys\": \"false\" }\n                \
                     ForAllValues:StringLike: { \"dynamodb:LeadingKeys\": [\"SESSIONS#*\", \"USER#*\"] }\n";
        assert!(text.contains(batch), "{text}");
        assert!(text.contains("{ \"dynamodb:LeadingKeys\": [\"SESSIONS#*\"] }"), "{text}");
        assert_eq!(policies(&[]), "");
    }

    #[test]
    fn file_grants_cover_only_the_folder_of_files() {
        let text = policies(&["PutObject", "DeleteObject", "ListBucket"].map(Grant::files));
        let objects = "Action: [s3:DeleteObject, s3:PutObject]\n              Resource: !Sub \"arn:${AWS::Partition}:s3:::${Platform}-${Region}-files-${AWS::AccountId}/files/*\"\n";
        let list = "Action: [s3:ListBucket]\n              Resource: !Sub \"arn:${AWS::Partition}:s3:::${Platform}-${Region}-files-${AWS::AccountId}\"\n              \
                    Condition:\n                StringLike: { \"s3:prefix\": [\"files/*\"] }\n";
        assert!(text.contains(objects) && text.contains(list) && !text.contains("exports/"), "{text}");
    }

    #[test]
    fn bundle_grants_cover_only_the_folder_of_bundles() {
        let text = policies(&["PutObject", "AbortMultipartUpload", "ListBucket"].map(Grant::bundles));
        let objects = "Action: [s3:AbortMultipartUpload, s3:PutObject]\n              \
                       Resource: !Sub \"arn:${AWS::Partition}:s3:::${Platform}-${Region}-files-${AWS::AccountId}/exports/*\"\n";
        let list = "{ \"s3:prefix\": [\"exports/*\"] }";
        assert!(text.contains(objects) && text.contains(list) && !text.contains("files/"), "{text}");
    }

    #[test]
    fn grants_to_list_two_folders_share_one_statement() {
        let text = policies(&[Grant::files(LIST), Grant::bundles("GetObject"), Grant::bundles(LIST)]);
        assert_eq!(text.matches("s3:ListBucket").count(), 1, "{text}");
        assert!(text.contains("StringLike: { \"s3:prefix\": [\"exports/*\", \"files/*\"] }"), "{text}");
        let text = policies(&[Grant::files(LIST), Grant::bundles("GetObject")]);
        assert!(text.contains("StringLike: { \"s3:prefix\": [\"files/*\"] }"), "{text}");
    }

    #[test]
    fn table_and_key_statements_have_conditions() {
        for (id, grants) in crate::grants() {
            for statement in statements(&grants) {
                let free = |resource: &IamResource| {
                    matches!(
                        resource,
                        IamResource::Secret(_)
                            | IamResource::Files
                            | IamResource::Bundles
                            | IamResource::Icons
                    )
                };
                let free = statement.resources.iter().all(free);
                assert!(free || !statement.conditions.is_empty(), "{id}: {statement:?}");
                assert!(statement.actions.iter().all(|action| !action.contains('*')), "{id}: {statement:?}");
            }
        }
    }

    #[test]
    fn every_policy_is_within_the_iam_quota() {
        let name = "n".repeat(NAME);
        let mut lengths: Vec<(usize, &str)> = Vec::new();
        let values = [
            ("AWS::Partition", "aws"),
            ("AWS::Region", "ap-southeast-1"),
            ("AWS::AccountId", "000000000000"),
            ("Region", "ap"),
            ("Platform", &name),
            ("DirectoryTableName", &name),
            ("MailDomain", &name),
        ];
        let both = [TransactionKeys::Item, TransactionKeys::All];
        let roles = crate::grants().into_iter();
        for ((id, grants), keys) in roles.flat_map(|role| both.map(|keys| (role.clone(), keys))) {
            let mut text = rendered(for_transactions(&grants, keys));
            for (short, value) in &values {
                text = text.replace(&format!("${{{short}}}"), value);
            }
            lengths.push((text.chars().filter(|letter| !letter.is_whitespace()).count(), id));
        }
        let longest = lengths.iter().max().unwrap();
        assert!(longest.0 < LONGEST, "{longest:?}");
        eprintln!("longest policy: {} with {} of {LONGEST} characters", longest.1, longest.0);
    }
}
