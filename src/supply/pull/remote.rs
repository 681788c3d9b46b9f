//! An image in a registry: what its name stands for, which part of it this host would take, and what is attached to that part.
//! Nothing is stored, and nothing is judged.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::Reference;
use crate::store::{Digest, ImageManifests};
use crate::supply::attach::{ImageLabel, LabelledImage, Pick, Platform, labelled, pick};
use crate::supply::registry::{Descriptor, Manifest};

use super::{Pulled, Puller, WantedImage};

/// The configuration of an image is a few KiB: the history of its layers and its environment.
const MAX_CONFIG: u64 = 4 << 20;

/// An image in a registry, as far as it says for which machines it is.
#[derive(Debug)]
pub struct Remote {
    /// What it was asked for.
    pub image: Reference,
    /// The digest of its index, if it has one, and of the manifest that this host would take, if there is one.
    pub digests: Vec<Digest>,
    /// For which machines it is.
    pub label: Label,
    /// The other images of its index for such machines.
    pub siblings: Vec<LabelledImage>,
    /// The bytes of the configuration of the image that this host would take; `None` if there is no such image, or it has none.
    pub configuration: Option<Vec<u8>>,
    /// The layers of that image, the lowest first.
    pub layers: Vec<Descriptor>,
    /// What went wrong after its name was resolved, each a sentence.
    pub problems: Vec<String>,
}

/// For which machines an image says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// Its index has images, and none of them is for the platform that was asked for. The platforms that it names.
    Missing(Vec<Platform>),
    /// The index names the image for this platform. What the image itself says does not count beside that.
    Listed(ImageLabel),
    /// There is no index. The image's configuration names this platform; engines do not check that.
    Claimed(ImageLabel),
    /// There is none, or none that can be read.
    Unknown,
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
}

impl Puller<'_> {
    /// Finds out what an image in a registry says of itself, and fetches what is attached to it and not in the store yet. All
    /// of it takes no longer than one image of a pull may. Of several images for Windows, the first that the host `prefers` counts.
    ///
    /// # Errors
    ///
    /// If what the name stands for cannot be read.
    pub fn inquire(
        &self,
        image: &Reference,
        platform: &Platform,
        prefers: &dyn Fn(&ImageLabel) -> bool,
    ) -> anyhow::Result<(Remote, Pulled)> {
        let (at, phase, limit) = self.patience.next();
        let client = self.client.until(at, phase, limit);
        let timed = Puller {
            client: &client,
            platform: Some(platform.clone()),
            now: self.now.clone(),
            until: Some(at),
            ..*self
        };
        let found = client.resolve(image)?;
        let remote = timed.describe(image, &found, platform, prefers)?;
        let wanted =
            WantedImage { image: image.repository().at(found.digest), ..WantedImage::from(image.clone()) };
        // What was resolved just now need not be asked for again.
        let known = BTreeMap::from([(found.digest, remote.digests.clone())]);
        let images = ImageManifests { platform: platform.to_string(), images: known };
        let pulled =
            Puller { images: &images, platform: timed.platform.clone(), now: timed.now.clone(), ..timed }
                .pull_in_time(&wanted);
        Ok((remote, pulled))
    }

    fn describe(
        &self,
        image: &Reference,
        found: &Manifest,
        platform: &Platform,
        prefers: &dyn Fn(&ImageLabel) -> bool,
    ) -> anyhow::Result<Remote> {
        let mut remote = Remote {
            image: image.clone(),
            digests: vec![found.digest],
            label: Label::Unknown,
            siblings: Vec::new(),
            configuration: None,
            layers: Vec::new(),
            problems: Vec::new(),
        };
        if found.is_index() {
            match pick(&found.bytes, platform)? {
                Pick::One(manifest) => {
                    let mut all = labelled(&found.bytes, platform)?;
                    // Windows chooses by its own version among several.
                    let is_windows = platform.os() == "windows";
                    let preferred = all.iter().position(|it| is_windows && prefers(&it.label));
                    let first = || all.iter().position(|it| it.digest == manifest);
                    let chosen = preferred.or_else(first).map(|it| all.remove(it));
                    remote.digests.push(chosen.as_ref().map_or(manifest, |it| it.digest));
                    remote.label = chosen.map_or(Label::Unknown, |it| Label::Listed(it.label));
                    remote.siblings = all;
                }
                Pick::Unlabelled(manifest) => remote.digests.push(manifest),
                Pick::None(offered) => remote.label = Label::Missing(offered),
                Pick::Unclear => {}
            }
            if let [_, manifest] = remote.digests.as_slice() {
                let read = self.client.resolve(&image.repository().at(*manifest));
                let read = read.map_err(anyhow::Error::from).and_then(|it| self.add_parts(&mut remote, &it));
                remote.problems.extend(read.err().map(|err| format!("{err:#}")));
            }
            return Ok(remote);
        }
        let read = self.add_parts(&mut remote, found);
        remote.problems.extend(read.err().map(|err| format!("{err:#}")));
        if let Some(PlatformConfig { os, architecture, variant, os_version }) =
            remote.configuration.as_ref().and_then(|it| serde_json::from_slice(it).ok())
        {
            let claimed = Platform::new(&os, &architecture, variant.as_deref());
            let labelled =
                |platform| Label::Claimed(ImageLabel { platform, os_version, features: Vec::new() });
            remote.label = claimed.map_or(Label::Unknown, labelled);
        }
        Ok(remote)
    }

    /// Adds an image's configuration and its layers; nothing of what is an artifact.
    fn add_parts(&self, remote: &mut Remote, manifest: &Manifest) -> anyhow::Result<()> {
        let Ok(ImageManifest { config, layers }) = serde_json::from_slice(&manifest.bytes) else {
            return Ok(());
        };
        let is_image =
            ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
        if is_image.contains(&config.media_type.as_str()) {
            remote.configuration = Some(self.client.blob(remote.image.repository(), &config, MAX_CONFIG)?);
            remote.layers = layers;
        }
        Ok(())
    }
}
