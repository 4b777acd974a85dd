use super::*;
use crate::{entropy::Entropy, id::Id, region::Region, secret::Digest256};

struct Fixed(u8);
impl Entropy for Fixed {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn hash(email: &str) -> EmailHash {
    EmailHash(Digest256::of(email))
}

fn new(email: &str, n: u8) -> NewAddress {
    NewAddress {
        id: Id::new(at(0), &Fixed(n)),
        email: EmailAddress::parse(email).unwrap(),
        hash: hash(email),
        attempt: Id::new(at(0), &Fixed(n)),
    }
}

fn book_of(primary: &str) -> AddressBook {
    let user = User {
        id: Id::new(at(0), &Fixed(1)),
        region: Region::Eu,
        primary_email: EmailAddress::parse(primary).unwrap(),
        created_at: at(0),
    };
    AddressBook::new(StoredAddresses { user, verified: None, pending: None }, hash(primary))
}

fn add(book: &mut AddressBook, new: NewAddress, now: i64) -> AddressId {
    let id = new.id;
    book.pending = book.add(new, at(now)).unwrap();
    id
}

fn add_verified(book: &mut AddressBook, email: &str, n: u8, now: i64) -> AddressId {
    let new = new(email, n);
    let attempt = new.attempt;
    let id = add(book, new, now);
    let verification = book.verify(id, attempt, at(now)).unwrap();
    (book.verified, book.pending) = (verification.verified, verification.pending);
    id
}

#[test]
fn first_address_needs_no_record() {
    let book = book_of("ada@people.example");
    let [first] = &book.verified.addresses[..] else { panic!("one address") };
    assert_eq!((first.id.bare(), book.verified.version), (book.user.id.bare(), 0));
    assert!(book.is_primary(first));
}

#[test]
fn own_address_is_not_added_twice() {
    let mut book = book_of("ada@people.example");
    assert_eq!(book.add(new("ada@people.example", 2), at(0)), Err(CodeRefused::Verified));
    add(&mut book, new("b@people.example", 3), 0);
    assert_eq!(book.add(new("b@people.example", 4), at(99)), Err(CodeRefused::Pending));
}

#[test]
fn five_addresses_wait_and_expire_after_a_day() {
    let mut book = book_of("ada@people.example");
    for n in 2..7 {
        add(&mut book, new(&format!("n{n}@people.example"), n), 0);
    }
    assert_eq!(book.add(new("more@people.example", 9), at(86_399)), Err(CodeRefused::TooManyPending));
    assert_eq!(book.pending.live(at(86_400)).count(), 0);
    let next = book.add(new("more@people.example", 9), at(86_400)).unwrap();
    assert_eq!((next.addresses.len(), next.version), (1, 6));
}

#[test]
fn account_has_twenty_addresses() {
    let mut book = book_of("ada@people.example");
    for n in 2..21 {
        let now = i64::from(n) * 3_600;
        add_verified(&mut book, &format!("n{n}@people.example"), n, now);
    }
    assert_eq!(book.verified.addresses.len(), MOST);
    assert_eq!(book.add(new("more@people.example", 99), at(999_999)), Err(CodeRefused::TooMany));
}

#[test]
fn next_code_waits_a_minute_and_sixth_an_hour() {
    let mut book = book_of("ada@people.example");
    let id = add(&mut book, new("b@people.example", 2), 0);
    let attempt = |n| Id::new(at(0), &Fixed(n));
    let wait = |seconds| Err(CodeRefused::TooSoon(Wait { seconds }));
    assert_eq!(book.resend(id, attempt(3), at(59)), wait(1));
    for n in 1..5 {
        book.pending = book.resend(id, attempt(n), at(i64::from(n) * 60)).unwrap();
    }
    assert_eq!(book.resend(id, attempt(9), at(300)), wait(3_300));
    assert!(book.resend(id, attempt(9), at(3_600)).is_ok());
}

#[test]
fn removed_address_keeps_its_limits() {
    let mut book = book_of("ada@people.example");
    let id = add(&mut book, new("b@people.example", 2), 0);
    book.pending = book.remove(id, at(1)).unwrap().pending;
    let refused = book.add(new("b@people.example", 3), at(2));
    assert_eq!(refused, Err(CodeRefused::TooSoon(Wait { seconds: 58 })));
    assert!(book.add(new("b@people.example", 3), at(60)).is_ok());
}

#[test]
fn account_has_twenty_codes_sent_per_hour() {
    let mut book = book_of("ada@people.example");
    for n in 0..20 {
        let id = add(&mut book, new(&format!("n{n}@people.example"), n), 0);
        book.pending = book.remove(id, at(0)).unwrap().pending;
    }
    let refused = book.add(new("more@people.example", 99), at(60));
    assert_eq!(refused, Err(CodeRefused::TooSoon(Wait { seconds: 3_540 })));
}

#[test]
fn code_is_tried_five_times_within_ten_minutes() {
    let mut book = book_of("ada@people.example");
    let id = add(&mut book, new("b@people.example", 2), 0);
    assert_eq!(book.count_try(id, at(600)), Some(Err(WrongCode)));
    for _ in 0..5 {
        book.pending = book.count_try(id, at(599)).unwrap().unwrap().0;
    }
    assert_eq!(book.count_try(id, at(599)), Some(Err(WrongCode)));
    book.pending = book.resend(id, Id::new(at(0), &Fixed(3)), at(600)).unwrap();
    assert!(matches!(book.count_try(id, at(600)), Some(Ok(_))));
    assert_eq!(book.count_try(Id::new(at(0), &Fixed(99)), at(0)), None);
}

#[test]
fn code_that_was_replaced_verifies_nothing() {
    let mut book = book_of("ada@people.example");
    let added = new("b@people.example", 2);
    let (id, first) = (added.id, added.attempt);
    add(&mut book, added, 0);
    book.pending = book.resend(id, Id::new(at(0), &Fixed(3)), at(60)).unwrap();
    assert!(book.verify(id, first, at(61)).is_none());
}

#[test]
fn only_first_company_address_counts() {
    let mut book = book_of("ada@gmail.com");
    assert!(!book.verified.had_company);
    let consumer = add_verified(&mut book, "ada@outlook.com", 2, 0);
    assert!(!book.verified.had_company);
    let added = new("ada@acme.example", 3);
    let (id, attempt) = (added.id, added.attempt);
    add(&mut book, added, 0);
    let first = book.verify(id, attempt, at(0)).unwrap();
    assert!(first.is_first_company);
    (book.verified, book.pending) = (first.verified, first.pending);
    book.verified = book.remove(id, at(1)).unwrap().verified.unwrap();
    book.verified = book.remove(consumer, at(1)).unwrap().verified.unwrap();
    let again = new("ada@other.example", 4);
    let (id, attempt) = (again.id, again.attempt);
    add(&mut book, again, 2);
    assert!(!book.verify(id, attempt, at(2)).unwrap().is_first_company);
    assert!(book_of("ada@acme.example").verified.had_company, "an account opened with a company address");
}

#[test]
fn primary_address_is_changed_and_then_removable() {
    let mut book = book_of("ada@people.example");
    let first = first_address(book.user.id);
    assert_eq!(book.set_primary(first, at(0)).unwrap().map(|change| change.former), None);
    assert_eq!(book.remove(first, at(0)).unwrap_err(), ChangeRefused::IsPrimary);
    let waiting = add(&mut book, new("c@people.example", 3), 0);
    assert_eq!(book.set_primary(waiting, at(0)).unwrap_err(), ChangeRefused::Unverified);
    let second = add_verified(&mut book, "B@people.example", 2, 0);
    let change = book.set_primary(second, at(5)).unwrap().unwrap();
    assert_eq!((change.former, change.after.primary_email.as_str()), (first, "B@people.example"));
    (book.user, book.verified, book.pending) = (change.after, change.verified, change.pending);
    let removal = book.remove(first, at(6)).unwrap();
    assert_eq!(removal.freed, Some(hash("ada@people.example")));
    let former: Vec<&str> = removal.pending.former.iter().map(|former| former.email.as_str()).collect();
    assert_eq!(former, ["ada@people.example"], "the mail still finds its address");
    assert_eq!(removal.pending.expires_at(), at(86_405));
}

#[test]
fn added_company_addresses_are_verified_and_not_the_first() {
    let mut book = book_of("ada@acme.example");
    let stored = |book: &AddressBook| StoredAddresses {
        user: book.user.clone(),
        verified: Some(book.verified.clone()),
        pending: Some(book.pending.clone()),
    };
    let added = |stored: &StoredAddresses| {
        stored.added_company_addresses().map(|address| address.email.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(added(&StoredAddresses { verified: None, ..stored(&book) }), [""; 0]);
    add(&mut book, new("waits@other.example", 2), 0);
    add_verified(&mut book, "ada@gmail.com", 3, 60);
    assert_eq!(added(&stored(&book)), [""; 0]);
    let id = add_verified(&mut book, "ada@other.example", 4, 120);
    assert_eq!(added(&stored(&book)), ["ada@other.example"]);
    book.verified = book.remove(id, at(180)).unwrap().verified.unwrap();
    assert_eq!(added(&stored(&book)), [""; 0]);
}
