//! `device.autoload`: the module that the kernel loads when a device node is opened. Opens none.

use std::collections::BTreeMap;

use crate::host::kernel::available;
use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "device.autoload",
    kinds: &[ElementKind::Attributes],
    meaning: "for the path of a device node, such as /dev/net/tun, the module of this kernel that creates it; if a listed \
        node is missing, loading the module creates it",
    read: "modules.devname in /lib/modules/<release>",
    nfd: false,
    elements: None,
    absent: "no module of this kernel declares this node",
    since: "Linux 2.6.36",
    example: "feature: device.autoload\n  matchExpressions:\n    /dev/net/tun: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const LIST: &str = "modules.devname";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let found = probing.release().map_err(Unknown::clone);
    match found.and_then(|it| available::read(probing.root, it, LIST)) {
        Ok((text, read)) => known(Ok(Feature::attributes(parse(&text, wanted))), &read),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// Lines such as `tun net/tun c10:200` (depmod(8)): module, node below `/dev`, and its number.
fn parse(text: &str, wanted: &Wanted) -> BTreeMap<String, String> {
    let lines = text.lines().filter(|it| !it.starts_with('#'));
    let nodes = lines.filter_map(|it| {
        let mut words = it.split_ascii_whitespace();
        Some((words.next()?, format!("/dev/{}", words.next()?)))
    });
    nodes.filter(|(_, node)| wanted.has(node)).map(|(module, node)| (node, module.to_owned())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const DEVNAME: &str = "/lib/modules/6.1.0/modules.devname";

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "6.1.0\n")
    }

    #[test]
    fn a_node_has_a_module() {
        let text =
            "# Device nodes to trigger on-demand module loading.\nfuse fuse c10:229\ntun net/tun c10:200\n";
        let host = host().file(DEVNAME, text);
        let expected = format!("known ({DEVNAME}): /dev/fuse=\"fuse\" /dev/net/tun=\"tun\"");
        assert_eq!(told(&host, FEATURE.name), expected);
        let expected = format!("known ({DEVNAME}): /dev/net/tun=\"tun\"");
        assert_eq!(told_of(&host, FEATURE.name, wanted(&["/dev/net/tun", "/dev/x"])), expected);
    }

    #[test]
    fn a_list_may_name_none() {
        let expected = format!("known ({DEVNAME}): ");
        for text in ["", "\n", "tun\n", "# x\n"] {
            assert_eq!(told(&host().file(DEVNAME, text), FEATURE.name), expected);
        }
    }

    #[test]
    fn without_a_list_nothing_is_known() {
        assert_eq!(told(&host(), FEATURE.name), format!("unknown: {DEVNAME}: is not there"));
        let loops = format!("unknown: {DEVNAME}: is a loop of symbolic links");
        assert_eq!(told(&host().unreadable(DEVNAME), FEATURE.name), loops);
        assert_eq!(told(&FakeHost::new(), FEATURE.name), format!("unknown: {OSRELEASE}: is not there"));
    }
}
