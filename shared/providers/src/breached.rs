//! Looks up new passwords in a service of breached ones, such as [Have I Been Pwned]. The service learns the first five hexadecimal
//! digits of the SHA-1 of a password, which every millionth password has. It answers with the other digits of all hashes that it
//! lists under these, and the comparison happens here.
//!
//! [Have I Been Pwned]: https://haveibeenpwned.com/API/v3#SearchingPwnedPasswordsByRange

use async_trait::async_trait;
use bytes::Bytes;
use domain::{password::Password, ports::BreachedPasswords};
use http::{Request, StatusCode, header};
use ring::digest;

use crate::{
    fetch::{Fetch, USER_AGENT},
    range_url::RangeUrl,
};

/// The number of digits that the service learns.
const PREFIX: usize = 5;
/// The number of digits of a SHA-1 after them.
const SUFFIX: usize = 35;

/// A deployment without such a service.
pub struct NoLookup;

#[async_trait]
impl BreachedPasswords for NoLookup {
    async fn contains(&self, _: &Password) -> bool {
        false
    }
}

/// A service of ranges, over HTTP.
pub struct PasswordRanges<F> {
    url: RangeUrl,
    http: F,
}

impl<F: Fetch> PasswordRanges<F> {
    /// The service at a URL.
    pub fn new(url: RangeUrl, http: F) -> Self {
        Self { url, http }
    }

    /// Whether the service lists a password, or why there is no answer: a text for the log, without any part of the hash.
    async fn look_up(&self, password: &Password) -> Result<bool, String> {
        let hash = sha1(password.expose());
        let (prefix, suffix) = hash.split_at_checked(PREFIX).ok_or("the hash is too short")?;
        let request = Request::get(self.url.of(prefix))
            // The service adds entries with the count 0, so that the length of the answer doesn't reveal the range.
            .header("add-padding", "true")
            .header(header::USER_AGENT, USER_AGENT)
            .body(Bytes::new())
            .map_err(|_| "the request can't be built")?;
        let response = self.http.fetch(request).await.map_err(|failure| failure.to_string())?;
        match response.status() {
            StatusCode::OK => {}
            status => return Err(format!("status {}", status.as_u16())),
        }
        lists(response.body(), suffix).ok_or_else(|| "the answer is no range".to_owned())
    }
}

#[async_trait]
impl<F: Fetch> BreachedPasswords for PasswordRanges<F> {
    async fn contains(&self, password: &Password) -> bool {
        self.look_up(password).await.unwrap_or_else(|reason| {
            // A metric filter counts this message.
            tracing::warn!(reason, "breached passwords not looked up");
            false
        })
    }
}

/// The SHA-1 of a text in hexadecimal digits. The services know passwords by it; it protects nothing here.
fn sha1(text: &str) -> String {
    let digest = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    digest.as_ref().iter().map(|byte| format!("{byte:02X}")).collect()
}

/// Whether a range lists a suffix with a count above zero. `None` if the text is not a range: it must have entries, and nothing else.
fn lists(range: &[u8], suffix: &str) -> Option<bool> {
    let mut listed = None;
    for line in str::from_utf8(range).ok()?.lines().filter(|line| !line.is_empty()) {
        let entry = Entry::parse(line)?;
        listed = Some(listed == Some(true) || (entry.occurs && entry.suffix.eq_ignore_ascii_case(suffix)));
    }
    listed
}

/// One line of a range: `SUFFIX:COUNT`.
struct Entry<'a> {
    suffix: &'a str,
    /// Whether the count is above zero: it is zero in padding.
    occurs: bool,
}

