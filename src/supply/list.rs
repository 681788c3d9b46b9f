//! What `list` prints: the images that have artifacts in the store or in a registry, and which of these count.

use serde::Serialize;

use super::attach;
use super::registry::{Client, Descriptor};
use crate::image::Reference;
use crate::store::{
    ARTIFACT_TYPES, ArtifactSource, ArtifactStanding, ArtifactSummary, CREATED, Digest, Store, StoredArtifact,
};
use crate::words::text::printable;

/// What `list --format json` prints; docs/store.md describes it. Fields are only ever added.
#[derive(Debug, Serialize)]
pub struct ListDocument {
    schema: &'static str,
    images: Vec<ListedImage>,
}

impl From<Vec<ListedImage>> for ListDocument {
    fn from(images: Vec<ListedImage>) -> Self {
        Self { schema: "oci-compat.list/v1", images }
    }
}

/// An image that has artifacts.
#[derive(Debug, Serialize)]
pub struct ListedImage {
    digest: String,
    names: Vec<String>,
    artifacts: Vec<ListedArtifact>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "snake_case")]
struct ListedArtifact {
    #[serde(flatten)]
    summary: ArtifactSummary,
    /// Whether a look-up takes it.
    counts: bool,
    /// Whether it does not, as nothing was verified of it, and another one was.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    unverified_beside_verified: bool,
}

/// What the store has for these images.
///
/// # Errors
///
/// If it cannot be read.
pub fn in_store(store: &Store, images: &[Digest]) -> anyhow::Result<Vec<ListedImage>> {
    images.iter().map(|it| image(store, it)).collect()
}

fn image(store: &Store, subject: &Digest) -> anyhow::Result<ListedImage> {
    let stored = store.stored(subject)?;
    let (standing, _) = store.standing(&[*subject]);
    let names = names(&stored);
    let artifacts = stored.into_iter().map(|it| artifact(it, &standing)).collect();
    Ok(ListedImage { digest: subject.to_string(), names, artifacts })
}

/// All that is attached to an image and to the images of its index, as the registry lists it: nothing is fetched but lists.
///
/// # Errors
///
/// If the registry does not answer, or has no such image.
pub fn in_registry(client: &Client, image: &Reference) -> anyhow::Result<Vec<ListedImage>> {
    let found = client.resolve(image)?;
    let mut subjects = vec![found.digest];
    if found.is_index() {
        subjects.extend(attach::images(&found.bytes, None)?.into_iter().map(|it| it.digest));
    }
    let mut images = Vec::new();
    for subject in subjects {
        let mut artifacts = Vec::new();
        for kind in ARTIFACT_TYPES {
            let referrers = client.referrers(image.repository(), &subject, Some(kind))?;
            artifacts.extend(referrers.descriptors.into_iter().map(|it| listed(it, kind)));
        }
        if !artifacts.is_empty() {
            images.push(ListedImage {
                digest: subject.to_string(),
                names: vec![image.to_string()],
                artifacts,
            });
        }
    }
    Ok(images)
}

fn listed(descriptor: Descriptor, kind: &str) -> ListedArtifact {
    let summary = ArtifactSummary {
        digest: descriptor.digest.to_string(),
        kind: kind.to_owned(),
        created: descriptor.annotations.and_then(|mut it| it.remove(CREATED)),
        fetched: None,
        source: ArtifactSource::default(),
    };
    ListedArtifact { summary, counts: true, unverified_beside_verified: false }
}

fn artifact(stored: StoredArtifact, standing: &ArtifactStanding) -> ListedArtifact {
    let is_among =
        |all: &[StoredArtifact]| all.iter().any(|it| it.artifact.manifest == stored.artifact.manifest);
    let (counts, is_aside) = (is_among(&standing.counting), is_among(&standing.aside));
    ListedArtifact { summary: stored.into(), counts, unverified_beside_verified: is_aside }
}

