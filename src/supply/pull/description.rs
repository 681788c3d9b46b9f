//! What an image says of itself: which part of it a host would take, for which machines it is, and what it consists of. Wherever
//! its documents come from, nothing is judged.

use anyhow::bail;
use serde::Deserialize;

use crate::store::Digest;
use crate::supply::attach::{
    ImageLabel, LabelledImage, Pick, Platform, label_of, labelled, pick, pick_among,
};
use crate::supply::registry::{
    DOCKER_INDEX, Descriptor, IMAGE_INDEX, IMAGE_MANIFEST, MANIFEST_TYPES, Manifest,
};

/// What an image says of itself.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct ImageDescription {
    /// The digest of its index, if it has one, and of the manifest that such a host would take, if there is one.
    pub digests: Vec<Digest>,
    /// For which machines it is.
    pub label: Label,
    /// The other images of its index for such machines.
    pub siblings: Vec<LabelledImage>,
    /// The bytes of the configuration of the image that such a host would take; `None` if there is no such image, or it has none.
    pub configuration: Option<Vec<u8>>,
    /// The layers of that image, the lowest first.
    pub layers: Vec<Descriptor>,
    /// What could not be read behind its index, each a sentence.
    pub problems: Vec<String>,
}

/// For which machines an image says that it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Label {
    /// Its index has images, and none of them is for the platform that was asked for. The platforms that it names.
    Missing(Vec<Platform>),
    /// The index names the image for this platform. What the image itself says does not count beside that.
    Listed(ImageLabel),
    /// There is no index. The image's configuration names this platform; engines do not check that.
    Claimed(ImageLabel),
    /// Nothing is said, or nothing that can be read.
    #[default]
    Unknown,
}

/// Where the documents of an image come from.
pub struct ImageDocuments<'a> {
    /// Whether the manifest with a digest is at hand: images of an index that are not do not count. `None` if all are.
    pub has: Option<&'a dyn Fn(&Digest) -> bool>,
    /// Reads a manifest or an index.
    pub manifest: &'a dyn Fn(&Digest) -> anyhow::Result<Manifest>,
    /// Reads an image's configuration.
    pub configuration: &'a dyn Fn(&Descriptor) -> anyhow::Result<Vec<u8>>,
}

impl std::fmt::Debug for ImageDocuments<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ImageDocuments").finish_non_exhaustive()
    }
}

/// What of an image manifest leads to its configuration.
#[derive(Deserialize)]
struct ImageManifest {
    config: Descriptor,
    #[serde(default)]
    layers: Vec<Descriptor>,
}

/// What of a configuration says for which machine an image is (image-spec 1.1, `config.md`).
#[derive(Deserialize)]
struct PlatformConfig {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default, rename = "os.version")]
    os_version: Option<String>,
    #[serde(default, rename = "os.features")]
    os_features: Option<Vec<String>>,
}

/// Describes the image that a manifest or index is, on behalf of a host of this platform. Of several images for Windows, the first
/// that the host `prefers` counts.
///
/// # Errors
///
/// If an index cannot be understood.
pub fn describe(
    found: &Manifest,
    platform: &Platform,
    prefers: &dyn Fn(&ImageLabel) -> bool,
    documents: &ImageDocuments<'_>,
) -> anyhow::Result<ImageDescription> {
    let mut described = ImageDescription { digests: vec![found.digest], ..ImageDescription::default() };
    if !found.is_index() {
        described.note(|described| described.add_parts(found, documents));
        described.label = described.configuration.as_deref().map_or(Label::Unknown, claimed);
        return Ok(described);
    }
    let picked = match documents.has {
        Some(has) => pick_among(&found.bytes, platform, has)?,
        None => pick(&found.bytes, platform)?,
    };
    match picked {
        Pick::One(manifest) => {
            let mut all = labelled(&found.bytes, platform)?;
            let is_at_hand = |it: &LabelledImage| documents.has.is_none_or(|has| has(&it.digest));
            // Windows chooses by its own version among several.
            let is_windows = platform.os() == "windows";
            let preferred = all.iter().position(|it| is_windows && is_at_hand(it) && prefers(&it.label));
            let first = || all.iter().position(|it| it.digest == manifest);
            let chosen = preferred.or_else(first).map(|it| all.remove(it));
            let (digest, label) = match chosen {
                Some(chosen) => (chosen.digest, Some(chosen.label)),
                None => (manifest, label_of(&found.bytes, &manifest)?),
            };
            described.digests.push(digest);
            described.label = label.map_or(Label::Unknown, Label::Listed);
            described.siblings = all;
        }
        Pick::Unlabelled(manifest) => described.digests.push(manifest),
        Pick::None(offered) => described.label = Label::Missing(offered),
        Pick::Unclear => {}
    }
    if let [_, manifest] = described.digests.as_slice() {
        let manifest = *manifest;
        described.note(|described| described.add_parts(&(documents.manifest)(&manifest)?, documents));
    }
    Ok(described)
}

