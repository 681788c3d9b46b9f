//! `system.name`: what the host is called.

use crate::host::namespace::Namespace;
use crate::host::probing::HOSTNAME;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.name",
    kinds: &[ElementKind::Attributes],
    meaning: "the host's name, which Kubernetes uses for its node by default",
    read: "/proc/sys/kernel/hostname; if that is missing, or is a container's (as with `--root /host` in one), \
        /etc/hostname",
    nfd: true,
    elements: Some(&["nodename"]),
    absent: "the host has no name",
    since: "always",
    example: "feature: system.name\n  matchExpressions:\n    nodename: {op: InRegexp, value: [\"^gpu-\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// The name that the kernel gets when the host starts (hostname(5)); exists even without `/proc`.
const CONFIGURED: &str = "/etc/hostname";

/// NFD has the name from `NODE_NAME` in its own environment, which its pod sets; a hook has no such thing.
fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match first(probing) {
        Ok((text, place)) => parse(&text, place),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn first(probing: &Probing<'_>) -> Result<(String, &'static str), Unknown> {
    let own = probing.shows_host(HOSTNAME, Namespace::Uts);
    let places: &[&'static str] = if own.is_ok() { &[HOSTNAME, CONFIGURED] } else { &[CONFIGURED] };
    for place in places.iter().copied() {
        match probing.root.read_text(place) {
            Ok(text) => return Ok((text, place)),
            Err(Miss::NotFound) => {}
            Err(Miss::Unreadable(unknown)) => return Err(unknown),
        }
    }
    own.and(Err(Unknown::new(HOSTNAME, format!("is not there, and nor is {CONFIGURED}"))))
}

fn parse(text: &str, place: &str) -> Fact {
    match text.trim() {
        // The kernel's own word for a name that was not set (`UTS_NODENAME` in `include/linux/uts.h`).
        "" | "(none)" => Fact::Unknown(Unknown::new(place, "holds no name")),
        name => Fact::Known(Feature::attributes([("nodename", name)]), place.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{show, told};
    use crate::testing::FakeHost;

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn the_kernel_s_word_comes_before_the_configured_one() {
        let configured = FakeHost::new().file(CONFIGURED, "node-1\n");
        check(configured, r#"known (/etc/hostname): nodename="node-1""#);
        let both = FakeHost::new().file(CONFIGURED, "node-1\n").file(HOSTNAME, "node-2\n");
        check(both, r#"known (/proc/sys/kernel/hostname): nodename="node-2""#);
    }

    #[test]
    fn the_name_of_the_container_that_we_run_in_is_not_the_host_s() {
        let check = |host: FakeHost, expected: &str| {
            let root = host.root();
            assert_eq!(
                show(&probe(&Probing::with_foreign(&root, &[Namespace::Uts]), &Wanted::All)),
                expected
            );
        };
        let container = || FakeHost::new().file(HOSTNAME, "3f2a9c\n");
        check(container().file(CONFIGURED, "node-1\n"), r#"known (/etc/hostname): nodename="node-1""#);
        let foreign = "is that of the uts namespace that we run in, not of the host";
        check(container(), &format!("unknown: /proc/sys/kernel/hostname: {foreign}"));
    }

    #[test]
    fn a_host_without_a_name_is_unknown() {
        check(FakeHost::new(), "unknown: /proc/sys/kernel/hostname: is not there, and nor is /etc/hostname");
        let unset = FakeHost::new().file(HOSTNAME, "(none)\n");
        check(unset, "unknown: /proc/sys/kernel/hostname: holds no name");
    }

    #[test]
    fn a_name_that_cannot_be_read_is_unknown() {
        let host = FakeHost::new().unreadable(HOSTNAME).file(CONFIGURED, "node-1\n");
        check(host, "unknown: /proc/sys/kernel/hostname: is a loop of symbolic links");
    }
}
