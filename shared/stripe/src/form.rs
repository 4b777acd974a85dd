//! Parameters of requests: forms whose names have brackets, such as `line_items[0][quantity]=1` ([requests]).
//!
//! [requests]: https://docs.stripe.com/api

use domain::Timestamp;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, PercentEncode, utf8_percent_encode};

/// Everything but the unreserved characters ([RFC 3986, section 2.3]).
///
/// [RFC 3986, section 2.3]: https://www.rfc-editor.org/rfc/rfc3986#section-2.3
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// The maximum number of objects in a page of a list ([pagination](https://docs.stripe.com/api/pagination)).
const MOST: u32 = 100;

/// The parameters of a request, in their order.
#[derive(Default)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// The first page of a list, as long as it may be.
    pub fn page() -> Self {
        Self::default().with("limit", MOST)
    }

    /// The page after an object, of a list of what was made in a span of time: from `since`, before `until`.
    /// Stripe counts whole seconds. Both ends are rounded down, so that consecutive spans neither overlap nor
    /// leave a gap.
    pub fn span(since: Timestamp, until: Timestamp, after: Option<&str>) -> Self {
        Self::page()
            .with("created[gte]", since.as_second())
            .with("created[lt]", until.as_second())
            .with_some("starting_after", after)
    }

    /// The same with one more parameter.
    #[must_use]
    pub fn with(mut self, name: impl Into<String>, value: impl ToString) -> Self {
        self.0.push((name.into(), value.to_string()));
        self
    }

    /// The same with one more parameter, if there is a value.
    #[must_use]
    pub fn with_some(self, name: &str, value: Option<impl ToString>) -> Self {
        match value {
            Some(value) => self.with(name, value),
            None => self,
        }
    }

    /// The same with the members of an object: `name[member]=value`.
    #[must_use]
    pub fn with_members(self, name: &str, members: &[(&str, String)]) -> Self {
        members.iter().fold(self, |form, (member, value)| form.with(format!("{name}[{member}]"), value))
    }

    /// Whether there are no parameters.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text of a body or a query.
    pub fn encode(&self) -> String {
        let pairs = self.0.iter().map(|(name, value)| format!("{}={}", encoded(name), encoded(value)));
        pairs.collect::<Vec<_>>().join("&")
    }
}

fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ENCODED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nested_names_and_values_are_encoded() {
        let form = Form::default()
            .with("line_items[0][quantity]", 1)
            .with("name", "Ada & Söhne = 100 % + x")
            .with("success_url", "https://a.example/?s={CHECKOUT_SESSION_ID}&x=1#y")
            .with("description", "")
            .with("confirm", true);
        let expected = "line_items%5B0%5D%5Bquantity%5D=1\
            &name=Ada%20%26%20S%C3%B6hne%20%3D%20100%20%25%20%2B%20x\
            &success_url=https%3A%2F%2Fa.example%2F%3Fs%3D%7BCHECKOUT_SESSION_ID%7D%26x%3D1%23y\
            &description=&confirm=true";
        assert_eq!(form.encode(), expected);
    }

    #[test]
    fn members_are_nested_under_the_name() {
        let members = [("region", "eu".to_owned()), ("purpose", "top-up".to_owned())];
        let form = Form::default().with_members("payment_intent_data[metadata]", &members);
        assert_eq!(
            form.encode(),
            "payment_intent_data%5Bmetadata%5D%5Bregion%5D=eu\
             &payment_intent_data%5Bmetadata%5D%5Bpurpose%5D=top-up"
        );
    }

    #[test]
    fn absent_value_has_no_parameter() {
        assert!(Form::default().with_some("starting_after", None::<&str>).is_empty());
        assert_eq!(
            Form::default().with_some("starting_after", Some("evt_1")).encode(),
            "starting_after=evt_1"
        );
    }

    #[test]
    fn ends_of_a_span_are_rounded_down() {
        let at = |millis| Timestamp::from_millisecond(millis).unwrap();
        assert_eq!(
            Form::span(at(1_999), at(3_000), Some("evt_1")).encode(),
            "limit=100&created%5Bgte%5D=1&created%5Blt%5D=3&starting_after=evt_1"
        );
    }
}
