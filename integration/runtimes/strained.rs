//! Hook and wrapper on a host that gives them too little: limits, closed descriptors, a bundle that changes under them.

use std::fs;
use std::io::{Write, pipe};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use nix::unistd::geteuid;

use super::bundle::{Bundle, SPEC};
use super::hook::{Hook, INCOMPATIBLE};
use super::host::{Host, MET, UNMET};
use super::passed::ECHO;
use super::program::{Outcome, run, stdin, succeed, wait};
use super::runtime::skip;
use super::wrapper::Wrapper;

/// What a caller may have done to the process, as a shell says it, and whether the check can still be made.
const STRAINS: [(&str, bool); 19] = [
    ("ulimit -t 5", true),
    ("ulimit -S -t 5", true),
    ("ulimit -S -f 0", true),
    ("ulimit -S -n 3", true),
    ("ulimit -S -v 12288", true),
    ("ulimit -S -d 512", true),
    ("ulimit -S -s 48", true),
    ("ulimit -S -p 1", true),
    ("ulimit -f 0", true),
    ("ulimit -c 0", true),
    ("ulimit -n 16", true),
    ("ulimit -n 3", false),
    ("ulimit -v 16384", true),
    ("ulimit -d 8192", true),
    ("ulimit -s 256", true),
    ("ulimit -p 1", true),
    ("exec 0<&-", false),
    ("exec 1>&-", true),
    ("exec 2>&-", true),
];

/// The strains that a program of this size can be started under at all: a debug build is larger than some room for addresses.
fn strains() -> impl Iterator<Item = (&'static str, bool)> {
    let is_debug = cfg!(debug_assertions) && std::env::var_os("OCI_COMPAT_BIN").is_none();
    STRAINS.into_iter().filter(move |(strain, _)| {
        let is_too_small = is_debug && strain.contains("-v");
        if is_too_small {
            skip(strain, "this is a debug build (set OCI_COMPAT_BIN, as make does)");
        }
        !is_too_small
    })
}

/// A shell that strains the process and becomes the program.
fn strained(strain: &str, program: &Command) -> Command {
    let mut command = Command::new("/bin/sh");
    command.args(["-c", &format!("{strain} && exec \"$0\" \"$@\"")]);
    command.arg(program.get_program()).args(program.get_args()).env_clear().current_dir("/");
    for (name, value) in program.get_envs() {
        value.map(|value| command.env(name, value));
    }
    command
}

fn fed(hook: &Hook, strain: &str, bundle: &Bundle) -> Outcome {
    let (reader, writer) = stdin(&bundle.state());
    drop(writer);
    run(strained(strain, &hook.command()).stdin(reader))
}

#[test]
fn no_strain_refuses_what_fits_and_none_that_leaves_room_lets_through_what_does_not() {
    for (strain, is_checked) in strains() {
        let hook = Hook::on(Host::plain());
        for fits in [Bundle::hollow().written(), Bundle::hollow().annotate(SPEC, MET).written()] {
            let outcome = fed(&hook, strain, &fits);
            assert_eq!(outcome.status.code(), Some(0), "{strain}: {outcome:?}");
        }
        let outcome = fed(&hook, strain, &Bundle::hollow().annotate(SPEC, UNMET).written());
        let expected = if is_checked { INCOMPATIBLE } else { 0 };
        assert_eq!(outcome.status.code(), Some(expected), "{strain}: {outcome:?}");
        assert!(outcome.took < Duration::from_secs(5), "{strain}: {outcome:?}");
    }
}

/// A runtime that says which signals are ignored, its limits, and which of its standard streams are open.
const LOOK: &str = "#!/bin/sh
grep '^SigIgn' /proc/$$/status >>\"$LOOK\"
cat /proc/$$/limits >>\"$LOOK\"
for it in 0 1 2; do test -e /proc/$$/fd/$it && echo $it >>\"$LOOK\"; done
exit 42
";

