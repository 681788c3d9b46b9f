//! The hook's arguments and exit statuses.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::*;
use crate::policy::Defaults;

fn parsed(args: &[&str]) -> Result<Option<GateOptions>, String> {
    parse(args.iter().map(Into::into).collect()).map_err(|err| format!("{err:#}"))
}

#[test]
fn options_are_read() {
    let expected = GateOptions {
        store: Path::new("/s").to_owned(),
        config: Path::new("/c").to_owned(),
        root: Path::new("/r").to_owned(),
        reports: Some(Path::new("--store").to_owned()),
        decisions: Some(Path::new("/d").to_owned()),
        journal: Path::new("/j").to_owned(),
        syslog: Path::new("/l").to_owned(),
        deadline: Some(Duration::from_millis(5)),
        defaults: Defaults::Strict,
    };
    let line = "--store /s --config /c --root /r --reports --store --decisions /d --journal /j --syslog /l --strict --deadline-ms 5";
    let args: Vec<_> = line.split(' ').collect();
    assert_eq!(parsed(&args), Ok(Some(expected)));
    assert_eq!(parsed(&["--store", "/s", "--help", "--nope"]), Ok(None));
    assert_eq!(parsed(&["-h"]), Ok(None));
    let defaults = parsed(&[]).map(|it| it.map(|it| it.store));
    assert_eq!(defaults, Ok(Some(PathBuf::from("/var/lib/oci-compat/store"))));
}

#[test]
fn wrong_options_are_named() {
    let check = |args: &[&str], expected: &str| assert_eq!(parsed(args), Err(expected.to_owned()));
    check(&["--store"], "option \"--store\" needs a value");
    check(&["--stores", "/s"], "there is no option \"--stores\"; see oci-compat-hook --help");
    check(&["--store=/s"], "there is no option \"--store=/s\"; see oci-compat-hook --help");
    check(&["create"], "there is no option \"create\"; see oci-compat-hook --help");
    for text in ["0", "2s", "-1", "", "18446744073709551616"] {
        check(
            &["--deadline-ms", text],
            &format!("--deadline-ms needs a number of milliseconds, not {text:?}"),
        );
    }
}

#[test]
fn each_kind_of_refusal_has_a_status_of_its_own() {
    let check = |situation, expected| assert_eq!(status(situation), expected, "{situation:?}");
    check(Situation::Judged(Verdict::Incompatible), 78);
    check(Situation::Judged(Verdict::Undecided), 79);
    check(Situation::Malformed, 80);
    check(Situation::Container, 80);
    check(Situation::Trouble, 81);
}
