//! The client itself: which endpoint is asked, with which authentication, and what its status means.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ureq::http::{Method, header};

use crate::image::Repository;
use crate::store::Digest;

use super::auth::{Auth, Errand};
use super::endpoint::{Endpoint, RepositoryAccess, TagOrDigest};
use super::error::{RegistryError, RegistryProblem};
use super::reach::AllowedAddresses;
use super::rewrites::Rewrites;
use super::settings::{RegistryLimits, Settings};
use super::transport::{Ask, HttpAnswer, Stream, Transport, step};
use super::url::{Url, UrlOrigin};
use super::{names, trouble};

/// Speaks to registries. Keeps connections and tokens between calls.
#[derive(Debug, Clone)]
pub struct Client {
    shared: Arc<Shared>,
    until: Option<ClientDeadline>,
}

/// What all clones of a client share.
#[derive(Debug)]
struct Shared {
    settings: Settings,
    rewrites: Rewrites,
    transport: Transport,
    auth: Auth,
    writing: Mutex<()>,
}

/// When all requests of a client have to be over.
#[derive(Debug, Clone, Copy)]
pub(super) struct ClientDeadline {
    /// The moment.
    pub(super) at: Instant,
    /// What takes too long then, and how long it may take.
    pub(super) phase: &'static str,
    pub(super) limit: Duration,
}

/// One request to a place.
#[derive(Debug)]
pub(super) struct RegistryRequest<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) access: RepositoryAccess,
    pub(super) headers: Vec<(header::HeaderName, String)>,
    pub(super) body: Option<&'a [u8]>,
    pub(super) limit: u64,
    /// Whether the body is left to the caller to read.
    pub(super) streams: bool,
}

impl<'a> RegistryRequest<'a> {
    /// A request to read something, such as `manifests/latest`.
    pub(super) fn get(endpoint: &Endpoint, rest: &str, limit: u64) -> Self {
        let url = endpoint.address(rest);
        Self {
            method: Method::GET,
            url,
            access: RepositoryAccess::Pull,
            headers: Vec::new(),
            body: None,
            limit,
            streams: false,
        }
    }

    pub(super) fn with(mut self, name: header::HeaderName, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The same as another request, to change something.
    pub(super) fn sending(
        mut self,
        method: Method,
        access: RepositoryAccess,
        body: Option<&'a [u8]>,
    ) -> Self {
        (self.method, self.access, self.body) = (method, access, body);
        self
    }
}

impl Client {
    /// A client that knows no registry yet.
    ///
    /// # Errors
    ///
    /// [`RegistryProblem::Settings`] for a file that cannot be read or understood.
    pub fn new(settings: Settings) -> Result<Self, RegistryError> {
        names::restrict();
        let auth = Auth::new(&settings).map_err(RegistryError::of_settings)?;
        let mut rewrites = Rewrites::read(&settings.environment).map_err(RegistryError::of_settings)?;
        if let Some(more) = &settings.rewrites {
            rewrites.add(more).map_err(|err| RegistryError::of_settings(RegistryProblem::Settings(err)))?;
        }
        let transport = Transport::new(settings.clone());
        let shared = Shared { rewrites, transport, auth, settings, writing: Mutex::new(()) };
        Ok(Self { shared: Arc::new(shared), until: None })
    }

    /// The same client, whose requests are over at this moment: `phase` takes longer than `limit` then.
    #[must_use]
    pub fn until(&self, at: Instant, phase: &'static str, limit: Duration) -> Self {
        Self { shared: Arc::clone(&self.shared), until: Some(ClientDeadline { at, phase, limit }) }
    }

