//! The unpacked kernel configuration in a file for look-ups, so that only the first check after a boot inflates it. The
//! configuration cannot change while the kernel runs.
//!
//! The first page names the boot, says how many pages there are, and has the first name of each of the others, so that an
//! option is found with one read. The options follow in the order of their names, each as a line feed and `NAME=value`. None
//! goes over the end of a page. A file in another form is not used, and neither is one that others could have written.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use nix::sys::stat::fstat;

use crate::host::{Root, Wanted};
use crate::os::file::{self, Exposure};

const NAME: &str = "kernel-config";
const PAGE: usize = 4096;
/// `boot_id` is drawn once per boot (`Documentation/admin-guide/sysctl/kernel.rst`).
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const FORMAT: &str = "oci-compat kernel-config 2";

/// The wanted options that are set; `None` if they have to be read where they come from.
pub(super) fn find(root: &Root, wanted: &Wanted) -> Option<BTreeMap<String, String>> {
    let Wanted::Names(names) = wanted else { return None };
    let path = root.memory()?.join(NAME);
    let file = file::stream(&path).ok().flatten()?;
    let found = fstat(&file).ok()?;
    if Exposure::of(&found, || path.clone()).is_some() {
        return None;
    }
    let first = page(&file, 0)?;
    let header = header(root, usize::try_from(found.st_size).ok()? / PAGE)?;
    let index = first.strip_prefix(header.as_bytes())?.trim_ascii_end();
    let index: Vec<_> = index.split(|it| *it == b'\n').collect();
    let mut options = BTreeMap::new();
    let mut last = (0, first);
    for name in names.iter() {
        let at = index.partition_point(|it| *it <= name.as_bytes());
        if last.0 != at {
            last = (at, page(&file, at)?);
        }
        if at != 0
            && let Some(value) = value(&last.1, name)
        {
            options.insert(name.clone(), value);
        }
    }
    Some(options)
}

fn page(file: &File, index: usize) -> Option<[u8; PAGE]> {
    let mut page = [0; PAGE];
    file.read_exact_at(&mut page, u64::try_from(index * PAGE).ok()?).ok()?;
    Some(page)
}

/// The value of an option on its page; `None` if it is not set.
fn value(page: &[u8], name: &str) -> Option<String> {
    if name.contains('=') {
        return None;
    }
    // Without `memchr`, which asks the processor what it can do when it is first called: that takes longer under a hypervisor.
    let mut rest = page.get(..=page.iter().rposition(|it| *it != b'\n')?)?;
    loop {
        let (before, after) = rest.split_at_checked(rest.len() / 2)?;
        let start = before.iter().rposition(|it| *it == b'\n').map_or(0, |it| it + 1);
        let length = after.iter().position(|it| *it == b'\n').unwrap_or(after.len());
        let line = rest.get(start..before.len() + length)?;
        let (found, value) = line.split_at_checked(line.iter().position(|it| *it == b'=')?)?;
        rest = match found.cmp(name.as_bytes()) {
            Ordering::Equal => return Some(String::from_utf8_lossy(value.get(1..)?).into_owned()),
            Ordering::Less => after.get(length + 1..)?,
            Ordering::Greater => rest.get(..start.checked_sub(1)?)?,
        };
    }
}

