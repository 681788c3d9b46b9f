//! Collects the requirements of a bundle from all their sources. Uses no network, and opens no file that an annotation names.

mod administrator;
mod brought;
mod program;
mod shelf;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::time::{Duration, Instant};

use crate::container::identity::{self, CheckDeadline, EnginePlaces, Identity, Need, UnknownImage};
use crate::container::input::{Bundle, Fault, Wishes};
use crate::decide::check::Requirement;
use crate::host;
use crate::image::Image;
use crate::outcome::report::{Pod, SpecOrigin, Subject};
use crate::policy::{Builds, Heeded, Implied, Policy};
use crate::spec::formats;
use crate::store::{Addition, Digest, StoredArtifact};

use administrator::OwnFile;
pub use administrator::{OwnProblem, SurveyedOwn, survey};
use brought::Brought;
use shelf::{Shelf, attached};

/// Where the store is unless another folder is named.
pub const STORE: &str = "/var/lib/oci-compat/store";

/// The collected requirements. Trouble with one source hides nothing from another.
#[derive(Debug, Default)]
pub struct Collected {
    /// What is checked.
    pub subject: Subject,
    /// The image, if it had to be known; only what its engine or the administrator vouches for.
    pub image: Image,
    /// The image by the annotations: that may add requirements, and relaxes none.
    pub annotated: Image,
    /// What the container's annotations made of the policy; none if they wish nothing.
    pub policy: Option<Policy>,
    /// All of them must hold.
    pub requirements: Vec<Requirement>,
    /// The digests of the artifacts that they were read from: each counts once.
    artifacts: Vec<String>,
    /// Requirements in the container's annotations and its environment that were not looked at yet.
    brought: Brought,
    /// Whether it is a pod's pause container, which has no requirements.
    pub is_sandbox: bool,
    /// The bundle, for rules about the container.
    pub bundle: Option<host::BundleConfig>,
    /// Errors in the container's own input, each a sentence.
    pub faults: Vec<String>,
    /// Whether something of it was verified when it was stored.
    has_verified: bool,
    /// The repositories from which the image was pulled while it had to have a signed spec.
    demanding: Vec<String>,
    /// That the image must have a signed spec, and that none is known: a sentence.
    pub missing: Option<String>,
    /// Other trouble, each a sentence.
    pub troubles: Vec<String>,
    /// What an operator should know, each a sentence.
    pub notes: Vec<String>,
}

/// What is remembered of an image with these names, or of this container of a pod: [`of_bundle`] asks where its engine does
/// not answer.
pub type ImageMemory<'a> = &'a dyn Fn(&[String], Option<&Pod>) -> Option<Subject>;

/// Collects the requirements that others have for a bundle: those attached to its image, and those of the administrator.
/// An engine that is busy is waited for until the end of the check. What the container's annotations demand follows with
/// [`Collected::add_brought`].
pub fn of_bundle(
    folder: &Path,
    store: &Path,
    policy: &Policy,
    until: CheckDeadline<'_>,
    memory: ImageMemory<'_>,
) -> Collected {
    let mut collected = Collected::default();
    collected.subject.bundle = Some(folder.display().to_string());
    let mut bundle = match Bundle::read(folder) {
        Ok(bundle) => bundle,
        Err(fault) => {
            match fault {
                Fault::Container(err) => collected.faults.push(format!("{err:#}")),
                Fault::Host(err) => collected.troubles.push(format!("{err:#}")),
            }
            return collected;
        }
    };
    if bundle.is_sandbox(folder) {
        collected.is_sandbox = true;
        return collected;
    }
    collected.subject.pod = bundle.pod.clone().and_then(Pod::new);
    let mut shelf = Shelf::at(store);
    let mut who = Who { folder, bundle: &bundle, policy, until, memory, digests: None, is_unanswered: false };
    let attached = shelf.attached(&mut who, &mut collected);
    collected.note_trouble(attached);
    collected.brought = Brought::new(folder, &bundle, shelf, policy);
    if !policy.spec_demands.is_empty() {
        who.digests(&mut collected);
        collected.demand_spec(policy);
    }
    collected.add_own(policy, until, &mut |collected| drop(who.digests(collected)));
    if policy.program != Implied::Off {
        // Nothing of what others demand can get lost by what is found there.
        match collected.requirements.is_empty() && collected.missing.is_none() && collected.faults.is_empty()
        {
            true => collected.add_program(folder, &bundle, policy.program, until),
            false => collected.brought.look_later(folder, &bundle, policy.program),
        }
    }
    if !collected.is_empty() {
        // It is asked only where something would be demanded.
        if policy.builds == Builds::Skip && identity::is_build(folder, &bundle, &EnginePlaces::live(), until)
        {
            return Collected { subject: collected.subject, ..Collected::default() };
        }
        if policy.asks_for_image(&bundle.wishes) {
            who.digests(&mut collected);
        }
        collected.heed(&bundle.wishes, policy);
    }
    let config = std::mem::take(&mut bundle.config);
    collected.bundle.get_or_insert_with(|| host::BundleConfig::new(config));
    collected
}

