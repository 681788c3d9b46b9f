//! `system.library`: the shared libraries that the host's dynamic linker finds by name. Loads none.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::probing::known;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.library",
    kinds: &[ElementKind::Flags],
    meaning: "the shared libraries of the host by their sonames, such as libfabric.so.1, for all architectures, as listed by \
        ldconfig for glibc's dynamic linker; for their versions, see `system.libraryversion`",
    read: "/etc/ld.so.cache",
    nfd: false,
    elements: None,
    absent: "not in any folder that ldconfig searches, or installed since it ran; unknown on hosts without such a list \
        (musl, NixOS)",
    since: "always",
    example: "feature: system.library\n  matchExpressions:\n    libfabric.so.1: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const CACHE: &str = "/etc/ld.so.cache";
/// The formats, all in glibc's `sysdeps/generic/dl-cache.h`. Up to glibc 2.31 the new one stands behind an old one.
const NEW: &[u8] = b"glibc-ld.so.cache1.1";
const OLD: &[u8] = b"ld.so-1.7.0";
const OLD_HEADER: usize = 16;
const OLD_ENTRY: usize = 12;
/// `struct cache_file_new` begins at a multiple of this.
const ALIGNMENT: usize = 8;
const HEADER: usize = 48;
const ENTRY: usize = 24;
/// Of an entry in the new format: where its soname begins.
const KEY: usize = 4;
/// Of an entry in the new format: where the path of its file begins.
const VALUE: usize = 8;
/// The longest file name (`NAME_MAX`).
const MAX_NAME: usize = 255;
/// The longest path (`PATH_MAX`).
const MAX_PATH: usize = 4095;

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    known(read(probing, wanted).map(Feature::flags), CACHE)
}

fn read(probing: &Probing<'_>, wanted: &Wanted) -> Result<BTreeSet<String>, Unknown> {
    let bytes = probing.root.read(CACHE).map_err(|miss| miss.unknown(CACHE))?;
    parse(&bytes, wanted).map_err(|reason| Unknown::new(CACHE, reason))
}

/// The wanted libraries by their sonames, each with the paths of its files, one for each architecture.
///
/// # Errors
///
/// As the feature is unknown.
pub(super) fn files(
    probing: &Probing<'_>,
    wanted: &Wanted,
) -> Result<BTreeMap<String, BTreeSet<String>>, Unknown> {
    let bytes = probing.root.read(CACHE).map_err(|miss| miss.unknown(CACHE))?;
    paths(&bytes, wanted).map_err(|reason| Unknown::new(CACHE, reason))
}

fn paths(bytes: &[u8], wanted: &Wanted) -> Result<BTreeMap<String, BTreeSet<String>>, &'static str> {
    let cache = Cache::new(new_part(bytes)?)?;
    let mut files: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for index in 0..cache.count {
        let name = cache.name(index).ok_or("is damaged: an entry leads out of the file")?;
        let name = str::from_utf8(name).map_err(|_| "is damaged: a name is not text")?;
        if wanted.has(name) {
            let path =
                cache.text(index, VALUE, MAX_PATH).ok_or("is damaged: an entry leads out of the file")?;
            let path = String::from_utf8_lossy(path).into_owned();
            files.entry(name.to_owned()).or_default().insert(path);
        }
    }
    Ok(files)
}

/// Where distributions keep libraries of 64 bits.
const FOLDERS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/run/opengl-driver/lib",
];

/// The version of a library, such as `libnvidia-ml.so`, in the name of its file; none if it is in no folder.
///
/// # Errors
///
/// If a folder cannot be looked into, or has several versions and no link to one of them.
pub(in crate::host) fn version_of(probing: &Probing<'_>, library: &str) -> Result<Option<String>, Unknown> {
    for folder in FOLDERS {
        let link = format!("{folder}/{library}.1");
        let target = probing.surely(&link, probing.root.link_name(&link));
        if let Ok(Some(version)) =
            target.map(|it| it.and_then(|it| version_in(&it, library).map(str::to_owned)))
        {
            return Ok(Some(version));
        }
        let names = probing.list(folder)?.unwrap_or_default();
        let mut versions = names.iter().filter_map(|it| version_in(it, library));
        match (versions.next(), versions.next()) {
            (Some(version), None) => return Ok(Some(version.to_owned())),
            (Some(_), Some(_)) => {
                let reason =
                    format!("has several versions of {library}, and no link {library}.1 to one of them");
                return Err(Unknown::new(folder, reason));
            }
            (None, _) => {}
        }
    }
    Ok(None)
}

/// The `580.178.04` of `libnvidia-ml.so.580.178.04`; the `1` of a soname is no version.
fn version_in<'a>(file: &'a str, library: &str) -> Option<&'a str> {
    let version = file.strip_prefix(library)?.strip_prefix('.')?;
    let is_number = |it: &str| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit());
    (version.contains('.') && version.split('.').all(is_number)).then_some(version)
}