impl<'a> Entry<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (suffix, count) = line.split_once(':')?;
        let is_suffix = suffix.len() == SUFFIX && suffix.bytes().all(|digit| digit.is_ascii_hexdigit());
        // Of any length: the count itself is of no interest.
        let is_count = !count.is_empty() && count.bytes().all(|digit| digit.is_ascii_digit());
        (is_suffix && is_count).then(|| Self { suffix, occurs: count.bytes().any(|digit| digit != b'0') })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use domain::ports::{Failure, Outcome};
    use http::Response;

    use super::*;

    const OTHER: &str = "0000000000000000000000000000000000A";
    const SUFFIX_OF_PASSWORD: &str = "1E4C9B93F3F0682250B6CF8331B7EE68FD8";

    #[test]
    fn hash_is_the_one_that_services_know() {
        assert_eq!(sha1("password"), "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8");
        let same =
            ["cafe\u{301} au lait", "caf\u{e9}\u{a0}au lait"].map(|text| Password::parse(text).ok().unwrap());
        assert_eq!(sha1(same[0].expose()), sha1(same[1].expose()));
    }

    #[test]
    fn entry_counts_in_any_case_and_with_any_line_end() {
        let (upper, lower) = (SUFFIX_OF_PASSWORD.to_owned(), SUFFIX_OF_PASSWORD.to_lowercase());
        for suffix in [upper, lower] {
            for range in [
                format!("{suffix}:1"),
                format!("{suffix}:52256179\r\n{OTHER}:3"),
                format!("{OTHER}:3\r\n{suffix}:1\r\n"),
                format!("{OTHER}:0\n{suffix}:007\n{OTHER}:0\n"),
                format!("{suffix}:0\r\n{suffix}:1\r\n{suffix}:0"),
                format!("{suffix}:{}", "9".repeat(1_000)),
            ] {
                assert_eq!(lists(range.as_bytes(), SUFFIX_OF_PASSWORD), Some(true), "{range}");
            }
        }
    }

    #[test]
    fn padding_and_other_entries_do_not_count() {
        for range in [
            format!("{OTHER}:3"),
            format!("{SUFFIX_OF_PASSWORD}:0\r\n{OTHER}:3"),
            format!("{SUFFIX_OF_PASSWORD}:{}", "0".repeat(1_000)),
        ] {
            assert_eq!(lists(range.as_bytes(), SUFFIX_OF_PASSWORD), Some(false), "{range}");
        }
    }

    #[test]
    fn text_that_is_not_a_range_is_no_answer() {
        let entry = format!("{SUFFIX_OF_PASSWORD}:1");
        for text in [
            String::new(),
            "\r\n".to_owned(),
            "<html>".to_owned(),
            SUFFIX_OF_PASSWORD.to_owned(),
            format!("{SUFFIX_OF_PASSWORD}:"),
            format!("{SUFFIX_OF_PASSWORD}:-1"),
            format!("{SUFFIX_OF_PASSWORD}:+1"),
            format!("{SUFFIX_OF_PASSWORD}:1:1"),
            format!("{SUFFIX_OF_PASSWORD}: 1"),
            format!(" {entry}"),
            format!("0{entry}"),
            format!("5BAA6{entry}"),
            entry.replace('F', "G"),
            format!("\u{feff}{entry}"),
            format!("{entry}\r\nend"),
            format!("{entry}\r{OTHER}:3"),
        ] {
            assert_eq!(lists(text.as_bytes(), SUFFIX_OF_PASSWORD), None, "{text:?}");
        }
        assert_eq!(lists(b"\xff\xfe", SUFFIX_OF_PASSWORD), None);
    }

    /// A service with one answer, that notes the requests.
    struct Service {
        answer: fn() -> Outcome<Response<Bytes>>,
        asked: Mutex<Vec<Request<Bytes>>>,
    }

    #[async_trait]
    impl Fetch for &Service {
        async fn fetch(&self, request: Request<Bytes>) -> Outcome<Response<Bytes>> {
            self.asked.lock().unwrap().push(request);
            (self.answer)()
        }
    }

    fn response(status: u16, body: impl Into<Bytes>) -> Outcome<Response<Bytes>> {
        Ok(Response::builder().status(status).body(body.into()).unwrap())
    }

    async fn contains(answer: fn() -> Outcome<Response<Bytes>>) -> (bool, Request<Bytes>) {
        let service = Service { answer, asked: Mutex::default() };
        let ranges = PasswordRanges::new(RangeUrl::parse("https://ranges.example/range").unwrap(), &service);
        let contains = ranges.contains(&Password::parse("password").ok().unwrap()).await;
        let mut asked = service.asked.into_inner().unwrap();
        assert_eq!(asked.len(), 1);
        (contains, asked.remove(0))
    }

    #[tokio::test]
    async fn service_learns_five_digits() {
        let (contains, request) = contains(|| response(200, format!("{SUFFIX_OF_PASSWORD}:9"))).await;
        assert!(contains);
        assert_eq!(request.method(), "GET");
        assert_eq!(request.uri(), "https://ranges.example/range/5BAA6");
        let headers: Vec<_> =
            request.headers().iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
        assert_eq!(headers, [("add-padding", "true"), ("user-agent", "account-platform")]);
        assert!(request.body().is_empty());
    }

    #[tokio::test]
    async fn password_is_accepted_without_an_answer() {
        let answers: [fn() -> Outcome<Response<Bytes>>; 5] = [
            || Err(Failure::Unavailable { service: "breached passwords", detail: "timeout".to_owned() }),
            || response(200, "no range"),
            || response(302, format!("{SUFFIX_OF_PASSWORD}:9")),
            || response(404, format!("{SUFFIX_OF_PASSWORD}:9")),
            || response(500, format!("{SUFFIX_OF_PASSWORD}:9")),
        ];
        for answer in answers {
            assert!(!contains(answer).await.0);
        }
    }
}
