//! Identifiers: opaque, prefixed, and sortable by the time they were made (a [ULID] in lower case).
//!
//! [ULID]: https://github.com/ulid/spec

use std::{fmt, marker::PhantomData, str::FromStr};

use jiff::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use ulid::{ULID_LEN, Ulid};

use crate::{
    entropy::{self, Entropy},
    text::Invalid,
};

/// What an id names; gives the prefix.
pub trait Kind: Send + Sync + 'static {
    /// What stands before the underscore.
    const PREFIX: &'static str;
}

/// The id of a `K`, written `prefix_` and 26 characters of Crockford's base 32.
pub struct Id<K> {
    ulid: Ulid,
    kind: PhantomData<fn() -> K>,
}

impl<K: Kind> Id<K> {
    /// A new id, made at `now`.
    pub fn new(now: Timestamp, entropy: &dyn Entropy) -> Self {
        let millis = u64::try_from(now.as_millisecond()).unwrap_or_default();
        Self::from(Ulid::from_parts(millis, u128::from_be_bytes(entropy::bytes(entropy))))
    }

    /// The smallest id that can be made at `now`: a bound for ranges in time.
    pub fn floor(now: Timestamp) -> Self {
        Self::from(Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), 0))
    }

    /// The largest id that can be made at `now`.
    pub fn ceiling(now: Timestamp) -> Self {
        Self::from(Ulid::from_parts(u64::try_from(now.as_millisecond()).unwrap_or_default(), u128::MAX))
    }

    /// The id right before this one.
    pub fn before(self) -> Self {
        let bits = u128::from_be_bytes(self.ulid.to_bytes()).saturating_sub(1);
        Self::from(Ulid::from_bytes(bits.to_be_bytes()))
    }

    /// The id of another kind that belongs to this one, such as a user's personal workspace.
    pub fn cast<L: Kind>(self) -> Id<L> {
        Id::from(self.ulid)
    }

    /// When it was made, to the millisecond.
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

impl<K: Kind> FromStr for Id<K> {
    type Err = Invalid;

    /// Reads only the canonical form, so that one record has one name.
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let bare = text.strip_prefix(K::PREFIX).and_then(|rest| rest.strip_prefix('_'));
        let read = |bare| Some(Self::from(Ulid::from_string(bare).ok()?));
        let canonical = |id: &Self| bare == Some(id.write_bare(&mut [0; ULID_LEN]));
        bare.and_then(read).filter(canonical).ok_or(Invalid("This is not a valid id.".into()))
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}_{}", K::PREFIX, self.write_bare(&mut [0; ULID_LEN]))
    }
}

impl<K: Kind> From<Id<K>> for String {
    fn from(id: Id<K>) -> Self {
        [K::PREFIX, "_", id.write_bare(&mut [0; ULID_LEN])].concat()
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
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

impl<K: Kind> serde::Serialize for Id<K> {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de, K: Kind> serde::Deserialize<'de> for Id<K> {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

impl<K: Kind> JsonSchema for Id<K> {
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

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $id:ident $prefix:literal;)*) => {$(
        $(#[$doc])*
        pub enum $kind {}
        impl Kind for $kind {
            const PREFIX: &'static str = $prefix;
        }
        $(#[$doc])*
        pub type $id = Id<$kind>;
    )*};
}

kinds! {
    /// A person who signs in.
    OfUser UserId "user";
    /// The owner of resources. A user's personal workspace has the user's id under its own prefix.
    OfWorkspace WorkspaceId "ws";
    /// One sign-in on one device.
    OfSession SessionId "ses";
    /// An API key (its record, never its value).
    OfKey KeyId "key";
    /// A line of a workspace's history.
    OfEvent EventId "evt";
    /// An attempt at signing up.
    OfAttempt AttemptId "att";
    /// A password reset that somebody asked for.
    OfReset ResetId "rst";
    /// A message in the outbox.
    OfMessage MessageId "msg";
    /// One request.
    OfRequest RequestId "req";
    /// A project.
    OfProject ProjectId "proj";
    /// A dataset.
    OfDataset DatasetId "dset";
    /// A model.
    OfModel ModelId "model";
    /// The upload of one file, and then the file.
    OfUpload UploadId "upl";
    /// An export or a deletion that somebody asked for.
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
    fn an_id_reads_back_only_in_its_canonical_form() {
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
    fn later_ids_sort_after_earlier_ones_as_text_too() {
        let at = |second| EventId::new(Timestamp::from_second(second).unwrap(), &Fixed);
        assert!(at(1) < at(2) && at(1).to_string() < at(2).to_string());
        let now = Timestamp::from_second(5).unwrap();
        assert!(EventId::floor(now) < at(5) && at(5) < EventId::ceiling(now));
    }
}
