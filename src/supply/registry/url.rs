//! URLs, as far as registries need them. Never holds a user name or a password: a URL with those is refused.

use std::fmt;

use ureq::http::Uri;

use super::error::quoted;

/// The longest address, in bytes: signed locations of blobs are a few KiB.
const MAX_URL: usize = 16 << 10;

/// Whom a request goes to. Credentials never leave their origin.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct UrlOrigin {
    pub(super) scheme: Scheme,
    /// In lower case, an IPv6 address in brackets.
    pub(super) host: String,
    pub(super) port: u16,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Scheme {
    Http,
    Https,
}

/// An absolute address. `Display` is the whole of it, which may hold a signature; [`Url::shown`] is for messages.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Url {
    pub(super) origin: UrlOrigin,
    /// Path and query, with a slash in front.
    pub(super) rest: String,
}

impl Url {
    /// Fails with the rest of a sentence that starts with the address.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let text = text.split('#').next().unwrap_or(text);
        if text.len() > MAX_URL {
            return Err(format!("is longer than {MAX_URL} characters"));
        }
        let uri: Uri = text.parse().map_err(|_| "is no address of the web".to_owned())?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err("is neither http nor https".to_owned()),
        };
        let authority = uri.authority().ok_or("names no host")?;
        if authority.as_str().contains('@') {
            return Err("holds a name or a password".to_owned());
        }
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() {
            return Err("names no host".to_owned());
        }
        let port = authority.port_u16().unwrap_or(scheme.port());
        let rest = uri.path_and_query().map_or("/", |it| it.as_str());
        let slash = if rest.starts_with('/') { "" } else { "/" };
        Ok(Self { origin: UrlOrigin { scheme, host, port }, rest: format!("{slash}{rest}") })
    }

    /// What a `Location` or a `Link` in an answer from here leads to (RFC 3986, section 5.2).
    pub(super) fn join(&self, location: &str) -> Result<Self, String> {
        let first = location.split(['/', '?']).next().unwrap_or_default();
        if first.ends_with(':') {
            return Self::parse(location);
        }
        let UrlOrigin { scheme, .. } = self.origin;
        if let Some(rest) = location.strip_prefix("//") {
            return Self::parse(&format!("{scheme}://{rest}"));
        }
        let path = self.rest.split('?').next().unwrap_or_default();
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        let location = location.split('#').next().unwrap_or_default();
        let (there, query) = location.find('?').map_or((location, ""), |at| location.split_at(at));
        let path = match there.chars().next() {
            Some('/') => without_dots(there),
            Some(_) => without_dots(&format!("{folder}/{there}")),
            None => path.to_owned(),
        };
        let query = if location.is_empty() { self.rest.get(path.len()..).unwrap_or_default() } else { query };
        Self::parse(&format!("{}{path}{query}", self.origin))
    }

    /// Without the query, which may hold a signature.
    pub(super) fn shown(&self) -> String {
        shown(&self.to_string())
    }

    /// With one more parameter.
    pub(super) fn with_parameter(&self, name: &str, value: &str) -> Self {
        let sign = if self.rest.contains('?') { '&' } else { '?' };
        let rest = format!("{}{sign}{name}={}", self.rest, encode(value));
        Self { origin: self.origin.clone(), rest }
    }
}

/// A path, which starts with a slash, without `.` and `..` (RFC 3986, section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let segments = path.split('/').skip(1);
    for segment in segments.clone() {
        match segment {
            "." => {}
            ".." => drop(kept.pop()),
            segment => kept.push(segment),
        }
    }
    // A folder stays a folder.
    if matches!(segments.last(), Some("." | "..")) {
        kept.push("");
    }
    format!("/{}", kept.join("/"))
}

/// An address in a message: between quotation marks, without its query.
pub(super) fn shown(text: &str) -> String {
    match text.split_once('?') {
        Some((before, _)) => quoted(&format!("{before}?...")),
        None => quoted(text),
    }
}

