//! The directory: claims on names.

use domain::{
    deletion::RESERVED,
    directory::{Claim, Holder, Name},
    free_credit::{CreditClaim, CreditCounter, CreditGrant, MailboxHash, OrganizationHash},
    ports::{Claimed, CreditClaimed, Directory as _},
    promotion::PromoCode,
    throttle::NetworkHash,
};
use futures::future::join_all;

use super::*;

fn claim(handle: &str, region: Region, second: i64) -> Claim {
    Claim::on_handle(Handle::parse(handle).unwrap(), region, id(), at(second))
}

async fn holder(app: &App, name: &Name) -> Option<Holder> {
    directory(app).find(name).await.unwrap()
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
async fn overdue_claims_are_listed_for_their_region() {
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
async fn parallel_name_claims_have_one_winner() {
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

/// What the claimant holds.
fn held(claim: &Claim) -> Holder {
    Holder { region: claim.region, id: claim.id.clone(), confirmed: true }
}

fn later(at: Timestamp, millis: i64) -> Timestamp {
    Timestamp::from_millisecond(at.as_millisecond() + millis).unwrap()
}

#[tokio::test]
async fn released_handle_is_free_after_thirty_days() {
    for region in [Region::Us, Region::Eu] {
        let app = App::start().await.living_in(region);
        let directory = directory(&app);
        let ada = claim("the-name", Region::Eu, 0);
        let Name::Handle(handle) = &ada.name else { panic!() };
        assert!(directory.is_free(handle, at(0)).await.unwrap());
        directory.claim(&ada).await.unwrap();
        assert!(!directory.is_free(handle, at(0)).await.unwrap());
        directory.confirm(&ada).await.unwrap();
        let until = at(100) + RESERVED;
        for _ in 0..2 {
            directory.give_up(&ada.name, &held(&ada), until).await.unwrap();
        }
        // The replica follows.
        for _ in 0..500 {
            if holder(&app, &ada.name).await.is_none() {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        let claim_at = async |region, now| {
            let rival = Claim::on_handle(handle.clone(), region, id(), now);
            let came = directory.claim(&rival).await.unwrap();
            (came, rival)
        };
        for (region, now) in [(Region::Eu, at(100)), (Region::Us, at(101)), (Region::Ap, later(until, -1))] {
            assert!(!directory.is_free(handle, now).await.unwrap(), "{now}");
            assert_eq!(claim_at(region, now).await.0, Claimed::Taken, "{now}");
        }
        let again = Claim { deadline: at(800), ..ada.clone() };
        assert_eq!(directory.claim(&again).await.unwrap(), Claimed::Taken, "not its old holder's either");
        assert!(directory.is_free(handle, until).await.unwrap());
        let (came, winner) = claim_at(Region::Ap, until).await;
        assert_eq!(came, Claimed::Yes);
        assert!(!directory.is_free(handle, until).await.unwrap());
        assert!(directory.confirm(&winner).await.unwrap());
    }
}

#[tokio::test]
async fn nothing_readable_is_kept_of_a_handle_that_was_given_up() {
    let app = App::start().await;
    let directory = directory(&app);
    let ada = claim("the-name", Region::Us, 0);
    directory.claim(&ada).await.unwrap();
    directory.give_up(&ada.name, &held(&ada), at(100) + RESERVED).await.unwrap();
    let scan = app.living_in(Region::AUTHORITY).tables().scan().table_name("account-directory");
    let items = scan.consistent_read(true).send().await.unwrap().items.unwrap();
    let reserved: Vec<_> = items.iter().filter(|item| key_of(item).0.starts_with("RESERVED#")).collect();
    assert_eq!(reserved.len(), 1);
    assert_eq!(reserved[0]["ttl"].as_n().unwrap(), &(at(100) + RESERVED).as_second().to_string());
    assert!(!format!("{items:?}").contains("the-name"));
    assert!(!format!("{items:?}").contains(&ada.id));
}

#[tokio::test]
async fn an_address_that_was_given_up_is_free_at_once() {
    let app = App::start().await;
    let directory = directory(&app);
    let ada = Claim::on_address(hash_of("ada"), Region::Us, id(), at(0));
    let next = Claim::on_address(hash_of("ada"), Region::Eu, id(), at(100));
    directory.claim(&ada).await.unwrap();
    directory.confirm(&ada).await.unwrap();
    assert_eq!(directory.claim(&next).await.unwrap(), Claimed::Taken);
    directory.give_up(&ada.name, &held(&ada), at(100) + RESERVED).await.unwrap();
    assert_eq!(directory.claim(&next).await.unwrap(), Claimed::Yes);
    // Given up again, it is another's.
    directory.give_up(&ada.name, &held(&ada), at(100) + RESERVED).await.unwrap();
    assert_eq!(holder(&app, &ada.name).await.map(|holder| holder.id), Some(next.id));
}

#[tokio::test]
async fn nobody_gives_up_anothers_name() {
    let app = App::start().await;
    let directory = directory(&app);
    let ada = claim("the-name", Region::Us, 0);
    let Name::Handle(handle) = &ada.name else { panic!() };
    directory.claim(&ada).await.unwrap();
    let other = Holder { id: id::<domain::id::OfWorkspace>().to_string(), ..held(&ada) };
    let elsewhere = Holder { region: Region::Eu, ..held(&ada) };
    for no_holder in [other, elsewhere] {
        directory.give_up(&ada.name, &no_holder, at(100) + RESERVED).await.unwrap();
        assert_eq!(holder(&app, &ada.name).await, Some(Holder { confirmed: false, ..held(&ada) }));
        assert_eq!(directory.overdue(Region::Us, at(600)).await.unwrap(), std::slice::from_ref(&ada));
    }
    // No reservation came of it either.
    directory.release(&ada).await.unwrap();
    assert!(directory.is_free(handle, at(0)).await.unwrap());
    directory.give_up(&ada.name, &held(&ada), at(100) + RESERVED).await.unwrap();
    assert!(directory.is_free(handle, at(0)).await.unwrap(), "it was nobody's");
}

#[tokio::test]
async fn released_name_is_removed_from_its_holder() {
    let app = App::start().await;
    let directory = directory(&app);
    let ada = claim("the-name", Region::Us, 0);
    directory.confirm(&ada).await.unwrap();
    assert!(directory.find(&ada.name).await.unwrap().is_some());
    directory.give_up(&ada.name, &held(&ada), at(100) + RESERVED).await.unwrap();
    assert_eq!(directory.find(&ada.name).await.unwrap(), None);
}

fn credit(mailbox: &str, grant: CreditGrant, user: UserId, micros: i64) -> CreditClaim {
    CreditClaim::new(MailboxHash(Digest256::of(mailbox)), grant, user, MicroUsd::new(micros))
}

#[tokio::test]
async fn credit_of_a_mailbox_is_that_of_the_first_claim() {
    let app = App::start().await;
    let directory = directory(&app);
    let claim = async |mailbox: &str, grant: CreditGrant, user: UserId, micros: i64| {
        directory.grant_credit(&credit(mailbox, grant, user, micros), &[], at(0)).await.unwrap()
    };
    let got = |micros| CreditClaimed::Yes(MicroUsd::new(micros));
    let promo = |code| CreditGrant::Promo(PromoCode::parse(code).unwrap());
    let (ada, bob): (UserId, UserId) = (id(), id());
    assert_eq!(claim("one", CreditGrant::SignUp, ada, 5).await, got(5));
    assert_eq!(claim("one", CreditGrant::SignUp, ada, 7).await, got(5), "the amount stays");
    assert_eq!(claim("one", CreditGrant::SignUp, bob, 5).await, CreditClaimed::Taken);
    assert_eq!(claim("one", CreditGrant::Company, ada, 5).await, CreditClaimed::Taken, "in one of two ways");
    assert_eq!(claim("two", CreditGrant::Company, ada, 0).await, got(0));
    assert_eq!(claim("two", CreditGrant::Company, ada, 20).await, got(0), "also if it is zero");
    assert_eq!(claim("two", CreditGrant::SignUp, bob, 25).await, CreditClaimed::Taken);
    for code in ["CODE-1", "CODE-2"] {
        assert_eq!(claim("one", promo(code), ada, 9).await, got(9));
        assert_eq!(claim("one", promo(code), ada, 9).await, got(9));
        assert_eq!(claim("one", promo(code), bob, 9).await, CreditClaimed::Taken);
        assert_eq!(claim("two", promo(code), bob, 9).await, got(9));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_claims_of_a_mailbox_have_one_winner() {
    let app = App::start().await;
    let directory = directory(&app);
    let claims: Vec<CreditClaim> = (0..20)
        .map(|n| {
            credit("prize", if n % 2 == 0 { CreditGrant::SignUp } else { CreditGrant::Company }, id(), n + 1)
        })
        .collect();
    let came = join_all(claims.iter().map(|claim| directory.grant_credit(claim, &[], at(0)))).await;
    let came: Vec<CreditClaimed> = came.into_iter().map(Result::unwrap).collect();
    assert_eq!(came.iter().filter(|came| **came != CreditClaimed::Taken).count(), 1, "{came:?}");
    for (claim, came) in claims.iter().zip(came) {
        assert_eq!(directory.grant_credit(claim, &[], at(0)).await.unwrap(), came, "repeated");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn claims_of_a_day_count_once_each_and_stop_at_the_limit() {
    let app = App::start().await;
    let directory = directory(&app);
    let network = CreditCounter::Network(NetworkHash(Digest256::of("network")));
    let organization = CreditCounter::Organization(OrganizationHash(Digest256::of("organization")));
    let claim = |n: u64| credit(&format!("counted-{n}"), CreditGrant::SignUp, id(), 5);
    let grant = async |claim: &CreditClaim, counters: &[CreditCounter], second: i64| {
        directory.grant_credit(claim, counters, at(second)).await.unwrap()
    };
    let got = CreditClaimed::Yes(MicroUsd::new(5));
    // Neither a repetition nor another user of the mailbox counts.
    let first = claim(1);
    for _ in 0..3 {
        assert_eq!(grant(&first, &[network, organization], 0).await, got);
        let other = credit("counted-1", CreditGrant::SignUp, id(), 5);
        assert_eq!(grant(&other, &[network, organization], 0).await, CreditClaimed::Taken);
    }
    let claims: Vec<CreditClaim> = (2..=30).map(claim).collect();
    let counters = [network];
    let came = join_all(claims.iter().map(|claim| grant(claim, &counters, 0))).await;
    let of = |wanted| came.iter().filter(|came| **came == wanted).count();
    assert_eq!((of(got), of(CreditClaimed::NetworkFull)), (19, 10));
    // Nothing is claimed or counted beyond the limit.
    let late = claims.iter().zip(&came).find(|(_, came)| **came == CreditClaimed::NetworkFull).unwrap().0;
    assert_eq!(grant(late, &[network, organization], 0).await, CreditClaimed::NetworkFull);
    for n in 31..=49 {
        assert_eq!(grant(&claim(n), &[organization], 0).await, got, "{n}");
    }
    assert_eq!(grant(late, &[organization], 0).await, CreditClaimed::OrganizationFull);
    assert_eq!(grant(late, &[network, organization], 86_400).await, got, "the next day");
}
