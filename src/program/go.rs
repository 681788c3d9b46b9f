//! The level of x86-64 that a Go program checks when it starts. Go's linker writes the settings of the build into the file
//! (`debug/buildinfo`). A program that was built with `GOAMD64=v2` or more checks the CPU before anything else (`rt0_go` in
//! `runtime/asm_amd64.s`).

use super::elf::ElfHeader;
use super::files::Files;

/// The start of what Go's linker writes (`buildInfoMagic`). Go's own linker places it where the data begin.
const MAGIC: &[u8] = b"\xff Go buildinf:";
/// Of the byte behind the size of a pointer: the texts follow, since Go 1.18.
const HAS_TEXTS: u8 = 2;
/// Where they follow.
const TEXTS: usize = 32;
/// The bytes that are read at once. The settings are at the end of a text that names all modules first.
pub const PART: usize = 4096;
/// More bytes than any program writes about its build.
const MAX_TEXT: usize = 1 << 20;

/// The level that a program checks; zero if it is not certain that it checks one.
pub(super) fn level<F: Files>(image: &F, header: &ElfHeader, file: &F::Open) -> u8 {
    let text = header.data.filter(|_| header.is_go).and_then(|it| settings(image, file, it));
    text.as_deref().and_then(checked).unwrap_or_default()
}

/// The end of the text on the build, which starts at this place.
fn settings<F: Files>(image: &F, file: &F::Open, offset: u64) -> Option<Vec<u8>> {
    let bytes = image.part(file, offset, PART)?;
    let (from, end) = extent(&bytes)?;
    let size = end.checked_sub(from)?;
    match bytes.get(from..end) {
        Some(text) => Some(text.to_owned()),
        None => {
            let size = size.min(PART);
            let last = u64::try_from(end.checked_sub(size)?).ok()?;
            image.part(file, offset.checked_add(last)?, size).filter(|it| it.len() == size)
        }
    }
}

/// Where a file that starts with these bytes has the text on its build; `None` if Go did not build it, as far as is known.
pub fn place(start: &[u8]) -> Option<u64> {
    ElfHeader::of(start).filter(|it| it.is_go)?.data
}

/// Where that text ends, counted from its own start, of which these are the first [`PART`] bytes; `None` if there is none.
pub fn end(bytes: &[u8]) -> Option<usize> {
    extent(bytes).map(|(_, end)| end)
}

/// From where to where the text with the settings goes.
fn extent(bytes: &[u8]) -> Option<(usize, usize)> {
    if !bytes.starts_with(MAGIC) || *bytes.get(MAGIC.len() + 1)? != HAS_TEXTS {
        return None;
    }
    let (version, from) = length(bytes, TEXTS)?;
    let (size, from) = length(bytes, from.checked_add(version)?)?;
    Some((from, from.checked_add(size)?))
}

/// The length of a text (`encoding/binary`, varint), and the text's offset.
fn length(bytes: &[u8], mut at: usize) -> Option<(usize, usize)> {
    let mut length = 0;
    for shift in (0..21).step_by(7) {
        let byte = usize::from(*bytes.get(at)?);
        at += 1;
        length |= (byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some((length, at)).filter(|_| length <= MAX_TEXT);
        }
    }
    None
}

/// The level in these settings. Nothing is known of other compilers than Go's own.
fn checked(text: &[u8]) -> Option<u8> {
    let settings = || text.split(|it| *it == b'\n').filter_map(|it| it.strip_prefix(b"build\t"));
    if !settings().any(|it| it == b"-compiler=gc") {
        return None;
    }
    match settings().find_map(|it| it.strip_prefix(b"GOAMD64="))? {
        b"v2" => Some(2),
        b"v3" => Some(3),
        b"v4" => Some(4),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use super::super::image::RootFolder;
    use super::*;

    const SETTINGS: &str =
        "build\t-compiler=gc\nbuild\tCGO_ENABLED=0\nbuild\tGOARCH=amd64\nbuild\tGOAMD64=v3\n";

    fn text(text: &[u8]) -> Vec<u8> {
        let (mut bytes, mut left) = (Vec::new(), text.len());
        while left >= 0x80 {
            bytes.push(u8::try_from(left % 0x80).expect("seven bits") | 0x80);
            left /= 0x80;
        }
        bytes.push(u8::try_from(left).expect("seven bits"));
        [&bytes, text].concat()
    }

    fn info(settings: &str) -> Vec<u8> {
        let mut head = MAGIC.to_vec();
        head.extend([8, HAS_TEXTS]);
        head.resize(TEXTS, 0);
        let mark = [7; 16];
        let module = [&mark[..], b"path\tapp\nmod\tapp\t(devel)\n", settings.as_bytes(), &mark].concat();
        [head, text(b"go1.27.3"), text(&module)].concat()
    }

    fn level_in(header: &ElfHeader, file: &File) -> u8 {
        // The file is open, so that no folder matters.
        let image = RootFolder::new(File::open("/").expect("a folder").into());
        level(&image, header, file)
    }

    fn level_of(bytes: &[u8]) -> u8 {
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&[&[0; 100], bytes].concat()).expect("content");
        level_in(&ElfHeader { data: Some(100), is_go: true, ..ElfHeader::default() }, &file)
    }

    #[test]
    fn the_settings_of_the_build_tell_the_level() {
        assert_eq!(level_of(&info(SETTINGS)), 3);
        for (value, expected) in [("v1", 0), ("v2", 2), ("v4", 4), ("v5", 0), ("", 0)] {
            assert_eq!(level_of(&info(&SETTINGS.replace("v3", value))), expected, "{value}");
        }
        // Behind the names of many modules.
        let modules = "dep\tgithub.com/acme/module\tv1.2.3\th1:x\n".repeat(1000);
        assert_eq!(level_of(&info(&format!("{modules}{SETTINGS}"))), 3);
        // Too far apart.
        let flags = format!("build\t-ldflags=\"{}\"\n", "x".repeat(PART));
        assert_eq!(level_of(&info(&SETTINGS.replacen('\n', &format!("\n{flags}"), 1))), 0);
    }

    #[test]
    fn what_does_not_add_up_tells_nothing() {
        assert_eq!(level_of(&info(&SETTINGS.replace("=gc", "=gccgo"))), 0);
        assert_eq!(level_of(&info("build\tGOAMD64=v3\n")), 0);
        let whole = info(SETTINGS);
        for end in 0..whole.len() - "\n".len() - 16 {
            assert_eq!(level_of(&whole[..end]), 0, "{end}");
        }
        let changed = |at: usize, to: u8| {
            let mut bytes = whole.clone();
            bytes[at] = to;
            level_of(&bytes)
        };
        assert_eq!(changed(0, 0), 0);
        // As before Go 1.18, and with the highest byte first.
        assert_eq!(changed(15, 0), 0);
        assert_eq!(changed(15, 1), 0);
        // A length that lies.
        assert_eq!(changed(TEXTS, 0xff), 0);
        assert_eq!(changed(TEXTS + 9, 0xff), 0);
        let file = tempfile::tempfile().expect("a file");
        assert_eq!(
            level_in(&ElfHeader { data: Some(u64::MAX), is_go: true, ..ElfHeader::default() }, &file),
            0
        );
        assert_eq!(level_in(&ElfHeader { data: Some(0), ..ElfHeader::default() }, &file), 0);
    }
}
