//! What the runtime gets to see of the wrapper in front of it: nothing, whatever is broken.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use super::bundle::{Bundle, SPEC};
use super::hook::Hook;
use super::host::{Host, MET, UNMET};
use super::program::{Outcome, installed, ours, run};
use super::runtime::skip;
use super::wrapper::Wrapper;
use crate::command::copy_program;

/// A runtime that says how it was called.
pub(super) const ECHO: &str = "#!/bin/sh\nfor it; do echo \"<$it>\"; done\nexit 42\n";

/// A runtime that says what it finds in its process, but for what differs from process to process, and what a shell changes.
const LOOK: &str = "#!/bin/sh
grep -E '^(PPid|SigPnd|SigIgn|SigCgt|Shd|Umask|NoNewPrivs|Seccomp|Cap|Threads|Uid|Groups)' /proc/$$/status
cat /proc/$$/limits /proc/$$/oom_score_adj /proc/$$/timerslack_ns /proc/$$/cgroup
ls /proc/$$/fd
env
pwd
echo $# \"$@\"
";

/// Commands that make no container, with words that could be taken for others.
pub(super) const OTHERS: [&[&str]; 12] = [
    &["--version"],
    &["features"],
    &["list"],
    &["state", "create"],
    &["start", "run"],
    &["kill", "create", "9"],
    &["--root", "create", "kill", "--all", "c1", "9"],
    &["delete", "--force", "create"],
    &["exec", "--process", "/nowhere", "c1"],
    &["exec", "c1", "run", "create"],
    &["--log", "/nowhere/log", "--log-format", "json", "pause", "c1"],
    &["checkpoint", "--image-path", "create", "c1"],
];

#[test]
fn the_runtime_gets_every_word_and_its_status_is_kept() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let bundle = Bundle::hollow().annotate(SPEC, MET).written();
    let path = bundle.path().display().to_string();
    let creations: [&[&str]; 3] = [
        &["--root", "/r", "create", "--bundle", &path, "c1"],
        &["--log-format=json", "-later", "x", "run", "-b", &path, "c1"],
        &["restore", "--image-path", "", "--bundle", &path, "--detach", "c1"],
    ];
    for words in OTHERS.into_iter().chain(creations) {
        let outcome = run(wrapper.before_script(ECHO).args(words));
        assert_eq!(outcome.stdout, words.map_lines(), "{outcome:?}");
        assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(42), ""), "{words:?}");
    }
}

trait Lines {
    fn map_lines(&self) -> String;
}

impl Lines for &[&str] {
    fn map_lines(&self) -> String {
        self.iter().map(|it| format!("<{it}>\n")).collect()
    }
}

#[test]
fn words_need_not_be_text() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let id = OsStr::from_bytes(b"c\xff\xfe1");
    let script = "#!/bin/sh\nprintf %s \"$2\" | od -An -tx1\n";
    let bundle = Bundle::hollow().written();
    for command in ["create", "kill"] {
        let outcome = run(wrapper.before_script(script).current_dir(bundle.path()).arg(command).arg(id));
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), (" 63 ff fe 31\n", ""), "{command}");
    }
}

/// The bundle is found where its path says, whatever the bytes, and the words of a refusal are text all the same.
#[test]
fn a_bundle_whose_path_is_no_text_is_checked() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    let path = bundle.path().with_file_name(OsStr::from_bytes(b"b\xff\xfe"));
    fs::rename(bundle.path(), &path).expect("renaming the bundle");
    let id = OsStr::from_bytes(b"c\xff");
    let log = wrapper.folder().join(OsStr::from_bytes(b"log\xff"));
    let mut refused = wrapper.before_script(ECHO);
    refused.arg("--log").arg(&log).args(["--log-format", "json", "create", "--bundle"]).arg(&path).arg(id);
    let outcome = run(&mut refused);
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""));
    let said = "oci-compat: refused: ";
    assert!(outcome.stderr.starts_with(said) && outcome.stderr.is_ascii(), "{outcome:?}");
    let line: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(log).expect("a log")).expect("an object");
    assert_eq!(line["msg"], outcome.stderr.trim_end());
    assert_eq!(
        run(wrapper.before_script(ECHO).arg("create").arg(id).current_dir(&path)).status.code(),
        Some(1)
    );
}

