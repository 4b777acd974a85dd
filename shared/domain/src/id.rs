//! Identifiers: opaque, prefixed, and sortable by creation time (a [ULID] in lower case).
//!
//! [ULID]: https://github.com/ulid/spec

use std::{fmt, marker::PhantomData, str::FromStr};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use ulid::{ULID_LEN, Ulid};

use crate::{
    entropy::{self, Entropy},
    secret::Digest256,
    text::Invalid,
};

/// The kind of an id. Defines the prefix.
pub trait IdKind: Send + Sync + 'static {
    /// The text before the underscore.
    const PREFIX: &'static str;
}

/// The id of a `K`: `prefix_` and 26 characters of Crockford's base 32.
pub struct Id<K> {
    ulid: Ulid,
    kind: PhantomData<fn() -> K>,
}

impl<K: IdKind> Id<K> {
    /// Makes a new id at `now`.
    pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Self::from(Ulid::from_parts(millis, u128::from_be_bytes(entropy::bytes(entropy))))
    }

    /// The id of `made_at` that a hash determines: the same for the same hash.
    pub fn derived(made_at: Timestamp, hash: Digest256) -> Self {
        let millis = u64::try_from(made_at.as_millisecond()).unwrap_or_default();
        Self::from(Ulid::from_parts(millis, hash.first_half()))
    }

    /// The smallest id of `now`: a bound for time ranges.
    pub fn floor(now: Timestamp) -> Self {
        Self::from(Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), 0))
    }

    /// The largest id of `now`.
    pub fn ceiling(now: Timestamp) -> Self {
        Self::from(Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), u128::MAX))
    }

    /// The preceding id.
    pub fn before(self) -> Self {
        let bits = u128::from_be_bytes(self.ulid.to_bytes()).saturating_sub(1);
        Self::from(Ulid::from_bytes(bits.to_be_bytes()))
    }

    /// The id of another kind with the same value, such as a user's personal workspace.
    pub fn cast<L: IdKind>(self) -> Id<L> {
        Id::from(self.ulid)
    }

    /// Time of creation, in milliseconds.
    pub fn made_at(self) -> Timestamp {
        let millis = i64::try_from(self.ulid.timestamp_ms()).unwrap_or(i64::MAX);
        Timestamp::from_millisecond(millis).unwrap_or(Timestamp::MAX)
    }

    /// The 26 characters without prefix.
    pub fn bare(self) -> String {
        self.write_bare(&mut [0; ULID_LEN]).to_owned()
    }

    fn write_bare<'a>(&self, buffer: &'a mut [u8; ULID_LEN]) -> &'a str {
        let bare = self.ulid.array_to_str(buffer);
        bare.make_ascii_lowercase();
        bare
    }
}

impl<K> From<Ulid> for Id<K> {
    fn from(ulid: Ulid) -> Self {
        Self { ulid, kind: PhantomData }
    }
}

impl<K: IdKind> FromStr for Id<K> {
    type Err = Invalid;

    /// Parses only the canonical form, so that each record has one id.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bare = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        let read = |bare| Some(Self::from(Ulid::from_string(bare).ok()?));
        let canonical = |id: &Self| bare == Some(id.write_bare(&mut [0; ULID_LEN]));
        bare.and_then(read).filter(canonical).ok_or(Invalid("Invalid id.".into()))
    }
}

impl<K: IdKind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.write_bare(&mut [0; ULID_LEN]))
    }
}

impl<K: IdKind> From<Id<K>> for String {
    fn from(id: Id<K>) -> Self {
        [K::PREFIX, "_", id.write_bare(&mut [0; ULID_LEN])].concat()
    }
}

impl<K: IdKind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.ulid == other.ulid
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.ulid.cmp(&other.ulid)
    }
}
impl<K> std::hash::Hash for Id<K> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        self.ulid.hash(state);
    }
}

impl<K: IdKind> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de, K: IdKind> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<K: IdKind> JsonSchema for Id<K> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("{}Id", K::PREFIX).into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX),
        })
    }
}

/// An id in a request. Malformed text is accepted and matches nothing, so that missing, hidden and malformed ids get
/// the same response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestedId<T>(Option<T>);

impl<T> RequestedId<T> {
    /// The id; `None` if malformed.
    pub fn known(self) -> Option<T> {
        self.0
    }
}

impl<'de, T: FromStr> serde::Deserialize<'de> for RequestedId<T> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Ok(Self(String::deserialize(from)?.parse().ok()))
    }
}

impl<T> JsonSchema for RequestedId<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "RequestedId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string" })
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $id:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        pub enum $kind {}
        impl IdKind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $id = Id<$kind>;
    )*};
}

kinds! {
    /// A user.
    OfUser UserId "user";
    /// A workspace. A user's personal workspace has the user's id with its own prefix.
    OfWorkspace WorkspaceId "ws";
    /// A session.
    OfSession SessionId "ses";
    /// An API key (the record, not the value).
    OfKey KeyId "key";
    /// An activity event.
    OfEvent EventId "evt";
    /// A sign-up attempt.
    OfAttempt AttemptId "att";
    /// An email address of an account.
    OfAddress AddressId "adr";
    /// A password reset request.
    OfReset ResetId "rst";
    /// Feedback to the operators.
    OfFeedback FeedbackId "fbk";
    /// An invitation to a team.
    OfInvitation InvitationId "inv";
    /// A message in the outbox.
    OfMessage MessageId "msg";
    /// A request.
    OfRequest RequestId "req";
    /// A project.
    OfProject ProjectId "proj";
    /// A dataset.
    OfDataset DatasetId "dset";
    /// A model.
    OfModel ModelId "model";
    /// An upload, and the resulting file.
    OfUpload UploadId "upl";
    /// A picture of a user or team.
    OfIcon IconId "icon";
    /// An export or deletion job.
    OfJob JobId "job";
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed;
    impl Entropy for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(0x5a);
        }
    }

    #[test]
    fn only_canonical_id_parses() {
        let id = KeyId::new(Timestamp::from_second(1_800_000_000).unwrap(), &Fixed);
        let text = id.to_string();
        assert_eq!(text.parse::<KeyId>().unwrap(), id);
        assert!(text.to_uppercase().parse::<KeyId>().is_err());
        assert!(text.replace("key_", "user_").parse::<KeyId>().is_err());
        assert!("key_".parse::<KeyId>().is_err());
        assert!("key_ééééééééééééé".parse::<KeyId>().is_err());
        assert_eq!(id.made_at().as_second(), 1_800_000_000);
    }

    #[test]
    fn malformed_requested_id_matches_nothing() {
        let id = KeyId::new(Timestamp::from_second(1_800_000_000).unwrap(), &Fixed);
        let read = |text: &str| serde_json::from_value::<RequestedId<KeyId>>(text.into()).unwrap().known();
        assert_eq!(read(&id.to_string()), Some(id));
        for text in
            ["", "507f1f77bcf86cd799439011", "\u{0}", &id.to_string().to_uppercase(), &"x".repeat(60_000)]
        {
            assert_eq!(read(text), None, "{text}");
        }
        assert!(serde_json::from_value::<RequestedId<KeyId>>(5.into()).is_err());
    }

    #[test]
    fn ids_sort_by_time_also_as_text() {
        let at = |second| EventId::new(Timestamp::from_second(second).unwrap(), &Fixed);
        assert!(at(1) < at(2) && at(1).to_string() < at(2).to_string());
        let now = Timestamp::from_second(5).unwrap();
        assert!(EventId::floor(now) < at(5) && at(5) < EventId::ceiling(now));
    }
}
