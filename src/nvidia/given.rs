//! Whether a container is given NVIDIA's GPUs, by what its `config.json` says.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::GivenGpus;
use super::environment::{Devices, Environment};

/// NVIDIA's devices, and what gives GPUs in WSL 2.
const DEVICE: &str = "/dev/nvidia";
const WINDOWS: &str = "/dev/dxg";
/// Kubernetes' device plugin may tell NVIDIA's runtime by mounts which GPUs to give (`DEVICE_LIST_STRATEGY=volume-mounts`).
const MOUNTS: &str = "/var/run/nvidia-container-devices/";
/// Annotations that ask NVIDIA's runtime to inject devices of CDI.
const CDI: &str = "cdi.k8s.io/";
const VENDOR: &str = "nvidia.com/";
/// containerd's client has this program give the GPUs that it names in its arguments.
const CLI: &str = "nvidia-container-cli";

#[derive(Default, Deserialize)]
#[serde(default)]
struct GpuConfig {
    annotations: Option<BTreeMap<String, Value>>,
    /// The words that occur in its hooks.
    hooks: Option<Vec<String>>,
    mounts: Option<Vec<Option<MountPoint>>>,
    linux: Option<LinuxDevices>,
}

#[derive(Deserialize)]
struct MountPoint {
    #[serde(default)]
    destination: Option<String>,
}

#[derive(Deserialize)]
struct LinuxDevices {
    #[serde(default)]
    devices: Option<Vec<Option<Device>>>,
}

#[derive(Deserialize)]
struct Device {
    #[serde(default)]
    path: Option<String>,
}

impl Environment {
    /// Whether a container with this environment is given GPUs. `config` is what was kept of its `config.json`, and
    /// `has_runtime` says whether NVIDIA's runtime is the one that creates it. None if it is not, or if that is unknown.
    pub fn given(&self, config: &[u8], has_runtime: bool) -> Option<GivenGpus> {
        // What is of another kind than runtimes take gives nothing.
        let Ok(config) = serde_json::from_slice::<GpuConfig>(config) else { return None };
        let asked = match self.devices() {
            Devices::None => None,
            Devices::All => Some(None),
            Devices::Some(count) => Some(Some(count)),
        };
        let hooks = |word: &str| config.hooks.iter().flatten().any(|it| it == word);
        let by_device = config.devices().or_else(|| config.annotated()).or_else(|| config.mounted());
        if let Some(some) = by_device {
            return Some(GivenGpus::Gpus(some));
        }
        if hooks(CLI) {
            return Some(GivenGpus::Gpus(asked.unwrap_or(Some(1))));
        }
        // NVIDIA's hook and runtime give what the environment asks for. All GPUs are what images ask for, and some what a person
        // or a device plugin chose.
        let is_heeded = has_runtime || hooks("nvidia") || asked.flatten().is_some();
        asked.map(|some| if is_heeded { GivenGpus::Gpus(some) } else { GivenGpus::Perhaps(some) })
    }
}

/// The number of GPUs; `None` for all.
type Count = Option<usize>;

impl GpuConfig {
    /// By nodes such as `/dev/nvidia0`; others, such as `/dev/nvidiactl`, go with those or with parts of GPUs.
    fn devices(&self) -> Option<Count> {
        let devices = self.linux.iter().filter_map(|it| it.devices.as_ref()).flatten().flatten();
        let paths = devices.filter_map(|it| it.path.as_deref());
        let paths: Vec<_> = paths.filter(|it| it.starts_with(DEVICE) || *it == WINDOWS).collect();
        let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
        let count = paths.iter().filter(|it| it.strip_prefix(DEVICE).is_some_and(is_number)).count();
        (!paths.is_empty()).then_some(Some(count.max(1)))
    }

    fn annotated(&self) -> Option<Count> {
        let annotations = self.annotations.iter().flatten().filter(|(name, _)| name.starts_with(CDI));
        let devices = annotations.filter_map(|(_, it)| it.as_str()).flat_map(|it| it.split(','));
        count(devices.map(str::trim).filter(|it| it.starts_with(VENDOR)), |it| it.ends_with("=all"))
    }

    fn mounted(&self) -> Option<Count> {
        let mounts = self.mounts.iter().flatten().flatten().filter_map(|it| it.destination.as_deref());
        count(mounts.filter_map(|it| it.strip_prefix(MOUNTS)), |it| it == "all")
    }
}

