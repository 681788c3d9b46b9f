//! An image in a registry: what its name stands for, which part of it this host would take, and what is attached to that part.
//! Nothing is stored, and nothing is judged.

use std::collections::BTreeMap;

use crate::image::Reference;
use crate::store::ImageManifests;
use crate::supply::attach::{ImageLabel, Platform};

use super::description::{ImageDescription, ImageDocuments, describe};
use super::{Pulled, Puller, WantedImage};

/// The configuration of an image is a few KiB: the history of its layers and its environment.
const MAX_CONFIG: u64 = 4 << 20;

/// An image in a registry, as far as it says for which machines it is.
#[derive(Debug)]
pub struct Remote {
    /// What it was asked for.
    pub image: Reference,
    /// What it says of itself.
    pub description: ImageDescription,
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
        let repository = image.repository();
        let documents = ImageDocuments {
            has: None,
            manifest: &|it| Ok(client.resolve(&repository.at(*it))?),
            configuration: &|it| Ok(client.blob(repository, it, MAX_CONFIG)?),
        };
        let description = describe(&found, platform, prefers, &documents)?;
        let remote = Remote { image: image.clone(), description };
        let wanted =
            WantedImage { image: image.repository().at(found.digest), ..WantedImage::from(image.clone()) };
        // What was resolved just now need not be asked for again.
        let known = BTreeMap::from([(found.digest, remote.description.digests.clone())]);
        let images = ImageManifests { platform: platform.to_string(), images: known };
        let pulled =
            Puller { images: &images, platform: timed.platform.clone(), now: timed.now.clone(), ..timed }
                .pull_in_time(&wanted);
        Ok((remote, pulled))
    }
}
