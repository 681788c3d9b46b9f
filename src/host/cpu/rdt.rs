//! `cpu.rdt`: whether caches and memory bandwidth can be monitored and allocated. Does neither.

use super::{gathered, instruction};
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};
use crate::os::file::unescaped;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.rdt",
    kinds: &[ElementKind::Attributes],
    meaning: "whether the processor can monitor (MON, CMT, MBM) and allocate (L3CA, L2CA, MBA) caches and memory bandwidth",
    read: "the CPUID instruction and, for the number of classes, /sys/fs/resctrl/info/L3/num_closids",
    nfd: true,
    elements: Some(&["RDTMON", "RDTCMT", "RDTMBM", "RDTL3CA", "RDTL2CA", "RDTMBA", NUM_CLOSID]),
    absent: "the processor lacks it, or its hypervisor hides it; RDTL3CA_NUM_CLOSID also if resctrl is not mounted",
    since: "always; RDTL3CA_NUM_CLOSID since Linux 4.10",
    example: "feature: cpu.rdt\n  matchExpressions:\n    RDTL3CA: {op: IsTrue}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const SOURCE: &str = "CPUID and /sys/fs/resctrl";

/// How many classes can be allotted shares of the L3 cache, besides the default one.
const NUM_CLOSID: &str = "RDTL3CA_NUM_CLOSID";
/// The place that the kernel makes for resctrl (`Documentation/filesystems/resctrl.rst`); empty where it is not mounted.
const RESCTRL: &str = "/sys/fs/resctrl";
/// What is mounted where (proc_pid_mountinfo(5)): as the first process sees it, else as we do.
const MOUNTS: [&str; 2] = ["/proc/1/mountinfo", "/proc/self/mountinfo"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let feature = feature(probing, instruction::rdt(probing.root), wanted);
    Fact::Known(feature, SOURCE.to_owned())
}

/// What the processor has, and the classes if it may have any.
fn feature(probing: &Probing<'_>, abilities: Result<Vec<&'static str>, Unknown>, wanted: &Wanted) -> Feature {
    let may_allot = abilities.as_ref().map_or(true, |it| it.contains(&"RDTL3CA"));
    let classes = (wanted.has(NUM_CLOSID) && may_allot).then(|| classes(probing));
    let classes = classes.map(|it| it.map(|it| it.map(|it| (NUM_CLOSID, it.to_string()))));
    let abilities: Vec<_> = match abilities {
        Ok(names) => names.into_iter().map(|it| Ok(Some((it, "true".to_owned())))).collect(),
        Err(unknown) => vec![Err(unknown)],
    };
    gathered(abilities.into_iter().chain(classes))
}

/// None if resctrl is not mounted, or L3 caches cannot be allotted as a whole.
fn classes(probing: &Probing<'_>) -> Result<Option<u64>, Unknown> {
    let usual = format!("{RESCTRL}/info/L3/num_closids");
    if let Some(text) = probing.text(&usual)? {
        return parse(&usual, &text);
    }
    // Without that folder the kernel does not know resctrl.
    let mounted = if probing.exists(RESCTRL)? { mount_point(probing)? } else { None };
    let Some(folder) = mounted else { return Ok(None) };
    let path = format!("{folder}/info/L3/num_closids");
    match probing.text(&path)? {
        Some(text) => parse(&path, &text),
        None => Ok(None),
    }
}