fn names(stored: &[StoredArtifact]) -> Vec<String> {
    let origins = stored.iter().filter_map(|it| it.origin.as_ref());
    let mut names: Vec<_> = origins.flat_map(|it| it.names().map(str::to_owned)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

impl ListedImage {
    /// For people.
    pub fn text(&self) -> String {
        let names: String = self.names.iter().map(|it| format!(" {}", printable(it))).collect();
        let mut text = format!("{}{names}\n", self.digest);
        for it in &self.artifacts {
            let ArtifactSummary { digest, created, source, .. } = &it.summary;
            let created = created.as_deref().map_or("no date".into(), printable);
            let from = source.place().map_or_else(String::new, |it| format!("  from {it}"));
            let passed_over = match (it.counts, it.unverified_beside_verified) {
                (true, _) => "",
                (false, true) => ", does not count beside a verified one",
                (false, false) => ", superseded",
            };
            let verified = source.verified();
            text.push_str(&format!("  {digest}  {created}  {verified}{from}{passed_over}\n"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{Addition, ArtifactOrigin, ArtifactSubject, Signature, VerifiedBy, Writer, pack};

    fn subject() -> Digest {
        Digest::of(b"image")
    }

    /// An artifact that a pull stores; returns its digest.
    fn add(writer: &mut Writer, spec: &[u8], created: &str, origin: Option<ArtifactOrigin>) -> String {
        let package = pack(spec, &ArtifactSubject::unseen(subject()), Some(created)).unwrap();
        let evidence = origin.as_ref().and_then(|it| it.signature.as_ref()).map(|_| b"evidence".to_vec());
        let addition = Addition { origin, evidence, ..Addition::of_file(subject(), package, None) };
        writer.add(&addition).unwrap().artifact.manifest.to_string()
    }

    fn from(repository: &str, name: &str) -> Option<ArtifactOrigin> {
        Some(ArtifactOrigin {
            repository: Some(repository.to_owned()),
            image: Some(name.to_owned()),
            ..ArtifactOrigin::default()
        })
    }

    fn signed(origin: Option<ArtifactOrigin>) -> Option<ArtifactOrigin> {
        let (key, evidence) = (Digest::of(b"key"), Digest::of(b"evidence"));
        let signature = Some(Signature { key, evidence, by: VerifiedBy::Key });
        origin.map(|it| ArtifactOrigin { signature, ..it })
    }

    #[test]
    fn each_artifact_is_listed_with_what_makes_it_count() {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(&folder.path().join("store")).unwrap();
        let signed = signed(from("r/a", "r/a:2"));
        let verified = add(&mut writer, b"1", "2026-01-01T00:00:00Z", signed);
        let older = add(&mut writer, b"2", "2025-01-01T00:00:00Z", from("r/b", "r/b:1"));
        let newer = add(&mut writer, b"3", "2026-02-01T00:00:00Z", from("r/b", "r/b:1"));
        let file = add(&mut writer, b"4", "2024-01-01T00:00:00Z", None);
        let store = Store::open(&folder.path().join("store")).unwrap().unwrap();
        let listed = in_store(&store, &[subject()]).unwrap();
        let key = Digest::of(b"key");
        let expected = format!(
            "{} r/a:2 r/b:1
  {verified}  2026-01-01T00:00:00Z  signed by key {key}  from r/a
  {older}  2025-01-01T00:00:00Z  no signature verified  from r/b, superseded
  {newer}  2026-02-01T00:00:00Z  no signature verified  from r/b, does not count beside a verified one
  {file}  2024-01-01T00:00:00Z  no signature verified
",
            subject()
        );
        assert_eq!(listed.iter().map(ListedImage::text).collect::<Vec<_>>(), [expected]);
    }

    #[test]
    fn what_a_registry_lists_is_taken_as_it_is() {
        let mut descriptor = Descriptor {
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            digest: Digest::of(b"artifact"),
            size: 7,
            artifact_type: None,
            annotations: None,
            platform: None,
        };
        let line = |descriptor: &Descriptor| {
            let artifacts = vec![listed(descriptor.clone(), ARTIFACT_TYPES[0])];
            let image = ListedImage { digest: "sha256:12".to_owned(), names: Vec::new(), artifacts };
            image.text().replace(&Digest::of(b"artifact").to_string(), "ARTIFACT")
        };
        assert_eq!(line(&descriptor), "sha256:12\n  ARTIFACT  no date  no signature verified\n");
        descriptor.annotations = Some([(CREATED.to_owned(), "today\u{1b}".to_owned())].into());
        assert_eq!(line(&descriptor), "sha256:12\n  ARTIFACT  today\\u{1b}  no signature verified\n");
    }
}
