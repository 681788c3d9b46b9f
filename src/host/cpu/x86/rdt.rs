//! The features of Intel's Resource Director Technology in a processor. AMD's Platform Quality of Service uses the same leaves.

use crate::host::cpu::cpuid::Cpuid;

/// Leaf 7: what EBX says there is to be asked further.
const MONITORING: u32 = 1 << 12;
const ALLOCATION: u32 = 1 << 15;

/// The abilities, under NFD's names (Intel's manual, volume 3, "Intel Resource Director Technology").
pub(super) fn abilities(cpuid: &Cpuid) -> impl Iterator<Item = &'static str> {
    monitoring(cpuid).into_iter().chain(allocation(cpuid)).flatten()
}

/// `RDTMON` takes monitoring of the last-level cache; the others say what of it: occupancy, and both bandwidths.
fn monitoring(cpuid: &Cpuid) -> [Option<&'static str>; 3] {
    const L3: u32 = 1 << 1;
    const OCCUPANCY: u32 = 1;
    const BANDWIDTHS: u32 = 0b110;
    if !has(cpuid, MONITORING) || !cpuid.reaches(0xf) || cpuid.leaf(0xf, 0).edx & L3 == 0 {
        return [None; 3];
    }
    let kinds = cpuid.leaf(0xf, 1).edx;
    [
        Some("RDTMON"),
        (kinds & OCCUPANCY != 0).then_some("RDTCMT"),
        (kinds & BANDWIDTHS == BANDWIDTHS).then_some("RDTMBM"),
    ]
}

/// The shares of what can be allotted: caches of both levels, and memory bandwidth.
fn allocation(cpuid: &Cpuid) -> [Option<&'static str>; 3] {
    if !has(cpuid, ALLOCATION) || !cpuid.reaches(0x10) {
        return [None; 3];
    }
    let kinds = cpuid.leaf(0x10, 0).ebx;
    [(1, "RDTL3CA"), (2, "RDTL2CA"), (3, "RDTMBA")].map(|(bit, name)| (kinds & 1 << bit != 0).then_some(name))
}

fn has(cpuid: &Cpuid, bit: u32) -> bool {
    cpuid.reaches(7) && cpuid.leaf(7, 0).ebx & bit != 0
}

#[cfg(test)]
mod tests {
    use super::super::dumps::Leaf;
    use super::*;

    const MON: Leaf = (7, 0, [0, MONITORING, 0, 0]);
    const ALLOC: Leaf = (7, 0, [0, ALLOCATION, 0, 0]);

    fn check(leaves: &[Leaf], expected: &str) {
        check_up_to(0x10, leaves, expected);
    }

    fn check_up_to(highest: u32, leaves: &[Leaf], expected: &str) {
        let cpuid = Cpuid::table(&[&[(0, 0, [highest, 0, 0, 0])], leaves].concat(), 0);
        assert_eq!(abilities(&cpuid).collect::<Vec<_>>().join(" "), expected, "{leaves:#x?}");
    }

    #[test]
    fn a_skylake_server_has_all_but_the_allocation_of_its_level_2_caches() {
        let leaves = [
            (7, 0, [0, 0xd39f_fffb, 0x8, 0x9c00_0400]),
            (0xf, 0, [0, 0xdf, 0, 2]),
            (0xf, 1, [0, 0x1_4000, 0xdf, 7]),
            (0x10, 0, [0, 0xa, 0, 0]),
        ];
        check(&leaves, "RDTMON RDTCMT RDTMBM RDTL3CA RDTMBA");
    }

    #[test]
    fn monitoring_is_of_the_last_level_cache() {
        let all = (0xf, 1, [0, 0, 0, 7]);
        check(&[MON, (0xf, 0, [0, 0, 0, 2]), all], "RDTMON RDTCMT RDTMBM");
        check(&[MON, (0xf, 0, [0, 0, 0, 1]), all], "");
        check(&[ALLOC, (0xf, 0, [0, 0, 0, 2]), all], "");
    }

    #[test]
    fn bandwidth_is_monitored_if_both_local_and_total_are() {
        for (kinds, expected) in
            [(0, "RDTMON"), (1, "RDTMON RDTCMT"), (2, "RDTMON"), (4, "RDTMON"), (6, "RDTMON RDTMBM")]
        {
            check(&[MON, (0xf, 0, [0, 0, 0, 2]), (0xf, 1, [0, 0, 0, kinds])], expected);
        }
    }

    #[test]
    fn each_kind_of_allocation_has_a_bit() {
        for (kinds, expected) in
            [(1, ""), (2, "RDTL3CA"), (4, "RDTL2CA"), (8, "RDTMBA"), (14, "RDTL3CA RDTL2CA RDTMBA")]
        {
            check(&[ALLOC, (0x10, 0, [0, kinds, 0, 0])], expected);
            check(&[MON, (0x10, 0, [0, kinds, 0, 0])], "");
        }
    }

    #[test]
    fn leaves_beyond_the_highest_one_say_nothing() {
        check_up_to(6, &[MON, (0xf, 0, [0, 0, 0, 2])], "");
        check_up_to(0xe, &[MON, (0xf, 0, [0, 0, 0, 2])], "");
        check_up_to(0xf, &[ALLOC, (0x10, 0, [0, 14, 0, 0])], "");
    }
}
