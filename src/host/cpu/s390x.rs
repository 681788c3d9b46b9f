//! The features and the model of an IBM Z processor, by the kernel's names. Never executes an instruction to find out.

use super::hwcap::{self, Tables};
use super::{gathered, sanitized};
use crate::host::{Fact, Root, Unknown, Wanted};

/// In the order of their bits (`arch/s390/include/asm/elf.h`).
static TABLES: Tables = Tables {
    hwcap: &[(
        0,
        &[
            "ESAN3", "ZARCH", "STFLE", "MSA", "LDISP", "EIMM", "DFP", "EDAT", // 0 to 7
            "ETF3EH", "HIGHGPRS", "TE", "VX", "VXD", "VXE", "GS", "VXE2", // 8 to 15
            "VXP", "SORT", "DFLT", "VXP2", "NNPA", "PCIMIO", "SIE", // 16 to 22
        ],
    )],
    hwcap2: &[],
};

const CPUINFO: &str = "/proc/cpuinfo";
/// What the firmware and each hypervisor say of themselves (`arch/s390/kernel/sysinfo.c`).
const SYSINFO: &str = "/proc/sysinfo";
const SOURCE: &str = "/proc/cpuinfo and /proc/sysinfo";

/// `cpu.cpuid`, read from this machine.
pub(super) fn cpuid(root: &Root, _: &Wanted) -> Fact {
    hwcap::cpuid(root, &TABLES)
}

/// `cpu.model`, read from files, so that it works for a tree of them too.
pub(super) fn model(root: &Root, wanted: &Wanted) -> Fact {
    let mut elements = Vec::with_capacity(4);
    let names = ["vendor_id", "family", "id"];
    if names.iter().any(|it| wanted.has(it)) {
        match processor(root) {
            Ok(values) => elements.extend(names.into_iter().zip(values).map(|it| Ok(Some(it)))),
            Err(unknown) => elements.push(Err(unknown)),
        }
    }
    if wanted.has("hypervisor") {
        elements.push(hypervisor(root).map(|it| Some(("hypervisor", it))));
    }
    Fact::Known(gathered(elements), SOURCE.to_owned())
}

/// Vendor, family and model.
fn processor(root: &Root) -> Result<[String; 3], Unknown> {
    let text = root.read_text(CPUINFO).map_err(|miss| miss.unknown(CPUINFO))?;
    parse_processor(&text).ok_or_else(|| Unknown::new(CPUINFO, "lists no processor"))
}

/// As NFD picks them: the first `identification` (it holds the serial number of the first processor), the last
/// `machine`, and what it says of others where one of them is not told; none in a text without any of them.
fn parse_processor(text: &str) -> Option<[String; 3]> {
    let told = |key| values(text, key).filter(|it| !it.is_empty() && *it != "0");
    let vendor = told("vendor_id").next().map(|it| sanitized(it.as_bytes()));
    let family = told("identification").next().map(str::to_owned);
    let model = told("machine").next_back().map(str::to_owned);
    let is_told = vendor.is_some() || family.is_some() || model.is_some();
    is_told.then(|| {
        let zero = || "0".to_owned();
        [
            vendor.unwrap_or_else(|| "VendorUnknown".to_owned()),
            family.unwrap_or_else(zero),
            model.unwrap_or_else(zero),
        ]
    })
}

