//! What people do with teams.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    id::WorkspaceId,
    permissions::{Member, may_transfer_team},
    ports::{Teams, TransactionExtras, Transferred, Workspaces},
    role::Role,
};
use kit::ItemKind;
use serde_json::json;
use store::Store;

use crate::{Answer, Person};

impl Person {
    /// Creates a team with a paid plan: it is open to its members.
    pub async fn found_team(&self, handle: &str) -> WorkspaceId {
        let team = self.create_team(handle).await;
        self.pays(team).await;
        team
    }

    /// Creates a team, which has no paid plan.
    pub async fn create_team(&self, handle: &str) -> WorkspaceId {
        let made = self.app.claiming(self.ask_for_team(handle)).await.expect(201);
        made.text_at("/team/userId").parse().unwrap()
    }

    /// Asks for a team.
    pub async fn ask_for_team(&self, handle: &str) -> Answer {
        let form = json!({ "username": handle, "fullName": handle.to_uppercase() });
        self.post("/api/teams/create", form).await
    }

    /// Has a team of the same region have a paid plan.
    pub async fn pays(&self, team: WorkspaceId) {
        self.set_plan(team, "pro").await;
    }

    /// Has a team of the same region have no paid plan.
    pub async fn stops_paying(&self, team: WorkspaceId) {
        self.set_plan(team, "free").await;
    }

    async fn set_plan(&self, team: WorkspaceId, plan: &str) {
        let update = self.app.tables().update_item().table_name(self.app.table("workspaces"));
        let update = update
            .key("pk", AttributeValue::S(ItemKind::Workspaces.partition(team)))
            .key("sk", AttributeValue::S("WS".to_owned()))
            .condition_expression("kind = :team")
            .update_expression("SET #plan = :plan")
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":team", AttributeValue::S("team".to_owned()))
            .expression_attribute_values(":plan", AttributeValue::S(plan.to_owned()));
        update.send().await.unwrap();
    }

    /// Becomes the owner of a team of the same region, as by a transfer: the owner becomes an admin.
    pub async fn take_over(&self, team: WorkspaceId) {
        self.join(team, Role::Admin).await;
        let store = Store::new(self.app.tables(), self.app.table(""));
        let workspace = Workspaces::find(&store, team).await.unwrap().unwrap();
        let user = workspace.owner;
        let owner = Member { workspace, role: Role::Owner, user, stepped_up: true };
        let (proof, to) = (may_transfer_team(&owner).unwrap(), self.as_member(Role::Admin).await);
        let done = Teams::transfer(&store, &proof, &to, TransactionExtras::default()).await.unwrap();
        assert_eq!(done, Transferred::Yes);
    }
}
