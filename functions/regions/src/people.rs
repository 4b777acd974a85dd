//! `POST /internal/regions/people`: what the members of a team see of users of this region. The region that asks shows it and does not
//! store it.

use std::sync::Arc;

use domain::{
    email::EmailAddress,
    id::{IconId, UserId},
    ports::{Accounts, Failure},
    user::User,
    workspace::Profile,
};
use kit::{
    Access, Body, Endpoint, OtherRegion, Output, Ports, RequestContext, Spec, grants::accounts, spec,
    spec::Method::Post,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The most users that a request may name.
pub const MOST: usize = 200;
/// The most users that one read returns.
const AT_ONCE: usize = 50;

/// Reads users of this region.
pub struct ReadPeople;

/// Dependencies.
pub struct Deps {
    accounts: Arc<dyn Accounts>,
}

/// The users.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct PeopleQuery {
    /// At most 200.
    pub users: Vec<UserId>,
}

/// Those of the users that have an account here.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct People {
    /// In any order.
    pub people: Vec<PersonCard>,
}
impl Output for People {}

/// What the members of a team see of a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PersonCard {
    /// The user.
    pub user: UserId,
    /// The primary address.
    #[serde(deserialize_with = "domain::email::existing")]
    pub email: EmailAddress,
    /// The picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<IconId>,
}

impl Endpoint for ReadPeople {
    const SPEC: Spec = spec("region-people", Post, "/internal/regions/people")
        .summary("Get the addresses and pictures of users of this region")
        .access(Access::region())
        .uses(&[accounts::PEOPLE]);
    type Caller = OtherRegion;
    type Deps = Deps;
    type Input = Body<PeopleQuery>;
    type Output = People;
    type Error = Failure;

    fn deps(ports: &impl Ports) -> Deps {
        Deps { accounts: ports.accounts() }
    }

    async fn handle(
        deps: &Deps,
        _: &RequestContext<OtherRegion>,
        Body(PeopleQuery { mut users }): Self::Input,
    ) -> Result<People, Failure> {
        users.truncate(MOST);
        Ok(People { people: cards(&*deps.accounts, &users).await? })
    }
}

/// Those of the users that have an account in this region.
///
/// # Errors
///
/// If AWS fails.
pub async fn cards(accounts: &dyn Accounts, users: &[UserId]) -> Result<Vec<PersonCard>, Failure> {
    let reads = users.chunks(AT_ONCE).map(|chunk| accounts.people(chunk));
    let found = futures::future::try_join_all(reads).await?;
    Ok(found.into_iter().flatten().map(card).collect())
}

fn card((user, profile): (User, Option<Profile>)) -> PersonCard {
    let image = profile.and_then(|profile| profile.image);
    PersonCard { user: user.id, email: user.primary_email, image }
}