/// Describes an image of which an engine keeps the configuration, and perhaps the index. `digests` are those of its index and
/// manifest, as far as they are known.
pub fn describe_stored(
    configuration: Vec<u8>,
    documents: &[Vec<u8>],
    digests: &[Digest],
    platform: &Platform,
) -> ImageDescription {
    let listed = documents.iter().find_map(|index| {
        // What is no index says nothing.
        let label = digests.iter().find_map(|it| label_of(index, it).ok().flatten())?;
        let mut siblings = labelled(index, platform).unwrap_or_default();
        siblings.retain(|it| !digests.contains(&it.digest));
        Some((Label::Listed(label), siblings))
    });
    let (label, siblings) = listed.unwrap_or_else(|| (claimed(&configuration), Vec::new()));
    ImageDescription {
        digests: digests.to_vec(),
        label,
        siblings,
        configuration: Some(configuration),
        ..ImageDescription::default()
    }
}

/// A manifest or an index of these bytes, whatever it is called.
///
/// # Errors
///
/// If it is neither.
pub fn manifest_of(bytes: Vec<u8>) -> anyhow::Result<Manifest> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct TypedDocument {
        #[serde(default)]
        media_type: Option<String>,
        #[serde(default)]
        manifests: Option<serde::de::IgnoredAny>,
    }
    let digest = Digest::of(&bytes);
    let is_object = bytes.trim_ascii_start().starts_with(b"{");
    let Some(document) = serde_json::from_slice::<TypedDocument>(&bytes).ok().filter(|_| is_object) else {
        bail!("{digest} is no manifest and no index")
    };
    // The type may be left out (image-spec 1.1, `manifest.md`).
    let shape = if document.manifests.is_some() { IMAGE_INDEX } else { IMAGE_MANIFEST };
    let media_type = document.media_type.unwrap_or_else(|| shape.to_owned());
    if !MANIFEST_TYPES.contains(&media_type.as_str())
        || [IMAGE_INDEX, DOCKER_INDEX].contains(&media_type.as_str()) != document.manifests.is_some()
    {
        bail!("{digest} is no manifest and no index")
    }
    Ok(Manifest { media_type, digest, bytes })
}

/// What a configuration says.
fn claimed(configuration: &[u8]) -> Label {
    let Ok(config) = serde_json::from_slice::<PlatformConfig>(configuration) else { return Label::Unknown };
    let PlatformConfig { os, architecture, variant, os_version, os_features } = config;
    let labelled = |platform| {
        let os_features = os_features.unwrap_or_default();
        Label::Claimed(ImageLabel { platform, os_version, os_features, features: Vec::new() })
    };
    Platform::new(&os, &architecture, variant.as_deref()).map_or(Label::Unknown, labelled)
}

impl ImageDescription {
    fn note(&mut self, add: impl FnOnce(&mut Self) -> anyhow::Result<()>) {
        if let Err(err) = add(self) {
            self.problems.push(format!("{err:#}"));
        }
    }

