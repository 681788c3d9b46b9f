//! The table of all features that can be read, each described once: for probing, linting and the documentation alike.

use super::{Fact, Probing, Wanted};
use super::{
    bundle, cpu, device, filesystem, gpu, iommu, kernel, local, memory, network, pci, rdma, runtime, storage,
    system, usb,
};

/// No closer name is suggested: below this (Jaro–Winkler) the two have little more in common than a domain.
const SIMILAR: f64 = 0.9;

/// A feature, described.
#[derive(Debug)]
pub struct FeatureInfo {
    /// Its name, `domain.feature`, in lower case.
    pub name: &'static str,
    /// What it holds.
    pub kinds: &'static [ElementKind],
    /// What its elements say, in one sentence.
    pub meaning: &'static str,
    /// Where it is read, in words.
    pub read: &'static str,
    /// Whether Node Feature Discovery knows it under this name.
    pub nfd: bool,
    /// The names that its elements (of instances: their attributes) can have, where that list is closed.
    pub elements: Option<&'static [&'static str]>,
    /// What it means that the feature or an element of it is not there, although we could look.
    pub absent: &'static str,
    /// Since which kernel it can be read.
    pub since: &'static str,
    /// A term of `matchFeatures`, as YAML: `feature` and what follows it.
    pub example: &'static str,
    /// The attribute that names an instance, where instances are read one by one: only those are read whose names the
    /// rules give with `In` (see [`Wanted::keys`]).
    pub key: Option<&'static str>,
    /// Elements (of instances: attributes) of ours in a feature of NFD's; one that ends in `*` stands for all that begin
    /// so.
    pub beyond_nfd: &'static [&'static str],
    /// Elements (of instances: attributes) whose values only root may see, written as in `beyond_nfd`: rules may use them,
    /// and engines' messages do not show them.
    pub sensitive: &'static [&'static str],
    pub(super) probe: fn(&Probing<'_>, &Wanted) -> Fact,
}

impl FeatureInfo {
    const fn without_texts(&self) -> Probe {
        let Self { name, kinds, key, sensitive, probe, .. } = *self;
        Probe { name, kinds, key, sensitive, probe }
    }

    /// Whether an element (of instances: an attribute) of this name is ours, in a feature that NFD has too.
    pub fn is_beyond_nfd(&self, element: &str) -> bool {
        is_among(element, self.beyond_nfd)
    }
}

impl Probe {
    /// Whether only root may see the value of an element (of instances: of an attribute) of this name.
    pub fn is_sensitive(&self, element: &str) -> bool {
        is_among(element, self.sensitive)
    }
}

/// A name that ends in `*` stands for all that begin so.
fn is_among(element: &str, names: &[&str]) -> bool {
    names.iter().any(|it| match it.strip_suffix('*') {
        Some(start) => element.starts_with(start),
        None => *it == element,
    })
}

/// The kinds of elements in NFD's data model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ElementKind {
    /// Names that are simply there.
    Flags,
    /// Names with a value.
    Attributes,
    /// Things of one sort, each with attributes.
    Instances,
}

/// What is needed to read a feature: the hook links this, and none of the texts.
#[derive(Debug, Clone, Copy)]
pub struct Probe {
    /// As [`FeatureInfo::name`].
    pub name: &'static str,
    /// As [`FeatureInfo::kinds`].
    pub kinds: &'static [ElementKind],
    /// As [`FeatureInfo::key`].
    pub key: Option<&'static str>,
    /// As [`FeatureInfo::sensitive`].
    pub sensitive: &'static [&'static str],
    pub(super) probe: fn(&Probing<'_>, &Wanted) -> Fact,
}

/// Every feature that has a probe, by name.
pub static FEATURES: &[FeatureInfo] = TABLE;

/// Made from the same table.
static PROBES: [Probe; TABLE.len()] = probes();

#[expect(clippy::indexing_slicing, reason = "computed by the compiler, which would not go on")]
const fn probes() -> [Probe; TABLE.len()] {
    let mut probes = [TABLE[0].without_texts(); TABLE.len()];
    let mut at = 0;
    while at < probes.len() {
        probes[at] = TABLE[at].without_texts();
        at += 1;
    }
    probes
}

