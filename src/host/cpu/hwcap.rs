//! Reads the kernel's description of the processor: the auxiliary vector. Knows no architecture's bits.

use super::elsewhere;
use crate::host::auxv::{AUXV, entry};
use crate::host::{Fact, Feature, Root, Unknown};

const SOURCE: &str = "AT_HWCAP, AT_HWCAP2";

/// Keys of the auxiliary vector (`include/uapi/linux/auxvec.h`).
const AT_HWCAP: usize = 16;
const AT_HWCAP2: usize = 26;

/// The names of neighbouring bits: the number of the first one, and the names from there on.
pub(super) type BitNames = (u32, &'static [&'static str]);

/// What the bits of an architecture's two words are called, as far as NFD knows them.
#[derive(Debug)]
pub(super) struct Tables {
    pub(super) hwcap: &'static [BitNames],
    pub(super) hwcap2: &'static [BitNames],
}

/// `cpu.cpuid`, as flags, read from this machine.
pub(super) fn cpuid(root: &Root, tables: &Tables) -> Fact {
    if !root.is_this_machine() {
        return Fact::Unknown(elsewhere(SOURCE));
    }
    // Not through `root`: a `/proc` of another PID namespace may not show this process.
    match capabilities(&Root::live()) {
        Ok((hwcap, hwcap2)) => Fact::Known(Feature::flags(tables.names(hwcap, hwcap2)), SOURCE.to_owned()),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

impl Tables {
    /// The names of the bits that are set in `AT_HWCAP` and `AT_HWCAP2`.
    pub(super) fn names(&self, hwcap: u64, hwcap2: u64) -> impl Iterator<Item = &'static str> {
        names(self.hwcap, hwcap).chain(names(self.hwcap2, hwcap2))
    }
}

fn names(runs: &'static [BitNames], bits: u64) -> impl Iterator<Item = &'static str> {
    let named = runs.iter().flat_map(|(first, names)| (*first..).zip(names.iter()));
    named.filter(move |(bit, _)| bits & 1 << bit != 0).map(|(_, name)| *name)
}

fn capabilities(live: &Root) -> Result<(u64, u64), Unknown> {
    let vector = live.read(AUXV).map_err(|miss| miss.unknown(AUXV))?;
    let hwcap = entry(&vector, AT_HWCAP).ok_or_else(|| Unknown::new(AUXV, "has no AT_HWCAP"))?;
    // Kernels that know no capability of the second word do not say so: the entry came with the first of them.
    Ok((hwcap, entry(&vector, AT_HWCAP2).unwrap_or(0)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    static TABLES: Tables = Tables { hwcap: &[(0, &["A"]), (30, &["B", "C", "D"])], hwcap2: &[(63, &["Z"])] };

    /// The auxiliary vector of a process on a Neoverse N1 (Graviton 2), in part: AT_PAGESZ, AT_HWCAP, AT_HWCAP2, AT_NULL.
    const NEOVERSE_N1: [(usize, usize); 4] = [(6, 4096), (AT_HWCAP, 0x1011_9fff), (AT_HWCAP2, 0), (0, 0)];

    fn vector(entries: &[(usize, usize)]) -> Vec<u8> {
        entries.iter().flat_map(|(key, value)| [key.to_ne_bytes(), value.to_ne_bytes()]).flatten().collect()
    }

    fn check_names(hwcap: u64, hwcap2: u64, expected: &str) {
        assert_eq!(TABLES.names(hwcap, hwcap2).collect::<Vec<_>>().join(" "), expected);
    }

    fn check(host: &FakeHost, expected: Result<(u64, u64), &str>) {
        assert_eq!(capabilities(&host.root()), expected.map_err(|reason| Unknown::new(AUXV, reason)));
    }

    #[test]
    fn a_run_of_names_begins_at_its_first_bit() {
        check_names(0, 0, "");
        check_names(1 | 1 << 29 | 1 << 30, 1, "A B");
        check_names(1 << 31 | 1 << 32 | 1 << 33, 1 << 63, "C D Z");
        check_names(u64::MAX, u64::MAX, "A B C D Z");
    }

    #[test]
    fn capabilities_stand_in_the_auxiliary_vector() {
        check(&FakeHost::new().file(AUXV, vector(&NEOVERSE_N1)), Ok((0x1011_9fff, 0)));
        let host = FakeHost::new().file(AUXV, vector(&[(AT_HWCAP2, 5), (AT_HWCAP, 3), (0, 0)]));
        check(&host, Ok((3, 5)));
    }

    #[test]
    fn an_old_kernel_says_nothing_of_the_second_word() {
        check(&FakeHost::new().file(AUXV, vector(&[(AT_HWCAP, 3), (0, 0)])), Ok((3, 0)));
    }

    #[test]
    fn a_vector_without_capabilities_is_not_a_processor_without_any() {
        let cut = vector(&[(AT_HWCAP, 3)]);
        for bytes in [vec![], vector(&[(0, 0)]), cut[..2 * size_of::<usize>() - 1].to_vec()] {
            check(&FakeHost::new().file(AUXV, bytes), Err("has no AT_HWCAP"));
        }
        check(&FakeHost::new(), Err("is not there"));
        check(&FakeHost::new().unreadable(AUXV), Err("is a loop of symbolic links"));
    }

    #[test]
    fn capabilities_of_another_machine_are_unknown() {
        let host = FakeHost::new().file(AUXV, vector(&NEOVERSE_N1));
        let reason = "can only be read on the machine itself, not from a tree of its files";
        assert_eq!(cpuid(&host.root(), &TABLES), Fact::Unknown(Unknown::new(SOURCE, reason)));
    }
}