/// Descriptors, signals, limits, environment, working directory: compared with a direct call.
#[test]
fn the_runtime_finds_the_process_as_the_caller_has_left_it() {
    const CALLER: &str = "umask 027; ulimit -n 333; cd /tmp; exec 7</dev/null 9>/dev/null; \
                          exec env --ignore-signal=PIPE,USR1 --block-signal=ALRM,USR2,TERM A=b \"$0\" \"$@\"";
    let wrapper = Wrapper::beside(Hook::on(Host::plain()).configured("mode = \"audit\""));
    for spec in [MET, UNMET] {
        let bundle = Bundle::hollow().annotate(SPEC, spec).written();
        let creation = ["create", "--bundle", &bundle.path().display().to_string(), "c1"].map(str::to_owned);
        for (caller, words) in
            [(CALLER, &creation[..]), (CALLER, &["kill".to_owned()]), ("exec \"$0\" \"$@\"", &creation)]
        {
            let called = |command: &Command| {
                let mut through = Command::new("/bin/sh");
                through.args(["-c", caller]).arg(command.get_program()).args(command.get_args()).args(words);
                run(through.env_clear().env("PATH", script_path(&wrapper)).stdin(Stdio::null()))
            };
            let (direct, wrapped) = (called(&wrapper.script(LOOK)), called(&wrapper.before_script(LOOK)));
            assert!(direct.stdout.contains(&format!("PPid:\t{}\n", std::process::id())), "{direct:?}");
            assert_eq!(wrapped.stdout, direct.stdout);
            assert_eq!((wrapped.status, wrapped.stderr), (direct.status, direct.stderr));
        }
    }
}

/// Shells unblock all signals: here the runtime is grep, which searches its own state.
#[test]
fn signals_that_the_caller_has_blocked_stay_so() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    for spec in [MET, UNMET] {
        let bundle = Bundle::hollow().annotate(SPEC, spec).written();
        let words =
            ["create", "-b", &bundle.path().display().to_string(), "/proc/self/status"].map(str::to_owned);
        let called = |command: &Command| {
            let mut through = Command::new("env");
            through.args(["--ignore-signal=PIPE,USR1,ALRM", "--block-signal=ALRM,USR2,TERM"]);
            through.arg(command.get_program()).args(command.get_args()).args(&words);
            run(through.env("PATH", script_path(&wrapper)))
        };
        let script = "#!/bin/grep ^Sig[BIC]";
        let (direct, wrapped) = (called(&wrapper.script(script)), called(&wrapper.before_script(script)));
        assert!(direct.stdout.contains("SigBlk:\t0000000000006800\n"), "{direct:?}");
        if spec == MET {
            assert_eq!((wrapped.stdout, wrapped.stderr), (direct.stdout, direct.stderr));
        } else {
            assert_eq!(wrapped.status.code(), Some(1), "refused, with the signals as they are");
        }
    }
}

#[test]
fn the_deadline_ends_with_the_check_and_a_timer_of_the_caller_does_not() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()).giving_up_after(20));
    let bundle = Bundle::hollow().annotate(SPEC, MET).written();
    let words = ["create", "--bundle", &bundle.path().display().to_string(), "c1"].map(str::to_owned);
    let outcome = run(wrapper.before_script("#!/bin/sh\nexec sleep 0.3\n").args(&words));
    assert!(outcome.status.success(), "{outcome:?}");
    let Some(perl) = installed("perl") else { return skip("perl", "it is not installed") };
    let sleep = wrapper.before_script("#!/bin/sh\nexec sleep 5\n");
    let mut timed = Command::new(perl);
    timed.args(["-e", "alarm 1; exec @ARGV"]).arg(sleep.get_program()).args(sleep.get_args()).args(&words);
    let outcome = run(timed.env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("PATH", script_path(&wrapper)));
    assert_eq!(std::os::unix::process::ExitStatusExt::signal(&outcome.status), Some(14), "{outcome:?}");
    assert!(outcome.took < Duration::from_secs(3), "{outcome:?}");
}

