//! `cpu.coprocessor`: the accelerators of a processor. Uses none of them.

use super::gathered;
use crate::host::probing::known;
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.coprocessor",
    kinds: &[ElementKind::Attributes],
    meaning: "the accelerators on the processor: POWER's for gzip",
    read: "/sys/devices/vio/ibm,compression-v1/nx_gzip_caps",
    nfd: true,
    elements: Some(&["nx_gzip"]),
    absent: "no such accelerator, or another architecture than ppc64le",
    since: "Linux 5.14",
    example: "feature: cpu.coprocessor\n  matchExpressions:\n    nx_gzip: {op: IsTrue}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Made where the hypervisor offers the gzip engine (`drivers/crypto/nx/nx-common-pseries.c`).
const NX_GZIP: &str = "/sys/devices/vio/ibm,compression-v1/nx_gzip_caps";

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    let element = |exists: bool| exists.then(|| ("nx_gzip", "true".to_owned()));
    known(probing.exists(NX_GZIP).map(|it| gathered([Ok(element(it))])), NX_GZIP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    fn known(elements: &str) -> String {
        format!("known (/sys/devices/vio/ibm,compression-v1/nx_gzip_caps): {elements}")
    }

    #[test]
    fn the_gzip_engine_is_there_if_its_folder_is() {
        check(&FakeHost::new().folder(NX_GZIP), &known(r#"nx_gzip="true""#));
        check(&FakeHost::new().file(NX_GZIP, "?"), &known(r#"nx_gzip="true""#));
    }

    #[test]
    fn a_processor_without_it_has_none() {
        check(&FakeHost::new().folder("/sys/bus"), &known(""));
        check(&FakeHost::new().folder("/sys/bus").folder("/sys/devices/vio"), &known(""));
    }

    #[test]
    fn without_a_look_at_sysfs_it_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("unknown: {NX_GZIP}: {nothing}"));
        let host = FakeHost::new().folder("/sys/bus").unreadable("/sys/devices/vio");
        check(&host, &format!("unknown: {NX_GZIP}: is a loop of symbolic links"));
    }
}
