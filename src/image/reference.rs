//! Names of images as people and engines write them, completed as Docker does. Never asks a registry.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use crate::image::digest::Digest;
use crate::words::text::cut;

use super::spelled::{Spelled, is_identifier};

const LATEST: &str = "latest";
/// The longest repository, in characters (Docker's reference grammar).
const MAX_REPOSITORY: usize = 255;
/// The longest tag, in characters (distribution-spec 1.1, "Pulling manifests").
const MAX_TAG: usize = 128;

/// A repository: a registry, and a path in it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Repository {
    registry: String,
    path: String,
}

/// An image: a repository and a tag, a digest, or both.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reference {
    repository: Repository,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// A text that names no image, as a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadReference(String);

impl Repository {
    /// The host of the registry and the port where one was named, such as `localhost:5000`, `[::1]:5000` or `docker.io`, in
    /// the letters in which it was written: `Local/upf` with a small letter would be a folder of `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, such as `library/debian`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A host and a path as a configuration writes them: without Docker's short forms.
    ///
    /// # Errors
    ///
    /// If one of them is missing or malformed.
    pub fn written(text: &str) -> Result<Self, BadReference> {
        let (host, path) = text.split_once('/').ok_or_else(|| bad(text, "names no repository"))?;
        check_path(path)?;
        check_host(host)?;
        Ok(Self { registry: host.to_owned(), path: path.to_owned() })
    }

    /// The same with its registry in small letters, as hosts are compared (RFC 4343). For those who reach it; it need not be
    /// read again as the same name.
    #[must_use]
    pub fn as_host(&self) -> Self {
        Self { registry: self.registry.to_ascii_lowercase(), path: self.path.clone() }
    }

    /// What this tag in the repository stands for.
    ///
    /// # Errors
    ///
    /// If it is no tag.
    pub fn tagged(&self, tag: &str) -> Result<Reference, BadReference> {
        check_tag(tag)?;
        Ok(Reference { repository: self.clone(), tag: Some(tag.to_owned()), digest: None })
    }

    /// What has this digest in the repository.
    pub fn at(&self, digest: Digest) -> Reference {
        Reference { repository: self.clone(), tag: None, digest: Some(digest) }
    }
}

impl Reference {
    /// The repository that the image is in.
    pub fn repository(&self) -> &Repository {
        &self.repository
    }

    /// The tag. `latest` was filled in where neither tag nor digest was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest. Where there is one it decides, and the tag is for people.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The text after `/manifests/` in a request: the digest if there is one, else the tag.
    pub fn target(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag.clone().unwrap_or_else(|| LATEST.to_owned()),
        }
    }

    /// The name under which the store keeps the image: its tag, where it has one, and without the digest that a tag stands for
    /// today.
    pub fn stored(&self) -> String {
        match (&self.tag, &self.digest) {
            (Some(tag), _) => format!("{}:{tag}", self.repository),
            (None, _) => self.to_string(),
        }
    }
}

