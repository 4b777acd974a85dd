//! The message that a membership changed, for the home of a member from another region.

use domain::{region::Region, role::Role};
use tests::Person;

use super::{Event, TOLD, settle};
use crate::members;

/// The event.
pub fn event() -> Event {
    Event {
        function: "tell-regions",
        name: TOLD,
        set_off: |who, n| Box::pin(change_role(who, n)),
        last_call: "BatchGetItem",
        least: (2, 1, 2.0, 0.0),
        reason: "",
        sets_off: &[],
    }
}

async fn change_role(who: Person, n: usize) {
    let lab = format!("telling{n}-t");
    let owner = who.app.user(&format!("telling{n}")).await;
    let team = owner.found_team(&lab).await;
    let guest = who.app.living_in(Region::Us).user(&format!("told{n}")).await;
    owner.app.put_member(team, &guest.as_member(Role::Viewer).await).await;
    settle(&who.app).await;
    members::change_role(&owner, &lab, guest.id(), "editor").await.expect(200);
}
