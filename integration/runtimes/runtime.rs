//! The low-level runtimes: how each is called, whether it can run here, and how it words a hook's refusal.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use nix::unistd::geteuid;

use super::bundle::Bundle;
use super::hook::PATH;
use super::leftovers::remove_cgroups;
use super::program::{Outcome, installed, run, run_until, succeed};

/// Names, separated by commas, of what must not be skipped.
const REQUIRED: &str = "OCI_COMPAT_REQUIRE_RUNTIMES";

/// The version 2 hierarchy beside those of version 1: crun takes one or the other, but not both.
const HYBRID: &str = "/sys/fs/cgroup/unified";

/// One trial for each runtime and run of the tests: whether it works does not change in between.
static TRIALS: [OnceLock<Result<(), String>>; 3] = [const { OnceLock::new() }; 3];

/// A low-level runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Runtime {
    Runc,
    Crun,
    Youki,
}

impl Runtime {
    /// Whether the runtime runs containers here. If not, that is said aloud, and fails where it is required.
    pub(super) fn works(self) -> bool {
        let trial = TRIALS[self as usize].get_or_init(|| self.attempt());
        trial.as_ref().map_err(|why| skip(self.name(), why)).is_ok()
    }

    /// Runs the bundle's container to its end, and removes it.
    pub(super) fn run(self, bundle: &Bundle) -> Outcome {
        self.run_by(bundle, &|| self.command(bundle))
    }

    /// The same by whatever begins with these words in the runtime's place.
    pub(super) fn run_by(self, bundle: &Bundle, command: &dyn Fn() -> Command) -> Outcome {
        match self {
            Self::Runc | Self::Crun => {
                run(command().args(["run", "--bundle"]).arg(bundle.path()).arg(bundle.id()))
            }
            Self::Youki => run_detached(bundle, command),
        }
    }

    /// All that the runtime prints, in the wordings of its versions, when the hook at `path` ends with `status`
    /// after having printed `said`.
    pub(super) fn refusals(self, path: &Path, status: i32, said: &str) -> Vec<String> {
        let path = path.display();
        match self {
            Self::Runc => hook_failures(&format!("exit status {status}"), said),
            Self::Crun => vec![
                format!("{said}error executing hook `{path}` (exit code: {status})\n"),
                format!("{said}error running createRuntime hook #1: `{path}` (exit code: {status})\n"),
            ],
            Self::Youki => {
                vec![youki_failure(said, &format!("hook command exited with non-zero exit code: {status}"))]
            }
        }
    }

    /// The same when a signal killed the hook before it had said anything.
    pub(super) fn refusals_of_killed(self, path: &Path) -> Vec<String> {
        let path = path.display();
        match self {
            Self::Runc => hook_failures("signal: killed", ""),
            // crun 1.8 doesn't notice the signal if the hook has a `timeout`: it waits until that is over.
            Self::Crun => vec![
                format!("error executing hook `{path}` (exit code: -1)\ntimeout expired for `{path}`\n"),
                format!("error executing hook `{path}` (exit code: 137)\n"),
                format!("error running createRuntime hook #1: `{path}` (exit code: 137)\n"),
            ],
            Self::Youki => vec![youki_failure("", "hook command was killed by a signal")],
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Runc => "runc",
            Self::Crun => "crun",
            Self::Youki => "youki",
        }
    }

    fn attempt(self) -> Result<(), String> {
        if !geteuid().is_root() {
            return Err(String::from("containers are run as root"));
        }
        let group = if self == Self::Youki { "youki" } else { "test" };
        installed(self.name()).ok_or_else(|| format!("not installed (run integration/setup {group})"))?;
        installed("busybox").ok_or("busybox is not installed (run integration/setup test)")?;
        let outcome = self.run(&Bundle::with_a_shell().written());
        if outcome.stdout == "ran\n" {
            return Ok(());
        }
        Err(format!("cannot run a container here: {}", outcome.stderr.trim_end()))
    }

    /// The program and its global options, without anything of our environment: youki would add a backtrace.
    pub(super) fn command(self, bundle: &Bundle) -> Command {
        self.command_of(&self.program(), &[], bundle)
    }

