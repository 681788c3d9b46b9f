//! How we prove who we are: answers to the challenge of a 401, and tokens that are good for a while (distribution's "Token
//! Authentication Specification" and "OAuth2"). Credentials go to the registry and to the token service that it names,
//! tokens to the registry alone.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use ureq::http::{Method, header};

use super::challenge::{self, Bearer, Challenge};
use super::credentials::{Credentials, With};
use super::endpoint::{Access, Endpoint};
use super::error::Said;
use super::reach::Reach;
use super::transport::{Answer, Ask, Transport, step};
use super::url::{Origin, Url, encode};
use super::{Problem, Secret, Settings, trouble};

/// No answer of a token service is larger, in bytes.
const MAX_TOKEN: u64 = 256 << 10;
/// How long a token is good for if nobody says so (Token Authentication Specification).
const SHORTEST_LIFE: Duration = Duration::from_secs(60);
const CLIENT: &str = "oci-compat";

/// Credentials, and what they were exchanged for.
#[derive(Debug)]
pub(super) struct Auth {
    credentials: Credentials,
    /// What each registry wanted when it was last asked without.
    known: Mutex<HashMap<Origin, Challenge>>,
    tokens: Mutex<HashMap<(Origin, String), Token>>,
}

#[derive(Debug, Clone)]
struct Token {
    header: Secret,
    until: Instant,
}

/// A header, and where the credentials in it came from, if there are any.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) header: Secret,
    pub(super) from: Option<String>,
}

impl Auth {
    pub(super) fn new(settings: &Settings) -> Result<Self, Problem> {
        Ok(Self {
            credentials: Credentials::read(settings)?,
            known: Mutex::default(),
            tokens: Mutex::default(),
        })
    }

    /// What to send along with a first try: what this registry wanted before.
    pub(super) fn ready(
        &self,
        transport: &Transport,
        endpoint: &Endpoint,
        access: Access,
    ) -> Result<Option<Proof>, Problem> {
        let known =
            self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&endpoint.url.origin).cloned();
        match known {
            None => Ok(None),
            Some(challenge) => self.meet(transport, endpoint, access, &challenge).map(Some),
        }
    }

    /// What to send after a 401: nothing that was kept is used again.
    pub(super) fn renew(
        &self,
        transport: &Transport,
        endpoint: &Endpoint,
        access: Access,
        answer: &Answer,
    ) -> Result<Proof, Problem> {
        let asked = scope(endpoint, access);
        let Some(challenge) = challenge::of(answer, &asked) else {
            return Err(trouble::of_status(answer));
        };
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&(endpoint.url.origin.clone(), asked));
        let proof = self.meet(transport, endpoint, access, &challenge)?;
        self.known
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(endpoint.url.origin.clone(), challenge);
        Ok(proof)
    }

    fn meet(
        &self,
        transport: &Transport,
        endpoint: &Endpoint,
        access: Access,
        challenge: &Challenge,
    ) -> Result<Proof, Problem> {
        let login = self.credentials.find(&endpoint.registry, &endpoint.path)?;
        let from = login.as_ref().map(|it| it.from.clone());
        let header = match (challenge, login.map(|it| it.with)) {
            (_, Some(With::Token(token))) => Secret::new(format!("Bearer {}", token.reveal())),
            (Challenge::Basic, Some(With::Password { user, password })) => basic(&user, &password),
            (Challenge::Basic, _) => return Err(Problem::Login { tried: from, said: Said::default() }),
            (Challenge::Bearer(bearer), with) => {
                return self.token(transport, endpoint, access, bearer, with, from);
            }
        };
        Ok(Proof { header, from })
    }

    fn token(
        &self,
        transport: &Transport,
        endpoint: &Endpoint,
        access: Access,
        bearer: &Bearer,
        with: Option<With>,
        from: Option<String>,
    ) -> Result<Proof, Problem> {
        let asked = scope(endpoint, access);
        let key = (endpoint.url.origin.clone(), asked.clone());
        let kept = self.tokens.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(token) = kept.filter(|it| Instant::now() < it.until) {
            return Ok(Proof { header: token.header, from });
        }
        let scope = bearer.scope.clone().unwrap_or(asked);
        let token = fetch(transport, endpoint, bearer, &scope, with.as_ref(), from.as_deref())?;
        self.tokens.lock().unwrap_or_else(PoisonError::into_inner).insert(key, token.clone());
        Ok(Proof { header: token.header, from })
    }
}

