//! The directory: claims on names.

use domain::{
    directory::{Claim, Holder, Name},
    ports::{Claimed, Directory as _},
};
use futures::future::join_all;

use super::*;

fn claim(handle: &str, region: Region, second: i64) -> Claim {
    Claim::on_handle(Handle::parse(handle).unwrap(), region, id(), at(second))
}

async fn holder(app: &App, name: &Name) -> Option<Holder> {
    directory(app).find_for_certain(name).await.unwrap()
}

#[tokio::test]
async fn a_name_is_its_first_claimants_until_it_is_freed() {
    let app = App::start().await;
    let directory = directory(&app);
    let (ada, bob) = (claim("the-name", Region::Eu, 0), claim("the-name", Region::Ap, 0));
    assert_eq!(holder(&app, &ada.name).await, None);
    assert_eq!(directory.claim(&ada).await.unwrap(), Claimed::Yes);
    assert_eq!(directory.claim(&bob).await.unwrap(), Claimed::Taken);
    assert_eq!(directory.claim(&ada).await.unwrap(), Claimed::Yes, "the same claim again");
    let wanted = Holder { region: Region::Eu, id: ada.id.clone(), confirmed: false };
    assert_eq!(holder(&app, &ada.name).await, Some(wanted));
    directory.release(&bob).await.unwrap();
    assert!(holder(&app, &ada.name).await.is_some(), "nobody frees another's name");
    directory.release(&ada).await.unwrap();
    assert_eq!(holder(&app, &ada.name).await, None);
    assert_eq!(directory.claim(&bob).await.unwrap(), Claimed::Yes);
}

#[tokio::test]
async fn a_confirmed_name_stays() {
    let app = App::start().await;
    let directory = directory(&app);
    let (ada, bob) = (claim("the-name", Region::Us, 0), claim("the-name", Region::Us, 0));
    directory.claim(&ada).await.unwrap();
    assert!(directory.confirm(&ada).await.unwrap());
    assert!(directory.confirm(&ada).await.unwrap(), "twice is once");
    assert!(!directory.confirm(&bob).await.unwrap());
    directory.release(&ada).await.unwrap();
    assert!(holder(&app, &ada.name).await.unwrap().confirmed);
    assert_eq!(directory.claim(&ada).await.unwrap(), Claimed::Yes);
    assert!(holder(&app, &ada.name).await.unwrap().confirmed, "claiming again does not undo it");
    assert!(directory.overdue(Region::Us, at(99_999)).await.unwrap().is_empty());
    // A confirmation whose claim was lost stands for both.
    assert!(directory.confirm(&claim("another", Region::Us, 0)).await.unwrap());
}

#[tokio::test]
async fn what_is_overdue_is_told_to_its_region_from_the_deadline_on() {
    let app = App::start().await;
    let directory = directory(&app);
    let early = claim("early", Region::Eu, 0);
    let again = Claim { deadline: at(900), ..early.clone() };
    let other = claim("other", Region::Ap, 0);
    let address = Claim::on_address(hash_of("ada"), Region::Eu, id(), at(0));
    for one in [&early, &other, &address] {
        directory.claim(one).await.unwrap();
    }
    let names = async |second| -> Vec<Name> {
        let overdue = directory.overdue(Region::Eu, at(second)).await.unwrap();
        overdue.into_iter().map(|claim| claim.name).collect()
    };
    assert!(names(599).await.is_empty());
    let mut due = names(600).await;
    due.sort_by_key(|name| format!("{name:?}"));
    assert_eq!(due, [address.name.clone(), early.name.clone()]);
    assert_eq!(directory.claim(&again).await.unwrap(), Claimed::Yes);
    assert_eq!(names(600).await, std::slice::from_ref(&address.name), "claimed again, it has a new deadline");
    directory.release(&early).await.unwrap();
    assert!(holder(&app, &early.name).await.is_some(), "what was read before is not freed any more");
    assert_eq!(names(900).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_claim_a_name_one_has_it() {
    let app = App::alone().await;
    let directory = directory(&app);
    let rivals: Vec<Claim> =
        (0..30).map(|n| claim("the-one", Region::ALL[n % Region::ALL.len()], 0)).collect();
    let answers = join_all(rivals.iter().map(|rival| directory.claim(rival))).await;
    let winners = answers.iter().filter(|answer| matches!(answer, Ok(Claimed::Yes))).count();
    let losers = answers.iter().filter(|answer| matches!(answer, Ok(Claimed::Taken))).count();
    assert_eq!((winners, losers), (1, 29));
}

#[tokio::test]
async fn an_overdue_claim_is_found_behind_many_that_are_not() {
    let app = App::start().await;
    let directory = directory(&app);
    // Pages begin with the last name.
    let overdue = claim("aaaa", Region::Us, 0);
    let waiting: Vec<Claim> = (0..520).map(|n| claim(&format!("wait{n}"), Region::Us, 100)).collect();
    directory.claim(&overdue).await.unwrap();
    for some in waiting.chunks(20) {
        for claimed in join_all(some.iter().map(|claim| directory.claim(claim))).await {
            assert_eq!(claimed.unwrap(), Claimed::Yes);
        }
    }
    assert_eq!(directory.overdue(Region::Us, at(600)).await.unwrap(), [overdue]);
    assert_eq!(directory.overdue(Region::Us, at(700)).await.unwrap().len(), 521);
}