/// The values of a key: `vendor_id : IBM/S390` has a line of its own, `identification` and `machine` stand in one such
/// as `processor 0: version = FF,  identification = 0133E8,  machine = 8561` (`arch/s390/kernel/processor.c`).
fn values<'a>(text: &'a str, key: &str) -> impl DoubleEndedIterator<Item = &'a str> {
    let pairs = text.split(['\n', ',']).filter_map(|it| it.split_once([':', '=']));
    pairs.filter(move |(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

/// What the innermost hypervisor calls itself, such as `KVM_Linux`; `none` in a logical partition.
fn hypervisor(root: &Root) -> Result<String, Unknown> {
    let text = root.read_text(SYSINFO).map_err(|miss| miss.unknown(SYSINFO))?;
    if text.trim().is_empty() {
        return Err(Unknown::new(SYSINFO, "is empty"));
    }
    let line = text.lines().find(|it| it.contains("Control Program:"));
    let name = line.and_then(|it| it.split_once(':')).map(|(_, name)| sanitized(name.trim().as_bytes()));
    Ok(name.unwrap_or_else(|| "none".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{show, wanted};
    use crate::testing::FakeHost;

    /// In part, in the layout that `show_cpu_summary` and `show_cpu_ids` have.
    const Z15: &str = "vendor_id       : IBM/S390\n\
                       # processors    : 2\n\
                       features\t: esan3 zarch stfle msa ldisp eimm dfp edat etf3eh highgprs te vx\n\
                       cache0          : level=1 type=Data scope=Private size=128K line_size=256 associativity=8\n\
                       processor 0: version = FF,  identification = 0133E8,  machine = 8561\n\
                       processor 1: version = FF,  identification = 1133E8,  machine = 8562\n\
                       \n\
                       cpu number      : 0\n\
                       version         : FF\n";
    const KVM: &str = "Manufacturer:         IBM\nType:                 8561\n\n\
                       LPAR Number:          21\n\n\
                       VM00 Name:            guest\nVM00 Control Program: KVM/Linux\nVM00 CPUs Total:      2\n\
                       VM01 Control Program: z/VM    7.2.0\n";
    const LPAR: &str = "Manufacturer:         IBM\nLPAR Number:          21\n";

    fn host(cpuinfo: &str, sysinfo: &str) -> FakeHost {
        FakeHost::new().file(CPUINFO, cpuinfo).file(SYSINFO, sysinfo)
    }

    fn check(host: &FakeHost, expected: &str) {
        let expected = format!("known (/proc/cpuinfo and /proc/sysinfo): {expected}");
        assert_eq!(show(&model(&host.root(), &Wanted::All)), expected);
    }

    fn check_flags(hwcap: u64, expected: &str) {
        assert_eq!(TABLES.names(hwcap, u64::MAX).collect::<Vec<_>>().join(" "), expected);
    }

    #[test]
    fn a_flag_is_a_bit_of_the_first_word() {
        check_flags(0, "");
        check_flags(1 | 1 << 7 | 1 << 8 | 1 << 15 | 1 << 16 | 1 << 22, "ESAN3 EDAT ETF3EH VXE2 VXP SIE");
        check_flags(1024 | 131_072 | 1_048_576, "TE SORT NNPA");
    }

    #[test]
    fn bits_that_nfd_does_not_know_have_no_flag() {
        check_flags(1 << 23, "");
        assert_eq!(TABLES.names(u64::MAX, 0).count(), 23);
    }

    #[test]
    fn the_model_stands_in_the_kernels_list() {
        let model = r#"id="8562" vendor_id="IBM_S390""#;
        check(&host(Z15, KVM), &format!(r#"family="0133E8" hypervisor="KVM_Linux" {model}"#));
        check(&host(Z15, LPAR), &format!(r#"family="0133E8" hypervisor="none" {model}"#));
    }

    #[test]
    fn a_name_has_one_underscore_for_what_no_label_may_have() {
        let sysinfo = "VM00 Control Program: z/VM    7.2.0\n";
        let model = r#"family="0" hypervisor="z_VM_7.2.0" id="0" vendor_id="IBM_S390""#;
        check(&host("vendor_id : IBM/S390\n", sysinfo), model);
    }

    #[test]
    fn a_missing_vendor_and_hypervisor_have_nfd_s_names() {
        let cpuinfo = "vendor_id :\nidentification : 0\nmachine : 3931\n";
        let expected = r#"family="0" hypervisor="none" id="3931" vendor_id="VendorUnknown""#;
        check(&host(cpuinfo, LPAR), expected);
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let no_processor = r#"hypervisor="none" and maybe more: /proc/cpuinfo: lists no processor"#;
        check(&host("?\n", LPAR), no_processor);
        check(
            &FakeHost::new().file(SYSINFO, LPAR),
            r#"hypervisor="none" and maybe more: /proc/cpuinfo: is not there"#,
        );
        let processor = r#"family="0133E8" id="8562" vendor_id="IBM_S390" and maybe more: /proc/sysinfo:"#;
        check(&host(Z15, "\n"), &format!("{processor} is empty"));
        check(&FakeHost::new().file(CPUINFO, Z15), &format!("{processor} is not there"));
        let hidden = FakeHost::new().file(CPUINFO, Z15).unreadable(SYSINFO);
        check(&hidden, &format!("{processor} is a loop of symbolic links"));
    }

    #[test]
    fn no_more_is_read_than_the_wanted_attributes_take() {
        let told = |host: &FakeHost, names| show(&model(&host.root(), &wanted(names)));
        let source = "known (/proc/cpuinfo and /proc/sysinfo): ";
        let host = FakeHost::new().file(SYSINFO, KVM);
        assert_eq!(told(&host, &["hypervisor"]), format!(r#"{source}hypervisor="KVM_Linux""#));
        let host = FakeHost::new().file(CPUINFO, Z15);
        assert_eq!(
            told(&host, &["id"]),
            format!(r#"{source}family="0133E8" id="8562" vendor_id="IBM_S390""#)
        );
    }

    #[test]
    fn a_tree_of_files_has_no_flags() {
        let host = FakeHost::new();
        let reason = "can only be read on the machine itself, not from a tree of its files";
        let flags = show(&cpuid(&host.root(), &Wanted::All));
        assert_eq!(flags, format!("unknown: AT_HWCAP, AT_HWCAP2: {reason}"));
    }
}
