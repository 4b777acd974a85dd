//! User, password and address.  Table `identity`: PK `USER#<user>`  SK `USER`; PK `PASSWORD#<user>`  SK `PASSWORD`; PK
//! `EMAIL#<address hash>`  SK `EMAIL` (uniqueness).
//! Reads: the user of an address (get), the credentials for a sign-in (batch get of user, password and workspace), a password
//! (get), people of a list with their profiles (batch get), all strongly consistent.

use async_trait::async_trait;
use domain::{
    credential::PasswordHash,
    id::{UserId, WorkspaceId},
    ports::{Accounts, Credentials, Failure, Outcome},
    user::{EmailHash, User, personal_workspace},
    workspace::{Profile, ProfileRecord},
};
use serde::{Deserialize, Serialize};
use tables::ItemKind;

use crate::{
    client::Store,
    item::{Item, Key, from_item, text, to_item},
    transaction::Condition,
    workspaces,
};

#[derive(Serialize, Deserialize)]
struct AddressOf {
    user: UserId,
}

#[derive(Serialize, Deserialize)]
struct PasswordOf {
    password: PasswordHash,
}

pub fn user_key(user: UserId) -> Key {
    Key::new(ItemKind::Users, user, "USER")
}

pub fn password_key(user: UserId) -> Key {
    Key::new(ItemKind::Passwords, user, "PASSWORD")
}

pub fn address_key(address: EmailHash) -> Key {
    Key::new(ItemKind::Addresses, address, "EMAIL")
}

/// The key of a user's verified addresses, an item of [`crate::user_addresses`].
pub fn verified_key(user: UserId) -> Key {
    Key::new(ItemKind::UserAddresses, user, "VERIFIED")
}

pub fn user_item(user: &User) -> Outcome<(Key, Item)> {
    let key = user_key(user.id);
    Ok((key.clone(), to_item(&key, user)?))
}

pub fn password_item(user: UserId, password: &PasswordHash) -> Outcome<(Key, Item)> {
    let key = password_key(user);
    Ok((key.clone(), to_item(&key, &PasswordOf { password: password.clone() })?))
}

/// The stored hash is this one.
pub fn password_is(user: UserId, password: &PasswordHash) -> Outcome<Condition> {
    let (_, mut item) = password_item(user, password)?;
    let hash = item.remove("password").ok_or_else(|| Failure::Broken("no hash in its item".to_owned()))?;
    Ok(Condition::of("password = :password", [(":password", hash)]))
}

/// The stored primary address is this one.
pub fn address_is(user: &User) -> Condition {
    Condition::of("primary_email = :address", [(":address", text(&user.primary_email))])
}

/// The address is this user's, or free.
pub fn belongs_to(user: UserId) -> Condition {
    let own = "attribute_not_exists(pk) OR #user = :user";
    Condition::of(own, [(":user", text(user))]).naming("#user", "user")
}

pub fn address_item(address: EmailHash, user: UserId) -> Outcome<(Key, Item)> {
    let key = address_key(address);
    Ok((key.clone(), to_item(&key, &AddressOf { user })?))
}

#[async_trait]
impl Accounts for Store {
    async fn by_address(&self, address: EmailHash) -> Outcome<Option<UserId>> {
        let found: Option<AddressOf> = self.get(address_key(address)).await?.map(from_item).transpose()?;
        Ok(found.map(|address| address.user))
    }

    async fn credentials(&self, user: UserId) -> Outcome<Option<Credentials>> {
        let keys = [user_key(user), password_key(user), workspaces::key_of(personal_workspace(user))];
        let mut items = self.get_all(&keys).await?.into_iter();
        let mut next = || items.next().flatten();
        let (user, password, workspace) = (next(), next(), next());
        let (Some(user), Some(password)) = (user, password) else { return Ok(None) };
        let password: PasswordOf = from_item(password)?;
        Ok(Some(Credentials {
            user: from_item(user)?,
            password: password.password,
            onboarded: workspace.is_some(),
        }))
    }

    async fn password(&self, user: UserId) -> Outcome<Option<PasswordHash>> {
        let found: Option<PasswordOf> = self.get(password_key(user)).await?.map(from_item).transpose()?;
        Ok(found.map(|found| found.password))
    }

    async fn user(&self, user: UserId) -> Outcome<Option<User>> {
        self.get(user_key(user)).await?.map(from_item).transpose()
    }

    async fn people(&self, users: &[UserId]) -> Outcome<Vec<(User, Option<Profile>)>> {
        if users.is_empty() {
            return Ok(Vec::new());
        }
        let own = |user: &UserId| workspaces::profile_key(personal_workspace(*user));
        let keys: Vec<Key> = users.iter().flat_map(|user| [user_key(*user), own(user)]).collect();
        let mut items = self.get_all(&keys).await?.into_iter();
        let mut people: Vec<(User, Option<Profile>)> = Vec::new();
        while let (Some(user), Some(profile)) = (items.next(), items.next()) {
            let Some(user) = user else { continue };
            let profile: Option<ProfileRecord> = profile.map(from_item).transpose()?;
            people.push((from_item(user)?, profile.map(|record| record.profile)));
        }
        let nameless = people.iter().filter(|(_, profile)| profile.is_none());
        let nameless: Vec<WorkspaceId> = nameless.map(|(user, _)| personal_workspace(user.id)).collect();
        let mut others = self.unmoved_profiles(&nameless).await?;
        for (user, profile) in people.iter_mut().filter(|(_, profile)| profile.is_none()) {
            *profile = others.remove(&personal_workspace(user.id)).map(|record| record.profile);
        }
        Ok(people)
    }
}
