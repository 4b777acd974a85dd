//! Splits a typed link into host, path and query.

/// The parts of an input: a page on the platform's host, or text without a host.
pub(super) struct Page<'a> {
    pub on_host: bool,
    /// The host in lower case without `www.`, `m.` or `mobile.`; empty if the input has no host.
    pub host: String,
    pub path: Vec<&'a str>,
    pub query: &'a str,
}

impl<'a> Page<'a> {
    /// `None` for a URL on another host.
    pub fn read(input: &'a str, is_host: impl FnOnce(&str) -> bool) -> Option<Self> {
        let bare = scheme("https://", input).or_else(|| scheme("http://", input));
        let rest = bare.unwrap_or(input);
        let (host, tail) = rest.find(['/', '?', '#']).map_or((rest, ""), |at| rest.split_at(at));
        let host = host.to_ascii_lowercase();
        let host = ["www.", "mobile.", "m."].iter().find_map(|sub| host.strip_prefix(sub)).unwrap_or(&host);
        let on_host = is_host(host);
        if bare.is_some() && !on_host {
            return None;
        }
        let tail = if on_host { tail.split('#').next().unwrap_or_default() } else { input };
        let (path, query) = if on_host { tail.split_once('?').unwrap_or((tail, "")) } else { (tail, "") };
        let path = path.strip_prefix('/').unwrap_or(path);
        let path = path.strip_suffix('/').unwrap_or(path).split('/').collect();
        Some(Self { on_host, host: if on_host { host.to_owned() } else { String::new() }, path, query })
    }

    /// The only segment of the path, without a leading `@`.
    pub fn name(&self) -> Option<&'a str> {
        match self.path.as_slice() {
            [name] => Some(without_at(name).unwrap_or(name)).filter(|name| !name.is_empty()),
            _ => None,
        }
    }
}

/// The text after a leading `@`, plain or percent-encoded.
pub(super) fn without_at(name: &str) -> Option<&str> {
    name.strip_prefix('@').or_else(|| name.strip_prefix("%40"))
}

/// The text after a scheme, ignoring case.
pub(super) fn scheme<'a>(scheme: &str, input: &'a str) -> Option<&'a str> {
    let (start, rest) = input.split_at_checked(scheme.len())?;
    start.eq_ignore_ascii_case(scheme).then_some(rest)
}
