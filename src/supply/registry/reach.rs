//! Where a registry may redirect us: not to this machine and not to the services that clouds provide to the machine only,
//! unless the registry itself is on this machine. Hosts that the administrator named are always reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

use super::url::UrlOrigin;

/// Services of clouds for the machine itself, at addresses that are not link-local: Azure's, Alibaba's, Amazon's.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// To which addresses a host may resolve.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum AllowedAddresses {
    /// To any: a person or the administrator named it.
    Any,
    /// A registry on this machine named it.
    FromHere,
    /// A registry elsewhere named it.
    FromElsewhere,
}

impl AllowedAddresses {
    /// How far a place may be that this registry names. Its own name is not looked up: behind a proxy that may take long and
    /// tell nothing.
    pub(super) fn from(registry: &UrlOrigin) -> Self {
        let bare = registry.host.trim_matches(['[', ']']);
        let here = match bare.parse::<IpAddr>() {
            Ok(address) => address.to_canonical().is_loopback(),
            Err(_) => is_local_name(bare),
        };
        if here { Self::FromHere } else { Self::FromElsewhere }
    }

    /// What speaks against a host as it is written, as the rest of a sentence; its address is looked at when it is known.
    pub(super) fn objection(self, host: &str) -> Option<&'static str> {
        let bare = host.trim_matches(['[', ']']);
        match bare.parse::<IpAddr>() {
            Ok(address) => self.objection_to(address),
            Err(_) if self == Self::FromElsewhere && is_local_name(bare) => Some(LOOPBACK),
            Err(_) => None,
        }
    }

    fn objection_to(self, address: IpAddr) -> Option<&'static str> {
        let address = address.to_canonical();
        let link_local = match address {
            IpAddr::V4(it) => it.is_link_local(),
            IpAddr::V6(it) => it.is_unicast_link_local(),
        };
        match self {
            Self::Any => None,
            _ if link_local || METADATA.contains(&address) => {
                Some("is where clouds keep secrets of this machine: no registry has anything there")
            }
            Self::FromElsewhere if address.is_loopback() || address.is_unspecified() => Some(LOOPBACK),
            Self::FromHere | Self::FromElsewhere => None,
        }
    }
}

const LOOPBACK: &str = "is this machine itself: a registry elsewhere has nothing there";

fn is_local_name(host: &str) -> bool {
    let host = host.trim_end_matches('.');
    host == "localhost" || host.ends_with(".localhost")
}

/// Looks names up as the standard library does, and gives no address that is out of reach.
#[derive(Debug)]
pub(super) struct Bounded(pub(super) AllowedAddresses);

/// An address that is out of reach.
#[derive(Debug)]
pub(super) struct OutOfReach(pub(super) &'static str);

impl std::fmt::Display for OutOfReach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for OutOfReach {}

impl Resolver for Bounded {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = DefaultResolver::default().resolve(uri, config, timeout)?;
        match found.iter().find_map(|it| self.0.objection_to(it.ip())) {
            None => Ok(found),
            Some(objection) => Err(ureq::Error::Other(Box::new(OutOfReach(objection)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(reach: AllowedAddresses, hosts: &[&str], refused: bool) {
        for host in hosts {
            assert_eq!(reach.objection(host).is_some(), refused, "{host} {reach:?}");
        }
    }

    const HERE: [&str; 6] =
        ["127.0.0.1", "127.8.8.8", "[::1]", "localhost", "a.localhost", "[::ffff:127.0.0.1]"];
    const SECRETS: [&str; 5] =
        ["169.254.169.254", "[fe80::1]", "168.63.129.16", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"];
    const FINE: [&str; 4] = ["10.0.0.1", "192.0.2.1", "quay.io", "[2001:db8::1]"];

    #[test]
    fn a_registry_elsewhere_may_not_send_us_to_this_machine() {
        check(AllowedAddresses::FromElsewhere, &HERE, true);
        check(AllowedAddresses::FromElsewhere, &["0.0.0.0", "[::]"], true);
        check(AllowedAddresses::FromElsewhere, &SECRETS, true);
        check(AllowedAddresses::FromElsewhere, &FINE, false);
    }

    #[test]
    fn a_registry_is_here_if_its_name_says_so() {
        let check = |url: &str, expected: AllowedAddresses| {
            let origin = super::super::url::Url::parse(url).expect("an address").origin;
            assert_eq!(AllowedAddresses::from(&origin), expected, "{url}");
        };
        for url in ["http://localhost:5000", "http://127.0.0.2", "http://[::1]:5000", "https://a.localhost"] {
            check(url, AllowedAddresses::FromHere);
        }
        for url in ["https://quay.io", "https://localhost.example", "http://10.0.0.1", "http://[2001:db8::1]"]
        {
            check(url, AllowedAddresses::FromElsewhere);
        }
    }

    #[test]
    fn a_registry_on_this_machine_may() {
        check(AllowedAddresses::FromHere, &HERE, false);
        check(AllowedAddresses::FromHere, &SECRETS, true);
        check(AllowedAddresses::FromHere, &FINE, false);
    }

    #[test]
    fn what_a_person_named_is_always_reached() {
        for hosts in [&HERE[..], &SECRETS, &FINE] {
            check(AllowedAddresses::Any, hosts, false);
        }
    }
}
