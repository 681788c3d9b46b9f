//! Patterns of images: which images an exception, a requirement or a rule of trust is for. Never looks an image up.

use super::Glob;

/// What an image is called, as far as that is known; empty for an image that is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Image {
    /// Its names, such as `docker.io/library/nginx:1.27`; short ones are read as Docker reads them.
    pub names: Vec<String>,
    /// The digests of its manifest and of its index.
    pub digests: Vec<String>,
}

/// A pattern of image names, or a digest.
///
/// `docker.io/acme/upf` is every tag and digest of a repository, `docker.io/acme/upf:1.*` some of its tags,
/// `docker.io/acme/*` everything below, `sha256:...` one image, `*` any container, also one whose image is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    text: String,
    kind: Kind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Any,
    Digest,
    Name { repository: Glob, tag: Option<Glob>, digest: Option<String> },
}

impl ImagePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the rest of a sentence that starts with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let kind = if text == "*" {
            Kind::Any
        } else if text.starts_with("sha256:") {
            digest(text)?;
            Kind::Digest
        } else {
            name(text)?
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The pattern of every container, also of one whose image is not known.
    pub fn any() -> Self {
        Self { text: "*".to_owned(), kind: Kind::Any }
    }

    /// Whether the image is one of those.
    pub fn matches(&self, image: &Image) -> bool {
        match &self.kind {
            Kind::Any => true,
            Kind::Digest => image.digests.contains(&self.text),
            Kind::Name { repository, tag, digest } => image.names.iter().any(|it| {
                let name = Name::of(it);
                let digests = name.digest.into_iter().chain(image.digests.iter().map(String::as_str));
                repository.matches(&name.repository)
                    && tag.as_ref().is_none_or(|it| name.tag.is_some_and(|tag| it.matches(tag)))
                    && digest.as_ref().is_none_or(|it| digests.into_iter().any(|known| known == it))
            }),
        }
    }

    /// Whether it fits any container, so that nobody has to be asked for the image.
    pub fn is_any(&self) -> bool {
        self.kind == Kind::Any
    }

    /// Whether it names repositories, and no tag or digest in them.
    pub(super) fn is_repository(&self) -> bool {
        match &self.kind {
            Kind::Any => true,
            Kind::Digest => false,
            Kind::Name { tag, digest, .. } => tag.is_none() && digest.is_none(),
        }
    }

    /// How narrow it is, the larger the narrower: the length of the text before its first wildcard, then how many
    /// characters are no wildcards.
    pub(super) fn specificity(&self) -> (usize, usize) {
        let is_wild = |it: char| matches!(it, '*' | '?');
        let text = match &self.kind {
            Kind::Any | Kind::Digest => &self.text,
            Kind::Name { repository, .. } => repository.text(),
        };
        (text.find(is_wild).unwrap_or(text.len() + 1), text.chars().filter(|it| !is_wild(*it)).count())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn digest(text: &str) -> Result<(), String> {
    let hex = text.strip_prefix("sha256:").unwrap_or("");
    let is_digest = hex.len() == 64 && hex.bytes().all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'));
    if is_digest { Ok(()) } else { Err("is no digest: sha256: and 64 lower-case hex digits".to_owned()) }
}

fn name(text: &str) -> Result<Kind, String> {
    if let Some(odd) = text.chars().find(|it| !it.is_ascii_alphanumeric() && !"*?._-/:@".contains(*it)) {
        return Err(format!("has {odd:?}, which no image name has"));
    }
    let name = Name::of(text);
    if name.repository.is_empty() || name.repository.split('/').any(str::is_empty) {
        return Err("is no image name: a part of it is empty".to_owned());
    }
    if let Some(it) = name.digest {
        digest(it).map_err(|err| format!("ends with {it:?}, which {err}"))?;
    }
    Ok(Kind::Name {
        repository: Glob::new(&name.repository),
        tag: name.tag.map(Glob::new),
        digest: name.digest.map(str::to_owned),
    })
}

/// The parts of an image's name.
struct Name<'a> {
    /// With its registry, and `library/` where Docker Hub has it.
    repository: String,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

impl<'a> Name<'a> {
    /// Reads a name, or a pattern of names, as Docker and containerd do (`distribution/reference`, `normalize.go`).
    fn of(text: &'a str) -> Self {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last = rest.rfind('/').map_or(0, |it| it + 1);
        let colon = rest.get(last..).and_then(|it| it.find(':')).map(|it| last + it);
        let (path, tag) = match colon.and_then(|it| Some((rest.get(..it)?, rest.get(it + 1..)?))) {
            Some((path, tag)) => (path, Some(tag)),
            None => (rest, None),
        };
        Self { repository: repository(path), tag, digest }
    }
}

/// With the registry and the folder that are meant where none is written.
fn repository(path: &str) -> String {
    match path.split_once('/') {
        Some((first, _)) if is_registry(first) => path.replacen("index.docker.io/", "docker.io/", 1),
        Some(_) => format!("docker.io/{path}"),
        None if path.contains(['*', '?']) => path.to_owned(),
        None => format!("docker.io/library/{path}"),
    }
}

/// A pattern for a registry is none for a folder of Docker Hub.
fn is_registry(first: &str) -> bool {
    first == "localhost" || first.contains(['.', ':', '*', '?'])
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn check(pattern: &str, names: &[&str], expected: bool) {
        let image = Image {
            names: names.iter().map(|it| (*it).to_owned()).collect(),
            digests: vec![format!("sha256:{HEX}")],
        };
        let pattern = ImagePattern::parse(pattern).expect("a good pattern");
        assert_eq!(pattern.matches(&image), expected, "{pattern:?} {names:?}");
    }

    #[test]
    fn a_repository_is_all_of_its_tags_and_digests() {
        check("docker.io/acme/upf", &["docker.io/acme/upf:1"], true);
        check("docker.io/acme/upf", &["docker.io/acme/upf"], true);
        check("docker.io/acme/upf", &[&format!("docker.io/acme/upf@sha256:{HEX}")], true);
        check("docker.io/acme/upf", &["docker.io/acme/upf2:1"], false);
        check("docker.io/acme/upf", &["quay.io/acme/upf:1"], false);
        check("docker.io/acme/upf", &[], false);
        check("docker.io/acme/upf", &["quay.io/x:1", "docker.io/acme/upf:1"], true);
    }

    #[test]
    fn tags_and_digests_are_held_against_a_pattern_that_has_them() {
        check("docker.io/acme/upf:1.*", &["docker.io/acme/upf:1.2"], true);
        check("docker.io/acme/upf:1.*", &["docker.io/acme/upf:2.0"], false);
        check("docker.io/acme/upf:1.*", &["docker.io/acme/upf"], false);
        check(&format!("docker.io/acme/upf@sha256:{HEX}"), &["docker.io/acme/upf:1"], true);
        check(&format!("docker.io/acme/upf@sha256:{}", "0".repeat(64)), &["docker.io/acme/upf:1"], false);
        check(&format!("sha256:{HEX}"), &[], true);
        check(&format!("sha256:{}", "0".repeat(64)), &["docker.io/acme/upf:1"], false);
    }

    #[test]
    fn a_star_is_any_text_and_a_question_mark_one_character() {
        check("*", &[], true);
        check("*", &["quay.io/x"], true);
        check("quay.io/*", &["quay.io/a/b/c:1"], true);
        check("quay.io/*", &["quay.io.example/a"], false);
        check("*/upf", &["quay.io/acme/upf:1"], true);
        check("*upf", &["quay.io/acme/upf:1"], true);
        check("*:latest", &["quay.io/acme/upf:latest"], true);
        check("*:latest", &["quay.io/acme/upf:1"], false);
        check("registry.example/upf-?", &["registry.example/upf-1:x"], true);
        check("registry.example/upf-?", &["registry.example/upf-12:x"], false);
        check("localhost:5000/a*", &["localhost:5000/abc:1"], true);
        check("*.example:5000/a:2", &["x.example:5000/a:2"], true);
    }

    #[test]
    fn short_names_are_those_of_docker_hub() {
        check("nginx", &["docker.io/library/nginx:1.27"], true);
        check("docker.io/library/nginx", &["nginx:1.27"], true);
        check("acme/upf:1", &["docker.io/acme/upf:1"], true);
        check("acme/upf", &["index.docker.io/acme/upf:1"], true);
        check("localhost/x", &["localhost/x:1"], true);
        check("localhost/x", &["docker.io/localhost/x:1"], false);
    }

    #[test]
    fn what_is_no_pattern_is_said() {
        let check = |text: &str, expected: &str| {
            assert_eq!(ImagePattern::parse(text), Err(expected.to_owned()), "{text:?}");
        };
        check("", "is no image name: a part of it is empty");
        check("docker.io//upf", "is no image name: a part of it is empty");
        check("docker.io/", "is no image name: a part of it is empty");
        check("acme/upf[12]", "has '[', which no image name has");
        check("sha256:12", "is no digest: sha256: and 64 lower-case hex digits");
        check(
            "acme/upf@sha256:1",
            "ends with \"sha256:1\", which is no digest: sha256: and 64 lower-case hex digits",
        );
    }
}
