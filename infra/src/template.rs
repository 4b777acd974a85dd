//! The generated parts of `template.yaml`: the tables, and a function for every endpoint and worker.

use std::fmt::Write as _;

use domain::region::Region;
use kit::{Items, Spec, Trigger, WorkerSpec, spec::Every};
use store::table::{PARTITION_KEY, SORT_KEY, TTL, Table};

use crate::{Functions, pascal, statements::policies};

/// What the tables' names begin with. Each name says its data region: a function refuses those of another.
const TABLE_PREFIX: &str = "${AWS::StackName}-${Region}-";
/// Where the template finds the data region's name.
pub(crate) const REGION: &str = r#"{ Region: !FindInMap [DataRegions, !Ref "AWS::Region", Name] }"#;
/// How long an endpoint may take, in seconds.
pub const ENDPOINT_SECONDS: u32 = 5;
/// How long a worker that nobody waits for may take.
const WORKER_SECONDS: u32 = 60;

/// Why a template can't be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// A comment that says where a generated part begins or ends is gone.
    #[error("template.yaml has no line \"# --- generated {0}: begin ---\", or none that ends it")]
    NoMarkers(&'static str),
}

/// How long a worker may take, in seconds. The authorizer stands in a request's way: it has no longer than an endpoint.
pub fn worker_seconds(trigger: Trigger) -> u32 {
    if trigger == Trigger::Authorizer { ENDPOINT_SECONDS } else { WORKER_SECONDS }
}

/// The template with its generated parts made again.
///
/// # Errors
///
/// When a marker is missing.
pub fn fill_in(template: &str, functions: &Functions) -> Result<String, Error> {
    let template = replace(template, "regions", &regions())?;
    let template = replace(&template, "timeout", &format!("    Timeout: {ENDPOINT_SECONDS}\n"))?;
    let template = replace(&template, "replicas", &replicas())?;
    let template = replace(&template, "tables", &Table::REGIONAL.map(table).join("\n"))?;
    let endpoints = functions.operations.iter().map(|operation| endpoint(&operation.spec));
    let all: Vec<String> = endpoints.chain(functions.workers.iter().map(worker)).collect();
    replace(&template, "functions", &all.join("\n"))
}

/// Puts `generated` between the two comments that name `part`.
fn replace(template: &str, part: &'static str, generated: &str) -> Result<String, Error> {
    let begin = format!("# --- generated {part}: begin ---\n");
    let end = format!("# --- generated {part}: end ---\n");
    let missing = || Error::NoMarkers(part);
    let (before, rest) = template.split_once(&begin).ok_or_else(missing)?;
    let (old, after) = rest.split_once(&end).ok_or_else(missing)?;
    let indent: String = old.chars().rev().take_while(|letter| *letter == ' ').collect();
    Ok(format!("{before}{begin}{generated}{indent}{end}{after}"))
}

fn regions() -> String {
    Region::ALL.iter().map(|region| format!("    {}: {{ Name: {region} }}\n", region.aws())).collect()
}

fn replicas() -> String {
    let replica = |region: &Region| {
        format!(
            "        - Region: {}\n          DeletionProtectionEnabled: true\n          \
             PointInTimeRecoverySpecification: {{ PointInTimeRecoveryEnabled: true }}\n",
            region.aws()
        )
    };
    Region::ALL.iter().map(replica).collect()
}

/// A table's name in the template.
pub(crate) fn table_id(table: Table) -> String {
    format!("{}Table", pascal(table.as_str()))
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
    if table.expires() {
        let _ = writeln!(text, "      TimeToLiveSpecification: {{ AttributeName: {TTL}, Enabled: true }}");
    }
    if table.is_streamed() {
        text.push_str("      StreamSpecification: { StreamViewType: NEW_IMAGE }\n");
    }
    text
}

fn endpoint(spec: &Spec) -> String {
    let mut text = function(spec.id, spec.summary);
    let _ = writeln!(text, "      MemorySize: {}", spec.memory.megabytes());
    text.push_str("      Events:\n");
    for method in spec.methods() {
        let method = method.as_str();
        let _ = write!(
            text,
            "        {name}:\n          Type: HttpApi\n          \
             Properties: {{ ApiId: !Ref Api, Method: {method}, Path: {path} }}\n",
            name = pascal(&method.to_ascii_lowercase()),
            path = quoted(spec.path),
        );
    }
    text.push_str(&policies(&spec.all_grants()));
    text
}

