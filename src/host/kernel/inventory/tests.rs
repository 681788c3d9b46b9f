use super::*;
use crate::host::probing::OSRELEASE;
use crate::host::testing::{told, told_of, wanted};
use crate::testing::FakeHost;

const LOADED: &str =
    "gtp5g 143360 0 - Live 0x0000000000000000 (OE)\n\nudp_tunnel 32768 1 gtp5g, Live 0x0\nvfio_pci 1 0\n";
const BUILTIN: &str = "/lib/modules/6.1.0/modules.builtin";
const DEP: &str = "/lib/modules/6.1.0/modules.dep";

fn host() -> FakeHost {
    FakeHost::new()
        .folder("/sys/bus")
        .file(OSRELEASE, "6.1.0\n")
        .file(MODULES, LOADED)
        .file(BUILTIN, "kernel/fs/over-lay.ko\nkernel/net/gtp5g.ko\n")
        .file(
            DEP,
            "extra/gtp5g.ko:\nkernel/vfio-pci.ko.xz: kernel/x.ko.xz\n/opt/snd-hda.ko.zst:\nover-lay.ko:\n",
        )
        .file("/sys/module/gtp5g/version", "0.8.1\n")
        .file("/sys/module/gtp5g/srcversion", "ABC\n")
}

fn check_names(host: &FakeHost, names: &[&str], expected: &str) {
    let names: Vec<_> = names.iter().map(|it| format!("name={it}")).collect();
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    assert_eq!(told_of(host, FEATURE.name, wanted(&names)), expected);
}

#[test]
fn a_module_is_loaded_or_built_in_or_available() {
    check_names(
        &host(),
        &["gtp5g", "over_lay", "snd_hda"],
        "known (/proc/modules, modules.builtin and modules.dep): \
         [/proc/modules: name=gtp5g path=/lib/modules/6.1.0/extra/gtp5g.ko state=loaded taint=OE] \
         [/lib/modules/6.1.0/modules.builtin: name=over_lay state=builtin] \
         [/lib/modules/6.1.0/modules.dep: name=snd_hda path=/opt/snd-hda.ko.zst state=available]",
    );
}

#[test]
fn where_the_kernel_takes_no_more_modules_none_is_available() {
    let disabled = |text: &str| host().file("/proc/sys/kernel/modules_disabled", text);
    let told =
        |state: &str| format!("known ({DEP}): [{DEP}: name=snd_hda path=/opt/snd-hda.ko.zst state={state}]");
    check_names(&disabled("1\n"), &["snd_hda"], &told("locked"));
    check_names(&disabled("0\n"), &["snd_hda"], &told("available"));
    check_names(&host(), &["snd_hda"], &told("available"));
}

#[test]
fn a_module_that_no_list_has_is_not_there() {
    check_names(&host(), &["nvidia"], "known (/proc/modules, modules.builtin and modules.dep): ");
    let without_modules =
        FakeHost::new().folder("/sys/bus").file(OSRELEASE, "6.1.0\n").file(BUILTIN, "a.ko\n");
    check_names(
        &without_modules,
        &["a", "b"],
        "known (/lib/modules/6.1.0/modules.builtin): [/lib/modules/6.1.0/modules.builtin: name=a state=builtin]",
    );
}

#[test]
fn a_hyphen_and_an_underscore_are_the_same_and_a_rule_is_met_as_it_spells_the_name() {
    let (dep, loaded) = ("/lib/modules/6.1.0/modules.dep", "known (/proc/modules): [/proc/modules:");
    check_names(&host(), &["vfio_pci"], &format!("{loaded} name=vfio_pci state=loaded]"));
    let both = format!("{loaded} name=vfio-pci state=loaded] [/proc/modules: name=vfio_pci state=loaded]");
    check_names(&host(), &["vfio-pci"], &both);
    check_names(&host(), &["vfio-pci", "vfio_pci"], &both);
    let path = "path=/opt/snd-hda.ko.zst state=available]";
    let both = format!("known ({dep}): [{dep}: name=snd-hda {path} [{dep}: name=snd_hda {path}");
    check_names(&host(), &["snd-hda"], &both);
}

#[test]
fn attributes_that_cost_more_are_read_if_they_are_wanted() {
    let told = |more: &[&str]| told_of(&host(), FEATURE.name, wanted(&[&["name=gtp5g"], more].concat()));
    let gtp5g = |attributes: &str| {
        format!("known (/proc/modules): [/proc/modules: name=gtp5g {attributes} taint=OE]")
    };
    assert_eq!(told(&["state", "taint"]), gtp5g("state=loaded"));
    assert_eq!(told(&["version"]), gtp5g("state=loaded").replace("taint=OE", "taint=OE version=0.8.1"));
    assert_eq!(told(&["srcversion"]), gtp5g("srcversion=ABC state=loaded"));
    assert_eq!(told(&["path"]), gtp5g("path=/lib/modules/6.1.0/extra/gtp5g.ko state=loaded"));
}

#[test]
fn if_rules_name_no_module_all_are_listed_with_the_names_of_their_files() {
    let expected = "known (/proc/modules, modules.builtin and modules.dep): \
         [/proc/modules: name=gtp5g path=/lib/modules/6.1.0/extra/gtp5g.ko srcversion=ABC state=loaded taint=OE version=0.8.1] \
         [/lib/modules/6.1.0/modules.builtin: name=over-lay state=builtin] \
         [/lib/modules/6.1.0/modules.builtin: name=over_lay state=builtin] \
         [/lib/modules/6.1.0/modules.dep: name=snd-hda path=/opt/snd-hda.ko.zst state=available] \
         [/lib/modules/6.1.0/modules.dep: name=snd_hda path=/opt/snd-hda.ko.zst state=available] \
         [/proc/modules: name=udp_tunnel state=loaded] \
         [/proc/modules: name=vfio-pci path=/lib/modules/6.1.0/kernel/vfio-pci.ko.xz state=loaded] \
         [/proc/modules: name=vfio_pci path=/lib/modules/6.1.0/kernel/vfio-pci.ko.xz state=loaded]";
    assert_eq!(told(&host(), FEATURE.name), expected);
    let some_name_none = wanted(&["name", "name=gtp5g", "state", "path", "version", "srcversion"]);
    assert_eq!(told_of(&host(), FEATURE.name, some_name_none), expected);
}