/// None if there are none.
fn count<'a>(devices: impl Iterator<Item = &'a str>, is_all: impl Fn(&str) -> bool) -> Option<Count> {
    let devices: Vec<_> = devices.collect();
    if devices.is_empty() {
        return None;
    }
    // Several may be parts of one GPU.
    let some =
        if devices.len() == 1 { 1 } else { devices.iter().filter(|it| !it.contains("MIG")).count().max(1) };
    Some((!devices.iter().any(|it| is_all(it))).then_some(some))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ASKS: &str = "NVIDIA_VISIBLE_DEVICES=all";

    fn check(variable: &str, config: &str, expected: Option<GivenGpus>) {
        let given = Environment::of([variable]).given(config.as_bytes(), false);
        assert_eq!(given, expected, "{variable} {config}");
    }

    #[test]
    fn devices_are_given_whatever_the_environment_says() {
        let devices = |paths: &[&str]| {
            let devices: Vec<_> =
                paths.iter().map(|it| serde_json::json!({"path": it, "type": "c"})).collect();
            serde_json::json!({"linux": {"devices": devices}}).to_string()
        };
        let check =
            |paths: &[&str], expected| check("NVIDIA_VISIBLE_DEVICES=void", &devices(paths), expected);
        check(&["/dev/nvidiactl", "/dev/nvidia0", "/dev/nvidia12"], Some(GivenGpus::Gpus(Some(2))));
        check(&["/dev/nvidiactl", "/dev/nvidia-caps/nvidia-cap1"], Some(GivenGpus::Gpus(Some(1))));
        check(&["/dev/dxg"], Some(GivenGpus::Gpus(Some(1))));
        check(&["/dev/fuse", "/dev/dri/card0"], None);
    }

    #[test]
    fn devices_of_cdi_are_given() {
        let check = |devices: &str, expected| {
            let config =
                serde_json::json!({"annotations": {"cdi.k8s.io/a_b": devices, "c": "nvidia.com/gpu=0"}});
            self::check("", &config.to_string(), expected);
        };
        check("nvidia.com/gpu=0", Some(GivenGpus::Gpus(Some(1))));
        check("nvidia.com/gpu=0, nvidia.com/gpu=1", Some(GivenGpus::Gpus(Some(2))));
        check("nvidia.com/gpu=all", Some(GivenGpus::Gpus(None)));
        check("acme.com/nic=0", None);
    }

    #[test]
    fn an_environment_asks_and_nvidia_s_hook_or_a_choice_gives() {
        check(ASKS, "{}", Some(GivenGpus::Perhaps(None)));
        check(ASKS, r#"{"hooks": []}"#, Some(GivenGpus::Perhaps(None)));
        check(ASKS, r#"{"hooks": ["nvidia"]}"#, Some(GivenGpus::Gpus(None)));
        check("NVIDIA_VISIBLE_DEVICES=0,1", r#"{"hooks": ["nvidia"]}"#, Some(GivenGpus::Gpus(Some(2))));
        check("NVIDIA_VISIBLE_DEVICES=GPU-5ab0", "{}", Some(GivenGpus::Gpus(Some(1))));
        check("NVIDIA_VISIBLE_DEVICES=void", r#"{"hooks": ["nvidia"]}"#, None);
        check("", r#"{"hooks": ["nvidia"]}"#, None);
        check("", r#"{"hooks": ["nvidia", "nvidia-container-cli"]}"#, Some(GivenGpus::Gpus(Some(1))));
        let given = Environment::of([ASKS]).given(b"{}", true);
        assert_eq!(given, Some(GivenGpus::Gpus(None)));
    }

    #[test]
    fn mounts_for_nvidia_s_runtime_give() {
        let mount = |name: &str| {
            serde_json::json!({"mounts": [{"destination": format!("{MOUNTS}{name}")}, null]}).to_string()
        };
        check("", &mount("all"), Some(GivenGpus::Gpus(None)));
        check("", &mount("GPU-1"), Some(GivenGpus::Gpus(Some(1))));
    }

    #[test]
    fn what_is_no_config_gives_nothing() {
        for config in ["", r#"{"linux": {"devices": "/dev/nvidia0"}}"#, "null"] {
            check(ASKS, config, None);
        }
        check(
            ASKS,
            r#"{"linux": null, "mounts": null, "annotations": null, "hooks": null}"#,
            Some(GivenGpus::Perhaps(None)),
        );
    }
}
