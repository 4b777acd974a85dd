//! The account: the person's profile and the data about the person outside the lists.

use std::net::IpAddr;

use domain::{
    Timestamp,
    email::EmailAddress,
    follow::{Follow, FollowedHash},
    id::{SessionId, UserId, WorkspaceId},
    plan::Plan,
    ports::{TeamOfUser, TeamsOfUser},
    profile::UseCase,
    provider::{Connection, Provider},
    region::Region,
    role::Role,
    session::Session,
    session_client::SessionClient,
    team::MembershipCopy,
    usage::Usage,
    user::User,
    user_addresses::StoredAddresses,
    workspace::{Profile, ProfileRecord, Workspace},
};
use kit::input::date_time;
use schemars::JsonSchema;
use serde::Serialize;

use super::{billing::BillingRow, text, wallet::WalletRow};

/// The account: the person's profile and the data about the person outside the lists.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// The person's id.
    pub id: UserId,
    /// The region that stores the data.
    pub region: Region,
    /// Time of the account's creation.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// The profile; null before a username was chosen.
    pub profile: Option<ProfileRow>,
    /// The addresses.
    pub emails: Vec<Email>,
    /// The accounts of identity providers that the person signs in with.
    pub connected_accounts: Vec<ConnectedAccountRow>,
    /// Stored bytes.
    pub storage: StorageRow,
    /// The wallet; null before a username was chosen.
    pub wallet: Option<WalletRow>,
    /// What Stripe stores of the person; null if nothing was ever paid.
    pub billing: Option<BillingRow>,
    /// The teams that the person belongs to.
    pub teams: Vec<TeamRow>,
    /// The accounts that the person follows, by the SHA-256 of their ids. Their names are not stored with the person's data.
    pub following: Vec<FollowedAccountRow>,
    /// The sessions. The last member, because it is written row by row.
    pub sessions: Vec<SessionRow>,
}

/// The profile.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Profile")]
pub struct ProfileRow {
    /// The public name.
    pub username: String,
    pub display_name: String,
    pub company: Option<String>,
    pub use_case: Option<UseCase>,
    pub bio: Option<String>,
    pub icon_color: Option<String>,
    pub icon_letter: Option<String>,
    /// The path of the picture, relative to the API.
    pub image_url: Option<String>,
    pub github: Option<String>,
    pub linkedin: Option<String>,
    pub twitter: Option<String>,
    pub youtube: Option<String>,
    pub scholar: Option<String>,
    pub discord: Option<String>,
    pub website: Option<String>,
    /// Whether features in testing are shown.
    pub early_access: bool,
    pub plan: Plan,
    /// When the username was chosen.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
}

impl ProfileRow {
    fn new(workspace: &Workspace, profile: Profile) -> Self {
        let image_url = profile.image_url(&workspace.handle);
        let Profile {
            display_name,
            company,
            use_case,
            bio,
            icon_color,
            icon_letter,
            image: _,
            socials,
            early_access,
        } = profile;
        Self {
            username: workspace.handle.to_string(),
            display_name: display_name.to_string(),
            company: text(company),
            use_case,
            bio: text(bio),
            icon_color: text(icon_color),
            icon_letter: text(icon_letter),
            image_url,
            github: text(socials.github),
            linkedin: text(socials.linkedin),
            twitter: text(socials.twitter),
            youtube: text(socials.youtube),
            scholar: text(socials.scholar),
            discord: text(socials.discord),
            website: text(socials.website),
            early_access,
            plan: workspace.plan,
            created_at: workspace.created_at,
        }
    }
}

/// An address.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Email {
    pub address: String,
    /// Whether notifications and recovery mail go there.
    pub primary: bool,
    pub verified: bool,
    /// When the address was added.
    #[schemars(schema_with = "date_time")]
    pub added_at: Timestamp,
}

impl Email {
    /// All addresses of an account.
    fn all(stored: StoredAddresses) -> Vec<Self> {
        let StoredAddresses { user, verified, pending } = stored;
        let row = |address: &EmailAddress, verified: bool, added_at: Timestamp| Self {
            address: address.to_string(),
            primary: verified && address.canonical() == user.primary_email.canonical(),
            verified,
            added_at,
        };
        let mut all = match verified {
            Some(verified) => verified.addresses.iter().map(|it| row(&it.email, true, it.added_at)).collect(),
            None => vec![row(&user.primary_email, true, user.created_at)],
        };
        let pending = pending.into_iter().flat_map(|pending| pending.addresses);
        all.extend(pending.map(|it| row(&it.email, false, it.added_at)));
        all
    }
}

/// An account of an identity provider. The export omits the identity there, of which only an index is kept.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "ConnectedAccount")]
pub struct ConnectedAccountRow {
    pub provider: Provider,
    /// Time of the connection.
    #[schemars(schema_with = "date_time")]
    pub connected_at: Timestamp,
}

impl From<Connection> for ConnectedAccountRow {
    fn from(Connection { provider, connected_at, user: _, identity: _ }: Connection) -> Self {
        Self { provider, connected_at }
    }
}

/// Stored bytes, including the trash.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Storage")]
pub struct StorageRow {
    pub dataset_bytes: u64,
    pub model_bytes: u64,
    /// The part of these bytes that is in the trash.
    pub trashed_bytes: u64,
}