/// Keeps the options for later checks. That it cannot be done changes nothing.
pub(super) fn keep(root: &Root, options: &BTreeMap<String, String>) {
    let Some(folder) = root.memory() else { return };
    let Some((index, pages)) = pages(options) else { return };
    let Some(header) = header(root, 1 + pages.len() / PAGE) else { return };
    let mut text = format!("{header}{index}").into_bytes();
    if text.len() > PAGE {
        return;
    }
    if !file::is_trusted_folder(folder).unwrap_or_default() {
        return;
    }
    let temporary = folder.join(format!(".{}.{NAME}", std::process::id()));
    text.resize(PAGE, b'\n');
    text.extend(pages);
    if write(&temporary, &text).and_then(|()| fs::rename(&temporary, folder.join(NAME))).is_err() {
        let _left_behind = fs::remove_file(&temporary);
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    options.open(path)?.write_all(bytes)
}

fn header(root: &Root, count: usize) -> Option<String> {
    Some(format!("{FORMAT}\n{count} pages\n{}\n", root.read_text(BOOT_ID).ok()?.trim_end()))
}

/// The first name of each page, a line each, and the pages of these options; `None` if one has no place on a page.
fn pages(options: &BTreeMap<String, String>) -> Option<(String, Vec<u8>)> {
    let (mut index, mut pages) = (String::new(), Vec::new());
    let mut line = String::new();
    for (name, value) in options {
        line.clear();
        write!(line, "\n{name}={value}").ok()?;
        if line.len() > PAGE {
            return None;
        }
        if line.len() > pages.len().next_multiple_of(PAGE) - pages.len() {
            pages.resize(pages.len().next_multiple_of(PAGE), b'\n');
            writeln!(index, "{name}").ok()?;
        }
        pages.extend_from_slice(line.as_bytes());
    }
    pages.resize(pages.len().next_multiple_of(PAGE), b'\n');
    Some((index, pages))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::host::testing::wanted;
    use crate::testing::FakeHost;

    struct UnpackedFixture {
        folder: tempfile::TempDir,
        host: FakeHost,
    }

    impl UnpackedFixture {
        fn new() -> Self {
            let folder = tempfile::tempdir().expect("a temporary folder");
            Self { folder, host: FakeHost::new().file(BOOT_ID, "0d9a\n") }
        }

        fn root(&self) -> Root {
            let mut root = self.host.root();
            root.remember_in(self.folder.path().to_owned());
            root
        }

        fn path(&self) -> std::path::PathBuf {
            self.folder.path().join(NAME)
        }
    }

    /// Many pages of options; every third is not set.
    fn options() -> BTreeMap<String, String> {
        let all = (0..3000).filter(|it| it % 3 != 0);
        all.map(|it| (format!("OPTION_{it}"), "v".repeat(it % 90))).collect()
    }

    #[test]
    fn every_option_is_found_again_and_no_other() {
        let memory = UnpackedFixture::new();
        let mut options = options();
        options.insert("E".to_owned(), "a=b".to_owned());
        keep(&memory.root(), &options);
        for it in 0..3000 {
            let name = format!("OPTION_{it}");
            let found = find(&memory.root(), &wanted(&[&name])).expect("kept");
            assert_eq!(found.get(&name), options.get(&name), "{name}");
        }
        let found = find(
            &memory.root(),
            &wanted(&["", "A", "OPTION_1=v", "ZZ", "OPTION_2", "OPTION_2999", "E", "E=a"]),
        );
        let found: Vec<_> = found.expect("kept").into_keys().collect();
        assert_eq!(found, ["E", "OPTION_2", "OPTION_2999"]);
    }

    #[test]
    fn nothing_is_taken_from_another_boot_or_from_others() {
        let memory = UnpackedFixture::new();
        let is_found = || find(&memory.root(), &wanted(&["A"])).is_some();
        let options = BTreeMap::from([("A".to_owned(), "y".to_owned())]);
        assert!(!is_found(), "nothing is kept");
        keep(&memory.root(), &options);
        assert!(is_found());
        let mode = |mode| fs::set_permissions(memory.path(), fs::Permissions::from_mode(mode)).unwrap();
        mode(0o620);
        assert!(!is_found(), "others can write it");
        mode(0o600);
        assert!(find(&memory.root(), &Wanted::All).is_none(), "all options are read anew");
        let whole = fs::read(memory.path()).unwrap();
        for broken in [&b""[..], b"x", whole.split_at(PAGE).0, &vec![b'\n'; 2 * PAGE]] {
            fs::write(memory.path(), broken).unwrap();
            assert!(!is_found(), "{} bytes", broken.len());
        }
        fs::write(memory.path(), &whole).unwrap();
        let memory = UnpackedFixture { host: FakeHost::new().file(BOOT_ID, "1e4f\n"), ..memory };
        assert!(find(&memory.root(), &wanted(&["A"])).is_none(), "another boot");
    }

    #[test]
    fn what_cannot_be_kept_is_not() {
        let memory = UnpackedFixture::new();
        keep(&memory.root(), &BTreeMap::from([("A".to_owned(), "y".repeat(PAGE))]));
        assert!(!memory.path().exists(), "too long for a page");
        let many = (0..PAGE).map(|it| (format!("OPTION_{it}"), "v".repeat(PAGE / 2)));
        keep(&memory.root(), &many.collect());
        assert!(!memory.path().exists(), "too many for an index");
        fs::set_permissions(memory.folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
        keep(&memory.root(), &options());
        assert!(!memory.path().exists(), "a folder that others can write");
        fs::set_permissions(memory.folder.path(), fs::Permissions::from_mode(0o700)).unwrap();
        let memory = UnpackedFixture { host: FakeHost::new(), ..memory };
        keep(&memory.root(), &options());
        assert!(!memory.path().exists(), "a boot that is not known");
    }
}
