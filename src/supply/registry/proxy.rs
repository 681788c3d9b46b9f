//! The proxy of a request, from the environment: `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`, in upper or lower
//! case, with Go's rules, which container engines follow.

use std::net::IpAddr;

use super::settings::RegistryEnvironment;
use super::url::{Scheme, UrlOrigin};
use super::{RegistryProblem, Secret};

/// The proxies of an environment.
#[derive(Debug, Clone, Default)]
pub(super) struct Proxies {
    http: Option<Secret>,
    https: Option<Secret>,
    exceptions: Vec<String>,
}

impl Proxies {
    pub(super) fn of(environment: &RegistryEnvironment) -> Self {
        let either =
            |name: &str| environment.secret(name).or_else(|| environment.secret(&name.to_lowercase()));
        let all = either("ALL_PROXY");
        let exceptions = either("NO_PROXY").map(|it| list(it.reveal())).unwrap_or_default();
        Self {
            http: either("HTTP_PROXY").or_else(|| all.clone()),
            https: either("HTTPS_PROXY").or(all),
            exceptions,
        }
    }

    /// The proxy for this origin; `None` for a direct connection.
    pub(super) fn choose(&self, origin: &UrlOrigin) -> Result<Option<ureq::Proxy>, RegistryProblem> {
        let chosen = match origin.scheme {
            Scheme::Http => &self.http,
            Scheme::Https => &self.https,
        };
        let Some(proxy) = chosen else { return Ok(None) };
        if self.is_exception(origin) {
            return Ok(None);
        }
        ureq::Proxy::new(proxy.reveal()).map(Some).map_err(|_| unusable(origin))
    }

    fn is_exception(&self, origin: &UrlOrigin) -> bool {
        let host = origin.host.trim_matches(['[', ']']);
        let address = host.parse::<IpAddr>().ok();
        // Go never sends its own machine through a proxy.
        if host == "localhost" || address.is_some_and(|it| it.is_loopback()) {
            return true;
        }
        self.exceptions.iter().any(|it| matches(it, host, address, origin.port))
    }
}

fn unusable(origin: &UrlOrigin) -> RegistryProblem {
    let name = match origin.scheme {
        Scheme::Http => "HTTP_PROXY",
        Scheme::Https => "HTTPS_PROXY",
    };
    // The value may hold a password.
    RegistryProblem::Settings(format!(
        "{name} (or ALL_PROXY) holds no proxy that can be used: write it as http://HOST:PORT"
    ))
}

fn list(text: &str) -> Vec<String> {
    text.split(',').map(|it| it.trim().to_ascii_lowercase()).filter(|it| !it.is_empty()).collect()
}

/// An exception is `*`, a domain with all below it, `.domain` for what is below it, an address, or a block of addresses;
/// any but the last may end in a port.
fn matches(exception: &str, host: &str, address: Option<IpAddr>, port: u16) -> bool {
    if exception == "*" {
        return true;
    }
    if let Some((network, bits)) = exception.split_once('/') {
        let (Ok(network), Ok(bits)) = (network.parse(), bits.parse()) else { return false };
        return address.is_some_and(|it| is_within(it, network, bits));
    }
    let (name, of_port) = split_port(exception);
    if of_port.is_some_and(|it| it != port) {
        return false;
    }
    if let (Ok(known), Some(address)) = (name.trim_matches(['[', ']']).parse::<IpAddr>(), address) {
        return known == address;
    }
    let name = name.strip_prefix('*').unwrap_or(name);
    match name.strip_prefix('.') {
        Some(domain) => host.strip_suffix(domain).is_some_and(|it| it.ends_with('.')),
        None => host == name || host.strip_suffix(name).is_some_and(|it| it.ends_with('.')),
    }
}

fn split_port(text: &str) -> (&str, Option<u16>) {
    match text.rsplit_once(':') {
        Some((name, port)) if !name.contains(':') || name.ends_with(']') => match port.parse() {
            Ok(port) => (name, Some(port)),
            Err(_) => (text, None),
        },
        _ => (text, None),
    }
}

fn is_within(address: IpAddr, network: IpAddr, bits: u32) -> bool {
    let number = |it: IpAddr| match it {
        IpAddr::V4(it) => (u128::from(it.to_bits()), 32),
        IpAddr::V6(it) => (it.to_bits(), 128),
    };
    let ((address, width), (network, of)) = (number(address), number(network));
    width == of && bits <= width && (address ^ network).checked_shr(width - bits).unwrap_or(0) == 0
}

#[cfg(test)]
mod tests {
    use super::super::url::Url;
    use super::*;

    fn proxies(variables: &[(&str, &str)]) -> Proxies {
        Proxies::of(&RegistryEnvironment::new(
            variables.iter().map(|(name, value)| (name.into(), value.into())),
            0,
        ))
    }

    fn check(variables: &[(&str, &str)], url: &str, expected: Option<&str>) {
        let origin = Url::parse(url).expect("an address").origin;
        let found = proxies(variables).choose(&origin).expect("a proxy that can be used");
        assert_eq!(found.map(|it| it.host().to_owned()).as_deref(), expected, "{variables:?} {url}");
    }

    #[test]
    fn the_scheme_of_the_registry_decides_which_proxy_is_taken() {
        let both = [("HTTPS_PROXY", "http://secure:1"), ("http_proxy", "http://plain:1")];
        check(&both, "https://quay.io/", Some("secure"));
        check(&both, "http://quay.io/", Some("plain"));
        check(&[("ALL_PROXY", "http://all:1")], "https://quay.io/", Some("all"));
        check(&[("HTTPS_PROXY", "")], "https://quay.io/", None);
        check(&[], "https://quay.io/", None);
    }

    #[test]
    fn exceptions_are_reached_directly() {
        let through = |exception| [("HTTPS_PROXY", "http://p:1"), ("NO_PROXY", exception)];
        for exception in ["*", "quay.io", " .quay.io, x", "*.quay.io", "cdn.quay.io:443", "io"] {
            check(&through(exception), "https://cdn.quay.io/", None);
        }
        for exception in ["ay.io", "cdn.quay.io:5000", ".cdn.quay.io", "10.0.0.0/8"] {
            check(&through(exception), "https://cdn.quay.io/", Some("p"));
        }
        check(&through("10.0.0.0/8"), "https://10.1.2.3/", None);
        check(&through("10.0.0.0/8"), "https://11.1.2.3/", Some("p"));
        check(&through("0.0.0.0/0"), "https://11.1.2.3/", None);
        check(&through("fd00::/8"), "https://[fd00::1]:5000/", None);
        check(&through("[fd00::1]:5000"), "https://[fd00::1]:5000/", None);
        check(&through("fd00::1"), "https://[fd00::1]/", None);
    }

    #[test]
    fn this_machine_is_reached_directly() {
        let proxy = [("ALL_PROXY", "http://p:1")];
        for url in ["http://localhost:5000/", "http://127.0.0.1:5000/", "http://[::1]:5000/"] {
            check(&proxy, url, None);
        }
    }

    #[test]
    fn a_proxy_that_cannot_be_used_is_an_error_without_its_password() {
        let origin = Url::parse("https://quay.io/").expect("an address").origin;
        let err = proxies(&[("HTTPS_PROXY", "gopher://u:hunter2@p")]).choose(&origin).expect_err("no proxy");
        assert_eq!(
            err.to_string(),
            "HTTPS_PROXY (or ALL_PROXY) holds no proxy that can be used: \
             write it as http://HOST:PORT"
        );
    }
}
