//! A fresh machine for an engine: namespaces and control groups of its own, with new `/etc`, `/var`, `/run`, `/root` and
//! `/usr/local`. Engines run in it with the paths that they have everywhere, and never touch those of the user.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, PipeWriter, Read, Seek, pipe};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{io, thread};

use nix::unistd::geteuid;
use tempfile::{Builder, TempDir};

use crate::runtimes::program::{Outcome, ours, run, succeed};
use crate::runtimes::runtime::skip;

/// What the programs of the machine get as their environment; engines and their users have no more than this. On an old host
/// Podman 5 would warn of that with each command.
const ENVIRONMENT: [(&str, &str); 3] = [
    ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
    ("HOME", "/root"),
    ("PODMAN_IGNORE_CGROUPSV1_WARNING", "1"),
];

/// Folders of the machine that replace the host's.
const FOLDERS: [&str; 6] = ["etc", "var", "run", "root", "usr/local", "usr/share/containers"];

/// What is taken over of the host's `/etc`: without it, programs and users are not found.
const TAKEN_OVER: [&str; 5] = ["passwd", "group", "hosts", "nsswitch.conf", "ld.so.cache"];

/// What every machine takes besides its engines.
const TOOLS: [&str; 5] = ["unshare", "nsenter", "ip", "umoci", "busybox"];

/// The namespaces that are the machine's own.
const NAMESPACES: [&str; 5] = ["mnt", "pid", "net", "ipc", "cgroup"];

/// Where Debian has it.
const SYSTEMD: &str = "/lib/systemd/systemd";

/// What it brings up by itself: nothing.
const QUIET: &str = "[Unit]\nDefaultDependencies=no\n";

/// Where control groups are mounted.
const CGROUPS: &str = "/sys/fs/cgroup";

/// Far more than any engine needs to begin or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// What the first process of a machine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum First {
    Shell,
    Systemd,
}

/// Everything in it ends with it, also when a test panics.
#[derive(Debug)]
pub(super) struct Machine {
    folder: TempDir,
    /// `unshare`, which waits for the first process.
    keeper: Child,
    /// The first process lives as long as this is open, so it also ends when the tests are killed.
    alive: Option<PipeWriter>,
    daemons: RefCell<Vec<Child>>,
    /// Held while it runs systemd.
    alone: Option<MutexGuard<'static, ()>>,
}

/// In the first version of control groups all systemds of a host share a hierarchy, and what it says when a group is empty.
static ALONE: Mutex<()> = Mutex::new(());

impl Machine {
    /// Starts a machine on which our programs are installed. If it lacks a program or cannot be had, that is said aloud.
    pub(super) fn with(engine: &str, programs: &[&str]) -> Option<Self> {
        let started = Self::able(programs).and_then(|()| Self::start(First::Shell));
        started.map_err(|why| skip(engine, &why)).ok()
    }

    /// The same, and systemd runs on it.
    pub(super) fn with_systemd(engine: &str, programs: &[&str]) -> Option<Self> {
        // A test that failed has stopped its machine nevertheless.
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let started = match Path::new(SYSTEMD).is_file() {
            true => Self::able(programs).and_then(|()| Self::start(First::Systemd)),
            false => Err(format!("{SYSTEMD} is not installed")),
        };
        let mut machine = started.map_err(|why| skip(engine, &why)).ok()?;
        machine.alone = Some(alone);
        Some(machine)
    }

    fn able(programs: &[&str]) -> Result<(), String> {
        if !geteuid().is_root() {
            return Err(String::from("engines are run as root"));
        }
        match TOOLS.iter().chain(programs).find(|it| packaged(it).is_none()) {
            Some(missing) => Err(format!("{missing} is not installed (run integration/setup engines)")),
            None => Ok(()),
        }
    }

