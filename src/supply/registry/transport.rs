//! One request to a registry and its whole answer: connections, time limits, redirects, retries. Does not interpret the
//! request; credentials go only to the origin that they belong to.

use std::collections::HashMap;
use std::io::Read;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use ureq::http::request::Builder;
use ureq::http::{HeaderMap, Method, Request, header};
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body, BodyReader};

use super::client::ClientDeadline;
use super::proxy::Proxies;
use super::reach::{AllowedAddresses, Bounded};
use super::settings::{RegistryLimits, Settings};
use super::url::{Scheme, Url, UrlOrigin, shown};
use super::{RegistryProblem, Secret, tls, trouble};

/// More would be a loop.
const MAX_REDIRECTS: u32 = 5;
/// The largest head of an answer, in bytes.
const MAX_HEAD: usize = 64 << 10;
/// What is read of the answer where something went wrong: room for the registry's own words.
const MAX_COMPLAINT: u64 = 16 << 10;
const ELSEWHERE: &str = "is another place for what is sent: name the registry as it names itself";
/// Connections that wait for the next request, to one host.
const IDLE_CONNECTIONS: usize = 32;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) url: Url,
    /// Names and values, none of them secret.
    pub(super) headers: Vec<(header::HeaderName, String)>,
    /// Only for the origin of `url`.
    pub(super) authorization: Option<Secret>,
    pub(super) body: Option<&'a [u8]>,
    /// The most that is read of an answer that says yes.
    pub(super) limit: u64,
    /// Whether the body of such an answer is left to the caller to read.
    pub(super) streams: bool,
    /// How far the host of `url` may be.
    pub(super) reach: AllowedAddresses,
    /// The registry on whose word we go where it redirects to.
    pub(super) registry: &'a UrlOrigin,
    /// When it has to be over, whatever else it might take.
    pub(super) until: Option<ClientDeadline>,
}

/// What came back.
#[derive(Debug)]
pub(super) struct HttpAnswer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    /// The body of an answer that says yes, where it is not read here.
    pub(super) stream: Option<Body>,
    /// Where it came from, redirects followed.
    pub(super) url: Url,
}

impl Ask<'_> {
    /// What took too long, if it is late.
    fn late(&self) -> Option<RegistryProblem> {
        let ClientDeadline { at, phase, limit } = self.until?;
        (Instant::now() >= at).then_some(RegistryProblem::Slow { phase, limit })
    }
}

impl HttpAnswer {
    /// A header that is there and is text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// The body of an answer, read as it comes. An error that breaks it off is put in our words.
pub struct Stream {
    body: BodyReader<'static>,
    url: Url,
    limits: RegistryLimits,
    until: Option<ClientDeadline>,
}

impl Stream {
    /// None if the answer has no body that is left to read.
    pub(super) fn of(
        answer: HttpAnswer,
        limits: &RegistryLimits,
        until: Option<ClientDeadline>,
    ) -> Option<Self> {
        let HttpAnswer { stream, url, .. } = answer;
        Some(Self { body: stream?.into_reader(), url, limits: limits.clone(), until })
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.body.read(buffer).map_err(|err| {
            let late = self.until.filter(|it| Instant::now() >= it.at);
            let problem = match late {
                Some(ClientDeadline { phase, limit, .. }) => RegistryProblem::Slow { phase, limit },
                None => trouble::of(&ureq::Error::from(err), &self.url, &self.limits),
            };
            std::io::Error::other(problem.to_string())
        })
    }
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stream").field("url", &self.url.shown()).finish_non_exhaustive()
    }
}

/// Connections to all hosts, shared by all threads.
pub(super) struct Transport {
    settings: Settings,
    proxies: Proxies,
    agents: Mutex<HashMap<(UrlOrigin, AllowedAddresses), Agent>>,
}

