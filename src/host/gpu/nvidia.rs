//! `gpu.nvidia`: NVIDIA's driver, the CUDA that it supports, and its GPUs. Asks the kernel module, never a library.

use std::collections::BTreeMap;

use super::{PCI, cuda, models};
use crate::host::system::{l4t, library};
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Instance, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "gpu.nvidia",
    kinds: &[ElementKind::Attributes, ElementKind::Instances],
    meaning: "the version of NVIDIA's driver and the newest CUDA that it supports (compare both with `type: version`), or the \
        bounds of that (cuda_at_least, cuda_at_most) for drivers that this program does not know; library: the version \
        of the driver's libraries (libnvidia-ml.so); library_fits: true if it equals that of the driver, as it must; \
        and the model, PCI address and UUID of each of its GPUs, \
        its compute capability (arch) and its brand as NVML calls it, where PCI id and model tell them",
    read: "/proc/driver/nvidia, else /sys/module/nvidia/version; /sys/bus/pci/devices/*/device; /etc/nv_tegra_release on a Jetson",
    nfd: false,
    elements: Some(&[
        "driver",
        "cuda",
        "cuda_at_least",
        "cuda_at_most",
        "library",
        "library_fits",
        "model",
        "address",
        "uuid",
        "arch",
        "brand",
    ]),
    absent: "NVIDIA's driver is not loaded (nouveau does not count); unknown in WSL 2, where the driver is that of Windows; \
        library: not installed on the host",
    since: "always",
    example: "feature: gpu.nvidia\n  matchExpressions:\n    driver: {op: Ge, type: version, value: [\"535.54\"]}",
    key: None,
    sensitive: &["uuid"],
    beyond_nfd: &[],
    probe,
};

/// What the driver says of itself (README of the driver, "Using the /proc File System Interface").
const VERSION: &str = "/proc/driver/nvidia/version";
const MODULE: &str = "/sys/module/nvidia";
const MODULE_VERSION: &str = "/sys/module/nvidia/version";
/// Signs of GPUs that another driver than NVIDIA's module has.
const ELSEWHERE: [(&str, &str); 3] = [
    ("/usr/lib/wsl/lib/libcuda.so.1", WINDOWS),
    ("/dev/dxg", WINDOWS),
    ("/sys/module/nvgpu", "is there: the GPU of a Jetson, of which nothing tells the CUDA"),
];
const WINDOWS: &str =
    "is there: this is WSL 2, where CUDA comes with the driver of Windows, whose version is not told";
