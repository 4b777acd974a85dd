//! Email addresses: stored as typed, compared in normalised form.

use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize, Serializer};
use unicode_normalization::UnicodeNormalization;

use crate::text::{Invalid, is_plain, is_selector};

/// Maximum length of an address in bytes: a path of 256 with its angle brackets ([RFC 5321] §4.5.3.1.3).
///
/// [RFC 5321]: https://www.rfc-editor.org/rfc/rfc5321
pub const MAX: usize = 254;
/// Maximum length of the local part in bytes (§4.5.3.1.1).
const MAX_LOCAL: usize = 64;

/// Consumer, free and disposable providers, sorted, one per line.
const CONSUMER: &str = include_str!("consumer_domains.txt");

/// The accepted ASCII addresses as a regular expression. JSON Schema's `email` format covers no others.
const PATTERN: &str = r"^[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*@([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}$";

/// An email address that SES delivers to: `local@domain` with an unquoted local part of at most 64 ASCII characters and
/// a domain of two labels or more, in ASCII or Unicode; 254 bytes in all. No comments, no IP literals.
///
/// SES has no [SMTPUTF8], so an address with non-ASCII letters before the `@` is refused, including letters that look
/// like ASCII ones (full-width letters, the Kelvin sign). The domain is stored as typed and sent as A-labels
/// ([`to_ascii`](Self::to_ascii)).
///
/// Two addresses are equal if their [`canonical`](Self::canonical) forms are equal. Dots and `+tags` count, because
/// only the provider knows their meaning. `Debug` and errors never contain the address, which is personal data.
///
/// [SMTPUTF8]: https://www.rfc-editor.org/rfc/rfc6531
#[derive(Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct EmailAddress {
    entered: String,
    /// `local` in form C and lower case.
    local: String,
    /// `domain` as A-labels in lower case.
    domain: String,
}

impl EmailAddress {
    /// Parses a typed address and trims white space.
    ///
    /// # Errors
    ///
    /// When email cannot be delivered to the address.
    pub fn parse(input: &str) -> Result<Self, Invalid> {
        let address = Self::parse_existing(input)?;
        if address.typed_local().is_ascii() {
            Ok(address)
        } else {
            Err(Invalid::new(
                "Use only unaccented letters a to z, digits and symbols before the @. We can't deliver email to other addresses.",
            ))
        }
    }

    /// Parses a stored address. Accepts non-ASCII local parts, which older versions accepted.
    ///
    /// # Errors
    ///
    /// When the format is wrong.
    pub fn parse_existing(input: &str) -> Result<Self, Invalid> {
        const SHAPE: Invalid = Invalid::new("Enter an email address, such as name@example.com.");
        let entered = input.trim();
        if entered.len() > MAX {
            return Err(Invalid::new("The email address must not exceed 254 bytes."));
        }
        let (typed, host) = entered.rsplit_once('@').ok_or(SHAPE)?;
        let local = lower(typed);
        if typed.len() > MAX_LOCAL || local.len() > MAX_LOCAL {
            return Err(Invalid::new("The part before the @ must not exceed 64 bytes."));
        }
        if !is_dot_atom(typed) || !is_dot_atom(&local) {
            return Err(Invalid::new(
                "The part before the @ contains a character that is not allowed. Remove the character.",
            ));
        }
        let domain = a_labels(host)
            .ok_or(Invalid::new("The part after the @ must be a domain name, such as example.com."))?;
        if local.len() + 1 + domain.len() > MAX || typed.len() + 1 + domain.len() > MAX {
            return Err(Invalid::new("The email address must not exceed 254 bytes."));
        }
        Ok(Self { entered: entered.to_owned(), local, domain })
    }

    /// The address as typed, without white space at both ends.
    pub fn as_str(&self) -> &str {
        &self.entered
    }

    /// The address for mail systems: the local part as typed, the domain as A-labels (`xn--…`).
    pub fn to_ascii(&self) -> String {
        format!("{}@{}", self.typed_local(), self.domain)
    }

    fn typed_local(&self) -> &str {
        self.entered.rsplit_once('@').map_or(self.local.as_str(), |(local, _)| local)
    }

