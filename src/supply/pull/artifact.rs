//! The artifacts of one subject: which of each type counts, whether it may be stored, and which parts the store already has.

use std::collections::BTreeMap;
use std::time::Instant;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::image::Repository;
use crate::spec::{compiled, formats};
use crate::store::{
    ARTIFACT_TYPES, Addition, Artifact, Compiled, Digest, MAX_EVIDENCE, MAX_MANIFEST, MAX_SPEC, Package,
    Parts, Signature, Store, StoredArtifact, VerifiedBy, created,
};
use crate::supply::registry::{Descriptor, Referrers, RegistryProblem};
use crate::supply::trust;
use crate::words::moment::moment;

use super::anchors::RequiredProof;
use super::candidate::{Candidate, DescriptorType, described, newest_first};
use super::messages::{Oversized, date, older, rolled_back};
use super::{Obsolete, Pulled, Puller, WantedImage, signatures};

/// The most candidates of one image that are opened for their type and date.
const MAX_OPENED: usize = 64;

/// A signature that was verified, with its evidence.
type Signed = Option<(Signature, Vec<u8>)>;

/// Why a candidate is not taken: the next one may be.
enum Refusal {
    /// It is not verified that a trusted party made it.
    Untrusted(String),
    /// Something is wrong with it.
    Broken(anyhow::Error),
}

impl From<anyhow::Error> for Refusal {
    fn from(err: anyhow::Error) -> Self {
        Self::Broken(err)
    }
}

/// What is being looked at.
struct Scene<'a> {
    wanted: &'a WantedImage,
    subject: Digest,
    proof: Option<RequiredProof<'a>>,
    /// What the store has of it from the same repository.
    stored: Vec<StoredArtifact>,
    store: Option<&'a Store>,
}

