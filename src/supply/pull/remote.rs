//! An image in a registry: what its name stands for, which part of it this host would take, and what is attached to that part.
//! Nothing is stored, and nothing is judged.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::image::Reference;
use crate::store::{Digest, ImageManifests};
use crate::supply::attach::{Pick, Platform, pick};
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
    /// What went wrong after its name was resolved, each a sentence.
    pub problems: Vec<String>,
}

/// For which machines an image says that it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Label {
    /// Its index has images, and none of them is for the platform that was asked for. The platforms that it names.
    Missing(Vec<Platform>),
    /// The index names the image for this platform. What the image itself says does not count beside that.
    Listed(Platform),
    /// There is no index. The image's configuration names this platform; engines do not check that.
    Claimed(Platform),
    /// Nothing is said, or nothing that can be read.
    Unknown,
}

/// What of an image manifest leads to its configuration.
#[derive(Deserialize)]
struct ImageManifest {
    config: Descriptor,
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
}

impl Puller<'_> {
    /// Finds out what an image in a registry says of itself, and fetches what is attached to it and not in the store yet. All
    /// of it takes no longer than one image of a pull may.
    ///
    /// # Errors
    ///
    /// If what the name stands for cannot be read.
    pub fn inquire(&self, image: &Reference, platform: &Platform) -> anyhow::Result<(Remote, Pulled)> {
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
        let remote = timed.describe(image, &found, platform)?;
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

    fn describe(&self, image: &Reference, found: &Manifest, platform: &Platform) -> anyhow::Result<Remote> {
        let mut remote = Remote {
            image: image.clone(),
            digests: vec![found.digest],
            label: Label::Unknown,
            problems: Vec::new(),
        };
        if found.is_index() {
            match pick(&found.bytes, platform)? {
                Pick::One(manifest) => {
                    remote.digests.push(manifest);
                    remote.label = Label::Listed(platform.clone());
                }
                Pick::Unlabelled(manifest) => remote.digests.push(manifest),
                Pick::None(offered) => remote.label = Label::Missing(offered),
                Pick::Unclear => {}
            }
            return Ok(remote);
        }
        match self.claim(image, found) {
            Ok(Some(claimed)) => remote.label = Label::Claimed(claimed),
            Ok(None) => {}
            Err(err) => remote.problems.push(format!("{err:#}")),
        }
        Ok(remote)
    }

    /// What the configuration of an image says; `None` if it says nothing, as that of an artifact does.
    fn claim(&self, image: &Reference, found: &Manifest) -> anyhow::Result<Option<Platform>> {
        let Ok(manifest) = serde_json::from_slice::<ImageManifest>(&found.bytes) else { return Ok(None) };
        let is_image =
            ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];
        if !is_image.contains(&manifest.config.media_type.as_str()) {
            return Ok(None);
        }
        let bytes = self.client.blob(image.repository(), &manifest.config, MAX_CONFIG)?;
        let Ok(PlatformConfig { os, architecture, variant }) = serde_json::from_slice(&bytes) else {
            return Ok(None);
        };
        Ok(Platform::new(&os, &architecture, variant.as_deref()))
    }
}