impl fmt::Display for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.repository)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        match &self.digest {
            Some(digest) => write!(f, "@{digest}"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for BadReference {}

impl FromStr for Repository {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        let spelled = Spelled::of(text);
        match spelled {
            Spelled { tag: None, digest: None, .. } => Self::of(&spelled),
            _ => Err(bad(text, "names an image, has to be the name of a repository")),
        }
    }
}

impl Repository {
    fn of(spelled: &Spelled<'_>) -> Result<Self, BadReference> {
        let (registry, path) = (spelled.registry(), spelled.path());
        check_host(registry)?;
        check_path(&path)?;
        Ok(Self { registry: registry.to_owned(), path: path.into_owned() })
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        if is_identifier(text) {
            return Err(bad(text, "is the bare number of a digest: name the image as NAME@sha256:NUMBER"));
        }
        if let Some(layout) = text.strip_prefix("oci:").or(text.strip_prefix("oci-archive:")) {
            return Err(bad(
                text,
                &format!(
                    "is a layout, and no image in a registry: oci-compat store add {layout:?} stores what it has"
                ),
            ));
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return Err(bad(
                text,
                &format!("is a URL: leave out {:?} and name {rest:?}", format!("{scheme}://")),
            ));
        }
        let spelled = Spelled::of(text);
        let digest = spelled.digest.map(str::parse).transpose();
        let digest = digest.map_err(|err| bad(text, &format!("has a bad digest: {err}")))?;
        let repository = Repository::of(&spelled)?;
        spelled.tag.map_or(Ok(()), check_tag)?;
        let tag = match (spelled.tag, &digest) {
            (None, None) => Some(LATEST),
            (tag, _) => tag,
        };
        Ok(Self { repository, tag: tag.map(str::to_owned), digest })
    }
}

pub(super) fn check_host(text: &str) -> Result<(), BadReference> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            // Docker's names have no IPv4 in IPv6, and no zone.
            Some((address, port)) if !address.contains('.') && address.parse::<Ipv6Addr>().is_ok() => {
                (address, port)
            }
            _ => return Err(bad(text, "is no address in brackets, such as [::1]:5000")),
        },
        None => {
            let end = text.find(':').unwrap_or(text.len());
            let (host, port) = text.split_at(end);
            let is_label = |it: &str| {
                !it.is_empty()
                    && !it.starts_with('-')
                    && !it.ends_with('-')
                    && it.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'-')
            };
            if !host.split('.').all(is_label) {
                return Err(bad(text, "is no name of a host"));
            }
            (host, port)
        }
    };
    let port_is_fine = match port.strip_prefix(':') {
        Some(digits) => {
            digits.bytes().all(|it| it.is_ascii_digit()) && digits.parse::<u16>().is_ok_and(|it| it > 0)
        }
        None => port.is_empty(),
    };
    if host.len() > MAX_REPOSITORY || !port_is_fine {
        return Err(bad(text, "has a port other than 1 to 65535"));
    }
    Ok(())
}

/// `[a-z0-9]+` runs, separated by `.`, `_`, `__` or dashes, in parts separated by slashes (distribution-spec 1.1).
pub(super) fn check_path(path: &str) -> Result<(), BadReference> {
    if path.len() > MAX_REPOSITORY {
        return Err(bad(path, &format!("is longer than {MAX_REPOSITORY} characters")));
    }
    if path.bytes().any(|it| it.is_ascii_uppercase()) {
        return Err(bad(path, "has upper-case letters, which a repository never has"));
    }
    match path.split('/').all(is_component) {
        true => Ok(()),
        false => Err(bad(
            path,
            "is no name of a repository: parts of a-z, 0-9, '.', '_' and '-', separated by '/'",
        )),
    }
}

pub(super) fn is_component(text: &str) -> bool {
    let is_run = |it: &u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let separators = text.as_bytes().split(is_run).filter(|it| !it.is_empty());
    let known = |it: &[u8]| matches!(it, b"." | b"_" | b"__") || it.iter().all(|byte| *byte == b'-');
    let edges = text.as_bytes().first().is_some_and(is_run) && text.as_bytes().last().is_some_and(is_run);
    edges && separators.into_iter().all(known)
}

pub(super) fn check_tag(tag: &str) -> Result<(), BadReference> {
    let is_word = |it: u8| it.is_ascii_alphanumeric() || it == b'_';
    let fine = tag.bytes().next().is_some_and(is_word)
        && tag.len() <= MAX_TAG
        && tag.bytes().all(|it| is_word(it) || it == b'.' || it == b'-');
    match fine {
        true => Ok(()),
        false => Err(bad(
            tag,
            "is no tag: up to 128 of a-z, A-Z, 0-9, '_', '.' and '-', neither '.' nor '-' first",
        )),
    }
}

