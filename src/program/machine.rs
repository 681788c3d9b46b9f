//! The machines of programs, by the headers of ELF files (`elf.h`, elf(5)).

/// The first bytes of every ELF file.
pub const MAGIC: &[u8] = b"\x7fELF";

/// A kind of machine.
#[derive(Debug, PartialEq, Eq)]
pub struct Machine {
    /// Its name: Go's name if Go has one, except for x86-64 and ppc64le, which have their usual names.
    pub name: &'static str,
    /// `e_machine`.
    code: u16,
    /// `EI_CLASS`: 1 for 32 bits, 2 for 64; 0 if it makes no difference.
    class: u8,
    /// `EI_DATA`: 1 for little-endian, 2 for big-endian.
    data: u8,
}

/// The 64-bit machine of most servers.
pub const X86_64: &str = "x86-64";
/// Programs with pointers of 32 bits that use the instructions of x86-64.
pub const X32: &str = "x32";
/// The 32-bit machine before x86-64.
pub const I386: &str = "i386";
/// 64-bit Arm.
pub const ARM64: &str = "arm64";
/// 32-bit Arm.
pub const ARM: &str = "arm";

const fn row(name: &'static str, code: u16, class: u8, data: u8) -> Machine {
    Machine { name, code, class, data }
}

/// All known machines.
pub static MACHINES: [Machine; 24] = [
    row(X86_64, 62, 2, 1),
    row(X32, 62, 1, 1),
    row(I386, 3, 0, 1),
    row(ARM64, 183, 2, 1),
    row(ARM, 40, 1, 1),
    row("armeb", 40, 1, 2),
    row("ppc64le", 21, 2, 1),
    row("ppc64", 21, 2, 2),
    row("ppc", 20, 1, 2),
    row("s390x", 22, 2, 2),
    row("s390", 22, 1, 2),
    row("riscv64", 243, 2, 1),
    row("riscv32", 243, 1, 1),
    row("loong64", 258, 2, 1),
    row("mips", 8, 1, 2),
    row("mipsle", 8, 1, 1),
    row("mips64", 8, 2, 2),
    row("mips64le", 8, 2, 1),
    row("sparc", 2, 1, 2),
    row("sparc64", 43, 2, 2),
    row("alpha", 0x9026, 2, 1),
    row("m68k", 4, 1, 2),
    row("sh4", 42, 1, 1),
    row("hppa", 15, 1, 2),
];

impl Machine {
    /// The machine with this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        MACHINES.iter().find(|it| it.name == name)
    }

    /// The machine of a file that starts with these bytes; `None` if it is no ELF file, or for an unknown machine.
    pub fn of(start: &[u8]) -> Option<&'static Self> {
        if !start.starts_with(MAGIC) {
            return None;
        }
        let (class, data) = (*start.get(4)?, *start.get(5)?);
        let bytes = [*start.get(18)?, *start.get(19)?];
        let code = match data {
            1 => u16::from_le_bytes(bytes),
            2 => u16::from_be_bytes(bytes),
            _ => return None,
        };
        // The kernel of x86-64 ignores the class: the size of the program headers decides which of its two loaders takes the file,
        // and the 64-bit one is tried first (`load_elf_phdrs` in `fs/binfmt_elf.c`).
        let class = match code {
            62 if half(start, 54) == Some(56) => 2,
            _ => class,
        };
        let fits = |it: &&Self| it.code == code && it.data == data && (it.class == 0 || it.class == class);
        MACHINES.iter().find(fits)
    }

    /// The bytes in which the headers of its programs differ from others, with their offsets. Programs of a machine without a
    /// class may have either.
    pub fn marks(&self) -> Vec<(usize, u8)> {
        let code = if self.data == 1 { self.code.to_le_bytes() } else { self.code.to_be_bytes() };
        let mut marks: Vec<_> = MAGIC.iter().copied().enumerate().collect();
        if self.class != 0 {
            marks.push((4, self.class));
        }
        marks.extend([(5, self.data), (18, code[0]), (19, code[1])]);
        marks
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(class: u8, data: u8, code: [u8; 2], phentsize: u8) -> Vec<u8> {
        let mut bytes = vec![0; 64];
        bytes[..4].copy_from_slice(MAGIC);
        (bytes[4], bytes[5]) = (class, data);
        bytes[18..20].copy_from_slice(&code);
        bytes[if phentsize == 56 { 54 } else { 42 }] = phentsize;
        bytes
    }

    #[test]
    fn the_header_tells_the_machine() {
        let check = |header: Vec<u8>, expected: Option<&str>| {
            assert_eq!(Machine::of(&header).map(|it| it.name), expected, "{header:?}");
        };
        check(header(2, 1, [62, 0], 56), Some("x86-64"));
        check(header(1, 1, [62, 0], 32), Some("x32"));
        // The kernel takes it, whatever it says of its class.
        check(header(1, 1, [62, 0], 56), Some("x86-64"));
        check(header(1, 1, [3, 0], 32), Some("i386"));
        check(header(2, 1, [3, 0], 32), Some("i386"));
        check(header(2, 1, [183, 0], 56), Some("arm64"));
        check(header(2, 2, [0, 21], 56), Some("ppc64"));
        check(header(2, 1, [21, 0], 56), Some("ppc64le"));
        check(header(2, 1, [2, 1], 56), Some("loong64"));
        // Headers that lie, and unknown machines.
        check(header(2, 2, [62, 0], 56), None);
        check(header(2, 1, [0xed, 0xfe], 56), None);
        check(header(2, 0, [62, 0], 56), None);
        check(header(1, 1, [183, 0], 56), None);
        check(b"\x7fELF\x02\x01".to_vec(), None);
        check(b"#!/bin/sh\n".to_vec(), None);
        check(Vec::new(), None);
    }

    #[test]
    fn names_and_marks_tell_machines_apart() {
        for (index, machine) in MACHINES.iter().enumerate() {
            assert_eq!(Machine::named(machine.name), Some(machine));
            let others = MACHINES.iter().skip(index + 1);
            assert!(others.filter(|it| it.marks() == machine.marks()).count() == 0, "{}", machine.name);
        }
        let marks = [(0, 0x7f), (1, b'E'), (2, b'L'), (3, b'F'), (4, 2), (5, 1), (18, 183), (19, 0)];
        assert_eq!(Machine::named("arm64").map(Machine::marks), Some(marks.to_vec()));
    }
}
