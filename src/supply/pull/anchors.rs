//! The administrator's rules for a repository's artifacts, with their keys. Never fetches anything.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::image::{Image, ImagePattern, Reference, Repository};
use crate::os::file;
use crate::policy::trust::{Require, Trust};
use crate::store::{ArtifactOrigin, Digest};
use crate::supply::trust::{self, FoundSignature, Key, VerifiedSignature};

use super::VerifierCommand;

/// The largest file of keys, in bytes.
const MAX_KEYS: usize = 1 << 20;

/// The rules of trust, with all their keys.
#[derive(Debug, Default)]
pub struct Anchors {
    trust: Trust,
    keys: BTreeMap<PathBuf, Vec<Key>>,
}

/// What an artifact has to show.
#[derive(Debug)]
pub struct RequiredProof<'a> {
    /// A signature with one of these keys is enough.
    pub keys: Vec<&'a Key>,
    /// Or the word of this program.
    pub verifier: Option<VerifierCommand<'a>>,
    /// The rule's place in the configuration.
    pub from: &'a str,
    /// The repositories that its signature may name: its own, and others in the rule.
    signed_as: Vec<ImagePattern>,
}

impl Anchors {
    /// Reads the keys of all rules that demand signatures.
    ///
    /// # Errors
    ///
    /// A sentence for every file that cannot be read, that others can write, or that holds no key: `pull` must not go on with
    /// fewer keys than there are.
    pub fn new(trust: Trust) -> Result<Self, Vec<String>> {
        let (mut keys, mut wrong) = (BTreeMap::new(), Vec::new());
        let demanding = trust.rules.iter().filter(|it| it.require.wants_signature());
        for path in demanding.flat_map(|it| &it.keys) {
            if keys.contains_key(path) {
                continue;
            }
            match read(path) {
                Ok(found) => drop(keys.insert(path.clone(), found)),
                Err(reason) => wrong.push(reason),
            }
        }
        if wrong.is_empty() { Ok(Self { trust, keys }) } else { Err(wrong) }
    }

    /// What artifacts of this repository have to show; `None` if nothing is demanded of them.
    pub fn proof_for(&self, repository: &Repository) -> Option<RequiredProof<'_>> {
        let rule = self.trust.rule_for(&repository.to_string())?;
        if !rule.require.wants_signature() {
            return None;
        }
        let keys = rule.keys.iter().filter_map(|it| self.keys.get(it)).flatten().collect();
        let verifier = rule.verifier.as_deref().map(VerifierCommand::new);
        // What a repository is called is a pattern of it.
        let own = ImagePattern::parse(&repository.to_string()).ok();
        let signed_as = own.into_iter().chain(rule.signed_as.iter().cloned()).collect();
        Some(RequiredProof { keys, verifier, from: &rule.from, signed_as })
    }

    /// The pattern of the rule that holds for this repository, if there is one.
    pub fn rule_for(&self, repository: &Repository) -> Option<&str> {
        self.trust.rule_for(&repository.to_string()).map(|it| it.pattern.text())
    }

    /// The place of the rule by which each image of this repository must have a signed spec, if there is one.
    pub fn demands_spec(&self, repository: &Repository) -> Option<&str> {
        let rule = self.trust.rule_for(&repository.to_string())?;
        (rule.require == Require::SignedSpec).then_some(rule.from.as_str())
    }

    /// The age in days from which on an artifact of this repository is reported, and the place of that rule.
    pub fn max_age(&self, repository: &Repository) -> Option<(u32, &str)> {
        let rule = self.trust.rule_for(&repository.to_string())?;
        Some((rule.max_age_days?, rule.from.as_str()))
    }

    /// Whether an artifact from an archive may be stored: one whose evidence still holds, where any of the names under
    /// which it was fetched demands that. Those names are only what the archive's author claims.
    ///
    /// # Errors
    ///
    /// Why not, as the rest of a sentence that starts with the artifact.
    pub fn admit(
        &self,
        manifest: &Digest,
        origin: Option<&ArtifactOrigin>,
        evidence: Option<&[u8]>,
    ) -> Result<(), String> {
        let names: Vec<_> = origin.iter().flat_map(|it| it.names()).collect();
        let demanding = self.trust.rules.iter().find(|it| it.require.wants_signature());
        if let (Some(rule), true) = (demanding, names.is_empty()) {
            return Err(format!(
                "does not say from which repository it is, and {} demands signatures",
                rule.from
            ));
        }
        for name in names {
            let image: Reference =
                name.parse().map_err(|err| format!("was fetched under a name, but {err}"))?;
            let Some(proof) = self.proof_for(image.repository()) else { continue };
            let held = evidence.ok_or_else(|| "is not signed".to_owned());
            held.and_then(|it| proof.holds(manifest, it))
                .map_err(|reason| format!("{reason}; {} demands a signature", proof.from))?;
        }
        Ok(())
    }
}

impl RequiredProof<'_> {
    /// A signature over this manifest that holds, among these.
    ///
    /// # Errors
    ///
    /// Why none does, as the rest of a sentence that starts with the artifact.
    pub fn verify(
        &self,
        manifest: &Digest,
        candidates: &[FoundSignature],
    ) -> Result<VerifiedSignature, String> {
        let keys: Vec<_> = self.keys.iter().map(|it| (*it).clone()).collect();
        trust::verify(manifest, candidates, &keys, &|reference| {
            let image = Image { names: vec![reference.to_owned()], digests: Vec::new() };
            self.signed_as.iter().any(|it| it.matches(&image))
        })
    }

    /// Verifies again what was kept of a signature.
    ///
    /// # Errors
    ///
    /// Why it does not hold, as the rest of a sentence that starts with the artifact.
    pub fn holds(&self, manifest: &Digest, evidence: &[u8]) -> Result<(), String> {
        let candidate = trust::read_evidence(evidence).map_err(|it| format!("has evidence that {it}"))?;
        self.verify(manifest, &[candidate]).map(drop)
    }
}

fn read(path: &std::path::Path) -> Result<Vec<Key>, String> {
    let shown = path.display();
    match file::read_trusted(path, MAX_KEYS) {
        Ok(Some(bytes)) => Key::read_all(&bytes).map_err(|it| format!("{shown} {it}")),
        Ok(None) => Err(format!("the key {shown} is not there: correct `keys` in the configuration")),
        Err(err) => Err(format!("{err:#}")),
    }
}
