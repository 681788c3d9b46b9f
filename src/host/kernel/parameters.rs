//! `kernel.moduleparam`: the values of module parameters as the kernel shows them now. Changes none.

use std::collections::{BTreeMap, BTreeSet};

use super::one_by_one;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Shown, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.moduleparam",
    kinds: &[ElementKind::Attributes],
    meaning: "the parameters of modules that are loaded or built in, as `<module>.<parameter>`; a switch is `Y` or `N`",
    read: "/sys/module/<module>/parameters/<parameter>",
    nfd: false,
    elements: None,
    absent: "the kernel shows no such parameter: the module is not in it, has no such parameter, or hides it (permission 0 \
        in module_param)",
    since: "always",
    example: "feature: kernel.moduleparam\n  matchExpressions:\n    kvm_intel.nested: {op: In, value: [\"Y\", \"1\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// `Documentation/ABI/stable/sysfs-module`: a module that is built in is there if it has parameters.
const FOLDER: &str = "/sys/module";
const PARAMETERS: &str = "parameters";

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let modules = match (probing.exists(FOLDER), wanted) {
        (Ok(true), Wanted::Names(_)) => Ok(None),
        (Ok(true), Wanted::All) => probing.list(FOLDER),
        (Ok(false), _) => Err(Unknown::new(FOLDER, "is not there, as it is on every host")),
        (Err(unknown), _) => Err(unknown),
    };
    match (modules, wanted) {
        (Ok(_), Wanted::Names(names)) => {
            one_by_one::shown(FOLDER, names.iter().map(String::as_str), |name| named(probing, name))
        }
        (Ok(modules), Wanted::All) => all(probing, &modules.unwrap_or_default()),
        (Err(unknown), _) => Fact::Unknown(unknown),
    }
}

fn all(probing: &Probing<'_>, modules: &[String]) -> Fact {
    let (mut attributes, mut secret, mut incomplete) = (BTreeMap::new(), BTreeSet::new(), None);
    for module in modules {
        let folder = format!("{FOLDER}/{module}/{PARAMETERS}");
        let files = probing.surely(&folder, probing.root.read_all_in(&folder)).map(Option::unwrap_or_default);
        for (parameter, text) in files.unwrap_or_else(|unknown| {
            incomplete.get_or_insert(unknown);
            Vec::new()
        }) {
            match text {
                Ok((text, shown)) => {
                    let name = format!("{module}.{parameter}");
                    if shown == Shown::ToRoot {
                        secret.insert(name.clone());
                    }
                    attributes.insert(name, text.trim_end().to_owned());
                }
                Err(Miss::NotFound) => {}
                Err(Miss::Unreadable(unknown)) => drop(incomplete.get_or_insert(unknown)),
            }
        }
    }
    match incomplete {
        Some(unknown) if attributes.is_empty() => Fact::Unknown(unknown),
        incomplete => {
            Fact::Known(Feature { secret, incomplete, ..Feature::attributes(attributes) }, FOLDER.to_owned())
        }
    }
}

/// `-` and `_` are the same in the names of modules and of parameters (`Documentation/admin-guide/kernel-parameters.rst`);
/// in sysfs it is nearly always `_`.
fn named(probing: &Probing<'_>, name: &str) -> Result<Option<(String, Shown)>, Unknown> {
    let Some((module, parameter)) = name.split_once('.') else {
        return Ok(None);
    };
    let (module, underscored) = (module.replace('-', "_"), parameter.replace('-', "_"));
    match read(probing, &module, parameter)? {
        None if underscored != parameter => read(probing, &module, &underscored),
        found => Ok(found),
    }
}