    /// Adds an image's configuration and its layers; nothing of what is an artifact.
    fn add_parts(&mut self, manifest: &Manifest, documents: &ImageDocuments<'_>) -> anyhow::Result<()> {
        let Ok(ImageManifest { config, layers }) = serde_json::from_slice(&manifest.bytes) else {
            return Ok(());
        };
        let is_image =
            ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
        if is_image.contains(&config.media_type.as_str()) {
            self.configuration = Some((documents.configuration)(&config)?);
            self.layers = layers;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn index(entries: &[(&str, &str)]) -> Vec<u8> {
        let entry = |(name, arch): &(&str, &str)| {
            json!({"mediaType": IMAGE_MANIFEST, "digest": Digest::of(name.as_bytes()), "size": 1,
                "platform": {"os": "linux", "architecture": arch}})
        };
        let entries: Vec<_> = entries.iter().map(entry).collect();
        json!({"mediaType": IMAGE_INDEX, "manifests": entries}).to_string().into_bytes()
    }

    fn platform(text: &str) -> Platform {
        text.parse().expect("a platform")
    }

    fn listed(text: &str) -> Label {
        Label::Listed(ImageLabel {
            platform: platform(text),
            os_version: None,
            os_features: Vec::new(),
            features: Vec::new(),
        })
    }

    /// Which image of an index counts where only these are at hand.
    #[test]
    fn the_image_that_is_at_hand_counts() {
        let index = manifest_of(index(&[("a", "amd64"), ("b", "arm64"), ("c", "s390x")])).expect("an index");
        let check = |held: &[&str], expected: Label, manifest: Option<&str>| {
            let held: Vec<_> = held.iter().map(|it| Digest::of(it.as_bytes())).collect();
            let documents = ImageDocuments {
                has: Some(&|it| held.contains(it)),
                manifest: &|it| bail!("{it} is not there"),
                configuration: &|_| bail!("none"),
            };
            let found =
                describe(&index, &platform("linux/amd64"), &|_| false, &documents).expect("a description");
            assert_eq!(found.label, expected, "{held:?}");
            assert_eq!(
                found.digests.get(1),
                manifest.map(|it| Digest::of(it.as_bytes())).as_ref(),
                "{held:?}"
            );
        };
        check(&["a", "b", "c"], listed("linux/amd64"), Some("a"));
        check(&["b"], listed("linux/arm64"), Some("b"));
        check(&["b", "c"], Label::Missing(vec![platform("linux/arm64"), platform("linux/s390x")]), None);
        check(&[], Label::Unknown, None);
    }

    #[test]
    fn an_unpacked_image_has_the_label_of_its_index_or_of_its_configuration() {
        let configuration = br#"{"os": "windows", "architecture": "amd64", "os.version": "10.0.1.2", "os.features": ["win32k"]}"#;
        let own = Label::Claimed(ImageLabel {
            platform: platform("windows/amd64"),
            os_version: Some("10.0.1.2".to_owned()),
            os_features: vec!["win32k".to_owned()],
            features: Vec::new(),
        });
        let index = index(&[("a", "amd64"), ("b", "arm64")]);
        let of = |documents: &[Vec<u8>], digest: &str| {
            let digests = [Digest::of(digest.as_bytes())];
            describe_stored(configuration.to_vec(), documents, &digests, &platform("linux/amd64"))
        };
        assert_eq!(of(&[], "a").label, own);
        assert_eq!(of(&[b"what".to_vec(), index.clone()], "b").label, listed("linux/arm64"));
        assert_eq!(of(std::slice::from_ref(&index), "b").siblings[0].digest, Digest::of(b"a"));
        assert_eq!(of(std::slice::from_ref(&index), "other").label, own);
        assert_eq!(describe_stored(b"x".to_vec(), &[], &[], &platform("linux/amd64")).label, Label::Unknown);
    }

    #[test]
    fn a_document_is_what_it_looks_like() {
        let kind = |text: &str| {
            manifest_of(text.as_bytes().to_vec()).map(|it| it.media_type).map_err(|it| it.to_string())
        };
        let neither =
            |text: &str| Err(format!("{} is no manifest and no index", Digest::of(text.as_bytes())));
        assert_eq!(kind("{}"), Ok(IMAGE_MANIFEST.to_owned()));
        assert_eq!(kind(r#"{"manifests": []}"#), Ok(IMAGE_INDEX.to_owned()));
        let lies = format!(r#"{{"mediaType": "{IMAGE_MANIFEST}", "manifests": []}}"#);
        for wrong in ["x", "[]", r#"{"mediaType": "text/plain"}"#, &lies] {
            assert_eq!(kind(wrong), neither(wrong));
        }
    }
}