    /// The same of another program that takes its place, with options of its own.
    pub(super) fn command_of(self, program: &Path, options: &[String], bundle: &Bundle) -> Command {
        let mut command = if self == Self::Crun { crun(program) } else { Command::new(program) };
        command.env_clear().envs(PATH.split_once('=')).stdin(Stdio::null());
        command.args(options).arg("--root").arg(bundle.state_folder());
        command
    }

    pub(super) fn program(self) -> PathBuf {
        installed(self.name()).expect("tried before")
    }
}

/// In the foreground, youki 0.7 waits for ever for a process that ends before youki begins to wait.
fn run_detached(bundle: &Bundle, command: &dyn Fn() -> Command) -> Outcome {
    let mut detached = command();
    detached.args(["run", "--detach", "--bundle"]).arg(bundle.path()).arg(bundle.id());
    let outcome = run_until(&mut detached, |status| {
        if status.success() {
            await_status(bundle, "stopped", command);
            succeed(command().args(["delete", bundle.id()]));
        }
    });
    tidied_up(outcome, bundle)
}

/// Waits until the runtime says that of the container.
pub(super) fn await_status(bundle: &Bundle, status: &str, command: &dyn Fn() -> Command) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !succeed(command().args(["state", bundle.id()])).contains(&format!("\"{status}\"")) {
        assert!(Instant::now() < deadline, "{} is not {status}", bundle.id());
        thread::sleep(Duration::from_millis(5));
    }
}

/// On a busy machine youki 0.7 gives up on its control groups before the container's first process is gone,
/// and adds that to its error. What it left undone is done here, and what it said about it is taken out.
fn tidied_up(outcome: Outcome, bundle: &Bundle) -> Outcome {
    const GAVE_UP: &str = "failed to remove cgroup manager";
    if !outcome.stderr.contains(GAVE_UP) {
        return outcome;
    }
    remove_cgroups(bundle);
    let lines = outcome.stderr.lines().filter(|line| !line.contains(GAVE_UP));
    let stderr =
        lines.map(|line| line.split(". error during cleanup: ").take(1).chain(["\n"]).collect::<String>());
    Outcome { stderr: stderr.collect(), ..outcome }
}

/// Says that something is not tested, and why. It goes past the harness, which would keep it for itself.
pub(crate) fn skip(name: &str, why: &str) {
    let required = env::var(REQUIRED).unwrap_or_default();
    assert!(!required.split(',').any(|it| it == name), "{name} is required ({REQUIRED}): {why}");
    let case = thread::current().name().unwrap_or_default().to_owned();
    writeln!(io::stderr(), "SKIPPED: {name}: {why} [{case}]").expect("writing to standard error");
}

/// crun, in a mount namespace of its own without the second hierarchy where there are both.
fn crun(program: &Path) -> Command {
    if !fs::read_to_string("/proc/self/mountinfo").expect("reading mounts").contains(HYBRID) {
        return Command::new(program);
    }
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", &format!("umount {HYBRID}; exec \"$0\" \"$@\"")]).arg(program);
    command
}

/// runc's error in its text log, up to 1.1 and since 1.2.
fn hook_failures(how: &str, said: &str) -> Vec<String> {
    ["hook #0: error running hook", "createRuntime hook #0"]
        .into_iter()
        .map(|hook| {
            let error = format!(
                "runc run failed: unable to start container process: error during container init: \
                 error running {hook}: {how}, stdout: , stderr: {said}"
            );
            format!("level=error msg=\"{}\"\n", quoted(&error))
        })
        .collect()
}

/// As logrus quotes ASCII text.
fn quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
}

/// youki hands its standard error to the hook, and then logs the failure on each of its own levels.
fn youki_failure(said: &str, how: &str) -> String {
    format!(
        "{said}ERROR libcontainer::process::container_main_process: failed to run create runtime hooks: {how}\n\
         ERROR libcontainer::container::builder_impl: failed to run container process failed hooks {how}\n\
         ERROR youki: error in executing command: failed to create container: failed hooks {how}\n"
    )
}
