//! Jobs of a user in other regions: the deletions of teams there.

use domain::{Timestamp, region::Region, session::Session};
use kit::{CallerAssertion, Guest, Stop};

/// A request of a user of this region about a job in another region, which answers it.
#[derive(Debug)]
pub struct JobElsewhere {
    region: Region,
    guest: Guest,
}

impl JobElsewhere {
    /// A request for `region`.
    pub fn new(region: Region, session: &Session, home: Region, now: Timestamp) -> Self {
        let (user, stepped_up) = (session.user, session.is_stepped_up(now));
        // The username and the addresses are of no use there.
        Self { region, guest: Guest { user, home, handle: None, stepped_up, addresses: Vec::new() } }
    }
}

impl From<JobElsewhere> for Stop {
    fn from(JobElsewhere { region, guest }: JobElsewhere) -> Self {
        Self::asserting(region, CallerAssertion::of_guest(guest))
    }
}
