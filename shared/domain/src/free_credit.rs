//! Free credit: what a mailbox gets once, in any spelling and for any account.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{
    email::EmailAddress,
    id::UserId,
    money::MicroUsd,
    plan::{COMPANY_SIGN_UP_CREDIT, PERSONAL_SIGN_UP_CREDIT},
    promotion::PromoCode,
    secret::Digest256,
    throttle::NetworkHash,
};

/// The most accounts of one network that get free credit in a day of UTC, and the most mailboxes of one organization that get the amount
/// for company addresses, over all regions.
pub const MOST_A_DAY: u64 = 20;

/// The mailbox that an address delivers to, as far as its spelling says. Only free credit counts mailboxes: everywhere else, two
/// spellings are two addresses, because only the provider knows whether they are the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Mailbox(String);

impl Mailbox {
    /// The mailbox of an address: without a tag after `+`, and at Gmail without dots.
    pub fn of(address: &EmailAddress) -> Self {
        let canonical = address.canonical();
        let (local, domain) = canonical.rsplit_once('@').unwrap_or((canonical.as_str(), ""));
        let name =
            local.split_once('+').map(|(name, _)| name).filter(|name| !name.is_empty()).unwrap_or(local);
        Self(match domain {
            "gmail.com" | "googlemail.com" => format!("{}@gmail.com", name.replace('.', "")),
            _ => format!("{name}@{domain}"),
        })
    }

    /// The text to hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Mailbox {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("Mailbox(***)")
    }
}

/// Labels under which countries register names for everybody, as in `co.uk`.
const SHARED_LABELS: [&str; 16] = [
    "ac", "co", "com", "edu", "go", "gob", "gov", "ltd", "me", "ne", "net", "nom", "or", "org", "plc", "sch",
];

/// The domain that was registered for an address: `acme.com` of `lab.acme.com`, since the owner of a domain makes any number of names
/// below it.
///
/// Without a list of all registries, a name below another shared label counts with its neighbours. They share the limit, and get the
/// amount for personal addresses beyond it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization(String);

impl Organization {
    /// The organization of an address.
    pub fn of(address: &EmailAddress) -> Self {
        let mut labels = address.domain().rsplit('.');
        let (top, name) = (labels.next().unwrap_or_default(), labels.next().unwrap_or_default());
        let is_shared = top.len() == 2 && SHARED_LABELS.contains(&name);
        Self(match labels.next().filter(|_| is_shared) {
            Some(own) => format!("{own}.{name}.{top}"),
            None => format!("{name}.{top}"),
        })
    }

    /// The text to hash.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// HMAC-SHA-256 of a mailbox. Mailboxes are stored only in this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct MailboxHash(pub Digest256);

impl fmt::Display for MailboxHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_base64())
    }
}

/// HMAC-SHA-256 of an organization's domain. Counters have only this form of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrganizationHash(pub Digest256);

impl fmt::Display for OrganizationHash {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0.to_base64())
    }
}

/// The hashes that free credit for an address is counted with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CreditHashes {
    /// The hash of the mailbox.
    pub mailbox: MailboxHash,
    /// The hash of the organization.
    pub organization: OrganizationHash,
}

/// What a mailbox gets free credit for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CreditGrant {
    /// An account was opened with it.
    SignUp,
    /// It was verified as the company address of an account that was opened with another one.
    Company,
    /// A promo code.
    Promo(PromoCode),
}

impl fmt::Display for CreditGrant {
    /// The name that the directory has of it. The first two share one: a mailbox gives an account credit in one of the two ways.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignUp | Self::Company => out.write_str("ACCOUNT"),
            Self::Promo(code) => write!(out, "PROMO#{code}"),
        }
    }
}

/// A claim of a user on free credit for a mailbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreditClaim {
    /// The mailbox.
    pub mailbox: MailboxHash,
    /// What the credit is for.
    pub grant: CreditGrant,
    /// SHA-256 of the user's id.
    pub holder: Digest256,
    /// The amount.
    pub amount: MicroUsd,
}