fn script_path(wrapper: &Wrapper) -> String {
    format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", wrapper.folder().join("bin").display())
}

#[test]
fn no_other_command_opens_anything_of_ours() {
    const ALLOWED: [&str; 15] = [
        "brk",
        "mmap",
        "munmap",
        "mprotect",
        "arch_prctl",
        "set_tid_address",
        "set_robust_list",
        "rseq",
        "prlimit64",
        "getrandom",
        "readlink",
        "readlinkat",
        "newfstatat",
        "stat",
        "statx",
    ];
    if installed("strace").is_none() {
        return skip("strace", "not installed (run integration/setup test)");
    }
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    for words in OTHERS {
        let words: Vec<_> = words.iter().map(|it| (*it).to_owned()).collect();
        let (outcome, calls) = traced(&wrapper, &words, &[]);
        assert_eq!(outcome.status.code(), Some(42), "{outcome:?}");
        let (runtime, calls) = calls.split_last().expect("calls");
        assert!(runtime.starts_with("execve("), "{runtime}");
        for call in calls.iter().skip(1) {
            assert!(ALLOWED.iter().any(|it| call.starts_with(&format!("{it}("))), "{words:?}: {call}");
        }
    }
}

/// By the time the runtime looks it might be there, and nobody would have checked it.
#[test]
fn a_bundle_that_is_not_there_is_refused() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let outcome = run(wrapper.before_script(ECHO).args(["run", "--bundle", "/nowhere", "c1"]));
    let said = "oci-compat: refused: /nowhere/config.json is not there; a bundle is a folder with a config.json \
                [container-trouble; oci-compat why c1]\n";
    let found = (outcome.status.code(), outcome.stdout.as_str(), outcome.stderr.as_str());
    assert_eq!(found, (Some(1), "", said));
}

#[test]
fn without_a_bundle_it_is_the_working_directory() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let bundle = Bundle::hollow().annotate(SPEC, UNMET).written();
    for words in [&["create", "c1"][..], &["create", "--bundle", "bundle", "c1"]] {
        let folder = if words.len() == 2 { bundle.path() } else { bundle.path().join("..") };
        let outcome = run(wrapper.before_script(ECHO).args(words).current_dir(folder));
        assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(1), ""), "{outcome:?}");
        assert!(outcome.stderr.starts_with("oci-compat: refused: "), "{outcome:?}");
    }
}

#[test]
fn a_sandbox_is_made_unchecked_if_it_is_one() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let id = "5e".repeat(32);
    let bundle = Bundle::hollow()
        .annotate(SPEC, UNMET)
        .annotate("io.kubernetes.cri.container-type", "sandbox")
        .annotate("io.kubernetes.cri.sandbox-id", &id)
        .written();
    let made = |folder: &Path| {
        run(wrapper.before_script(ECHO).args(["create", "--bundle"]).arg(folder).arg(&id)).status.code()
    };
    assert_eq!(made(&bundle.path()), Some(1), "the annotations alone are anybody's");
    let named = bundle.path().with_file_name(&id);
    fs::rename(bundle.path(), &named).expect("renaming the bundle");
    assert_eq!(made(&named), Some(42));
}