    /// The form for comparison and hashing: lower case, the local part in Unicode form C, the domain as A-labels
    /// (`xn--…`). Parses to itself.
    pub fn canonical(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The domain in lower case, as A-labels.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// A masked form that the owner recognises and nobody else can use: `a***@example.com`.
    pub fn masked(&self) -> String {
        format!("{}***@{}", self.local.chars().next().unwrap_or('*'), self.domain)
    }

    /// Whether the address belongs to an organisation: neither its domain nor a parent domain is a known consumer, free
    /// or disposable provider.
    pub fn is_company(&self) -> bool {
        let parents =
            std::iter::successors(Some(self.domain()), |name| name.split_once('.').map(|(_, up)| up));
        !parents.into_iter().any(|name| CONSUMER.lines().any(|listed| listed == name))
    }
}

/// Lower case in form C, letter by letter. Case rules for whole words (Greek final sigma) would distinguish `ΑΣ` from `ασ`.
fn lower(local: &str) -> String {
    local.nfc().flat_map(char::to_lowercase).nfc().collect()
}

/// Atoms separated by single dots ([RFC 5322] §3.2.3), with any plain non-ASCII character.
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

/// A domain of two or more labels whose last label is a name, not a number.
fn a_labels(host: &str) -> Option<String> {
    // UTS 46 drops variation selectors, which are invisible in an address.
    if host.chars().any(|c| c.is_whitespace() || !is_plain(c) || is_selector(c)) {
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

/// For `#[serde(deserialize_with = "domain::email::existing")]` in stored records: [`EmailAddress::parse_existing`], so
/// that stricter rules do not make existing records unreadable.
///
/// # Errors
///
/// When the value is not a string or has the wrong format.
pub fn existing<'de, D: serde::Deserializer<'de>>(from: D) -> Result<EmailAddress, D::Error> {
    EmailAddress::parse_existing(&String::deserialize(from)?).map_err(serde::de::Error::custom)
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

/// Responses may contain non-ASCII addresses (`idn-email`). Requests require the ASCII form.
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
    fn address_equality_ignores_case_and_domain_spelling() {
        for (input, same) in [
            (" Ada@Example.COM ", "ada@example.com"),
            ("a.b+tag@gmail.com", "a.b+tag@gmail.com"),
            ("ada@Bücher.example", "ada@xn--bcher-kva.example"),
            ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
            ("ada@bu\u{308}cher。example", "ada@xn--bcher-kva.example"),
            ("ada@ｂücher.ｅxample", "ada@xn--bcher-kva.example"),
            ("ada@faß.example", "ada@xn--fa-hia.example"),
            ("ada@نامه\u{200c}ای.example", "ada@xn--mgba3gch31f060k.example"),
            ("ada@例え.テスト", "ada@xn--r8jz45g.xn--zckzah"),
            ("!#$%&'*+-/=?^_`{|}~@a-b.co", "!#$%&'*+-/=?^_`{|}~@a-b.co"),
        ] {
            assert_eq!(canonical(input), same, "{input}");
        }
        assert_ne!(canonical("a.b@gmail.com"), canonical("ab@gmail.com"));
    }

    #[test]
    fn delivery_address_keeps_local_part_and_encodes_domain() {
        for (input, sent) in [
            ("Ada.L@Example.com", "Ada.L@example.com"),
            ("Ada+News@BÜCHER-X.example", "Ada+News@xn--bcher-x-n2a.example"),
            ("ada@XN--BCHER-KVA.example", "ada@xn--bcher-kva.example"),
        ] {
            assert_eq!(EmailAddress::parse(input).unwrap().to_ascii(), sent, "{input}");
        }
    }

    #[test]
    fn non_ascii_local_part_is_refused_but_stored_one_parses() {
        for (address, canonical) in [
            ("Zoe\u{308}@example.com", "zoë@example.com"),
            ("ΑΣ@example.com", "ασ@example.com"),
            ("\u{212a}im@example.com", "kim@example.com"),
            ("ｋim@example.com", "ｋim@example.com"),
            ("अदा@example.com", "अदा@example.com"),
        ] {
            let error = EmailAddress::parse(address).unwrap_err();
            assert!(error.0.contains("before the @"), "{error}");
            assert_eq!(EmailAddress::parse_existing(address).unwrap().canonical(), canonical);
            assert!(serde_json::from_value::<EmailAddress>(address.into()).is_err());
            assert_eq!(existing(serde_json::Value::from(address)).unwrap().as_str(), address);
        }
    }

    #[test]
    fn undeliverable_address_is_refused() {
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
            "ada@exam\u{fe0f}ple.com",
            "ada@exam\u{ad}ple.com",
            "ada@exam\u{200d}ple.com",
            "ada@\u{301}xample.com",
        ] {
            assert!(EmailAddress::parse(bad).is_err(), "{bad:?}");
            assert!(EmailAddress::parse_existing(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn length_limits_follow_rfc() {
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
    fn debug_output_hides_address_and_masked_form_shortens_it() {
        let address = EmailAddress::parse("Ada.Lovelace@Example.com").unwrap();
        assert_eq!(format!("{address:?}"), "EmailAddress(***)");
        assert_eq!(address.masked(), "a***@example.com");
        assert_eq!(serde_json::to_value(&address).unwrap(), "Ada.Lovelace@Example.com");
        let error = serde_json::from_value::<EmailAddress>("secret@@nowhere".into()).unwrap_err();
        assert!(!error.to_string().contains("secret"));
    }

    #[test]
    fn consumer_provider_is_not_a_company_domain() {
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
    fn provider_list_is_sorted_canonical_and_unique() {
        let names: Vec<_> = CONSUMER.lines().collect();
        assert!(names.is_sorted_by(|a, b| a < b));
        assert!(names.iter().all(|name| a_labels(name).as_deref() == Some(*name)));
        assert!(names.len() >= 150);
    }

    proptest! {
        #[test]
        fn any_input_parses_or_fails_and_canonical_form_is_stable(
            input in prop_oneof![any::<String>(), "\\PC{1,6}@\\PC{1,6}\\.[a-z]{2}", "[A-Za-zßİΣ.]{1,9}@[a-zäß-]{1,9}\\.de"]
        ) {
            if let Ok(address) = EmailAddress::parse(&input) {
                let again = EmailAddress::parse(&address.canonical());
                prop_assert_eq!(again.map(|again| again.canonical()), Ok(address.canonical()));
                prop_assert_eq!(EmailAddress::parse(address.as_str()), Ok(address));
            }
        }

        #[test]
        fn schema_matches_are_accepted(input in "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,30}(\\.[A-Za-z0-9+_-]{1,20})?@([A-Za-wy-z0-9]([A-Za-z0-9-]{0,20}[A-Za-z0-9])?\\.){1,3}[A-Za-wy-z]{2,20}") {
            prop_assert!(EmailAddress::parse(&input).is_ok());
        }
    }
}