/// Collects the requirements that the store, and the administrator, have for an image: for its index and for its manifest,
/// or for what of these is known; `called` has its names, and all of its digests.
pub fn of_image(image: &[Digest], called: Image, store: &Path, policy: &Policy) -> Collected {
    let mut collected = Collected::default();
    collected.subject.digest = image.last().map(Digest::to_string);
    collected.subject.image = called.names.first().cloned();
    collected.image = called;
    let mut shelf = Shelf::at(store);
    let verified = shelf.of_image(image, PATIENT, &mut collected);
    collected.has_verified = verified.as_ref().is_ok_and(|it| *it);
    collected.note_trouble(verified.map(drop));
    collected.demand_spec(policy);
    collected.add_own(policy, PATIENT, &mut |_| {});
    collected
}

/// As [`of_image`], with what a registry offers for the image in place of what the store has.
pub fn of_offered<'a>(
    image: &[Digest],
    called: Image,
    offered: impl IntoIterator<Item = &'a Addition>,
    policy: &Policy,
) -> Collected {
    let mut collected = Collected::default();
    collected.subject.digest = image.last().map(Digest::to_string);
    collected.subject.image = called.names.first().cloned();
    collected.image = called;
    for Addition { subject, package, origin, .. } in offered {
        match package.artifact(subject) {
            Ok(artifact) => {
                let stored = StoredArtifact { artifact, origin: origin.clone() };
                collected.has_verified |= stored.is_verified();
                let origin = SpecOrigin::Attached(attached(&stored));
                let spec = formats::parse_layer(&stored.artifact.spec.media_type, &package.spec);
                collected.requirements.push(Requirement { origin, spec });
            }
            Err(err) => collected.troubles.push(format!("{err:#}")),
        }
    }
    collected.demand_spec(policy);
    collected.add_own(policy, PATIENT, &mut |_| {});
    collected
}

impl Collected {
    /// Whether nothing is demanded, and nothing went wrong.
    pub fn is_empty(&self) -> bool {
        self.requirements.is_empty()
            && self.missing.is_none()
            && self.troubles.is_empty()
            && self.faults.is_empty()
            && !self.brings()
    }

    /// Notes that the image must have a signed spec, and that none is known. Annotations may add that demand. Where the store
    /// or the engine could not be asked, it is unknown, and trouble already.
    fn demand_spec(&mut self, policy: &Policy) {
        if !self.troubles.is_empty() {
            return;
        }
        let names = self.image.names.iter().chain(&self.annotated.names).chain(&self.demanding);
        let demanded = names.filter_map(|it| policy.spec_demands.of(it).map(|pattern| (it, pattern))).next();
        let Some((name, pattern)) = demanded.filter(|_| !self.has_verified) else { return };
        self.missing = Some(format!(
            "trust {pattern:?} demands a signed spec of image {name}, and the store has none: oci-compat pull {name}"
        ));
    }

    /// Adds what the administrator demands for this image; which one it is, is asked only if that matters.
    fn add_own(&mut self, policy: &Policy, until: CheckDeadline<'_>, identify: &mut dyn FnMut(&mut Self)) {
        let Some(folder) = &policy.requirements else { return };
        let (files, troubles) = administrator::files(folder, until);
        self.troubles.extend(troubles);
        if files.iter().flat_map(OwnFile::images).any(|it| !it.is_any()) {
            identify(self);
        }
        let is_unknown = self.image == Image::default();
        for file in files {
            if file.is_for(&self.image) || file.is_for(&self.annotated) {
                match file.requirement(until) {
                    Ok(requirement) => self.requirements.push(requirement),
                    Err(trouble) => self.troubles.push(trouble),
                }
            } else if is_unknown {
                let name = file.name();
                self.notes
                    .push(format!("requirements {name} do not count: which image this is, is not known"));
            }
        }
    }

    fn heed(&mut self, wishes: &Wishes, policy: &Policy) {
        if *wishes != Wishes::default() {
            let Heeded { policy, notes, faults } = policy.heed(wishes, &self.image);
            self.policy = Some(policy);
            self.notes.extend(notes);
            self.faults.extend(faults);
        }
    }

    /// Each look-up in a store meets the same trouble: it is reported once.
    fn note_trouble(&mut self, came: Result<(), String>) {
        self.troubles.extend(came.err().filter(|it| !self.troubles.contains(it)));
    }

    /// An artifact may be both referred to and attached, or attached to an image and to its index: it counts once.
    fn has(&self, artifact: &str) -> bool {
        self.artifacts.iter().any(|it| it == artifact)
    }
}

