//! What people do with teams.

use aws_sdk_dynamodb::{
    operation::update_item::builders::UpdateItemFluentBuilder,
    types::{AttributeValue, ReturnValue},
};
use domain::{
    id::WorkspaceId,
    permissions::{Member, may_transfer_team},
    ports::{Teams, TransactionExtras, Transferred, Workspaces},
    region::Region,
    role::Role,
    team::TeamMember,
};
use kit::ItemKind;
use serde_json::json;
use store::Store;

use crate::{Answer, App, Person};

impl App {
    /// Sets the plan of a team of the home.
    pub async fn set_plan(&self, team: WorkspaceId, plan: &str) {
        let update = self.change_team(team).update_expression("SET #plan = :plan");
        let update = update
            .expression_attribute_names("#plan", "plan")
            .expression_attribute_values(":plan", AttributeValue::S(plan.to_owned()));
        update.send().await.unwrap();
    }

    /// Makes a user of any region a member of a workspace of the home, on the side of the workspace.
    pub async fn put_member(&self, workspace: WorkspaceId, member: &TeamMember) {
        let request = self.tables().put_item().table_name(self.table("workspaces"));
        let request = request.set_item(Some(store::member_item(workspace, member).unwrap()));
        let before = request.return_values(ReturnValue::AllOld).send().await.unwrap();
        if before.attributes.is_none() {
            self.count_seat(workspace, "1").await;
        }
    }

    /// Adds to the number of taken seats, if the workspace is a team.
    pub async fn count_seat(&self, workspace: WorkspaceId, number: &str) {
        let update = self.change_team(workspace).update_expression("ADD seatsTaken :number");
        let update = update.expression_attribute_values(":number", AttributeValue::N(number.to_owned()));
        if let Err(error) = update.send().await {
            assert!(error.into_service_error().is_conditional_check_failed_exception());
        }
    }

    /// A change of a workspace's record, if the workspace is a team.
    fn change_team(&self, team: WorkspaceId) -> UpdateItemFluentBuilder {
        let update = self.tables().update_item().table_name(self.table("workspaces"));
        update
            .key("pk", AttributeValue::S(ItemKind::Workspaces.partition(team)))
            .key("sk", AttributeValue::S("WS".to_owned()))
            .condition_expression("kind = :team")
            .expression_attribute_values(":team", AttributeValue::S("team".to_owned()))
    }
}

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

    /// Creates a team in any region, with a paid plan. Every region knows its username then.
    pub async fn found_team_in(&self, handle: &str, region: Region) -> WorkspaceId {
        let made = self.ask_for_team_in(handle, region).await.expect(201);
        let team = made.text_at("/team/userId").parse().unwrap();
        self.app.living_in(region).set_plan(team, "pro").await;
        self.app.replicated().await;
        team
    }

    /// Asks for a team in any region.
    pub async fn ask_for_team_in(&self, handle: &str, region: Region) -> Answer {
        let form = json!({ "username": handle, "fullName": handle.to_uppercase(), "region": region });
        self.post("/api/teams/create", form).await
    }

    /// Has a team of the same region have a paid plan.
    pub async fn pays(&self, team: WorkspaceId) {
        self.app.set_plan(team, "pro").await;
    }

    /// Has a team of the same region have no paid plan.
    pub async fn stops_paying(&self, team: WorkspaceId) {
        self.app.set_plan(team, "free").await;
    }

    /// Becomes the owner of a team of the same region, as by a transfer: the owner becomes an admin.
    pub async fn take_over(&self, team: WorkspaceId) {
        self.join(team, Role::Admin).await;
        let store = Store::new(self.app.tables(), self.app.table(""));
        let workspace = Workspaces::find(&store, team).await.unwrap().unwrap();
        let user = workspace.owner;
        let owner = Member { workspace, role: Role::Owner, user, stepped_up: true };
        let (proof, to) = (may_transfer_team(&owner).unwrap(), self.as_member(Role::Admin).await);
        let from = Teams::member(&store, team, user).await.unwrap().unwrap();
        let done = Teams::transfer(&store, &proof, &from, &to, TransactionExtras::default()).await.unwrap();
        assert_eq!(done, Transferred::Yes);
    }
}