impl From<Usage> for StorageRow {
    fn from(usage: Usage) -> Self {
        let trashed = usage.trashed_dataset_bytes.saturating_add(usage.trashed_model_bytes);
        Self { dataset_bytes: usage.dataset_bytes, model_bytes: usage.model_bytes, trashed_bytes: trashed }
    }
}

/// A team that the person belongs to.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Team")]
pub struct TeamRow {
    pub id: WorkspaceId,
    pub username: String,
    /// The region that stores the team's data.
    pub region: Region,
    pub role: Role,
}

impl TeamRow {
    /// The teams of a person in all regions. Those of other regions are as these told last.
    fn all(TeamsOfUser { here, elsewhere }: TeamsOfUser) -> Vec<Self> {
        let here = here.into_iter().map(Self::from);
        here.chain(elsewhere.into_iter().filter_map(Self::elsewhere)).collect()
    }

    /// A team in another region, unless the membership has ended.
    fn elsewhere(MembershipCopy { team, handle, region, role, .. }: MembershipCopy) -> Option<Self> {
        Some(Self { id: team, username: handle.to_string(), region, role: role? })
    }
}

impl From<TeamOfUser> for TeamRow {
    fn from(TeamOfUser { team, role, profile: _ }: TeamOfUser) -> Self {
        Self { id: team.id, username: team.handle.to_string(), region: team.region, role }
    }
}

/// An account that the person follows. No name is stored, so that nothing remains of an account that was deleted.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "FollowedAccount")]
pub struct FollowedAccountRow {
    /// SHA-256 of the account's id, in base64url.
    #[schemars(with = "String")]
    pub account: FollowedHash,
    /// Time at which the person began to follow it.
    #[schemars(schema_with = "date_time")]
    pub followed_at: Timestamp,
}

impl From<Follow> for FollowedAccountRow {
    fn from(Follow { account, followed_at }: Follow) -> Self {
        Self { account, followed_at }
    }
}

/// A sign-in on one device.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "Session")]
pub struct SessionRow {
    /// The id.
    pub id: SessionId,
    /// Browser and operating system at the last sign-in or refresh. Absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Network address at the last sign-in or refresh. Absent if unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ip_address: Option<IpAddr>,
    /// Time of the sign-in.
    #[schemars(schema_with = "date_time")]
    pub created_at: Timestamp,
    /// Time of the last password entry.
    #[schemars(schema_with = "date_time")]
    pub authenticated_at: Timestamp,
    /// Time of the last refresh.
    #[schemars(schema_with = "date_time")]
    pub refreshed_at: Timestamp,
    /// Time when the session ends unless it is refreshed before.
    #[schemars(schema_with = "date_time")]
    pub expires_at: Timestamp,
}

impl SessionRow {
    /// A session with its client.
    pub fn new(session: &Session, client: Option<SessionClient>) -> Self {
        let (device, ip_address) = client.map(|client| (client.device, client.address)).unzip();
        Self {
            id: session.id,
            device: device.map(|device| device.as_str().to_owned()),
            ip_address: ip_address.flatten(),
            created_at: session.created_at,
            authenticated_at: session.authenticated_at,
            refreshed_at: session.refreshed_at,
            expires_at: session.expires_at(),
        }
    }
}

/// The lists of an account that are read as a whole.
#[derive(Default)]
pub struct AccountLists {
    /// The identities that the person signs in with.
    pub connections: Vec<Connection>,
    /// The teams.
    pub teams: TeamsOfUser,
    /// The accounts that the person follows.
    pub follows: Vec<Follow>,
}

impl Account {
    /// Everything but the sessions.
    pub fn new(
        stored: StoredAddresses,
        workspace: Option<(Workspace, ProfileRecord)>,
        usage: Usage,
        (wallet, billing): (Option<WalletRow>, Option<BillingRow>),
        lists: AccountLists,
    ) -> Self {
        let AccountLists { connections, teams, follows } = lists;
        let profile = workspace.map(|(workspace, record)| ProfileRow::new(&workspace, record.profile));
        let User { id, region, created_at, .. } = stored.user;
        Self {
            id,
            region,
            created_at,
            profile,
            emails: Email::all(stored),
            connected_accounts: connections.into_iter().map(ConnectedAccountRow::from).collect(),
            storage: usage.into(),
            wallet,
            billing,
            teams: TeamRow::all(teams),
            following: follows.into_iter().map(FollowedAccountRow::from).collect(),
            sessions: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teams_of_other_regions_are_listed_while_the_person_is_a_member() {
        let copy = |handle: &str, role: Option<Role>| MembershipCopy {
            team: "ws_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            user: "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            handle: handle.parse().unwrap(),
            region: Region::Ap,
            plan: Plan::Pro,
            role,
            since: Timestamp::UNIX_EPOCH,
            changes: 0,
        };
        let elsewhere = vec![copy("the-lab", Some(Role::Editor)), copy("the-past", None)];
        let rows = TeamRow::all(TeamsOfUser { here: Vec::new(), elsewhere });
        let expected = serde_json::json!([{
            "id": "ws_01m858qy4a1ar9by88nhafn40x", "username": "the-lab", "region": "ap", "role": "editor",
        }]);
        assert_eq!(serde_json::to_value(rows).unwrap(), expected);
    }
}
