//! Fetches the artifacts of images from registries, and decides which of them may go into the store: the newest that
//! fits its image, is whole, can be read, and is signed where the administrator demands it. Writes nothing but in [`keep()`].
//! An error is never "there are none", and what could not be fetched leaves the store as it was.

pub use anchors::{Anchors, RequiredProof};
pub use batch::Batch;
pub use counts::PullCounts;
pub use crowd::pull_all;
pub use description::{ImageDescription, ImageDocuments, Label, describe, describe_stored, manifest_of};
pub use images::ImagesToPull;
pub use keep::keep;
pub use remote::Remote;
pub use verifier::VerifierCommand;

mod anchors;
mod verifier;
mod candidate;
mod signatures;
mod messages;
mod artifact;
mod crowd;
mod keep;
mod batch;
mod outcome;
mod counts;
mod images;
mod description;
mod remote;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::image::Reference;
use crate::store::{Addition, ArtifactOrigin, Digest, ImageManifests, Store, StoredArtifact};
use crate::supply::attach::{Platform, images};
use crate::supply::registry::{self, Client};

/// What pulls share.
#[derive(Debug)]
pub struct Puller<'a> {
    /// How registries are reached.
    pub client: &'a Client,
    /// What is there already; `None` if there is no store yet.
    pub store: Option<&'a Store>,
    /// Which manifests belong to which image, as an earlier pull found out.
    pub images: &'a ImageManifests,
    /// Whom the administrator trusts.
    pub anchors: &'a Anchors,
    /// Whose images are wanted of an index; `None` for all.
    pub platform: Option<Platform>,
    /// Take what the registry has, also if the store has something newer.
    pub force: bool,
    /// How long it may take.
    pub patience: Patience,
    /// Now, in RFC 3339.
    pub now: String,
    /// When the image at hand has to be done with.
    pub until: Option<Instant>,
}

/// How long pulls may take.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// All that belongs to one image.
    pub image: Duration,
    /// All images together.
    pub all: Duration,
    /// When all of it began.
    pub began: Instant,
}

impl Patience {
    /// From now on.
    pub fn new(image: Duration, all: Duration) -> Self {
        Self { image, all, began: Instant::now() }
    }

    /// What an image that begins now may take: until when, what takes too long then, and how long that may take.
    fn next(self) -> (Instant, &'static str, Duration) {
        let (image, all) = (Instant::now() + self.image, self.began + self.all);
        match image < all {
            true => (image, "all that belongs to this image", self.image),
            false => (all, "the pull of all images", self.all),
        }
    }
}

/// An image whose artifacts are wanted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct WantedImage {
    /// Where it is looked for.
    pub image: Reference,
    /// The names under which the store keeps what it has.
    pub names: Vec<String>,
    /// The digests at which an engine holds it: what its tags stand for by now does not matter, and a registry need not
    /// know all of them. Empty for an image that was named.
    pub digests: Vec<Digest>,
}

/// What came of pulling one image.
#[derive(Debug, Default)]
pub struct Pulled {
    /// What is to be stored.
    pub additions: Vec<Addition>,
    /// What has to leave the store after that.
    pub obsolete: Vec<Obsolete>,
    /// The digests of an image that must have a signed spec, and its repository, as far as the store has not noted that.
    pub demanding: Vec<(Digest, String)>,
    /// How many artifacts the image has that are not in the store yet.
    pub fresh: usize,
    /// How many it has that are there already.
    pub known: usize,
    /// The digest of the index or manifest, and the manifests under which artifacts were looked for.
    pub images: Vec<(Digest, Vec<Digest>)>,
    /// The registry has none of the digests at which an engine holds the image, and so nothing that is attached to them.
    pub is_absent: bool,
    /// What was refused or failed, each a whole sentence.
    pub problems: Vec<String>,
    /// Other notes, each a whole sentence.
    pub notes: Vec<String>,
}

/// An artifact that has to leave the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obsolete {
    /// The image that it is about.
    pub subject: Digest,
    /// The artifact.
    pub manifest: Digest,
    /// The repository that the store has it from.
    pub repository: String,
}

impl Obsolete {
    /// Whether this is the one.
    pub fn is(&self, stored: &StoredArtifact) -> bool {
        stored.artifact.manifest == self.manifest && stored.source() == Some(&self.repository)
    }
}

