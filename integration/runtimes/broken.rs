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

/// What an attacker would write who may write the configuration.
const OFF: &str = "mode = \"off\"\n";

/// The hook's answer to a container that does not fit, under a configuration that others can write.
fn exposed(hook: &Hook) -> super::program::Outcome {
    fs::write(hook.config(), OFF).expect("writing a configuration");
    fs::set_permissions(hook.config(), fs::Permissions::from_mode(0o666)).expect("opening it up");
    hook.feed(&Bundle::hollow().annotate(SPEC, UNMET).written().state())
}

#[test]
fn a_configuration_that_others_can_write_switches_nothing_off() {
    let hook = Hook::on(Host::plain());
    let refused = exposed(&hook);
    assert_eq!(refused.status.code(), Some(super::hook::INCOMPATIBLE), "{refused:?}");
    let config = hook.config().display().to_string();
    let said =
        format!("  the configuration is not followed, so that the defaults hold: {config} has mode 0666");
    assert!(
        refused.stderr.starts_with("oci-compat: refused: kernel module gtp5g is not loaded"),
        "{refused:?}"
    );
    assert!(refused.stderr.contains(&said), "{refused:?}");
    let wrapper = Wrapper::beside(hook);
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    let outcome = run(wrapper.before_script(ECHO).args(["create", "--bundle"]).arg(bundle.path()).arg("c1"));
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
    let fits = Bundle::hollow().annotate(SPEC, MET).written();
    let outcome = run(wrapper.before_script(ECHO).args(["run", "--bundle"]).arg(fits.path()).arg("c1"));
    assert_eq!(outcome.status.code(), Some(42));
    assert!(
        outcome.stderr.starts_with("oci-compat: warning: the configuration is not followed, "),
        "{outcome:?}"
    );
}

#[test]
fn a_strict_host_starts_nothing_without_a_configuration_that_can_be_used() {
    let hook = Hook::on(Host::plain()).configured("mode = ");
    let bundle = Bundle::hollow().written();
    let strict = |arguments: &[&str]| {
        let (reader, _) = super::program::stdin(&bundle.state());
        run(hook.command().args(arguments).stdin(reader))
    };
    assert_eq!(strict(&[]).status.code(), Some(0));
    let refused = strict(&["--strict"]);
    assert_eq!(refused.status.code(), Some(super::hook::TROUBLE), "{refused:?}");
    let said = "oci-compat: refused: the configuration is broken, so that nothing starts (--strict): ";
    assert!(refused.stderr.starts_with(said), "{refused:?}");
    let refused = strict(&["--strict", "--nonsense"]);
    assert_eq!(
        (refused.status.code(), refused.stderr.as_str()),
        (
            Some(super::hook::TROUBLE),
            "oci-compat: refused: there is no option \"--nonsense\"; see oci-compat-hook --help [trouble]\n"
        )
    );
    let wrapper = Wrapper::beside(hook);
    let words = ["create", "--bundle", &bundle.path().display().to_string(), "c1"].map(str::to_owned);
    let called = |name: &str, more: &[&str]| {
        let script = wrapper.before_script(ECHO);
        let mut command = std::process::Command::new(wrapper.called(name));
        command.args(script.get_args()).args(more).args(&words).env_clear();
        let path =
            script.get_envs().find(|(name, _)| *name == "PATH").and_then(|(_, it)| it).expect("a path");
        run(command.env("PATH", path))
    };
    assert_eq!(called("script", &[]).status.code(), Some(42));
    for (name, more) in [("strict-script", &[][..]), ("script", &["--oci-compat-strict"])] {
        let outcome = called(name, more);
        assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""), "{name}: {outcome:?}");
        assert!(outcome.stderr.starts_with(said), "{outcome:?}");
    }
    for command in ["kill", "delete"] {
        let mut ended = std::process::Command::new(wrapper.called("strict-script"));
        let path = format!("{}/bin", wrapper.folder().display());
        assert_eq!(run(ended.args([command, "c1"]).env("PATH", path)).status.code(), Some(42), "{command}");
    }
}
