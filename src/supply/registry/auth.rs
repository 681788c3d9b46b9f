//! Authentication: answers to the challenge of a 401, and tokens that are valid for a while (distribution's "Token
//! Authentication Specification" and "OAuth2"). Credentials are sent to the registry, and to the token service that it names
//! if that is in its own domain or was named by the administrator. Tokens are sent to the registry only.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::{Method, header};

use super::challenge::{self, Bearer, Challenge};
use super::client::ClientDeadline;
use super::credentials::{Credentials, Login, With};
use super::domain;
use super::endpoint::{Endpoint, RepositoryAccess};
use super::error::RegistryMessage;
use super::reach::AllowedAddresses;
use super::transport::{Ask, HttpAnswer, Transport, misdirected, step};
use super::url::{Url, UrlOrigin, encode};
use super::{RegistryProblem, Secret, Settings, trouble};

/// The largest answer of a token service, in bytes.
const MAX_TOKEN: u64 = 256 << 10;
/// How long a token is valid by default (Token Authentication Specification).
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const CLIENT: &str = "oci-compat";

/// Credentials, and what they were exchanged for.
#[derive(Debug)]
pub(super) struct Auth {
    credentials: Credentials,
    /// What each registry wanted when it was last asked without.
    known: Mutex<HashMap<UrlOrigin, Challenge>>,
    tokens: Mutex<HashMap<(UrlOrigin, String), BearerToken>>,
}

#[derive(Debug, Clone)]
struct BearerToken {
    header: Secret,
    until: Instant,
}

/// A header, and where the credentials in it came from, if there are any.
#[derive(Debug, Clone)]
pub(super) struct AuthHeader {
    pub(super) header: Secret,
    pub(super) from: Option<String>,
}

/// Who wants to do what, where.
#[derive(Debug, Clone, Copy)]
pub(super) struct Errand<'a> {
    pub(super) transport: &'a Transport,
    pub(super) endpoint: &'a Endpoint,
    pub(super) access: RepositoryAccess,
    /// When it has to be over.
    pub(super) until: Option<ClientDeadline>,
}

impl Auth {
    pub(super) fn new(settings: &Settings) -> Result<Self, RegistryProblem> {
        Ok(Self {
            credentials: Credentials::read(settings)?,
            known: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    /// What to send along with a first try: what this registry wanted before.
    pub(super) fn ready(&self, errand: Errand<'_>) -> Result<Option<AuthHeader>, RegistryProblem> {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let challenge = known.get(&errand.endpoint.url.origin).cloned();
        drop(known);
        challenge.map(|it| self.meet(errand, &it)).transpose()
    }

    /// What to send after a 401: nothing that was kept is used again.
    pub(super) fn renew(
        &self,
        errand: Errand<'_>,
        answer: &HttpAnswer,
    ) -> Result<AuthHeader, RegistryProblem> {
        let Some(challenge) = challenge::of(answer, &errand.scope()) else {
            return Err(trouble::of_status(answer));
        };
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).remove(&errand.key());
        let proof = self.meet(errand, &challenge)?;
        let origin = errand.endpoint.url.origin.clone();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(origin, challenge);
        Ok(proof)
    }

    fn meet(&self, errand: Errand<'_>, challenge: &Challenge) -> Result<AuthHeader, RegistryProblem> {
        let login = self.credentials.find(&errand.endpoint.registry, &errand.endpoint.path)?;
        let from = login.as_ref().map(|it| it.from.clone());
        let header = match (challenge, login.as_ref().map(|it| &it.with)) {
            (_, Some(With::Token(token))) => Secret::new(format!("Bearer {}", token.reveal())),
            (Challenge::Basic, Some(With::Password { user, password })) => basic(user, password),
            (Challenge::Basic, _) => {
                return Err(RegistryProblem::Login { tried: from, said: RegistryMessage::default() });
            }
            (Challenge::Bearer(bearer), _) => self.token(errand, bearer, login.as_ref())?,
        };
        Ok(AuthHeader { header, from })
    }

    /// A token that is still good, or a new one.
    fn token(
        &self,
        errand: Errand<'_>,
        bearer: &Bearer,
        login: Option<&Login>,
    ) -> Result<Secret, RegistryProblem> {
        let stored = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&errand.key()).cloned();
        if let Some(token) = stored.filter(|it| Instant::now() < it.until) {
            return Ok(token.header);
        }
        let token = fetch(errand, bearer, login)?;
        let header = token.header.clone();
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(errand.key(), token);
        Ok(header)
    }
}

impl Errand<'_> {
    /// As the "Token Scope Documentation" has it.
    fn scope(self) -> String {
        format!("repository:{}:{}", self.endpoint.path, self.access.actions())
    }

    fn key(self) -> (UrlOrigin, String) {
        (self.endpoint.url.origin.clone(), self.scope())
    }
}

fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

fn fetch(errand: Errand<'_>, bearer: &Bearer, login: Option<&Login>) -> Result<BearerToken, RegistryProblem> {
    let registry = &errand.endpoint.url;
    let realm = Url::parse(&bearer.realm).map_err(|why| misdirected(&bearer.realm, &why))?;
    let reach = step(registry, &realm, AllowedAddresses::Any, &registry.origin)?;
    let service = realm.origin.to_string();
    let login = login.filter(|it| {
        let may_have = domain::is_of(&realm.origin, &errand.endpoint.url.origin)
            || errand.transport.settings().token_services.iter().any(|it| it.eq_ignore_ascii_case(&realm.origin.host));
        if !may_have {
            log::warn!(
                "registry {} names {} as its token service, which is of another domain: it gets no credentials from {}; name \
                 it with --token-service if it is right",
                errand.endpoint.registry,
                realm.origin.host,
                it.from
            );
        }
        may_have
    });
    let scope = bearer.scope.clone().unwrap_or_else(|| errand.scope());
    let form = match login.map(|it| &it.with) {
        Some(With::Identity(token)) => Some(refresh(token, bearer.service.as_deref(), &scope)),
        Some(With::Password { .. } | With::Token(_)) | None => None,
    };
    let ask = Ask {
        method: Method::GET,
        url: realm,
        headers: Vec::new(),
        authorization: None,
        body: None,
        limit: MAX_TOKEN,
        streams: false,
        reach,
        registry: &registry.origin,
        until: errand.until,
    };
    let ask = match &form {
        Some(form) => posting(ask, form),
        None => getting(ask, bearer.service.as_deref(), &scope, login.map(|it| &it.with)),
    };
    let answer = errand.transport.exchange(&ask).map_err(|it| of_service(&service, it))?;
    match answer.status {
        200..=299 => read(&answer).map_err(|it| of_service(&service, it)),
        401 => Err(RegistryProblem::Login {
            tried: login.map(|it| it.from.clone()),
            said: trouble::said(&answer.body),
        }),
        _ => Err(of_service(&service, trouble::of_status(&answer))),
    }
}

/// As in the "Token Authentication Specification": for a password, or anonymously.
fn getting<'a>(ask: Ask<'a>, service: Option<&str>, scope: &str, with: Option<&With>) -> Ask<'a> {
    let url = service.map_or_else(|| ask.url.clone(), |it| ask.url.with_parameter("service", it));
    let authorization = match with {
        Some(With::Password { user, password }) => Some(basic(user, password)),
        Some(With::Identity(_) | With::Token(_)) | None => None,
    };
    Ask { url: url.with_parameter("scope", scope), authorization, ..ask }
}

/// As "OAuth2" has it: for an identity token.
fn posting<'a>(ask: Ask<'a>, form: &'a Secret) -> Ask<'a> {
    let headers = vec![(header::CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned())];
    Ask { method: Method::POST, headers, body: Some(form.reveal().as_bytes()), ..ask }
}

fn refresh(token: &Secret, service: Option<&str>, scope: &str) -> Secret {
    let (service, scope) = (encode(service.unwrap_or_default()), encode(scope));
    let token = encode(token.reveal());
    Secret::new(format!(
        "grant_type=refresh_token&service={service}&client_id={CLIENT}&scope={scope}&refresh_token={token}"
    ))
}

/// What a token service says is never what the registry says: its 404 does not mean that an image is not there.
fn of_service(service: &str, problem: RegistryProblem) -> RegistryProblem {
    RegistryProblem::Token { service: service.to_owned(), problem: Box::new(problem) }
}

#[derive(Deserialize)]
#[serde(expecting = "an object")]
struct Grant {
    token: Option<String>,
    access_token: Option<String>,
    /// Seconds.
    expires_in: Option<u64>,
}

fn read(answer: &HttpAnswer) -> Result<BearerToken, RegistryProblem> {
    let grant: Grant = serde_json::from_slice(&answer.body)
        .map_err(|_| RegistryProblem::Malformed("its answer is not the JSON of a token".to_owned()))?;
    let token = grant.token.or(grant.access_token).filter(|it| !it.is_empty());
    let token = token.ok_or_else(|| RegistryProblem::Malformed("its answer holds no token".to_owned()))?;
    if !token.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(RegistryProblem::Malformed("its token has characters that no token has".to_owned()));
    }
    let life = grant
        .expires_in
        .map_or(SHORTEST_LIFE, Duration::from_secs)
        .clamp(Duration::from_secs(1), Duration::from_secs(86_400));
    // A tenth earlier, so that it does not end on its way.
    Ok(BearerToken { header: Secret::new(format!("Bearer {token}")), until: Instant::now() + life * 9 / 10 })
}