fn read(probing: &Probing<'_>, module: &str, parameter: &str) -> Result<Option<(String, Shown)>, Unknown> {
    match probing.root.read_below(FOLDER, &[module, PARAMETERS, parameter]) {
        Ok((text, shown)) => Ok(Some((text.trim_end().to_owned(), shown))),
        Err(Miss::NotFound) => Ok(None),
        Err(Miss::Unreadable(unknown)) => Err(unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn host() -> FakeHost {
        FakeHost::new()
            .folder("/sys/bus")
            .file("/sys/module/kvm_intel/parameters/nested", "Y\n")
            .file("/sys/module/snd_hda/parameters/model", "auto,(null)\n")
            .file("/sys/module/snd_hda/parameters/odd-one", "\n")
            .file("/sys/module/snd_hda/version", "secret")
    }

    fn check(host: FakeHost, names: &[&str], expected: &str) {
        assert_eq!(told_of(&host, FEATURE.name, wanted(names)), expected, "{names:.40?}");
    }

    #[test]
    fn a_parameter_has_the_value_that_the_kernel_shows() {
        check(host(), &["kvm_intel.nested"], r#"known (/sys/module): kvm_intel.nested="Y""#);
        let expected =
            r#"known (/sys/module): kvm_intel.nested="Y" snd_hda.model="auto,(null)" snd_hda.odd-one="""#;
        assert_eq!(told(&host().folder("/sys/module/loop"), FEATURE.name), expected);
    }

    #[test]
    fn what_only_root_may_read_is_marked_whether_it_is_named_or_not() {
        use std::os::unix::fs::PermissionsExt;
        let host = host();
        let path = host.root().path().join("sys/module/snd_hda/parameters/model");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o400)).unwrap();
        for wanted in [wanted(&["snd_hda.model", "kvm_intel.nested"]), Wanted::All] {
            let demand = crate::host::FeatureDemand::from([(FEATURE.name.to_owned(), wanted)]);
            let facts = crate::host::gather(&host.root(), &demand);
            let Fact::Known(feature, _) = facts.get(FEATURE.name) else { panic!("no parameters") };
            assert_eq!(Vec::from_iter(&feature.secret), ["snd_hda.model"]);
        }
    }

    #[test]
    fn hyphens_and_underscores_are_the_same() {
        check(host(), &["kvm-intel.nested"], r#"known (/sys/module): kvm-intel.nested="Y""#);
        check(host(), &["snd-hda.odd-one"], r#"known (/sys/module): snd-hda.odd-one="""#);
        let host = host().file("/sys/module/loop/parameters/max_part", "15\n");
        check(host, &["loop.max-part"], r#"known (/sys/module): loop.max-part="15""#);
    }

    #[test]
    fn what_the_kernel_does_not_show_is_absent() {
        check(host(), &["kvm_intel.ept", "kvm_amd.nested", "kvm_intel", "nested"], "known (/sys/module): ");
    }

    #[test]
    fn no_name_leads_out_of_the_parameters() {
        let long = format!("kvm_intel.{}", "x".repeat(100_000));
        let names = [
            "snd_hda.../version",
            "snd_hda...",
            "snd_hda..",
            "snd_hda.",
            ".nested",
            "..",
            ".",
            "",
            "/.nested",
            "kvm_intel/parameters/nested.",
            "../module/kvm_intel.nested",
            "kvm_intel.nested\0",
            &long,
        ];
        for name in names {
            check(host(), &[name], "known (/sys/module): ");
        }
    }

    #[test]
    fn links_are_not_followed() {
        let host = host().link("/sys/module/kvm_intel/parameters/out", "../../snd_hda/version");
        let reason = "leads over a symbolic link, and none is followed here";
        let place = "/sys/module/kvm_intel/parameters/out";
        check(host, &["kvm_intel.out"], &format!("unknown: {place}: {reason}"));
    }

    #[test]
    fn what_cannot_be_read_costs_nothing_else() {
        let host = host().unreadable("/sys/module/loop").unreadable("/sys/module/kvm_intel/parameters/ept");
        let names = ["kvm_intel.ept", "kvm_intel.nested"];
        let reason =
            "/sys/module/kvm_intel/parameters/ept: leads over a symbolic link, and none is followed here";
        check(host, &names, &format!("known (/sys/module): kvm_intel.nested=\"Y\" and maybe more: {reason}"));
        let host = self::host().unreadable("/sys/module/loop");
        let expected = "and maybe more: /sys/module/loop/parameters: is a loop of symbolic links";
        assert!(told(&host, FEATURE.name).ends_with(expected));
    }

    #[test]
    fn without_a_look_at_the_modules_nothing_is_known() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &["a.b"], &format!("unknown: /sys/module: {nothing}"));
        let bare = "is not there, as it is on every host";
        check(FakeHost::new().folder("/sys/bus"), &["a.b"], &format!("unknown: /sys/module: {bare}"));
    }
}
