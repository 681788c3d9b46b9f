//! The systemd units, as systemd itself reads them.

use std::fs;
use std::process::Command;

use crate::runtimes::program::installed;
use crate::runtimes::runtime::skip;

#[test]
fn systemd_finds_nothing_wrong_with_the_units_and_little_exposed() {
    let Some(program) = installed("systemd-analyze") else {
        return skip("systemd-analyze", "not installed");
    };
    let hooks = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let service = fs::read_to_string(hooks.join("oci-compat-pull.service")).expect("the unit");
    // Any program that is there.
    let service = service.replace("@BINDIR@/oci-compat", "/bin/true");
    fs::write(folder.path().join("oci-compat-pull.service"), service).expect("writing a unit");
    for unit in ["oci-compat-pull.timer", "oci-compat-pull.path"] {
        fs::copy(hooks.join(unit), folder.path().join(unit)).expect("a copy");
    }
    let ran = |arguments: &[&str]| {
        let mut command = Command::new(&program);
        command.current_dir(folder.path()).args(arguments);
        crate::command::ran(&mut command)
    };
    let units = ["./oci-compat-pull.service", "./oci-compat-pull.timer", "./oci-compat-pull.path"];
    let verified = ran(&[&["verify", "--man=no"], &units[..]].concat());
    let ours: Vec<_> = verified.stderr.lines().filter(|it| it.contains("oci-compat")).collect();
    assert_eq!((verified.status, ours), (0, Vec::new()));
    // From 0 to 100, the more the worse; units without any hardening have more than 90.
    let secure = ran(&["security", "--offline=true", "--threshold=30", "./oci-compat-pull.service"]);
    assert_eq!(secure.status, 0, "{}", secure.stdout);
}
