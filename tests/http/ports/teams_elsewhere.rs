//! The home's side of teams in other regions: copies of memberships, and places for owned teams.

use std::collections::BTreeSet;

use domain::{
    handle::Handle,
    id::{UserId, WorkspaceId},
    plan::Plan,
    ports::{CopyKept, PlaceReserved, TeamOpened, Teams, TeamsElsewhere, TransactionExtras},
    region::Region,
    role::Role,
    team::{MOST_OWNED, MembershipCopy, Reservation},
    workspace::{Workspace, WorkspaceKind},
};
use futures::future::join_all;
use store::Store;
use tests::App;

use super::{at, everything, id, planted::Planted, profile, team_member, why, workspace_of};

/// What a team's region told of a membership: the second in which it began, the number of changes, and the role unless it has ended.
pub type Told = (i64, u64, Option<Role>);

pub fn copy(user: UserId, team: WorkspaceId, (since, changes, role): Told) -> MembershipCopy {
    let handle = Handle::parse("the-analysts").unwrap();
    MembershipCopy {
        team,
        user,
        handle,
        region: Region::Eu,
        plan: Plan::Pro,
        role,
        since: at(since),
        changes,
    }
}

/// All orders of some values.
fn orders<T: Copy>(of: &[T]) -> Vec<Vec<T>> {
    let Some((first, rest)) = of.split_first() else { return vec![Vec::new()] };
    let insert = |order: Vec<T>| {
        (0..=order.len()).map(move |place| {
            let mut order = order.clone();
            order.insert(place, *first);
            order
        })
    };
    orders(rest).into_iter().flat_map(insert).collect()
}

/// The copy that is kept of a membership.
async fn kept(store: &Store, user: UserId, team: WorkspaceId) -> Option<MembershipCopy> {
    store.copies(user, 1_000).await.unwrap().into_iter().find(|copy| copy.team == team)
}

async fn owns(store: &Store, user: UserId, team: WorkspaceId) -> bool {
    store.owned(user).await.unwrap().contains(&team)
}

/// A place for a new team, reserved in this second.
fn place(second: i64) -> Reservation {
    Reservation { team: id(), region: Region::Eu, at: at(second) }
}

/// Creates a team at the home of its owner.
async fn open(store: &Store, owner: UserId, handle: &str) -> TeamOpened {
    let team = Workspace { id: id(), kind: WorkspaceKind::Team, ..workspace_of(owner, handle) };
    let owner = team_member(owner, Role::Owner);
    Teams::open(store, &team, &profile(handle), &owner, TransactionExtras::default()).await.unwrap()
}

#[test]
fn every_order_is_tried() {
    let all: BTreeSet<Vec<u8>> = orders(&[1, 2, 3, 4, 5]).into_iter().collect();
    assert_eq!(all.len(), 120);
}

#[tokio::test]
async fn copies_in_any_order_and_doubled_end_in_the_latest_state() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user) = (ada.store(), ada.user());
    let (viewer, editor, admin, owner) =
        (Some(Role::Viewer), Some(Role::Editor), Some(Role::Admin), Some(Role::Owner));
    let histories: [&[Told]; 4] = [
        // Joined, became the owner, passed the team on, left, and joined again.
        &[(1, 0, viewer), (1, 1, owner), (1, 2, admin), (1, 0, None), (9, 0, editor)],
        &[(1, 0, viewer), (1, 1, editor), (1, 0, None), (9, 0, viewer)],
        &[(1, 0, editor), (1, 1, admin), (1, 2, owner)],
        &[(1, 0, viewer), (1, 1, admin), (1, 0, None)],
    ];
    for history in histories {
        let latest = *history.last().unwrap();
        for order in orders(history) {
            let team = id();
            for told in order.iter().chain(&order) {
                let done = store.keep_copy(&copy(user, team, *told)).await.unwrap();
                assert_eq!(done, CopyKept::Yes, "{order:?}");
            }
            assert_eq!(kept(store, user, team).await, Some(copy(user, team, latest)), "{order:?}");
            assert_eq!(owns(store, user, team).await, latest.2 == owner, "{order:?}");
        }
    }
}

#[tokio::test]
async fn copies_are_listed_beside_the_teams_of_the_home() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user) = (ada.store(), ada.user());
    assert_eq!(open(store, user, "at-home").await, TeamOpened::Yes);
    let mut copies = Vec::new();
    for role in [Some(Role::Viewer), None, Some(Role::Owner)] {
        let copy = copy(user, id(), (1, 0, role));
        store.keep_copy(&copy).await.unwrap();
        store.keep_copy(&MembershipCopy { user: id(), ..copy.clone() }).await.unwrap();
        copies.push(copy);
    }
    copies.sort_by_key(|copy| copy.team);
    assert_eq!(store.copies(user, 9).await.unwrap(), copies);
    assert_eq!(store.copies(user, 2).await.unwrap(), copies[..2]);
    let all = Teams::of(store, user, 9).await.unwrap();
    assert_eq!(all.elsewhere, copies);
    let here: Vec<_> = all.here.iter().map(|team| (team.team.handle.as_str(), team.role)).collect();
    assert_eq!(here, [("at-home", Role::Owner)]);
}

