//! The manifests of images, as the last pull found them. The content of a digest never changes, so the next pull need not fetch
//! indexes again. No look-up of a starting container reads this, and without it nothing is lost.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::durable::Put;
use super::{Digest, Store, Writer};

pub(super) const IMAGES_FILE: &str = "images.json";
/// Room for some 30,000 images, in bytes.
const MAX_IMAGES: u64 = 8 << 20;

/// The manifests of images, for one choice of platforms.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageManifests {
    /// Which platforms were asked for; another choice needs another answer.
    pub platform: String,
    /// By the digest that a name stood for: the manifests under which artifacts may be.
    pub images: BTreeMap<Digest, Vec<Digest>>,
}

impl Store {
    /// What the last pull found out for these platforms; nothing if there was none.
    pub fn images(&self, platform: &str) -> ImageManifests {
        let none = || ImageManifests { platform: platform.to_owned(), ..ImageManifests::default() };
        match self.folder.read(IMAGES_FILE, MAX_IMAGES) {
            Ok(Some(bytes)) => match serde_json::from_slice::<ImageManifests>(&bytes) {
                Ok(images) if images.platform == platform => images,
                Ok(_) | Err(_) => none(),
            },
            Ok(None) => none(),
            // It can be done without.
            Err(trouble) => {
                log::warn!("{trouble}: indexes are fetched again");
                none()
            }
        }
    }
}

impl Writer {
    /// Keeps what was found out, unless it has become too much to keep.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub fn remember(&mut self, images: &ImageManifests) -> anyhow::Result<()> {
        let put = Put { folder: ".", name: IMAGES_FILE.to_owned(), bytes: serde_json::to_vec(images)? };
        match put.fits(MAX_IMAGES) {
            Ok(()) => self.put(&put),
            Err(_) => Ok(()),
        }
    }
}
