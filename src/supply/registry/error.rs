//! Errors between this program and a registry: the registry, the request, the answer, the remedy. Text of a registry is quoted,
//! escaped and cut; no message ever holds a secret.

use std::fmt;
use std::time::Duration;

use crate::image::Repository;
use crate::store::Digest;
use crate::words::text::cut;

/// A request that failed. `Display` is the whole message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RegistryError(Box<Failure>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Failure {
    registry: String,
    doing: String,
    problem: RegistryProblem,
}

/// Why it failed. What a variant means never changes; none of them says that something does not exist, but
/// [`RegistryProblem::Absent`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RegistryProblem {
    /// The registry says that it does not have this (404).
    Absent {
        /// What it added.
        said: RegistryMessage,
    },
    /// It requires a login, or other credentials than those it got (401).
    Login {
        /// Where the credentials came from that it did not take; `None` if there were none.
        tried: Option<String>,
        /// What it added.
        said: RegistryMessage,
    },
    /// The service that issues its tokens failed. The answer to the request is unknown.
    Token {
        /// Its address.
        service: String,
        /// How it failed.
        problem: Box<RegistryProblem>,
    },
    /// The login is valid but not allowed this (403).
    Denied {
        /// What it added.
        said: RegistryMessage,
    },
    /// It wants us to wait longer than we do (429).
    Busy {
        /// How long it wants us to wait, if it says so.
        wait: Option<Duration>,
        /// What it added.
        said: RegistryMessage,
    },
    /// It failed (5xx), again and again.
    Broken {
        /// The HTTP status.
        status: u16,
        /// What it added.
        said: RegistryMessage,
    },
    /// It cannot do this (405, or a status that this request never has).
    Refused {
        /// The HTTP status.
        status: u16,
        /// What it added.
        said: RegistryMessage,
    },
    /// No connection came about, or it broke, again and again.
    Unreachable(String),
    /// Its certificate was not accepted, or what answers there does not speak TLS.
    Tls(String),
    /// It was too slow.
    Slow {
        /// What took too long.
        phase: &'static str,
        /// How long we waited.
        limit: Duration,
    },
    /// It sent us to a place where we do not go.
    Misdirected {
        /// The place.
        to: String,
        /// Why not.
        why: String,
    },
    /// The answer is larger than we read, or larger than was announced.
    TooLarge {
        /// The most that was expected, in bytes.
        limit: u64,
    },
    /// The answer is shorter than was announced.
    TooSmall {
        /// What was announced, in bytes.
        expected: u64,
        /// What came, in bytes.
        found: u64,
    },
    /// The bytes are others than those that were asked for.
    OtherDigest {
        /// What was asked for.
        expected: Digest,
        /// What came.
        found: Digest,
    },
    /// The registry calls it one thing, and it calls itself another.
    OtherType {
        /// The `Content-Type`, or the media type of the descriptor.
        announced: String,
        /// `mediaType` of the document, or of the header where a descriptor announced it.
        found: String,
    },
    /// There are more than we take.
    TooMany {
        /// More of what.
        what: &'static str,
        /// How many we take.
        limit: usize,
    },
    /// The answer is not what the distribution-spec says.
    Malformed(String),
    /// Somebody else keeps changing what we try to change.
    Contended {
        /// How often we tried.
        tries: u32,
    },
    /// The administrator does not allow this registry (`blocked` in registries.conf).
    Blocked,
    /// A file or a variable that says how to reach registries is wrong: the whole sentence.
    Settings(String),
}

/// What a registry added to a status: its own words, ready to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RegistryMessage(pub(super) String);

impl RegistryError {
    pub(super) fn new(registry: &str, doing: impl Into<String>, problem: RegistryProblem) -> Self {
        Self(Box::new(Failure { registry: registry.to_owned(), doing: doing.into(), problem }))
    }

    /// Of what is wrong before any registry is asked.
    pub(super) fn of_settings(problem: RegistryProblem) -> Self {
        Self::new("", "", problem)
    }

