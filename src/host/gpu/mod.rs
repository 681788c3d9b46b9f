//! GPUs that a driver has made ready for computing, by vendor. Loads no driver, and opens no device.

pub(super) mod amd;
pub(super) mod intel;
pub(super) mod nvidia;
mod cuda;
mod models;

use super::{Fact, Probing, Unknown};

pub use cuda::driver_for as driver_for_cuda;

const PCI: &str = "/sys/bus/pci/devices";
/// Base classes of the PCI code and ID assignment specification: display controllers and processing accelerators.
const CLASSES: [&str; 2] = ["03", "12"];

/// The fact that no driver has made a GPU ready; with what stands for one on the PCI bus all the same, where that can be
/// read.
fn absent(probing: &Probing<'_>, place: &str, vendor: &str) -> Fact {
    let idle = match idle(probing, vendor) {
        Ok(Some(idle)) => format!("; {idle}"),
        // It would only explain what is certain anyway.
        Ok(None) | Err(_) => String::new(),
    };
    Fact::Absent(format!("{place}{idle}"))
}

/// The first GPU of a vendor, given as on the bus (`0x8086`), in words.
fn idle(probing: &Probing<'_>, vendor: &str) -> Result<Option<String>, Unknown> {
    for address in probing.list(PCI)?.unwrap_or_default() {
        let text = |name: &str| {
            let text = probing.text(&format!("{PCI}/{address}/{name}"))?;
            Ok::<_, Unknown>(text.map(|it| it.trim().trim_start_matches("0x").to_owned()).unwrap_or_default())
        };
        if text("vendor")? != vendor
            || !CLASSES.iter().any(|it| text("class").is_ok_and(|of| of.starts_with(it)))
        {
            continue;
        }
        let link = format!("{PCI}/{address}/driver");
        let driver = match probing.surely(&link, probing.root.link_name(&link))? {
            Some(driver) => format!("belongs to driver {driver}"),
            None => "has no driver".to_owned(),
        };
        return Ok(Some(format!("GPU {address} ({vendor}:{}) {driver}", text("device")?)));
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::testing::told;
    use crate::testing::FakeHost;

    fn host() -> FakeHost {
        let device = |host: FakeHost, address: &str, vendor: &str, class: &str| {
            let folder = format!("/sys/bus/pci/devices/{address}");
            host.file(&format!("{folder}/vendor"), vendor)
                .file(&format!("{folder}/class"), class)
                .file(&format!("{folder}/device"), "0xe20b\n")
        };
        let host = FakeHost::new().file("/proc/version", "Linux").folder("/sys/class/drm");
        let host = device(host, "0000:00:01.0", "0x8086\n", "0x020000\n");
        let host = device(host, "0000:03:00.0", "0x8086\n", "0x030000\n");
        device(host, "0000:04:00.0", "0x10de\n", "0x030200\n")
            .link("/sys/bus/pci/devices/0000:04:00.0/driver", "../../../../bus/pci/drivers/nouveau")
    }

    #[test]
    fn a_gpu_that_no_driver_of_its_vendor_has_is_named() {
        let check = |feature: &str, expected: &str| assert_eq!(told(&host(), feature), expected);
        check("gpu.intel", "absent (/sys/class/drm; GPU 0000:03:00.0 (8086:e20b) has no driver)");
        check(
            "gpu.nvidia",
            "absent (/proc/driver/nvidia/version; GPU 0000:04:00.0 (10de:e20b) belongs to driver nouveau)",
        );
        check("gpu.amd", "absent (/sys/module/amdgpu)");
    }

    #[test]
    fn a_bus_that_cannot_be_read_takes_nothing_from_what_is_certain() {
        let host = FakeHost::new().folder("/sys/class/drm").unreadable("/sys/bus/pci/devices");
        assert_eq!(told(&host, "gpu.intel"), "absent (/sys/class/drm)");
    }
}
