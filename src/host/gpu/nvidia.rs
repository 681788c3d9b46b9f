//! `gpu.nvidia`: NVIDIA's driver, the CUDA that it supports, and its GPUs. Asks the kernel module, never a library.

use std::collections::BTreeMap;

use super::cuda;
use crate::host::{Fact, Feature, FeatureInfo, Instance, Kind, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "gpu.nvidia",
    kinds: &[Kind::Attributes, Kind::Instances],
    meaning: "the version of NVIDIA's driver and the newest CUDA that it supports, both to be compared with `type: version`; and the model, PCI address and UUID of each GPU that it drives",
    read: "/proc/driver/nvidia, else /sys/module/nvidia/version",
    nfd: false,
    elements: Some(&["driver", "cuda", "model", "address", "uuid"]),
    absent: "NVIDIA's driver is not loaded (nouveau does not count); cuda is unknown for drivers newer than this program",
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
/// A folder for each GPU, named by its PCI address.
const GPUS: &str = "/proc/driver/nvidia/gpus";
/// What stands in a GPU's `information`, and what we call it (`nv_procfs_read_gpu_info` in the open driver's
/// `kernel-open/nvidia/nv-procfs.c`).
const INFORMATION: [(&str, &str); 2] = [("Model", "model"), ("GPU UUID", "uuid")];
/// Attributes of a GPU.
const OF_GPU: [&str; 3] = ["model", "address", "uuid"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let (version, read) = match driver(probing) {
        Ok(Some(driver)) => driver,
        Ok(None) => return Fact::Absent(VERSION.to_owned()),
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let mut feature = Feature::attributes([("driver", version.as_str())]);
    if wanted.has("cuda") {
        match cuda::newest(&version) {
            Some(cuda) => {
                feature.attributes.get_or_insert_default().insert("cuda".to_owned(), cuda.to_owned());
            }
            None => {
                let reason =
                    format!("it is not known which CUDA driver {version} supports; ask for `driver`");
                feature.incomplete = Some(Unknown::new(read, reason));
            }
        }
    }
    if OF_GPU.iter().any(|it| wanted.has(it)) {
        gpus(probing, wanted, &mut feature);
    }
    Fact::Known(feature, read.to_owned())
}

/// The version in a file; none if it is malformed.
type Parser = fn(&str) -> Option<&str>;

/// The driver's version, and where it stands; none if the driver is not loaded.
fn driver(probing: &Probing<'_>) -> Result<Option<(String, &'static str)>, Unknown> {
    let places: [(_, Parser); 2] = [(VERSION, nvrm_version), (MODULE_VERSION, module_version)];
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

fn gpus(probing: &Probing<'_>, wanted: &Wanted, feature: &mut Feature) {
    let addresses = match probing.list(GPUS) {
        Ok(Some(addresses)) => addresses,
        Ok(None) => {
            let unknown = Unknown::new(GPUS, "is not there, although the driver is loaded");
            feature.incomplete.get_or_insert(unknown);
            return;
        }
        Err(unknown) => {
            feature.incomplete.get_or_insert(unknown);
            return;
        }
    };
    let mut instances = Vec::with_capacity(addresses.len());
    for address in addresses {
        let read = format!("{GPUS}/{address}");
        let mut attributes = BTreeMap::from([("address".to_owned(), address)]);
        if let Err(unknown) = information(probing, &read, wanted, &mut attributes) {
            feature.incomplete.get_or_insert(unknown);
        }
        instances.push(Instance { attributes, read: Some(read) });
    }
    feature.instances = Some(instances);
}

/// Adds what a GPU says of itself. Only if that is wanted: the question wakes a GPU that sleeps.
fn information(
    probing: &Probing<'_>,
    folder: &str,
    wanted: &Wanted,
    attributes: &mut BTreeMap<String, String>,
) -> Result<(), Unknown> {
    let wanted = || INFORMATION.into_iter().filter(|(_, name)| wanted.has(name));
    if wanted().next().is_none() {
        return Ok(());
    }
    let place = format!("{folder}/information");
    let text = probing.text(&place)?.ok_or_else(|| Unknown::new(&place, "is not there"))?;
    for (label, name) in wanted() {
        let value = value(&text, label);
        let value = value.ok_or_else(|| Unknown::new(&place, format!("does not tell the {label}")))?;
        attributes.insert(name.to_owned(), value.to_owned());
    }
    Ok(())
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
    fn a_driver_tells_its_version_its_cuda_and_its_gpus() {
        let host = host(CLOSED).file(&format!("{GPU}/information"), INFO);
        let expected = known(
            "cuda=\"12.2\" driver=\"535.104.05\" [/proc/driver/nvidia/gpus/0000:07:00.0: address=0000:07:00.0 \
             model=NVIDIA A100-SXM4-40GB uuid=GPU-5a1f1dfa-0d5e-4c4f-9b6d-1f2e3d4c5b6a]",
        );
        assert_eq!(told(&host, FEATURE.name), expected);
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
        let more = "and maybe more: /proc/driver/nvidia/gpus: is not there, although the driver is loaded";
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
    fn a_driver_newer_than_the_table_leaves_its_cuda_unknown() {
        let new = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  999.10.01  Sat\n";
        let more = "and maybe more: /proc/driver/nvidia/version: \
                    it is not known which CUDA driver 999.10.01 supports; ask for `driver`";
        check(&host(new), &["driver", "cuda"], &known(&format!(r#"driver="999.10.01" {more}"#)));
        check(&host(new), &["driver"], &known(r#"driver="999.10.01""#));
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
        let more = format!("and maybe more: {GPU}/information: is a loop of symbolic links");
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
            let more = format!("and maybe more: {GPU}/information: does not tell the {label}");
            check(&host, &[name], &format!("{gpu} {more}"));
        }
    }
}
