//! Errors of libraries in our own words: what is wrong, where, and what to do.

use std::io::ErrorKind;
use std::time::Duration;

use rustls::{CertificateError, Error as TlsError};
use serde::Deserialize;
use ureq::Timeout;

use super::RegistryProblem;
use super::error::{RegistryMessage, quoted};
use super::reach::OutOfReach;
use super::settings::RegistryLimits;
use super::transport::{HttpAnswer, misdirected};
use super::url::{Scheme, Url};

/// How long to wait before the next try; `None` if another try would bring nothing else.
pub(super) fn wait(outcome: &Result<HttpAnswer, RegistryProblem>, pause: Duration) -> Option<Duration> {
    match outcome {
        Ok(answer) if matches!(answer.status, 429 | 500 | 502 | 503 | 504) => {
            Some(retry_after(answer).unwrap_or(pause))
        }
        Err(problem) if problem.is_passing() => Some(pause),
        Ok(_) | Err(_) => None,
    }
}

/// `Retry-After` in seconds (RFC 9110, section 10.2.3). Its other form, a date, would need our clock to be right.
fn retry_after(answer: &HttpAnswer) -> Option<Duration> {
    answer.header("retry-after")?.trim().parse().ok().map(Duration::from_secs)
}

/// What an answer means that says neither yes nor "log in".
pub(super) fn of_status(answer: &HttpAnswer) -> RegistryProblem {
    let said = said(&answer.body);
    match answer.status {
        404 => RegistryProblem::Absent { said },
        401 => RegistryProblem::Login { tried: None, said },
        403 => RegistryProblem::Denied { said },
        429 => RegistryProblem::Busy { wait: retry_after(answer), said },
        400 if answer.url.origin.scheme == Scheme::Http && said.0.contains("HTTPS server") => {
            RegistryProblem::Tls("it speaks TLS: leave out --plain-http".to_owned())
        }
        status @ 500..=599 => RegistryProblem::Broken { status, said },
        status => RegistryProblem::Refused { status, said },
    }
}

/// The registry's own words: of its JSON if it keeps to the distribution-spec ("Error Codes"), else the start of its text.
pub(super) fn said(body: &[u8]) -> RegistryMessage {
    #[derive(Deserialize)]
    struct Complaints {
        errors: Vec<Complaint>,
    }
    #[derive(Deserialize)]
    struct Complaint {
        #[serde(default)]
        code: String,
        #[serde(default)]
        message: String,
    }
    if let Ok(found) = serde_json::from_slice::<Complaints>(body) {
        let each = found.errors.iter().take(3).map(|it| match it.message.is_empty() {
            true => quoted(&it.code),
            false => quoted(&format!("{}: {}", it.code, it.message)),
        });
        return RegistryMessage(each.collect::<Vec<_>>().join(", "));
    }
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    // A page for a browser says nothing in its first lines.
    match text.is_empty() || text.starts_with('<') {
        true => RegistryMessage::default(),
        false => RegistryMessage(quoted(text)),
    }
}

