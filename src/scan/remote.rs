//! An image in a registry: what is attached to it there, what it says of its platform, and what the administrator demands of it.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::decide::pipeline::Host;
use crate::decide::requirements::{self, Collected};
use crate::image::{Image, Reference};
use crate::policy::{Implied, Policy};
use crate::program::OURS;
use crate::supply::attach::{ImageLabel, Platform};
use crate::supply::pull::{ImageDescription, Label, Pulled, Puller, Remote};
use crate::supply::registry::{Client, Descriptor};

use super::layers::{Layer, Layers};
use super::own::Configuration;
use super::platform;

/// What a registry says of an image.
#[derive(Debug)]
pub struct Inquiry {
    /// The image.
    pub remote: Remote,
    /// What a pull would store of it; nothing is stored yet.
    pub pulled: Pulled,
    /// The platform that the registry was asked for.
    platform: Platform,
    /// Whether the host is this one.
    is_here: bool,
}

impl Inquiry {
    /// Asks a registry about an image, on behalf of a host of this platform; `is_here` says that it is this one.
    ///
    /// # Errors
    ///
    /// If what its name stands for cannot be read.
    pub fn new(
        puller: &Puller<'_>,
        image: &Reference,
        platform: &Platform,
        host: &Host<'_>,
        is_here: bool,
    ) -> anyhow::Result<Self> {
        let prefers = |it: &ImageLabel| platform::fits(it, host, is_here);
        let (remote, pulled) = puller.inquire(image, platform, &prefers)?;
        Ok(Self { remote, pulled, platform: platform.clone(), is_here })
    }

    /// What is demanded by what the registry has, and by the administrator. Where the puller has a store, what is in it already
    /// is not among that.
    pub fn offered(&self, policy: &Policy) -> Collected {
        let digests = &self.remote.description.digests;
        self.completed(
            requirements::of_offered(digests, self.called(), &self.pulled.additions, policy),
            policy,
        )
    }

    /// What is demanded by what the store has by now, and by the administrator.
    pub fn stored(&self, store: &Path, policy: &Policy) -> Collected {
        self.completed(
            requirements::of_image(&self.remote.description.digests, self.called(), store, policy),
            policy,
        )
    }

    /// The configuration of the image that such a host would take; `None` if it has none that can be read.
    pub fn configuration(&self) -> Option<Configuration> {
        Configuration::parse(self.remote.description.configuration.as_ref()?)
    }

    /// Names an image of the index that fits the host better than the one that it would take.
    pub fn add_better(&self, collected: &mut Collected, policy: &Policy, host: &Host<'_>) {
        if policy.index != Implied::Off {
            let ImageDescription { label, siblings, .. } = &self.remote.description;
            platform::add_better(collected, label, siblings, host, self.is_here);
        }
    }

    /// Whether the image says that it is for another machine, and nothing but the image: then only its program is certain.
    pub fn is_doubtful(&self) -> bool {
        match &self.remote.description.label {
            Label::Claimed(it) => platform::machine(&it.platform).is_some_and(|it| it != OURS),
            Label::Missing(_) | Label::Listed(_) | Label::Unknown => false,
        }
    }

    /// The layers of that image, read from the registry when they are needed.
    pub fn layers<'a>(&'a self, client: &Client, patience: Duration) -> Layers<'a> {
        let client = client.until(Instant::now() + patience, "reading layers", patience);
        let repository = self.remote.image.repository();
        let layer = |it: &'a Descriptor| {
            let client = client.clone();
            Layer::new(it.digest, it.size, move || match client.stream(repository, it) {
                Ok(stream) => Ok(Box::new(stream) as Box<dyn Read>),
                Err(err) => Err(err.to_string()),
            })
        };
        Layers::new(self.remote.description.layers.iter().map(layer).collect(), patience)
    }

    fn called(&self) -> Image {
        Image { names: vec![self.remote.image.stored()], digests: self.remote.description.digests.clone() }
    }

    /// With what the image says of its platform, and with what went wrong.
    fn completed(&self, mut collected: Collected, policy: &Policy) -> Collected {
        collected.requirements.extend(platform::demand(
            &self.remote.description.label,
            &self.platform,
            self.is_here,
            policy.index,
        ));
        let problems = self.remote.description.problems.iter().chain(&self.pulled.problems);
        collected.troubles.extend(problems.cloned());
        collected.notes.extend(self.pulled.notes.iter().cloned());
        collected
    }
}