impl Transport {
    pub(super) fn new(settings: Settings) -> Self {
        let proxies = Proxies::of(&settings.environment);
        Self { settings, proxies, agents: Mutex::default() }
    }

    /// How registries are reached.
    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Sends a request, again where trouble looks passing, and reads the answer. Any status is an answer; 429 and 5xx are
    /// only after the last try.
    pub(super) fn exchange(&self, ask: &Ask<'_>) -> Result<HttpAnswer, RegistryProblem> {
        let limits = &self.settings.limits;
        let deadline = Instant::now() + limits.total;
        let deadline = ask.until.map_or(deadline, |it| it.at.min(deadline));
        let mut tries = 1;
        let mut pause = limits.first_pause;
        loop {
            let outcome = self.follow(ask, deadline);
            let Some(wait) = trouble::wait(&outcome, pause) else { return outcome };
            let too_long = wait > limits.longest_pause || Instant::now() + wait >= deadline;
            if tries >= limits.tries || too_long {
                return outcome;
            }
            log::debug!("{} {}: trying again in {} ms", ask.method, ask.url.shown(), wait.as_millis());
            std::thread::sleep(wait);
            pause = (pause * 2).min(limits.longest_pause);
            tries += 1;
        }
    }

    fn follow(&self, ask: &Ask<'_>, deadline: Instant) -> Result<HttpAnswer, RegistryProblem> {
        let mut ask = ask.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.once(&ask, deadline)?;
            let Some(location) = redirection(&answer) else { return Ok(answer) };
            let next = ask.url.join(location).map_err(|why| misdirected(location, &why))?;
            if !matches!(ask.method, Method::GET | Method::HEAD) {
                return Err(misdirected(location, ELSEWHERE));
            }
            ask.authorization = ask.authorization.filter(|_| next.origin == ask.url.origin);
            ask.reach = step(&ask.url, &next, ask.reach, ask.registry)?;
            ask.url = next;
            log::debug!("redirected to {}", ask.url.shown());
        }
        Err(misdirected(
            &ask.url.to_string(),
            &format!("is redirect number {}: they never end", MAX_REDIRECTS + 1),
        ))
    }

    fn once(&self, ask: &Ask<'_>, deadline: Instant) -> Result<HttpAnswer, RegistryProblem> {
        let limits = &self.settings.limits;
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ask
                .late()
                .unwrap_or(RegistryProblem::Slow { phase: "the whole request", limit: limits.total }));
        }
        let agent = self.agent(&ask.url.origin, ask.reach)?;
        log::debug!("{} {}", ask.method, ask.url.shown());
        let known = |err: ureq::Error| ask.late().unwrap_or_else(|| trouble::of(&err, &ask.url, limits));
        let request = ask.request();
        let response = match ask.body {
            Some(body) => request
                .body(body)
                .map_err(ureq::Error::from)
                .and_then(|it| agent.run(agent.configure_request(it).timeout_global(Some(left)).build())),
            None => request
                .body(())
                .map_err(ureq::Error::from)
                .and_then(|it| agent.run(agent.configure_request(it).timeout_global(Some(left)).build())),
        };
        let (head, body) = response.map_err(known)?.into_parts();
        let (body, stream) = match (&ask.method, head.status.is_success()) {
            (&Method::HEAD, _) => (Vec::new(), None),
            (_, true) if ask.streams => (Vec::new(), Some(body)),
            (_, true) => (read(body, ask.limit, known)?, None),
            // Of a complaint the start is enough, and one that breaks off is still a complaint.
            (_, false) => (start(body), None),
        };
        let status = head.status.as_u16();
        Ok(HttpAnswer { status, headers: head.headers, body, stream, url: ask.url.clone() })
    }

    fn agent(&self, origin: &UrlOrigin, reach: AllowedAddresses) -> Result<Agent, RegistryProblem> {
        let key = (origin.clone(), reach);
        let mut agents = self.agents.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(agent) = agents.get(&key) {
            return Ok(agent.clone());
        }
        let agent = self.build(origin, reach)?;
        agents.insert(key, agent.clone());
        Ok(agent)
    }

    fn build(&self, origin: &UrlOrigin, reach: AllowedAddresses) -> Result<Agent, RegistryProblem> {
        let proxy = self.proxies.choose(origin)?;
        // Behind a proxy, the one name that is looked up here is the proxy's.
        let resolver = Bounded(if proxy.is_some() { AllowedAddresses::Any } else { reach });
        let limits = &self.settings.limits;
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .tls_config(tls::config(origin, &self.settings)?)
            .proxy(proxy)
            .accept_encoding("identity")
            .user_agent(concat!("oci-compat/", env!("CARGO_PKG_VERSION")))
            .max_response_header_size(MAX_HEAD)
            .max_idle_connections(4 * IDLE_CONNECTIONS)
            .max_idle_connections_per_host(IDLE_CONNECTIONS)
            .timeout_resolve(Some(limits.connect))
            .timeout_connect(Some(limits.connect))
            .timeout_per_read(Some(limits.idle))
            .timeout_per_write(Some(limits.idle))
            .timeout_global(Some(limits.total))
            .build();
        Ok(Agent::with_parts(config, DefaultConnector::default(), resolver))
    }
}

