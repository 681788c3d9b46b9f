//! The modules that this kernel could load or has built in: clues for a diagnosis, read only after a refusal. Loads none.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{Fact, Feature, Miss, Probing, Root, Unknown};

/// The folders that modprobe looks into, first one wins; the last is NixOS'.
const FOLDERS: [&str; 3] =
    ["/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules"];

/// Flags: which of these modules the running kernel could load (`modules.dep`, depmod(8)).
///
/// `-` and `_` are the same, as to the kernel; a name is given back as it was asked for.
pub fn loadable_modules(root: &Root, names: &BTreeSet<String>) -> Fact {
    listed(root, names, "modules.dep")
}

/// Flags: which of these modules are built into the running kernel (`modules.builtin`, `Documentation/kbuild/kbuild.rst`).
///
/// Names compare as for [`loadable_modules`].
pub fn builtin_modules(root: &Root, names: &BTreeSet<String>) -> Fact {
    listed(root, names, "modules.builtin")
}

fn listed(root: &Root, names: &BTreeSet<String>, list: &str) -> Fact {
    let text = match Probing::new(root).release() {
        Ok(release) => read(root, release, list),
        Err(unknown) => Err(unknown.clone()),
    };
    match text {
        Ok((text, place)) => Fact::Known(Feature::flags(parse(&text, names)), place),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The text of a list of modules of this release, and where it is.
///
/// # Errors
///
/// If it is in none of the folders, or cannot be read in the first that has it.
pub(super) fn read(root: &Root, release: &str, list: &str) -> Result<(String, String), Unknown> {
    for folder in FOLDERS {
        let place = format!("{folder}/{release}/{list}");
        match root.read_text(&place) {
            Ok(text) => return Ok((text, place)),
            Err(Miss::NotFound) => {}
            Err(Miss::Unreadable(unknown)) => return Err(unknown),
        }
    }
    Err(Unknown::new(format!("{}/{release}/{list}", FOLDERS[0]), "is not there"))
}

/// Each line starts with the path of a module: `kernel/net/tun.ko.xz: kernel/…`.
fn parse(text: &str, names: &BTreeSet<String>) -> BTreeSet<String> {
    let mut sought = BTreeMap::new();
    for name in names {
        sought.entry(name.replace('-', "_")).or_insert_with(Vec::new).push(name);
    }
    let found = text.lines().filter_map(module).filter_map(|it| sought.get(&it.replace('-', "_")));
    found.flatten().map(|it| (*it).clone()).collect()
}

/// The module's name in such a line, as its file has it.
pub(super) fn module(line: &str) -> Option<&str> {
    let (path, _) = line.split_once(':').unwrap_or((line, ""));
    let file = path.trim().rsplit('/').next()?;
    let plain = [".xz", ".zst", ".gz"].iter().find_map(|it| file.strip_suffix(it)).unwrap_or(file);
    plain.strip_suffix(".ko")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::show;
    use crate::testing::FakeHost;

    const DEP: &str = "/lib/modules/6.1.0/modules.dep";

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "6.1.0\n")
    }

    fn check(host: FakeHost, names: &[&str], expected: &str) {
        let names = names.iter().map(|it| (*it).to_owned()).collect();
        assert_eq!(show(&loadable_modules(&host.root(), &names)), expected);
    }

    #[test]
    fn modules_are_loadable_whatever_packs_them() {
        let dep = "kernel/a.ko: kernel/b.ko.xz\nkernel/b.ko.xz:\nextra/c.ko.zst:\nd.ko.gz:\ne.txt:\n";
        let names = ["a", "b", "c", "d", "e", "f"];
        check(host().file(DEP, dep), &names, "known (/lib/modules/6.1.0/modules.dep): a b c d");
    }

    #[test]
    fn a_hyphen_and_an_underscore_are_the_same() {
        let dep = "kernel/drivers/vfio/vfio-pci.ko:\nkernel/x_tables.ko:\n";
        let names = ["vfio-pci", "vfio_pci", "x-tables"];
        let expected = "known (/lib/modules/6.1.0/modules.dep): vfio-pci vfio_pci x-tables";
        check(host().file(DEP, dep), &names, expected);
    }

    #[test]
    fn the_next_folder_is_looked_into_only_where_there_is_none_before() {
        let other = "/run/booted-system/kernel-modules/lib/modules/6.1.0/modules.dep";
        check(host().file(other, "a.ko:"), &["a"], &format!("known ({other}): a"));
        let loops = "unknown: /lib/modules/6.1.0/modules.dep: is a loop of symbolic links";
        check(host().file(other, "a.ko:").unreadable(DEP), &["a"], loops);
    }

    #[test]
    fn without_a_list_or_a_release_nothing_is_known() {
        check(host(), &["a"], "unknown: /lib/modules/6.1.0/modules.dep: is not there");
        check(FakeHost::new(), &["a"], "unknown: /proc/sys/kernel/osrelease: is not there");
    }

    #[test]
    fn a_list_without_modules_names_none() {
        check(host().file(DEP, "\n::\nko\n"), &["a", ""], "known (/lib/modules/6.1.0/modules.dep): ");
    }

    #[test]
    fn modules_that_are_built_in_have_a_list_of_their_own() {
        let host = host().file("/lib/modules/6.1.0/modules.builtin", "kernel/fs/over-lay.ko\n");
        let names = BTreeSet::from(["over_lay".to_owned()]);
        let expected = "known (/lib/modules/6.1.0/modules.builtin): over_lay";
        assert_eq!(show(&builtin_modules(&host.root(), &names)), expected);
    }
}