fn bad(text: &str, what: &str) -> BadReference {
    BadReference(format!("{:?} {what}", cut(text, 120)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    fn check(text: &str, expected: &str) {
        let found = text.parse::<Reference>().map_or_else(|err| err.to_string(), |it| it.to_string());
        assert_eq!(found, expected);
    }

    #[test]
    fn an_image_is_kept_under_its_tag_and_without_one_under_its_digest() {
        let check = |text: &str, expected: &str| {
            let found = text.replace("HEX", HEX).parse::<Reference>().map(|it| it.stored());
            assert_eq!(found, Ok(expected.replace("HEX", HEX)));
        };
        check("upf", "docker.io/library/upf:latest");
        check("quay.io/acme/upf:1", "quay.io/acme/upf:1");
        check("acme/upf:1@sha256:HEX", "docker.io/acme/upf:1");
        check("acme/upf@sha256:HEX", "docker.io/acme/upf@sha256:HEX");
    }

    #[test]
    fn a_digest_decides_where_there_is_one() {
        let both: Reference = format!("quay.io/acme/upf:1@sha256:{HEX}").parse().expect("a reference");
        assert_eq!(both.target(), format!("sha256:{HEX}"));
        assert_eq!((both.tag(), both.repository().path()), (Some("1"), "acme/upf"));
        let tagged: Reference = "upf:1".parse().expect("a reference");
        assert_eq!(tagged.target(), "1");
    }

    #[test]
    fn what_names_no_image_is_refused_with_a_reason() {
        let path = "is no name of a repository: parts of a-z, 0-9, '.', '_' and '-', separated by '/'";
        for text in ["a..b", "-a", "a-", "a/", "/a", "a//b", "a___b", "a b", "a\u{1b}[2m", "quay.io/"] {
            let found = text.parse::<Reference>().expect_err(text).to_string();
            assert!(found.ends_with(path), "{found}");
        }
        check("", &format!("\"library/\" {path}"));
        check("a\u{1b}[2m", &format!("\"library/a\\u{{1b}}[2m\" {path}"));
        check("quay.io/Upf", "\"Upf\" has upper-case letters, which a repository never has");
        check(
            "upf:-1",
            "\"-1\" is no tag: up to 128 of a-z, A-Z, 0-9, '_', '.' and '-', neither '.' nor '-' first",
        );
        check(
            "upf@sha256:1",
            "\"upf@sha256:1\" has a bad digest: digest \"sha256:1\" has 1 digits, expected 64",
        );
        check(
            "https://quay.io/upf",
            "\"https://quay.io/upf\" is a URL: leave out \"https://\" and name \"quay.io/upf\"",
        );
        check(
            "oci-archive:upf.tar:1",
            "\"oci-archive:upf.tar:1\" is a layout, and no image in a registry: oci-compat store add \"upf.tar:1\" stores what \
             it has",
        );
        check(
            HEX,
            &format!("\"{HEX}\" is the bare number of a digest: name the image as NAME@sha256:NUMBER"),
        );
        check("quay.io:0/upf", "\"quay.io:0\" has a port other than 1 to 65535");
        check("quay.io:70000/upf", "\"quay.io:70000\" has a port other than 1 to 65535");
        check("[::1/upf", "\"[::1\" is no address in brackets, such as [::1]:5000");
        check("[evil]:1/upf", "\"[evil]:1\" is no address in brackets, such as [::1]:5000");
        check("[::1]:5000", &format!("\"library/[\" {path}"));
        check(
            "[fe80::1%eth0]:5000/a",
            "\"[fe80::1%eth0]:5000\" is no address in brackets, such as [::1]:5000",
        );
        check("[::ffff:1.2.3.4]/a", "\"[::ffff:1.2.3.4]\" is no address in brackets, such as [::1]:5000");
        check("fc00::1:5000/a", "\"fc00::1:5000\" has a port other than 1 to 65535");
        check("../../etc", "\"..\" is no name of a host");
        check("a.-b/upf", "\"a.-b\" is no name of a host");
        let long = "a".repeat(300);
        check(
            &format!("quay.io/{long}"),
            &format!("\"{}...\" is longer than 255 characters", "a".repeat(120)),
        );
    }
}
