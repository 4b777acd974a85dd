//! API keys: `ul_` and 40 lower-case hexadecimal digits. The first 32 digits are random. The last 8 are a checksum of
//! the random digits and the home region, so that a mistyped key is refused, and a key of another region is forwarded,
//! without a read.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    entropy::{self, Entropy},
    handle::Handle,
    id::{KeyId, UserId, WorkspaceId},
    profile::KeyName,
    region::Region,
    sealing::Sealed,
    secret::{Digest256, Secret},
    user::personal_workspace,
    workspace::WorkspaceKind,
};

/// Number of characters kept for display.
const PREFIX_LENGTH: usize = 11;

/// A key's value.
#[derive(Clone)]
pub struct KeySecret(Secret);

impl KeySecret {
    /// Makes a key of a region with 128 random bits.
    pub fn generate(entropy: &dyn Entropy, region: Region) -> Self {
        let random = u128::from_be_bytes(entropy::bytes(entropy));
        let digits = format!("{random:032x}");
        let checksum = checksum(&digits, region);
        Self(Secret::new(format!("ul_{digits}{checksum:08x}")))
    }

    /// The complete key, for the one response that contains it and for encryption.
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The hash that identifies the key.
    pub fn hash(&self) -> Digest256 {
        Digest256::of(self.expose())
    }

    /// The first 11 characters, kept for display.
    pub fn prefix(&self) -> String {
        self.expose().chars().take(PREFIX_LENGTH).collect()
    }
}

/// What verification needs of a key that a request presents: not its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PresentedKey {
    /// The hash that identifies the key.
    pub hash: Digest256,
    /// The home region of the key's workspace.
    pub region: Region,
}

impl PresentedKey {
    /// Parses a presented key; `None` if the format or the checksum is wrong.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix("ul_")?;
        let hexadecimal = digits.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let (random, given) = (digits.len() == 40 && hexadecimal).then(|| digits.split_at(32))?;
        let given = u32::from_str_radix(given, 16).ok()?;
        let region = Region::ALL.into_iter().find(|region| checksum(random, *region) == given)?;
        Some(Self { hash: Digest256::of(text), region })
    }
}

/// The first 32 bits of the SHA-256 of region and digits.
fn checksum(digits: &str, region: Region) -> u32 {
    Digest256::of_both(region.as_str(), digits).first_bits()
}

/// The record of a key. Contains the value only in encrypted form.
#[derive(Clone, Serialize, Deserialize)]
pub struct ApiKey {
    /// The record's id.
    pub id: KeyId,
    /// The workspace of the key.
    pub workspace: WorkspaceId,
    /// The display name. Need not be unique.
    pub name: KeyName,
    /// The first characters of the value.
    pub prefix: String,
    /// The hash that identifies the key.
    pub hash: Digest256,
    /// The encrypted value.
    pub sealed: Sealed,
    /// Time of creation.
    pub created_at: Timestamp,
}

/// The holder of a key: everything that verification needs, in the item that the key's hash identifies. Immutable, so
/// it does not contain the workspace's owner, who may change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "StoredHolder")]
pub struct KeyHolder {
    /// The key's record.
    pub key: KeyId,
    /// The key's display name.
    pub name: KeyName,
    /// The workspace that the key acts in.
    pub workspace: WorkspaceId,
    /// The workspace's handle.
    pub handle: Handle,
    /// Personal or team.
    pub kind: WorkspaceKind,
    /// The workspace's home region.
    pub region: Region,
}

impl KeyHolder {
    /// The owner of a personal workspace, which shares its user's id. The record of a team names its owner.
    pub fn personal_owner(&self) -> Option<UserId> {
        (self.kind == WorkspaceKind::Personal).then(|| self.workspace.cast())
    }
}

/// A stored holder. Older records have a copy of the workspace's owner instead of the kind.
#[derive(Deserialize)]
struct StoredHolder {
    key: KeyId,
    name: KeyName,
    workspace: WorkspaceId,
    #[serde(deserialize_with = "crate::handle::existing")]
    handle: Handle,
    kind: Option<WorkspaceKind>,
    owner: Option<UserId>,
    region: Region,
}

impl From<StoredHolder> for KeyHolder {
    fn from(stored: StoredHolder) -> Self {
        let StoredHolder { key, name, workspace, handle, kind, owner, region } = stored;
        let is_personal = owner.is_some_and(|owner| personal_workspace(owner) == workspace);
        let copied = if is_personal { WorkspaceKind::Personal } else { WorkspaceKind::Team };
        Self { key, name, workspace, handle, kind: kind.unwrap_or(copied), region }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| self.0.fetch_add(7, std::sync::atomic::Ordering::Relaxed));
        }
    }

    #[test]
    fn key_has_client_format_and_parses_back() {
        let entropy = Counting(0.into());
        for _ in 0..1_000 {
            for region in Region::ALL {
                let key = KeySecret::generate(&entropy, region);
                assert_eq!((key.expose().len(), key.prefix().len()), (43, 11));
                let presented = PresentedKey::parse(key.expose()).unwrap();
                assert_eq!(presented, PresentedKey { hash: key.hash(), region });
            }
        }
    }

    #[test]
    fn stored_holder_with_owner_parses() {
        let user = UserId::floor(Timestamp::from_second(1).unwrap());
        let team = WorkspaceId::floor(Timestamp::from_second(2).unwrap());
        for (workspace, kind) in [(user.cast(), WorkspaceKind::Personal), (team, WorkspaceKind::Team)] {
            let mut holder = serde_json::json!({
                "key": KeyId::floor(Timestamp::from_second(3).unwrap()), "name": "ci", "workspace": workspace,
                "handle": "ada-lovelace", "owner": user, "region": "eu",
            });
            let old: KeyHolder = serde_json::from_value(holder.clone()).unwrap();
            assert_eq!(old.kind, kind);
            assert_eq!(old.personal_owner(), (kind == WorkspaceKind::Personal).then_some(user));
            let members = holder.as_object_mut().unwrap();
            members.remove("owner");
            members.insert("kind".to_owned(), serde_json::json!(kind));
            assert_eq!(serde_json::to_value(&old).unwrap(), holder);
            assert_eq!(serde_json::from_value::<KeyHolder>(holder).unwrap(), old);
        }
    }

    #[test]
    fn changed_digit_fails_checksum() {
        let key = KeySecret::generate(&Counting(1.into()), Region::Ap).expose().to_owned();
        for at in 3..43 {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'0' { b'1' } else { b'0' };
            assert!(PresentedKey::parse(std::str::from_utf8(&bytes).unwrap()).is_none(), "digit {at}");
        }
        for bad in [
            key.to_uppercase(),
            format!("{key}0"),
            key[..42].to_owned(),
            key.replace("ul_", "ul-"),
            "ul_é".into(),
        ] {
            assert!(PresentedKey::parse(&bad).is_none(), "{bad}");
        }
    }
}