#[test]
fn the_wrapper_becomes_the_runtime_under_every_strain_and_hands_all_of_it_on() {
    for (strain, is_checked) in strains() {
        // A runtime without processes or a size of files could not say anything.
        if strain.contains("-p") || strain.contains("-f") {
            continue;
        }
        let wrapper = Wrapper::beside(Hook::on(Host::plain()));
        let seen = |program: &Command, name: &str, bundle: &Bundle| {
            let file = wrapper.folder().join(name);
            let mut words = Command::new(program.get_program());
            words.args(program.get_args()).args(["create", "--bundle"]).arg(bundle.path()).arg("c1");
            for (name, value) in program.get_envs() {
                value.map(|value| words.env(name, value));
            }
            words.env("LOOK", &file);
            let outcome = run(strained(strain, &words).stdin(Stdio::null()));
            (outcome.status.code(), fs::read_to_string(&file).unwrap_or_default())
        };
        let fits = Bundle::hollow().annotate(SPEC, MET).written();
        let direct = seen(&wrapper.script(LOOK), "direct", &fits);
        assert_eq!(seen(&wrapper.before_script(LOOK), "wrapped", &fits), direct, "{strain}");
        let unfit = Bundle::hollow().annotate(SPEC, UNMET).written();
        let (status, _) = seen(&wrapper.before_script(LOOK), "unfit", &unfit);
        let is_checked = is_checked || strain.contains("0<");
        assert_eq!(status, if is_checked { Some(1) } else { direct.0 }, "{strain}");
    }
}

/// What the wrapper raises for its own sake it puts back before the runtime follows: that is what the container inherits.
#[test]
fn a_limit_that_the_wrapper_raises_is_judged_as_it_was() {
    let demand = |least: u32| {
        format!(
            "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: stack\n    matchFeatures:\n    - feature: bundle.rlimit\n      \
             matchExpressions:\n        RLIMIT_STACK.soft: {{op: Ge, value: [\"{least}\"]}}\n"
        )
    };
    for (least, is_fit) in [(1 << 20, true), (2 << 20, false)] {
        let wrapper = Wrapper::beside(Hook::on(Host::plain()));
        let bundle = Bundle::hollow().annotate(SPEC, &demand(least)).written();
        let mut program = wrapper.before_script("#!/bin/sh\nexit 42\n");
        program.args(["create", "--bundle"]).arg(bundle.path()).arg("c1");
        let outcome = run(strained("ulimit -S -s 1024", &program).stdin(Stdio::null()));
        let refused = format!(
            "oci-compat: refused: the container's RLIMIT_STACK.soft is 1048576, needs at least {least} [container-config; oci-compat why \
             c1]\n"
        );
        let expected = if is_fit { (Some(42), String::new()) } else { (Some(1), refused) };
        assert_eq!((outcome.status.code(), outcome.stderr.clone()), expected, "{outcome:?}");
    }
}

/// Signals that a limit sends, at any moment of a check: the hook waits for the state meanwhile.
#[test]
fn no_signal_of_a_limit_ends_a_check() {
    let hook = Hook::on(Host::plain());
    for (spec, status) in [(MET, 0), (UNMET, INCOMPATIBLE)] {
        let bundle = Bundle::hollow().annotate(SPEC, spec).written();
        let (reader, mut writer) = pipe().expect("a pipe");
        let mut child = hook.command().stdin(reader).stderr(Stdio::null()).spawn().expect("the hook");
        // SIGPIPE, SIGXCPU and SIGXFSZ, bits 12, 23 and 24.
        let is_ready = |status: &str| {
            let line = status.lines().find_map(|it| it.strip_prefix("SigIgn:\t")).expect("a line");
            u64::from_str_radix(line, 16).expect("a mask") & 0x0180_1000 == 0x0180_1000
        };
        let id = child.id();
        let until = Instant::now() + Duration::from_secs(20);
        while !is_ready(&fs::read_to_string(format!("/proc/{id}/status")).expect("a process")) {
            assert!(Instant::now() < until, "a signal of a limit is not ignored");
            thread::sleep(Duration::from_millis(1));
        }
        for signal in ["PIPE", "XCPU", "XFSZ"] {
            succeed(Command::new("kill").args([format!("-{signal}"), id.to_string()]));
        }
        writer.write_all(bundle.state().as_bytes()).expect("writing a state");
        drop(writer);
        let ended = wait(&mut child, Instant::now() + Duration::from_secs(20));
        assert_eq!(ended.and_then(|it| it.code()), Some(status));
    }
}

/// What a caller may have done to `/proc`: then less is known, and what is known is checked.
const HIDDEN: [&str; 3] =
    ["mount -t tmpfs none /proc", "umount -l /proc", "mount -t proc -o hidepid=2 proc /proc"];

