//! An image that is on this machine: in an engine's store, in an OCI layout, or in an archive. What it says of its host is read as
//! it lies there. Nothing is unpacked, nothing is written, and no registry is asked.

use std::ffi::OsStr;
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use crate::container::identity::named::FoundImage;
use crate::container::identity::stored::{ImageFolders, StoredImage};
use crate::decide::pipeline::Host;
use crate::decide::requirements::{self, Collected};
use crate::image::Image;
use crate::image::digest::Digest;
use crate::policy::{Implied, Policy};
use crate::store::Addition;
use crate::store::layout::{self, LayoutSource};
use crate::supply::attach::{ImageLabel, Platform, layout_image};
use crate::supply::pull::{ImageDescription, ImageDocuments, describe, describe_stored, manifest_of};
use crate::supply::registry::{Descriptor, Manifest};

use super::layers::{Folders, Layer, Layers};
use super::own::{self, Configuration};
use super::platform;

/// No index, no manifest and no configuration is larger, in bytes (distribution-spec 1.1, "Pushing Manifests").
const MAX_DOCUMENT: u64 = 4 << 20;

/// What is looked for in images, and for whom.
#[derive(Debug, Clone)]
pub struct ImageScope {
    /// Whether their programs are read.
    pub program: bool,
    /// Whether they are judged for containers that are given GPUs.
    pub gpus: bool,
    /// The platform whose image of an index counts.
    pub platform: Platform,
    /// The machine of the host, where that is known to be this one.
    pub machine: Option<&'static str>,
    /// How long reading layers may take, of all images together.
    pub patience: Duration,
    /// Since when.
    pub began: Instant,
}

/// An image on this machine.
#[derive(Debug)]
pub struct LocalImage {
    description: ImageDescription,
    files: LocalFiles,
    /// Whether an engine has it: engines start what they have, whatever its label says.
    is_pulled: bool,
}

#[derive(Debug)]
enum LocalFiles {
    /// As blobs.
    Blobs(LayoutSource),
    /// Unpacked, the uppermost layer first.
    Folders(Vec<PathBuf>),
}

impl LocalImage {
    /// An image that an engine keeps; `None` if its parts are not found.
    ///
    /// # Errors
    ///
    /// If they cannot be read.
    pub fn of_engine(
        found: &FoundImage,
        folders: &ImageFolders<'_>,
        scope: &ImageScope,
        host: &Host<'_>,
    ) -> anyhow::Result<Option<Self>> {
        Ok(match folders.of(found)? {
            Some(StoredImage::Unpacked(unpacked)) => Some(Self {
                description: describe_stored(
                    unpacked.configuration,
                    &unpacked.documents,
                    &found.digests,
                    &scope.platform,
                ),
                files: LocalFiles::Folders(unpacked.folders),
                is_pulled: true,
            }),
            Some(StoredImage::Blobs { folder, digest }) => {
                let source = LayoutSource::Folder(folder);
                let description = describe_in(&source, &digest, scope, host)?;
                Some(Self { description, files: LocalFiles::Blobs(source), is_pulled: true })
            }
            None => None,
        })
    }

    /// The image in `LAYOUT` or `LAYOUT:TAG`, and what is demanded by what is attached to it there and by the administrator.
    ///
    /// # Errors
    ///
    /// If there is no such image, or it cannot be read.
    pub fn of_layout(
        text: &str,
        scope: &ImageScope,
        policy: &Policy,
        host: &Host<'_>,
    ) -> anyhow::Result<(Self, Collected)> {
        let (path, tag) = layout::split(OsStr::new(text));
        let reading = || format!("reading layout {}", path.display());
        let source = LayoutSource::open(&path).with_context(reading)?;
        let (_, document) = layout_image(&source, tag.as_deref()).with_context(reading)?;
        let digest = Digest::of(&document);
        let description = describe_in(&source, &digest, scope, host).with_context(reading)?;
        let artifacts = layout::attached(&source, &description.digests).with_context(reading)?;
        let additions: Vec<_> =
            artifacts.into_iter().map(|it| Addition::of_file(it.subject, it.package, None)).collect();
        let called = Image { names: vec![text.to_owned()], digests: description.digests.clone() };
        let collected = requirements::of_offered(&description.digests, called, &additions, policy);
        Ok((Self { description, files: LocalFiles::Blobs(source), is_pulled: false }, collected))
    }