fn digest(place: &str, text: &str) -> Result<Digest, String> {
    text.parse().map_err(|err| format!("{place}: {err}"))
}

/// The end of a check that a person can interrupt.
pub const PATIENT: CheckDeadline<'static> = &|| Instant::now() + Duration::from_hours(1);

/// When a store that may never answer is given up: early enough to check everything else.
fn leaving_time(until: CheckDeadline<'_>) -> Instant {
    let now = Instant::now();
    now + until().saturating_duration_since(now) * 9 / 10
}

/// The digests of an image.
#[derive(Debug, Clone)]
struct Digests {
    /// Those that its engine knows, or the administrator vouches for; its manifest's is the last.
    known: Vec<Digest>,
    /// Those that annotations add.
    annotated: Vec<Digest>,
}

/// Which image it is, asked at most once.
struct Who<'a> {
    folder: &'a Path,
    bundle: &'a Bundle,
    policy: &'a Policy,
    until: CheckDeadline<'a>,
    memory: ImageMemory<'a>,
    digests: Option<Digests>,
    /// Whether the engine, which knows the image, could not be asked.
    is_unanswered: bool,
}

impl Who<'_> {
    /// The image's digests. What the image is called is noted in `collected`.
    fn digests(&mut self, collected: &mut Collected) -> Digests {
        if let Some(digests) = &self.digests {
            return digests.clone();
        }
        let digests = images(self, collected);
        let manifest = digests.known.last().or(digests.annotated.last());
        collected.subject.digest = manifest.map(Digest::to_string);
        self.digests.insert(digests).clone()
    }
}

/// The image's digests; what else is known of it goes into the subject.
fn images(who: &mut Who<'_>, collected: &mut Collected) -> Digests {
    let Who { folder, bundle, policy, until, memory, .. } = *who;
    let mut identity = identity::resolve(folder, bundle, Need::Digests, &EnginePlaces::live(), until);
    who.is_unanswered = matches!(identity.unknown, Some(UnknownImage::Unanswered(_)));
    if who.is_unanswered {
        let names = [identity.names.as_slice(), &identity.annotated.names].concat();
        recall(&mut identity, memory(&names, collected.subject.pod.as_ref()), collected);
    }
    let mut digests = identity.digests.clone();
    let mut names = identity.names.iter().chain(&identity.annotated.names);
    // The kubelet asks CRI-O for an image by its id, once it is there.
    collected.subject.image = names.find(|it| !is_id(it)).or(identity.names.first()).cloned();
    match &bundle.image {
        Some(text) if policy.image_annotation => {
            match digest("annotation org.oci-compat.image", text) {
                Ok(it) if !digests.contains(&it) => digests.insert(0, it),
                Ok(_) => {}
                Err(fault) => collected.faults.push(fault),
            }
        }
        Some(_) => collected.notes.push(
            "annotation org.oci-compat.image is not heeded: the configuration does not say image_annotation = true".to_owned(),
        ),
        None => {}
    }
    match (identity.gap(), &identity.unknown) {
        (Some(gap), Some(UnknownImage::Unanswered(_))) => collected.note_trouble(Err(gap)),
        (Some(gap), Some(UnknownImage::Unfit(_))) => collected.faults.push(gap),
        // The image is unknown, unless an annotation names it.
        (gap, _) if digests == identity.digests => collected.notes.extend(gap),
        _ => {}
    }
    collected.image = called(identity.names, &digests);
    collected.image.digests.extend(identity.id);
    let mut annotated = identity.annotated.digests;
    collected.annotated = called(identity.annotated.names, &annotated);
    annotated.retain(|it| !digests.contains(it));
    Digests { known: digests, annotated }
}

/// Adds what was noted when the container, or the image, was decided on before: as annotations do, it relaxes nothing.
fn recall(identity: &mut Identity, noted: Option<Subject>, collected: &mut Collected) {
    let Some(Subject { image, digest: Some(digest), .. }) = noted else { return };
    let Ok(manifest) = digest.parse() else { return };
    if identity.digests.contains(&manifest) || identity.annotated.digests.contains(&manifest) {
        return;
    }
    identity.annotated.digests.push(manifest);
    identity.annotated.names.extend(image.filter(|it| !identity.annotated.names.contains(it)));
    collected
        .notes
        .push(format!("its image was {digest} when it was decided on before; what that demands counts"));
}

/// Whether a name of an image is the digest of its configuration, as engines call it when nothing else does.
fn is_id(name: &str) -> bool {
    let hex = name.strip_prefix("sha256:").unwrap_or(name);
    hex.len() == 64 && hex.bytes().all(|it| it.is_ascii_hexdigit())
}

fn called(names: Vec<String>, digests: &[Digest]) -> Image {
    Image { names, digests: digests.to_vec() }
}