#[test]
fn lists_that_cannot_be_read_matter_only_for_modules_that_were_not_found_before() {
    let host = || FakeHost::new().file(OSRELEASE, "6.1.0\n").folder("/sys/module/loop").folder("/sys/bus");
    let loaded = || host().file(MODULES, "gtp5g 1 0 - Live 0x0\n");
    check_names(&loaded(), &["gtp5g"], "known (/proc/modules): [/proc/modules: name=gtp5g state=loaded]");
    check_names(
        &loaded(),
        &["gtp5g", "loop"],
        "known (/proc/modules, modules.builtin and modules.dep): \
         [/proc/modules: name=gtp5g state=loaded] [/sys/module/loop: name=loop state=builtin]",
    );
    let doubt = "/lib/modules/6.1.0/modules.builtin: is not there";
    check_names(
        &loaded(),
        &["gtp5g", "tun"],
        &format!("known (/proc/modules): [/proc/modules: name=gtp5g state=loaded] and maybe more: {doubt}"),
    );
    let loops = "is a loop of symbolic links";
    let lists = "known (/proc/modules, modules.builtin and modules.dep)";
    check_names(
        &host().unreadable(MODULES).file(BUILTIN, "a.ko"),
        &["a", "loop"],
        &format!(
            "known ({BUILTIN}): [{BUILTIN}: name=a state=builtin] and maybe more: /proc/modules: {loops}"
        ),
    );
    check_names(
        &loaded().file(BUILTIN, "").unreadable(DEP),
        &["a"],
        &format!("{lists}: and maybe more: {DEP}: {loops}"),
    );
}

#[test]
fn whether_a_module_is_loaded_is_unknown_without_the_list_of_those_that_are() {
    let host = FakeHost::new().file(OSRELEASE, "6.1.0\n").unreadable(MODULES);
    let host = host.file(BUILTIN, "b.ko\n").file(DEP, "a.ko:\n");
    check_names(
        &host,
        &["a", "b"],
        "known (/proc/modules, modules.builtin and modules.dep): \
         [/lib/modules/6.1.0/modules.dep: name=a path=/lib/modules/6.1.0/a.ko] \
         [/lib/modules/6.1.0/modules.builtin: name=b state=builtin] \
         and maybe more: /proc/modules: is a loop of symbolic links",
    );
}

#[test]
fn a_version_that_cannot_be_read_makes_the_rest_incomplete() {
    let host = host().unreadable("/sys/module/udp_tunnel/version");
    let told = told_of(&host, FEATURE.name, wanted(&["name=udp_tunnel", "version"]));
    let doubt = "/sys/module/udp_tunnel/version: is a loop of symbolic links";
    let module = "[/proc/modules: name=udp_tunnel state=loaded]";
    assert_eq!(told, format!("known (/proc/modules): {module} and maybe more: {doubt}"));
}

#[test]
fn names_that_lead_elsewhere_name_no_module() {
    let host = host().file("/sys/secret/version", "s").file("/sys/module/loop/version", "1\n");
    let long = "x".repeat(100_000);
    for name in ["..", ".", "", "/", "../secret", "gtp5g/../loop", "gtp5g\0", &long] {
        check_names(&host, &[name], "known (/proc/modules, modules.builtin and modules.dep): ");
    }
}

#[test]
fn a_module_on_its_way_has_no_more_taint_than_another() {
    let host =
        host().file(MODULES, "a 1 0 - Loading 0x0 (OE+)\nb 1 0 - Unloading 0x0 (-)\nc 1 - - Live 0x0 (P)\n");
    check_names(
        &host,
        &["a", "b", "c"],
        "known (/proc/modules): [/proc/modules: name=a state=loaded taint=OE] \
         [/proc/modules: name=b state=loaded] [/proc/modules: name=c state=loaded taint=P]",
    );
}

#[test]
fn whether_a_module_is_loaded_is_certain_without_the_other_lists() {
    let host =
        FakeHost::new().file(OSRELEASE, "6.1.0\n").file(MODULES, "gtp5g 1 0 - Live 0x0\n").folder("/sys/bus");
    let demand =
        crate::host::FeatureDemand::from([(FEATURE.name.to_owned(), wanted(&["name=sctp", "state"]))]);
    let facts = crate::host::gather(&host.root(), &demand);
    let Fact::Known(feature, _) = facts.get(FEATURE.name) else { panic!("{facts:?}") };
    assert_eq!(feature.missing, BTreeSet::from(["state=loaded".to_owned()]));
    assert!(feature.incomplete.is_some());
}

#[test]
fn a_well_known_module_is_built_in_if_the_configuration_says_so() {
    let host = FakeHost::new()
        .file(OSRELEASE, "6.1.0\n")
        .file(MODULES, "gtp5g 1 0 - Live 0x0\n")
        .file("/boot/config-6.1.0", "CONFIG_IP_SCTP=y\nCONFIG_TUN=m\n")
        .folder("/sys/bus");
    let read = "the kernel's configuration";
    check_names(&host, &["sctp"], &format!("known ({read}): [{read}: name=sctp state=builtin]"));
}
