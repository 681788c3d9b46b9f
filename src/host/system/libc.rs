//! `system.libc`: the host's C library and its version. Reads the library's file, and never runs or loads it.

use memchr::memmem;
use nix::unistd;

use crate::host::root::reason;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};
use crate::words::version::Version;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.libc",
    kinds: &[ElementKind::Attributes],
    meaning: "the host's C library (name: glibc or musl; glibc if the host has both) and its version (compare with `type: \
        version`)",
    read: "libc.so.6 in the usual library folders, else /lib/ld-musl-*.so.1",
    nfd: false,
    elements: Some(&["name", "version"]),
    absent: "never absent: unknown if neither library is found",
    since: "always",
    example: "feature: system.libc\n  matchExpressions:\n    name: {op: In, value: [glibc]}\n    version: {op: Ge, type: version, value: [\"2.31\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// Where distributions keep glibc; a host's own architecture before the 32-bit one that it may have beside it.
const GLIBC: [&str; 12] = [
    "/lib64/libc.so.6",
    "/lib/x86_64-linux-gnu/libc.so.6",
    "/lib/aarch64-linux-gnu/libc.so.6",
    "/lib/powerpc64le-linux-gnu/libc.so.6",
    "/lib/s390x-linux-gnu/libc.so.6",
    "/lib/riscv64-linux-gnu/libc.so.6",
    "/lib/loongarch64-linux-gnu/libc.so.6",
    "/lib/arm-linux-gnueabihf/libc.so.6",
    "/lib/i386-linux-gnu/libc.so.6",
    "/usr/lib64/libc.so.6",
    "/usr/lib/libc.so.6",
    "/lib/libc.so.6",
];
/// Where musl's dynamic linker is, which is its library too; its name has the architecture.
const MUSL_FOLDER: &str = "/lib";
const ELF: &[u8] = b"\x7fELF";
/// The banner is shorter, distribution and all.
const MAX_BANNER: usize = 256;
/// As much as is looked through at a time.
const PIECE: usize = 64 << 10;
/// The most pieces of a library that are read: 16 MiB.
const MAX_PIECES: usize = 256;

fn probe(probing: &Probing<'_>, _: &Wanted) -> Fact {
    match glibc(probing).and_then(|found| found.map_or_else(|| musl(probing), |it| Ok(Some(it)))) {
        Ok(Some(FoundLibrary { name, version, read })) => {
            Fact::Known(Feature::attributes([("name", name.to_owned()), ("version", version)]), read)
        }
        Ok(None) => {
            let reason = "holds no ld-musl-*.so.1, and no usual library folder a libc.so.6";
            Fact::Unknown(Unknown::new(MUSL_FOLDER, reason))
        }
        Err(unknown) => Fact::Unknown(unknown),
    }
}

struct FoundLibrary {
    name: &'static str,
    version: String,
    read: String,
}

fn glibc(probing: &Probing<'_>) -> Result<Option<FoundLibrary>, Unknown> {
    for path in GLIBC {
        match probing.root.open(path) {
            Ok(file) => {
                let version = glibc_version(path, |room| unistd::read(&file, room))?
                    .ok_or_else(|| Unknown::new(path, "is not a GNU C library that tells its version"))?;
                return Ok(Some(FoundLibrary { name: "glibc", version, read: path.to_owned() }));
            }
            Err(Miss::NotFound) => {}
            Err(Miss::Unreadable(unknown)) => return Err(unknown),
        }
    }
    Ok(None)
}

/// From the banner that the library prints if it is run, else from the newest version of its symbols.
///
/// `read` fills the room that it is given, as read(2) does. It is two megabytes to look through, and not to hold.
fn glibc_version(
    path: &str,
    mut read: impl FnMut(&mut [u8]) -> nix::Result<usize>,
) -> Result<Option<String>, Unknown> {
    let mut window = vec![0; MAX_BANNER + PIECE];
    let (mut held, mut newest, mut is_known) = (0, None, false);
    for _ in 0..MAX_PIECES {
        let room = window.get_mut(held..).unwrap_or_default();
        let count = read(room).map_err(|errno| Unknown::new(path, reason(errno)))?;
        let bytes = window.get(..held + count).unwrap_or_default();
        let start = bytes.get(..ELF.len()).unwrap_or(bytes);
        if !is_known && start != ELF && (start.len() == ELF.len() || count == 0) {
            return Ok(None);
        }
        is_known |= start == ELF;
        // What starts in the last bytes may not be there as a whole yet.
        let whole = if count == 0 { bytes.len() } else { bytes.len().saturating_sub(MAX_BANNER) };
        let found = banner(bytes, whole);
        newest = newest.max(newest_symbol(bytes, whole));
        if found.is_some() || count == 0 {
            return Ok(found.or_else(|| newest.map(|it| it.to_string())));
        }
        held = bytes.len() - whole;
        window.copy_within(whole..whole + held, 0);
    }
    Err(Unknown::new(path, format!("is larger than {} bytes", MAX_PIECES * PIECE)))
}

