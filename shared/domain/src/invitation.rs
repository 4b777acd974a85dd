//! Invitations to teams.
//!
//! The mail carries a token whose secret is derived from the invitation's id and the time at which it was last sent, so that
//! resending makes another one. Only the secret's SHA-256 is stored.

use jiff::{SignedDuration, Timestamp};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    id::{InvitationId, UserId, WorkspaceId},
    pasted,
    region::Region,
    role::Role,
    secret::{Derived, Digest256, MacKey, Secret},
    text::Invalid,
    time::after,
    user::EmailHash,
};

/// How long an invitation can be accepted after it was sent.
pub const VALID: SignedDuration = SignedDuration::from_hours(14 * 24);

/// The role that a member gets by invitation or change. A team gets another owner by transfer only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
pub enum GivenRole {
    /// Can view resources, members and the balance.
    Viewer,
    /// Can also create, update, trash and restore resources.
    Editor,
    /// Can also edit the profile, billing and members below admin.
    Admin,
}

impl From<GivenRole> for Role {
    fn from(role: GivenRole) -> Self {
        match role {
            GivenRole::Viewer => Self::Viewer,
            GivenRole::Editor => Self::Editor,
            GivenRole::Admin => Self::Admin,
        }
    }
}

/// A pending invitation. Accepting, declining or cancelling deletes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Invitation {
    /// The id.
    pub id: InvitationId,
    /// The team.
    pub team: WorkspaceId,
    /// The invited address.
    #[serde(deserialize_with = "crate::email::existing")]
    pub email: EmailAddress,
    /// The hash of the address.
    pub address: EmailHash,
    /// The role of the member-to-be.
    pub role: Role,
    /// The member who invited.
    pub invited_by: UserId,
    /// When the address was invited first.
    pub created_at: Timestamp,
    /// When the valid token was made.
    pub sent_at: Timestamp,
    /// The SHA-256 of the valid token's secret.
    pub secret: Digest256,
    /// Counts changes: every write is conditional on it.
    pub version: u64,
}

impl Invitation {
    /// When the invitation expires.
    pub fn expires_at(&self) -> Timestamp {
        after(self.sent_at, VALID)
    }

    /// Whether the invitation can be accepted, as far as time matters.
    pub fn is_pending(&self, now: Timestamp) -> bool {
        now < self.expires_at()
    }

    /// The invitation sent again: earlier tokens end, and the 14 days start again.
    #[must_use]
    pub fn sent_again(&self, now: Timestamp, region: Region, key: &MacKey) -> Self {
        let next = Self { sent_at: now, version: self.version.saturating_add(1), ..self.clone() };
        let secret = InvitationToken::new(region, &next, key).secret_hash();
        Self { secret, ..next }
    }
}

/// The mailed token: `ti_<region>_<team>_<invitation>_<43 characters>`.
///
/// Contains the region, so that every region can forward the request, and team and invitation, so that they are found without a
/// search.
#[derive(Clone)]
pub struct InvitationToken {
    /// The team's region.
    pub region: Region,
    /// The team.
    pub team: WorkspaceId,
    /// The invitation.
    pub invitation: InvitationId,
    secret: Derived,
}

impl InvitationToken {
    /// Derives the token of an invitation as it was last sent. `key` is the key of that time.
    pub fn new(region: Region, invitation: &Invitation, key: &MacKey) -> Self {
        let (team, id) = (invitation.team, invitation.id);
        let sent_at = invitation.sent_at.as_nanosecond().to_string();
        let parts = [team.to_string(), id.to_string(), sent_at];
        let secret = Derived::new(key, "team-invitation", &parts.each_ref().map(|part| part.as_bytes()));
        Self { region, team, invitation: id, secret }
    }

    /// The stored hash of the secret.
    pub fn secret_hash(&self) -> Digest256 {
        Digest256::of(self.secret.text())
    }