fn worker(spec: &WorkerSpec) -> String {
    let mut text = function(spec.id, spec.summary);
    let seconds = worker_seconds(spec.trigger);
    if seconds != ENDPOINT_SECONDS {
        let _ = writeln!(text, "      Timeout: {seconds}");
    }
    text.push_str(&match spec.trigger {
        Trigger::OutboxStream => outbox(),
        Trigger::Bus(types) => bus(types),
        Trigger::Schedule(every) => schedule(every),
        // Whoever's API asks it is given the permission to by that API.
        Trigger::Authorizer | Trigger::Rotation => String::new(),
    });
    text.push_str(&policies(spec.grants));
    if spec.trigger == Trigger::Rotation {
        text.push_str(&rotation(spec.id));
    }
    text
}

fn function(id: &str, summary: &str) -> String {
    format!(
        r"  {name}:
    Type: AWS::Serverless::Function
    Properties:
      Description: {summary}
      CodeUri: target/lambda/{id}/
",
        name = pascal(id),
        summary = quoted(summary),
    )
}

/// New messages in the outbox. Receipts and counters share its table, and should set nothing off.
fn outbox() -> String {
    let streamed = Table::REGIONAL.into_iter().filter(|table| table.is_streamed());
    let event = |table: Table| {
        format!(
            r#"        Outbox:
          Type: DynamoDB
          Properties:
            Stream: !GetAtt {table}.StreamArn
            StartingPosition: TRIM_HORIZON
            BatchSize: 100
            BisectBatchOnFunctionError: true
            FunctionResponseTypes: [ReportBatchItemFailures]
            FilterCriteria:
              Filters:
                - Pattern: '{{"eventName":["INSERT"],"dynamodb":{{"Keys":{{"{PARTITION_KEY}":{{"S":[{{"prefix":"{outbox}"}}]}}}}}}}}'
"#,
            table = table_id(table),
            outbox = Items::Outbox.prefix(),
        )
    };
    format!("      Events:\n{}", streamed.map(event).collect::<String>())
}

fn bus(types: &[&str]) -> String {
    format!(
        r"      Events:
        Bus:
          Type: EventBridgeRule
          Properties:
            EventBusName: !Ref Bus
            Pattern:
              source: [{source}]
              detail-type: [{types}]
",
        source = events::SOURCE,
        types = types.join(", "),
    )
}

fn schedule(every: Every) -> String {
    let rate = match every {
        Every::Minutes(1) => "1 minute".to_owned(),
        Every::Minutes(minutes) => format!("{minutes} minutes"),
        Every::Hours(1) => "1 hour".to_owned(),
        Every::Hours(hours) => format!("{hours} hours"),
        Every::Days(1) => "1 day".to_owned(),
        Every::Days(days) => format!("{days} days"),
    };
    format!(
        "      Events:\n        Schedule:\n          Type: ScheduleV2\n          \
         Properties: {{ ScheduleExpression: rate({rate}) }}\n"
    )
}

/// Secrets Manager may call the function, for secrets of this account.
fn rotation(id: &str) -> String {
    format!(
        r#"
  {name}Permission:
    Type: AWS::Lambda::Permission
    Properties:
      Action: lambda:InvokeFunction
      FunctionName: !Ref {name}
      Principal: secretsmanager.amazonaws.com
      SourceAccount: !Ref "AWS::AccountId"
"#,
        name = pascal(id),
    )
}

/// A YAML scalar in double quotes, which JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_outside_the_markers_is_left_alone() {
        let template = "a\n  # --- generated x: begin ---\nold\n  # --- generated x: end ---\nb\n";
        let filled = replace(template, "x", "new\n").unwrap();
        assert_eq!(filled, "a\n  # --- generated x: begin ---\nnew\n  # --- generated x: end ---\nb\n");
        assert_eq!(replace(&filled, "x", "new\n").unwrap(), filled);
        assert_eq!(replace(template, "y", ""), Err(Error::NoMarkers("y")));
    }
}
