//! The client of registries against servers that behave, that misbehave, and that are real.

pub(crate) mod server;
pub(crate) mod fake;
mod transfers;
mod referrers;
mod logins;
mod networks;
mod attacks;
mod secure;
pub(crate) mod real;
mod linked;

use std::fmt::Display;
use std::path::Path;
use std::time::Duration;

use oci_compat::image::{Reference, Repository};
use oci_compat::supply::registry::{Client, RegistryEnvironment, RegistryLimits, Settings};

/// Patience for tests: three quick tries.
pub(crate) fn limits() -> RegistryLimits {
    RegistryLimits {
        connect: Duration::from_secs(2),
        idle: Duration::from_secs(1),
        total: Duration::from_secs(5),
        tries: 3,
        first_pause: Duration::from_millis(2),
        longest_pause: Duration::from_secs(2),
    }
}

/// Plain HTTP, nothing of this machine's environment.
pub(crate) fn settings() -> Settings {
    Settings { plain_http: true, limits: limits(), ..Settings::default() }
}

/// An environment with these variables and an empty `/etc`.
pub(crate) fn environment(variables: &[(&str, &str)]) -> RegistryEnvironment {
    environment_below("/nonexistent".as_ref(), variables)
}

/// An environment with these variables and this folder as `/etc`.
pub(crate) fn environment_below(etc: &Path, variables: &[(&str, &str)]) -> RegistryEnvironment {
    let variables = variables.iter().map(|(name, value)| (name.into(), value.into()));
    let mut environment = RegistryEnvironment::new(variables, 0);
    environment.etc = Some(etc.to_owned());
    environment
}

pub(crate) fn client() -> Client {
    Client::new(settings()).expect("settings without files")
}

pub(crate) fn repository(text: &str) -> Repository {
    text.parse().expect("a repository")
}

pub(crate) fn image(text: &str) -> Reference {
    text.parse().expect("a reference")
}

/// Holds the whole message against the expected one, in which `HOST` stands for the server's address.
pub(crate) fn fails<T: std::fmt::Debug>(outcome: Result<T, impl Display>, host: &str, expected: &str) {
    match outcome {
        Ok(found) => panic!("expected {expected:?}, got {found:?}"),
        Err(err) if host.is_empty() => assert_eq!(err.to_string(), expected),
        Err(err) => assert_eq!(err.to_string().replace(host, "HOST"), expected),
    }
}
