//! One call of the hook: its arguments, as they stand in a bundle's `config.json` or on a command line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

use super::host::Host;
use super::program::{Outcome, installed, ours, run, stdin};

/// What hooks get as their environment: without `env`, runtimes hand on their own.
pub(super) const PATH: &str = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";

/// Statuses by which the hook refuses a container; under crun they are all that its user sees.
pub(super) const INCOMPATIBLE: i32 = 78;
pub(super) const UNDECIDED: i32 = 79;
pub(super) const MALFORMED: i32 = 80;
pub(super) const TROUBLE: i32 = 81;

/// A policy under which nothing starts that could not be checked.
pub(super) const STRICT: &str = "[action]\nundecided = \"refuse\"\ntrouble = \"refuse\"\n";

/// A configuration that believes a bundle's annotation about its image.
pub(super) const BELIEVING: &str = "image_annotation = true\n";

/// The hook with a host, a store and a configuration of its own.
#[derive(Debug)]
pub(super) struct Hook {
    pub(super) program: PathBuf,
    host: Host,
    folder: TempDir,
    timeout: u32,
    deadline: Option<u32>,
}

impl Hook {
    /// An empty store, the default policy.
    pub(super) fn on(host: Host) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let hook = Self { program: ours("oci-compat-hook"), host, folder, timeout: 10, deadline: None };
        hook.configured("")
    }

    pub(super) fn configured(self, config: &str) -> Self {
        fs::write(self.folder.path().join("config.toml"), config).expect("writing a configuration");
        self
    }

    /// Another program in the hook's place, which gets the hook's arguments.
    pub(super) fn through(self, program: PathBuf) -> Self {
        Self { program, ..self }
    }

    /// Seconds after which the runtime kills the hook.
    pub(super) fn killed_after(self, timeout: u32) -> Self {
        Self { timeout, ..self }
    }

    /// Milliseconds after which the hook itself gives up.
    pub(super) fn giving_up_after(self, deadline: u32) -> Self {
        Self { deadline: Some(deadline), ..self }
    }

    pub(super) fn store(&self) -> PathBuf {
        self.folder.path().join("store")
    }

    /// The file of decisions.
    pub(super) fn decisions(&self) -> PathBuf {
        self.folder.path().join("log/decisions.jsonl")
    }

    /// The socket of journald.
    pub(super) fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    /// The reports.
    pub(super) fn reports(&self) -> PathBuf {
        self.folder.path().join("reports")
    }

    /// The hook with its arguments, started by a shell script as `"$@"`, in a mount namespace of its own.
    pub(super) fn in_a_namespace(&self, script: &str, state: &str) -> Outcome {
        let (reader, writer) = stdin(state);
        drop(writer);
        let mut command = Command::new("unshare");
        command.args(["--mount", "sh", "-c", script, "sh"]).arg(&self.program).args(self.args());
        run(command.current_dir(self.folder.path()).stdin(reader))
    }

    /// Stores a spec as an artifact of the image with this digest.
    pub(super) fn store_spec(&self, spec: &str, subject: &str) {
        let file = self.folder.path().join("spec.yaml");
        fs::write(&file, spec).expect("writing a spec");
        let mut command = Command::new(ours("oci-compat"));
        command.args(["store", "add"]).arg(&file).args(["--subject", subject, "--store"]).arg(self.store());
        let added = run(&mut command);
        assert!(added.status.success(), "{added:?}");
    }

    /// The entry in `hooks` of the runtime specification's `config.json`.
    pub(super) fn entry(&self) -> Value {
        let args: Vec<_> = [String::from("oci-compat-hook")].into_iter().chain(self.args()).collect();
        json!({"path": self.program, "args": args, "env": [PATH], "timeout": self.timeout})
    }

    /// Runs the hook as runtimes do, but without one: what they would be told. For the hook, this process is runc.
    pub(super) fn feed(&self, state: &str) -> Outcome {
        let (reader, writer) = stdin(state);
        drop(writer);
        self.feed_from(reader)
    }

    pub(super) fn feed_from(&self, state: impl Into<Stdio>) -> Outcome {
        fs::write("/proc/self/comm", "runc").expect("naming this process");
        run(self.command().stdin(state))
    }

    /// The same in a bounded address space: a hook that reads what strangers wrote must not grow with it.
    pub(super) fn feed_within(&self, kibibytes: u32, state: &str) -> Outcome {
        let (reader, writer) = stdin(state);
        drop(writer);
        let bounded = format!("ulimit -v {kibibytes} && exec \"$0\" \"$@\"");
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &bounded]).arg(&self.program).args(self.args());
        run(command.current_dir("/").stdin(reader))
    }

    /// The system calls of a run, as strace writes them; `None` without strace.
    pub(super) fn traced(&self, state: &str) -> Option<(Outcome, String)> {
        let strace = installed("strace")?;
        let log = self.folder.path().join("strace");
        let (reader, writer) = stdin(state);
        drop(writer);
        let mut command = Command::new(strace);
        command.args(["-f", "-qq", "-o"]).arg(&log).arg(&self.program).args(self.args());
        let outcome = run(command.env_clear().current_dir("/").stdin(reader));
        Some((outcome, fs::read_to_string(&log).expect("reading what strace wrote")))
    }

    pub(super) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(self.args()).env_clear().current_dir("/");
        command
    }

    fn args(&self) -> Vec<String> {
        self.options("--")
    }

    /// Its options, whatever they begin with.
    pub(super) fn options(&self, dashes: &str) -> Vec<String> {
        let config = self.config();
        let mut args = Vec::new();
        let places = [
            ("root", self.host.path()),
            ("store", &self.store()),
            ("config", &config),
            ("reports", &self.reports()),
            ("decisions", &self.decisions()),
            ("journal", &self.journal()),
            ("syslog", &self.folder.path().join("syslog")),
        ];
        for (name, path) in places {
            args.extend([format!("{dashes}{name}"), text(path)]);
        }
        if let Some(deadline) = self.deadline {
            args.extend([format!("{dashes}deadline-ms"), deadline.to_string()]);
        }
        args
    }

    pub(super) fn config(&self) -> PathBuf {
        self.folder.path().join("config.toml")
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary folders have plain names").to_owned()
}
