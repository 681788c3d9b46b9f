//! `kernel.loadedmodule`, `kernel.enabledmodule`: the modules that are in the kernel now. Loads none.

use std::collections::BTreeSet;

use super::available;
use crate::host::probing::MODULES;
use crate::host::{Fact, Feature, FeatureInfo, Kind, Probing, Unknown, Wanted};

pub(in crate::host) const LOADED: FeatureInfo = FeatureInfo {
    name: "kernel.loadedmodule",
    kinds: &[Kind::Flags],
    meaning: "the kernel modules that are loaded, without those built in; their names have `_`, never `-`",
    read: "/proc/modules",
    nfd: true,
    elements: None,
    absent: "not loaded now; the feature itself is absent if the kernel was built without modules",
    since: "always",
    example: "feature: kernel.loadedmodule\n  matchExpressions:\n    gtp5g: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: probe_loaded,
};

pub(in crate::host) const ENABLED: FeatureInfo = FeatureInfo {
    name: "kernel.enabledmodule",
    kinds: &[Kind::Flags],
    meaning: "the kernel modules that are loaded or built in; names of the latter may have `-`",
    read: "/proc/modules and /lib/modules/<release>/modules.builtin",
    nfd: true,
    elements: None,
    absent: "neither loaded nor built in",
    since: "always",
    example: "feature: kernel.enabledmodule\n  matchExpressions:\n    overlay: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: probe_enabled,
};

fn probe_loaded(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    match probing.modules() {
        Ok(Some(text)) => Fact::Known(Feature::flags(loaded(text, wanted)), MODULES.to_owned()),
        // This kernel was built without modules.
        Ok(None) => Fact::Absent(MODULES.to_owned()),
        Err(unknown) => Fact::Unknown(unknown.clone()),
    }
}

/// Where one half cannot be read, the other half still tells which modules are there.
fn probe_enabled(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let builtin = read_builtin(probing, wanted);
    match (probing.modules(), builtin) {
        (Ok(Some(text)), Ok((builtin, place))) => {
            let read = format!("{MODULES} and {place}");
            Fact::Known(Feature::flags(loaded(text, wanted).chain(builtin)), read)
        }
        // A kernel built without modules has only those built in.
        (Ok(None), Ok((builtin, place))) => Fact::Known(Feature::flags(builtin), place),
        (Ok(Some(text)), Err(unknown)) => {
            incomplete(loaded(text, wanted).collect(), MODULES.to_owned(), unknown)
        }
        (Err(unknown), Ok((builtin, place))) => incomplete(builtin, place, unknown.clone()),
        (Ok(None), Err(unknown)) => Fact::Unknown(unknown),
        (Err(unknown), Err(_)) => Fact::Unknown(unknown.clone()),
    }
}

fn incomplete(flags: BTreeSet<String>, read: String, unknown: Unknown) -> Fact {
    Fact::Known(Feature { incomplete: Some(unknown), ..Feature::flags(flags) }, read)
}

/// The name is the first word of a line (`m_show` in `kernel/module/procfs.c`).
///
/// `procfs::KernelModules` does not serve: it wants a number where a kernel without `CONFIG_MODULE_UNLOAD` prints `-`.
fn loaded<'a>(text: &'a str, wanted: &'a Wanted) -> impl Iterator<Item = String> + 'a {
    let names = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
    names.filter(|it| wanted.has(it)).map(str::to_owned)
}

fn read_builtin(probing: &Probing<'_>, wanted: &Wanted) -> Result<(BTreeSet<String>, String), Unknown> {
    let release = probing.release().map_err(Unknown::clone)?;
    let (text, place) = available::read(probing.root, release, "modules.builtin")?;
    let names = text.lines().filter_map(builtin).filter(|it| wanted.has(it));
    Ok((names.map(str::to_owned).collect(), place))
}

