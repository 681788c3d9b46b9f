//! The modules that this kernel could load: clues for a diagnosis, read only after a refusal. Loads none.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::probing::MODULES;
use crate::host::{Fact, Feature, Miss, Probing, Root, Unknown};

/// The folders that modprobe looks into, first one wins; the last is NixOS'.
const FOLDERS: [&str; 3] =
    ["/lib/modules", "/usr/lib/modules", "/run/booted-system/kernel-modules/lib/modules"];

/// Of the modules that a kernel could load, and of their dependencies (depmod(8)).
const LIST: &str = "modules.dep";

/// Flags: which of these modules the running kernel could load (`modules.dep`, depmod(8)).
///
/// `-` and `_` are the same, as to the kernel; a name is given back as it was asked for.
pub fn loadable_modules(root: &Root, names: &BTreeSet<String>) -> Fact {
    let probing = Probing::new(root);
    let text = match (probing.modules(), probing.release()) {
        // Built without modules: it can load none.
        (Ok(None), _) => return Fact::Absent(MODULES.to_owned()),
        (Ok(Some(_)) | Err(_), Ok(release)) => read(root, release, LIST),
        (Ok(Some(_)) | Err(_), Err(unknown)) => Err(unknown.clone()),
    };
    match text {
        Ok((text, place)) => Fact::Known(Feature::flags(parse(&text, names)), place),
        Err(unknown) => Fact::Unknown(unknown),
    }
}

/// The same for all modules, from the instances of `kernel.module`.
pub(in crate::host) fn loadable_of(modules: &Fact) -> Option<Fact> {
    let Fact::Known(feature, _) = modules else { return None };
    let instances = feature.instances.as_deref().unwrap_or_default();
    // Only that list has paths: without any, it may be the one that could not be read.
    let listed = instances.iter().filter(|it| it.attributes.contains_key("path"));
    let names: BTreeSet<_> = listed.filter_map(|it| it.attributes.get("name").cloned()).collect();
    match &feature.incomplete {
        Some(unknown) if names.is_empty() => Some(Fact::Unknown(unknown.clone())),
        Some(_) | None => Some(Fact::Known(Feature::flags(names), LIST.to_owned())),
    }
}

/// The text of a list of modules of this release, and where it is.
///
/// # Errors
///
/// If it is in none of the folders, or cannot be read in the first that has it.
pub(in crate::host) fn read(root: &Root, release: &str, list: &str) -> Result<(String, String), Unknown> {
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
    use crate::host::{FeatureDemand, Wanted, gather};
    use crate::testing::FakeHost;

    const DEP: &str = "/lib/modules/6.1.0/modules.dep";

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "6.1.0\n").file(MODULES, "")
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
    fn a_kernel_without_modules_loads_none() {
        let host = FakeHost::new().file(OSRELEASE, "6.1.0\n").file(DEP, "a.ko:");
        check(host, &["a"], "absent (/proc/modules)");
    }

    fn check_told(host: FakeHost, expected: &str) {
        let demand = FeatureDemand::from([("kernel.module".to_owned(), Wanted::All)]);
        let facts = gather(&host.root(), &demand);
        let loadable = loadable_of(facts.get("kernel.module"));
        assert_eq!(loadable.as_ref().map_or("none".to_owned(), show), expected);
    }

    #[test]
    fn the_instances_of_modules_tell_the_same() {
        let dep = "kernel/a.ko: kernel/vfio-pci.ko.xz\nkernel/vfio-pci.ko.xz:\n";
        let builtin = "/lib/modules/6.1.0/modules.builtin";
        let all = "known (modules.dep): a vfio-pci vfio_pci";
        check_told(host().file(DEP, dep).file(builtin, "b.ko\n"), all);
        check_told(host().file(DEP, dep), all);
        check_told(host().file(DEP, "").file(builtin, ""), "known (modules.dep): ");
        let unknown = "unknown: /lib/modules/6.1.0/modules.dep: is not there";
        check_told(host().file(builtin, "b.ko\n"), unknown);
        check_told(FakeHost::new(), "none");
    }
}
