//! Asks the processor about itself, each question at most once. Never interprets an answer.
//!
//! Under a hypervisor each CPUID instruction traps and takes 1 to 70 microseconds, so nothing is asked in advance.

use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;

/// The first leaf of the extended range; it holds that range's highest leaf.
const EXTENDED: u32 = 0x8000_0000;

/// What the processor says of itself: the CPUID instruction and the register XCR0.
///
/// Intel's manual, volume 2, "CPUID", and AMD's, volume 3, appendix E, describe each leaf.
#[derive(Debug)]
pub(super) struct Cpuid {
    processor: Processor,
    answers: RefCell<BTreeMap<(u32, u32), Regs>>,
    xcr0: OnceCell<u64>,
}

/// The four registers that hold the answer to one leaf.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Regs {
    pub(super) eax: u32,
    pub(super) ebx: u32,
    pub(super) ecx: u32,
    pub(super) edx: u32,
}

/// Who answers.
#[derive(Debug)]
enum Processor {
    /// The one that we run on.
    #[cfg(target_arch = "x86_64")]
    Ours,
    /// One with only these leaves known; the others are zero, as beyond the highest leaf of AMD's.
    #[cfg(test)]
    Table { leaves: BTreeMap<(u32, u32), Regs>, xcr0: u64 },
}

impl Cpuid {
    /// The processor that we run on.
    #[cfg(target_arch = "x86_64")]
    pub(super) fn of_this_machine() -> Self {
        Self { processor: Processor::Ours, answers: RefCell::default(), xcr0: OnceCell::new() }
    }

    /// The answer to a leaf (EAX on input) and sub-leaf (ECX on input). The caller checks that there is such a leaf:
    /// Intel's processors answer for their highest basic leaf otherwise.
    pub(super) fn leaf(&self, leaf: u32, subleaf: u32) -> Regs {
        let mut answers = self.answers.borrow_mut();
        *answers.entry((leaf, subleaf)).or_insert_with(|| self.processor.cpuid(leaf, subleaf))
    }

    /// Whether the processor has a leaf, by the highest one that it names for the basic or the extended range.
    pub(super) fn reaches(&self, leaf: u32) -> bool {
        let range = if leaf < EXTENDED { 0 } else { EXTENDED };
        leaf <= self.leaf(range, 0).eax
    }

    /// The states that the operating system saves (bit 1: XMM, 2: YMM, 5 to 7: ZMM and masks); none without OSXSAVE.
    pub(super) fn xcr0(&self) -> u64 {
        const OSXSAVE: u32 = 1 << 27;
        let osxsave = self.leaf(1, 0).ecx & OSXSAVE != 0;
        *self.xcr0.get_or_init(|| if osxsave { self.processor.xgetbv() } else { 0 })
    }
}

impl Processor {
    fn cpuid(&self, leaf: u32, subleaf: u32) -> Regs {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Ours => {
                let answer = std::arch::x86_64::__cpuid_count(leaf, subleaf);
                Regs { eax: answer.eax, ebx: answer.ebx, ecx: answer.ecx, edx: answer.edx }
            }
            #[cfg(test)]
            Self::Table { leaves, .. } => leaves.get(&(leaf, subleaf)).copied().unwrap_or_default(),
        }
    }

    /// Reads XCR0, for [`Cpuid::xcr0`] only, which has seen that the processor has OSXSAVE.
    fn xgetbv(&self) -> u64 {
        match self {
            #[cfg(target_arch = "x86_64")]
            #[expect(unsafe_code, reason = "there is no safe way to read XCR0")]
            // SAFETY: the one precondition of `_xgetbv` is that the processor has the instruction and that the operating
            // system has enabled it; CPUID.1:ECX.OSXSAVE says both, and our caller has seen it set. XCR0 is there
            // whenever the instruction is.
            Self::Ours => unsafe { std::arch::x86_64::_xgetbv(0) },
            #[cfg(test)]
            Self::Table { xcr0, .. } => *xcr0,
        }
    }
}

#[cfg(test)]
impl Cpuid {
    /// A processor with only these leaves known (leaf, sub-leaf, EAX, EBX, ECX, EDX).
    pub(super) fn table(leaves: &[(u32, u32, [u32; 4])], xcr0: u64) -> Self {
        let leaves = leaves.iter().map(|&(leaf, subleaf, [eax, ebx, ecx, edx])| {
            let regs = Regs { eax, ebx, ecx, edx };
            ((leaf, subleaf), regs)
        });
        let processor = Processor::Table { leaves: leaves.collect(), xcr0 };
        Self { processor, answers: RefCell::default(), xcr0: OnceCell::new() }
    }

    /// The leaves and sub-leaves that were asked for so far: live, each one is an instruction that traps.
    pub(super) fn asked(&self) -> Vec<(u32, u32)> {
        self.answers.borrow().keys().copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_is_asked_for_once() {
        let cpuid = Cpuid::table(&[(7, 1, [1, 2, 3, 4])], 0);
        assert_eq!(cpuid.leaf(7, 1), Regs { eax: 1, ebx: 2, ecx: 3, edx: 4 });
        assert_eq!(cpuid.leaf(7, 1), Regs { eax: 1, ebx: 2, ecx: 3, edx: 4 });
        assert_eq!(cpuid.asked(), [(7, 1)]);
    }

    #[test]
    fn each_range_has_its_own_highest_leaf() {
        let cpuid = Cpuid::table(&[(0, 0, [7, 0, 0, 0]), (EXTENDED, 0, [EXTENDED + 8, 0, 0, 0])], 0);
        let reached = [0, 7, 8, EXTENDED, EXTENDED + 8, EXTENDED + 9].map(|it| cpuid.reaches(it));
        assert_eq!(reached, [true, true, false, true, true, false]);
    }

    #[test]
    fn a_processor_without_the_extended_range_reaches_none_of_it() {
        let cpuid = Cpuid::table(&[(0, 0, [7, 0, 0, 0])], 0);
        assert!(!cpuid.reaches(EXTENDED + 1));
    }

    #[test]
    fn xcr0_is_not_read_without_osxsave() {
        let xcr0 = |ecx| Cpuid::table(&[(1, 0, [0, 0, ecx, 0])], 0xe7).xcr0();
        assert_eq!(xcr0(1 << 26), 0);
        assert_eq!(xcr0(1 << 27), 0xe7);
    }
}