/// The module's name in a line such as `kernel/fs/overlayfs/overlay.ko`, as it is written there.
fn builtin(line: &str) -> Option<&str> {
    let path = line.trim().strip_suffix(".ko")?;
    path.rsplit('/').next()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const TWO: &str = "gtp5g 143360 0 - Live 0x0000000000000000 (OE)\nudp_tunnel 32768 1 gtp5g, Live 0x0\n";
    const BUILTIN: &str = "/lib/modules/6.1.0/modules.builtin";

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "6.1.0\n")
    }

    fn check_loaded(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, LOADED.name), expected);
    }

    fn check_enabled(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, ENABLED.name), expected);
    }

    #[test]
    fn loaded_modules_are_the_first_words() {
        check_loaded(host().file(MODULES, TWO), "known (/proc/modules): gtp5g udp_tunnel");
        check_loaded(host().file(MODULES, "a 1 - -\n  \n\nb"), "known (/proc/modules): a b");
        check_loaded(host().file(MODULES, ""), "known (/proc/modules): ");
    }

    #[test]
    fn a_kernel_without_modules_is_told_from_a_proc_that_is_not_mounted() {
        check_loaded(host(), "absent (/proc/modules)");
        let nothing = "is not there, and nor is the rest of its file system";
        check_loaded(FakeHost::new(), &format!("unknown: /proc/modules: {nothing}"));
    }

    #[test]
    fn modules_that_cannot_be_read_are_unknown() {
        check_loaded(host().unreadable(MODULES), "unknown: /proc/modules: is a loop of symbolic links");
        let both = host().unreadable(MODULES).unreadable(BUILTIN);
        check_enabled(both, "unknown: /proc/modules: is a loop of symbolic links");
        check_enabled(host(), "unknown: /lib/modules/6.1.0/modules.builtin: is not there");
    }

    #[test]
    fn enabled_modules_are_loaded_or_built_in() {
        let builtin = "kernel/fs/over-lay.ko\n kernel/net/tun.ko \nkernel/a.ko.xz\nb.ko\n";
        let both = "known (/proc/modules and /lib/modules/6.1.0/modules.builtin): ";
        check_enabled(
            host().file(MODULES, TWO).file(BUILTIN, builtin),
            &format!("{both}b gtp5g over-lay tun udp_tunnel"),
        );
        let without_modules = host().file(BUILTIN, "?\na.ko\n");
        check_enabled(without_modules, "known (/lib/modules/6.1.0/modules.builtin): a");
    }

    #[test]
    fn a_half_that_cannot_be_read_makes_the_whole_incomplete() {
        check_enabled(
            host().file(MODULES, "a 1\n").unreadable(BUILTIN),
            "known (/proc/modules): a \
             and maybe more: /lib/modules/6.1.0/modules.builtin: is a loop of symbolic links",
        );
        check_enabled(
            host().file(MODULES, "a 1\n"),
            "known (/proc/modules): a and maybe more: /lib/modules/6.1.0/modules.builtin: is not there",
        );
        check_enabled(
            host().unreadable(MODULES).file(BUILTIN, "b.ko\n"),
            "known (/lib/modules/6.1.0/modules.builtin): b \
             and maybe more: /proc/modules: is a loop of symbolic links",
        );
        check_enabled(
            FakeHost::new().file("/proc/version", "Linux").file(MODULES, "a 1\n"),
            "known (/proc/modules): a and maybe more: /proc/sys/kernel/osrelease: is not there",
        );
    }

    #[test]
    fn only_the_wanted_modules_are_kept() {
        let host = host().file(MODULES, TWO).file(BUILTIN, "a.ko\nb.ko\n");
        let told = |feature| told_of(&host, feature, wanted(&["gtp5g", "b", "c"]));
        assert_eq!(told(LOADED.name), "known (/proc/modules): gtp5g");
        assert_eq!(
            told(ENABLED.name),
            "known (/proc/modules and /lib/modules/6.1.0/modules.builtin): b gtp5g"
        );
    }
}
