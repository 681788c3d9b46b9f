//! Reads facts of a host, each known or unknown with a reason. Never judges, never fails, never executes anything.
//!
//! A further probe is one file: a [`FeatureInfo`] that describes the feature, a function that reads it, and a pure
//! parser; then one line in the table of `features.rs`.

mod fact;
mod facts;
mod root;
mod auxv;
mod namespace;
mod probing;
mod features;
mod document;
mod values;
mod bundle;
mod cpu;
mod device;
mod filesystem;
mod gpu;
mod iommu;
mod kernel;
mod local;
mod memory;
mod network;
mod pci;
mod rdma;
mod runtime;
mod recorded;
mod storage;
mod system;
mod usb;
#[cfg(test)]
mod testing;

pub use bundle::{
    BundleConfig, Inherited, PROGRAM, add_bundle, asks_bundle, is_libseccomp_older, libseccomp_since,
};
pub use cpu::level_flags;
pub use document::{DocumentForm, SCHEMA, yaml};
pub use fact::{Fact, Feature, FeatureDemand, Instance, Source, Unknown, Wanted};
pub use facts::{Facts, FactsOrigin};
pub use features::{ElementKind, FEATURES, FeatureInfo, Probe, feature, nearest, probe};
pub use gpu::driver_for_cuda;
pub use kernel::available::loadable_modules;
pub(crate) use kernel::options_of::option_of;
pub(crate) use kernel::version::label as release_label;
pub use recorded::{
    PROGRAM as RUNTIME_PROGRAM, RuntimeRecord, program, runtime_record, runtime_record_path, runtime_records,
};
pub use root::{FileStatus, Miss, Root, Shown};

use probing::Probing;

/// Reads what is demanded, and nothing else. A feature that cannot be read costs no other.
pub fn gather(root: &Root, demand: &FeatureDemand) -> Facts {
    let probing = Probing::new(root);
    let mut facts = Facts::default();
    for (name, wanted) in demand {
        facts.insert(name.as_str(), fact(&probing, name, wanted));
    }
    facts
}

fn fact(probing: &Probing<'_>, name: &str, wanted: &Wanted) -> Fact {
    match features::probe(name) {
        Some(probe) => (probe.probe)(probing, wanted),
        None => Fact::Unknown(Unknown::new("", no_probe(name))),
    }
}

/// Says of features that no probe knows, and these facts neither, what [`gather`] says of them.
pub fn add_unprobed(facts: &mut Facts, demand: &FeatureDemand) {
    for name in demand.keys().filter(|it| features::probe(it).is_none()) {
        if !facts.has(name) {
            facts.insert(name.as_str(), Fact::Unknown(Unknown::new("", no_probe(name))));
        }
    }
}

fn no_probe(name: &str) -> String {
    match nearest(name) {
        Some(other) => format!("no probe knows this feature; did you mean {other}?"),
        None => "no probe knows this feature".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::testing::{show, told};
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn only_what_is_demanded_is_read() {
        let host = FakeHost::new().file("/proc/sys/kernel/osrelease", "6.1.0\n");
        let demand = FeatureDemand::from([("kernel.version".to_owned(), Wanted::All)]);
        let facts = gather(&host.root(), &demand);
        let names: Vec<_> = facts.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["kernel.version"]);
        assert_eq!(show(facts.get("kernel.config")), "unknown: : was not read");
    }

    #[test]
    fn a_feature_that_no_probe_knows_is_unknown() {
        let host = FakeHost::new();
        let check = |feature, expected: &str| assert_eq!(told(&host, feature), expected);
        check(
            "kernel.loadedmodules",
            "unknown: : no probe knows this feature; did you mean kernel.loadedmodule?",
        );
        check("zzz", "unknown: : no probe knows this feature");
    }

    #[test]
    fn facts_of_another_host_give_the_same_report() {
        let mut facts = Facts::from_json(br#"{"flags": {"vendor.thing": {"elements": {"x": {}}}}}"#).unwrap();
        let names = ["kernel.version", "vendor.thing", "zzz"].map(|it| (it.to_owned(), Wanted::All));
        add_unprobed(&mut facts, &FeatureDemand::from(names));
        let check = |feature, expected: &str| assert_eq!(show(facts.get(feature)), expected);
        check("zzz", "unknown: : no probe knows this feature");
        check("vendor.thing", "known (the facts document): x");
        check("kernel.version", "unknown: the facts document: does not mention this feature");
    }

    /// Features with something known about this host, including that something is absent.
    fn answers(host: &FakeHost) -> Vec<&'static str> {
        let is_open = |it: &str| it.starts_with("unknown: ") || it.contains(": and maybe more: ");
        FEATURES.iter().map(|it| it.name).filter(|it| !is_open(&told(host, it))).collect()
    }

    #[test]
    fn a_root_that_shows_nothing_answers_nothing() {
        // As in NFD, no file means no statement.
        assert_eq!(answers(&FakeHost::new()), ["local.feature", "local.label"]);
    }

    #[test]
    fn a_root_that_hides_everything_answers_nothing() {
        let folders = ["/proc", "/sys", "/dev", "/etc", "/lib", "/lib64", "/usr", "/boot", "/run"];
        let host = folders.into_iter().fold(FakeHost::new(), FakeHost::unreadable);
        assert_eq!(answers(&host), Vec::<&str>::new());
    }

    #[test]
    fn folders_full_of_nonsense_stop_no_probe() {
        let nonsense =
            [0xff, 0, b'\n', b'=', b':', b'(', 0x80, b'\r', b'-', b' ', b'"', b'9', b'\\'].repeat(7);
        let paths = FEATURES.iter().flat_map(|it| it.read.split([' ', ',', ';']));
        let paths = paths.filter(|it| it.starts_with('/') && !it.contains(['*', '<']));
        let paths: std::collections::BTreeSet<_> = paths.map(|it| it.trim_end_matches('/')).collect();
        let leaves =
            paths.iter().filter(|it| !paths.iter().any(|other| other.starts_with(&format!("{it}/"))));
        let host = leaves.fold(FakeHost::new(), |host, path| host.file(path, &nonsense));
        let all: Vec<_> = FEATURES.iter().map(|it| told(&host, it.name)).collect();
        // It was there to be read.
        assert!(all.iter().any(|it| it.contains("it is not in gzip's format")), "{all:#?}");
    }
}
