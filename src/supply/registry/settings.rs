//! Settings for the access to registries, from the command line, the environment and the administrator. Only data: the
//! program's entry point reads the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Secret;
use super::credentials::With;

/// The settings of a [`super::Client`].
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Speak HTTP without TLS to the registries that images name (`--plain-http`).
    pub plain_http: bool,
    /// The one file with credentials, instead of all the usual places (`--authfile`).
    pub auth_file: Option<PathBuf>,
    /// A login that was given for this call, which goes before those in files (`--username`, `--token-stdin`).
    pub login: Option<GivenLogin>,
    /// What else counts like registries.conf, and after it: [`super::hosts::rewrites`] makes it of containerd's files.
    pub rewrites: Option<String>,
    /// More certificates of authorities to trust, in PEM, for every registry (`--ca-file`).
    pub ca_files: Vec<PathBuf>,
    /// Hosts that may have the credentials of registries of other domains that name them as their token services
    /// (`--token-service`).
    pub token_services: Vec<String>,
    /// What the environment says.
    pub environment: RegistryEnvironment,
    /// How long we wait and how often we try.
    pub limits: RegistryLimits,
}

/// A login for one registry, as the command line gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenLogin {
    /// The registry as images name it, such as `quay.io`. No mirror and no other registry gets this login.
    pub registry: String,
    /// The credentials.
    pub(super) with: With,
}

impl GivenLogin {
    /// A user's name and password.
    pub fn password(registry: &str, user: &str, password: Secret) -> Self {
        Self { registry: registry.to_owned(), with: With::Password { user: user.to_owned(), password } }
    }

    /// A bearer token that the registry takes as it is.
    pub fn token(registry: &str, token: Secret) -> Self {
        Self { registry: registry.to_owned(), with: With::Token(token) }
    }
}

/// The variables that say something about registries, and the folders in which files do.
#[derive(Clone, Default)]
pub struct RegistryEnvironment {
    variables: Vec<(OsString, OsString)>,
    /// Where the administrator's files are, `/etc`.
    pub etc: Option<PathBuf>,
    uid: u32,
}

/// How long we wait and how often we try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryLimits {
    /// For a connection, its TLS handshake included.
    pub connect: Duration,
    /// For the next bytes of an answer.
    pub idle: Duration,
    /// For one whole request, its answer, and everything that it takes in between.
    pub total: Duration,
    /// How often a request is sent where trouble looks passing.
    pub tries: u32,
    /// How long we wait before the second try; each further wait is twice as long.
    pub first_pause: Duration,
    /// The longest single wait, whatever `Retry-After` says.
    pub longest_pause: Duration,
}

impl Default for RegistryLimits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            idle: Duration::from_secs(30),
            total: Duration::from_secs(300),
            tries: 4,
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(60),
        }
    }
}

impl RegistryEnvironment {
    /// The environment of a process and the user who runs it. `/etc` is where files of the administrator are.
    pub fn new(variables: impl IntoIterator<Item = (OsString, OsString)>, uid: u32) -> Self {
        Self { variables: variables.into_iter().collect(), etc: Some(PathBuf::from("/etc")), uid }
    }

    /// A variable that is there and not empty.
    pub(super) fn variable(&self, name: &str) -> Option<&OsString> {
        let found = self.variables.iter().find(|(key, _)| key == name);
        found.map(|(_, value)| value).filter(|it| !it.is_empty())
    }

    /// A variable that holds a path.
    pub(super) fn path(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from)
    }

    /// A variable that may hold a password.
    pub(super) fn secret(&self, name: &str) -> Option<Secret> {
        Some(Secret::new(self.variable(name)?.to_str()?))
    }

    /// Where the administrator's files are; `None` if they do not count.
    pub(super) fn etc(&self) -> Option<&Path> {
        self.etc.as_deref()
    }

    pub(super) fn uid(&self) -> u32 {
        self.uid
    }
}

/// Names only: `HTTPS_PROXY` may hold a password.
impl std::fmt::Debug for RegistryEnvironment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<_> = self.variables.iter().map(|(name, _)| name).collect();
        f.debug_struct("Environment")
            .field("variables", &names)
            .field("etc", &self.etc)
            .finish_non_exhaustive()
    }
}