    /// Whether this is the valid token of an invitation.
    pub fn opens(&self, invitation: &Invitation) -> bool {
        self.team == invitation.team
            && self.invitation == invitation.id
            && self.secret_hash().matches(invitation.secret)
    }

    /// The token in text form, for the email.
    pub fn text(&self) -> Secret {
        let secret = self.secret.text();
        Secret::new(format!("ti_{}_{}_{}_{secret}", self.region, self.team.bare(), self.invitation.bare()))
    }
}

impl std::str::FromStr for InvitationToken {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = pasted::token(text);
        let mut parts = text.splitn(5, '_');
        let mut next = || parts.next().unwrap_or_default();
        let token = (next() == "ti").then(|| {
            let region = next().parse().ok()?;
            let team = format!("ws_{}", next()).parse().ok()?;
            let invitation = format!("inv_{}", next()).parse().ok()?;
            let secret = Derived::parse(next())?;
            Some(Self { region, team, invitation, secret })
        });
        token
            .flatten()
            .ok_or(Invalid::new("Invalid invitation. Open the link in the email, or copy the whole line."))
    }
}

impl<'de> Deserialize<'de> for InvitationToken {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for InvitationToken {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "InvitationToken".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let id = "[0-7][0-9a-hjkmnp-tv-z]{25}";
        json_schema!({
            "type": "string",
            "pattern": format!("^ti_(us|eu|ap)_{id}_{id}_[A-Za-z0-9_-]{{42}}[AEIMQUYcgkosw048]$"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn key() -> MacKey {
        MacKey::new([3; 32])
    }

    fn invitation() -> Invitation {
        let first = Invitation {
            id: "inv_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            team: "ws_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            email: EmailAddress::parse("ada@people.example").unwrap(),
            address: EmailHash(Digest256::of("a")),
            role: Role::Editor,
            invited_by: "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap(),
            created_at: at(0),
            sent_at: at(0),
            secret: Digest256::of(""),
            version: 0,
        };
        first.sent_again(at(0), Region::Eu, &key())
    }

    #[test]
    fn resent_invitation_ends_the_earlier_token() {
        let first = invitation();
        let second = first.sent_again(at(1), Region::Eu, &key());
        let token = |of: &Invitation| InvitationToken::new(Region::Eu, of, &key());
        assert!(token(&first).opens(&first) && token(&second).opens(&second));
        assert!(!token(&first).opens(&second) && !token(&second).opens(&first));
        assert_eq!((first.version, second.version, second.created_at), (1, 2, at(0)));
    }

    #[test]
    fn invitation_expires_fourteen_days_after_it_was_sent() {
        let second = invitation().sent_again(at(100), Region::Eu, &key());
        assert!(second.is_pending(at(100 + 14 * 86_400 - 1)) && !second.is_pending(at(100 + 14 * 86_400)));
    }

    #[test]
    fn token_of_another_team_or_invitation_opens_nothing() {
        let of = invitation();
        let token = InvitationToken::new(Region::Eu, &of, &key());
        let other = "ws_01m858qy4a1ar9by88nhafn40y".parse().unwrap();
        assert!(!InvitationToken { team: other, ..token.clone() }.opens(&of));
        assert!(!token.opens(&Invitation { team: other, ..of.clone() }));
        assert!(!InvitationToken::new(Region::Eu, &of, &MacKey::new([4; 32])).opens(&of));
    }

    #[test]
    fn only_well_formed_token_parses() {
        let text = InvitationToken::new(Region::Eu, &invitation(), &key()).text().expose().to_owned();
        assert!(format!(" {text}\n").parse::<InvitationToken>().ok().unwrap().opens(&invitation()));
        for bad in [
            "",
            "ti_",
            &text.replace("_eu_", "_xx_"),
            &text.to_uppercase(),
            &text[..100],
            &format!("{text}A"),
        ] {
            assert!(bad.parse::<InvitationToken>().is_err(), "{bad}");
        }
    }
}
