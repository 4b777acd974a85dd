//! The mail of an invitation to a team.

use tests::Person;

use super::{Event, settle};
use crate::{fixtures::BESIDE, invitations};

/// The event.
pub fn event() -> Event {
    Event {
        function: "send-mail",
        name: "an invitation",
        set_off: |who, n| Box::pin(invite(who, n)),
        last_call: "UpdateItem",
        least: (6, 5, 3.5, 2.0),
        reason: BESIDE,
        sets_off: &[],
    }
}

async fn invite(who: Person, n: usize) {
    let owner = who.app.user(&format!("inviting{n}")).await;
    owner.found_team(&format!("inviting{n}-t")).await;
    settle(&who.app).await;
    let invited = format!("invited{n}@people.example");
    invitations::invite(&owner, &format!("inviting{n}-t"), &invited, "editor").await.expect(201);
}
