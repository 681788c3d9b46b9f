//! An image in a registry: what is attached to it there, what it says of its platform, and what the administrator demands of it.

use std::path::Path;

use crate::decide::requirements::{self, Collected};
use crate::image::{Image, Reference};
use crate::policy::Policy;
use crate::supply::attach::Platform;
use crate::supply::pull::{Pulled, Puller, Remote};

use super::platform;

/// What a registry says of an image.
#[derive(Debug)]
pub struct Inquiry {
    /// The image.
    pub remote: Remote,
    /// What a pull would store of it; nothing is stored yet.
    pub pulled: Pulled,
    /// On behalf of which platform the registry was asked.
    platform: Platform,
}

impl Inquiry {
    /// Asks a registry about an image, on behalf of a host of this platform.
    ///
    /// # Errors
    ///
    /// If what its name stands for cannot be read.
    pub fn new(puller: &Puller<'_>, image: &Reference, platform: &Platform) -> anyhow::Result<Self> {
        let (remote, pulled) = puller.inquire(image, platform)?;
        Ok(Self { remote, pulled, platform: platform.clone() })
    }

    /// What is demanded by what the registry has, and by the administrator. Where the puller has a store, what is in it already
    /// is not among that.
    pub fn offered(&self, policy: &Policy) -> Collected {
        let digests = &self.remote.digests;
        self.completed(requirements::of_offered(digests, self.called(), &self.pulled.additions, policy))
    }

    /// What is demanded by what the store has by now, and by the administrator.
    pub fn stored(&self, store: &Path, policy: &Policy) -> Collected {
        self.completed(requirements::of_image(&self.remote.digests, self.called(), store, policy))
    }

    fn called(&self) -> Image {
        Image { names: vec![self.remote.image.stored()], digests: self.remote.digests.clone() }
    }

    /// With what the image says of its platform, and with what went wrong.
    fn completed(&self, mut collected: Collected) -> Collected {
        collected.requirements.extend(platform::demand(&self.remote.label, &self.platform));
        let problems = self.remote.problems.iter().chain(&self.pulled.problems);
        collected.troubles.extend(problems.cloned());
        collected.notes.extend(self.pulled.notes.iter().cloned());
        collected
    }
}