/// A text as a parameter of a query or a form (RFC 3986, section 2.1).
pub(super) fn encode(text: &str) -> String {
    let is_plain = |it: u8| it.is_ascii_alphanumeric() || b"-._~".contains(&it);
    text.bytes().fold(String::new(), |mut done, byte| {
        match is_plain(byte) {
            true => done.push(char::from(byte)),
            false => done.push_str(&format!("%{byte:02X}")),
        }
        done
    })
}

impl Scheme {
    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http => "http",
            Self::Https => "https",
        })
    }
}

impl fmt::Display for UrlOrigin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port == self.scheme.port() {
            true => write!(f, "{}://{}", self.scheme, self.host),
            false => write!(f, "{}://{}:{}", self.scheme, self.host, self.port),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.rest)
    }
}

impl fmt::Debug for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(location: &str, expected: &str) {
        let base = Url::parse("https://quay.io:8443/v2/a/blobs/x?y=z").expect("an address");
        let found = base.join(location).map_or_else(|reason| reason, |it| it.to_string());
        assert_eq!(found, expected, "{location}");
    }

    #[test]
    fn a_location_is_relative_to_where_it_was_found() {
        check("https://cdn.example/x?sig=1#top", "https://cdn.example/x?sig=1");
        check("https://CDN.example:443", "https://cdn.example/");
        check("//cdn.example/x", "https://cdn.example/x");
        check("/v2/b", "https://quay.io:8443/v2/b");
        check("w?u=https://evil.example/", "https://quay.io:8443/v2/a/blobs/w?u=https://evil.example/");
        check("?n=2", "https://quay.io:8443/v2/a/blobs/x?n=2");
        check("y", "https://quay.io:8443/v2/a/blobs/y");
        check("http://[::1]:5000/x", "http://[::1]:5000/x");
        check("", "https://quay.io:8443/v2/a/blobs/x?y=z");
        check("#top", "https://quay.io:8443/v2/a/blobs/x?y=z");
    }

    /// The examples of RFC 3986, section 5.4, that a registry's path can be.
    #[test]
    fn dots_in_a_location_lead_up() {
        check("./y", "https://quay.io:8443/v2/a/blobs/y");
        check("y/", "https://quay.io:8443/v2/a/blobs/y/");
        check(".", "https://quay.io:8443/v2/a/blobs/");
        check("./", "https://quay.io:8443/v2/a/blobs/");
        check("..", "https://quay.io:8443/v2/a/");
        check("../", "https://quay.io:8443/v2/a/");
        check("../y?n=../2", "https://quay.io:8443/v2/a/y?n=../2");
        check("../../..", "https://quay.io:8443/");
        check("../../../../../y", "https://quay.io:8443/y");
        check("/./y", "https://quay.io:8443/y");
        check("/v2/../y", "https://quay.io:8443/y");
        check("y.", "https://quay.io:8443/v2/a/blobs/y.");
        check("..y/...", "https://quay.io:8443/v2/a/blobs/..y/...");
        check("./y/../z/./w", "https://quay.io:8443/v2/a/blobs/z/w");
    }

    #[test]
    fn what_is_no_plain_address_is_refused() {
        check("https://user:pw@cdn.example/x", "holds a name or a password");
        check("ftp://cdn.example/x", "is neither http nor https");
        check("file:///etc/shadow", "is no address of the web");
        check("https://cdn.example/\u{1b}[2J", "is no address of the web");
        check("https://cdn.example/a b", "is no address of the web");
        check(&format!("https://cdn.example/{}", "a".repeat(MAX_URL)), "is longer than 16384 characters");
    }

    #[test]
    fn a_message_shows_no_query() {
        let url = Url::parse("https://cdn.example/x?X-Amz-Signature=s3cret").expect("an address");
        assert_eq!(
            format!("{} {url:?}", url.shown()),
            "\"https://cdn.example/x?...\" \"https://cdn.example/x?...\""
        );
    }

    #[test]
    fn parameters_are_encoded() {
        let url = Url::parse("https://a.example/t?x=1").expect("an address");
        let url = url.with_parameter("scope", "repository:a/b:pull,push");
        assert_eq!(url.to_string(), "https://a.example/t?x=1&scope=repository%3Aa%2Fb%3Apull%2Cpush");
    }
}