/// What a claim counts for. Each has a limit of claims in a day, [`MOST_A_DAY`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CreditCounter {
    /// The network of the request.
    Network(NetworkHash),
    /// The organization of the address.
    Organization(OrganizationHash),
}

impl fmt::Display for CreditCounter {
    /// The name that the directory has of it.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Network(network) => write!(out, "network/{network}"),
            Self::Organization(organization) => write!(out, "organization/{organization}"),
        }
    }
}

impl CreditClaim {
    /// A claim of a user.
    pub fn new(mailbox: MailboxHash, grant: CreditGrant, user: UserId, amount: MicroUsd) -> Self {
        Self { mailbox, grant, holder: Digest256::of(user.to_string()), amount }
    }
}

/// What an account gets for its first company address, if it was opened with a personal one.
pub fn company_bonus() -> MicroUsd {
    COMPANY_SIGN_UP_CREDIT.minus(PERSONAL_SIGN_UP_CREDIT).unwrap_or(MicroUsd::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> EmailAddress {
        EmailAddress::parse_existing(text).unwrap()
    }

    #[test]
    fn spellings_of_a_mailbox_are_one() {
        for (text, mailbox) in [
            ("Ada@Acme.example", "ada@acme.example"),
            ("ada+one@acme.example", "ada@acme.example"),
            ("ada+one+two@acme.example", "ada@acme.example"),
            ("a.d.a@acme.example", "a.d.a@acme.example"),
            ("+ada@acme.example", "+ada@acme.example"),
            ("+@acme.example", "+@acme.example"),
            ("A.D.A+x.y@gmail.com", "ada@gmail.com"),
            ("ada@googlemail.com", "ada@gmail.com"),
            ("ada@GoogleMail.com", "ada@gmail.com"),
            ("a.da@mail.gmail.com", "a.da@mail.gmail.com"),
            ("ada@bu\u{308}cher.example", "ada@xn--bcher-kva.example"),
            ("ada@b\u{fc}cher.example", "ada@xn--bcher-kva.example"),
            ("zoe\u{308}+x@acme.example", "zo\u{eb}@acme.example"),
        ] {
            assert_eq!(Mailbox::of(&address(text)).as_str(), mailbox, "{text}");
        }
        assert_eq!(format!("{:?}", Mailbox::of(&address("ada@acme.example"))), "Mailbox(***)");
    }

    #[test]
    fn names_below_a_registered_domain_are_one_organization() {
        for (text, organization) in [
            ("a@acme.com", "acme.com"),
            ("a@lab.acme.com", "acme.com"),
            ("a@x.y.lab.ACME.com", "acme.com"),
            ("a@acme.co.uk", "acme.co.uk"),
            ("a@lab.acme.co.uk", "acme.co.uk"),
            ("a@acme.com.au", "acme.com.au"),
            ("a@co.uk", "co.uk"),
            ("a@lab.co.com", "co.com"),
            ("a@lab.abc.de", "abc.de"),
        ] {
            assert_eq!(Organization::of(&address(text)).as_str(), organization, "{text}");
        }
    }

    #[test]
    fn sign_up_and_company_address_share_a_name_and_codes_have_their_own() {
        let promo = |code| CreditGrant::Promo(PromoCode::parse(code).unwrap());
        assert_eq!(CreditGrant::SignUp.to_string(), CreditGrant::Company.to_string());
        assert_eq!(promo("launch-26").to_string(), "PROMO#LAUNCH-26");
        assert_ne!(promo("account").to_string(), CreditGrant::SignUp.to_string());
    }

    #[test]
    fn claim_does_not_contain_the_user() {
        let user: UserId = "user_01m858qy4a1ar9by88nhafn40x".parse().unwrap();
        let mailbox = MailboxHash(Digest256::of("mailbox"));
        let claim = CreditClaim::new(mailbox, CreditGrant::SignUp, user, MicroUsd::ZERO);
        assert_eq!(claim.holder, Digest256::of("user_01m858qy4a1ar9by88nhafn40x"));
    }
}
