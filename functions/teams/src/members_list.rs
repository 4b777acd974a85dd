//! `GET /api/members`: lists the members of a team in the order of their ids. The first page begins with the pending invitations,
//! oldest first.
//!
//! Addresses and pictures of members from other regions come from there with each request. They are not stored here.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use domain::{
    Timestamp,
    id::{InvitationId, UserId},
    invitation::Invitation,
    permissions::Member,
    ports::{Accounts, Failure, Invitations, Outcome, Page, Teams},
    region::Region,
    role::Role,
    team::TeamMember,
    workspace::{Workspace, WorkspaceKind, image_url},
};
use futures::future::join_all;
use kit::{
    Access, CursorError, Endpoint, Output, Params, Ports, RegionClient, RequestContext, Spec,
    cursor::Cursor,
    grants::{accounts, invitations, teams},
    parameters::PageSize,
    region_client::BRIEFLY,
    spec,
    spec::Method::Get,
};
use regions::people::{self, PeopleQuery, PersonCard, ReadPeople, cards};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::invitation::MOST_READ;

/// Lists the members of a team.
pub struct ListMembers;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
    invitations: Arc<dyn Invitations>,
    regions: RegionClient,
    teams: Arc<dyn Teams>,
}

/// The page.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MembersQuery {
    /// Cursor from the previous page.
    #[serde(default)]
    cursor: Option<Cursor>,
    /// Page size, 1 to 200. Counts members, not invitations.
    #[serde(default)]
    limit: PageSize<200, 50>,
}

/// A page of members.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberList {
    members: Vec<MemberRow>,
    /// Maximum number of members and pending invitations. `null`: unlimited.
    max_seats: Option<u64>,
    /// Number of members and pending invitations.
    seats_used: u64,
    /// Number of free seats. Absent if seats are unlimited.
    #[serde(skip_serializing_if = "Option::is_none")]
    seats_available: Option<u64>,
    /// Cursor of the next page. Absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    next_cursor: Option<Cursor>,
}
impl Output for MemberList {
    fn next_page(&self) -> Option<&Cursor> {
        self.next_cursor.as_ref()
    }
}

/// A member, or a pending invitation.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct MemberRow {
    /// The member's user id. Absent for an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    user_id: Option<UserId>,
    /// The member's username. Empty for an invitation.
    username: String,
    /// The member's primary email address. Absent while the member's region does not answer. Of an invitation, the invited address,
    /// masked unless the caller is an admin or the owner.
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    role: Role,
    status: MemberStatus,
    /// When the member joined. Absent for an invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    joined_at: Option<Timestamp>,
    /// The path of the member's picture. Absent while the member's region does not answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    image_url: Option<String>,
    /// The user id of the member who sent the invitation.
    #[serde(skip_serializing_if = "Option::is_none")]
    invited_by: Option<UserId>,
    /// The invitation's id.
    #[serde(skip_serializing_if = "Option::is_none")]
    invite_id: Option<InvitationId>,
    /// When the address was invited first.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    invite_created_at: Option<Timestamp>,
    /// When the invitation expires.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "kit::input::date_time")]
    invite_expires_at: Option<Timestamp>,
}

/// Whether somebody is a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum MemberStatus {
    /// A member.
    Active,
    /// Invited.
    Pending,
}

kit::errors! {
    pub enum Error from CursorError, Failure {}
}

impl Endpoint for ListMembers {
    const SPEC: Spec = spec("members-list", Get, "/api/members")
        .summary("List the members and pending invitations of a team")
        .access(Access::member(Role::Viewer))
        .uses(&[teams::MEMBERS, invitations::OF, accounts::PEOPLE]);
    type Caller = Member;
    type Deps = Deps;
    type Input = Params<MembersQuery>;
    type Output = MemberList;
    type Error = Error;

    fn deps(ports: &impl Ports) -> Deps {
        Deps {
            accounts: ports.accounts(),
            invitations: ports.invitations(),
            regions: ports.region_client(),
            teams: ports.teams(),
        }
    }

