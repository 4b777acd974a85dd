use proptest::prelude::*;

use super::*;
use crate::{entropy::Entropy, secret::Digest256};

struct Bytes(u8);
impl Entropy for Bytes {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(self.0);
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_900_000_000 + second).unwrap()
}

fn source(name: &str) -> Source {
    Source(Digest256::of(name))
}

/// The `n`th attempt, made at this second.
fn made(n: u8, second: i64) -> Attempt {
    Attempt {
        id: AttemptId::new(at(second), &Bytes(n)),
        email: EmailAddress::parse("a@example.com").unwrap(),
        password: PasswordHash::nobody(),
        region: Region::Us,
        at: at(second),
        tries: 0,
        source: None,
        device: Device::default(),
    }
}

fn none() -> SignUp {
    SignUp::none(EmailHash(Digest256::of("a")), "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap())
}

fn code_of(id: AttemptId) -> VerificationCode {
    let key = MacKey::new([3; 32]);
    VerificationCode::from_bytes(&key.derive("sign-up", &[id.to_string().as_bytes()]), Region::Us)
}

/// A code of no attempt: the largest code is 999998.
fn wrong() -> VerificationCode {
    VerificationCode("999999".to_owned())
}

/// Enters a code for the proven attempts. Returns the changed record and the result.
fn enter(
    waiting: SignUp,
    proven: &[AttemptId],
    code: &VerificationCode,
    now: i64,
) -> (SignUp, Result<AttemptId, WrongCode>) {
    let Ok((counted, tried)) = waiting.clone().count_try(proven, at(now)) else {
        return (waiting, Err(WrongCode));
    };
    let codes: Vec<VerificationCode> = tried.iter().map(|attempt| code_of(attempt.id)).collect();
    (counted, confirm(tried, &codes, code).map(|attempt| attempt.id))
}

#[test]
fn code_has_six_digits_and_names_its_region() {
    for (byte, region) in (0..=255).flat_map(|byte| Region::ALL.map(|region| (byte, region))) {
        let code = VerificationCode::from_bytes(&[byte; 32], region);
        assert_eq!((code.expose().len(), code.region()), (6, region), "{}", code.expose());
    }
}

#[test]
fn pasted_code_and_token_parse_without_spaces() {
    let code: VerificationCode = serde_json::from_str("\" 123-456\\n\"").unwrap();
    assert_eq!(code.expose(), "123456");
    assert!(serde_json::from_str::<VerificationCode>("\"12345\"").is_err());
    let token = SignUpToken::new(Region::Eu, made(1, 0).id, &MacKey::new([1; 32]));
    let text = token.text().expose().to_owned();
    let (first, second) = text.split_at(40);
    for pasted in [text.clone(), format!(" {first}\r\n{second}\u{200b}\n")] {
        assert!(pasted.parse::<SignUpToken>().ok().unwrap().matches(&token));
    }
    for bad in
        ["", "su_", "su_eu_a_b", &text.replace("_eu_", "_xx_"), &text.to_uppercase(), &format!("{text}A")]
    {
        assert!(bad.parse::<SignUpToken>().is_err(), "{bad}");
    }
}

#[test]
fn token_is_bound_to_attempt_region_and_key() {
    let (id, key) = (made(1, 0).id, MacKey::new([1; 32]));
    let token = SignUpToken::new(Region::Eu, id, &key);
    assert!(token.matches(&SignUpToken::new(Region::Eu, id, &key)));
    for other in [
        SignUpToken::new(Region::Us, id, &key),
        SignUpToken::new(Region::Eu, made(2, 0).id, &key),
        SignUpToken::new(Region::Eu, id, &MacKey::new([2; 32])),
        SignUpToken { attempt: made(2, 0).id, ..token.clone() },
    ] {
        assert!(!token.matches(&other));
    }
}

#[test]
fn code_expires_after_ten_minutes() {
    let waiting = none().start(made(1, 0), source("a")).unwrap();
    let id = waiting.attempts[0].id;
    assert_eq!(enter(waiting.clone(), &[id], &code_of(id), 599).1, Ok(id));
    assert_eq!(enter(waiting, &[id], &code_of(id), 600).1, Err(WrongCode));
}

#[test]
fn fifth_wrong_code_ends_only_its_attempt() {
    let waiting = none().start(made(1, 0), source("a")).unwrap().start(made(2, 1), source("b")).unwrap();
    let (own, other) = (waiting.attempts[0].id, waiting.attempts[1].id);
    let spent = (0..5).fold(waiting, |waiting, _| enter(waiting, &[own], &wrong(), 2).0);
    assert_eq!(enter(spent.clone(), &[own], &code_of(own), 2).1, Err(WrongCode));
    assert_eq!(enter(spent.clone(), &[own], &code_of(other), 2).1, Err(WrongCode));
    assert_eq!(enter(spent, &[other], &code_of(other), 2).1, Ok(other));
}

#[test]
fn record_of_older_version_parses() {
    let old = serde_json::json!({
        "email_hash": EmailHash(Digest256::of("a")),
        "email": "A@example.com",
        "user": "user_01m858qy4a1ar9by88nhafn40x",
        "attempts": [{
            "id": made(1, 0).id, "password": PasswordHash::nobody(), "region": "us", "at": at(0), "tries": 1,
            "superseded": false,
        }],
        "version": 2,
    });
    let read: SignUp = serde_json::from_value(old).unwrap();
    assert_eq!(read.attempts[0].email.as_str(), "A@example.com");
    assert_eq!((read.attempts[0].source, read.attempts[0].tries), (None, 1));
    let again: SignUp = serde_json::from_value(serde_json::to_value(&read).unwrap()).unwrap();
    assert_eq!(format!("{again:?}"), format!("{read:?}"));
}

/// Actions of two people with one address. The owner reads the mailbox.
#[derive(Debug, Clone)]
enum Step {
    SignUp {
        owner: bool,
    },
    Wait {
        seconds: i64,
    },
    /// Enters the code of the `mail`th attempt (or a wrong code) with the secret of the person's own `secret`th
    /// attempt, or with the password, which proves all of the person's attempts.
    Enter {
        owner: bool,
        mail: usize,
        secret: Option<usize>,
        wrong_code: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        any::<bool>().prop_map(|owner| Step::SignUp { owner }),
        (0..200_i64).prop_map(|seconds| Step::Wait { seconds }),
        (any::<bool>(), 0..6_usize, proptest::option::of(0..4_usize), any::<bool>())
            .prop_map(|(owner, mail, secret, wrong_code)| Step::Enter { owner, mail, secret, wrong_code }),
    ]
}

/// Spellings of one address, one per person. The spelling of an attempt identifies its person.
fn spelling(owner: bool) -> EmailAddress {
    EmailAddress::parse(if owner { "kim@example.com" } else { "KIM@ｅxample.com" }).unwrap()
}

/// Performs a step. Returns the attempt that opened an account, if any.
fn take(waiting: &mut SignUp, step: &Step, (n, now): (u8, &mut i64)) -> Option<(bool, Attempt)> {
    match *step {
        Step::Wait { seconds } => *now += seconds,
        Step::SignUp { owner } => {
            let attempt = Attempt { email: spelling(owner), ..made(n, *now) };
            if let Ok(next) = waiting.clone().start(attempt, source(if owner { "home" } else { "elsewhere" }))
            {
                *waiting = next;
            }
        }
        Step::Enter { owner, mail, secret, wrong_code } => {
            let own = waiting.attempts.iter().filter(|attempt| attempt.email == spelling(owner));
            let own: Vec<_> = own.map(|attempt| attempt.id).collect();
            let proven = match secret {
                Some(nth) => own.get(nth).copied().into_iter().collect(),
                None => own,
            };
            let mailed = waiting.attempts.get(mail)?.id;
            let code = if wrong_code { wrong() } else { code_of(mailed) };
            let (after, opened) = enter(waiting.clone(), &proven, &code, *now);
            *waiting = after;
            return opened.ok().map(|id| (owner, waiting.find(id).unwrap().clone()));
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// The stranger may have learned codes of the owner's attempts, and the owner may enter codes of the stranger's
    /// attempts.
    #[test]
    fn account_gets_password_and_spelling_of_code_holder(steps in prop::collection::vec(step(), 1..40)) {
        let (mut waiting, mut now) = (none(), 0);
        for (n, step) in (0..).zip(&steps) {
            if let Some((owner, attempt)) = take(&mut waiting, step, (n, &mut now)) {
                prop_assert_eq!(&attempt.email, &spelling(owner));
                let Step::Enter { mail, wrong_code, .. } = step else { unreachable!("only a code opens an account") };
                prop_assert!(!wrong_code && waiting.attempts[*mail].id == attempt.id);
                return Ok(());
            }
        }
    }

    /// After any steps of the stranger on another network, the owner's next attempt gets a code that opens the account.
    #[test]
    fn owner_can_sign_up_despite_other_attempts(steps in prop::collection::vec(step(), 0..40)) {
        let (mut waiting, mut now) = (none(), 0);
        for (n, step) in (0..).zip(&steps) {
            let stranger = match step {
                Step::SignUp { .. } => Step::SignUp { owner: false },
                Step::Enter { mail, secret, .. } =>
                    Step::Enter { owner: false, mail: *mail, secret: *secret, wrong_code: true },
                wait => wait.clone(),
            };
            take(&mut waiting, &stranger, (n, &mut now));
        }
        take(&mut waiting, &Step::SignUp { owner: true }, (99, &mut now));
        let mail = waiting.attempts.len() - 1;
        let enter = Step::Enter { owner: true, mail, secret: Some(0), wrong_code: false };
        let opened = take(&mut waiting, &enter, (100, &mut now));
        prop_assert_eq!(opened.map(|(_, attempt)| attempt.email), Some(spelling(true)));
    }
}
