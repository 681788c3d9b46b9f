//! What refers to an image (distribution-spec 1.1, "Listing Referrers"): the referrers API page by page, else the index under
//! the fallback tag. An error is never "there are none": only a registry without the API (404) leads to the fallback, and
//! only a fallback that is not there (404) is an empty list. `oci-client`, the client that others use, takes every error of
//! the fallback for an empty list and reads the first page alone, so a failing registry would let an image go unchecked.

use std::collections::{BTreeMap, HashSet};

use serde::{Deserialize, Deserializer};
use ureq::http::header;

use crate::image::Repository;
use crate::store::Digest;

use super::client::{Client, RegistryRequest};
use super::descriptor::{Descriptor, IMAGE_INDEX, MANIFEST_TYPES, Manifest};
use super::endpoint::{Endpoint, TagOrDigest};
use super::error::{RegistryError, RegistryProblem, quoted};
use super::transport::{HttpAnswer, misdirected};
use super::url::Url;
use super::{MAX_MANIFEST, MAX_REFERRERS};

/// The most pages of a list: registries make pages of 100 entries, which comes to 10,000 referrers.
const MAX_PAGES: usize = 100;
/// The most referrers of an image, of all types together.
const MAX_ALL: usize = 10_000;

/// The referrers of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Referrers {
    /// In the order of the registry, without duplicates. One without `artifact_type` is of a type that its list did not
    /// say: its manifest does.
    pub descriptors: Vec<Descriptor>,
    /// Entries that cannot be what they say, each a sentence.
    pub refused: Vec<String>,
    /// Where they were found.
    pub found: ReferrersPlace,
}

/// How a registry keeps referrers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReferrersPlace {
    /// Through the referrers API.
    Api,
    /// In the index under the tag `sha256-<hex>`, or, if there is no such tag, nowhere.
    Fallback,
}

impl Client {
    /// What refers to an image. `artifact_type` restricts it to one type, here even if the registry does not.
    ///
    /// A mirror that lists none does not have the last word: the registry itself has.
    ///
    /// # Errors
    ///
    /// Whatever keeps us from knowing: an empty list means that there are none.
    pub fn referrers(
        &self,
        repository: &Repository,
        subject: &Digest,
        artifact_type: Option<&str>,
    ) -> Result<Referrers, RegistryError> {
        let list = || {
            let mut last = RegistryProblem::Blocked;
            for endpoint in self.places(repository, TagOrDigest::Digest)? {
                match self.referrers_at(&endpoint, subject, artifact_type) {
                    Ok(found) if endpoint.is_mirror && found.descriptors.is_empty() => {}
                    Ok(found) => return Ok(found),
                    Err(problem) if endpoint.is_mirror => {
                        log::warn!("mirror {}: {problem}", endpoint.url.shown())
                    }
                    Err(problem) => last = problem,
                }
            }
            Err(last)
        };
        let wrong = |problem| {
            RegistryError::at(repository, format!("listing referrers of {subject} in {repository}"), problem)
        };
        let ListedReferrers { descriptors, refused, found } = list().map_err(wrong)?;
        let refused =
            refused.into_iter().map(|it| wrong(RegistryProblem::Malformed(it)).to_string()).collect();
        Ok(Referrers { descriptors, refused, found })
    }

    fn referrers_at(
        &self,
        endpoint: &Endpoint,
        subject: &Digest,
        kind: Option<&str>,
    ) -> Result<ListedReferrers, RegistryProblem> {
        let mut all = ReferrerCollector::new(subject, kind);
        if self.pages(endpoint, subject, kind, &mut all)? {
            return Ok(ListedReferrers {
                descriptors: all.descriptors,
                refused: all.refused,
                found: ReferrersPlace::Api,
            });
        }
        if let Some(index) = self.fallback_at(endpoint, subject)? {
            all.add(entries(&index.bytes)?)?;
        }
        Ok(ListedReferrers {
            descriptors: all.descriptors,
            refused: all.refused,
            found: ReferrersPlace::Fallback,
        })
    }