#[test]
fn the_runtime_of_the_configuration_is_that_of_every_command() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let script = wrapper.script(ECHO).get_program().to_owned();
    let bundle = Bundle::hollow().annotate(SPEC, MET).written();
    let call = |words: &[&str]| {
        let mut command = Command::new(ours("oci-compat-runtime"));
        command.args(wrapper.options()).args(words).stdin(Stdio::null());
        run(command.env_clear().env("PATH", "/nowhere"))
    };
    let configure = |runtimes: serde_json::Value| {
        fs::write(wrapper.hook.config(), format!("runtimes = {runtimes}\n"))
            .expect("writing a configuration");
    };
    configure(json!(["/nowhere/runc", script.to_str()]));
    let path = bundle.path().display().to_string();
    assert_eq!(call(&["create", "--bundle", &path, "c1"]).status.code(), Some(42));
    assert_eq!(fs::read_link(wrapper.link()).expect("a link"), Path::new(&script));
    fs::write(wrapper.hook.config(), "runtimes = [").expect("writing a configuration");
    for words in [&["kill", "c1"][..], &["features"], &["create", "--bundle", &path, "c2"]] {
        assert_eq!(call(words).status.code(), Some(42), "{words:?}");
    }
    configure(json!(["/nowhere/runc"]));
    let outcome = call(&["run", "--bundle", &path, "c3"]);
    let warning =
        "oci-compat: warning: runtimes in the configuration is not heeded: there is no /nowhere/runc\n";
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(42), warning));
}

#[test]
fn in_a_runtimes_place_it_becomes_the_next_one() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let places = ["first", "second", "third"].map(|it| wrapper.folder().join(it));
    for place in &places {
        fs::create_dir(place).expect("making a folder");
    }
    symlink(ours("oci-compat-runtime"), places[0].join("runc")).expect("linking the wrapper");
    copy_program(&ours("oci-compat-runtime"), &places[1].join("runc"));
    symlink(wrapper.script(ECHO).get_program(), places[2].join("runc")).expect("linking a script");
    let path = std::env::join_paths(&places).expect("plain names");
    for called in [&places[0], &places[1]] {
        let outcome = run(Command::new(called.join("runc")).arg("kill").env_clear().env("PATH", &path));
        assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(42), "<kill>\n"));
    }
}

/// By its name, by the link, or by the configuration: under another name, as a copy of the name, and as itself.
#[test]
fn it_never_becomes_itself() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let bundle = Bundle::hollow().annotate(SPEC, MET).written();
    let path = bundle.path().display().to_string();
    let alias = wrapper.folder().join("alias");
    symlink(ours("oci-compat-runtime"), &alias).expect("linking the wrapper");
    fs::create_dir(wrapper.folder().join("lib")).expect("making a folder");
    symlink(&alias, wrapper.link()).expect("linking the link");
    let call = |words: &[&str]| {
        let mut command = Command::new(wrapper.called("nothing"));
        command.args(wrapper.options()).args(words).stdin(Stdio::null());
        run(command.env_clear().env("PATH", wrapper.folder()))
    };
    symlink(ours("oci-compat-runtime"), wrapper.folder().join("nothing")).expect("linking the wrapper");
    for words in [&["kill", "c1"][..], &["features"], &["create", "--bundle", &path, "c1"]] {
        let outcome = call(words);
        let said = "oci-compat-runtime: there is no low-level runtime in PATH: install nothing\n";
        assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(1), said), "{words:?}");
    }
    let configured = format!("runtimes = [{:?}, {:?}]\n", ours("oci-compat-runtime"), alias);
    fs::write(wrapper.hook.config(), configured).expect("writing a configuration");
    fs::remove_file(wrapper.link()).expect("removing the link");
    let script = wrapper.script(ECHO).get_program().to_owned();
    let runc = wrapper.folder().join("bin/runc");
    symlink(script, &runc).expect("linking a script");
    let mut command = Command::new(ours("oci-compat-runtime"));
    command.args(wrapper.options()).args(["run", "--bundle", &path, "c1"]).stdin(Stdio::null());
    let outcome = run(command.env_clear().env("PATH", wrapper.folder().join("bin")));
    let warning = format!(
        "oci-compat: warning: runtimes in the configuration is not heeded: there is no {}, no {}\n",
        ours("oci-compat-runtime").display(),
        alias.display()
    );
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(42), warning.as_str()));
    assert!(!wrapper.link().exists());
}

