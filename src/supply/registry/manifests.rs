//! Manifests and indexes: read by tag or digest and compared with the request; pushed and deleted.

use serde::Deserialize;
use serde::de::IgnoredAny;
use ureq::http::{Method, header};

use crate::image::{Reference, Repository};
use crate::store::Digest;

use super::MAX_MANIFEST;
use super::client::{Client, RegistryRequest};
use super::descriptor::{DOCKER_INDEX, IMAGE_INDEX, MANIFEST_TYPES, Manifest};
use super::endpoint::{Endpoint, RepositoryAccess, TagOrDigest};
use super::error::{RegistryError, RegistryProblem, quoted};
use super::transport::HttpAnswer;

const DIGEST_HEADER: &str = "docker-content-digest";

/// The answer of a registry that accepted a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PushedManifest {
    /// The digest of the bytes that were sent.
    pub digest: Digest,
    /// Whether the registry itself lists the manifest among its subject's referrers: it answered with `OCI-Subject`.
    /// If not, and there is a subject, [`Client::add_to_fallback`] is next.
    pub lists_referrers: bool,
}

impl Client {
    /// The current target of an image's name: the manifest or index under its digest or tag, verified.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Absent`] if there is none.
    pub fn resolve(&self, image: &Reference) -> Result<Manifest, RegistryError> {
        let by = if image.digest().is_some() { TagOrDigest::Digest } else { TagOrDigest::Tag };
        self.pull(image.repository(), by, |it| self.manifest_at(it, &image.target(), image.digest())).map_err(
            |problem| {
                RegistryError::at(image.repository(), format!("reading the manifest of {image}"), problem)
            },
        )
    }

    /// The digest that [`Client::resolve`] would find, in the registry's words alone and without the document: good for
    /// finding out cheaply that nothing has changed.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Absent`] if there is none.
    pub fn look(&self, image: &Reference) -> Result<Digest, RegistryError> {
        let by = if image.digest().is_some() { TagOrDigest::Digest } else { TagOrDigest::Tag };
        let found = self.pull(image.repository(), by, |it| self.look_at(it, &image.target()));
        let found = found.map_err(|problem| {
            RegistryError::at(image.repository(), format!("looking for {image}"), problem)
        })?;
        match found {
            Some(digest) => Ok(digest),
            None => Ok(self.resolve(image)?.digest),
        }
    }

    /// A manifest or index by its digest, verified.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Absent`] if there is none.
    pub fn manifest(&self, repository: &Repository, digest: &Digest) -> Result<Manifest, RegistryError> {
        self.resolve(&repository.at(*digest))
    }

    /// Pushes a manifest under its digest or, if `tag` names one, under a tag.
    ///
    /// # Errors
    ///
    /// If the registry did not take it.
    pub fn push_manifest(
        &self,
        repository: &Repository,
        tag: Option<&str>,
        media_type: &str,
        bytes: &[u8],
    ) -> Result<PushedManifest, RegistryError> {
        let digest = Digest::of(bytes);
        let target = tag.map_or_else(|| digest.to_string(), str::to_owned);
        let push = || {
            let home = self.home(repository)?;
            let wanted = RegistryRequest::get(&home, &format!("manifests/{target}"), MAX_MANIFEST)
                .sending(Method::PUT, RepositoryAccess::Push, Some(bytes))
                .with(header::CONTENT_TYPE, media_type);
            let answer = self.ask(&home, wanted)?;
            check_digest(&answer, &digest)?;
            Ok(PushedManifest { digest, lists_referrers: answer.header("oci-subject").is_some() })
        };
        push().map_err(|problem| {
            RegistryError::at(repository, format!("pushing manifest {target} to {repository}"), problem)
        })
    }

    /// Deletes a manifest. Where the registry does not list referrers itself, it is taken off the fallback index first
    /// ([`Client::remove_from_fallback`]): registries refuse an index that lists what is gone.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Absent`] if it is not there, [`RegistryProblem::Refused`] with status 405 if this registry deletes nothing.
    pub fn delete_manifest(&self, repository: &Repository, digest: &Digest) -> Result<(), RegistryError> {
        let delete =
            || {
                let home = self.home(repository)?;
                let wanted = RegistryRequest::get(&home, &format!("manifests/{digest}"), MAX_MANIFEST)
                    .sending(Method::DELETE, RepositoryAccess::Delete, None);
                self.ask(&home, wanted).map(drop)
            };
        delete().map_err(|problem| {
            RegistryError::at(repository, format!("deleting manifest {digest} from {repository}"), problem)
        })
    }