/// The `2.36` of `GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.` (`csu/version.c` in glibc),
/// if that starts among the first so many bytes.
fn banner(bytes: &[u8], whole: usize) -> Option<String> {
    let mut starts = memmem::find_iter(bytes, b"GNU C Library ").take_while(|it| *it < whole);
    starts.find_map(|start| {
        let line = bytes.get(start..)?.iter().copied().take(MAX_BANNER);
        let line = String::from_utf8(line.take_while(|it| !matches!(it, b'\n' | 0)).collect()).ok()?;
        let (_, version) = line.split_once(" release version ")?;
        number(version.as_bytes())
    })
}

/// The highest of `GLIBC_2.2.5`, `GLIBC_2.34` and the like: the library has a node for each release with new symbols.
fn newest_symbol(bytes: &[u8], whole: usize) -> Option<Version> {
    const PREFIX: &[u8] = b"GLIBC_";
    let starts = memmem::find_iter(bytes, PREFIX).take_while(|it| *it < whole);
    let versions = starts.filter_map(|it| bytes.get(it + PREFIX.len()..)).filter_map(number);
    versions.filter_map(|it| Version::parse(&it)).max()
}

/// The dotted number at the start: at least two numbers.
fn number(bytes: &[u8]) -> Option<String> {
    const MAX: usize = 24;
    let digits = bytes.iter().copied().take(MAX).take_while(|it| it.is_ascii_digit() || *it == b'.');
    // Digits and full stops are ASCII.
    let text: String = digits.map(char::from).collect();
    let text = text.trim_end_matches('.');
    (text.contains('.') && Version::parse(text).is_some()).then(|| text.to_owned())
}

fn musl(probing: &Probing<'_>) -> Result<Option<FoundLibrary>, Unknown> {
    let Some(names) = probing.list(MUSL_FOLDER)? else { return Ok(None) };
    let is_musl = |it: &&String| it.starts_with("ld-musl-") && it.ends_with(".so.1");
    let Some(name) = names.iter().find(is_musl) else { return Ok(None) };
    let path = format!("{MUSL_FOLDER}/{name}");
    let bytes = probing.root.read(&path).map_err(|miss| miss.unknown(&path))?;
    let version =
        musl_version(&bytes).ok_or_else(|| Unknown::new(&path, "is not a musl that tells its version"))?;
    Ok(Some(FoundLibrary { name: "musl", version, read: path }))
}

/// The only string in the library that is nothing but a version of three numbers: `__libc_version`, which it prints if it
/// is run (`ldso/dynlink.c` in musl). None if there are several.
fn musl_version(bytes: &[u8]) -> Option<String> {
    if !bytes.starts_with(ELF) || memmem::find(bytes, b"musl libc").is_none() {
        return None;
    }
    let mut versions = bytes.split(|it| *it == 0).filter_map(three_numbers);
    let version = versions.next()?;
    versions.all(|it| it == version).then(|| version.to_owned())
}

