//! Collects what is demanded of a bundle's host, from every place where that is said. No network, and no file that an
//! annotation names.

#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

use crate::artifact::{Artifact, Digest, Payload, Store, Trouble};
use crate::check::Requirement;
use crate::host;
use crate::identity::{self, Need, Places, Unknown};
use crate::input::Bundle;
use crate::policy::Policy;
use crate::report::{Origin, Subject};
use crate::spec::{self, Malformed, Spec, compiled};

/// Where the store is unless another folder is named.
pub const STORE: &str = "/var/lib/oci-compat/store";

/// What was found. Trouble with one place hides nothing that another one says.
#[derive(Debug, Default)]
pub struct Collected {
    /// What is checked.
    pub subject: Subject,
    /// All of them have to hold.
    pub requirements: Vec<Requirement>,
    /// The bundle, which rules may ask what it gives the container.
    pub bundle: Option<host::Bundle>,
    /// What went wrong, each a sentence.
    pub troubles: Vec<String>,
    /// What an operator should know, each a sentence.
    pub notes: Vec<String>,
}

/// Collects the requirements of a bundle: inline, referenced, and attached to its image.
pub fn of_bundle(folder: &Path, store: &Path, policy: &Policy) -> Collected {
    let mut collected = Collected::default();
    collected.subject.bundle = Some(folder.display().to_string());
    let mut bundle = match Bundle::read(folder) {
        Ok(bundle) => bundle,
        Err(err) => {
            collected.troubles.push(format!("{err:#}"));
            return collected;
        }
    };
    if bundle.is_sandbox(folder) {
        return collected;
    }
    if let Some(text) = &bundle.inline {
        collected
            .requirements
            .push(Requirement { origin: Origin::Inline, spec: spec::parse(text.as_bytes()) });
    }
    let mut shelf = Shelf { folder: store.to_owned(), store: None };
    if let Some(text) = &bundle.artifact {
        let added = digest("annotation org.oci-compat.artifact", text)
            .and_then(|it| shelf.referenced(&it, &mut collected));
        collected.note_trouble(added);
    }
    let attached = shelf.attached(folder, &bundle, policy, &mut collected);
    collected.note_trouble(attached);
    collected.bundle = Some(host::Bundle::new(std::mem::take(&mut bundle.config)));
    collected
}

/// Collects the requirements that the store has for an image.
pub fn of_image(image: &Digest, store: &Path) -> Collected {
    let mut collected = Collected::default();
    collected.subject.digest = Some(image.to_string());
    let mut shelf = Shelf { folder: store.to_owned(), store: None };
    let added = shelf.of_subject(image, &mut collected);
    collected.note_trouble(added);
    collected
}

impl Collected {
    /// The same trouble is met by everybody who asks the same store: it is told once.
    fn note_trouble(&mut self, came: Result<(), String>) {
        self.troubles.extend(came.err().filter(|it| !self.troubles.contains(it)));
    }

    /// An artifact may be both referred to and attached, or attached to an image and to its index: it counts once.
    fn has(&self, artifact: &str) -> bool {
        self.requirements.iter().any(|it| match &it.origin {
            Origin::Referenced(digest) | Origin::Attached(digest) => digest == artifact,
            Origin::Inline | Origin::File(_) => false,
        })
    }
}

fn digest(place: &str, text: &str) -> Result<Digest, String> {
    text.parse().map_err(|err| format!("{place}: {err}"))
}

/// The store, opened when it is first needed.
struct Shelf {
    folder: PathBuf,
    store: Option<Option<Store>>,
}

impl Shelf {
    fn store(&mut self) -> Result<Option<&Store>, String> {
        if self.store.is_none() {
            let opened =
                Store::open(&self.folder).map_err(|err| format!("the store cannot be used: {err}"))?;
            self.store = Some(opened);
        }
        Ok(self.store.as_ref().and_then(Option::as_ref))
    }

    fn referenced(&mut self, manifest: &Digest, collected: &mut Collected) -> Result<(), String> {
        let folder = self.folder.display().to_string();
        let missing = || {
            format!("artifact {manifest}, which the bundle refers to, is not in the store {folder}: add it")
        };
        let store = self.store()?.ok_or_else(missing)?;
        let artifact = store.by_manifest(manifest).map_err(|err| err.to_string())?.ok_or_else(missing)?;
        add(store, &artifact, Origin::Referenced(manifest.to_string()), collected)
    }

    /// An empty store has nothing for any image, so that nobody is asked which one it is.
    fn attached(
        &mut self,
        folder: &Path,
        bundle: &Bundle,
        policy: &Policy,
        collected: &mut Collected,
    ) -> Result<(), String> {
        if self.store()?.is_none_or(Store::is_empty) {
            return Ok(());
        }
        let images = images(folder, bundle, policy, collected);
        collected.subject.digest = images.last().map(Digest::to_string);
        for image in &images {
            let added = self.of_subject(image, collected);
            collected.note_trouble(added);
        }
        Ok(())
    }

    fn of_subject(&mut self, image: &Digest, collected: &mut Collected) -> Result<(), String> {
        let Some(store) = self.store()? else { return Ok(()) };
        for artifact in store.artifacts(image).map_err(|err| err.to_string())? {
            let added = add(store, &artifact, Origin::Attached(artifact.manifest.to_string()), collected);
            collected.note_trouble(added);
        }
        Ok(())
    }
}

/// The image's digests, its manifest's last; what else is known of it goes into the subject.
fn images(folder: &Path, bundle: &Bundle, policy: &Policy, collected: &mut Collected) -> Vec<Digest> {
    let identity = identity::resolve(folder, bundle, Need::Digests, &Places::live());
    let mut digests = identity.digests.clone();
    collected.subject.image = identity.names.first().cloned();
    match &bundle.image {
        Some(text) if policy.image_annotation => {
            let said = digest("annotation org.oci-compat.image", text).map(|it| {
                if !digests.contains(&it) {
                    digests.insert(0, it);
                }
            });
            collected.note_trouble(said);
        }
        Some(_) => collected.notes.push(
            "annotation org.oci-compat.image is not heeded: the configuration does not say image_annotation = true".to_owned(),
        ),
        None => {}
    }
    match (identity.gap(), &identity.unknown) {
        (Some(gap), Some(Unknown::Unanswered(_))) => collected.note_trouble(Err(gap)),
        // Nobody knows, and that is how it is: unless an annotation tells.
        (gap, _) if digests == identity.digests => collected.notes.extend(gap),
        _ => {}
    }
    digests
}

fn add(store: &Store, artifact: &Artifact, origin: Origin, collected: &mut Collected) -> Result<(), String> {
    if collected.has(&artifact.manifest.to_string()) {
        return Ok(());
    }
    let (spec, note) = read(store, artifact).map_err(|err| err.to_string())?;
    collected.notes.extend(note);
    collected.requirements.push(Requirement { origin, spec });
    Ok(())
}

/// A spec that the store has, and a note if its compiled form is of no use.
fn read(store: &Store, artifact: &Artifact) -> Result<(Result<Spec, Malformed>, Option<String>), Trouble> {
    match store.spec(artifact, compiled::FORMAT)? {
        Payload::Source { bytes, note, .. } => Ok((spec::parse(&bytes), note)),
        Payload::Compiled(body) => match compiled::decode(&body) {
            Ok(spec) => Ok((Ok(spec), None)),
            Err(err) => {
                let (bytes, note) = store.source_instead(artifact, &format!("is of no use: {err:#}"))?;
                Ok((spec::parse(&bytes), Some(note)))
            }
        },
    }
}
