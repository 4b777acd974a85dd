//! The person who requests a deletion.

use domain::{Timestamp, id::UserId, region::Region};
use kit::{Guest, Person};

/// The person who requests a deletion.
#[derive(Clone, Copy)]
pub enum Requester<'a> {
    /// A person of this region.
    Person(&'a Person),
    /// A person of another region, who can own a team here.
    Guest(&'a Guest),
}

impl Requester<'_> {
    /// The user.
    pub fn user(self) -> UserId {
        match self {
            Self::Person(person) => person.session.user,
            Self::Guest(guest) => guest.user,
        }
    }

    /// The home, if it is another region.
    pub fn other_home(self) -> Option<Region> {
        match self {
            Self::Person(_) => None,
            Self::Guest(guest) => Some(guest.home),
        }
    }

    /// Whether the person stepped up recently.
    pub fn is_stepped_up(self, now: Timestamp) -> bool {
        match self {
            Self::Person(person) => person.session.is_stepped_up(now),
            Self::Guest(guest) => guest.stepped_up,
        }
    }
}
