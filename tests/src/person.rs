//! Somebody who uses the platform.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};
use domain::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    region::Region,
    role::Role,
    team::TeamMember,
    user::personal_workspace,
};
use kit::ItemKind;
use reqwest::{Method, RequestBuilder};
use serde_json::Value;

use crate::{Answer, App};

/// A person with a credential: a session's access token, or an API key.
#[derive(Clone)]
pub struct Person {
    /// The platform.
    pub app: App,
    /// The handle (there is a workspace of that name after onboarding).
    pub handle: String,
    /// The address.
    pub email: String,
    /// What requests carry as `Authorization: Bearer`.
    pub token: String,
    /// The refresh token.
    pub refresh: String,
}

impl Person {
    /// The person that received these tokens.
    pub fn new(app: App, handle: &str, email: &str, tokens: &Answer) -> Self {
        let (token, refresh) = (tokens.text_at("/accessToken"), tokens.text_at("/refreshToken"));
        Self { app, handle: handle.to_owned(), email: email.to_owned(), token, refresh }
    }

    /// A request with the credential.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.request(method, path).bearer_auth(&self.token)
    }

    /// Sends a request with the credential.
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = crate::with_body(request, &body);
        }
        self.app.send(request).await
    }

    /// Asks.
    pub async fn get(&self, path: &str) -> Answer {
        self.send(Method::GET, path, None).await
    }

    /// Sends JSON.
    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.send(Method::POST, path, Some(body)).await
    }

    /// Sends JSON under an `Idempotency-Key`.
    pub async fn post_once(&self, path: &str, body: Value, key: &str) -> Answer {
        self.app.send(self.request(Method::POST, path).header("idempotency-key", key).json(&body)).await
    }

    /// Changes something.
    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.send(Method::PATCH, path, Some(body)).await
    }

    /// Deletes something.
    pub async fn delete(&self, path: &str) -> Answer {
        self.send(Method::DELETE, path, None).await
    }

    /// Enters the password again, for what needs a recent sign-in.
    pub async fn step_up(&self) {
        self.post("/api/auth/step-up", serde_json::json!({ "password": crate::PASSWORD })).await.expect(200);
    }

    /// Sends JSON; once more after entering the password again, if the sign-in is not recent enough.
    pub async fn post_stepped_up(&self, path: &str, body: Value) -> Answer {
        let answer = self.post(path, body.clone()).await;
        if answer.brief() != "403 STEP_UP_REQUIRED" {
            return answer;
        }
        self.step_up().await;
        self.post(path, body).await
    }

    /// Makes an API key; its id and its value.
    pub async fn make_key(&self, name: &str) -> (String, String) {
        let form = serde_json::json!({ "name": name });
        let made = self.post_stepped_up("/api/api-keys", form).await.expect(201);
        (made.text_at("/keyId"), made.text_at("/key"))
    }

    /// The same person through another region's endpoint.
    pub fn by_way_of(&self, region: Region) -> Self {
        Self { app: self.app.by_way_of(region), ..self.clone() }
    }

    /// The same person, with an API key instead of the session.
    pub async fn with_api_key(&self, name: &str) -> Self {
        let (_, token) = self.make_key(name).await;
        Self { token, ..self.clone() }
    }

    /// What the history says, newest first: `created api_key ci`.
    pub async fn activity(&self) -> Vec<String> {
        lines_of(&self.get("/api/activity?limit=100").await)
    }

    /// The same of another workspace: `created team the-lab`.
    pub async fn activity_of(&self, owner: &str) -> Vec<String> {
        lines_of(&self.get(&format!("/api/activity?limit=100&owner={owner}")).await)
    }

    /// The user's id, from the access token.
    pub fn id(&self) -> UserId {
        let claims = self.token.split('.').nth(1).unwrap();
        let json = domain::secret::decode_base64(claims).unwrap();
        let claims: Value = serde_json::from_slice(&json).unwrap();
        claims["sub"].as_str().unwrap().parse().unwrap()
    }

    /// The personal workspace's id.
    pub fn workspace(&self) -> WorkspaceId {
        personal_workspace(self.id())
    }

    /// Becomes a member of a workspace of the same region without an invitation, or gets another role in it.
    pub async fn join(&self, workspace: WorkspaceId, role: Role) {
        self.app.put_member(workspace, &self.as_member(role).await).await;
        self.write(store::membership_item(self.id(), workspace, role).unwrap()).await;
    }

    /// Is a member no more.
    pub async fn leave(&self, workspace: WorkspaceId) {
        if self.unwrite(member_key(workspace, self.id())).await {
            self.app.count_seat(workspace, "-1").await;
        }
        self.unwrite(membership_key(self.id(), workspace)).await;
    }

    /// Lets somebody else, from wherever, into the personal workspace.
    pub async fn let_in(&self, other: &Self, role: Role) {
        self.write(store::member_item(self.workspace(), &other.as_member(role).await).unwrap()).await;
        other.write(store::membership_item(other.id(), self.workspace(), role).unwrap()).await;
    }

    /// Takes somebody out again.
    pub async fn put_out(&self, other: &Self) {
        self.unwrite(member_key(self.workspace(), other.id())).await;
        other.unwrite(membership_key(other.id(), self.workspace())).await;
    }

    /// The person as a member who joins now.
    pub async fn as_member(&self, role: Role) -> TeamMember {
        TeamMember {
            user: self.id(),
            role,
            handle: Handle::parse_existing(&self.handle).unwrap(),
            region: self.app.home(),
            joined_at: self.app.now().await,
            invited_by: None,
            changes: 0,
        }
    }

    /// Writes an item at home.
    async fn write(&self, item: HashMap<String, AttributeValue>) {
        let request = self.app.tables().put_item().table_name(self.app.table("workspaces"));
        request.set_item(Some(item)).send().await.unwrap();
    }

    /// Removes an item. Whether one was there.
    async fn unwrite(&self, (pk, sk): (String, String)) -> bool {
        let request = self.app.tables().delete_item().table_name(self.app.table("workspaces"));
        let request = request.key("pk", AttributeValue::S(pk)).key("sk", AttributeValue::S(sk));
        let request = request.return_values(ReturnValue::AllOld);
        request.send().await.unwrap().attributes.is_some()
    }
}

/// Where a member of a workspace is stored.
fn member_key(workspace: WorkspaceId, user: UserId) -> (String, String) {
    (ItemKind::Members.partition(workspace), format!("MEMBER#{user}"))
}

/// Where the same membership is stored by user.
fn membership_key(user: UserId, workspace: WorkspaceId) -> (String, String) {
    (ItemKind::Memberships.partition(user), workspace.to_string())
}

/// The lines of a page of a history.
fn lines_of(page: &Answer) -> Vec<String> {
    assert_eq!(page.status, 200, "{}", page.text);
    let text = |event: &Value, name: &str| event[name].as_str().unwrap_or_default().to_owned();
    let line = |event: &Value| {
        let parts = ["action", "resourceType", "resourceName"].map(|name| text(event, name));
        parts.join(" ").trim().to_owned()
    };
    page.at("/events").as_array().unwrap().iter().map(line).collect()
}