    fn start(first: First) -> Result<Self, String> {
        let folder = Builder::new().prefix("oci-compat-machine-").tempdir().expect("a temporary folder");
        furnish(folder.path());
        let argument = match first {
            First::Shell => "",
            First::Systemd => {
                let units = folder.path().join("etc/systemd/system");
                fs::create_dir_all(&units).expect("making a folder");
                fs::write(units.join("quiet.target"), QUIET).expect("writing a unit");
                fs::write(folder.path().join("etc/machine-id"), "0123456789abcdef0123456789abcdef\n")
                    .expect("writing an id");
                "systemd"
            }
        };
        let (reader, alive) = pipe().expect("a pipe");
        let mut said = tempfile::tempfile().expect("a temporary file");
        let mut keeper = Command::new("sh")
            .args(["-c", include_str!("enter.sh"), "enter", &group(&folder), "unshare"])
            .args(["--mount", "--pid", "--net", "--ipc", "--cgroup", "--fork", "--kill-child"])
            .args(["sh", "-c", include_str!("machine.sh"), "machine", argument])
            .current_dir(folder.path())
            .stdin(reader)
            .stdout(Stdio::piped())
            .stderr(said.try_clone().expect("a second handle"))
            .spawn()
            .expect("starting a machine");
        let mut line = String::new();
        let stdout = keeper.stdout.take().expect("its output");
        BufReader::new(stdout).read_line(&mut line).expect("reading what the machine says");
        let machine = Self { folder, keeper, alive: Some(alive), daemons: RefCell::default(), alone: None };
        if line == "ready\n" {
            return Ok(machine);
        }
        let mut why = String::new();
        said.rewind().and_then(|()| said.read_to_string(&mut why)).expect("reading what went wrong");
        Err(format!("no machine of its own here: {}", why.trim_end()))
    }

    /// Where a file of the machine is for those outside.
    pub(super) fn path(&self, inside: &str) -> PathBuf {
        let own = FOLDERS.iter().any(|it| Path::new(inside).starts_with(Path::new("/").join(it)));
        assert!(own, "{inside} belongs to the host");
        self.folder.path().join(inside.trim_start_matches('/'))
    }

    /// Writes a file of the machine, and makes the folders above it.
    pub(super) fn write(&self, inside: &str, content: &str) {
        let path = self.path(inside);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a folder");
        fs::write(path, content).expect("writing a file of the machine");
    }

    pub(super) fn read(&self, inside: &str) -> String {
        fs::read_to_string(self.path(inside)).unwrap_or_else(|err| panic!("reading {inside}: {err}"))
    }

    /// A command in the machine, with nothing on its standard input.
    pub(super) fn command(&self, program: &str, args: &[&str]) -> Command {
        let keeper = self.keeper.id();
        let mut command = Command::new("nsenter");
        for namespace in NAMESPACES {
            let (option, file) = match namespace {
                "mnt" => ("mount", "mnt"),
                "pid" => ("pid", "pid_for_children"),
                _ => (namespace, namespace),
            };
            command.arg(format!("--{option}=/proc/{keeper}/ns/{file}"));
        }
        command
            .args(["sh", "-c", concat!("cd /root\n", include_str!("enter.sh")), "enter", "init", program])
            .args(args);
        command.env_clear().envs(ENVIRONMENT).stdin(Stdio::null());
        command
    }

    /// Runs a command to its end, within a time.
    pub(super) fn run(&self, program: &str, args: &[&str]) -> Outcome {
        let outcome = run(&mut self.command(program, args));
        Outcome { stderr: without_age(&outcome.stderr), ..outcome }
    }

    /// The same for a command that has to succeed: what it printed.
    pub(super) fn succeed(&self, program: &str, args: &[&str]) -> String {
        succeed(&mut self.command(program, args))
    }

    /// Starts what runs as long as the machine does, and waits until `ready` ends well.
    pub(super) fn daemon(&self, program: &str, args: &[&str], ready: &[&str]) {
        let log = File::create(self.log(program)).expect("making a log");
        let mut command = self.command(program, args);
        let daemon = command.stdout(log.try_clone().expect("a second handle")).stderr(log).spawn();
        self.daemons.borrow_mut().push(daemon.unwrap_or_else(|err| panic!("starting {program}: {err}")));
        let [probe, args @ ..] = ready else { panic!("nothing to wait for") };
        let answers = || self.run(probe, args).status.success();
        assert!(soon(answers), "{program} does not start: {}", self.said_by(program));
    }

    /// What a daemon has written to its log.
    pub(super) fn said_by(&self, daemon: &str) -> String {
        fs::read_to_string(self.log(daemon)).expect("reading a log")
    }

    fn log(&self, daemon: &str) -> PathBuf {
        self.folder.path().join(daemon).with_extension("log")
    }

    /// The mounts of the machine, as proc(5) lists them.
    pub(super) fn mounts(&self) -> String {
        let file = format!("/proc/{}/mountinfo", self.keeper.id());
        fs::read_to_string(file).expect("reading the machine's mounts")
    }

