//! Bodies of forms with files (`multipart/form-data`, [RFC 7578]). The body is in memory, so its parts are places in it.
//!
//! [RFC 7578]: https://www.rfc-editor.org/rfc/rfc7578

use memchr::memmem;

/// The most parts of a form.
const MOST_PARTS: usize = 16;
/// The most bytes of a part's headers.
const MOST_HEADER_BYTES: usize = 2_048;

/// A field of a form.
#[derive(Debug, PartialEq, Eq)]
pub struct FormPart<'a> {
    /// The name of the field.
    pub name: String,
    /// The content.
    pub content: &'a [u8],
}

/// A body that is not a form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum MultipartError {
    /// The media type is another, or has no boundary.
    #[error("Send the body as multipart/form-data with a boundary.")]
    MediaType,
    /// The body does not consist of parts.
    #[error("The body is not valid multipart/form-data.")]
    Malformed,
}

/// The parts of a body with this `Content-Type`.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<FormPart<'a>>, MultipartError> {
    let delimiter = format!("\r\n--{}", boundary(content_type).ok_or(MultipartError::MediaType)?);
    let delimiter = delimiter.as_bytes();
    // The first delimiter may be at the very beginning, without a line break before it.
    let mut rest = match body.strip_prefix(delimiter.get(2..).unwrap_or_default()) {
        Some(rest) => rest,
        None => after(body, delimiter).ok_or(MultipartError::Malformed)?.1,
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        if parts.len() == MOST_PARTS {
            return Err(MultipartError::Malformed);
        }
        let (part, next) = after(rest, delimiter).ok_or(MultipartError::Malformed)?;
        parts.push(part_of(part).ok_or(MultipartError::Malformed)?);
        rest = next;
    }
    Ok(parts)
}

/// The bytes before and after the first `separator`.
fn after<'a>(bytes: &'a [u8], separator: &[u8]) -> Option<(&'a [u8], &'a [u8])> {
    let at = memmem::find(bytes, separator)?;
    let (before, rest) = bytes.split_at_checked(at)?;
    Some((before, rest.get(separator.len()..)?))
}

/// The boundary in a `Content-Type`.
fn boundary(content_type: &str) -> Option<String> {
    let (essence, rest) = content_type.split_once(';')?;
    if !essence.trim().eq_ignore_ascii_case("multipart/form-data") {
        return None;
    }
    let boundary = parameter(rest, "boundary")?;
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    ((1..=70).contains(&boundary.len()) && boundary.bytes().all(is_allowed)).then_some(boundary)
}

/// A part: the rest of the delimiter's line, headers, an empty line, content.
fn part_of(part: &[u8]) -> Option<FormPart<'_>> {
    let (padding, part) = after(part, b"\r\n")?;
    let (headers, content) = match part.strip_prefix(b"\r\n") {
        Some(content) => (&b""[..], content),
        None => after(part, b"\r\n\r\n")?,
    };
    let is_blank = padding.iter().all(|byte| matches!(byte, b' ' | b'\t'));
    if !is_blank || headers.len() > MOST_HEADER_BYTES {
        return None;
    }
    let disposition = str::from_utf8(headers).ok()?.split("\r\n").find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let (kind, parameters) = disposition.split_once(';')?;
    let is_field = kind.trim().eq_ignore_ascii_case("form-data");
    Some(FormPart { name: parameter(parameters, "name").filter(|_| is_field)?, content })
}

/// The value of a parameter in `a=b; c="d"`.
fn parameter(mut text: &str, wanted: &str) -> Option<String> {
    loop {
        let (name, rest) = text.split_once('=')?;
        let (value, next) = match rest.trim_start().strip_prefix('"') {
            Some(quoted) => unquoted(quoted)?,
            None => {
                let (value, next) = rest.split_once(';').unwrap_or((rest, ""));
                (value.trim().to_owned(), next)
            }
        };
        if name.trim().trim_start_matches(';').trim().eq_ignore_ascii_case(wanted) {
            return Some(value);
        }
        text = next;
    }
}

/// A quoted text up to its end, and what follows.
fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut characters = text.char_indices();
    while let Some((at, character)) = characters.next() {
        match character {
            '"' => return Some((value, text.get(at + 1..)?)),
            '\\' => value.push(characters.next()?.1),
            other => value.push(other),
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=----x";

    fn names(content_type: &str, body: &str) -> Result<Vec<(String, String)>, MultipartError> {
        let text = |part: FormPart<'_>| (part.name, String::from_utf8(part.content.to_vec()).unwrap());
        parts(content_type, body.as_bytes()).map(|parts| parts.into_iter().map(text).collect())
    }

    #[test]
    fn form_of_a_browser_is_read() {
        let body = "------x\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a;b=\\\"c.png\"\r\n\
                    Content-Type: image/png\r\n\r\nbinary\r\n--not\r\n\r\n------x \t\r\ncontent-disposition: form-data; \
                    filename=\"name=no\"; name=iconLetter\r\n\r\n\r\n------x--\r\nepilogue";
        let wanted =
            [("image".to_owned(), "binary\r\n--not\r\n".to_owned()), ("iconLetter".into(), String::new())];
        assert_eq!(names(TYPE, body).unwrap(), wanted);
        assert_eq!(names("Multipart/Form-Data; charset=utf-8; boundary=\"----x\"", body).unwrap(), wanted);
        assert_eq!(names(TYPE, &format!("preamble\r\n{body}")).unwrap(), wanted);
        assert_eq!(names(TYPE, "------x--").unwrap(), []);
    }

    #[test]
    fn other_media_types_and_boundaries_are_refused() {
        for content_type in [
            "",
            "application/json",
            "multipart/form-data",
            "multipart/mixed; boundary=x",
            "multipart/form-data; boundary=",
            "multipart/form-data; boundary=\"x",
            "multipart/form-data; boundary=\u{e9}",
            &format!("multipart/form-data; boundary={}", "x".repeat(71)),
        ] {
            assert_eq!(names(content_type, "--x--"), Err(MultipartError::MediaType), "{content_type}");
        }
    }

    #[test]
    fn malformed_bodies_are_refused() {
        let part = "------x\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n";
        for body in [
            "",
            "{}",
            part,
            "------x\r\n\r\nno name\r\n------x--",
            "------x\r\nContent-Disposition: attachment; name=a\r\n\r\nb\r\n------x--",
            "------x\r\nContent-Disposition: form-data; name=\"a\r\n\r\nb\r\n------x--",
            "------x?\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n------x--",
            &format!("{}------x--", part.repeat(17)),
            &format!(
                "------x\r\nA: {}\r\nContent-Disposition: form-data; name=a\r\n\r\nb\r\n------x--",
                "x".repeat(2_048)
            ),
        ] {
            assert_eq!(names(TYPE, body), Err(MultipartError::Malformed), "{body}");
        }
        assert_eq!(names(TYPE, &format!("{}------x--", part.repeat(16))).unwrap().len(), 16);
    }
}
