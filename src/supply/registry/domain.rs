//! Whether two hosts belong to one owner, judged by their names: a registry's token service gets its users' passwords.

use std::net::IpAddr;

use super::url::UrlOrigin;

/// Second levels under which countries register names.
const SHARED: [&str; 9] = ["ac", "co", "com", "edu", "gov", "mil", "net", "ne", "org"];

/// Whether a host is of the registry's own domain: the same host, one below it, or one below the registry's own parent, such
/// as `auth.docker.io` for `registry-1.docker.io`. Nothing is below a top level.
pub(super) fn is_of(host: &UrlOrigin, registry: &UrlOrigin) -> bool {
    let (host, registry) = (name(host), name(registry));
    if host == registry {
        return true;
    }
    if is_address(host) || is_address(registry) {
        return false;
    }
    let is_below =
        |domain: &str| host == domain || host.strip_suffix(domain).is_some_and(|it| it.ends_with('.'));
    is_below(registry)
        || registry.split_once('.').is_some_and(|(_, parent)| is_owned(parent) && is_below(parent))
}

fn name(origin: &UrlOrigin) -> &str {
    origin.host.trim_end_matches('.')
}

fn is_address(host: &str) -> bool {
    host.trim_matches(['[', ']']).parse::<IpAddr>().is_ok()
}

/// Whether one owner has all below this domain: `docker.io`, not `io`, `co.uk` or `com.au`.
fn is_owned(domain: &str) -> bool {
    match domain.split('.').collect::<Vec<_>>().as_slice() {
        [] | [_] => false,
        [second, top] => !(top.len() == 2 && SHARED.contains(second)),
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::super::url::Url;
    use super::*;

    #[test]
    fn a_token_service_is_of_the_registrys_own_domain() {
        let origin = |host: &str| Url::parse(&format!("https://{host}/")).expect("an address").origin;
        let check = |host: &str, registry: &str, expected: bool| {
            assert_eq!(is_of(&origin(host), &origin(registry)), expected, "{host} of {registry}");
        };
        check("auth.docker.io", "registry-1.docker.io", true);
        check("quay.io", "quay.io", true);
        check("quay.io:8443", "quay.io", true);
        check("auth.quay.io", "quay.io", true);
        check("gitlab.acme.example", "registry.acme.example", true);
        check("acme.example", "registry.acme.example", true);
        check("login.acme.co.uk", "registry.acme.co.uk", true);
        check("127.0.0.1:2", "127.0.0.1:1", true);
        check("evil.example", "registry.acme.example", false);
        check("evil.io", "quay.io", false);
        check("evil.co.uk", "acme.co.uk", false);
        check("notdocker.io", "registry-1.docker.io", false);
        check("docker.io.evil.example", "registry-1.docker.io", false);
        check("10.0.0.2", "10.0.0.1", false);
        check("localhost", "registry.localhost", false);
    }
}