fn scope(endpoint: &Endpoint, access: Access) -> String {
    format!("repository:{}:{}", endpoint.path, access.actions())
}

fn basic(user: &str, password: &Secret) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.reveal()))))
}

fn fetch(
    transport: &Transport,
    endpoint: &Endpoint,
    bearer: &Bearer,
    scope: &str,
    with: Option<&With>,
    from: Option<&str>,
) -> Result<Token, Problem> {
    let realm =
        Url::parse(&bearer.realm).map_err(|why| super::transport::misdirected(&bearer.realm, &why))?;
    let reach = step(&endpoint.url, &realm, Reach::Any, &endpoint.url.origin)?;
    let service = bearer.service.as_deref();
    let form = match with {
        Some(With::Identity(token)) => Some(refresh(token, service, scope)),
        _ => None,
    };
    let mut ask = Ask {
        method: Method::POST,
        url: realm,
        headers: Vec::new(),
        authorization: None,
        body: None,
        limit: MAX_TOKEN,
        reach,
        registry: &endpoint.url.origin,
    };
    match &form {
        Some(form) => {
            ask.headers.push((header::CONTENT_TYPE, "application/x-www-form-urlencoded".to_owned()));
            ask.body = Some(form.reveal().as_bytes());
        }
        None => {
            ask.method = Method::GET;
            ask.url = service.map_or_else(|| ask.url.clone(), |it| ask.url.with_parameter("service", it));
            ask.url = ask.url.with_parameter("scope", scope);
            if let Some(With::Password { user, password }) = with {
                ask.authorization = Some(basic(user, password));
            }
        }
    }
    let service = ask.url.origin.to_string();
    let answer = transport.exchange(&ask).map_err(|it| of_service(&service, it))?;
    match answer.status {
        200..=299 => read(&answer).map_err(|it| of_service(&service, it)),
        401 => Err(Problem::Login { tried: from.map(str::to_owned), said: trouble::said(&answer.body) }),
        _ => Err(of_service(&service, trouble::of_status(&answer))),
    }
}

fn refresh(token: &Secret, service: Option<&str>, scope: &str) -> Secret {
    let (service, scope) = (encode(service.unwrap_or_default()), encode(scope));
    let token = encode(token.reveal());
    Secret::new(format!(
        "grant_type=refresh_token&service={service}&client_id={CLIENT}&scope={scope}&refresh_token={token}"
    ))
}

/// What a token service says is never what the registry says: its 404 does not mean that an image is not there.
fn of_service(service: &str, problem: Problem) -> Problem {
    Problem::Token { service: service.to_owned(), problem: Box::new(problem) }
}

#[derive(Deserialize)]
struct Grant {
    token: Option<String>,
    access_token: Option<String>,
    /// Seconds.
    expires_in: Option<u64>,
}

fn read(answer: &Answer) -> Result<Token, Problem> {
    let grant: Grant = serde_json::from_slice(&answer.body)
        .map_err(|_| Problem::Malformed("its answer is not the JSON of a token".to_owned()))?;
    let token = grant.token.or(grant.access_token).filter(|it| !it.is_empty());
    let token = token.ok_or_else(|| Problem::Malformed("its answer holds no token".to_owned()))?;
    if !token.bytes().all(|it| it.is_ascii_graphic()) {
        return Err(Problem::Malformed("its token has characters that no token has".to_owned()));
    }
    let life = grant
        .expires_in
        .map_or(SHORTEST_LIFE, Duration::from_secs)
        .clamp(Duration::from_secs(1), Duration::from_secs(86_400));
    // A tenth earlier, so that it does not end on its way.
    Ok(Token { header: Secret::new(format!("Bearer {token}")), until: Instant::now() + life * 9 / 10 })
}