impl Puller<'_> {
    /// Looks at everything that refers to a manifest or an index.
    pub(super) fn artifacts_of<'a>(
        &'a self,
        wanted: &'a WantedImage,
        subject: &Digest,
        pulled: &mut Pulled,
        known: &mut Vec<(Digest, StoredArtifact)>,
    ) -> anyhow::Result<()> {
        let proof = self.anchors.proof_for(wanted.image.repository());
        let stored = self.store.map(|it| it.stored(subject)).transpose()?.unwrap_or_default();
        // What other repositories have is theirs.
        let repository = wanted.image.repository().to_string();
        let stored = stored.into_iter().filter(|it| it.source() == Some(&repository)).collect();
        let scene = Scene { wanted, subject: *subject, proof, stored, store: self.store };
        let candidates = self.candidates(&scene, pulled)?;
        for kind in ARTIFACT_TYPES {
            let of_kind = |it: &&Candidate| it.descriptor.artifact_type.as_deref() == Some(kind);
            let mut fitting: Vec<_> = candidates.iter().filter(of_kind).cloned().collect();
            newest_first(&mut fitting);
            self.settle(&scene, kind, fitting, pulled, known);
        }
        Ok(())
    }

    /// Everything that may be an artifact, with its type and its date. Those come first that their list says to be
    /// artifacts, the newest first: not all of them may be opened.
    fn candidates(&self, scene: &Scene<'_>, pulled: &mut Pulled) -> anyhow::Result<Vec<Candidate>> {
        let mut listed: Vec<Candidate> = Vec::new();
        for descriptor in self.referrers(scene, pulled)? {
            if described(&descriptor) != DescriptorType::Other {
                listed.push(Candidate::dated(descriptor));
            }
        }
        newest_first(&mut listed);
        listed.sort_by_key(|it| described(&it.descriptor) != DescriptorType::Ours);
        let is_alone = listed.len() == 1;
        let (mut found, mut opened, mut unopened) = (Vec::new(), 0, 0);
        for mut candidate in listed {
            let has_type = described(&candidate.descriptor) == DescriptorType::Ours;
            let has_date = scene.proof.is_none() && (candidate.created.is_some() || is_alone);
            if !(has_type && has_date) {
                if !scene.has(&candidate.descriptor.digest) {
                    opened += 1;
                }
                if opened > MAX_OPENED {
                    unopened += 1;
                    continue;
                }
                // One bad candidate costs that candidate.
                if let Err(err) = self.open(scene, &mut candidate) {
                    if self.is_late() {
                        return Err(err);
                    }
                    pulled.problems.push(format!("{err:#}"));
                    continue;
                }
            }
            found.push(candidate);
        }
        if unopened > 0 {
            pulled.problems.push(format!(
                "{unopened} more that refer to {} may be artifacts: of those that have to be opened the {MAX_OPENED} newest \
                 were, and no others",
                scene.subject
            ));
        }
        Ok(found)
    }

    /// All types at once, or only ours if there are too many.
    fn referrers(&self, scene: &Scene<'_>, pulled: &mut Pulled) -> anyhow::Result<Vec<Descriptor>> {
        let list = |kind| self.client.referrers(scene.wanted.image.repository(), &scene.subject, kind);
        match list(None) {
            Ok(Referrers { descriptors, refused, .. }) => {
                pulled.problems.extend(refused);
                Ok(descriptors)
            }
            Err(err) if matches!(err.problem(), RegistryProblem::TooMany { .. }) => {
                let mut all: Vec<Descriptor> = Vec::new();
                for kind in ARTIFACT_TYPES {
                    let Referrers { descriptors: more, refused, .. } = list(Some(kind))?;
                    pulled.problems.extend(refused);
                    all.extend(more.into_iter().filter(|it| described(it) != DescriptorType::Nothing));
                }
                Ok(all)
            }
            Err(err) => Err(err.into()),
        }
    }

    /// Reads a candidate's manifest for its type and its own date. Where signatures are demanded that date alone counts:
    /// descriptors in a list are not signed.
    fn open(&self, scene: &Scene<'_>, candidate: &mut Candidate) -> anyhow::Result<()> {
        let manifest = match self.manifest(scene, &candidate.descriptor) {
            Ok(manifest) => manifest,
            // It is reported when it is its turn.
            Err(err) if err.downcast_ref::<Oversized>().is_some() => {
                candidate.created = None;
                return Ok(());
            }
            Err(err) => return Err(err),
        };
        let document: ManifestSummary = serde_json::from_slice(&manifest).unwrap_or_default();
        let own = document.annotations.as_ref().and_then(|it| created(|key| it.get(key))).cloned();
        if scene.proof.is_some() || candidate.created.is_none() {
            candidate.created = own;
        }
        let kind = document.artifact_type.or(document.config.map(|it| it.media_type));
        candidate.descriptor.artifact_type = candidate.descriptor.artifact_type.take().or(kind);
        candidate.manifest = Some(manifest);
        Ok(())
    }

    /// The bytes of a manifest, from the store if they are there.
    fn manifest(&self, scene: &Scene<'_>, descriptor: &Descriptor) -> anyhow::Result<Vec<u8>> {
        let (digest, size) = (descriptor.digest, descriptor.size);
        if size > MAX_MANIFEST {
            return Err(Oversized { digest, size }.into());
        }
        if scene.has(&digest)
            && let Some(Ok(bytes)) = self.store.map(|it| it.blob(&digest, MAX_MANIFEST))
        {
            return Ok(bytes); // One that is damaged is fetched anew.
        }
        let bytes = self.client.manifest(scene.wanted.image.repository(), &digest)?.bytes;
        let found = u64::try_from(bytes.len())?;
        ensure!(found == size, "artifact {digest} has {found} bytes, its descriptor says {size}");
        Ok(bytes)
    }

    /// Takes the newest candidate that may be taken.
    fn settle(
        &self,
        scene: &Scene<'_>,
        kind: &str,
        candidates: Vec<Candidate>,
        pulled: &mut Pulled,
        known: &mut Vec<(Digest, StoredArtifact)>,
    ) {
        for candidate in candidates {
            let name = candidate.descriptor.digest;
            match self.look(scene, candidate) {
                Ok(Taken::Known(stored)) => {
                    self.tell_of_age(scene, &stored.artifact, pulled);
                    self.clear(scene, &stored.artifact, pulled);
                    known.push((scene.subject, stored));
                    return;
                }
                Ok(Taken::New(addition, artifact)) => {
                    pulled.fresh += 1;
                    self.tell_of_age(scene, &artifact, pulled);
                    self.clear(scene, &artifact, pulled);
                    pulled.additions.push(*addition);
                    return;
                }
                Ok(Taken::Older(described)) => {
                    pulled.problems.push(described);
                    return;
                }
                Err(Refusal::Untrusted(reason)) => {
                    let from = scene.proof.as_ref().map_or("", |it| it.from);
                    pulled
                        .problems
                        .push(format!("artifact {name} {reason}; {from} demands a signature: not stored"));
                }
                Err(Refusal::Broken(err)) => pulled.problems.push(format!("{err:#}")),
            }
            if self.is_late() {
                break;
            }
        }
        scene.tell_of_unproved(kind, pulled);
        scene.tell_of_withheld(kind, pulled);
    }

    /// Holds one candidate against the demands on it, and fetches it if it is not in the store.
    fn look(&self, scene: &Scene<'_>, candidate: Candidate) -> Result<Taken, Refusal> {
        let name = candidate.descriptor.digest;
        let stored = scene.stored.iter().find(|it| it.artifact.manifest == name);
        if let Some(stored) = stored.filter(|it| scene.is_proved(it)) {
            return Ok(match self.newer(scene, &stored.artifact) {
                Some(newer) => Taken::Older(older(&scene.subject, &stored.artifact, &newer)),
                None => Taken::Known(stored.clone()),
            });
        }
        let signed = match &scene.proof {
            Some(proof) => Some(self.prove(scene.wanted.image.repository(), &name, proof)?),
            None => None,
        };
        let (package, artifact) = self.fetch(scene, candidate)?;
        if let Some(newer) = self.newer(scene, &artifact) {
            return Ok(Taken::Older(older(&scene.subject, &artifact, &newer)));
        }
        let addition = self.addition(scene, package, signed)?;
        Ok(Taken::New(Box::new(addition), artifact))
    }

    /// A signature that holds, or the word of the administrator's verifier.
    fn prove(
        &self,
        repository: &Repository,
        manifest: &Digest,
        proof: &RequiredProof<'_>,
    ) -> Result<(Signature, Vec<u8>), Refusal> {
        let mut reason = "is not signed".to_owned();
        if !proof.keys.is_empty() {
            let mut found = signatures::tagged(self.client, repository, manifest);
            let mut verified = proof.verify(manifest, &found.candidates);
            if verified.is_err() {
                found.extend(signatures::referring(self.client, repository, manifest));
                verified = proof.verify(manifest, &found.candidates);
            }
            match verified {
                Ok(trust::VerifiedSignature { key, evidence }) => {
                    let evidence_digest = Digest::of(&evidence);
                    return Ok((Signature { key, evidence: evidence_digest, by: VerifiedBy::Key }, evidence));
                }
                Err(why) if found.unread.is_empty() => reason = why,
                Err(why) => {
                    reason = format!("{why}, of those that could be read: {}", found.unread.join("; "));
                }
            }
        }
        let Some(verifier) = &proof.verifier else { return Err(Refusal::Untrusted(reason)) };
        let left = self.until.map(|it| it.saturating_duration_since(Instant::now()));
        let verifier = left.map_or(*verifier, |it| verifier.within_all(it));
        verifier.verify(repository, manifest).map_err(Refusal::Untrusted)?;
        let evidence = verifier.evidence(manifest);
        let signature =
            Signature { key: verifier.digest(), evidence: Digest::of(&evidence), by: VerifiedBy::Verifier };
        Ok((signature, evidence))
    }

    /// All blobs of an artifact, verified, and about this very image.
    fn fetch(&self, scene: &Scene<'_>, candidate: Candidate) -> anyhow::Result<(Package, Artifact)> {
        let repository = scene.wanted.image.repository();
        let manifest = match candidate.manifest {
            Some(manifest) => manifest,
            None => self.manifest(scene, &candidate.descriptor)?,
        };
        let name = Digest::of(&manifest);
        let parts = Parts::read(&manifest)?;
        match parts.artifact.subject {
            Some(subject) if subject == scene.subject => {}
            Some(other) => bail!("artifact {name} is about {other}, and is listed for {}", scene.subject),
            None => bail!("artifact {name} does not say which image it is about: attach it anew"),
        }
        let blob = |digest, size| {
            let media_type = String::new();
            Descriptor { media_type, digest, size, artifact_type: None, annotations: None, platform: None }
        };
        let config = match parts.empty_config() {
            Some(config) => config,
            None => self.client.blob(repository, &blob(parts.config.0, parts.config.1), MAX_MANIFEST)?,
        };
        let spec = &parts.artifact.spec;
        let spec = self.client.blob(repository, &blob(spec.digest, spec.size), MAX_SPEC)?;
        let created = candidate.created.filter(|_| scene.proof.is_none());
        let package = Package { manifest, config, spec, created };
        let artifact = package.artifact(&scene.subject)?;
        Ok((package, artifact))
    }

    /// A spec that cannot be read would refuse every start of its image: it is not stored.
    fn addition(&self, scene: &Scene<'_>, package: Package, signed: Signed) -> anyhow::Result<Addition> {
        let kind = package.artifact(&scene.subject)?.spec.media_type;
        let parsed = formats::parse_layer(&kind, &package.spec);
        let compiled = parsed.map_err(Into::into).and_then(|it| compiled::encode(&it));
        let body = compiled.with_context(|| {
            format!("the spec of artifact {} is malformed: not stored", Digest::of(&package.manifest))
        })?;
        let (signature, evidence) = signed.unzip();
        let origin = super::ArtifactOrigin { signature, ..self.origin(scene.wanted) };
        let compiled = Some(Compiled { format: compiled::FORMAT, body });
        Ok(Addition { subject: scene.subject, package, compiled, origin: Some(origin), evidence })
    }

    /// An artifact that was not renewed for too long: the registry may withhold a newer one.
    fn tell_of_age(&self, scene: &Scene<'_>, artifact: &Artifact, pulled: &mut Pulled) {
        let Some((days, from)) = self.anchors.max_age(scene.wanted.image.repository()) else { return };
        let oldest = moment(&self.now).map(|(now, nanos)| (now - i64::from(days) * 86_400, nanos));
        let made = artifact.created.as_deref().and_then(moment);
        if made < oldest {
            pulled.problems.push(format!(
                "artifact {} with {} for {} is older than the {days} days that {from} allows: have its author attach a new one",
                artifact.manifest,
                date(artifact),
                scene.subject
            ));
        }
    }

    /// What of the same type in the store counts more than this one, and may.
    fn newer(&self, scene: &Scene<'_>, artifact: &Artifact) -> Option<Artifact> {
        let rivals = scene.shadowing(artifact).filter(|it| scene.is_proved(it));
        rivals.map(|it| it.artifact.clone()).max_by_key(Artifact::age).filter(|_| !self.force)
    }

    /// Removes what would hide this artifact from look-ups: unverified artifacts, or those that the administrator gave up.
    fn clear(&self, scene: &Scene<'_>, artifact: &Artifact, pulled: &mut Pulled) {
        for stored in scene.shadowing(artifact) {
            if scene.is_proved(stored) {
                pulled.notes.push(rolled_back(&scene.subject, artifact, &stored.artifact));
            }
            let repository = scene.wanted.image.repository().to_string();
            let manifest = stored.artifact.manifest;
            pulled.obsolete.push(Obsolete { subject: scene.subject, manifest, repository });
        }
    }
}

