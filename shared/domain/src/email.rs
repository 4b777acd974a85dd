//! Email addresses: kept as they were typed, compared after normalising.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use crate::text::{Invalid, is_plain};

/// The longest address in bytes: a path of 256 with its angle brackets ([RFC 5321] §4.5.3.1.3).
///
/// [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321
pub const MAX: usize = 254;
/// The longest local part in bytes (§4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// Consumer, free and disposable providers, sorted, one a line.
const CONSUMER: &str = include_str!("consumer_domains.txt");

/// The ASCII addresses among those accepted; all that JSON Schema's `email` format covers.
const PATTERN: &str = r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$";

/// An email address: `local@domain` with an unquoted local part of at most 64 bytes (ASCII, or letters of any script
/// by [RFC 6531]) and a domain of two labels or more, in ASCII or Unicode; 254 bytes in all. No comments, no IP
/// literals.
///
/// Two addresses are the same when their [`canonical`](Self::canonical) forms are; dots and `+tags` count, since only
/// a provider knows what they mean. `Debug` and errors never show it: it is personal data.
///
/// [RFC 6531]: https://www.rfc-editor.org/rfc/rfc6531
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EmailAddress {
    entered: String,
    /// `local`, in form C and lower case.
    local: String,
    /// `domain`, as A-labels in lower case.
    domain: String,
}

impl EmailAddress {
    /// Reads an address; white space around it is dropped.
    ///
    /// # Errors
    ///
    /// When mail could not be sent to it.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        const SHAPE: Invalid = Invalid::new("Enter an email address, such as name@example.com.");
        let entered = input.trim();
        if entered.len() > MAX {
            return Err(Invalid::new("Use an email address of at most 254 bytes."));
        }
        let (typed, host) = entered.rsplit_once('@').ok_or(SHAPE)?;
        let local = lower(typed);
        if typed.len() > MAX_LOCAL || local.len() > MAX_LOCAL {
            return Err(Invalid::new("The part before the @ may have at most 64 bytes."));
        }
        if !is_dot_atom(typed) || !is_dot_atom(&local) {
            return Err(Invalid::new(
                "Check the part before the @: it has a character that is not allowed there.",
            ));
        }
        let domain = a_labels(host).ok_or(Invalid::new(
            "Check the part after the @: it must be a domain name, such as example.com.",
        ))?;
        if local.len() + 1 + domain.len() > MAX || typed.len() + 1 + domain.len() > MAX {
            return Err(Invalid::new("Use an email address of at most 254 bytes."));
        }
        Ok(Self { entered: entered.to_owned(), local, domain })
    }

    /// The address as it was typed, without white space around it.
    pub fn as_str(&self) -> &str {
        &self.entered
    }

    /// The form in which addresses are compared and hashed: all lower case, the local part in Unicode form C, the
    /// domain as A-labels (`xn--…`). Parses to itself.
    pub fn canonical(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The domain in lower case, as A-labels.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Enough for its owner to recognise it and for nobody else to use it: `a***@example.com`.
    pub fn masked(&self) -> String {
        format!("{}***@{}", self.local.chars().next().unwrap_or('*'), self.domain)
    }

    /// Whether it belongs to an organisation: neither its domain nor a parent of it is a known consumer, free or
    /// disposable provider.
    pub fn is_company(&self) -> bool {
        let parents =
            std::iter::successors(Some(self.domain()), |name| name.split_once('.').map(|(_, up)| up));
        !parents.into_iter().any(|name| CONSUMER.lines().any(|listed| listed == name))
    }
}

/// Lower case in form C, letter by letter: a whole word's case rules (Greek's final sigma) would tell `ΑΣ` from `ασ`.
fn lower(local: &str) -> String {
    local.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// Atoms with single dots between them ([RFC 5322] §3.2.3), any plain character beyond ASCII.
///
/// [RFC 5322]: https://www.rfc-editor.org/rfc/rfc5322
fn is_dot_atom(local: &str) -> bool {
    let allowed = |c: char| match c {
        'a'..='z' | 'A'..='Z' | '0'..='9' => true,
        _ if c.is_ascii() => "!#$%&'*+-/=?^_`{|}~".contains(c),
        _ => is_plain(c) && !c.is_whitespace(),
    };
    local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(allowed))
}

/// A domain of two labels or more, the last one a name and no number.
fn a_labels(host: &str) -> Option<String> {
    if host.chars().any(|c| c.is_whitespace() || !is_plain(c)) {
        return None;
    }
    let name = Uts46::new()
        .to_ascii(host.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
        .ok()?
        .into_owned();
    let (_, top) = name.rsplit_once('.')?;
    let named =
        top.len() >= 2 && (top.starts_with("xn--") || top.bytes().all(|byte| byte.is_ascii_alphabetic()));
    named.then_some(name)
}

impl TryFrom<String> for EmailAddress {
    type Error = Invalid;

    fn try_from(text: String) -> Result<Self, Invalid> {
        Self::parse(&text)
    }
}

impl std::str::FromStr for EmailAddress {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        Self::parse(text)
    }
}

impl std::fmt::Display for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.entered)
    }
}

impl std::fmt::Debug for EmailAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("EmailAddress(***)")
    }
}