/// The library that asks the driver, for nvidia-smi and container runtimes (NVML).
const LIBRARY: &str = "libnvidia-ml.so";
/// A folder for each GPU, named by its PCI address.
const GPUS: &str = "/proc/driver/nvidia/gpus";
/// What stands in a GPU's `information`, and what we call it (`nv_procfs_read_gpu_info` in the open driver's
/// `kernel-open/nvidia/nv-procfs.c`).
const INFORMATION: [(&str, &str); 2] = [("Model", "model"), ("GPU UUID", "uuid")];
/// The version of the driver's libraries, and whether that is the driver's own.
const LIBRARIES: [&str; 2] = ["library", "library_fits"];
/// Attributes of a GPU.
const OF_GPU: [&str; 5] = ["model", "address", "uuid", "arch", "brand"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    match l4t::release(probing) {
        Ok(Some(release)) => return jetson(probing, wanted, &release),
        Ok(None) => {}
        Err(unknown) => return Fact::Unknown(unknown),
    }
    let (version, read) = match driver(probing) {
        Ok(Some(driver)) => driver,
        Ok(None) => return without_driver(probing),
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut feature = Feature::attributes([("driver", version.as_str())]);
    if wanted.has("cuda") {
        add_cuda(&mut feature, cuda::newest(&version), read, &format!("driver {version}"));
    }
    if LIBRARIES.iter().any(|it| wanted.has(it)) {
        add_library(probing, &mut feature, &version);
    }
    if OF_GPU.iter().any(|it| wanted.has(it)) {
        gpus(probing, wanted, &version, &mut feature);
    }
    Fact::Known(feature, read.to_owned())
}

/// Adds the newest CUDA, or its bounds.
fn add_cuda(feature: &mut Feature, newest: Option<cuda::Newest>, read: &str, of: &str) {
    let attributes = feature.attributes.get_or_insert_default();
    let mut add = |name: &str, cuda: Option<&str>| {
        attributes.extend(cuda.map(|it| (name.to_owned(), it.to_owned())));
    };
    match newest {
        Some(cuda::Newest { at_least: Some(cuda), at_most: Some(same) }) if cuda == same => {
            add("cuda", Some(cuda));
        }
        newest => {
            add("cuda_at_least", newest.and_then(|it| it.at_least));
            add("cuda_at_most", newest.and_then(|it| it.at_most));
            let reason = format!("it is not known which CUDA exactly {of} supports; ask for `driver`");
            feature.doubtful.insert("cuda".to_owned(), Unknown::new(format!("{read}:"), reason));
        }
    }
}

/// The driver's libraries have its version in their names. A host in which they do not fit the module runs no CUDA.
fn add_library(probing: &Probing<'_>, feature: &mut Feature, driver: &str) {
    match library::version_of(probing, LIBRARY) {
        Ok(Some(version)) => {
            let fits = (version == driver).to_string();
            let found = LIBRARIES.map(str::to_owned).into_iter().zip([version, fits]);
            feature.attributes.get_or_insert_default().extend(found);
        }
        Ok(None) => {}
        Err(unknown) => {
            feature.doubtful.extend(LIBRARIES.map(|it| (it.to_owned(), unknown.clone())));
        }
    }
}

/// The GPU of a Jetson is part of its chip: its driver (nvgpu) has no version but that of Jetson Linux.
fn jetson(probing: &Probing<'_>, wanted: &Wanted, release: &str) -> Fact {
    let mut feature = Feature::attributes([("", ""); 0]);
    if wanted.has("cuda") {
        let of = format!("Jetson Linux {release}");
        add_cuda(&mut feature, cuda::of_jetson(release), l4t::RELEASE, &of);
    }
    match driver(probing) {
        Ok(Some((version, _))) => {
            feature.attributes.get_or_insert_default().insert("driver".to_owned(), version);
        }
        Ok(None) => {
            let reason =
                "the driver of a Jetson's GPU has no version of its own; ask for `cuda`, or for system.l4t";
            feature.doubtful.insert("driver".to_owned(), Unknown::new(l4t::RELEASE, reason));
        }
        Err(unknown) => drop(feature.doubtful.insert("driver".to_owned(), unknown)),
    }
    for name in OF_GPU.into_iter().chain(LIBRARIES) {
        let reason = format!("the GPU of a Jetson has no {name} that could be read");
        feature.doubtful.insert(name.to_owned(), Unknown::new(l4t::RELEASE, reason));
    }
    Fact::Known(feature, l4t::RELEASE.to_owned())
}

/// Without NVIDIA's module there may still be CUDA: that of Windows, or of a Jetson that does not say its release.
fn without_driver(probing: &Probing<'_>) -> Fact {
    for (place, reason) in ELSEWHERE {
        match probing.exists(place) {
            Ok(true) => return Fact::Unknown(Unknown::new(place, reason)),
            Ok(false) => {}
            Err(unknown) => return Fact::Unknown(unknown),
        }
    }
    super::absent(probing, VERSION, "10de")
}

/// The version in a file; none if it is malformed.
type VersionParser = fn(&str) -> Option<&str>;

/// The driver's version, and where it stands; none if the driver is not loaded.
fn driver(probing: &Probing<'_>) -> Result<Option<(String, &'static str)>, Unknown> {
    let places: [(_, VersionParser); 2] = [(VERSION, nvrm_version), (MODULE_VERSION, module_version)];
    for (place, parse) in places {
        if let Some(text) = probing.text(place)? {
            let version = parse(&text).ok_or_else(|| Unknown::new(place, "names no version of a driver"))?;
            return Ok(Some((version.to_owned(), place)));
        }
    }
    match probing.exists(MODULE)? {
        true => Err(Unknown::new(VERSION, "is not there, although the driver is loaded")),
        false => Ok(None),
    }
}

/// The version in `NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 …`, or in
/// `NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  560.35.03  Release Build …`.
fn nvrm_version(text: &str) -> Option<&str> {
    let line = text.lines().find_map(|it| it.strip_prefix("NVRM version:"))?;
    let (_, rest) = line.split_once("Kernel Module")?;
    rest.split_ascii_whitespace().find(|it| is_version(it))
}

fn module_version(text: &str) -> Option<&str> {
    Some(text.trim()).filter(|it| is_version(it))
}

fn is_version(text: &str) -> bool {
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    text.contains('.') && text.split('.').all(is_number)
}

fn gpus(probing: &Probing<'_>, wanted: &Wanted, driver: &str, feature: &mut Feature) {
    let listed = probing
        .list(GPUS)
        .and_then(|it| it.ok_or_else(|| Unknown::new(GPUS, "is not there, although the driver is loaded")));
    let addresses = match listed {
        Ok(addresses) => addresses,
        Err(unknown) => {
            // Of the driver as such, all is known.
            feature.doubtful.extend(OF_GPU.map(|it| (it.to_owned(), unknown.clone())));
            return;
        }
    };
    let mut instances = Vec::with_capacity(addresses.len());
    for address in addresses {
        let read = format!("{GPUS}/{address}");
        let mut attributes = BTreeMap::from([("address".to_owned(), address.clone())]);
        information(probing, &read, wanted, driver, &mut attributes, &mut feature.doubtful);
        if wanted.has("arch") {
            match arch(probing, &address) {
                Ok(arch) => drop(attributes.insert("arch".to_owned(), arch.to_owned())),
                Err(unknown) => drop(feature.doubtful.entry("arch".to_owned()).or_insert(unknown)),
            }
        }
        instances.push(Instance { attributes, read: Some(read) });
    }
    feature.instances = Some(instances);
}

/// The compute capability of the GPU at a PCI address. The driver tells it to libraries alone.
fn arch(probing: &Probing<'_>, address: &str) -> Result<&'static str, Unknown> {
    let place = format!("{PCI}/{address}/device");
    let id = probing.text(&place)?.ok_or_else(|| Unknown::new(&place, "is not there"))?;
    let id = id.trim();
    models::arch(id)
        .ok_or_else(|| Unknown::new(&place, format!("is {id:?}, whose compute capability is not known")))
}

/// Adds what a GPU says of itself. Only if that is wanted: the question wakes a GPU that sleeps.
fn information(
    probing: &Probing<'_>,
    folder: &str,
    wanted: &Wanted,
    driver: &str,
    attributes: &mut BTreeMap<String, String>,
    doubtful: &mut BTreeMap<String, Unknown>,
) {
    let is_brand_wanted = wanted.has("brand");
    let wanted: Vec<_> = INFORMATION.into_iter().filter(|(_, name)| wanted.has(name)).collect();
    if wanted.is_empty() && !is_brand_wanted {
        return;
    }
    let place = format!("{folder}/information");
    let text = probing.text(&place).and_then(|it| it.ok_or_else(|| Unknown::new(&place, "is not there")));
    let value = |label: &str| {
        let silent = || Unknown::new(&place, format!("does not tell the {label}"));
        text.as_ref().map_err(Unknown::clone).and_then(|it| value(it, label).ok_or_else(silent))
    };
    let values = wanted.into_iter().map(|(label, name)| (name, value(label)));
    let brand = is_brand_wanted.then(|| {
        let unsaid = |model: &str| Unknown::new(&place, format!("tells the model {model:?}, and no brand"));
        let model = value("Model");
        ("brand", model.and_then(|it| models::brand(it, driver).ok_or_else(|| unsaid(it))))
    });
    for (name, value) in values.chain(brand) {
        match value {
            Ok(value) => drop(attributes.insert(name.to_owned(), value.to_owned())),
            Err(unknown) => drop(doubtful.entry(name.to_owned()).or_insert(unknown)),
        }
    }
}

/// The value in a line such as `GPU UUID: \t GPU-…`; none while the driver does not know it (`Unknown`, `GPU-????????-…`).
fn value<'a>(text: &'a str, label: &str) -> Option<&'a str> {
    let mut lines = text.lines().filter_map(|it| it.split_once(':'));
    let (_, value) = lines.find(|(name, _)| name.trim() == label)?;
    let value = value.trim();
    (!value.is_empty() && value != "Unknown" && !value.contains('?')).then_some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const CLOSED: &str = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n\
                          GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n";
    const OPEN: &str = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  565.57.01  Release Build  \
                        (dvs-builder@U16-A24-9-2)  Thu Oct 10 12:15:00 UTC 2024\n\
                        GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n";
    const INFO: &str = "Model: \t\t NVIDIA A100-SXM4-40GB\nIRQ:   \t\t 44\n\
                        GPU UUID: \t GPU-5a1f1dfa-0d5e-4c4f-9b6d-1f2e3d4c5b6a\nVideo BIOS: \t 92.00.45.00.03\n\
                        Bus Location: \t 0000:07:00.0\nDevice Minor: \t 0\n";
    const GPU: &str = "/proc/driver/nvidia/gpus/0000:07:00.0";
    const DEVICE: &str = "/sys/bus/pci/devices/0000:07:00.0/device";

    fn host(version: &str) -> FakeHost {
        FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux").file(VERSION, version)
    }

    fn check(host: &FakeHost, names: &[&str], expected: &str) {
        assert_eq!(told_of(host, FEATURE.name, wanted(names)), expected, "{names:?}");
    }

    fn known(rest: &str) -> String {
        format!("known (/proc/driver/nvidia/version): {rest}")
    }

    #[test]
    fn a_driver_reports_its_version_its_cuda_and_its_gpus() {
        let host = host(CLOSED).file(&format!("{GPU}/information"), INFO).file(DEVICE, "0x20b0\n");
        let expected = known(
            "cuda=\"12.2\" driver=\"535.104.05\" [/proc/driver/nvidia/gpus/0000:07:00.0: address=0000:07:00.0 arch=8.0 \
             model=NVIDIA A100-SXM4-40GB uuid=GPU-5a1f1dfa-0d5e-4c4f-9b6d-1f2e3d4c5b6a] and perhaps brand: \
             /proc/driver/nvidia/gpus/0000:07:00.0/information: tells the model \"NVIDIA A100-SXM4-40GB\", and no brand",
        );
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn a_gpu_tells_its_compute_capability_and_brand_by_id_and_model() {
        let info = INFO.replace("A100-SXM4-40GB", "GeForce RTX 3090");
        let host = host(CLOSED).file(&format!("{GPU}/information"), &info).file(DEVICE, "0x2204\n");
        let gpu = |rest: &str| known(&format!(r#"driver="535.104.05" [{GPU}: address=0000:07:00.0{rest}"#));
        check(&host, &["arch", "brand"], &gpu(" arch=8.6 brand=GeForceRTX]"));
        check(&host, &["arch"], &gpu(" arch=8.6]"));
        let doubt =
            format!("] and perhaps arch: {DEVICE}: is \"0x0001\", whose compute capability is not known");
        check(&host.file(DEVICE, "0x0001\n"), &["arch"], &gpu(&doubt));
        let gone = format!("] and perhaps arch: {DEVICE}: is not there");
        check(&self::host(CLOSED).folder(GPU), &["arch"], &gpu(&gone));
        let hidden = format!("] and perhaps arch: {DEVICE}: is a loop of symbolic links");
        check(&self::host(CLOSED).folder(GPU).unreadable(DEVICE), &["arch"], &gpu(&hidden));
    }

    #[test]
    fn the_open_driver_is_read_alike() {
        check(&host(OPEN), &["driver", "cuda"], &known(r#"cuda="12.7" driver="565.57.01""#));
    }

    #[test]
    fn the_module_s_version_counts_where_the_driver_s_own_file_is_not() {
        let host = FakeHost::new()
            .folder("/sys/bus")
            .file("/proc/version", "Linux")
            .file(MODULE_VERSION, "470.256.02\n");
        check(&host, &["cuda"], r#"known (/sys/module/nvidia/version): cuda="11.4" driver="470.256.02""#);
        let more = ["address", "arch", "brand", "model", "uuid"].map(|it| {
            format!("and perhaps {it}: /proc/driver/nvidia/gpus: is not there, although the driver is loaded")
        });
        let more = more.join(" ");
        check(
            &host,
            &["address"],
            &format!(r#"known (/sys/module/nvidia/version): driver="470.256.02" {more}"#),
        );
    }

    #[test]
    fn a_host_without_the_driver_has_no_such_feature() {
        let host = FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux");
        assert_eq!(told(&host, FEATURE.name), "absent (/proc/driver/nvidia/version)");
    }

    #[test]
    fn a_driver_that_is_not_in_the_table_has_limits() {
        let version = |it: &str| format!("NVRM version: NVIDIA UNIX x86_64 Kernel Module  {it}  Sat\n");
        let doubt = |it: &str| {
            format!(
                "and perhaps cuda: {VERSION}:: it is not known which CUDA exactly driver {it} supports; ask for `driver`"
            )
        };
        let new = known(&format!(r#"cuda_at_least="13.3" driver="999.10.01" {}"#, doubt("999.10.01")));
        check(&host(&version("999.10.01")), &["driver", "cuda"], &new);
        check(&host(&version("999.10.01")), &["driver"], &known(r#"driver="999.10.01""#));
        let old = known(&format!(r#"cuda_at_most="6.5" driver="319.37" {}"#, doubt("319.37")));
        check(&host(&version("319.37")), &["cuda"], &old);
        let between = r#"cuda_at_least="10.1" cuda_at_most="10.2" driver="435.21""#;
        check(&host(&version("435.21")), &["cuda"], &known(&format!("{between} {}", doubt("435.21"))));
    }

    #[test]
    fn the_libraries_of_the_driver_have_a_version_of_their_own() {
        let library = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so";
        let host = host(CLOSED)
            .file(&format!("{library}.580.178.04"), "")
            .link(&format!("{library}.1"), "libnvidia-ml.so.580.178.04");
        check(
            &host,
            &["library"],
            &known(r#"driver="535.104.05" library="580.178.04" library_fits="false""#),
        );
        check(&self::host(CLOSED), &["library"], &known(r#"driver="535.104.05""#));
        let hidden = self::host(CLOSED).unreadable("/usr/lib/x86_64-linux-gnu");
        let reason = "/usr/lib/x86_64-linux-gnu: is a loop of symbolic links";
        let doubt = format!("and perhaps library: {reason} and perhaps library_fits: {reason}");
        check(&hidden, &["library"], &known(&format!("driver=\"535.104.05\" {doubt}")));
    }

    #[test]
    fn a_host_whose_gpus_another_driver_has_may_have_cuda() {
        let bare = || FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux");
        for place in ["/usr/lib/wsl/lib/libcuda.so.1", "/dev/dxg"] {
            let expected = format!("unknown: {place}: {WINDOWS}");
            assert_eq!(told(&bare().file(place, ""), FEATURE.name), expected);
        }
        let expected =
            "unknown: /sys/module/nvgpu: is there: the GPU of a Jetson, of which nothing tells the CUDA";
        assert_eq!(told(&bare().folder("/sys/module/nvgpu"), FEATURE.name), expected);
    }

    #[test]
    fn the_release_of_jetson_linux_decides_its_cuda() {
        let text = "# R35 (release), REVISION: 4.1, GCID: 33958178, BOARD: t186ref, EABI: aarch64\n";
        let host = FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux").file(l4t::RELEASE, text);
        let told = told_of(&host, FEATURE.name, wanted(&["cuda"]));
        let start = r#"known (/etc/nv_tegra_release): cuda="11.4" and perhaps address: "#;
        assert!(told.starts_with(start), "{told}");
        let doubt = "and perhaps driver: /etc/nv_tegra_release: the driver of a Jetson's GPU has no version of its own; \
                     ask for `cuda`, or for system.l4t";
        assert!(told.contains(doubt), "{told}");
        let broken = FakeHost::new().file(l4t::RELEASE, "R?");
        let unknown = "unknown: /etc/nv_tegra_release: names no release of Jetson Linux";
        assert_eq!(told_of(&broken, FEATURE.name, wanted(&["cuda"])), unknown);
    }

    #[test]
    fn only_what_is_wanted_is_read() {
        let host = host(CLOSED).unreadable(&format!("{GPU}/information"));
        check(&host, &["driver"], &known(r#"driver="535.104.05""#));
        check(&host, &["address"], &known(&format!(r#"driver="535.104.05" [{GPU}: address=0000:07:00.0]"#)));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        assert_eq!(told(&FakeHost::new(), FEATURE.name), format!("unknown: {VERSION}: {nothing}"));
        let hidden = FakeHost::new().unreadable(VERSION);
        assert_eq!(told(&hidden, FEATURE.name), format!("unknown: {VERSION}: is a loop of symbolic links"));
        let bare = FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux").folder(MODULE);
        let loaded = format!("unknown: {VERSION}: is not there, although the driver is loaded");
        assert_eq!(told(&bare, FEATURE.name), loaded);
        let host = host(CLOSED).unreadable(&format!("{GPU}/information"));
        let gpu = format!(r#"driver="535.104.05" [{GPU}: address=0000:07:00.0]"#);
        let more = format!("and perhaps uuid: {GPU}/information: is a loop of symbolic links");
        check(&host, &["uuid"], &known(&format!("{gpu} {more}")));
    }

    #[test]
    fn what_is_malformed_is_unknown() {
        for text in [
            "",
            "NVRM version: Kernel Module\n",
            "NVRM version: NVIDIA 535.1 Kernel Module x86_64\n",
            "535.104.05",
        ] {
            let expected = format!("unknown: {VERSION}: names no version of a driver");
            assert_eq!(told(&host(text), FEATURE.name), expected, "{text:?}");
        }
    }

    #[test]
    fn what_the_driver_does_not_know_itself_is_unknown() {
        let info = "Model: \t\t Unknown\nGPU UUID: \t GPU-????????-????-????-????-????????????\n";
        let host = host(CLOSED).file(&format!("{GPU}/information"), info);
        let gpu = known(&format!(r#"driver="535.104.05" [{GPU}: address=0000:07:00.0]"#));
        for (name, label) in [("model", "Model"), ("uuid", "GPU UUID")] {
            let more = format!("and perhaps {name}: {GPU}/information: does not tell the {label}");
            check(&host, &[name], &format!("{gpu} {more}"));
        }
    }
}