fn parse(bytes: &[u8], wanted: &Wanted) -> Result<BTreeSet<String>, &'static str> {
    let cache = Cache::new(new_part(bytes)?)?;
    let mut names = BTreeSet::new();
    for index in 0..cache.count {
        let name = cache.name(index).ok_or("is damaged: an entry leads out of the file")?;
        let name = str::from_utf8(name).map_err(|_| "is damaged: a name is not text")?;
        if wanted.has(name) && !names.contains(name) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

/// The part in the new format, to whose start its offsets are relative.
fn new_part(bytes: &[u8]) -> Result<&[u8], &'static str> {
    if bytes.starts_with(NEW) {
        return Ok(bytes);
    }
    if !bytes.starts_with(OLD) {
        return Err("is no cache of glibc's dynamic linker");
    }
    // The old format is older than the mark for the order of bytes: such a file was written on its own machine.
    let count =
        bytes.get(OLD_HEADER - 4..OLD_HEADER).and_then(|it| it.try_into().ok()).map(u32::from_ne_bytes);
    let count = count.and_then(|it| usize::try_from(it).ok());
    let end = count.and_then(|it| {
        it.checked_mul(OLD_ENTRY)?.checked_add(OLD_HEADER)?.checked_next_multiple_of(ALIGNMENT)
    });
    let rest = end.and_then(|it| bytes.get(it..)).filter(|it| it.starts_with(NEW));
    rest.ok_or("has only the format from before glibc 2.2, which is not read")
}

/// `struct cache_file_new`.
struct Cache<'a> {
    bytes: &'a [u8],
    number: fn([u8; 4]) -> u32,
    count: usize,
}

