//! `kernel.loadedmodule`, `kernel.enabledmodule`: the modules that are in the kernel now. Loads none.

use std::collections::BTreeSet;

use super::inventory::{FOLDER, underscored};
use super::{available, config, options_of};
use crate::host::probing::MODULES;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const LOADED: FeatureInfo = FeatureInfo {
    name: "kernel.loadedmodule",
    kinds: &[ElementKind::Flags],
    meaning: "the kernel modules that are loaded, without built-in ones; the kernel names them with `_`, and rules may write \
        `-`",
    read: "/proc/modules",
    nfd: true,
    elements: None,
    absent: "not loaded now; the whole feature is absent if the kernel was built without modules",
    since: "always",
    example: "feature: kernel.loadedmodule\n  matchExpressions:\n    gtp5g: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe: probe_loaded,
};

pub(in crate::host) const ENABLED: FeatureInfo = FeatureInfo {
    name: "kernel.enabledmodule",
    kinds: &[ElementKind::Flags],
    meaning: "the kernel modules that are loaded or built in; `-` and `_` are the same",
    read: "/proc/modules and /lib/modules/<release>/modules.builtin; if that is missing, /sys/module and, for well-known \
        modules, the kernel's configuration",
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

/// If one half cannot be read, the other half still shows which modules exist.
fn probe_enabled(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let builtin = read_builtin(probing, wanted);
    match (probing.modules(), builtin) {
        (Ok(Some(text)), Ok((builtin, place))) => {
            let read = format!("{MODULES} and {place}");
            Fact::Known(Feature::flags(loaded(text, wanted).chain(builtin)), read)
        }
        // A kernel built without modules has only those built in.
        (Ok(None), Ok((builtin, place))) => Fact::Known(Feature::flags(builtin), place),
        (Ok(text), Err(unknown)) => {
            without_list(probing, wanted, loaded(text.unwrap_or_default(), wanted).collect(), unknown)
        }
        (Err(unknown), Ok((builtin, place))) => {
            Fact::Known(Feature { incomplete: Some(unknown.clone()), ..Feature::flags(builtin) }, place)
        }
        (Err(unknown), Err(_)) => Fact::Unknown(unknown.clone()),
    }
}

/// The fact without a list of the built-in modules.
fn without_list(probing: &Probing<'_>, wanted: &Wanted, loaded: BTreeSet<String>, unknown: Unknown) -> Fact {
    let sought = |it: &str| wants(wanted, it) && !loaded.contains(it);
    let mut built_in = shown(probing, wanted);
    built_in.retain(|it| sought(it));
    let mut missing = BTreeSet::new();
    for (module, is_built_in) in configured(probing, |it| sought(it) && !built_in.contains(it)) {
        if is_built_in {
            built_in.insert(module.to_owned())
        } else {
            missing.insert(module.to_owned())
        };
    }
    let read = match built_in.is_empty() && missing.is_empty() {
        true if loaded.is_empty() => return Fact::Unknown(unknown),
        true => MODULES.to_owned(),
        false => format!("{MODULES}, {FOLDER} and the kernel's configuration"),
    };
    let flags = Feature::flags(loaded.into_iter().chain(built_in));
    Fact::Known(Feature { incomplete: Some(unknown), missing, ..flags }, read)
}

/// The modules that `/sys/module` shows: those that are loaded, and those built in that have parameters or a version. The
/// kernel has one name for each, with `_`.
fn shown(probing: &Probing<'_>, wanted: &Wanted) -> BTreeSet<String> {
    /// Up to so many names, to look for each is less work than to list some hundred folders.
    const FEW: usize = 16;
    match wanted {
        Wanted::Names(names) if names.len() <= FEW => {
            let names = names.iter().map(|it| underscored(it).into_owned());
            let is_shown = |it: &String| probing.root.exists(&format!("{FOLDER}/{it}")).unwrap_or_default();
            names.filter(|it| is_name(it) && is_shown(it)).collect()
        }
        Wanted::All | Wanted::Names(_) => probing.list(FOLDER).ok().flatten().into_iter().flatten().collect(),
    }
}

/// Whether it can be the name of a module, and not a path.
fn is_name(text: &str) -> bool {
    text.bytes().all(|it| it.is_ascii_alphanumeric() || it == b'_') && !text.is_empty()
}

/// Of the modules that are sought and whose option is known: whether they are built in. None if the configuration cannot
/// be read.
pub(super) fn configured(
    probing: &Probing<'_>,
    is_sought: impl Fn(&str) -> bool,
) -> Vec<(&'static str, bool)> {
    let sought = options_of::modules().filter(|it| is_sought(it));
    let sought: Vec<_> = sought.filter_map(|it| Some((it, options_of::option_of(it)?))).collect();
    if sought.is_empty() {
        return Vec::new();
    }
    let options = sought.iter().map(|(_, option)| (*option).to_owned()).collect();
    match config::probe(probing, &Wanted::Names(options)) {
        Fact::Known(Feature { attributes: Some(options), .. }, _) => {
            let is_built_in = |option: &str| options.get(option).is_some_and(|it| it == "y");
            sought.into_iter().map(|(module, option)| (module, is_built_in(option))).collect()
        }
        Fact::Known(..) | Fact::Absent(_) | Fact::Unknown(_) => Vec::new(),
    }
}

/// `-` and `_` are the same, to the kernel and in rules.
fn wants(wanted: &Wanted, module: &str) -> bool {
    match wanted {
        Wanted::All => true,
        Wanted::Names(names) => names.contains(module) || has_spelling(names, module),
    }
}

fn has_spelling(names: &BTreeSet<String>, module: &str) -> bool {
    let plain = underscored(module);
    module.contains(['-', '_']) && names.iter().any(|it| underscored(it) == plain)
}

/// The name is the first word of a line (`m_show` in `kernel/module/procfs.c`).
///
/// `procfs::KernelModules` does not serve: it wants a number where a kernel without `CONFIG_MODULE_UNLOAD` prints `-`.
fn loaded<'a>(text: &'a str, wanted: &'a Wanted) -> impl Iterator<Item = String> + 'a {
    let names = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
    names.filter(|it| wants(wanted, it)).map(str::to_owned)
}

fn read_builtin(probing: &Probing<'_>, wanted: &Wanted) -> Result<(BTreeSet<String>, String), Unknown> {
    let release = probing.release().map_err(Unknown::clone)?;
    let (text, place) = available::read(probing.root, release, "modules.builtin")?;
    let names = text.lines().filter_map(builtin).filter(|it| wants(wanted, it));
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
    use crate::host::{FeatureDemand, gather};
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
    fn a_kernel_without_modules_is_distinguished_from_a_proc_that_is_not_mounted() {
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
            host()
                .file(MODULES, "a 1\n")
                .folder("/sys/bus")
                .folder("/sys/module/a")
                .folder("/sys/module/b_c"),
            "known (/proc/modules, /sys/module and the kernel's configuration): a b_c \
             and maybe more: /lib/modules/6.1.0/modules.builtin: is not there",
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
    fn without_a_list_of_those_built_in_the_configuration_decides_on_well_known_ones() {
        let config = "CONFIG_OVERLAY_FS=y\nCONFIG_TUN=m\n";
        let host = host().file(MODULES, "gtp5g 1\n").file("/boot/config-6.1.0", config);
        let told = |names: &[&str]| {
            let fact = gather(&host.root(), &FeatureDemand::from([(ENABLED.name.to_owned(), wanted(names))]));
            let Fact::Known(feature, _) = fact.get(ENABLED.name) else { panic!("{names:?}: {fact:?}") };
            (feature.flags.clone().unwrap_or_default(), feature.missing.clone(), feature.incomplete.is_some())
        };
        let set = |names: &[&str]| names.iter().map(|it| (*it).to_owned()).collect::<BTreeSet<_>>();
        assert_eq!(told(&["overlay"]), (set(&["overlay"]), set(&[]), true));
        assert_eq!(told(&["tun", "br-netfilter"]), (set(&[]), set(&["br_netfilter", "tun"]), true));
        assert_eq!(told(&["gtp5g", "zzz"]), (set(&["gtp5g"]), set(&[]), true));
    }

    #[test]
    fn only_the_wanted_modules_are_kept() {
        let host = host().file(MODULES, TWO).file(BUILTIN, "a.ko\nb.ko\n");
        let told = |feature| told_of(&host, feature, wanted(&["gtp5g", "b", "c", "udp-tunnel"]));
        assert_eq!(told(LOADED.name), "known (/proc/modules): gtp5g udp_tunnel");
        assert_eq!(
            told(ENABLED.name),
            "known (/proc/modules and /lib/modules/6.1.0/modules.builtin): b gtp5g udp_tunnel"
        );
    }
}
