//! Patterns of images, which select the images of a waiver, a requirement or a rule of trust. Never looks an image up.

use crate::image::digest::Digest;
use crate::words::glob::Glob;

use super::spelled::{is_identifier, is_wild};
use super::{Image, Spelled, doubt};

/// A pattern of image names, or a digest.
///
/// `docker.io/acme/upf` is every tag and digest of a repository, `docker.io/acme/upf:1.*` some of its tags,
/// `docker.io/acme/*` everything below, `sha256:...` one image, `*` any container, also one whose image is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImagePattern {
    text: String,
    kind: PatternKind,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum PatternKind {
    Any,
    Digest(Digest),
    Name {
        repository: Glob,
        /// `docker.io/ng*` is also `docker.io/library/ng*`, which people do not write.
        official: Option<Glob>,
        tag: Option<Glob>,
        digest: Option<Digest>,
    },
}

impl ImagePattern {
    /// Reads a pattern.
    ///
    /// # Errors
    ///
    /// What is wrong with it, as the rest of a sentence that starts with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let kind = if text == "*" {
            PatternKind::Any
        } else if text.starts_with("sha256:") {
            PatternKind::Digest(digest(text)?)
        } else {
            name(text)?
        };
        Ok(Self { text: text.to_owned(), kind })
    }

    /// The pattern of every container, also of one whose image is not known.
    pub fn any() -> Self {
        Self { text: "*".to_owned(), kind: PatternKind::Any }
    }

    /// Whether the image is one of those.
    pub fn matches(&self, image: &Image) -> bool {
        match &self.kind {
            PatternKind::Any => true,
            PatternKind::Digest(digest) => image.digests.contains(digest),
            PatternKind::Name { .. } => image.names.iter().any(|it| self.fits(it, &image.digests)),
        }
    }

    /// Whether a name of an image with these digests fits. It may be text that no registry would take for a name.
    fn fits(&self, name: &str, digests: &[Digest]) -> bool {
        let PatternKind::Name { repository, official, tag, digest } = &self.kind else { return false };
        if is_identifier(name) {
            return false;
        }
        let spelled = Spelled::of(name);
        let found = spelled.repository();
        // What has neither tag nor digest has Docker's default tag.
        let found_tag = spelled.tag.or(spelled.digest.is_none().then_some("latest"));
        let has =
            |it: &Digest| digests.contains(it) || spelled.digest.is_some_and(|named| named == it.to_string());
        (repository.matches(&found) || official.as_ref().is_some_and(|it| it.matches(&found)))
            && tag.as_ref().is_none_or(|it| found_tag.is_some_and(|tag| it.matches(tag)))
            && digest.as_ref().is_none_or(has)
    }

    /// Whether it fits any container, so the engine need not be asked for the image.
    pub fn is_any(&self) -> bool {
        self.kind == PatternKind::Any
    }

    /// Whether it names repositories, and no tag or digest in them.
    pub fn is_repository(&self) -> bool {
        match &self.kind {
            PatternKind::Any => true,
            PatternKind::Digest(_) => false,
            PatternKind::Name { tag, digest, .. } => tag.is_none() && digest.is_none(),
        }
    }

    /// How narrow it is, the larger the narrower: the length of the text before its first wildcard, then how many
    /// characters are no wildcards.
    pub fn specificity(&self) -> (usize, usize) {
        let is_wild = |it: char| matches!(it, '*' | '?');
        let text = match &self.kind {
            PatternKind::Any | PatternKind::Digest(_) => &self.text,
            PatternKind::Name { repository, .. } => repository.text(),
        };
        (text.find(is_wild).unwrap_or(text.len() + 1), text.chars().filter(|it| !is_wild(*it)).count())
    }

    /// As it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Why it is probably not what its author means, as the rest of a sentence that starts with it: it can match no image,
    /// or only one that does not exist.
    pub fn doubt(&self) -> Option<String> {
        match &self.kind {
            PatternKind::Any | PatternKind::Digest(_) => None,
            PatternKind::Name { .. } => doubt::of(&self.text),
        }
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse().map_err(|_| "is no digest: sha256: and 64 lower-case hex digits".to_owned())
}

fn name(text: &str) -> Result<PatternKind, String> {
    if let Some((scheme, _)) = text.split_once("://") {
        return Err(format!("is a URL: leave out {:?}", format!("{scheme}://")));
    }
    let spelled = Spelled::of_pattern(text);
    // Only an address has brackets.
    let (registry, rest) = text.split_at(spelled.registry.map_or(0, str::len));
    let odd = registry.chars().find(|it| !is_of_name(*it) && !matches!(it, '[' | ']'));
    if let Some(odd) = odd.or_else(|| rest.chars().find(|it| !is_of_name(*it))) {
        return Err(format!("has {odd:?}, which no image name has"));
    }
    if spelled.registry == Some("") || spelled.path.split('/').any(str::is_empty) {
        return Err("is no image name: a part of it is empty".to_owned());
    }
    let digest = spelled.digest.map(|it| digest(it).map_err(|err| format!("ends with {it:?}, which {err}")));
    let (repository, official) = repositories(&spelled);
    Ok(PatternKind::Name {
        repository,
        official,
        tag: spelled.tag.map(Glob::new),
        digest: digest.transpose()?,
    })
}

fn is_of_name(it: char) -> bool {
    it.is_ascii_alphanumeric() || "*?._-/:@".contains(it)
}

/// What a name is compared with: all repositories of a pattern, and those that Docker Hub has in its own folder.
fn repositories(spelled: &Spelled<'_>) -> (Glob, Option<Glob>) {
    let (registry, path) = (spelled.registry(), spelled.path);
    if spelled.registry.is_none() && path.starts_with('*') && !path.contains('/') {
        return (Glob::new(path), None);
    }
    let official = Glob::new(&spelled.repository());
    // `docker.io/*` is everything there, not only the content of that folder.
    match is_wild(path) && !path.contains('/') {
        true => (Glob::new(&format!("{}/{path}", registry.to_ascii_lowercase())), Some(official)),
        false => (official, None),
    }
}