#[tokio::test]
async fn nothing_is_kept_of_a_deleted_account() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user) = (ada.store(), ada.user());
    ada.close().await;
    let before = everything(&app).await;
    for user in [user, id()] {
        for role in [Some(Role::Viewer), Some(Role::Owner), None] {
            let kept = store.keep_copy(&copy(user, id(), (1, 0, role))).await.unwrap();
            assert_eq!(kept, CopyKept::UserGone, "{role:?}");
        }
        assert_eq!(store.reserve(user, &place(1)).await.unwrap(), PlaceReserved::UserGone);
    }
    assert_eq!(everything(&app).await, before);
}

#[tokio::test]
async fn teams_of_all_regions_share_the_places() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user) = (ada.store(), ada.user());
    for n in 0..2 {
        assert_eq!(open(store, user, &format!("at-home-{n}")).await, TeamOpened::Yes);
    }
    let places: Vec<Reservation> = (2..MOST_OWNED).map(|_| place(1)).collect();
    // Repeating a request takes no other place.
    for place in places.iter().chain(&places) {
        assert_eq!(store.reserve(user, place).await.unwrap(), PlaceReserved::Yes);
    }
    let full = async || {
        assert_eq!(store.reserve(user, &place(2)).await.unwrap(), PlaceReserved::LimitReached);
        assert_eq!(open(store, user, "too-many").await, TeamOpened::LimitReached);
        assert_eq!(store.owned(user).await.unwrap().len(), MOST_OWNED);
    };
    full().await;
    assert_eq!(store.reserve(user, &places[0]).await.unwrap(), PlaceReserved::Yes);
    let reserved: BTreeSet<WorkspaceId> =
        store.reservations(user).await.unwrap().iter().map(|place| place.team).collect();
    assert_eq!(reserved, places.iter().map(|place| place.team).collect());
    // A team that the user owns keeps its place when the reservation ends, and when a copy confirms it.
    store.settle(user, &places[0], true).await.unwrap();
    store.keep_copy(&copy(user, places[1].team, (1, 0, Some(Role::Owner)))).await.unwrap();
    assert_eq!(store.reservations(user).await.unwrap(), [places[2]]);
    full().await;
    // A team that the user does not own frees it.
    store.settle(user, &places[2], false).await.unwrap();
    assert_eq!(store.owned(user).await.unwrap().len(), MOST_OWNED - 1);
    assert_eq!(open(store, user, "room-again").await, TeamOpened::Yes);
    full().await;
}

#[tokio::test]
async fn earlier_copy_leaves_the_place_that_is_reserved() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user, place) = (ada.store(), ada.user(), place(1));
    let told = async |changes, role| {
        store.keep_copy(&copy(user, place.team, (1, changes, Some(role)))).await.unwrap();
        (owns(store, user, place.team).await, store.reservations(user).await.unwrap().len())
    };
    store.reserve(user, &place).await.unwrap();
    // The team is about to become the user's.
    assert_eq!(told(0, Role::Editor).await, (true, 1));
    assert_eq!(told(1, Role::Owner).await, (true, 0));
    assert_eq!(told(0, Role::Editor).await, (true, 0), "a late copy");
    assert_eq!(told(2, Role::Admin).await, (false, 0));
}

#[tokio::test]
async fn reservation_that_was_made_again_is_not_ended() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user, first) = (ada.store(), ada.user(), place(1));
    let again = Reservation { at: at(500), ..first };
    for place in [&first, &again] {
        assert_eq!(store.reserve(user, place).await.unwrap(), PlaceReserved::Yes);
    }
    // Another request had read the first one.
    for owns in [false, true] {
        store.settle(user, &first, owns).await.unwrap();
        assert_eq!(store.reservations(user).await.unwrap(), [again]);
        assert_eq!(store.owned(user).await.unwrap(), [first.team]);
    }
    store.settle(user, &again, false).await.unwrap();
    store.settle(user, &again, false).await.unwrap();
    assert_eq!(store.reservations(user).await.unwrap(), []);
    assert_eq!(store.owned(user).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_reservations_never_exceed_the_places() {
    let app = App::start().await;
    let ada = Planted::new(&app, "ada", "ada-lovelace").await;
    let (store, user) = (ada.store(), ada.user());
    let places: Vec<Reservation> = (0..12).map(place).collect();
    let reserve = |place| async move { store.reserve(user, place).await };
    let outcomes = join_all(places.iter().map(reserve)).await;
    let reserved =
        outcomes.iter().filter(|outcome| matches!(outcome, Ok(result) if *result == PlaceReserved::Yes));
    assert_eq!(store.owned(user).await.unwrap().len(), reserved.count());
    for failed in outcomes.into_iter().filter(Result::is_err) {
        assert_eq!(why(failed), "lost too many races");
    }
    // Those that lost a race are repeated.
    for place in &places {
        store.reserve(user, place).await.unwrap();
    }
    assert_eq!(store.owned(user).await.unwrap().len(), MOST_OWNED);
}