/// Where resctrl is mounted first.
fn mount_point(probing: &Probing<'_>) -> Result<Option<String>, Unknown> {
    for path in MOUNTS {
        if let Some(text) = probing.text(path)? {
            return Ok(text.lines().find_map(resctrl_mount));
        }
    }
    Ok(None)
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw`: the fifth field, if it is resctrl's.
fn resctrl_mount(line: &str) -> Option<String> {
    let (mount, file_system) = line.split_once(" - ")?;
    if file_system.split(' ').next() != Some("resctrl") {
        return None;
    }
    mount.split(' ').nth(4).map(|it| unescaped(it).into_owned())
}

/// None if no class is left without the default one.
fn parse(path: &str, text: &str) -> Result<Option<u64>, Unknown> {
    let text = text.trim();
    let malformed = |_| Unknown::new(path, format!("holds {text:?}, not a number such as \"16\""));
    text.parse::<u64>().map(|it| it.checked_sub(1)).map_err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{show, told, wanted};
    use crate::testing::FakeHost;

    const CLOSIDS: &str = "/sys/fs/resctrl/info/L3/num_closids";
    const ALL: [&str; 3] = ["RDTMON", "RDTL3CA", "RDTMBA"];
    const ELSEWHERE: &str =
        "and maybe more: CPUID: can only be read on the machine itself, not from a tree of its files";

    /// The attributes if the processor has these features.
    fn check(host: &FakeHost, abilities: &[&'static str], expected: &str) {
        check_of(host, abilities, &Wanted::All, expected);
    }

    fn check_of(host: &FakeHost, abilities: &[&'static str], wanted: &Wanted, expected: &str) {
        let feature = feature(&Probing::new(&host.root()), Ok(abilities.to_vec()), wanted);
        assert_eq!(show(&Fact::Known(feature, SOURCE.to_owned())), known(expected));
    }

    fn known(elements: &str) -> String {
        format!("known (CPUID and /sys/fs/resctrl): {elements}")
    }

    fn host() -> FakeHost {
        FakeHost::new().folder("/sys/bus").file("/proc/version", "Linux")
    }

    fn with_all(closids: &str) -> String {
        format!(r#"RDTL3CA="true" {closids}RDTMBA="true" RDTMON="true""#)
    }

    #[test]
    fn abilities_are_true_and_classes_are_counted_without_the_default_one() {
        check(&host().file(CLOSIDS, "16\n"), &ALL, &with_all(r#"RDTL3CA_NUM_CLOSID="15" "#));
        check(&host().file(CLOSIDS, "1\n"), &ALL, &with_all(r#"RDTL3CA_NUM_CLOSID="0" "#));
        check(&host().file(CLOSIDS, "0\n"), &ALL, &with_all(""));
    }

    #[test]
    fn a_processor_without_abilities_has_no_classes_either() {
        check(&host().file(CLOSIDS, "16\n"), &[], "");
        check(&host().file(CLOSIDS, "16\n"), &["RDTMON"], r#"RDTMON="true""#);
    }

    #[test]
    fn without_resctrl_the_classes_are_not_counted() {
        check(&host(), &ALL, &with_all(""));
        check(&host().folder(RESCTRL), &ALL, &with_all(""));
        let other = host().folder(RESCTRL).file(MOUNTS[0], "25 1 0:22 / /proc rw - proc proc rw\n");
        check(&other, &ALL, &with_all(""));
    }

    #[test]
    fn resctrl_may_be_mounted_elsewhere() {
        let mounts = "25 1 0:22 / /proc rw shared:1 - proc proc rw\n\
                      99 1 0:50 / /mnt/cache\\040shares rw,relatime shared:9 - resctrl resctrl rw\n";
        let closids = |host: FakeHost| host.file("/mnt/cache shares/info/L3/num_closids", "8\n");
        let expected = with_all(r#"RDTL3CA_NUM_CLOSID="7" "#);
        for place in MOUNTS {
            check(&closids(host().folder(RESCTRL).file(place, mounts)), &ALL, &expected);
        }
        check(&host().folder(RESCTRL).file(MOUNTS[0], mounts), &ALL, &with_all(""));
        check(&closids(host().file(MOUNTS[0], mounts)), &ALL, &with_all(""));
    }

    #[test]
    fn lines_that_are_no_mount_are_passed_over() {
        for line in
            ["", "resctrl", "a b c - resctrl", "1 2 3 4 /x rw - resctrl2 x rw", " - resctrl - resctrl"]
        {
            assert_eq!(resctrl_mount(line), None, "{line}");
        }
        assert_eq!(resctrl_mount("1 2 3 / /a\\134040 - resctrl x").as_deref(), Some("/a\\040"));
    }

    #[test]
    fn classes_that_cannot_be_counted_may_be_there() {
        let more = |place: &str, reason: &str| with_all("") + &format!(" and maybe more: {place}: {reason}");
        check(&host().unreadable(CLOSIDS), &ALL, &more(CLOSIDS, "is a loop of symbolic links"));
        let hidden = host().folder(RESCTRL).unreadable(MOUNTS[0]);
        check(&hidden, &ALL, &more(MOUNTS[0], "is a loop of symbolic links"));
        for (text, shown) in [("", ""), ("many\n", "many"), ("-1\n", "-1")] {
            let reason = format!("holds {shown:?}, not a number such as \"16\"");
            check(&host().file(CLOSIDS, text), &ALL, &more(CLOSIDS, &reason));
        }
    }

    #[test]
    fn classes_are_counted_only_if_that_is_wanted() {
        let hidden = host().unreadable(CLOSIDS);
        check_of(&hidden, &ALL, &wanted(&["RDTMBA"]), &with_all(""));
    }

    #[test]
    fn of_a_tree_of_files_only_the_classes_are_known() {
        let told = |host: &FakeHost| told(host, FEATURE.name);
        assert_eq!(told(&host()), known(ELSEWHERE));
        let counted = host().file(CLOSIDS, "16\n");
        assert_eq!(told(&counted), known(&format!(r#"RDTL3CA_NUM_CLOSID="15" {ELSEWHERE}"#)));
    }
}
