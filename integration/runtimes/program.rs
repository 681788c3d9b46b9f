//! Runs programs, ours and others', with a bound on their time, and keeps what they said.

use std::fs::File;
use std::io::{PipeReader, PipeWriter, Read, Seek, Write, pipe};
use std::path::{Path, PathBuf, absolute};
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};
use std::{env, thread};

/// Far more than any case needs: only what would never end is cut off here.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program did.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) took: Duration,
}

/// One of the project's programs: those in the folder `OCI_COMPAT_BIN`, else those built with this test.
pub(crate) fn ours(name: &str) -> PathBuf {
    let built = Path::new(env!("CARGO_BIN_EXE_oci-compat-hook")).with_file_name(name);
    let program = env::var_os("OCI_COMPAT_BIN").map_or(built, |folder| Path::new(&folder).join(name));
    absolute(program).expect("an absolute path")
}

/// Where somebody else's program is, if it is installed. `integration/setup` builds some into `target/tools`.
pub(crate) fn installed(name: &str) -> Option<PathBuf> {
    let tools = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/bin");
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).chain([tools]).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// Runs a command to its end.
pub(crate) fn run(command: &mut Command) -> Outcome {
    run_until(command, |_| ())
}

/// Runs a command to its end, and then waits for what it has left running to write its last.
/// Output goes to files: a pipe would be at its end only when everybody has closed it.
pub(crate) fn run_until(command: &mut Command, silent: impl FnOnce(ExitStatus)) -> Outcome {
    let (mut stdout, mut stderr) = (scratch_file(), scratch_file());
    let started = Instant::now();
    let mut child = command
        .stdout(stdout.try_clone().expect("a second handle"))
        .stderr(stderr.try_clone().expect("a second handle"))
        .spawn()
        .unwrap_or_else(|err| panic!("starting {command:?}: {err}"));
    let ended = wait(&mut child, started + PATIENCE);
    let took = started.elapsed();
    if let Some(status) = ended {
        silent(status);
    }
    let (stdout, stderr) = (text(&mut stdout), text(&mut stderr));
    let status = ended.unwrap_or_else(|| panic!("{command:?} does not end; it said: {stdout}{stderr}"));
    Outcome { status, stdout, stderr, took }
}

/// Runs a command that has to succeed, and returns what it printed.
pub(crate) fn succeed(command: &mut Command) -> String {
    let outcome = run(command);
    assert!(outcome.status.success(), "{command:?}: {outcome:?}");
    outcome.stdout
}

/// A standard input that holds `text` (less than a pipe does: 64 KiB), and ends once the writer is dropped.
pub(crate) fn stdin(text: &str) -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = pipe().expect("a pipe");
    writer.write_all(text.as_bytes()).expect("filling a pipe");
    (reader, writer)
}

fn scratch_file() -> File {
    tempfile::tempfile().expect("a temporary file")
}

/// How the child ended; `None` if it had to be killed at `deadline`.
pub(super) fn wait(child: &mut Child, deadline: Instant) -> Option<ExitStatus> {
    while Instant::now() < deadline {
        if let Some(status) = child.try_wait().expect("waiting for a child") {
            return Some(status);
        }
        thread::sleep(Duration::from_millis(2));
    }
    child.kill().expect("killing a child");
    child.wait().expect("reaping a child");
    None
}

fn text(file: &mut File) -> String {
    let mut bytes = Vec::new();
    file.rewind().expect("rewinding output");
    file.read_to_end(&mut bytes).expect("reading output");
    String::from_utf8(bytes).expect("output is text")
}