const TABLE: &[FeatureInfo] = &[
    bundle::capability::FEATURE,
    bundle::device::FEATURE,
    bundle::mount::FEATURE,
    bundle::namespace::FEATURE,
    bundle::resource::FEATURE,
    bundle::rlimit::FEATURE,
    bundle::seccomp::FEATURE,
    cpu::coprocessor::FEATURE,
    cpu::count::FEATURE,
    CPU_CPUID,
    cpu::cstate::FEATURE,
    cpu::flag::FEATURE,
    CPU_MODEL,
    cpu::pstate::FEATURE,
    cpu::rdt::FEATURE,
    cpu::security::FEATURE,
    cpu::sst::FEATURE,
    cpu::topology::FEATURE,
    device::autoload::FEATURE,
    device::FEATURE,
    gpu::amd::FEATURE,
    gpu::intel::FEATURE,
    gpu::nvidia::FEATURE,
    iommu::FEATURE,
    kernel::binfmt::FEATURE,
    kernel::bpf::FEATURE,
    kernel::bpftype::FEATURE,
    kernel::capabilities::FEATURE,
    kernel::cgroup::FEATURE,
    kernel::cmdline::FEATURE,
    kernel::config::FEATURE,
    kernel::modules::ENABLED,
    kernel::filesystems::FEATURE,
    kernel::iouring::FEATURE,
    kernel::kvm::FEATURE,
    kernel::modules::LOADED,
    kernel::lsm::FEATURE,
    kernel::inventory::FEATURE,
    kernel::parameters::FEATURE,
    kernel::namespaces::FEATURE,
    kernel::program::FEATURE,
    kernel::security::FEATURE,
    kernel::selinux::FEATURE,
    kernel::sysctl::FEATURE,
    kernel::version::FEATURE,
    local::FEATURE,
    local::LABEL,
    memory::hugepages::FEATURE,
    memory::numa::FEATURE,
    memory::nv::FEATURE,
    memory::page::FEATURE,
    memory::swap::FEATURE,
    memory::thp::FEATURE,
    memory::total::FEATURE,
    network::DEVICE,
    network::VIRTUAL,
    pci::FEATURE,
    rdma::FEATURE,
    runtime::FEATURE,
    storage::BLOCK,
    filesystem::FEATURE,
    system::arch::FEATURE,
    system::dmiid::FEATURE,
    system::l4t::FEATURE,
    system::libc::FEATURE,
    system::library::FEATURE,
    system::libraryversion::FEATURE,
    system::limit::FEATURE,
    system::mount::FEATURE,
    system::name::FEATURE,
    system::osrelease::FEATURE,
    usb::FEATURE,
];

const CPU_CPUID: FeatureInfo = FeatureInfo {
    name: "cpu.cpuid",
    kinds: &[ElementKind::Flags, ElementKind::Attributes],
    meaning: "the instruction set extensions of the processor",
    read: "the CPUID instruction, or /proc/cpuinfo with another root folder; the auxiliary vector on other processors than \
        x86",
    nfd: true,
    elements: None,
    absent: "the processor lacks the extension, or its hypervisor hides it",
    since: "always",
    example: "feature: cpu.cpuid\n  matchExpressions:\n    X86_64_V3: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: |probing, wanted| cpu::cpuid(probing.root, wanted),
};

const CPU_MODEL: FeatureInfo = FeatureInfo {
    name: "cpu.model",
    kinds: &[ElementKind::Attributes],
    meaning: "the processor's vendor, family and model, and the hypervisor that runs it",
    read: "the CPUID instruction; the file midr_el1 of sysfs on arm64; /proc/cpuinfo and /proc/sysinfo on s390x",
    nfd: true,
    elements: Some(&["vendor_id", "family", "id", "hypervisor"]),
    absent: "never absent",
    since: "always",
    example: "feature: cpu.model\n  matchExpressions:\n    vendor_id: {op: In, value: [Intel, AMD]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: |probing, wanted| cpu::model(probing.root, wanted),
};

