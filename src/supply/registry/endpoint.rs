//! The real location of a repository: the registry that an image names, its mirrors, or a replacement in registries.conf.

use crate::image::Repository;

use super::RegistryProblem;
use super::rewrites::{RepositoryPlace, Rewrites};
use super::settings::Settings;
use super::url::Url;

/// The Hub's registry has another name than its images.
const HUB: (&str, &str) = ("docker.io", "registry-1.docker.io");

/// What is wanted of a repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RepositoryAccess {
    Pull,
    Push,
    Delete,
}

/// How content is named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagOrDigest {
    Tag,
    Digest,
}

/// A repository at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Endpoint {
    /// As files of credentials name it.
    pub(super) registry: String,
    pub(super) path: String,
    /// `https://HOST/v2/PATH/`
    pub(super) url: Url,
    pub(super) is_mirror: bool,
}

impl RepositoryAccess {
    /// As a token's scope has it (distribution, "Token Scope Documentation").
    pub(super) fn actions(self) -> &'static str {
        match self {
            Self::Pull => "pull",
            Self::Push => "pull,push",
            Self::Delete => "pull,push,delete",
        }
    }
}

impl Endpoint {
    /// All places to pull from, mirrors first; never none.
    pub(super) fn to_pull(
        repository: &Repository,
        by: TagOrDigest,
        rewrites: &Rewrites,
        settings: &Settings,
    ) -> Result<Vec<Self>, RegistryProblem> {
        rewrites.places(repository, Some(by))?.iter().map(|it| Self::at(it, settings)).collect()
    }

    /// The one place to push to.
    pub(super) fn to_push(
        repository: &Repository,
        rewrites: &Rewrites,
        settings: &Settings,
    ) -> Result<Self, RegistryProblem> {
        let places = rewrites.places(repository, None)?;
        let place = places.last().ok_or(RegistryProblem::Blocked)?;
        Self::at(place, settings)
    }

    fn at(place: &RepositoryPlace, settings: &Settings) -> Result<Self, RegistryProblem> {
        let registry = place.repository.registry().to_owned();
        let path = place.repository.path().to_owned();
        let plain = place.is_insecure || (settings.plain_http && !place.is_mirror);
        let scheme = if plain { "http" } else { "https" };
        let host = if registry == HUB.0 { HUB.1 } else { &registry };
        let url = Url::parse(&format!("{scheme}://{host}/v2/{path}/"))
            .map_err(|why| RegistryProblem::Settings(format!("the registry {host} {why}")))?;
        Ok(Self { registry, path, url, is_mirror: place.is_mirror })
    }

    /// The address of something in the repository, such as `manifests/latest`.
    pub(super) fn address(&self, rest: &str) -> Url {
        Url { origin: self.url.origin.clone(), rest: format!("{}{rest}", self.url.rest) }
    }
}