    async fn handle(
        deps: &Deps,
        call: &RequestContext<Member>,
        Params(query): Self::Input,
    ) -> Result<MemberList, Error> {
        let team = &call.caller.workspace;
        let cursors = call.cursors(team, "members");
        let after = query.cursor.as_ref().map(|cursor| cursors.position::<UserId>(cursor)).transpose()?;
        let (invited, Page { items, more }) = futures::try_join!(
            deps.invitations.of(team.id, MOST_READ),
            members(deps, team, after, query.limit.get()),
        )?;
        let last = items.last().filter(|_| more).map(|last| last.user);
        let (pending, expired): (Vec<_>, Vec<_>) =
            invited.into_iter().partition(|invitation| invitation.is_pending(call.now));
        // Seats are counted when invitations begin and end. An expired invitation ends when its seat is needed.
        let seats_used = seats_taken(team).saturating_sub(u64::try_from(expired.len()).unwrap_or(u64::MAX));
        let max_seats = team.entitlements(call.now).seats;
        let sees_addresses = call.caller.role >= Role::Admin;
        let first = pending.iter().filter(|_| after.is_none());
        let mut rows: Vec<MemberRow> = first.map(|of| MemberRow::pending(of, sees_addresses)).collect();
        let people = cards_of(deps, &items, call.region).await?;
        rows.extend(items.into_iter().map(|of| MemberRow::active(people.get(&of.user), of)));
        Ok(MemberList {
            members: rows,
            max_seats,
            seats_used,
            seats_available: max_seats.map(|most| most.saturating_sub(seats_used)),
            next_cursor: last.map(|last| cursors.at(&last.to_string())),
        })
    }
}

/// A page of the members. A personal account has its owner only, without a record of a membership.
async fn members(
    deps: &Deps,
    team: &Workspace,
    after: Option<UserId>,
    limit: usize,
) -> Outcome<Page<TeamMember>> {
    if team.kind == WorkspaceKind::Team {
        return deps.teams.members(team.id, after, limit).await;
    }
    let owner = TeamMember {
        user: team.owner,
        role: Role::Owner,
        handle: team.handle.clone(),
        region: team.region,
        joined_at: team.created_at,
        invited_by: None,
        changes: 0,
    };
    Ok(Page { items: vec![owner], more: false })
}

/// The number of seats that members and all invitations take.
fn seats_taken(team: &Workspace) -> u64 {
    match team.kind {
        WorkspaceKind::Team => team.seats_taken,
        WorkspaceKind::Personal => 1,
    }
}

/// The addresses and pictures of members, from their homes.
async fn cards_of(deps: &Deps, members: &[TeamMember], here: Region) -> Outcome<HashMap<UserId, PersonCard>> {
    let mut homes: BTreeMap<Region, Vec<UserId>> = BTreeMap::new();
    for member in members {
        homes.entry(member.region).or_default().push(member.user);
    }
    let local = homes.remove(&here).unwrap_or_default();
    let elsewhere = join_all(homes.iter().flat_map(|(home, users)| {
        users.chunks(people::MOST).map(move |some| told_by(&deps.regions, *home, some))
    }));
    let (local, elsewhere) = futures::join!(cards(&*deps.accounts, &local), elsewhere);
    let all = local?.into_iter().chain(elsewhere.into_iter().flatten());
    Ok(all.map(|card| (card.user, card)).collect())
}

/// Users of another region. Empty if it does not answer: their rows then have what the team's region knows.
async fn told_by(regions: &RegionClient, home: Region, users: &[UserId]) -> Vec<PersonCard> {
    let query = PeopleQuery { users: users.to_vec() };
    match regions.ask::<ReadPeople, _>(home, &query, BRIEFLY).await {
        Ok(answer) => answer.people,
        Err(failure) => {
            tracing::warn!(region = home.as_str(), %failure, "members without addresses and pictures");
            Vec::new()
        }
    }
}

impl MemberRow {
    /// A member.
    fn active(person: Option<&PersonCard>, member: TeamMember) -> Self {
        let image = person.and_then(|person| person.image);
        Self {
            user_id: Some(member.user),
            username: member.handle.to_string(),
            email: person.map(|person| person.email.to_string()),
            role: member.role,
            status: MemberStatus::Active,
            joined_at: Some(member.joined_at),
            image_url: image.map(|image| image_url(&member.handle, image)),
            invited_by: member.invited_by,
            invite_id: None,
            invite_created_at: None,
            invite_expires_at: None,
        }
    }

    /// A pending invitation.
    fn pending(invitation: &Invitation, shows_address: bool) -> Self {
        let email = &invitation.email;
        Self {
            user_id: None,
            username: String::new(),
            email: Some(if shows_address { email.to_string() } else { email.masked() }),
            role: invitation.role,
            status: MemberStatus::Pending,
            joined_at: None,
            image_url: None,
            invited_by: Some(invitation.invited_by),
            invite_id: Some(invitation.id),
            invite_created_at: Some(invitation.created_at),
            invite_expires_at: Some(invitation.expires_at()),
        }
    }
}