impl Serialize for EmailAddress {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.entered)
    }
}

/// In an answer the address may be one with Unicode (`idn-email`); asked for is the ASCII form, which everybody has.
impl JsonSchema for EmailAddress {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "EmailAddress".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            return json_schema!({ "type": "string", "format": "idn-email", "minLength": 6, "maxLength": MAX });
        }
        json_schema!({ "type": "string", "format": "email", "minLength": 6, "maxLength": MAX, "pattern": PATTERN })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn canonical(input: &str) -> String {
        EmailAddress::parse(input).unwrap().canonical()
    }

    #[test]
    fn addresses_that_differ_only_in_case_or_spelling_of_the_domain_are_the_same() {
        for (input, same) in [
            (" Ada@Example.COM ", "ada@example.com"),
            ("a.b+tag@gmail.com", "a.b+tag@gmail.com"),
            ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
            ("ada@bu\u{308}cher。example", "ada@xn--bcher-kva.example"),
            ("Zoe\u{308}@example.com", "zoë@example.com"),
            ("ΑΣ@example.com", "ασ@example.com"),
            ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
            ("!#$%&'*+-/=?^_`{|}~@a-b.co", "!#$%&'*+-/=?^_`{|}~@a-b.co"),
        ] {
            assert_eq!(canonical(input), same, "{input}");
        }
        assert_ne!(canonical("a.b@gmail.com"), canonical("ab@gmail.com"));
    }

    #[test]
    fn what_mail_cannot_be_sent_to_is_refused() {
        for bad in [
            "",
            "@",
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "a@b@c.de",
            "\"a b\"@example.com",
            "a b@example.com",
            ".a@example.com",
            "a.@example.com",
            "a..b@example.com",
            "ada@[127.0.0.1]",
            "ada@127.0.0.1",
            "ada@1.0x7f",
            "ada@example.com.",
            "ada@.com",
            "ada@-a.com",
            "ada@a-.com",
            "ada@a_b.com",
            "ada@exa mple.com",
            "ada@a..com",
            "a\0@example.com",
            "a\n@example.com",
            "a\u{200b}@example.com",
            "a\u{202e}@example.com",
            "ada@example.c",
            "Ada <ada@example.com>",
            "ada@example.com,b@example.com",
            "ada@xn--a.com",
            "a\u{e000}@example.com",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn lengths_hold_to_the_standard() {
        let local = "l".repeat(64);
        assert!(EmailAddress::parse(&format!("{local}@example.com")).is_ok());
        assert!(EmailAddress::parse(&format!("{local}l@example.com")).is_err());
        let label = "d".repeat(61);
        let longest = format!("{local}@{label}.{label}.{label}.com");
        assert_eq!(longest.len(), 254);
        assert!(EmailAddress::parse(&longest).is_ok());
        assert!(EmailAddress::parse(&longest.replace(".com", ".comm")).is_err());
        assert!(EmailAddress::parse(&format!("a@{}.com", "d".repeat(64))).is_err());
        assert!(EmailAddress::parse(&"a".repeat(10_000_000)).is_err());
    }

    #[test]
    fn an_address_never_prints_in_debug_and_is_masked_for_others() {
        let address = EmailAddress::parse("Ada.Lovelace@Example.com").unwrap();
        assert_eq!(format!("{address:?}"), "EmailAddress(***)");
        assert_eq!(address.masked(), "a***@example.com");
        assert_eq!(serde_json::to_value(&address).unwrap(), "Ada.Lovelace@Example.com");
        let error = serde_json::from_value::<EmailAddress>("secret@@nowhere".into()).unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn a_consumer_provider_and_its_subdomains_are_no_company() {
        for (address, company) in [
            ("a@gmail.com", false),
            ("a@GMail.com", false),
            ("a@mail.yahoo.co.uk", false),
            ("a@qq.com", false),
            ("a@acme.com", true),
            ("a@notgmail.com", true),
            ("a@gmail.com.acme.io", true),
            ("a@yandex-team.ru", true),
        ] {
            assert_eq!(EmailAddress::parse(address).unwrap().is_company(), company, "{address}");
        }
    }

    #[test]
    fn the_provider_list_is_sorted_canonical_and_without_repeats() {
        let names: Vec<_> = CONSUMER.lines().collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(names.iter().all(|name| a_labels(name).as_deref() == Some(*name)));
        assert!(names.len() >= 150);
    }

    proptest! {
        #[test]
        fn any_string_is_answered_and_the_canonical_form_is_stable(
            input in prop_oneof![any::<String>(), "\\PC{1,6}@\\PC{1,6}\\.[a-z]{2}", "[A-Za-zßİΣ.]{1,9}@[a-zäß-]{1,9}\\.de"]
        ) {
            if let Ok(address) = EmailAddress::parse(&input) {
                let again = EmailAddress::parse(&address.canonical());
                prop_assert_eq!(again.map(|again| again.canonical()), Ok(address.canonical()));
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
            }
        }

        #[test]
        fn what_the_schema_allows_is_accepted(input in "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\\.[A-Za-z0-9+_-]{1,20})?@([A-Za-wy-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?\\.){1,3}[A-Za-wy-z]{2,20}") {
            prop_assert!(EmailAddress::parse(&input).is_ok());
        }
    }
}