    pub(super) fn at(repository: &Repository, doing: impl Into<String>, problem: RegistryProblem) -> Self {
        Self::new(repository.registry(), doing, problem)
    }

    /// Why it failed.
    pub fn problem(&self) -> &RegistryProblem {
        &self.0.problem
    }

    /// The registry that was asked, as the image names it.
    pub fn registry(&self) -> &str {
        &self.0.registry
    }

    /// Whether the registry answered that it does not have this. Everything else is "don't know".
    pub fn is_absent(&self) -> bool {
        matches!(self.0.problem, RegistryProblem::Absent { .. })
    }

    /// Whether it may work later without any change.
    pub fn is_passing(&self) -> bool {
        self.0.problem.is_passing()
    }
}

impl RegistryProblem {
    pub(super) fn is_passing(&self) -> bool {
        if let Self::Token { problem, .. } = self {
            return problem.is_passing();
        }
        matches!(
            self,
            Self::Busy { .. }
                | Self::Broken { .. }
                | Self::Unreachable(_)
                | Self::Slow { .. }
                | Self::Contended { .. }
        )
    }
}

impl fmt::Display for RegistryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.0.registry.is_empty() {
            write!(f, "registry {}: {}: ", self.0.registry, self.0.doing)?;
        }
        self.0.problem.fmt(f)
    }
}

impl fmt::Display for RegistryProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent { said } => write!(f, "it is not there{said}"),
            Self::Login { tried: None, said } => write!(
                f,
                "it wants a login{said}: log in with docker login or podman login, or name a file with --authfile"
            ),
            Self::Login { tried: Some(from), said } => {
                write!(f, "it does not take the credentials from {from}{said}: log in to it again")
            }
            Self::Token { service, problem } => write!(f, "asking {service} for a token: {problem}"),
            Self::Denied { said } => {
                write!(f, "it is not allowed{said}: have whoever owns the repository grant it")
            }
            Self::Busy { wait, said } => busy(f, *wait, said),
            Self::Broken { status, said } => {
                write!(f, "it failed with status {status}{said}: try again later")
            }
            Self::Refused { status, said } => write!(f, "it answered with status {status}{said}"),
            Self::Unreachable(what) | Self::Tls(what) | Self::Malformed(what) | Self::Settings(what) => {
                f.write_str(what)
            }
            Self::Slow { phase, limit } => {
                write!(f, "{phase} took longer than {} s: try again later", limit.as_secs_f32())
            }
            Self::Misdirected { to, why } => write!(f, "it sends us to {to}, which {why}"),
            Self::TooLarge { limit } => {
                write!(f, "it is larger than {limit} bytes, the most that was expected")
            }
            Self::TooSmall { expected, found } => {
                write!(f, "it has {found} bytes, {expected} were announced")
            }
            Self::OtherDigest { expected, found } => {
                write!(f, "what came has the digest {found}, expected {expected}")
            }
            Self::OtherType { announced, found } => {
                write!(f, "it was announced as {}, and is {}", quoted(announced), quoted(found))
            }
            Self::TooMany { what, limit } => {
                write!(f, "there are more {what} than {limit}, which is the most we take")
            }
            Self::Contended { tries } => {
                write!(f, "somebody else changed it at the same time, {tries} times in a row: try again")
            }
            Self::Blocked => f.write_str("registries.conf blocks it"),
        }
    }
}

fn busy(f: &mut fmt::Formatter<'_>, wait: Option<Duration>, said: &RegistryMessage) -> fmt::Result {
    write!(f, "it has had too many requests{said}")?;
    match wait {
        Some(wait) => write!(f, ": try again in {} s", wait.as_secs()),
        None => f.write_str(": try again later"),
    }
}

impl fmt::Display for RegistryMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.is_empty() {
            true => Ok(()),
            false => write!(f, " ({})", self.0),
        }
    }
}

impl std::error::Error for RegistryError {}

/// A stranger's text between quotation marks: short, and harmless on a terminal.
pub(super) fn quoted(text: &str) -> String {
    format!("{:?}", cut(text, 200))
}
