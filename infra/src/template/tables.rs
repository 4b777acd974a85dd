//! Renders the tables of a region, and the generated properties of the directory.

use domain::region::Region;
use store::tables::{PARTITION_KEY, SORT_KEY, TTL, Table};

use super::{REGION, table_id};

/// The prefix of table names. It contains the data region, so functions can refuse the tables of another region.
const TABLE_PREFIX: &str = "${AWS::StackName}-${Region}-";

/// Renders the tables of the region.
pub(super) fn tables() -> String {
    Table::REGIONAL.map(table).join("\n")
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