    /// The manifest at one endpoint under a tag or digest, compared with `digest` if that was asked for.
    pub(super) fn manifest_at(
        &self,
        endpoint: &Endpoint,
        target: &str,
        digest: Option<&Digest>,
    ) -> Result<Manifest, RegistryProblem> {
        verified(self.document_at(endpoint, target)?, digest)
    }

    pub(super) fn document_at(
        &self,
        endpoint: &Endpoint,
        target: &str,
    ) -> Result<HttpAnswer, RegistryProblem> {
        let wanted = RegistryRequest::get(endpoint, &format!("manifests/{target}"), MAX_MANIFEST);
        self.ask(endpoint, wanted.with(header::ACCEPT, MANIFEST_TYPES.join(", ")))
    }

    fn look_at(&self, endpoint: &Endpoint, target: &str) -> Result<Option<Digest>, RegistryProblem> {
        let wanted = RegistryRequest::get(endpoint, &format!("manifests/{target}"), 0).sending(
            Method::HEAD,
            RepositoryAccess::Pull,
            None,
        );
        let answer = self.ask(endpoint, wanted.with(header::ACCEPT, MANIFEST_TYPES.join(", ")))?;
        Ok(announced(&answer))
    }
}

/// What of a document says which kind it is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct Claim {
    media_type: Option<String>,
    manifests: Option<IgnoredAny>,
    config: Option<IgnoredAny>,
    layers: Option<IgnoredAny>,
}

/// Compares an answer with the digest that was asked for, then with its own headers.
pub(super) fn verified(answer: HttpAnswer, asked: Option<&Digest>) -> Result<Manifest, RegistryProblem> {
    let digest = Digest::of(&answer.body);
    if let Some(expected) = asked.filter(|it| **it != digest) {
        return Err(RegistryProblem::OtherDigest { expected: *expected, found: digest });
    }
    check_digest(&answer, &digest)?;
    let claim: Claim = serde_json::from_slice(&answer.body).map_err(|err| {
        RegistryProblem::Malformed(format!("it is no manifest ({})", quoted(&err.to_string())))
    })?;
    let media_type = media_type(&answer, &claim)?;
    let is_index = matches!(media_type.as_str(), IMAGE_INDEX | DOCKER_INDEX);
    let has_both = claim.manifests.is_some() && (claim.layers.is_some() || claim.config.is_some());
    if has_both || claim.manifests.is_some() != is_index {
        let kind = if is_index { "an index" } else { "an image manifest" };
        return Err(RegistryProblem::Malformed(format!(
            "it is called {kind}, and has not the fields of one alone"
        )));
    }
    Ok(Manifest { media_type, digest, bytes: answer.body })
}

/// The header and the document have to agree; one of them may be silent.
fn media_type(answer: &HttpAnswer, claim: &Claim) -> Result<String, RegistryProblem> {
    let announced = answer.header("content-type").and_then(|it| it.split(';').next()).map(str::trim);
    // What servers say that know nothing of manifests.
    let announced = announced
        .filter(|it| !matches!(*it, "" | "application/json" | "application/octet-stream" | "text/plain"));
    let found = match (announced, claim.media_type.as_deref()) {
        (Some(announced), Some(found)) if announced != found => {
            return Err(RegistryProblem::OtherType {
                announced: announced.to_owned(),
                found: found.to_owned(),
            });
        }
        (Some(it), _) | (None, Some(it)) => it,
        (None, None) => {
            return Err(RegistryProblem::Malformed("its media type is not given".to_owned()));
        }
    };
    match MANIFEST_TYPES.contains(&found) {
        true => Ok(found.to_owned()),
        false => Err(RegistryProblem::Malformed(format!(
            "it is of type {}, which is no manifest or index that we know",
            quoted(found)
        ))),
    }
}

/// What the registry says that the digest is; `None` if it says nothing, or something in another algorithm.
fn announced(answer: &HttpAnswer) -> Option<Digest> {
    answer.header(DIGEST_HEADER)?.parse().ok()
}

fn check_digest(answer: &HttpAnswer, digest: &Digest) -> Result<(), RegistryProblem> {
    match announced(answer) {
        Some(expected) if expected != *digest => {
            Err(RegistryProblem::OtherDigest { expected, found: *digest })
        }
        _ => Ok(()),
    }
}