    /// Reads all pages; `false` if the registry has no referrers API.
    fn pages(
        &self,
        endpoint: &Endpoint,
        subject: &Digest,
        kind: Option<&str>,
        all: &mut ReferrerCollector<'_>,
    ) -> Result<bool, RegistryProblem> {
        let mut url = endpoint.address(&format!("referrers/{subject}"));
        if let Some(kind) = kind {
            url = url.with_parameter("artifactType", kind);
        }
        let mut seen = HashSet::new();
        loop {
            if !seen.insert(url.to_string()) {
                return Err(RegistryProblem::Malformed(
                    "its pages lead back to one that was read already".to_owned(),
                ));
            }
            if seen.len() > MAX_PAGES {
                return Err(RegistryProblem::TooMany { what: "pages of referrers", limit: MAX_PAGES });
            }
            let wanted =
                RegistryRequest { url: url.clone(), ..RegistryRequest::get(endpoint, "", MAX_MANIFEST) };
            let answer = match self.ask(endpoint, wanted.with(header::ACCEPT, IMAGE_INDEX)) {
                Ok(answer) => answer,
                Err(RegistryProblem::Absent { .. }) if seen.len() == 1 => return Ok(false),
                Err(RegistryProblem::Absent { .. }) => {
                    return Err(RegistryProblem::Malformed(format!(
                        "page {} of its list is not there",
                        seen.len()
                    )));
                }
                Err(problem) => return Err(problem),
            };
            check_type(&answer)?;
            all.add(entries(&answer.body)?)?;
            match next(&answer, endpoint)? {
                Some(next) => url = next,
                None => return Ok(true),
            }
        }
    }

    /// The index under the fallback tag; `None` only if the registry says that there is no such tag.
    pub(super) fn fallback_at(
        &self,
        endpoint: &Endpoint,
        subject: &Digest,
    ) -> Result<Option<Manifest>, RegistryProblem> {
        let tag = fallback_tag(subject);
        match self.manifest_at(endpoint, &tag, None) {
            Ok(found) if found.media_type == IMAGE_INDEX => Ok(Some(found)),
            Ok(found) => {
                Err(RegistryProblem::OtherType { announced: IMAGE_INDEX.to_owned(), found: found.media_type })
            }
            Err(RegistryProblem::Absent { said }) if said.0.contains("NAME_UNKNOWN") => {
                Err(RegistryProblem::Absent { said })
            }
            Err(RegistryProblem::Absent { .. }) => Ok(None),
            Err(problem) => Err(problem),
        }
    }
}

/// The tag under which referrers are listed where there is no API ("Referrers Tag Schema").
pub(super) fn fallback_tag(subject: &Digest) -> String {
    format!("sha256-{}", subject.hex())
}

/// As [`Referrers`], at one place.
struct ListedReferrers {
    descriptors: Vec<Descriptor>,
    refused: Vec<String>,
    found: ReferrersPlace,
}

/// What of a list is taken, bounded.
struct ReferrerCollector<'a> {
    subject: &'a Digest,
    kind: Option<&'a str>,
    total: usize,
    seen: HashSet<Digest>,
    descriptors: Vec<Descriptor>,
    refused: Vec<String>,
}

/// What go-containerregistry, and so cosign and crane, write into the fallback index for the type of whatever has an empty
/// configuration: the configuration's.
const NO_TYPE: &str = "application/vnd.oci.empty.v1+json";

