//! Names of images as people and engines write them, filled up the way Docker does. Never asks a registry anything.

use std::fmt;
use std::str::FromStr;

use crate::artifact::Digest;

const HUB: &str = "docker.io";
/// The Hub's former name, which credentials and old scripts still use.
const HUB_LEGACY: &str = "index.docker.io";
/// Where the Hub keeps images that are named by one word.
const HUB_OFFICIAL: &str = "library";
const LATEST: &str = "latest";
/// No repository is longer, in characters (Docker's reference grammar).
const MAX_REPOSITORY: usize = 255;
/// No tag is longer, in characters (distribution-spec 1.1, "Pulling manifests").
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
    /// The host of the registry and the port where one was named, such as `localhost:5000`, `[::1]:5000` or `docker.io`.
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The path in the registry, such as `library/debian`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A host and a path as a configuration writes them: without Docker's short forms.
    pub(super) fn written(text: &str) -> Result<Self, BadReference> {
        let (host, path) = text.split_once('/').ok_or_else(|| bad(text, "names no repository"))?;
        check_path(path)?;
        Ok(Self { registry: check_host(host)?, path: path.to_owned() })
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

    /// What stands behind `/manifests/` in a request: the digest if there is one, else the tag.
    pub fn target(&self) -> String {
        match &self.digest {
            Some(digest) => digest.to_string(),
            None => self.tag.clone().unwrap_or_else(|| LATEST.to_owned()),
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
        let (registry, path) = match text.split_once('/') {
            Some((first, rest)) if is_host(first) => (check_host(first)?, rest.to_owned()),
            _ => (HUB.to_owned(), text.to_owned()),
        };
        let registry = if registry == HUB_LEGACY { HUB.to_owned() } else { registry };
        let path = match registry == HUB && !path.contains('/') {
            true => format!("{HUB_OFFICIAL}/{path}"),
            false => path,
        };
        check_path(&path)?;
        Ok(Self { registry, path })
    }
}

impl FromStr for Reference {
    type Err = BadReference;

    fn from_str(text: &str) -> Result<Self, BadReference> {
        if text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit()) {
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
        let (name, digest) = match text.split_once('@') {
            Some((name, digest)) => {
                (name, Some(digest.parse().map_err(|err| bad(text, &format!("has a bad digest: {err}")))?))
            }
            None => (text, None),
        };
        let (name, tag) = split_tag(name);
        if let Some(tag) = tag {
            check_tag(tag)?;
        }
        let repository = name.parse()?;
        let tag = match (tag, &digest) {
            (None, None) => Some(LATEST.to_owned()),
            (tag, _) => tag.map(str::to_owned),
        };
        Ok(Self { repository, tag, digest })
    }
}

/// A colon starts a tag where no slash follows; before one it starts a port.
fn split_tag(name: &str) -> (&str, Option<&str>) {
    match name.rsplit_once(':') {
        Some((before, tag)) if !tag.contains('/') && !tag.contains(']') => (before, Some(tag)),
        _ => (name, None),
    }
}

/// Docker's rule: the first part is a host if nothing else could look like it.
fn is_host(first: &str) -> bool {
    first.contains(['.', ':', '[']) || first == "localhost" || first.bytes().any(|it| it.is_ascii_uppercase())
}

fn check_host(text: &str) -> Result<String, BadReference> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) if address.parse::<std::net::Ipv6Addr>().is_ok() => (address, port),
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
    Ok(text.to_ascii_lowercase())
}

/// `[a-z0-9]+` runs, separated by `.`, `_`, `__` or dashes, in parts separated by slashes (distribution-spec 1.1).
fn check_path(path: &str) -> Result<(), BadReference> {
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

fn is_component(text: &str) -> bool {
    let is_run = |it: &u8| it.is_ascii_lowercase() || it.is_ascii_digit();
    let separators = text.as_bytes().split(is_run).filter(|it| !it.is_empty());
    let known = |it: &[u8]| matches!(it, b"." | b"_" | b"__") || it.iter().all(|byte| *byte == b'-');
    let edges = text.as_bytes().first().is_some_and(is_run) && text.as_bytes().last().is_some_and(is_run);
    edges && separators.into_iter().all(known)
}

fn check_tag(tag: &str) -> Result<(), BadReference> {
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
    BadReference(format!("{:?} {what}", super::error::shorten(text, 120)))
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
    fn a_short_name_is_filled_up_as_docker_does() {
        check("debian", "docker.io/library/debian:latest");
        check("debian:12", "docker.io/library/debian:12");
        check("acme/upf", "docker.io/acme/upf:latest");
        check("docker.io/debian", "docker.io/library/debian:latest");
        check("index.docker.io/debian:12", "docker.io/library/debian:12");
        check("quay.io/debian", "quay.io/debian:latest");
        check("localhost/debian", "localhost/debian:latest");
        check("LocalHost/debian", "localhost/debian:latest");
        check("Registry/debian", "registry/debian:latest");
        check("local/debian", "docker.io/local/debian:latest");
        check("a/b/c/d", "docker.io/a/b/c/d:latest");
    }

    #[test]
    fn a_port_is_no_tag_and_a_tag_no_port() {
        check("localhost:5000/upf", "localhost:5000/upf:latest");
        check("localhost:5000/upf:1", "localhost:5000/upf:1");
        check("localhost:5000", "docker.io/library/localhost:5000");
        check("[::1]:5000/upf", "[::1]:5000/upf:latest");
        check("[::1]/upf:1", "[::1]/upf:1");
        check("[2001:DB8::1]:5000/a/b:1", "[2001:db8::1]:5000/a/b:1");
        check("127.0.0.1/upf:1", "127.0.0.1/upf:1");
    }

    #[test]
    fn a_digest_stands_alone_or_beside_a_tag() {
        check(&format!("upf@sha256:{HEX}"), &format!("docker.io/library/upf@sha256:{HEX}"));
        let both = format!("quay.io/acme/upf:1@sha256:{HEX}");
        check(&both, &both);
        let reference: Reference = both.parse().expect("a reference");
        assert_eq!(reference.target(), format!("sha256:{HEX}"));
        assert_eq!((reference.tag(), reference.repository().path()), (Some("1"), "acme/upf"));
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
        check("../../etc", "\"..\" is no name of a host");
        check("a.-b/upf", "\"a.-b\" is no name of a host");
        let long = "a".repeat(300);
        check(
            &format!("quay.io/{long}"),
            &format!("\"{}...\" is longer than 255 characters", "a".repeat(120)),
        );
    }
}