impl Ask<'_> {
    fn request(&self) -> Builder {
        let mut request = Request::builder().method(self.method.clone()).uri(self.url.to_string());
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        match &self.authorization {
            Some(secret) => request.header(header::AUTHORIZATION, secret.reveal()),
            None => request,
        }
    }
}

/// Where an answer sends us. A 304, or a redirect that names no place, is an answer like any other.
fn redirection(answer: &HttpAnswer) -> Option<&str> {
    match answer.status {
        301 | 302 | 303 | 307 | 308 => answer.header("location"),
        _ => None,
    }
}

/// Whether we go from one place to the next, and how far its host may be.
pub(super) fn step(
    from: &Url,
    to: &Url,
    reach: AllowedAddresses,
    registry: &UrlOrigin,
) -> Result<AllowedAddresses, RegistryProblem> {
    if to.origin == from.origin {
        return Ok(reach);
    }
    if from.origin.scheme == Scheme::Https && to.origin.scheme == Scheme::Http {
        return Err(misdirected(&to.to_string(), "is not protected by TLS, as the place that named it was"));
    }
    let onward = AllowedAddresses::from(registry);
    match onward.objection(&to.origin.host) {
        Some(objection) => Err(misdirected(&to.to_string(), objection)),
        None => Ok(onward),
    }
}

pub(super) fn misdirected(to: &str, why: &str) -> RegistryProblem {
    RegistryProblem::Misdirected { to: shown(to), why: why.to_owned() }
}

fn read(
    body: Body,
    limit: u64,
    known: impl Fn(ureq::Error) -> RegistryProblem,
) -> Result<Vec<u8>, RegistryProblem> {
    if body.content_length().is_some_and(|it| it > limit) {
        return Err(RegistryProblem::TooLarge { limit });
    }
    let mut bytes = Vec::new();
    let mut reader = body.into_reader().take(limit.saturating_add(1));
    reader.read_to_end(&mut bytes).map_err(|err| known(ureq::Error::from(err)))?;
    match u64::try_from(bytes.len()) {
        Ok(length) if length <= limit => Ok(bytes),
        _ => Err(RegistryProblem::TooLarge { limit }),
    }
}

fn start(body: Body) -> Vec<u8> {
    let mut bytes = Vec::new();
    match body.into_reader().take(MAX_COMPLAINT).read_to_end(&mut bytes) {
        Ok(_) => {}
        Err(err) => log::debug!("the complaint broke off: {:?}", err.kind()),
    }
    bytes
}

impl std::fmt::Debug for Transport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Transport").field("settings", &self.settings).finish_non_exhaustive()
    }
}