    /// Reads from the mirrors and then from the registry itself, which has the last word.
    pub(super) fn pull<T>(
        &self,
        repository: &Repository,
        by: TagOrDigest,
        read: impl Fn(&Endpoint) -> Result<T, RegistryProblem>,
    ) -> Result<T, RegistryProblem> {
        let mut last = RegistryProblem::Blocked;
        for endpoint in Endpoint::to_pull(repository, by, &self.shared.rewrites, &self.shared.settings)? {
            match read(&endpoint) {
                Ok(found) => return Ok(found),
                Err(problem) if endpoint.is_mirror => {
                    log::warn!("mirror {}: {problem}", endpoint.url.shown())
                }
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    /// All places to pull from, mirrors first.
    pub(super) fn places(
        &self,
        repository: &Repository,
        by: TagOrDigest,
    ) -> Result<Vec<Endpoint>, RegistryProblem> {
        Endpoint::to_pull(repository, by, &self.shared.rewrites, &self.shared.settings)
    }

    /// The one place where a repository is changed.
    pub(super) fn home(&self, repository: &Repository) -> Result<Endpoint, RegistryProblem> {
        Endpoint::to_push(repository, &self.shared.rewrites, &self.shared.settings)
    }

    /// Held by the one thread of this process that changes lists of referrers.
    pub(super) fn writing(&self) -> MutexGuard<'_, ()> {
        self.shared.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others finish what they are doing: longer with each round, and for each artifact a little longer than for
    /// another, so that two writers do not keep in step.
    pub(super) fn pause(&self, round: u32, artifact: &Digest) {
        let RegistryLimits { first_pause, longest_pause, .. } = self.shared.settings.limits;
        let spread = u32::from_str_radix(artifact.hex().get(..2).unwrap_or_default(), 16).unwrap_or(0);
        let pause = first_pause * (round + 1) * (256 + spread) / 256;
        std::thread::sleep(pause.min(longest_pause));
    }

    /// The body of an answer, for the caller to read.
    pub(super) fn streamed(&self, answer: HttpAnswer) -> Result<Stream, RegistryProblem> {
        Stream::of(answer, &self.shared.settings.limits, self.until)
            .ok_or_else(|| RegistryProblem::Malformed("it has no body".to_owned()))
    }

    /// Sends a request, logs in if required, and returns successful answers.
    pub(super) fn ask(
        &self,
        endpoint: &Endpoint,
        wanted: RegistryRequest<'_>,
    ) -> Result<HttpAnswer, RegistryProblem> {
        let RegistryRequest { method, url, access, headers, body, limit, streams } = wanted;
        let registry = &endpoint.url.origin;
        let at_home = url.origin == *registry;
        let reach = step(&endpoint.url, &url, AllowedAddresses::Any, registry)?;
        let until = self.until;
        let authorization = None;
        let mut ask =
            Ask { method, url, headers, authorization, body, limit, streams, reach, registry, until };
        let errand = Errand { transport: &self.shared.transport, endpoint, access, until };
        if at_home {
            let proof = self.shared.auth.ready(errand)?;
            ask.authorization = proof.map(|it| it.header);
        }
        let answer = self.shared.transport.exchange(&ask)?;
        if answer.status != 401 || answer.url.origin != *registry {
            return judged(answer, None, registry);
        }
        let proof = self.shared.auth.renew(errand, &answer)?;
        ask.authorization = Some(proof.header);
        judged(self.shared.transport.exchange(&ask)?, proof.from, registry)
    }
}

/// What an answer comes to. A 401 from another place than the registry is not about our login: nothing that proves who we
/// are was sent there.
fn judged(
    answer: HttpAnswer,
    tried: Option<String>,
    registry: &UrlOrigin,
) -> Result<HttpAnswer, RegistryProblem> {
    match answer.status {
        200..=299 => Ok(answer),
        401 if answer.url.origin == *registry => {
            Err(RegistryProblem::Login { tried, said: trouble::said(&answer.body) })
        }
        401 => Err(RegistryProblem::Refused { status: 401, said: trouble::said(&answer.body) }),
        _ => Err(trouble::of_status(&answer)),
    }
}