impl Scene<'_> {
    /// Whether what is demanded of this artifact was verified before it was stored, and still holds: keys may have been
    /// taken back since.
    fn is_proved(&self, stored: &StoredArtifact) -> bool {
        let Some(proof) = &self.proof else { return true };
        let manifest = &stored.artifact.manifest;
        let signature = stored.origin.as_ref().and_then(|it| it.signature.as_ref());
        let Some((signature, store)) = signature.zip(self.store) else { return false };
        if proof.verifier.as_ref().is_some_and(|it| Digest::of(&it.evidence(manifest)) == signature.evidence)
        {
            return true;
        }
        // Damaged evidence proves nothing: the artifact is fetched again.
        let evidence = store.blob(&signature.evidence, MAX_EVIDENCE);
        evidence.is_ok_and(|it| proof.holds(manifest, &it).is_ok())
    }

    /// Whether the store has this artifact from the same repository.
    fn has(&self, manifest: &Digest) -> bool {
        self.stored.iter().any(|it| it.artifact.manifest == *manifest)
    }

    /// What of the same type counts more than this one would: what is newer, and, if this one is not verified, what is.
    fn shadowing(&self, artifact: &Artifact) -> impl Iterator<Item = &StoredArtifact> {
        let (kind, age, manifest) = (artifact.artifact_type.clone(), artifact.age(), artifact.manifest);
        let may_be_unverified = self.proof.is_none();
        self.stored.iter().filter(move |it| {
            it.artifact.artifact_type == kind
                && it.artifact.manifest != manifest
                && (it.artifact.age() > age || may_be_unverified && it.is_verified())
        })
    }

    /// An artifact that was verified before and is no longer offered: its author may have withdrawn it, or the registry
    /// withholds it.
    fn tell_of_withheld(&self, kind: &str, pulled: &mut Pulled) {
        let is_proved = |it: &&StoredArtifact| {
            self.proof.is_some() && it.artifact.artifact_type == kind && self.is_proved(it)
        };
        for stored in self.stored.iter().filter(is_proved) {
            let manifest = stored.artifact.manifest;
            pulled.notes.push(format!(
                "the registry does not offer artifact {manifest} for {} any more: the store keeps it; to take it out: \
                 oci-compat remove {} --artifact {manifest}",
                self.subject, self.subject
            ));
        }
    }

    /// What was stored before signatures were demanded, or with a key that is not trusted any more.
    fn tell_of_unproved(&self, kind: &str, pulled: &mut Pulled) {
        let Some(proof) = &self.proof else { return };
        for stored in self.stored.iter().filter(|it| it.artifact.artifact_type == kind && !self.is_proved(it))
        {
            let manifest = stored.artifact.manifest;
            pulled.problems.push(format!(
                "the store still has artifact {manifest}, which has no signature that {} demands; to take it out: \
                 oci-compat remove {} --artifact {manifest}",
                proof.from, self.subject
            ));
        }
    }
}

/// What became of a candidate.
enum Taken {
    /// It is in the store.
    Known(StoredArtifact),
    /// It is to be stored.
    New(Box<Addition>, Artifact),
    /// The store has a newer one: the whole sentence.
    Older(String),
}

/// A manifest, as far as its type and date go. What it is beyond that is judged once it is its turn.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ManifestSummary {
    artifact_type: Option<String>,
    config: Option<ConfigLink>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ConfigLink {
    media_type: String,
}
