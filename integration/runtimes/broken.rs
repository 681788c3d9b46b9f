//! Whatever is broken, the wrapper becomes the runtime.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

use super::bundle::{Bundle, SPEC};
use super::hook::Hook;
use super::host::{Host, MET, UNMET};
use super::passed::{ECHO, OTHERS};
use super::program::run;
use super::wrapper::Wrapper;

/// Puts something at a place, in place of what is there.
type Break = fn(&Path);

/// Everything that a path may lead to and should not.
const BREAKS: [(&str, Break); 7] = [
    ("garbage", |it| fs::write(it, "\0\u{1}[[[\"").expect("writing")),
    ("far too large", |it| fs::File::create(it).and_then(|it| it.set_len(1 << 33)).expect("writing")),
    ("a folder", |it| fs::create_dir(it).expect("making a folder")),
    ("a folder for all to write", |it| {
        fs::create_dir(it).expect("making a folder");
        fs::set_permissions(it, fs::Permissions::from_mode(0o777)).expect("opening it up");
    }),
    ("a pipe that nobody writes", |it| mkfifo(it, Mode::S_IRWXU).expect("making a pipe")),
    ("a link to itself", |it| symlink(it, it).expect("linking")),
    ("a device without end", |it| symlink("/dev/zero", it).expect("linking")),
];

/// The places of a check, but for the bundle.
fn ours(hook: &Hook) -> [PathBuf; 5] {
    [hook.config(), hook.store(), hook.reports(), hook.decisions(), hook.journal()]
}

fn break_with(place: &Path, put: Break) {
    fs::create_dir_all(place.parent().expect("a folder")).expect("making a folder");
    let kind = fs::symlink_metadata(place).map(|it| it.is_dir());
    match kind {
        Ok(true) => fs::remove_dir_all(place).expect("clearing a place"),
        Ok(false) => fs::remove_file(place).expect("clearing a place"),
        Err(_) => {}
    }
    put(place);
}

/// All that the wrapper would read or write for a check.
pub(super) fn break_everything(hook: &Hook) {
    let (_, put) = BREAKS[4];
    for place in ours(hook) {
        break_with(&place, put);
    }
}

#[test]
fn whatever_is_broken_other_commands_reach_the_runtime() {
    for (what, put) in BREAKS {
        let wrapper = Wrapper::beside(Hook::on(Host::plain()));
        for place in ours(&wrapper.hook) {
            break_with(&place, put);
        }
        for words in OTHERS {
            let outcome = run(wrapper.before_script(ECHO).args(words));
            assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(42), ""), "{what}: {words:?}");
        }
    }
}

#[test]
fn whatever_is_broken_a_container_is_made_before_the_deadline_is_long_over() {
    for (what, put) in BREAKS {
        let hook = || Hook::on(Host::plain()).giving_up_after(500);
        for place in ["configuration", "store", "umoci.json", "link"] {
            let wrapper = Wrapper::beside(hook());
            let bundle = Bundle::hollow().annotate(SPEC, MET).written();
            let path = match place {
                "configuration" => wrapper.hook.config(),
                "store" => wrapper.hook.store(),
                "link" => wrapper.folder().join("lib"),
                file => bundle.path().join(file),
            };
            break_with(&path, put);
            assert_made(&wrapper, &bundle, &format!("{place}: {what}"));
        }
        // What the container brings concerns that container alone.
        for place in ["bundle", "bundle/config.json"] {
            let wrapper = Wrapper::beside(hook());
            let bundle = Bundle::hollow().annotate(SPEC, MET).written();
            break_with(&bundle.path().with_file_name(place), put);
            assert_refused(&wrapper, &bundle, &format!("{place}: {what}"));
        }
        // The decision is made already: what cannot be written about it changes nothing.
        for place in [Hook::reports, Hook::decisions, Hook::journal] {
            let wrapper = Wrapper::beside(hook().configured("mode = \"audit\""));
            break_with(&place(&wrapper.hook), put);
            assert_made(&wrapper, &Bundle::hollow().annotate(SPEC, UNMET).written(), what);
        }
    }
}

fn assert_refused(wrapper: &Wrapper, bundle: &Bundle, case: &str) {
    let outcome = run(wrapper.before_script(ECHO).args(["create", "--bundle"]).arg(bundle.path()).arg("c1"));
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""), "{case}: {outcome:?}");
    assert!(outcome.stderr.starts_with("oci-compat: refused: "), "{case}: {outcome:?}");
    assert!(outcome.stderr.contains(" [container-trouble; "), "{case}: {outcome:?}");
    assert!(outcome.took < Duration::from_secs(3), "{case}: {outcome:?}");
}

fn assert_made(wrapper: &Wrapper, bundle: &Bundle, case: &str) {
    let outcome = run(wrapper.before_script(ECHO).args(["create", "--bundle"]).arg(bundle.path()).arg("c1"));
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(42), ""), "{case}: {outcome:?}");
    assert!(outcome.took < Duration::from_secs(3), "{case}: {outcome:?}");
}
