//! Domain events. A change writes its event to the outbox in its own transaction; the outbox's stream publishes it to the
//! functions that consume it. An event's row names its type and its consumers; subscriptions derive from it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{
    follow::FollowedHash,
    handle::Handle,
    id::{
        AddressId, AttemptId, FeedbackId, InvitationId, JobId, KeyId, MessageId, ResetId, SessionId, UserId,
        WorkspaceId,
    },
    mail_content::MailContent,
    payment::PaymentSubject,
    profile::KeyName,
    provider::{IdentityHash, Provider},
    region::Region,
    resource::ResourceId,
    user::EmailHash,
    wallet::TopUpPause,
};

/// A type of domain event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventType {
    /// The `detail-type` on the bus.
    pub name: &'static str,
    /// The functions that handle events of this type.
    pub consumers: Consumers,
}

/// The functions that handle events of a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consumers {
    /// The functions with these ids. Each of them receives every event.
    Functions(&'static [&'static str]),
    /// No function, for this reason.
    None(&'static str),
}

impl EventType {
    /// The ids of the functions that handle events of this type.
    pub const fn functions(self) -> &'static [&'static str] {
        match self.consumers {
            Consumers::Functions(functions) => functions,
            Consumers::None(_) => &[],
        }
    }
}

const fn to(functions: &'static [&'static str]) -> Consumers {
    Consumers::Functions(functions)
}

const fn unconsumed(reason: &'static str) -> Consumers {
    Consumers::None(reason)
}

