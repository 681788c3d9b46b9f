//! CPUID of some processors, for unit tests: the leaves that matter here, in the notation of `cpuid -r`.

use crate::host::cpu::cpuid::Cpuid;

/// A leaf and a sub-leaf of CPUID, and what EAX, EBX, ECX and EDX have there.
pub(super) type Leaf = (u32, u32, [u32; 4]);

/// A Xeon X5570 (Nehalem-EP): 64 bit, no AVX.
pub(super) fn nehalem() -> Cpuid {
    const LEAVES: [Leaf; 7] = [
        (0x0, 0, [0xb, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
        (0x1, 0, [0x0001_06a5, 0x0010_0800, 0x009c_e3bd, 0xbfeb_fbff]),
        (0x4, 0, [0x1c00_4121, 0x01c0_003f, 0x3f, 0]),
        (0xa, 0, [0x0730_0403, 0x44, 0, 0x603]),
        (0xb, 0, [1, 2, 0x100, 0]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0001, 0, [0, 0, 0x1, 0x2810_0800]),
    ];
    Cpuid::table(&LEAVES, 0)
}

/// A Xeon E5-2680 v3 (Haswell-EP): AVX2.
pub(super) fn haswell() -> Cpuid {
    const LEAVES: [Leaf; 8] = [
        (0x0, 0, [0xf, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
        (0x1, 0, [0x0003_06f2, 0x0020_0800, 0x7ffe_fbff, 0xbfeb_fbff]),
        (0x7, 0, [0, 0x37ab, 0, 0x9c00_0400]),
        (0xa, 0, [0x0730_0403, 0, 0, 0x603]),
        (0xb, 0, [1, 2, 0x100, 0]),
        (0xd, 1, [0x1, 0, 0, 0]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0001, 0, [0, 0, 0x21, 0x2c10_0800]),
    ];
    Cpuid::table(&LEAVES, 0x7)
}

/// A Xeon Gold 6148 (Skylake-SP): AVX-512, TSX, MPX and protection keys.
pub(super) fn skylake_sp() -> Cpuid {
    const LEAVES: [Leaf; 8] = [
        (0x0, 0, [0x16, 0x756e_6547, 0x6c65_746e, 0x4965_6e69]),
        (0x1, 0, [0x0005_0654, 0x0020_0800, 0x7ffe_fbff, 0xbfeb_fbff]),
        (0x7, 0, [0, 0xd39f_fffb, 0x8, 0x9c00_0400]),
        (0xa, 0, [0x0730_0404, 0, 0, 0x603]),
        (0xb, 0, [1, 2, 0x100, 0]),
        (0xd, 1, [0xf, 0xa20, 0x100, 0]),
        (0x8000_0000, 0, [0x8000_0008, 0, 0, 0]),
        (0x8000_0001, 0, [0, 0, 0x121, 0x2c10_0800]),
    ];
    Cpuid::table(&LEAVES, 0x2ff)
}

/// QEMU's default processor model `qemu64`, under KVM.
pub(super) fn qemu64() -> Cpuid {
    const LEAVES: [Leaf; 6] = [
        (0x0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
        (0x1, 0, [0x0006_0fb1, 0x0000_0800, 0x8020_2001, 0x078b_fbfd]),
        (0xb, 0, [0, 1, 0x100, 0]),
        (0x4000_0000, 0, [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d]),
        (0x8000_0000, 0, [0x8000_000a, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
        (0x8000_0001, 0, [0x0006_0fb1, 0, 0x1, 0x2193_fbfd]),
    ];
    Cpuid::table(&LEAVES, 0)
}

/// A guest on an EPYC 7003 (Zen 3) under KVM, with a processor model that hides much.
pub(super) fn epyc_guest() -> Cpuid {
    const LEAVES: [Leaf; 13] = [
        (0x0, 0, [0xd, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
        (0x1, 0, [0x00a0_0f11, 0x0102_0800, 0xfffa_3203, 0x178b_fbff]),
        (0x7, 0, [0, 0x219c_07ab, 0x0040_0684, 0x10]),
        (0xb, 0, [0, 1, 0x100, 1]),
        (0xd, 1, [0xf, 0x368, 0x1800, 0]),
        (0x4000_0000, 0, [0x4000_0001, 0x4b4d_564b, 0x564b_4d56, 0x4d]),
        (0x8000_0000, 0, [0x8000_0021, 0x6874_7541, 0x444d_4163, 0x6974_6e65]),
        (0x8000_0001, 0, [0x00a0_0f11, 0x4000_0000, 0x0040_03f3, 0x2fd3_fbff]),
        (0x8000_0007, 0, [0, 0, 0, 0x100]),
        (0x8000_0008, 0, [0x0030_3030, 0x1000_0005, 0x7001, 0]),
        (0x8000_001a, 0, [0x2, 0, 0, 0]),
        (0x8000_001e, 0, [1, 1, 0, 0]),
        (0x8000_0021, 0, [0x204, 0, 0x86, 0]),
    ];
    Cpuid::table(&LEAVES, 0x7)
}
