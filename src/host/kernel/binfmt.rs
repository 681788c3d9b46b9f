//! `kernel.binfmt`: the formats of programs that the kernel hands to an interpreter, such as another processor's to QEMU.
//! Mounts nothing, not even by looking.

use std::collections::BTreeSet;

use super::filesystems::{self, FILESYSTEMS};
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.binfmt",
    kinds: &[ElementKind::Flags],
    meaning: "the enabled entries of binfmt_misc, by the names they were registered with, such as qemu-aarch64",
    read: "/proc/sys/fs/binfmt_misc, if it is mounted",
    nfd: false,
    elements: None,
    absent: "not registered, or switched off; the whole feature is absent if binfmt_misc is not in the kernel",
    since: "always",
    example: "feature: kernel.binfmt\n  matchExpressions:\n    qemu-aarch64: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// `Documentation/admin-guide/binfmt-misc.rst`.
pub(super) const FOLDER: &str = "/proc/sys/fs/binfmt_misc";
/// Says whether binfmt_misc as a whole is switched on.
pub(super) const STATUS: &str = "status";
/// The files that are no entries.
pub(super) const CONTROL: [&str; 2] = ["register", STATUS];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    match filesystems::registered(probing) {
        Ok(names) if names.contains("binfmt_misc") => {}
        Ok(_) => return Fact::Absent(FILESYSTEMS.to_owned()),
        Err(unknown) => return Fact::Unknown(unknown),
    }
    let names = match entries(probing) {
        Ok(names) => names,
        Err(unknown) => return Fact::Unknown(unknown),
    };
    let (mut flags, mut incomplete) = (BTreeSet::new(), None);
    for name in names.into_iter().filter(|it| wanted.has(it)) {
        match is_enabled(probing, &name) {
            Ok(true) => drop(flags.insert(name)),
            Ok(false) => {}
            Err(unknown) => drop(incomplete.get_or_insert(unknown)),
        }
    }
    Fact::Known(Feature { incomplete, ..Feature::flags(flags) }, FOLDER.to_owned())
}

/// All entries; none if binfmt_misc is switched off.
fn entries(probing: &Probing<'_>) -> Result<Vec<String>, Unknown> {
    let unmounted = || Unknown::new(FOLDER, "is not mounted here, so its entries do not show");
    match probing.root.is_automount(FOLDER) {
        // systemd mounts it, and loads a module for it, when it is first accessed.
        Ok(true) | Err(Miss::NotFound) => return Err(unmounted()),
        Ok(false) => {}
        Err(Miss::Unreadable(unknown)) => return Err(unknown),
    }
    let mut names = probing.root.list(FOLDER).map_err(|miss| miss.unknown(FOLDER))?;
    if !names.iter().any(|it| it == STATUS) {
        return Err(unmounted());
    }
    if !is_enabled(probing, STATUS)? {
        names.clear();
    }
    names.retain(|it| !CONTROL.contains(&it.as_str()));
    Ok(names)
}

/// The first line of an entry, and the only one of the status, is `enabled` or `disabled`.
fn is_enabled(probing: &Probing<'_>, name: &str) -> Result<bool, Unknown> {
    let text = match probing.root.read_below(FOLDER, &[name]).map(|(text, _)| text) {
        Ok(text) => text,
        // Removed since the folder was listed.
        Err(Miss::NotFound) => return Ok(false),
        Err(Miss::Unreadable(unknown)) => return Err(unknown),
    };
    match text.lines().next() {
        Some("enabled") => Ok(true),
        Some("disabled") => Ok(false),
        Some(_) | None => {
            let reason = "does not say whether it is enabled or disabled in its first line";
            Err(Unknown::new(format!("{FOLDER}/{name}"), reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn host(status: &str) -> FakeHost {
        FakeHost::new()
            .file(FILESYSTEMS, "nodev\tproc\nnodev\tbinfmt_misc\n")
            .file(&format!("{FOLDER}/status"), status)
            .file(&format!("{FOLDER}/register"), "")
            .file(&format!("{FOLDER}/qemu-arm"), "enabled\ninterpreter /usr/bin/qemu-arm\nflags: OCF\n")
            .file(&format!("{FOLDER}/python3"), "disabled\ninterpreter /usr/bin/python3\n")
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    #[test]
    fn enabled_entries_are_listed() {
        check(host("enabled\n"), "known (/proc/sys/fs/binfmt_misc): qemu-arm");
        check(host("disabled\n"), "known (/proc/sys/fs/binfmt_misc): ");
    }

    #[test]
    fn a_kernel_without_it_is_distinguished_from_a_folder_where_it_is_not_mounted() {
        check(FakeHost::new().file(FILESYSTEMS, "nodev\tproc\n"), "absent (/proc/filesystems)");
        let reason = "is not mounted here, so its entries do not show";
        let host = || FakeHost::new().file(FILESYSTEMS, "nodev\tbinfmt_misc\n");
        check(host(), &format!("unknown: {FOLDER}: {reason}"));
        check(host().folder(FOLDER), &format!("unknown: {FOLDER}: {reason}"));
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        check(FakeHost::new(), "unknown: /proc/filesystems: is not there");
        let host = FakeHost::new().file(FILESYSTEMS, "nodev\tbinfmt_misc\n").unreadable(FOLDER);
        check(host, &format!("unknown: {FOLDER}: is a loop of symbolic links"));
        let host = self::host("enabled\n").unreadable(&format!("{FOLDER}/a"));
        let doubt = "/proc/sys/fs/binfmt_misc/a: leads over a symbolic link, and none is followed here";
        check(host, &format!("known (/proc/sys/fs/binfmt_misc): qemu-arm and maybe more: {doubt}"));
    }

    #[test]
    fn what_makes_no_sense_is_unknown() {
        let reason = "does not say whether it is enabled or disabled in its first line";
        check(host("on\n"), &format!("unknown: {FOLDER}/status: {reason}"));
        let host = host("enabled\n").file(&format!("{FOLDER}/a"), "");
        let doubt = format!("{FOLDER}/a: {reason}");
        check(host, &format!("known (/proc/sys/fs/binfmt_misc): qemu-arm and maybe more: {doubt}"));
    }

    #[test]
    fn only_the_wanted_entries_are_read_and_only_those_that_were_listed() {
        let host = host("enabled\n").unreadable(&format!("{FOLDER}/a"));
        let told =
            told_of(&host, FEATURE.name, wanted(&["qemu-arm", "../../kernel/ostype", "register", "x"]));
        assert_eq!(told, "known (/proc/sys/fs/binfmt_misc): qemu-arm");
    }
}
