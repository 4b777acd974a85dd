//! What people do with all that is kept of them: have it exported, and have it deleted.

use std::time::Duration;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::region::Region;
use kit::ItemKind;
use reqwest::header::HeaderMap;
use serde_json::{Value, json};

use crate::{Answer, Person};

/// The number of polls for a job, twenty milliseconds each.
const PATIENCE: usize = 4_000;

/// What came of a request to the store of files.
pub struct Download {
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub bytes: Vec<u8>,
}

impl Download {
    /// Sends a request.
    pub async fn of(request: reqwest::RequestBuilder) -> Self {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, bytes: response.bytes().await.unwrap().to_vec() }
    }

    /// Follows a link.
    pub async fn from(link: &str) -> Self {
        Self::of(reqwest::Client::new().get(link)).await
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Person {
    /// Asks for all that is kept, as `zip` or `json`.
    pub async fn ask_for_export(&self, format: &str) -> Answer {
        let path = format!("/api/gdpr?format={format}");
        self.post_stepped_up(&path, json!({ "action": "export" })).await
    }

    /// How far a job is.
    pub async fn job(&self, id: &str) -> Answer {
        self.get(&format!("/api/gdpr?jobId={id}")).await
    }

    /// How far a job in another region is.
    pub async fn job_in(&self, id: &str, region: Region) -> Answer {
        self.get(&format!("/api/gdpr?jobId={id}&region={region}")).await
    }

    /// The same of a job at home once it is done.
    pub async fn done(&self, id: &str) -> Answer {
        for _ in 0..PATIENCE {
            let answer = self.job(id).await.expect(200);
            assert_ne!(answer.at("/status"), "failed", "{}", answer.text);
            if answer.at("/status") == "completed" {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{id} does not come to an end");
    }

    /// All that is kept, as `zip` or `json`.
    pub async fn export(&self, format: &str) -> Vec<u8> {
        let id = self.ask_for_export(format).await.expect(202).text_at("/jobId");
        let file = Download::from(&self.done(&id).await.text_at("/downloadUrl")).await;
        assert_eq!(file.status, 200, "{}", String::from_utf8_lossy(&file.bytes));
        file.bytes
    }

    /// Asks for the account to be deleted.
    pub async fn ask_to_be_deleted(&self) -> Answer {
        self.post("/api/gdpr", json!({ "action": "delete", "confirmationWord": "DELETE" })).await
    }

    /// Has the personal workspace stored as it was before profiles had items of their own.
    pub async fn store_profile_in_workspace(&self) {
        let (tables, table) = (self.app.tables(), self.app.table("workspaces"));
        let pk = AttributeValue::S(ItemKind::Workspaces.partition(self.workspace()));
        let sk = |sk: &str| AttributeValue::S(sk.to_owned());
        let delete = tables.delete_item().table_name(&table).key("pk", pk.clone()).key("sk", sk("PROFILE"));
        let profile = delete.return_values(ReturnValue::AllOld).send().await.unwrap().attributes.unwrap();
        let update = tables.update_item().table_name(table).key("pk", pk).key("sk", sk("WS"));
        let update = update
            .update_expression("SET profile = :profile, version = :version")
            .expression_attribute_values(":profile", profile["profile"].clone())
            .expression_attribute_values(":version", profile["version"].clone());
        update.send().await.unwrap();
    }

    /// What the tables hold of the jobs that this person asked for: exports and deletions.
    pub async fn jobs(&self) -> Vec<Value> {
        let query = self.app.tables().query().table_name(self.app.table("operations"));
        let query = query
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(ItemKind::Jobs.partition(self.id())))
            .consistent_read(true);
        let found = query.send().await.unwrap().items.unwrap_or_default();
        found.into_iter().map(|item| serde_dynamo::from_item(item).unwrap()).collect()
    }

    /// Asks for a team to be deleted.
    pub async fn ask_to_delete_team(&self, handle: &str) -> Answer {
        let form = json!({ "action": "delete", "confirmationWord": "DELETE", "teamUsername": handle });
        self.post("/api/gdpr", form).await
    }
}