#[test]
fn a_hidden_proc_changes_no_decision() {
    if !geteuid().is_root() {
        return skip("mounts", "only root may mount");
    }
    for hide in HIDDEN {
        let wrapper = Wrapper::beside(Hook::on(Host::plain()));
        let script = format!("{hide} && exec \"$@\"");
        for (spec, hooked, wrapped) in [(MET, 0, 42), (UNMET, INCOMPATIBLE, 1)] {
            let bundle = Bundle::hollow().annotate(SPEC, spec).written();
            let outcome = wrapper.hook.in_a_namespace(&script, &bundle.state());
            assert_eq!(outcome.status.code(), Some(hooked), "{hide}: {outcome:?}");
            let link = wrapper.folder().join("bundle");
            fs::remove_file(&link).ok();
            symlink(bundle.path(), &link).expect("linking a bundle");
            let call = wrapper.before_script(ECHO);
            let mut hidden = Command::new("unshare");
            hidden.args(["--mount", "sh", "-c", &script, "sh"]).arg(call.get_program()).args(call.get_args());
            hidden.args(["create", "--bundle"]).arg(&link).arg("c1").env_clear();
            for (name, value) in call.get_envs() {
                value.map(|value| hidden.env(name, value));
            }
            let outcome = run(hidden.stdin(Stdio::null()));
            assert_eq!(outcome.status.code(), Some(wrapped), "{hide}: {outcome:?}");
            let handed_on = format!("<create>\n<--bundle>\n<{}>\n<c1>\n", bundle.path().display());
            assert_eq!(outcome.stdout, if spec == MET { handed_on.as_str() } else { "" }, "{hide}");
        }
    }
}

#[test]
fn a_report_that_meets_the_limit_on_files_costs_no_start() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()).configured("mode = \"audit\""));
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    let outcome = fed(&wrapper.hook, "ulimit -f 0", &bundle);
    assert_eq!(outcome.status.code(), Some(0), "{outcome:?}");
    let mut words = wrapper.before_script("#!/bin/sh\nexit 42\n");
    words.args(["create", "--bundle"]).arg(bundle.path()).arg("c1");
    let outcome = run(strained("ulimit -f 0", &words).stdin(Stdio::null()));
    assert_eq!(outcome.status.code(), Some(42), "{outcome:?}");
}

/// A folder with a link `bundle` that leads to one of two bundles, by turns.
struct Flipping<'a> {
    link: PathBuf,
    targets: [&'a Path; 2],
}

impl Flipping<'_> {
    fn flip(&self, until: &AtomicBool) {
        let next = self.link.with_file_name("next");
        for target in self.targets.iter().cycle() {
            symlink(target, &next).expect("linking a bundle");
            fs::rename(&next, &self.link).expect("replacing a link");
            if until.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// Whatever the runtime finds where the bundle is said to be, it was checked.
#[test]
fn a_link_that_is_flipped_meanwhile_hands_no_unfit_bundle_to_the_runtime() {
    const FIND: &str = "#!/bin/sh\ngrep -q gtp5g \"$3/config.json\" && exit 66\nexit 42\n";
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let (fits, unfit) =
        (Bundle::hollow().annotate(SPEC, MET).written(), Bundle::hollow().annotate(SPEC, UNMET).written());
    let (fits, unfit) = (fits.path(), unfit.path());
    let flipping = Flipping { link: wrapper.folder().join("bundle"), targets: [&fits, &unfit] };
    symlink(&fits, &flipping.link).expect("linking a bundle");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| flipping.flip(&is_over));
        let mut seen = Vec::new();
        for _ in 0..60 {
            let mut command = wrapper.before_script(FIND);
            seen.push(run(command.args(["create", "--bundle"]).arg(&flipping.link).arg("c1")).status.code());
        }
        is_over.store(true, Ordering::Relaxed);
        assert!(!seen.contains(&Some(66)), "{seen:?}");
        assert!(seen.contains(&Some(42)) && seen.contains(&Some(1)), "{seen:?}");
    });
}

#[test]
fn the_runtime_gets_a_bundle_by_its_path_without_links() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let bundle = Bundle::hollow().annotate(SPEC, MET).written();
    let link = wrapper.folder().join("bundle");
    symlink(bundle.path(), &link).expect("linking a bundle");
    let named = |path: &Path| {
        run(wrapper.before_script(ECHO).args(["create", "--bundle"]).arg(path).arg("c1")).stdout
    };
    let expected = format!("<create>\n<--bundle>\n<{}>\n<c1>\n", bundle.path().display());
    assert_eq!(named(&bundle.path()), expected);
    assert_eq!(named(&link), expected);
}
