//! `gpu.amd`: AMD's driver, and the GPUs that it offers for computing. Opens no device.

use std::collections::BTreeMap;

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Instance, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "gpu.amd",
    kinds: &[ElementKind::Attributes, ElementKind::Instances],
    meaning: "the version of the driver amdgpu, if it has its own; and the GPUs that it offers for computing: name, the \
        compilers' name of the architecture (gfx, such as gfx90a) and PCI address",
    read: "/sys/module/amdgpu, /sys/class/kfd/kfd/topology/nodes/*",
    nfd: false,
    elements: Some(&["driver", "name", "gfx", "address"]),
    absent: "amdgpu is not loaded; driver is absent for the kernel's own amdgpu, whose version is the kernel's; no GPU is listed if the kernel was built without CONFIG_HSA_AMD",
    since: "Linux 4.13; gfx since the kernel's topology has gfx_target_version",
    example: "feature: gpu.amd\n  matchExpressions:\n    gfx: {op: In, value: [gfx90a, gfx942]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// There also if the driver is built in: it has parameters.
const MODULE: &str = "/sys/module/amdgpu";
/// Only of drivers built outside the kernel (`MODULE_VERSION`).
const VERSION: &str = "/sys/module/amdgpu/version";
/// What `amdkfd` knows of processors and GPUs (`drivers/gpu/drm/amd/amdkfd/kfd_topology.c`).
const NODES: &str = "/sys/class/kfd/kfd/topology/nodes";
const PCI: &str = "/sys/bus/pci/devices";
/// Attributes of a GPU.
const OF_GPU: [&str; 3] = ["name", "gfx", "address"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    match probing.exists(MODULE) {
        Ok(true) => Fact::Known(driver(probing, wanted), MODULE.to_owned()),
        Ok(false) => super::absent(probing, MODULE, "1002"),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

fn driver(probing: &Probing<'_>, wanted: &Wanted) -> Feature {
    let mut feature = Feature::attributes([("", ""); 0]);
    if wanted.has("driver") {
        match probing.text(VERSION) {
            Ok(version) => {
                let version = version.map(|it| ("driver".to_owned(), it.trim().to_owned()));
                feature.attributes.get_or_insert_default().extend(version);
            }
            Err(unknown) => feature.incomplete = Some(unknown),
        }
    }
    if OF_GPU.iter().any(|it| wanted.has(it)) {
        gpus(probing, wanted, &mut feature);
    }
    feature
}

fn gpus(probing: &Probing<'_>, wanted: &Wanted, feature: &mut Feature) {
    let nodes = match probing.list(NODES) {
        Ok(nodes) => nodes.unwrap_or_default(),
        Err(unknown) => {
            feature.incomplete.get_or_insert(unknown);
            return;
        }
    };
    feature.instances = Some(Vec::new());
    for node in nodes {
        if let Err(unknown) = gpu(probing, &format!("{NODES}/{node}"), wanted, feature) {
            feature.incomplete.get_or_insert(unknown);
        }
    }
}

/// Adds a node's GPU, if it has one: most nodes are processors.
fn gpu(probing: &Probing<'_>, folder: &str, wanted: &Wanted, feature: &mut Feature) -> Result<(), Unknown> {
    let place = format!("{folder}/properties");
    // Gone since the folder was listed.
    let Some(text) = probing.text(&place)? else { return Ok(()) };
    let properties = Properties { text: &text, place: &place };
    if properties.number("simd_count")? == 0 {
        return Ok(());
    }
    let mut attributes = BTreeMap::new();
    for name in OF_GPU.into_iter().filter(|it| wanted.has(it)) {
        let value = match name {
            "gfx" => properties.gfx().map(Some),
            "address" => properties.address(probing).map(Some),
            name => probing.text(&format!("{folder}/{name}")).map(|it| it.map(|it| it.trim().to_owned())),
        };
        match value {
            Ok(value) => attributes.extend(value.map(|it| (name.to_owned(), it))),
            // Of the other attributes, and of the driver, all is known.
            Err(unknown) => drop(feature.doubtful.entry(name.to_owned()).or_insert(unknown)),
        }
    }
    let instance = Instance { attributes, read: Some(folder.to_owned()) };
    feature.instances.get_or_insert_default().push(instance);
    Ok(())
}

/// Lines of a name and a decimal number (`node_show`).
struct Properties<'a> {
    text: &'a str,
    place: &'a str,
}

impl Properties<'_> {
    fn number(&self, name: &str) -> Result<u64, Unknown> {
        let mut lines = self.text.lines().filter_map(|it| it.split_once(' '));
        let value = lines.find(|(it, _)| *it == name).and_then(|(_, value)| value.trim().parse().ok());
        value.ok_or_else(|| Unknown::new(self.place, format!("holds no number {name}")))
    }

    /// The `gfx90a` of 90010: two decimal digits each for minor version and stepping, which the name has in hexadecimal
    /// (`HSA_GetEngineId` in ROCm's `libhsakmt/src/topology.c`).
    fn gfx(&self) -> Result<String, Unknown> {
        match self.number("gfx_target_version")? {
            0 => Err(Unknown::new(self.place, "says 0 for gfx_target_version")),
            version => Ok(format!("gfx{}{:x}{:x}", version / 10_000, version / 100 % 100, version % 100)),
        }
    }

    /// `location_id` is bus, device and function. On a GPU that is split into partitions some kernels put the
    /// partition's number in place of the function's, and others in bits that are not the address's.
    fn address(&self, probing: &Probing<'_>) -> Result<String, Unknown> {
        let (domain, location) = (self.number("domain")?, self.number("location_id")?);
        let device = format!("{domain:04x}:{:02x}:{:02x}", location >> 8 & 0xff, location >> 3 & 0x1f);
        let address = format!("{device}.{}", location & 7);
        match probing.exists(&format!("{PCI}/{address}"))? {
            true => Ok(address),
            false => Ok(format!("{device}.0")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const CPU: &str = "cpu_cores_count 64\nsimd_count 0\ngfx_target_version 0\nlocation_id 0\ndomain 0\n";
    const GPU: &str = "cpu_cores_count 0\nsimd_count 416\ngfx_target_version 90010\nvendor_id 4098\n\
                       location_id 49408\ndomain 0\n";
    const NODE: &str = "/sys/class/kfd/kfd/topology/nodes/1";

    fn host(gpu: &str) -> FakeHost {
        FakeHost::new()
            .folder(MODULE)
            .file(&format!("{NODES}/0/properties"), CPU)
            .file(&format!("{NODES}/0/name"), "\n")
            .file(&format!("{NODE}/properties"), gpu)
            .file(&format!("{NODE}/name"), "aldebaran\n")
            .folder("/sys/bus/pci/devices/0000:c1:00.0")
    }

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    fn known(rest: &str) -> String {
        format!("known (/sys/module/amdgpu): {rest}")
    }

    #[test]
    fn a_gpu_reports_its_name_architecture_and_address() {
        let gpu = format!("[{NODE}: address=0000:c1:00.0 gfx=gfx90a name=aldebaran]");
        check(&host(GPU), &known(&gpu));
        let outside = host(GPU).file(VERSION, "6.8.5\n");
        check(&outside, &known(&format!(r#"driver="6.8.5" {gpu}"#)));
    }

    #[test]
    fn architectures_are_named_as_compilers_do() {
        for (number, gfx) in
            [("90402", "gfx942"), ("110501", "gfx1151"), ("100300", "gfx1030"), ("90012", "gfx90c")]
        {
            let host = host(&GPU.replace("90010", number));
            let told = told_of(&host, FEATURE.name, wanted(&["gfx"]));
            assert_eq!(told, known(&format!("[{NODE}: gfx={gfx}]")));
        }
    }

    #[test]
    fn a_partition_has_the_address_of_its_device() {
        for location in ["49410", "536920320"] {
            let host = host(&GPU.replace("49408", location));
            let told = told_of(&host, FEATURE.name, wanted(&["address"]));
            assert_eq!(told, known(&format!("[{NODE}: address=0000:c1:00.0]")));
        }
        let function = host(&GPU.replace("49408", "49410")).folder("/sys/bus/pci/devices/0000:c1:00.2");
        let told = told_of(&function, FEATURE.name, wanted(&["address"]));
        assert_eq!(told, known(&format!("[{NODE}: address=0000:c1:00.2]")));
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let host = host(GPU).unreadable(VERSION).unreadable(&format!("{NODES}/2"));
        assert_eq!(told_of(&host, FEATURE.name, wanted(&[])), known(""));
    }

    #[test]
    fn a_host_without_the_driver_has_no_such_feature() {
        check(&FakeHost::new().folder("/sys/bus"), "absent (/sys/module/amdgpu)");
    }

    #[test]
    fn a_driver_without_topology_offers_no_gpu() {
        check(&FakeHost::new().folder("/sys/bus").folder(MODULE), &known(""));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("unknown: {MODULE}: {nothing}"));
        let hidden = FakeHost::new().folder("/sys/bus").folder(MODULE).unreadable(NODES);
        check(&hidden, &known(&format!("and maybe more: {NODES}: is a loop of symbolic links")));
        let gpu = format!("[{NODE}: address=0000:c1:00.0 gfx=gfx90a name=aldebaran]");
        let place = format!("{NODES}/2/properties");
        let more = format!("and maybe more: {place}: is a loop of symbolic links");
        check(&host(GPU).unreadable(&place), &known(&format!("{gpu} {more}")));
    }

    #[test]
    fn what_is_malformed_is_unknown() {
        let place = format!("{NODE}/properties");
        let broken = |text: &str, rest: &str| check(&host(text), &known(rest));
        broken("", &format!("and maybe more: {place}: holds no number simd_count"));
        broken("simd_count many\n", &format!("and maybe more: {place}: holds no number simd_count"));
        let named = format!("[{NODE}: address=0000:c1:00.0 name=aldebaran]");
        broken(
            &GPU.replace("gfx_target_version 90010\n", ""),
            &format!("{named} and perhaps gfx: {place}: holds no number gfx_target_version"),
        );
        broken(
            &GPU.replace("90010", "0"),
            &format!("{named} and perhaps gfx: {place}: says 0 for gfx_target_version"),
        );
    }
}