    /// The machine's control groups, in every hierarchy, as the host sees them: the outer ones first.
    pub(super) fn cgroups(&self) -> Vec<PathBuf> {
        let name = group(&self.folder);
        let hierarchies = fs::read_dir(CGROUPS).expect("listing control groups").flatten();
        let hierarchies = hierarchies.map(|it| it.path()).chain([PathBuf::from(CGROUPS)]);
        let mut found: Vec<_> = hierarchies.map(|it| it.join(&name)).filter(|it| it.is_dir()).collect();
        let mut next = 0;
        while let Some(group) = found.get(next) {
            let entries = fs::read_dir(group).into_iter().flatten().flatten(); // it may be gone meanwhile
            let below: Vec<_> = entries.map(|it| it.path()).filter(|it| it.is_dir()).collect();
            found.extend(below);
            next += 1;
        }
        found
    }

    /// Ends everything, and says what could not be ended.
    fn stop(&mut self) -> Result<(), String> {
        drop(self.alive.take());
        // systemd takes its time on a busy machine. The kernel ends all that is in the keeper's machine with it.
        if !soon(|| self.keeper.try_wait().is_ok_and(|it| it.is_some())) {
            let killed = self.keeper.kill().and_then(|()| self.keeper.wait());
            killed.map_err(|err| format!("killing a machine: {err}"))?;
        }
        for daemon in self.daemons.get_mut() {
            // nsenter(1) stops itself when systemd stops what it is about to end.
            daemon
                .kill()
                .and_then(|()| daemon.wait())
                .map_err(|err| format!("waiting for a daemon: {err}"))?;
        }
        let emptied = || {
            let groups = self.cgroups();
            groups.iter().rev().filter(|it| fs::remove_dir(it).is_err()).count() == 0
        };
        if soon(emptied) { Ok(()) } else { Err(format!("left: {:?}", self.cgroups())) }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let stopped = self.stop();
        if !thread::panicking() {
            stopped.expect("stopping a machine");
        }
    }
}

/// Without what containerd 2.2 and later say on an old host.
pub(super) fn without_age(text: &str) -> String {
    let warning = "DEPRECATION: The support for cgroup v1 is deprecated since containerd v2.2";
    text.split_inclusive('\n').filter(|it| !it.contains(warning)).collect()
}

/// Where a program of the distribution is: the machine has nothing of the host's `/usr/local`.
pub(super) fn packaged(name: &str) -> Option<PathBuf> {
    let folders = ["/usr/sbin", "/usr/bin", "/sbin", "/bin"];
    folders.into_iter().map(|it| Path::new(it).join(name)).find(|it| it.is_file())
}

/// Asks again until the answer is yes, and gives up after a while.
pub(super) fn soon(mut ask: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if ask() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// The machine's name, also that of its control groups.
fn group(folder: &TempDir) -> String {
    folder
        .path()
        .file_name()
        .and_then(|it| it.to_str())
        .expect("temporary folders have plain names")
        .to_owned()
}

/// What a fresh machine has, and our programs where `make install` places them.
fn furnish(folder: &Path) {
    for below in [
        "etc/containers",
        "var/lib",
        "var/log",
        "var/tmp",
        "var/cache",
        "run",
        "root",
        "usr/share/containers",
    ] {
        fs::create_dir_all(folder.join(below)).expect("making a folder");
    }
    for name in TAKEN_OVER {
        copied(&Path::new("/etc").join(name), &folder.join("etc").join(name));
    }
    let anything = r#"{"default": [{"type": "insecureAcceptAnything"}]}"#;
    for (file, content) in
        [("containers/policy.json", anything), ("os-release", "ID=fresh\n"), ("resolv.conf", "")]
    {
        fs::write(folder.join("etc").join(file), content).expect("writing a file of the machine");
    }
    let defaults = Path::new("/usr/share/containers");
    let files = fs::read_dir(defaults).into_iter().flatten().flatten(); // only where Podman is installed
    for file in files.filter(|it| it.file_type().is_ok_and(|it| it.is_file())) {
        copied(&file.path(), &folder.join("usr/share/containers").join(file.file_name()));
    }
    std::os::unix::fs::symlink("/run", folder.join("var/run")).expect("linking /var/run");
    for (program, below) in [
        ("oci-compat", "usr/local/bin"),
        ("oci-compat-runtime", "usr/local/bin"),
        ("oci-compat-hook", "usr/local/libexec/oci/hooks.d"),
    ] {
        fs::create_dir_all(folder.join(below)).expect("making a folder");
        let (ours, place) = (ours(program), folder.join(below).join(program));
        fs::hard_link(&ours, &place).unwrap_or_else(|_| copied(&ours, &place)); // another file system
    }
}

/// A file that some hosts do not have stays out.
fn copied(from: &Path, to: &Path) {
    match fs::copy(from, to) {
        Err(err) if err.kind() != io::ErrorKind::NotFound => panic!("copying {}: {err}", from.display()),
        _ => (),
    }
}
