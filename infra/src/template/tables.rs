//! Renders the tables of a region, and the generated properties of the directory.

use domain::region::Region;
use store::tables::{PARTITION_KEY, SORT_KEY, TTL, Table};

use super::{REGION, table_id};
use crate::pascal;

/// The prefix of table names. It contains the data region, so functions can refuse the tables of another region.
const TABLE_PREFIX: &str = "${Platform}-${Region}-";

/// Renders the tables of the region.
pub(super) fn tables() -> String {
    Table::REGIONAL.map(table).join("\n")
}

/// The stream of each table that is read as one, as an export of the data stack.
pub(super) fn streams() -> String {
    let streamed = Table::REGIONAL.into_iter().filter(|table| table.is_streamed());
    let output = |table: Table| {
        format!(
            "  {name}Stream:\n    Description: The ARN of the stream of the table {table}.\n    Value: !GetAtt \
             {id}.StreamArn\n    Export: {{ Name: !Sub \"${{Platform}}-{table}-stream\" }}\n",
            name = pascal(table.as_str()),
            id = table_id(table),
            table = table.as_str(),
        )
    };
    streamed.map(output).collect()
}

/// The directory's time-to-live setting, and its replicas, one per region.
pub(super) fn directory() -> String {
    let replica = |region: &Region| {
        format!(
            "        - Region: {}\n          DeletionProtectionEnabled: true\n          \
             PointInTimeRecoverySpecification: {{ PointInTimeRecoveryEnabled: true }}\n",
            region.aws()
        )
    };
    let replicas: String = Region::ALL.iter().map(replica).collect();
    format!("{}      Replicas:\n{replicas}", time_to_live(Table::Directory))
}

/// The time-to-live property of a table whose items expire.
fn time_to_live(table: Table) -> String {
    match table.expires() {
        true => format!("      TimeToLiveSpecification: {{ AttributeName: {TTL}, Enabled: true }}\n"),
        false => String::new(),
    }
}

fn table(table: Table) -> String {
    let mut text = format!(
        r#"  {id}:
    Type: AWS::DynamoDB::Table
    DeletionPolicy: Retain
    UpdateReplacePolicy: Retain
    Properties:
      TableName: !Sub ["{name}", {REGION}]
      BillingMode: PAY_PER_REQUEST
      DeletionProtectionEnabled: true
      AttributeDefinitions:
        - {{ AttributeName: {PARTITION_KEY}, AttributeType: S }}
        - {{ AttributeName: {SORT_KEY}, AttributeType: S }}
      KeySchema:
        - {{ AttributeName: {PARTITION_KEY}, KeyType: HASH }}
        - {{ AttributeName: {SORT_KEY}, KeyType: RANGE }}
      PointInTimeRecoverySpecification: {{ PointInTimeRecoveryEnabled: true }}
      SSESpecification: {{ SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt Key.Arn }}
"#,
        id = table_id(table),
        name = table.name(TABLE_PREFIX),
    );
    text.push_str(&time_to_live(table));
    if table.is_streamed() {
        text.push_str("      StreamSpecification: { StreamViewType: NEW_IMAGE }\n");
    }
    text
}