/// A release such as `1.2.5`, or something built from between releases such as `1.2.5-git-31-g52da4f5c`.
fn three_numbers(bytes: &[u8]) -> Option<&str> {
    const MAX: usize = 48;
    let text = str::from_utf8(bytes).ok().filter(|it| (5..=MAX).contains(&it.len()))?;
    let release = text.split_once("-git-").map_or(text, |(release, _)| release);
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    (release.split('.').count() == 3 && release.split('.').all(is_number)).then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::told;
    use crate::testing::FakeHost;

    const DEBIAN: &str = "/lib/x86_64-linux-gnu/libc.so.6";
    const BANNER: &str =
        "\0GNU C Library (Debian GLIBC 2.36-9+deb12u4) stable release version 2.36.\nCopyright";
    const ALPINE: &str = "/lib/ld-musl-x86_64.so.1";
    const MUSL: &str = "\0musl libc (x86_64)\nVersion %s\n\x00127.0.0.1\x001.2.5\0/etc/hosts\0";

    fn elf(text: &str) -> Vec<u8> {
        [ELF, text.as_bytes()].concat()
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn check_glibc(text: &str, expected: Option<&str>) {
        // However it is handed out, and wherever it stands.
        for (size, before) in [(usize::MAX, 0), (1, 0), (7, 0), (usize::MAX, PIECE - 20), (4096, PIECE + 200)]
        {
            let mut bytes = elf(&("x".repeat(before) + text));
            let read = |room: &mut [u8]| {
                let count = room.len().min(size).min(bytes.len());
                room[..count].copy_from_slice(&bytes[..count]);
                bytes.drain(..count);
                Ok(count)
            };
            let version = glibc_version(DEBIAN, read).unwrap();
            assert_eq!(version.as_deref(), expected, "{text:?}, {size} bytes at a time after {before}");
        }
    }

    fn check_musl(text: &str, expected: Option<&str>) {
        assert_eq!(musl_version(&elf(text)).as_deref(), expected, "{text:?}");
    }

    #[test]
    fn glibc_is_known_by_its_banner() {
        let expected = format!(r#"known ({DEBIAN}): name="glibc" version="2.36""#);
        check(FakeHost::new().file(DEBIAN, elf(BANNER)), &expected);
        check(FakeHost::new().file(DEBIAN, elf(BANNER)).file(ALPINE, elf(MUSL)), &expected);
        check_glibc("GNU C Library (GNU libc) stable release version 2.41.\n", Some("2.41"));
        check_glibc("GNU C Library (GNU libc) development release version 2.37.9000.\n", Some("2.37.9000"));
        check_glibc(
            "GNU C Library (Ubuntu EGLIBC 2.19-0ubuntu6) stable release version 2.19, by\n",
            Some("2.19"),
        );
    }

    #[test]
    fn without_a_banner_the_newest_symbols_tell() {
        check_glibc("\0GLIBC_2.2.5\0GLIBC_2.36\0GLIBC_2.9\0GLIBC_PRIVATE\0GLIBC_ABI_DT_RELR\0", Some("2.36"));
        check_glibc("GNU C Library (GNU libc) stable release version x\0GLIBC_2.17", Some("2.17"));
    }

    #[test]
    fn musl_is_known_by_its_version_string() {
        check(
            FakeHost::new().file(ALPINE, elf(MUSL)),
            &format!(r#"known ({ALPINE}): name="musl" version="1.2.5""#),
        );
        check_musl(&MUSL.replace("1.2.5", "1.2.5-git-31-g52da4f5c"), Some("1.2.5-git-31-g52da4f5c"));
        check_musl(&format!("{MUSL}1.2.5\0"), Some("1.2.5"));
    }

    #[test]
    fn a_host_without_either_is_unknown() {
        let neither = "unknown: /lib: holds no ld-musl-*.so.1, and no usual library folder a libc.so.6";
        check(FakeHost::new(), neither);
        check(FakeHost::new().folder("/lib/ld-linux.so.2").file("/lib/libc.musl-x86_64.so.1", ""), neither);
    }

    #[test]
    fn a_library_that_cannot_be_read_is_unknown() {
        let host = FakeHost::new().unreadable(DEBIAN).file(ALPINE, elf(MUSL));
        check(host, &format!("unknown: {DEBIAN}: is a loop of symbolic links"));
        check(FakeHost::new().unreadable(ALPINE), &format!("unknown: {ALPINE}: is a loop of symbolic links"));
        check(FakeHost::new().link(ALPINE, "gone"), &format!("unknown: {ALPINE}: is not there"));
        check(
            FakeHost::new().unreadable("/lib64").unreadable("/lib"),
            "unknown: /lib64/libc.so.6: is a loop of symbolic links",
        );
    }

    #[test]
    fn a_library_that_does_not_tell_is_unknown() {
        let not_glibc = "is not a GNU C library that tells its version";
        for bytes in [b"".as_slice(), b"GROUP ( libc.so.6 )", ELF, &elf("GLIBC_PRIVATE"), BANNER.as_bytes()] {
            check(FakeHost::new().file(DEBIAN, bytes), &format!("unknown: {DEBIAN}: {not_glibc}"));
        }
        check_glibc("GNU C Library", None);
        check_glibc("GLIBC_", None);
        check_glibc("GLIBC_2", None);
        check_glibc("GLIBC_99999999999999999999999.1", None);
        let not_musl = "is not a musl that tells its version";
        check(FakeHost::new().file(ALPINE, "?"), &format!("unknown: {ALPINE}: {not_musl}"));
        check_musl("musl libc\x001.2\x00127.0.0.1\x001.2.3.4\0", None);
        check_musl("musl libc\x001.2.4\x001.2.5\0", None);
        check_musl("1.2.5\0", None);
    }
}
