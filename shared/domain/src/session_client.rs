//! The client of a session: its device and network address, for the user's list of sessions and for mail.
//!
//! A session may begin before its user has a workspace, and so before there is a data key. The client is encrypted with a key that
//! is derived from the region's derivation key and the session.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    entropy::Entropy,
    sealing::{SealError, SealingKey},
    secret::{Derived, MacKey},
    session::Session,
    user_agent::Device,
};

/// The client that last began or refreshed a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionClient {
    /// Browser and operating system.
    pub device: Device,
    /// The network address.
    pub address: Option<IpAddr>,
}

impl SessionClient {
    /// The client of a session. `None` for a session that was stored before clients were.
    pub fn of(session: &Session, key: &MacKey) -> Result<Option<Self>, SealError> {
        let Some(sealed) = &session.client else { return Ok(None) };
        let place = ClientBinding::of(session);
        let json = place.key(key)?.open(&place.parts(), sealed)?;
        serde_json::from_slice(&json).map(Some).map_err(|_| SealError::Unreadable)
    }

    /// The session with this client. A session that has the same client stays as it is; one whose client is unreadable gets this one.
    pub fn enter(&self, session: Session, key: &MacKey, entropy: &dyn Entropy) -> Result<Session, SealError> {
        if Self::of(&session, key).ok().flatten().as_ref() == Some(self) {
            return Ok(session);
        }
        let place = ClientBinding::of(&session);
        let json = serde_json::to_vec(self).map_err(|_| SealError::Unsealable)?;
        let sealed = place.key(key)?.seal(&place.parts(), &json, entropy)?;
        Ok(Session { client: Some(sealed), ..session })
    }
}

/// What a client is bound to.
struct ClientBinding {
    user: String,
    session: String,
}

impl ClientBinding {
    fn of(session: &Session) -> Self {
        Self { user: session.user.to_string(), session: session.id.to_string() }
    }

    fn parts(&self) -> [&[u8]; 2] {
        [self.user.as_bytes(), self.session.as_bytes()]
    }

    fn key(&self, key: &MacKey) -> Result<SealingKey, SealError> {
        SealingKey::new(Derived::new(key, "session-client", &self.parts()).bytes())
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::{id::Id, region::Region, sealing::Sealed, session::RefreshToken};

    /// Random bytes that differ each time.
    struct Counting(std::sync::atomic::AtomicU8);
    impl Entropy for Counting {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed));
        }
    }

    fn session(entropy: &Counting, key: &MacKey) -> Session {
        let now = Timestamp::from_second(1_790_000_000).unwrap();
        let (user, id) = (Id::new(now, entropy), Id::new(now, entropy));
        Session::begin(id, user, &RefreshToken::first(Region::Eu, user, id, key), now)
    }

    fn client(address: &str) -> SessionClient {
        let device = Device::of_user_agent(Some("Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0"));
        SessionClient { device, address: Some(address.parse().unwrap()) }
    }

    #[test]
    fn client_opens_only_in_its_session_with_its_key() {
        let (entropy, key) = (Counting(1.into()), MacKey::new([7; 32]));
        let (bare, other) = (session(&entropy, &key), session(&entropy, &key));
        assert_eq!(SessionClient::of(&bare, &key).unwrap(), None);
        let here = client("192.0.2.7").enter(bare.clone(), &key, &entropy).unwrap();
        assert_eq!(SessionClient::of(&here, &key).unwrap(), Some(client("192.0.2.7")));
        assert!(SessionClient::of(&here, &MacKey::new([8; 32])).is_err());
        let moved = Session { client: here.client.clone(), ..other };
        assert!(SessionClient::of(&moved, &key).is_err());
        let user = Id::new(Timestamp::UNIX_EPOCH, &entropy);
        assert!(SessionClient::of(&Session { user, ..here }, &key).is_err());
    }

    #[test]
    fn client_is_sealed_again_only_if_it_changed() {
        let (entropy, key) = (Counting(1.into()), MacKey::new([7; 32]));
        let first = client("192.0.2.7").enter(session(&entropy, &key), &key, &entropy).unwrap();
        let same = client("192.0.2.7").enter(first.clone(), &key, &entropy).unwrap();
        assert_eq!(same.client, first.client);
        let moved = client("2001:db8::1").enter(first.clone(), &key, &entropy).unwrap();
        assert_ne!(moved.client, first.client);
        assert_eq!(SessionClient::of(&moved, &key).unwrap(), Some(client("2001:db8::1")));
        let broken = Session { client: Some(Sealed("x".to_owned())), ..first };
        let mended = client("192.0.2.7").enter(broken, &key, &entropy).unwrap();
        assert_eq!(SessionClient::of(&mended, &key).unwrap(), Some(client("192.0.2.7")));
    }
}
