//! Who calls the gate, how long a check may take, and what is reported of our own defects.

use std::os::unix::fs::symlink;

use super::*;

/// The name of a process with these files in its folder of `/proc`.
fn name(files: &[(&str, &str)]) -> Option<String> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (file, text) in files {
        fs::write(folder.path().join(file), text).expect("writing a fixture");
    }
    name_of_process(folder.path())
}

#[test]
fn a_process_has_the_name_that_the_kernel_shows_or_that_of_its_program() {
    assert_eq!(name(&[("comm", "runc\n")]).as_deref(), Some("runc"));
    assert_eq!(name(&[("comm", "runc:[1:CHILD]\n"), ("cmdline", "x")]).as_deref(), Some("runc:[1:CHILD]"));
    let youki = ("cmdline", "/usr/bin/youki\0create\0c1\0");
    assert_eq!(name(&[("comm", "6\n"), youki]).as_deref(), Some("youki"));
    assert_eq!(name(&[("comm", "youki6\n"), ("cmdline", "/x")]).as_deref(), Some("youki6"));
    assert_eq!(name(&[("comm", "6\n")]), None);
    assert_eq!(name(&[("comm", "6\n"), ("cmdline", "")]), None);
    assert_eq!(name(&[]), None);
    // As long as a command line may be that is read.
    let long = |bytes: usize| format!("/usr/bin/youki\0{}", "x".repeat(bytes - "/usr/bin/youki\0".len()));
    assert_eq!(name(&[("comm", "6\n"), ("cmdline", &long(65_536))]).as_deref(), Some("youki"));
    assert_eq!(name(&[("comm", "6\n"), ("cmdline", &long(65_537))]), None);
}

#[test]
fn a_check_may_take_what_is_left_of_its_deadline() {
    let place = GateFixture::new(None);
    let deadline = |options: Option<u64>, spent: u64| {
        let options = GateOptions { deadline: options.map(Duration::from_millis), ..place.options() };
        let spent = Duration::from_millis(spent);
        let policy = Policy { deadline: Duration::from_millis(2000), spent, ..Policy::default_policy() };
        setting(&options, &policy).deadline()
    };
    assert_eq!(deadline(None, 0), Duration::from_millis(2000));
    assert_eq!(deadline(Some(500), 0), Duration::from_millis(500));
    assert_eq!(deadline(Some(500), 200), Duration::from_millis(300));
    assert_eq!(deadline(None, 3000), Duration::ZERO);
    let (options, policy) = (place.options(), Policy::default_policy());
    let setting = setting(&options, &policy);
    let (begin, until, end) = (Instant::now(), setting.until(), Instant::now());
    assert!(begin + setting.deadline() <= until && until <= end + setting.deadline());
}

#[test]
fn a_defect_is_reported_with_its_place() {
    let here = Location::caller();
    let (file, line) = (here.file(), here.line());
    assert_eq!(
        defect(Some(here), Action::Refuse),
        format!("oci-compat: refused: a defect at {file}:{line}; please report it [trouble]\n")
    );
    assert_eq!(defect(None, Action::Start), "oci-compat: warning: a defect; please report it [trouble]\n");
}

#[test]
fn only_verified_specs_may_ask_for_what_is_sensitive_if_the_policy_says_so() {
    let spec = spec("feature: kernel.cmdline, matchExpressions: {quiet: {op: Exists}}");
    let check = |config: &str, refused: Option<Situation>, message: &str| {
        let place = GateFixture::new(Some(&spec));
        place.write("host/proc/cmdline", "quiet\n");
        assert_eq!(place.decide(&policy(config)), (refused, message.to_owned()), "{config:?}");
    };
    check("sensitive = \"any\"", None, "");
    check(
        "sensitive = \"verified\"",
        None,
        "oci-compat: warning: started undecided: boot parameter quiet is unknown, needs given: only verified specs may ask for it \
         (sensitive) [fact-unknown; oci-compat why c1]\n",
    );
}

#[test]
fn the_runtime_behind_the_wrapper_has_to_be_known_by_its_name_and_by_its_file() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["runc", "runsc"] {
        fs::write(folder.path().join(name), "").expect("writing a fixture");
    }
    fs::create_dir(folder.path().join("links")).expect("making a fixture");
    symlink("../runsc", folder.path().join("links/runc")).expect("making a fixture");
    let check = |runtime: Option<&str>, expected: bool| {
        let find = || runtime.map(|it| folder.path().join(it));
        let caller = Caller::Wrapper { limits: &[], runtime: Successor(&find) };
        assert_eq!(caller.runs_on_this_kernel(), expected, "{runtime:?}");
    };
    check(Some("runc"), true);
    check(Some("runsc"), false);
    check(Some("links/runc"), false);
    check(None, false);
}