/// Declares the domain events, one row each: fields, name on the bus, consumers.
macro_rules! domain_events {
    ($(
        $(#[$doc:meta])*
        $event:ident $({ $($(#[$of_field:meta])* $field:ident: $type:ty,)* })? $name:literal $consumers:expr;
    )*) => {
        /// Something that happened. An event carries ids; consumers read what they need, so that nothing personal or secret
        /// is on the bus.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "type", rename_all_fields = "camelCase")]
        pub enum DomainEvent {
            $($(#[$doc])* #[serde(rename = $name)] $event $({ $($(#[$of_field])* $field: $type,)* })?,)*
        }

        impl DomainEvent {
            /// Every type of event.
            pub const TYPES: &'static [EventType] = &[$(EventType { name: $name, consumers: $consumers },)*];

            /// The name of the event's type.
            pub const fn name(&self) -> &'static str {
                match self {
                    $(Self::$event { .. } => $name,)*
                }
            }
        }
    };
}

domain_events! {
    /// A sign-up started. The address receives a code, or a mail that it has an account.
    SignUpStarted {
        /// The sign-up record.
        address: EmailHash,
        /// The attempt in that record.
        attempt: AttemptId,
    } "sign-up-started" to(&["send-mail"]);

    /// An address was verified and an account was created.
    AccountOpened {
        /// The new user.
        user: UserId,
        /// The address, for its claim in the directory.
        address: EmailHash,
        /// The provider's identity that opened it, if one did, for its claim.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        identity: Option<IdentityHash>,
    } "account-opened" to(&["confirm-claims"]);

    /// A code was requested for an address that was added to an account. The address receives the code, or a mail that it
    /// belongs to another account.
    AddressCodeRequested {
        /// The account's user.
        user: UserId,
        /// The id that the code is derived from.
        attempt: AttemptId,
    } "address-code-requested" to(&["send-mail"]);

    /// Another address of an account was verified.
    AddressVerified {
        /// The account's user, who receives a mail at the primary address.
        user: UserId,
        /// The address, for its claim in the directory.
        address: EmailHash,
        /// The address in the account's record.
        id: AddressId,
        /// Whether it is the account's first company address, by which an account gets a bonus once. One address may be the first
        /// of several accounts, one after the other.
        first_company: bool,
    } "address-verified" to(&["confirm-claims", "send-mail", "credit-company-address"]);

    /// A verified address was removed from an account.
    AddressRemoved {
        /// The account's user, who receives a mail at the primary address.
        user: UserId,
        /// The address, whose claim in the directory ends.
        address: EmailHash,
    } "address-removed" to(&["confirm-claims", "send-mail"]);

    /// Another address became the primary one of an account.
    PrimaryAddressChanged {
        /// The account's user.
        user: UserId,
        /// The former primary address, which receives a mail.
        former: AddressId,
    } "primary-address-changed" to(&["send-mail"]);

    /// A workspace was created.
    WorkspaceOpened {
        /// The new workspace.
        workspace: WorkspaceId,
        /// Its handle, for its claim in the directory.
        #[serde(deserialize_with = "crate::handle::existing")]
        handle: Handle,
    } "workspace-opened" to(&["confirm-claims", "credit-company-address"]);

    /// An address was invited to a team, or its invitation was sent again. The address receives a token.
    MemberInvited {
        /// The team.
        team: WorkspaceId,
        /// The invitation.
        invitation: InvitationId,
    } "member-invited" to(&["send-mail"]);

    /// The role of a member changed.
    MemberRoleChanged {
        /// The team.
        team: WorkspaceId,
        /// The member, who receives a mail.
        user: UserId,
    } "member-role-changed" to(&["send-mail"]);

    /// A member was removed from a team.
    MemberRemoved {
        /// The team.
        team: WorkspaceId,
        /// The former member, who receives a mail.
        user: UserId,
        /// The former member's home, if it is another region.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        home: Option<Region>,
    } "member-removed" to(&["send-mail"]);

    /// A team passed to another owner.
    TeamTransferred {
        /// The team.
        team: WorkspaceId,
        /// The new owner, who receives a mail.
        user: UserId,
    } "team-transferred" to(&["send-mail"]);

    /// The membership of a user from another region began, changed or ended. The user's home keeps a copy of it.
    MembershipChanged {
        /// The team.
        team: WorkspaceId,
        /// Its handle.
        #[serde(deserialize_with = "crate::handle::existing")]
        handle: Handle,
        /// The user.
        user: UserId,
        /// The user's home region.
        home: Region,
        /// When the user joined.
        since: Timestamp,
    } "membership-changed" to(&["tell-regions"]);

    /// The account of a member of a team in another region was deleted. That region ends the membership.
    MembershipEnds {
        /// The team.
        team: WorkspaceId,
        /// The team's region.
        region: Region,
        /// The user.
        user: UserId,
    } "membership-ends" to(&["tell-regions"]);

    /// A mail without personal data was written to a user from another region. The user's home sends it.
    MailWritten {
        /// The user.
        user: UserId,
        /// The user's home region.
        home: Region,
        /// The mail.
        content: MailContent,
    } "mail-written" to(&["tell-regions"]);

    /// The settings of a workspace changed.
    SettingsChanged {
        /// The workspace.
        workspace: WorkspaceId,
    } "settings-changed" unconsumed("no function depends on settings");

    /// An API key was created.
    ApiKeyCreated {
        /// The key's workspace.
        workspace: WorkspaceId,
        /// The user who created it and who receives a mail.
        user: UserId,
        /// The key.
        key: KeyId,
        /// The key's name.
        name: KeyName,
    } "api-key-created" to(&["send-mail"]);

    /// An API key was revoked.
    ApiKeyRevoked {
        /// The key's workspace.
        workspace: WorkspaceId,
        /// The key.
        key: KeyId,
    } "api-key-revoked" unconsumed("every check reads the key");

    /// A rotated refresh token was used again, and its session was ended.
    RefreshTokenReused {
        /// The session's user, who receives a mail.
        user: UserId,
        /// The session.
        session: SessionId,
    } "refresh-token-reused" to(&["send-mail"]);

    /// A session began on a device without a device token of its user.
    NewDeviceSignedIn {
        /// The session's user, who receives a mail.
        user: UserId,
        /// The session.
        session: SessionId,
    } "new-device-signed-in" to(&["send-mail"]);

    /// A password reset was requested. If the address has an account, its primary address receives a token.
    PasswordForgotten {
        /// The address that was entered.
        address: EmailHash,
        /// The id that the token is derived from.
        reset: ResetId,
    } "password-forgotten" to(&["send-mail"]);

    /// A provider's identity was connected to an account.
    ProviderConnected {
        /// The user, who receives a mail.
        user: UserId,
        /// The provider.
        provider: Provider,
        /// The identity, for its claim in the directory.
        identity: IdentityHash,
    } "provider-connected" to(&["confirm-claims", "send-mail"]);

    /// A provider's identity was disconnected from an account.
    ProviderDisconnected {
        /// The user, who receives a mail.
        user: UserId,
        /// The provider.
        provider: Provider,
        /// The identity, whose claim in the directory is given up.
        identity: IdentityHash,
    } "provider-disconnected" to(&["confirm-claims", "send-mail"]);

    /// A password was changed.
    PasswordChanged {
        /// The user, who receives a mail.
        user: UserId,
    } "password-changed" to(&["send-mail"]);

    /// A resource was deleted permanently. Everything in it must be removed.
    PurgeBegun {
        /// The resource's workspace.
        workspace: WorkspaceId,
        /// The resource.
        root: ResourceId,
    } "purge-begun" to(&["purge-trash"]);

    /// The trash of a workspace was emptied. Everything in it must be removed.
    TrashEmptied {
        /// The workspace.
        workspace: WorkspaceId,
    } "trash-emptied" to(&["purge-trash"]);

    /// More is due than one run of `purge-trash` removes.
    PurgeGoesOn "purge-goes-on" to(&["purge-trash"]);

    /// The plan of a workspace changed.
    PlanChanged {
        /// The workspace.
        workspace: WorkspaceId,
    } "plan-changed" to(&["grant-monthly-credits"]);

    /// An object at Stripe changed: a payment, a saved payment method or a subscription.
    PaymentChanged {
        /// The object.
        subject: PaymentSubject,
    } "payment-changed" to(&["apply-payments"]);

    /// Automatic top-ups of a workspace paused. Its owner receives a mail.
    TopUpsPaused {
        /// The workspace.
        workspace: WorkspaceId,
        /// Why.
        reason: TopUpPause,
    } "top-ups-paused" to(&["send-mail"]);

    /// What a referred user has topped up crossed the threshold for the reward of the referrer, upwards or downwards.
    ReferralChanged {
        /// The workspace of the referred user.
        workspace: WorkspaceId,
    } "referral-changed" to(&["reward-referrers"]);

    /// An export has more to write.
    ExportGoesOn {
        /// The user who requested it.
        user: UserId,
        /// The export.
        export: JobId,
    } "export-goes-on" to(&["run-export"]);

    /// The bundle of an export is ready for download.
    ExportReady {
        /// The user who requested it and who receives a mail.
        user: UserId,
        /// The export.
        export: JobId,
    } "export-ready" to(&["send-mail"]);

    /// The number of a region's users who follow an account changed.
    FollowersChanged {
        /// The followed account.
        followed: FollowedHash,
    } "followers-changed" to(&["publish-followers"]);

    /// Feedback was received. The operators receive it by mail.
    FeedbackReceived {
        /// The stored feedback.
        feedback: FeedbackId,
    } "feedback-received" to(&["send-mail"]);

    /// The deletion of an account or a team has more to erase.
    DeletionGoesOn {
        /// The user who requested it.
        user: UserId,
        /// The deletion.
        deletion: JobId,
    } "deletion-goes-on" to(&["run-deletion"]);
}

impl DomainEvent {
    /// The names of the types that this function consumes.
    pub fn consumed_by(function: &str) -> impl Iterator<Item = &'static str> + use<'_> {
        let is_consumed = move |event: &&EventType| event.functions().contains(&function);
        Self::TYPES.iter().filter(is_consumed).map(|event| event.name)
    }

    /// The subject of the event. Events with the same subject are published in order.
    pub fn subject(&self) -> String {
        match self {
            Self::SignUpStarted { address, .. } => format!("sign-up/{address}"),
            Self::PasswordForgotten { address, .. } => format!("password-reset/{address}"),
            Self::AccountOpened { user, .. }
            | Self::ProviderConnected { user, .. }
            | Self::ProviderDisconnected { user, .. }
            | Self::AddressCodeRequested { user, .. }
            | Self::AddressVerified { user, .. }
            | Self::AddressRemoved { user, .. }
            | Self::PrimaryAddressChanged { user, .. }
            | Self::RefreshTokenReused { user, .. }
            | Self::NewDeviceSignedIn { user, .. }
            | Self::PasswordChanged { user } => user.to_string(),
            Self::MemberInvited { team, .. }
            | Self::MemberRoleChanged { team, .. }
            | Self::MemberRemoved { team, .. }
            | Self::TeamTransferred { team, .. } => team.to_string(),
            Self::MembershipChanged { team, user, .. } | Self::MembershipEnds { team, user, .. } => {
                format!("{team}/{user}")
            }
            Self::MailWritten { user, .. } => user.to_string(),
            Self::WorkspaceOpened { workspace, .. }
            | Self::SettingsChanged { workspace }
            | Self::ApiKeyCreated { workspace, .. }
            | Self::ApiKeyRevoked { workspace, .. }
            | Self::TrashEmptied { workspace }
            | Self::PlanChanged { workspace }
            | Self::TopUpsPaused { workspace, .. }
            | Self::ReferralChanged { workspace } => workspace.to_string(),
            Self::PurgeBegun { root, .. } => root.to_string(),
            Self::PaymentChanged { subject } => subject.to_string(),
            Self::PurgeGoesOn => "purge".to_owned(),
            Self::ExportGoesOn { export, .. } | Self::ExportReady { export, .. } => export.to_string(),
            Self::FollowersChanged { followed } => format!("followers/{followed}"),
            Self::FeedbackReceived { feedback } => feedback.to_string(),
            Self::DeletionGoesOn { deletion, .. } => deletion.to_string(),
        }
    }
}

/// A domain event in the outbox and on the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Identifies the message: a consumer handles it once.
    pub id: MessageId,
    /// When the message was written.
    pub at: Timestamp,
    /// The event.
    pub notice: DomainEvent,
}

/// A message as the outbox stores it, for its publication: the event may be of a type that only a newer version knows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OutboxMessage {
    /// Identifies the message.
    pub id: MessageId,
    /// When the message was written.
    pub at: Timestamp,
    /// The event.
    pub notice: AnyEvent,
}

/// A domain event of any type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AnyEvent {
    /// The name of the event's type.
    #[serde(rename = "type")]
    pub name: String,
    /// The fields of that type.
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

#[cfg(test)]
mod tests {
    use serde_json::{from_value, json, to_value};

    use super::*;

    #[test]
    fn event_of_newer_version_is_published_as_it_is_stored() {
        let known = json!({
            "id": "msg_01m858qy4a1ar9by88nhafn40x", "at": "2026-11-01T00:00:00Z",
            "notice": { "type": "trash-emptied", "workspace": "ws_01m858qy4a1ar9by88nhafn40x" },
        });
        assert_eq!(to_value(from_value::<Message>(known.clone()).unwrap()).unwrap(), known);
        let mut newer = known.clone();
        newer["notice"] = json!({ "type": "invented-later", "to": ["a", 1, { "b": null }] });
        for stored in [known, newer.clone()] {
            assert_eq!(to_value(from_value::<OutboxMessage>(stored.clone()).unwrap()).unwrap(), stored);
        }
        assert!(from_value::<Message>(newer.clone()).is_err());
        newer["notice"]["type"].take();
        assert!(from_value::<OutboxMessage>(newer).is_err());
    }
}
