//! What `show` prints: the artifacts of images, from the store, a layout or a registry, with their authors and their demands in
//! words.

mod demands;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};
use serde::{Deserialize, Serialize};

use crate::spec::formats;
use crate::store::{
    Addition, ArtifactOrigin, ArtifactSummary, Digest, MAX_MANIFEST, MAX_SPEC, Store, StoredArtifact, layout,
};
use crate::words::text::printable;

pub use demands::words;

use demands::ShownSet;

/// What `show --format json` prints. Fields are only ever added.
#[derive(Debug, Serialize)]
pub struct ShowDocument {
    schema: &'static str,
    images: Vec<ShownImage>,
}

impl From<Vec<ShownImage>> for ShowDocument {
    fn from(images: Vec<ShownImage>) -> Self {
        Self { schema: "oci-compat.show/v1", images }
    }
}

/// An image that has artifacts.
#[derive(Debug, Serialize)]
pub struct ShownImage {
    digest: String,
    artifacts: Vec<ShownArtifact>,
}

#[derive(Debug, Serialize)]
struct ShownArtifact {
    #[serde(flatten)]
    summary: ArtifactSummary,
    annotations: BTreeMap<String, String>,
    /// Why the spec cannot be read, if it cannot.
    #[serde(skip_serializing_if = "Option::is_none")]
    malformed: Option<String>,
    sets: Vec<ShownSet>,
}

/// Who made an artifact, as the image-spec's annotations say (`annotations.md`).
const MAKERS: [(&str, &str); 4] = [
    ("org.opencontainers.image.authors", "by"),
    ("org.opencontainers.image.vendor", "vendor"),
    ("org.opencontainers.image.source", "source"),
    ("org.opencontainers.image.documentation", "see"),
];

/// What is to be stored after a pull.
///
/// # Errors
///
/// If a manifest cannot be read.
pub fn of_additions(additions: Vec<Addition>) -> anyhow::Result<Vec<ShownImage>> {
    let mut images: BTreeMap<Digest, Vec<ShownArtifact>> = BTreeMap::new();
    for Addition { subject, package, origin, .. } in additions {
        let artifact = package.artifact(&subject)?;
        // It is not stored yet.
        let origin = origin.map(|it| ArtifactOrigin { fetched: None, ..it });
        let described = described(StoredArtifact { artifact, origin }, &package.manifest, &package.spec)?;
        images.entry(subject).or_default().push(described);
    }
    Ok(by_image(images))
}

/// What the store in this folder has for an image, which [`Store::subjects_of`] finds.
///
/// # Errors
///
/// If it has nothing, or cannot be read.
pub fn in_store(
    folder: &Path,
    image: &str,
    ask_engine: impl FnOnce() -> anyhow::Result<Vec<Digest>>,
) -> anyhow::Result<Vec<ShownImage>> {
    let store = Store::open(folder)?;
    let subjects = match &store {
        Some(store) => store.subjects_of(image, ask_engine)?,
        None => Vec::new(),
    };
    let Some(store) = store.filter(|_| !subjects.is_empty()) else {
        bail!(
            "the store {} has no artifact for image {image:?}: fetch what is attached to it with oci-compat pull",
            folder.display()
        );
    };
    let image = |subject: &Digest| {
        let artifacts = store.stored(subject)?.into_iter().map(|it| stored(&store, it));
        Ok(ShownImage { digest: subject.to_string(), artifacts: artifacts.collect::<anyhow::Result<_>>()? })
    };
    subjects.iter().map(image).collect()
}

fn stored(store: &Store, stored: StoredArtifact) -> anyhow::Result<ShownArtifact> {
    let manifest = store.blob(&stored.artifact.manifest, MAX_MANIFEST)?;
    let spec = store.blob(&stored.artifact.spec.digest, MAX_SPEC)?;
    described(stored, &manifest, &spec)
}

/// What a layout, a folder or a tar file, has.
///
/// # Errors
///
/// If it cannot be read, or has nothing.
pub fn in_layout(layout: &Path) -> anyhow::Result<Vec<ShownImage>> {
    let mut images: BTreeMap<Digest, Vec<ShownArtifact>> = BTreeMap::new();
    for found in layout::find(layout.as_ref(), None)? {
        let artifact = StoredArtifact { artifact: found.artifact, origin: None };
        let described = described(artifact, &found.package.manifest, &found.package.spec)?;
        images.entry(found.subject).or_default().push(described);
    }
    Ok(by_image(images))
}

fn by_image(images: BTreeMap<Digest, Vec<ShownArtifact>>) -> Vec<ShownImage> {
    images.into_iter().map(|(it, artifacts)| ShownImage { digest: it.to_string(), artifacts }).collect()
}

fn described(stored: StoredArtifact, manifest: &[u8], spec: &[u8]) -> anyhow::Result<ShownArtifact> {
    #[derive(Deserialize)]
    #[serde(expecting = "an object")]
    struct Annotated {
        #[serde(default)]
        annotations: Option<BTreeMap<String, String>>,
    }
    let annotated: Annotated = serde_json::from_slice(manifest)
        .with_context(|| format!("reading manifest {}", stored.artifact.manifest))?;
    let (sets, malformed) = match formats::parse_layer(&stored.artifact.spec.media_type, spec) {
        Ok(spec) => (demands::in_words(&spec), None),
        Err(err) => (Vec::new(), Some(err.to_string())),
    };
    Ok(ShownArtifact {
        summary: stored.into(),
        annotations: annotated.annotations.unwrap_or_default(),
        malformed,
        sets,
    })
}

impl ShownImage {
    /// For people.
    pub fn text(&self) -> String {
        let mut lines = vec![self.digest.clone()];
        for artifact in &self.artifacts {
            lines.push(format!("  artifact {}", artifact.summary.digest));
            lines.extend(artifact.origin().map(|(what, it)| format!("    {what:<8} {}", printable(&it))));
            if let Some(reason) = &artifact.malformed {
                lines.push(format!("    its spec is malformed: {}", printable(reason)));
            }
            let several = artifact.sets.len() > 1;
            if several {
                lines.push("    one of these has to fit:".to_owned());
            }
            lines.extend(artifact.sets.iter().flat_map(|it| it.lines(several)));
        }
        lines.push(String::new());
        lines.join("\n")
    }
}

impl ShownArtifact {
    /// What is known of its making and its way, each with a word in front.
    fn origin(&self) -> impl Iterator<Item = (&'static str, String)> {
        let ArtifactSummary { created, fetched, source, .. } = &self.summary;
        let signed = source.signed();
        let from = source.place().map(|it| ("from", it));
        let made = created.clone().unwrap_or_else(|| "at an unknown time".to_owned());
        let makers =
            MAKERS.iter().filter_map(|(key, what)| Some((*what, self.annotations.get(*key)?.clone())));
        let fetched = fetched.clone().map(|it| ("fetched", it));
        [("made", made)].into_iter().chain(makers).chain(from).chain(fetched).chain([("signed", signed)])
    }
}