#[test]
fn without_a_runtime_stderr_and_the_log_get_the_error() {
    let wrapper = Wrapper::beside(Hook::on(Host::plain()));
    let log = wrapper.folder().join("log.json");
    let mut command = Command::new(wrapper.called("nothing"));
    command.arg("--log").arg(&log).args(["--log-format", "json", "kill", "c1", "9"]);
    let outcome = run(command.env_clear().stdin(Stdio::null()));
    let said = "oci-compat-runtime: there is no low-level runtime in PATH: install nothing\n";
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(1), said));
    let line: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(log).expect("a log")).expect("an object");
    assert_eq!((&line["level"], &line["msg"]), (&json!("error"), &json!(said.trim_end())));
}

/// Killed at each of its system calls in turn, on the way to a runtime and to a refusal.
#[test]
fn killed_at_any_moment_it_leaves_nothing_behind() {
    if installed("strace").is_none() {
        return skip("strace", "not installed (run integration/setup test)");
    }
    for spec in [MET, UNMET] {
        let wrapper = Wrapper::beside(Hook::on(Host::plain()));
        let bundle = Bundle::hollow().annotate(SPEC, spec).written();
        let words = ["create", "--bundle", &bundle.path().display().to_string(), "c1"].map(str::to_owned);
        let before = tree(bundle.path().parent().expect("a folder"));
        // The first call makes folders, which the others find.
        traced(&wrapper, &words, &[]);
        forget(&wrapper);
        let (_, calls) = traced(&wrapper, &words, &[]);
        let mut counts = std::collections::BTreeMap::new();
        for call in calls.iter().skip(1) {
            let name = call.split('(').next().unwrap_or("").to_owned();
            let count = counts.entry(name.clone()).or_insert(0);
            *count += 1;
            let kill = format!("inject={name}:signal=KILL:when={count}");
            forget(&wrapper);
            let (outcome, _) = traced(&wrapper, &words, &["-e", &kill]);
            assert_eq!(outcome.status.code(), None, "{call}: {outcome:?}");
            assert_eq!(outcome.stdout, "", "{call}");
        }
        assert!(calls.len() > 30, "{calls:?}");
        assert_eq!(tree(bundle.path().parent().expect("a folder")), before);
        assert!(!wrapper.link().exists());
    }
}

/// Has the next decision be a new one: what was decided before is counted, with other calls.
fn forget(wrapper: &Wrapper) {
    let counted = fs::read_dir(wrapper.hook.reports().join(".repeats")).into_iter().flatten().flatten();
    counted.for_each(|it| fs::remove_file(it.path()).expect("removing a file that counts"));
}

/// The system calls of the wrapper: to its end, or to the start of the runtime, which is the last of them.
fn traced(wrapper: &Wrapper, words: &[String], options: &[&str]) -> (Outcome, Vec<String>) {
    let log = wrapper.folder().join("strace");
    let command = wrapper.before_script(ECHO);
    let mut traced = Command::new("strace");
    traced
        .args(["-qq", "-o"])
        .arg(&log)
        .args(options)
        .arg(command.get_program())
        .args(command.get_args())
        .args(words);
    let outcome = run(traced.env("PATH", script_path(wrapper)));
    let log = fs::read_to_string(&log).expect("reading what strace wrote");
    let calls: Vec<_> = log.lines().map(str::to_owned).collect();
    let is_start = |it: &String| it.starts_with("execve(") && it.ends_with(" = 0");
    let end = calls.iter().skip(1).position(is_start).map_or(calls.len(), |it| it + 2);
    (outcome, calls.into_iter().take(end).collect())
}

fn tree(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        found.push(entry.path().display().to_string());
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            found.extend(tree(&entry.path()));
        }
    }
    found.sort_unstable();
    found
}
