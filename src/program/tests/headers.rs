//! Headers and notes of ELF files, also of those that lie.

use super::*;

#[test]
fn properties_are_read_as_the_loader_reads_them() {
    let check = |notes: &[u8], expected: u32| assert_eq!(elf::levels(notes), expected, "{notes:?}");
    check(&isa(4), 4);
    check(b"", 0);
    check(&[isa(4), isa(8)].concat(), 0);
    check(&properties(&[(0xc000_8002, &[4, 0, 0, 0]), (0xc000_0002, &[1, 0, 0, 0])]), 4);
    check(&properties(&[(0xd000_0000, &[1, 0, 0, 0]), (0xc000_8002, &[4, 0, 0, 0])]), 0);
    check(&properties(&[(0xc000_8002, &[4, 0, 0, 0, 0, 0, 0, 0])]), 0);
    // Sizes that lie.
    let mut long = isa(4);
    long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    check(&long, 0);
    let mut name = isa(4);
    name[0..4].copy_from_slice(&u32::MAX.to_le_bytes());
    check(&name, 0);
    let mut value = isa(4);
    value[20..24].copy_from_slice(&u32::MAX.to_le_bytes());
    check(&value, 0);
    for end in 0..isa(4).len() {
        assert_eq!(elf::levels(&isa(4)[..end]), 0, "{end}");
    }
    // Another note before it.
    let build_id =
        [&4_u32.to_le_bytes()[..], &8_u32.to_le_bytes(), &3_u32.to_le_bytes(), b"GNU\0", &[7; 8]].concat();
    check(&[build_id, isa(2)].concat(), 2);
}

#[test]
fn headers_that_lie_demand_nothing() {
    let program = elf(NATIVE, &[(INTERP, b"/lib/gone.so\0"), (NOTE, &isa(8)), (PROPERTY, &isa(8))]);
    for (at, value) in [(32, u64::MAX), (40, u64::MAX), (64 + 8, u64::MAX), (64 + 32, u64::MAX), (64 + 32, 0)]
    {
        let mut bytes = program.clone();
        bytes[at..at + 8].copy_from_slice(&value.to_le_bytes());
        let expected = if at == 40 { vec![missing("/app", "/lib/gone.so", false)] } else { Vec::new() };
        check(&Bundled::new().file("/app", bytes), "/app", &expected);
    }
    for count in [0, 200, u16::MAX] {
        let mut bytes = program.clone();
        bytes[56..58].copy_from_slice(&count.to_le_bytes());
        check(&Bundled::new().file("/app", bytes), "/app", &[]);
    }
    for end in 0..program.len() {
        let bundled = Bundled::new().file("/app", &program[..end]);
        assert!(bundled.look(&config("/app")).is_none_or(|it| it.demands.len() < 2), "{end}");
    }
    check(&Bundled::new().file("/app", elf(NATIVE, &[(INTERP, b"/lib/gone.so")])), "/app", &[]);
    check(&Bundled::new().file("/app", elf(NATIVE, &[(INTERP, b"\0\0")])), "/app", &[]);
}
