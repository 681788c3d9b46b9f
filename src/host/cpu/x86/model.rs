//! The vendor, the model and the hypervisor of a processor. Never guesses: a vendor that is not in the list is unknown.

use crate::host::cpu::cpuid::Cpuid;
use crate::host::cpu::sanitized;

/// [`vendor`] of Intel's processors.
pub(super) const INTEL: &str = "Intel";
/// [`vendor`] of AMD's processors.
pub(super) const AMD: &str = "AMD";

/// Signatures and the names that NFD has for them; processors and hypervisors are in one list there.
static VENDORS: [(&[u8], &str); 24] = [
    (b"GenuineIntel", INTEL),
    (b"AuthenticAMD", AMD),
    (b"AMDisbetter!", AMD),
    (b"HygonGenuine", "Hygon"),
    (b"CentaurHauls", "VIA"),
    (b"VIA VIA VIA ", "VIA"),
    (b"TransmetaCPU", "Transmeta"),
    (b"GenuineTMx86", "Transmeta"),
    (b"Geode by NSC", "NSC"),
    (b"Vortex86 SoC", "SiS"),
    (b"SiS SiS SiS ", "SiS"),
    (b"RiseRiseRise", "SiS"),
    (b"Genuine  RDC", "RDC"),
    (b"KVMKVMKVM", "KVM"),
    (b"Linux KVM Hv", "KVM"),
    (b"TCGTCGTCGTCG", "QEMU"),
    (b"Microsoft Hv", "MSVM"),
    (b"VMwareVMware", "VMware"),
    (b"XenVMMXenVMM", "XenHVM"),
    (b"bhyve bhyve ", "Bhyve"),
    (b"QNXQVMBSQG", "QNX"),
    (b"ACRNACRNACRN", "ACRN"),
    (b"SRESRESRESRE", "SRE"),
    (b"Apple VZ", "Apple"),
];

/// Who made the processor, such as `Intel`; `VendorUnknown` for a signature that NFD does not know.
pub(super) fn vendor(cpuid: &Cpuid) -> &'static str {
    let it = cpuid.leaf(0, 0);
    known_vendor(&text([it.ebx, it.edx, it.ecx])).unwrap_or("VendorUnknown")
}

/// The family, such as 6 for most of Intel's and 25 for Zen 3 and 4.
pub(super) fn family(cpuid: &Cpuid) -> u32 {
    let signature = signature(cpuid);
    match signature >> 8 & 0xf {
        0xf => 0xf + (signature >> 20 & 0xff),
        family => family,
    }
}

/// The model within the family.
pub(super) fn model(cpuid: &Cpuid) -> u32 {
    let signature = signature(cpuid);
    let model = signature >> 4 & 0xf;
    let extended = signature >> 12 & 0xf0;
    if matches!(signature >> 8 & 0xf, 0x6 | 0xf) { model + extended } else { model }
}

/// The hypervisor, such as `kvm`; its own name for itself if NFD does not know it, `unknown` if it has none, and `none` on
/// bare metal.
pub(super) fn hypervisor(cpuid: &Cpuid) -> String {
    if !super::flags::has(cpuid, "HYPERVISOR") {
        return "none".to_owned();
    }
    // A range of its own for hypervisors: neither the basic nor the extended highest leaf covers it.
    let it = cpuid.leaf(0x4000_0000, 0);
    let name = text([it.ebx, it.ecx, it.edx]);
    match known_vendor(&name) {
        Some(vendor) => vendor.to_ascii_lowercase(),
        None if name.is_empty() => "unknown".to_owned(),
        None => sanitized(&name),
    }
}

/// The text in some registers, up to the first NUL.
pub(super) fn text(registers: [u32; 3]) -> Vec<u8> {
    registers.into_iter().flat_map(u32::to_le_bytes).take_while(|it| *it != 0).collect()
}

/// EAX of leaf 1; zero, and so are family and model, where there is none.
fn signature(cpuid: &Cpuid) -> u32 {
    if cpuid.reaches(1) { cpuid.leaf(1, 0).eax } else { 0 }
}