impl Puller<'_> {
    /// Fetches what belongs to an image and is not in the store yet.
    pub fn pull(&self, wanted: &WantedImage) -> Pulled {
        let (at, phase, limit) = self.patience.next();
        let client = self.client.until(at, phase, limit);
        let (platform, now) = (self.platform.clone(), self.now.clone());
        Puller { client: &client, platform, now, until: Some(at), ..*self }.pull_in_time(wanted)
    }

    fn pull_in_time(&self, wanted: &WantedImage) -> Pulled {
        let mut pulled = Pulled::default();
        match self.subjects(wanted) {
            Ok(images) => pulled.images = images,
            Err(err) => {
                pulled.problems.push(format!("{err:#}"));
                return pulled;
            }
        }
        pulled.is_absent = pulled.images.is_empty();
        let mut subjects: Vec<Digest> = Vec::new();
        for subject in pulled.images.iter().flat_map(|(_, manifests)| manifests) {
            if !subjects.contains(subject) {
                subjects.push(*subject);
            }
        }
        let mut known = Vec::new();
        for subject in &subjects {
            if let Err(err) = self.artifacts_of(wanted, subject, &mut pulled, &mut known) {
                pulled.problems.push(format!("{err:#}"));
            }
        }
        self.name_known(wanted, known, &mut pulled);
        self.demand_spec(wanted, &subjects, &mut pulled);
        pulled
    }

    /// Whether an image that must have a signed spec has one, in the store or from now on.
    fn demand_spec(&self, wanted: &WantedImage, subjects: &[Digest], pulled: &mut Pulled) {
        let repository = wanted.image.repository();
        let Some(from) = self.anchors.demands_spec(repository) else { return };
        let images: BTreeSet<_> = subjects.iter().chain(&wanted.digests).copied().collect();
        let images: Vec<_> = images.into_iter().collect();
        let standing = self.store.map(|it| it.standing(&images).0).unwrap_or_default();
        let name = repository.to_string();
        for image in &images {
            let noted = self.store.map(|it| it.standing(&[*image]).0.demanding).unwrap_or_default();
            if !noted.contains(&name) {
                pulled.demanding.push((*image, name.clone()));
            }
        }
        let is_new = |it: &Addition| it.origin.as_ref().is_some_and(|it| it.signature.is_some());
        if !standing.counting.iter().any(StoredArtifact::is_verified) && !pulled.additions.iter().any(is_new)
        {
            pulled.problems.push(format!(
                "it has no artifact with a signature that {from} demands of each image: its containers are refused until it has \
                 one"
            ));
        }
    }

    /// Whether there is no time left for the image at hand.
    fn is_late(&self) -> bool {
        self.until.is_some_and(|it| Instant::now() >= it)
    }

    /// Where artifacts may be, for each digest that the image has in its registry.
    fn subjects(&self, wanted: &WantedImage) -> anyhow::Result<Vec<(Digest, Vec<Digest>)>> {
        if wanted.digests.is_empty() {
            return Ok(vec![self.manifests(&wanted.image)?]);
        }
        let mut found: Vec<(Digest, Vec<Digest>)> = Vec::new();
        for digest in &wanted.digests {
            if found.iter().any(|(_, manifests)| manifests.contains(digest)) {
                continue;
            }
            match self.manifests(&wanted.image.repository().at(*digest)) {
                Ok(image) => found.push(image),
                // Pulled elsewhere and tagged here, or deleted there since.
                Err(err)
                    if err
                        .downcast_ref::<registry::RegistryError>()
                        .is_some_and(registry::RegistryError::is_absent) => {}
                Err(err) => return Err(err),
            }
        }
        Ok(found)
    }

    /// The index and its images for the platform, or the one image.
    fn manifests(&self, image: &Reference) -> anyhow::Result<(Digest, Vec<Digest>)> {
        if !self.images.images.is_empty() {
            let digest = image.digest().map_or_else(|| self.client.look(image), |it| Ok(*it))?;
            if let Some(subjects) = self.images.images.get(&digest) {
                return Ok((digest, subjects.clone()));
            }
        }
        let found = self.client.resolve(image)?;
        let mut subjects = vec![found.digest];
        if found.is_index() {
            subjects.extend(images(&found.bytes, self.platform.as_ref())?.into_iter().map(|it| it.digest));
        }
        let mut seen = BTreeSet::new();
        subjects.retain(|it| seen.insert(*it));
        Ok((found.digest, subjects))
    }

    /// All artifacts of an image carry the same date if any of them is new under this name, so that a name that was
    /// moved leads to those of the last image alone.
    fn name_known(&self, wanted: &WantedImage, known: Vec<(Digest, StoredArtifact)>, pulled: &mut Pulled) {
        // A store of before does not say from which repository an artifact is, nor under which rule it was taken.
        let rule = self.anchors.rule_for(wanted.image.repository());
        let is_noted = |(_, it): &(Digest, StoredArtifact)| {
            it.origin.as_ref().is_some_and(|it| {
                wanted.names.iter().all(|name| it.is_named(name))
                    && it.repository.is_some()
                    && it.rule.as_deref() == rule
            })
        };
        pulled.known += known.len();
        if pulled.additions.is_empty() && known.iter().all(is_noted) {
            return;
        }
        for (subject, stored) in known {
            match self.again(subject, &stored, wanted) {
                Ok(addition) => pulled.additions.push(addition),
                Err(err) => pulled.problems.push(format!("{err:#}")),
            }
        }
    }

    fn again(
        &self,
        subject: Digest,
        stored: &StoredArtifact,
        wanted: &WantedImage,
    ) -> anyhow::Result<Addition> {
        let store = self.store.ok_or_else(|| anyhow::anyhow!("the store is gone: pull again"))?;
        let (package, evidence) = store.package(stored)?;
        let signature = stored.origin.as_ref().and_then(|it| it.signature.clone());
        let origin = Some(ArtifactOrigin { signature, ..self.origin(wanted) });
        Ok(Addition { subject, package, compiled: None, origin, evidence })
    }

    fn origin(&self, wanted: &WantedImage) -> ArtifactOrigin {
        let mut names = wanted.names.iter().cloned();
        let (image, other_names) = (names.next(), names.collect());
        let repository = wanted.image.repository();
        ArtifactOrigin {
            repository: Some(repository.to_string()),
            image,
            other_names,
            fetched: Some(self.now.clone()),
            rule: self.anchors.rule_for(repository).map(str::to_owned),
            signature: None,
        }
    }
}

impl From<Reference> for WantedImage {
    fn from(image: Reference) -> Self {
        Self { names: vec![image.stored()], image, digests: Vec::new() }
    }
}