/// An entry of a list. Its digest may be in an algorithm that is none of our business until its type is.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(expecting = "an object")]
struct ReferrerEntry {
    media_type: String,
    digest: String,
    size: u64,
    artifact_type: Option<String>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct ReferrerIndex {
    /// Registries in Go may write an empty list as `null`.
    #[serde(deserialize_with = "null_is_empty")]
    manifests: Vec<ReferrerEntry>,
}

fn null_is_empty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ReferrerEntry>, D::Error> {
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

impl<'a> ReferrerCollector<'a> {
    fn new(subject: &'a Digest, kind: Option<&'a str>) -> Self {
        Self { subject, kind, total: 0, seen: HashSet::new(), descriptors: Vec::new(), refused: Vec::new() }
    }

    fn add(&mut self, entries: Vec<ReferrerEntry>) -> Result<(), RegistryProblem> {
        self.total += entries.len();
        if self.total > MAX_ALL {
            return Err(RegistryProblem::TooMany { what: "referrers of all types", limit: MAX_ALL });
        }
        // Whether the registry filtered (`OCI-Filters-Applied`) makes no difference: doing it twice does no harm.
        let is_wanted = |it: &ReferrerEntry| match (self.kind, &it.artifact_type) {
            (Some(kind), Some(found)) => kind == found,
            // Its manifest says of which type it is, if it has one.
            (Some(_), None) => MANIFEST_TYPES.contains(&it.media_type.as_str()),
            (None, _) => true,
        };
        for entry in entries.into_iter().filter(is_wanted) {
            let digest: Digest = match entry.digest.parse() {
                Ok(digest) => digest,
                Err(err) => {
                    self.refused.push(format!("it lists a referrer of {err}"));
                    continue;
                }
            };
            if digest == *self.subject {
                return Err(RegistryProblem::Malformed(
                    "it lists the image itself among the image's referrers".to_owned(),
                ));
            }
            if !self.seen.insert(digest) {
                continue;
            }
            if self.descriptors.len() == MAX_REFERRERS {
                return Err(RegistryProblem::TooMany { what: "referrers", limit: MAX_REFERRERS });
            }
            let ReferrerEntry { media_type, size, artifact_type, annotations, .. } = entry;
            self.descriptors.push(Descriptor {
                media_type,
                digest,
                size,
                artifact_type,
                annotations,
                platform: None,
            });
        }
        Ok(())
    }
}

fn entries(bytes: &[u8]) -> Result<Vec<ReferrerEntry>, RegistryProblem> {
    let mut index: ReferrerIndex = serde_json::from_slice(bytes).map_err(|err| {
        RegistryProblem::Malformed(format!("its list is no image index ({})", quoted(&err.to_string())))
    })?;
    for entry in &mut index.manifests {
        entry.artifact_type.take_if(|it| it.is_empty() || it == NO_TYPE);
    }
    Ok(index.manifests)
}

/// A page for a browser with status 200 is no list.
fn check_type(answer: &HttpAnswer) -> Result<(), RegistryProblem> {
    let found = answer.header("content-type").and_then(|it| it.split(';').next()).unwrap_or_default().trim();
    match found == IMAGE_INDEX {
        true => Ok(()),
        false => Err(RegistryProblem::Malformed(format!(
            "its list is of type {}, expected {IMAGE_INDEX:?}",
            quoted(found)
        ))),
    }
}

/// The next page, from `Link: <...>; rel="next"` (RFC 8288). A list is continued where it began.
fn next(answer: &HttpAnswer, endpoint: &Endpoint) -> Result<Option<Url>, RegistryProblem> {
    let links = answer.headers.get_all(header::LINK).iter().filter_map(|it| it.to_str().ok());
    let Some(target) = links.flat_map(|it| it.split(",<")).find_map(next_target) else { return Ok(None) };
    let url = answer.url.join(target).map_err(|why| misdirected(target, &why))?;
    match url.origin == endpoint.url.origin {
        true => Ok(Some(url)),
        false => Err(misdirected(target, "is another host than the one whose list it continues")),
    }
}

fn next_target(link: &str) -> Option<&str> {
    let (target, parameters) = link.trim().trim_start_matches('<').split_once('>')?;
    let is_next = |it: &str| {
        let (name, value) = it.split_once('=').unwrap_or((it, ""));
        name.trim().eq_ignore_ascii_case("rel")
            && value.trim().trim_matches('"').split(' ').any(|it| it.eq_ignore_ascii_case("next"))
    };
    parameters.split(';').any(is_next).then_some(target)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_is_the_link_with_that_relation() {
        let check = |link: &str, expected: Option<&str>| {
            assert_eq!(link.split(",<").find_map(next_target), expected, "{link}");
        };
        check("</v2/a/referrers/x?n=2>; rel=\"next\"", Some("/v2/a/referrers/x?n=2"));
        check("</b>;rel=next", Some("/b"));
        check("</a>; rel=\"first\",</b>; title=\"x\"; REL=\"last Next\"", Some("/b"));
        check("</a>; rel=\"prev\"", None);
        check("</a>; title=\"rel=next\"", None);
        check("</a>", None);
        check("nonsense", None);
    }
}