/// The feature of this name, given in lower case.
pub fn feature(name: &str) -> Option<&'static FeatureInfo> {
    let index = FEATURES.binary_search_by(|it| it.name.cmp(name)).ok()?;
    FEATURES.get(index)
}

/// How the feature of this name, given in lower case, is read.
pub fn probe(name: &str) -> Option<&'static Probe> {
    let index = PROBES.binary_search_by(|it| it.name.cmp(name)).ok()?;
    PROBES.get(index)
}

/// The feature whose name is most like this one, if any is like it.
pub fn nearest(name: &str) -> Option<&'static str> {
    let likeness = |it: &Probe| (strsim::jaro_winkler(it.name, name), it.name);
    let (likeness, nearest) = PROBES.iter().map(likeness).max_by(|left, right| left.0.total_cmp(&right.0))?;
    (likeness >= SIMILAR).then_some(nearest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_stand_in_the_order_of_their_names_each_once() {
        let names: Vec<_> = FEATURES.iter().map(|it| it.name).collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        sorted.dedup();
        assert_eq!(names, sorted);
    }

    #[test]
    fn every_feature_is_described_in_lower_case_words_without_a_full_stop() {
        for info in FEATURES {
            assert_eq!(info.name, info.name.to_lowercase());
            assert!(!info.kinds.is_empty(), "{}", info.name);
            for text in [info.meaning, info.read] {
                assert!(!text.is_empty() && !text.ends_with('.'), "{}: {text:?}", info.name);
            }
        }
    }

    #[test]
    fn elements_beyond_nfd_are_known_by_name_or_by_prefix() {
        let info = FeatureInfo { beyond_nfd: &["driver", "free-*"], ..CPU_MODEL };
        let ours = ["driver", "drivers", "free-1Gi", "free-", "free", "xfree-1Gi", "*"];
        let ours = ours.map(|it| info.is_beyond_nfd(it));
        assert_eq!(ours, [true, false, true, true, false, false, false]);
        let info = FeatureInfo { beyond_nfd: &[], ..CPU_MODEL };
        assert!(!info.is_beyond_nfd("driver"));
    }

    #[test]
    fn every_feature_is_found_by_its_name() {
        for info in FEATURES {
            assert_eq!(feature(info.name).map(|it| it.name), Some(info.name));
            assert_eq!(probe(info.name).map(|it| it.name), Some(info.name));
        }
        assert!(feature("kernel.Version").is_none());
    }

    #[test]
    fn elements_of_ours_are_distinguished_from_those_of_nfd() {
        let check = |name, element, expected| {
            let info = feature(name).expect("a feature");
            assert_eq!(info.is_beyond_nfd(element), expected, "{name}: {element}");
        };
        check("network.device", "driver", true);
        check("network.device", "drivers", false);
        check("network.device", "mtu", false);
        check("memory.hugepages", "free-2Mi", true);
        check("memory.hugepages", "node0.hugepages-2Mi", true);
        check("memory.hugepages", "hugepages-2Mi", false);
        check("memory.hugepages", "enabled", false);
        check("memory.hugepages", "", false);
        check("kernel.version", "full", false);
    }

    #[test]
    fn values_that_only_root_may_see_are_marked() {
        let check = |name, element, expected| {
            let probe = probe(name).expect("a feature");
            assert_eq!(probe.is_sensitive(element), expected, "{name}: {element}");
        };
        check("kernel.cmdline", "root", true);
        check("kernel.cmdline", "", true);
        check("usb.device", "serial", true);
        check("usb.device", "vendor", false);
        check("gpu.nvidia", "uuid", true);
        check("system.dmiid", "chassis_asset_tag", true);
        check("system.dmiid", "product_name", false);
        check("kernel.sysctl", "kernel/random/boot_id", true);
        check("kernel.sysctl", "net.ipv6.conf.eth0.stable_secret", true);
        check("kernel.sysctl", "vm.max_map_count", false);
    }

    #[test]
    fn a_misspelt_name_is_recognised_and_a_strange_one_is_not() {
        assert_eq!(nearest("kernel.conifg"), Some("kernel.config"));
        assert_eq!(nearest("system.os-release"), Some("system.osrelease"));
        assert_eq!(nearest("vendor.thing"), None);
    }
}
