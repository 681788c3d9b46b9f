//! The entries of an index, with everything by which one can be preferred to another.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::decide::check::Requirement;
use crate::outcome::report::SpecOrigin;
use crate::spec::formats;
use crate::store::Digest;
use crate::supply::attach::{ImageLabel, Platform};
use crate::supply::registry::{DOCKER_INDEX, IMAGE_INDEX};

use super::super::platform;

/// No index in use has more than a hundred.
const MAX_ENTRIES: usize = 512;

/// An entry.
#[derive(Debug, Clone, PartialEq)]
pub struct IndexedImage {
    /// Of its manifest.
    pub digest: Digest,
    /// The type of its manifest.
    pub media_type: String,
    /// The number of bytes of its manifest.
    pub size: u64,
    /// What its author adds.
    pub annotations: BTreeMap<String, String>,
    /// For which hosts it is; none if the index does not say.
    pub label: Option<ImageLabel>,
    /// Sets of proposal H, as JSON.
    pub compatibilities: Option<Value>,
}

#[derive(Deserialize)]
struct SelectedIndex {
    manifests: Option<Vec<SelectedEntry>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SelectedEntry {
    #[serde(default)]
    media_type: String,
    digest: String,
    #[serde(default)]
    size: u64,
    platform: Option<SelectedPlatform>,
    /// Proposal A's example has it without its last letter.
    #[serde(alias = "annotation")]
    annotations: Option<BTreeMap<String, String>>,
}

/// As image-spec 1.1 has it (`image-index.md`), and the additions of proposals E (`features`) and H (`compatibilities`).
#[derive(Deserialize)]
struct SelectedPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    #[serde(default, rename = "os.features")]
    os_features: Vec<String>,
    #[serde(default)]
    features: Vec<String>,
    compatibilities: Option<Value>,
}

/// The entries of an index in its order, without BuildKit's attestations.
///
/// # Errors
///
/// If it is no index, has too many entries, or names one by what is no SHA-256 digest.
pub fn entries(index: &[u8]) -> anyhow::Result<Vec<IndexedImage>> {
    let index: SelectedIndex = serde_json::from_slice(index).context("it is no index of images")?;
    let all = index.manifests.context("it is no index of images: it has no `manifests`")?;
    let count = all.len();
    ensure!(count <= MAX_ENTRIES, "the index has {count} entries, and {MAX_ENTRIES} at most are judged");
    let images = all.into_iter().filter(|it| {
        it.platform.as_ref().is_none_or(|it| (&*it.os, &*it.architecture) != ("unknown", "unknown"))
    });
    images.map(IndexedImage::new).collect()
}

impl IndexedImage {
    fn new(entry: SelectedEntry) -> anyhow::Result<Self> {
        let SelectedEntry { media_type, digest, size, platform, annotations } = entry;
        let digest = digest.parse().with_context(|| format!("the entry {digest:?}"))?;
        let (label, compatibilities) = match platform {
            None => (None, None),
            Some(SelectedPlatform {
                os,
                architecture,
                variant,
                os_version,
                os_features,
                features,
                compatibilities,
            }) => {
                let platform = Platform::new(&os, &architecture, variant.as_deref());
                let label =
                    platform.map(|platform| ImageLabel { platform, os_version, os_features, features });
                (label, compatibilities)
            }
        };
        let annotations = annotations.unwrap_or_default();
        Ok(Self { digest, media_type, size, annotations, label, compatibilities })
    }

    /// An image that no index names.
    pub fn alone(digest: Digest, media_type: &str, size: u64) -> Self {
        Self {
            digest,
            media_type: media_type.to_owned(),
            size,
            annotations: BTreeMap::new(),
            label: None,
            compatibilities: None,
        }
    }

    /// Whether it is an index of its own.
    pub fn is_index(&self) -> bool {
        [IMAGE_INDEX, DOCKER_INDEX].contains(&self.media_type.as_str())
    }

    /// The machine of its label, as `kernel.program` calls it; `None` if it has no label or the machine is not known here.
    pub fn machine(&self) -> Option<String> {
        platform::machine(&self.label.as_ref()?.platform)
    }

    /// How much its label asks for.
    pub fn specific(&self) -> u32 {
        self.label.as_ref().map_or(0, |it| platform::specific(it).saturating_add(1))
    }

    /// What its label demands.
    pub fn demands(&self) -> Vec<Requirement> {
        let label = self.label.as_ref().and_then(platform::required);
        let sets = self.compatibilities.as_ref().map(|it| {
            let document = json!({"compatibilities": it}).to_string();
            Requirement { origin: SpecOrigin::Platform, spec: formats::parse(document.as_bytes()) }
        });
        label.into_iter().chain(sets).collect()
    }
}