fn known_vendor(signature: &[u8]) -> Option<&'static str> {
    VENDORS.iter().find(|(it, _)| *it == signature).map(|(_, name)| *name)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The registers that hold a signature of up to 12 characters, in the order of its parts.
    fn registers(text: &str) -> [u32; 3] {
        let mut bytes = text.bytes().chain(std::iter::repeat(0));
        std::array::from_fn(|_| u32::from_le_bytes(std::array::from_fn(|_| bytes.next().unwrap())))
    }

    fn check_vendor(signature: &str, expected: &str) {
        let [ebx, edx, ecx] = registers(signature);
        assert_eq!(vendor(&Cpuid::table(&[(0, 0, [1, ebx, ecx, edx])], 0)), expected);
    }

    fn check_hypervisor(signature: &str, expected: &str) {
        let [ebx, ecx, edx] = registers(signature);
        let leaves = [(0, 0, [1, 0, 0, 0]), (1, 0, [0, 0, 1 << 31, 0]), (0x4000_0000, 0, [0, ebx, ecx, edx])];
        assert_eq!(hypervisor(&Cpuid::table(&leaves, 0)), expected);
    }

    fn check_model(signature: u32, expected: (u32, u32)) {
        let cpuid = Cpuid::table(&[(0, 0, [1, 0, 0, 0]), (1, 0, [signature, 0, 0, 0])], 0);
        assert_eq!((family(&cpuid), model(&cpuid)), expected, "{signature:#x}");
    }

    #[test]
    fn vendors_are_known_by_their_signatures() {
        for (signature, expected) in [
            ("GenuineIntel", "Intel"),
            ("AuthenticAMD", "AMD"),
            ("AMDisbetter!", "AMD"),
            ("HygonGenuine", "Hygon"),
            ("CentaurHauls", "VIA"),
            ("VIA VIA VIA ", "VIA"),
            ("TransmetaCPU", "Transmeta"),
            ("GenuineTMx86", "Transmeta"),
            ("Geode by NSC", "NSC"),
            ("Vortex86 SoC", "SiS"),
            ("SiS SiS SiS ", "SiS"),
            ("RiseRiseRise", "SiS"),
            ("Genuine  RDC", "RDC"),
            ("TCGTCGTCGTCG", "QEMU"),
            ("  Shanghai  ", "VendorUnknown"),
            ("genuineintel", "VendorUnknown"),
            ("", "VendorUnknown"),
        ] {
            check_vendor(signature, expected);
        }
    }

    #[test]
    fn hypervisors_are_known_by_their_signatures() {
        for (signature, expected) in [
            ("KVMKVMKVM", "kvm"),
            ("Linux KVM Hv", "kvm"),
            ("TCGTCGTCGTCG", "qemu"),
            ("Microsoft Hv", "msvm"),
            ("VMwareVMware", "vmware"),
            ("XenVMMXenVMM", "xenhvm"),
            ("bhyve bhyve ", "bhyve"),
            ("QNXQVMBSQG", "qnx"),
            ("ACRNACRNACRN", "acrn"),
            ("SRESRESRESRE", "sre"),
            ("Apple VZ", "apple"),
            ("GenuineIntel", "intel"), // no such leaf: the processor answers for another
        ] {
            check_hypervisor(signature, expected);
        }
    }

    #[test]
    fn a_hypervisor_that_nfd_does_not_know_keeps_its_name() {
        check_hypervisor("Jailhouse", "Jailhouse");
        check_hypervisor(" lrpepyh  vr", "_lrpepyh_vr");
        check_hypervisor("a_ b-.9", "a__b-.9");
        check_hypervisor("prl\u{1f}é", "prl_");
        check_hypervisor("", "unknown");
    }

    #[test]
    fn without_the_flag_there_is_no_hypervisor() {
        let [ebx, ecx, edx] = registers("KVMKVMKVM");
        let leaves =
            [(0, 0, [1, 0, 0, 0]), (1, 0, [0, 0, 0x7fff_ffff, 0]), (0x4000_0000, 0, [0, ebx, ecx, edx])];
        assert_eq!(hypervisor(&Cpuid::table(&leaves, 0)), "none");
    }

    #[test]
    fn family_and_model_are_extended_where_the_manuals_say_so() {
        check_model(0x0003_06f2, (6, 63)); // Haswell-EP
        check_model(0x0005_0654, (6, 85)); // Skylake-SP
        check_model(0x00a0_0f11, (25, 1)); // Zen 3
        check_model(0x00b0_0f21, (26, 2)); // Zen 5
        check_model(0x0006_0fb1, (15, 107)); // qemu64
        check_model(0x0ff1_0543, (5, 4)); // the extension counts for families 6 and 15 only
    }

    #[test]
    fn without_leaf_1_family_and_model_are_zero() {
        let cpuid = Cpuid::table(&[(1, 0, [0x0003_06f2, 0, 0, 0])], 0);
        assert_eq!((family(&cpuid), model(&cpuid)), (0, 0));
    }
}