    /// Adds what the image demands by itself.
    pub fn add_to(&self, collected: &mut Collected, scope: &ImageScope, policy: &Policy, host: &Host<'_>) {
        let is_here = scope.machine.is_some();
        let implied = match policy.index {
            Implied::Refuse if self.is_pulled => Implied::Warn,
            implied @ (Implied::Refuse | Implied::Warn | Implied::Off) => implied,
        };
        let ImageDescription { label, siblings, problems, .. } = &self.description;
        collected.requirements.extend(platform::demand(label, &scope.platform, is_here, implied));
        if implied != Implied::Off {
            platform::add_better(collected, label, siblings, host, is_here);
        }
        match self.is_pulled {
            true => collected.notes.extend(problems.iter().cloned()),
            false => collected.troubles.extend(problems.iter().cloned()),
        }
        let Some(configuration) = self.description.configuration.as_deref().and_then(Configuration::parse)
        else {
            if scope.program {
                collected.notes.push(
                    "nothing is known of the image's program: its configuration is not here".to_owned(),
                );
            }
            return;
        };
        own::add_environment(collected, &configuration, policy, scope.gpus);
        if scope.program {
            self.add_program(collected, &configuration, scope, policy);
        }
    }

    fn add_program(
        &self,
        collected: &mut Collected,
        configuration: &Configuration,
        scope: &ImageScope,
        policy: &Policy,
    ) {
        let unread = |collected: &mut Collected, why: &str| {
            own::add_unread_program(collected, configuration, policy, why);
        };
        let left = scope.patience.saturating_sub(scope.began.elapsed());
        if left.is_zero() {
            let limit = scope.patience.as_secs();
            return unread(collected, &format!("reading the layers of other images took {limit} s"));
        }
        match &self.files {
            LocalFiles::Folders(folders) if folders.is_empty() => {
                unread(collected, "how its engine keeps layers is not known here");
            }
            LocalFiles::Folders(folders) => match Folders::open(folders, left) {
                Ok(files) => own::add_program(collected, configuration, &files, policy, scope.machine),
                Err(why) => unread(collected, &why),
            },
            LocalFiles::Blobs(source) => {
                let gone = self.description.layers.iter().find(|it| !is_there(source, &it.digest));
                if let Some(gone) = gone {
                    return unread(collected, &format!("layer {} is not kept here", gone.digest));
                }
                let layer = |it: &Descriptor| {
                    let digest = it.digest;
                    Layer::new(digest, it.size, move || opened(source, &digest))
                };
                let files = Layers::new(self.description.layers.iter().map(layer).collect(), left);
                own::add_program(collected, configuration, &files, policy, scope.machine);
            }
        }
    }
}

fn path(digest: &Digest) -> String {
    format!("blobs/sha256/{}", digest.hex())
}

/// What cannot be opened is an error when it is read.
fn is_there(source: &LayoutSource, digest: &Digest) -> bool {
    !matches!(source.stream(&path(digest)), Ok(None))
}

fn opened<'a>(source: &'a LayoutSource, digest: &Digest) -> Result<Box<dyn Read + 'a>, String> {
    let opened = source.stream(&path(digest)).map_err(|err| format!("{err:#}"))?;
    opened.ok_or_else(|| "it is not there".to_owned())
}

/// Describes the image that an index or a manifest in a folder of blobs is.
fn describe_in(
    source: &LayoutSource,
    digest: &Digest,
    scope: &ImageScope,
    host: &Host<'_>,
) -> anyhow::Result<ImageDescription> {
    let read = |digest: &Digest| -> anyhow::Result<Vec<u8>> {
        let bytes = source.read(&path(digest), MAX_DOCUMENT)?;
        let bytes = bytes.ok_or_else(|| anyhow!("{digest} is not there"))?;
        match Digest::of(&bytes) {
            found if found == *digest => Ok(bytes),
            found => Err(anyhow!("what should be {digest} has digest {found}")),
        }
    };
    let manifest = |digest: &Digest| -> anyhow::Result<Manifest> { manifest_of(read(digest)?) };
    let has = |digest: &Digest| is_there(source, digest);
    let prefers = |it: &ImageLabel| platform::fits(it, host, scope.machine.is_some());
    let documents =
        ImageDocuments { has: Some(&has), manifest: &manifest, configuration: &|it| read(&it.digest) };
    describe(&manifest(digest)?, &scope.platform, &prefers, &documents)
}
