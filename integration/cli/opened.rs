//! Which files a probe opens: those of the features that are asked for, and no others.

use std::process::Command;

use super::folder;
use crate::command::{in_folder, program};
use crate::runtimes::runtime::skip;

/// What says whose facts they are, and what Rust's own start reads.
const EVERYBODY: [&str; 4] =
    ["/proc/sys/kernel/osrelease", "/proc/sys/kernel/hostname", "/proc/sys/kernel/arch", "/proc/self/maps"];

fn check(feature: &str, expected: &[&str]) {
    let folder = folder();
    let mut strace = in_folder("/usr/bin/strace".as_ref(), folder.path());
    strace.args(["-f", "-e", "trace=open,openat,openat2", "-o", "opened"]).arg(program());
    let status =
        strace.args(["probe", feature, "--format", "json"]).stdout(std::process::Stdio::null()).status();
    assert!(status.expect("running strace").success());
    let log = std::fs::read_to_string(folder.path().join("opened")).expect("a log");
    let opened: Vec<_> = log.lines().filter_map(|it| it.split('"').nth(1)).filter(|it| *it != "/").collect();
    let is_expected = |it: &&str| EVERYBODY.contains(it) || expected.contains(it);
    assert!(opened.iter().all(is_expected), "{feature}: {opened:?}");
    assert!(expected.iter().all(|it| opened.contains(it)), "{feature}: {opened:?}");
}

#[test]
fn one_feature_costs_only_its_own_files() {
    if Command::new("/usr/bin/strace").arg("-V").output().is_err() {
        return skip("strace", "not installed, so no probe's files are seen (run integration/setup test)");
    }
    check("kernel.version", &[]);
    check("kernel.loadedmodule", &["/proc/modules"]);
    check("memory.total", &["/proc/meminfo"]);
}