impl<'a> Cache<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, &'static str> {
        // `cache_file_new_flags_endian`; 0 was written by glibc up to 2.32, on its own machine.
        let number = match bytes.get(28).map(|it| it & 3) {
            Some(0) => u32::from_ne_bytes,
            Some(2) => u32::from_le_bytes,
            Some(3) => u32::from_be_bytes,
            Some(_) => return Err("is damaged: it is marked as invalid"),
            None => return Err("is damaged: it ends within its header"),
        };
        let mut cache = Self { bytes, number, count: 0 };
        cache.count = cache.at(20).ok_or("is damaged: it ends within its header")?;
        let end = cache.count.checked_mul(ENTRY).and_then(|it| it.checked_add(HEADER));
        match end {
            Some(end) if end <= bytes.len() => Ok(cache),
            Some(_) | None => Err("is damaged: it ends within its entries"),
        }
    }

    fn at(&self, offset: usize) -> Option<usize> {
        let bytes = self.bytes.get(offset..)?.first_chunk()?;
        usize::try_from((self.number)(*bytes)).ok()
    }

    /// The soname of an entry; none if it is not in the file.
    fn name(&self, index: usize) -> Option<&'a [u8]> {
        self.text(index, KEY, MAX_NAME)
    }

    /// What a field of an entry points to, up to its zero byte.
    fn text(&self, index: usize, field: usize, longest: usize) -> Option<&'a [u8]> {
        let text = self.bytes.get(self.at(HEADER + index * ENTRY + field)?..)?;
        let length = memchr::memchr(0, text.get(..=longest).unwrap_or(text))?;
        text.get(..length)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    /// A cache with these names, as glibc 2.33 and later write it on a little-endian machine.
    fn cache(names: &[&[u8]]) -> Vec<u8> {
        with_files(&names.iter().map(|it| (*it, b"/lib/x".as_slice())).collect::<Vec<_>>())
    }

    /// Likewise, with the paths of their files.
    pub(in crate::host::system) fn with_files(libraries: &[(&[u8], &[u8])]) -> Vec<u8> {
        let number = |it: usize| u32::try_from(it).unwrap().to_le_bytes();
        let start = HEADER + libraries.len() * ENTRY;
        let mut strings = Vec::new();
        let mut entries = Vec::new();
        for (name, path) in libraries {
            entries.extend(number(0x0303));
            entries.extend(number(start + strings.len()));
            entries.extend(number(start + strings.len() + name.len() + 1));
            entries.extend([0; 12]);
            strings.extend([name, b"\0".as_slice(), path, b"\0"].concat());
        }
        let header = [NEW, &number(libraries.len()), &number(strings.len()), &[2], &[0; 19]].concat();
        assert_eq!(header.len(), HEADER);
        [header, entries, strings].concat()
    }

    fn two() -> Vec<u8> {
        cache(&[b"libc.so.6", b"libfabric.so.1", b"libc.so.6"])
    }

    /// In front of it a cache in the old format, with this many entries.
    fn behind_old(count: u8, new: &[u8]) -> Vec<u8> {
        let mut old = [OLD, &[0, count, 0, 0, 0]].concat();
        old.resize((OLD_HEADER + OLD_ENTRY * usize::from(count)).next_multiple_of(ALIGNMENT), 0);
        [&old, new].concat()
    }

    fn check(bytes: &[u8], expected: Result<&[&str], &str>) {
        let names = parse(bytes, &Wanted::All);
        let names = names.as_ref().map(|it| it.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(names.as_deref().map_err(|it| **it), expected);
    }

    #[test]
    fn the_name_of_a_file_has_the_version() {
        let check = |host: &FakeHost, expected: Result<Option<&str>, &str>| {
            let root = host.root();
            let found = version_of(&Probing::new(&root), "liba.so").map_err(|it| it.reason);
            assert_eq!(found.as_ref().map(Option::as_deref).map_err(String::as_str), expected);
        };
        let file = |it: &str| format!("/usr/lib64/liba.so.{it}");
        check(&FakeHost::new(), Ok(None));
        check(&FakeHost::new().file(&file("1"), "").file("/usr/lib64/libab.so.1.2", ""), Ok(None));
        let host = FakeHost::new().file(&file("1.2"), "");
        check(&host, Ok(Some("1.2")));
        let host = host.file(&file("1.3"), "");
        check(&host, Err("has several versions of liba.so, and no link liba.so.1 to one of them"));
        check(&host.link(&file("1"), "liba.so.1.3"), Ok(Some("1.3")));
        check(&FakeHost::new().unreadable("/usr/lib64"), Err("is a loop of symbolic links"));
    }

    #[test]
    fn libraries_are_listed_by_their_sonames() {
        let host = FakeHost::new().file(CACHE, two());
        assert_eq!(told(&host, FEATURE.name), "known (/etc/ld.so.cache): libc.so.6 libfabric.so.1");
        let told = told_of(&host, FEATURE.name, wanted(&["libfabric.so.1", "libx.so.2"]));
        assert_eq!(told, "known (/etc/ld.so.cache): libfabric.so.1");
    }

    #[test]
    fn a_host_without_libraries_has_none() {
        check(&cache(&[]), Ok(&[]));
    }

    #[test]
    fn a_cache_behind_one_in_the_old_format_is_read() {
        for count in [0, 1, 2] {
            check(&behind_old(count, &two()), Ok(&["libc.so.6", "libfabric.so.1"]));
        }
        check(&behind_old(1, b""), Err("has only the format from before glibc 2.2, which is not read"));
        check(OLD, Err("has only the format from before glibc 2.2, which is not read"));
    }

    #[test]
    fn the_order_of_bytes_is_the_cache_s_own() {
        let mut big = cache(&[b"a.so.1"]);
        big[28] = 3;
        for start in [20, 24, HEADER, HEADER + KEY] {
            big[start..start + 4].reverse();
        }
        check(&big, Ok(&["a.so.1"]));
        let mut invalid = two();
        invalid[28] = 1;
        check(&invalid, Err("is damaged: it is marked as invalid"));
    }

    #[test]
    fn a_host_without_a_cache_is_unknown() {
        assert_eq!(
            told(&FakeHost::new().folder("/etc"), FEATURE.name),
            "unknown: /etc/ld.so.cache: is not there"
        );
        let host = FakeHost::new().unreadable(CACHE);
        assert_eq!(told(&host, FEATURE.name), "unknown: /etc/ld.so.cache: is a loop of symbolic links");
    }

    #[test]
    fn a_damaged_cache_is_unknown() {
        check(b"", Err("is no cache of glibc's dynamic linker"));
        check(b"glibc-ld.so.cache2.0", Err("is no cache of glibc's dynamic linker"));
        check(NEW, Err("is damaged: it ends within its header"));
        let mut many = two();
        many[20..24].copy_from_slice(&[0xff; 4]);
        check(&many, Err("is damaged: it ends within its entries"));
        let mut far = two();
        far[HEADER + KEY..HEADER + KEY + 4].copy_from_slice(&[0xff; 4]);
        check(&far, Err("is damaged: an entry leads out of the file"));
        check(&cache(&[b"\xff"]), Err("is damaged: a name is not text"));
        check(&cache(&[&[b'x'; 256]]), Err("is damaged: an entry leads out of the file"));
    }

    #[test]
    fn no_cut_and_no_flipped_bit_does_harm() {
        for whole in [two(), behind_old(2, &two())] {
            for end in 0..whole.len() {
                drop(parse(&whole[..end], &Wanted::All));
                drop(paths(&whole[..end], &Wanted::All));
            }
            for index in 0..whole.len() * 8 {
                let mut bytes = whole.clone();
                bytes[index / 8] ^= 1 << (index % 8);
                drop(parse(&bytes, &Wanted::All));
                drop(paths(&bytes, &Wanted::All));
            }
        }
    }
}