/// What a failure to get any answer means.
#[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow, and most of it cannot happen here")]
pub(super) fn of(err: &ureq::Error, url: &Url, limits: &RegistryLimits) -> RegistryProblem {
    let host = format!("{}:{}", url.origin.host, url.origin.port);
    match err {
        ureq::Error::Timeout(timeout) => of_timeout(*timeout, limits),
        ureq::Error::HostNotFound => RegistryProblem::Unreachable(unknown_name(&url.origin.host)),
        ureq::Error::Rustls(err) => of_tls(err, url),
        ureq::Error::Io(err) => of_io(err, url, limits),
        ureq::Error::Other(err) => match err.downcast_ref::<OutOfReach>() {
            Some(OutOfReach(objection)) => misdirected(&url.to_string(), objection),
            None => RegistryProblem::Unreachable(format!("{host} cannot be reached")),
        },
        ureq::Error::ConnectProxyFailed(reason) => {
            RegistryProblem::Unreachable(format!("the proxy does not connect to {host} ({})", quoted(reason)))
        }
        ureq::Error::LargeResponseHeader(..) => {
            RegistryProblem::Malformed("the head of its answer is too large".to_owned())
        }
        ureq::Error::Protocol(_) | ureq::Error::Http(_) => not_http(url),
        _ => RegistryProblem::Unreachable(format!("{host} cannot be reached ({})", quoted(&err.to_string()))),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow; what is not named here is the whole")]
fn of_timeout(timeout: Timeout, limits: &RegistryLimits) -> RegistryProblem {
    match timeout {
        Timeout::Resolve => RegistryProblem::Slow { phase: "looking up its name", limit: limits.connect },
        Timeout::Connect => RegistryProblem::Slow { phase: "connecting to it", limit: limits.connect },
        Timeout::PerRead | Timeout::PerWrite => {
            RegistryProblem::Slow { phase: "its next word", limit: limits.idle }
        }
        _ => RegistryProblem::Slow { phase: "the whole request", limit: limits.total },
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enum may grow; these are what people meet")]
fn of_io(err: &std::io::Error, url: &Url, limits: &RegistryLimits) -> RegistryProblem {
    if let Some(inner) = err.get_ref() {
        if let Some(err) = inner.downcast_ref::<TlsError>() {
            return of_tls(err, url);
        }
        if let Some(err) = inner.downcast_ref::<ureq::Error>() {
            return of(err, url, limits);
        }
    }
    let host = format!("{}:{}", url.origin.host, url.origin.port);
    RegistryProblem::Unreachable(match err.kind() {
        ErrorKind::ConnectionRefused => {
            format!("nothing listens at {host}: check its name, and that it runs")
        }
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => {
            format!("{host} broke the connection off")
        }
        ErrorKind::NetworkUnreachable | ErrorKind::HostUnreachable => format!("no route leads to {host}"),
        // The standard library has no kind for a name that was not found, and no number for it either.
        ErrorKind::NotFound => unknown_name(&url.origin.host),
        _ if err.raw_os_error().is_none() && err.to_string().contains("lookup address") => {
            unknown_name(&url.origin.host)
        }
        kind => format!("{host} cannot be reached ({kind:?})"),
    })
}

fn unknown_name(host: &str) -> String {
    format!("the name {} cannot be looked up: check it, and the DNS of this machine", quoted(host))
}

fn not_http(url: &Url) -> RegistryProblem {
    match url.origin.scheme {
        Scheme::Http => RegistryProblem::Malformed(
            "what it answers is not HTTP: if it speaks TLS, leave out --plain-http".to_owned(),
        ),
        Scheme::Https => RegistryProblem::Malformed("what it answers is not HTTP".to_owned()),
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the enums may grow; these are what people meet")]
fn of_tls(err: &TlsError, url: &Url) -> RegistryProblem {
    let host = &url.origin.host;
    let port = url.origin.port;
    RegistryProblem::Tls(match err {
        TlsError::InvalidCertificate(reason) => match reason {
            CertificateError::UnknownIssuer => format!(
                "nobody whom this machine trusts has signed its certificate: put the authority's certificate into \
                 /etc/docker/certs.d/{host}:{port}/ca.crt, or name it with --ca-file"
            ),
            CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
                "its certificate has expired: have it renewed, or set this machine's clock".to_owned()
            }
            CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
                "its certificate is not valid yet: set this machine's clock".to_owned()
            }
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                format!(
                    "its certificate is for another host than {}: name the registry as its certificate does",
                    quoted(host)
                )
            }
            other => format!("its certificate is not accepted ({})", quoted(&other.to_string())),
        },
        TlsError::InvalidMessage(_) => {
            "it does not speak TLS: if it is meant to speak plain HTTP, say --plain-http".to_owned()
        }
        TlsError::AlertReceived(alert) => format!("it breaks off the TLS handshake ({alert:?})"),
        other => format!("the TLS handshake failed ({})", quoted(&other.to_string())),
    })
}
