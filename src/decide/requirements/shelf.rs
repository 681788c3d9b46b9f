//! What the store has for an image, or for an annotation that names an artifact.

use std::path::{Path, PathBuf};

use super::{Collected, Digests, Who, leaving_time};
use crate::container::identity::CheckDeadline;
use crate::decide::check::Requirement;
use crate::image::Reference;
use crate::outcome::report::{Attached, SpecOrigin, Verification};
use crate::spec::{self, Language, Malformed, Spec, compiled};
use crate::store::{
    Artifact, ArtifactStanding, Digest, PROPOSED_SPEC_TYPE, SpecBytes, Store, StoredArtifact, Trouble,
    VerifiedBy,
};

/// The store, opened when it is first needed.
#[derive(Debug)]
pub(super) struct Shelf {
    folder: PathBuf,
    store: Option<Result<Option<Store>, String>>,
}

impl Shelf {
    pub(super) fn at(folder: &Path) -> Self {
        Self { folder: folder.to_owned(), store: None }
    }

    fn store(&mut self, until: CheckDeadline<'_>) -> Result<Option<&Store>, String> {
        let opened = self.store.get_or_insert_with(|| {
            Store::open_until(&self.folder, || leaving_time(until))
                .map_err(|err| format!("the store cannot be used: {err}"))
        });
        opened.as_ref().map(Option::as_ref).map_err(String::clone)
    }

    pub(super) fn referenced(
        &mut self,
        manifest: &Digest,
        until: CheckDeadline<'_>,
        collected: &mut Collected,
    ) -> Result<(), String> {
        let folder = self.folder.display().to_string();
        let missing = || {
            format!("artifact {manifest}, which the bundle refers to, is not in the store {folder}: add it")
        };
        let store = self.store(until)?.ok_or_else(missing)?;
        let artifact = store.by_manifest(manifest).map_err(|err| err.to_string())?.ok_or_else(missing)?;
        add(store, &artifact, SpecOrigin::Referenced(manifest.to_string()), collected)
    }

    /// An empty store has nothing for any image, so the image need not be known.
    pub(super) fn attached(&mut self, who: &mut Who<'_>, collected: &mut Collected) -> Result<(), String> {
        if self.store(who.until)?.is_none_or(Store::is_empty) {
            return Ok(());
        }
        let Digests { known, annotated } = who.digests(collected);
        collected.has_verified = self.of_image(&known, who.until, collected)?;
        // What annotations say may add, and takes nothing's place.
        self.of_image(&annotated, who.until, collected)?;
        if who.is_unanswered { self.of_names(who.until, collected) } else { Ok(()) }
    }

    /// What is demanded of the image that had its names when it was pulled. It may be another one by now: that adds to what
    /// is demanded, and takes nothing away.
    fn of_names(&mut self, until: CheckDeadline<'_>, collected: &mut Collected) -> Result<(), String> {
        let Some(store) = self.store(until)? else { return Ok(()) };
        let mut meant = Vec::new();
        for name in collected.image.names.iter().chain(&collected.annotated.names) {
            // What is no name leads nowhere.
            let Ok(name) = name.parse::<Reference>() else { continue };
            let named = store.named(&name.to_string()).map_err(|err| err.to_string())?;
            let last = named.first().and_then(|it| it.fetched.clone());
            meant.extend(named.into_iter().filter(|it| it.fetched == last).map(|it| it.digest));
        }
        self.of_image(&meant, until, collected).map(drop)
    }

    /// The artifacts of an image, by the digests of its indexes and of its manifest, and whether any of them was verified.
    pub(super) fn of_image(
        &mut self,
        image: &[Digest],
        until: CheckDeadline<'_>,
        collected: &mut Collected,
    ) -> Result<bool, String> {
        let Some(store) = self.store(until)? else { return Ok(false) };
        let (ArtifactStanding { counting, aside, demanding }, troubles) = store.standing(image);
        for trouble in troubles {
            collected.note_trouble(Err(trouble.to_string()));
        }
        for stored in &counting {
            let added = add(store, &stored.artifact, SpecOrigin::Attached(attached(stored)), collected);
            collected.note_trouble(added);
        }
        collected.notes.extend(aside.iter().map(set_aside));
        collected.demanding.extend(demanding);
        Ok(counting.iter().any(StoredArtifact::is_verified))
    }
}

pub(super) fn attached(stored: &StoredArtifact) -> Attached {
    let origin = stored.origin.as_ref();
    let verified = origin.and_then(|it| Some((it, it.signature.as_ref()?))).map(|(origin, signature)| {
        let by = match signature.by {
            VerifiedBy::Key => "key",
            VerifiedBy::Verifier => "verifier",
        };
        Verification { by, key: signature.key.to_string(), rule: origin.rule.clone() }
    });
    let repository = stored.source().filter(|it| !it.is_empty()).map(str::to_owned);
    Attached { artifact: stored.artifact.manifest.to_string(), repository, verified }
}

fn set_aside(stored: &StoredArtifact) -> String {
    format!(
        "artifact {} from {} does not count: nothing was verified of it, and another one of this image was verified",
        stored.artifact.manifest,
        stored.source().unwrap_or_default()
    )
}

fn add(
    store: &Store,
    artifact: &Artifact,
    origin: SpecOrigin,
    collected: &mut Collected,
) -> Result<(), String> {
    let digest = artifact.manifest.to_string();
    if collected.has(&digest) {
        return Ok(());
    }
    let (spec, note) = read(store, artifact).map_err(|err| err.to_string())?;
    collected.artifacts.push(digest);
    collected.notes.extend(note);
    match spec {
        StoredSpec::Read(spec) => collected.requirements.push(Requirement { origin, spec }),
        StoredSpec::Proposed(language) => collected.troubles.push(format!(
            "{} is not compiled, and only the compiled form of {} is read here: oci-compat store recompile",
            origin.title(),
            language.title()
        )),
    }
    Ok(())
}

/// A spec that the store has.
enum StoredSpec {
    Read(Result<Spec, Malformed>),
    /// In a format that is only read when it is stored.
    Proposed(Language),
}

impl StoredSpec {
    /// Only the media type of the working group leaves the format open.
    fn of(artifact: &Artifact, bytes: &[u8]) -> Self {
        let proposed = || Some(bytes).filter(|_| artifact.spec.media_type == PROPOSED_SPEC_TYPE);
        match spec::parse(bytes) {
            Ok(spec) => Self::Read(Ok(spec)),
            Err(malformed) => {
                proposed().and_then(spec::proposed).map_or(Self::Read(Err(malformed)), Self::Proposed)
            }
        }
    }
}

/// A spec that the store has, and a note if its compiled form is of no use.
fn read(store: &Store, artifact: &Artifact) -> Result<(StoredSpec, Option<String>), Trouble> {
    match store.spec(artifact, compiled::FORMAT)? {
        SpecBytes::Source { bytes, note, .. } => Ok((StoredSpec::of(artifact, &bytes), note)),
        SpecBytes::Compiled(body) => match compiled::decode(&body) {
            Ok(spec) => Ok((StoredSpec::Read(Ok(spec)), None)),
            Err(err) => {
                let (bytes, note) = store.source_instead(artifact, &format!("is of no use: {err:#}"))?;
                Ok((StoredSpec::of(artifact, &bytes), Some(note)))
            }
        },
    }
}
