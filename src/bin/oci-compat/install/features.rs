//! Records the features of an engine's low-level runtime for `runtime.feature`. The runtime is asked when an entry is added. A
//! failure is no error: without a record, that feature is unknown.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::{Pid, geteuid};
use oci_compat::door::wrapper;
use oci_compat::host::{self, Root};
use oci_compat::os::file::{PATH, explain, explain_io, target};
use oci_compat::policy::{self, Defaults};
use oci_compat::setup::install::{Chain, Engine, EngineEntry, Way, is_ours};
use oci_compat::setup::placement;
use oci_compat::words::text::printable;
use serde_json::{Map, Value, json};

use super::{Install, below, difference, place::EditedFile};
use crate::output::Output;

/// runc answers in milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);
/// Between looks at whether the runtime has ended.
const PAUSE: Duration = Duration::from_millis(5);
/// runc prints 5 KiB.
const MAX_OUTPUT: usize = 128 << 10;
/// The annotation with what `RUNTIME --version` says.
const VERSION: &str = "org.oci-compat.version";

/// Records what the engine's runtime can do, or shows that; says on stderr why it does not.
pub(super) fn record(
    install: &Install,
    entry: &EngineEntry,
    chain: Option<&Chain>,
    config: &Path,
    output: &mut Output,
) -> anyhow::Result<()> {
    let root = super::system_root(&install.root)?;
    let Some(program) = runtime(entry, chain, config, &root) else { return Ok(()) };
    let name = program.rsplit('/').next().unwrap_or_default();
    let path = host::runtime_record_path(name);
    let file = below(&install.root, Path::new(&path));
    let done = match root.is_live() {
        true => written(install, &program, &path, &root, output),
        false => Err(format!(
            "no program of another system is run: on that system, `oci-compat install {}` writes it",
            entry.engine.name()
        )),
    };
    if let Err(why) = done {
        let note = format!("note: {}: not written: {why}", file.display());
        writeln!(std::io::stderr(), "{}", printable(&note))?;
    }
    Ok(())
}

/// Removes the records that are ours, or shows that, unless an entry of ours is left: `removed` are the files that have just
/// lost theirs, or would.
pub(super) fn forget(
    path: &Path,
    removed: &[PathBuf],
    print: bool,
    output: &mut Output,
) -> anyhow::Result<()> {
    let root = super::system_root(path)?;
    let (standing, unread) = placement::standing(&root);
    let is_left =
        |it: &placement::StandingEntry| !print || !removed.contains(&below(path, Path::new(&it.file)));
    if !unread.is_empty() || standing.iter().any(is_left) {
        return Ok(());
    }
    for record in host::runtime_records(&root).into_iter().filter(|it| it.is_ours) {
        let place = EditedFile::at(&below(path, Path::new(&record.path)), path)?;
        if print {
            output.print(&difference(&place.file, place.current.as_deref(), None))?;
            continue;
        }
        place.restore(None)?;
        output.print(&format!("{}: removed\n", place.file.display()))?;
    }
    Ok(())
}

/// The program that creates the engine's containers; `None` if it is missing or unknown.
fn runtime(entry: &EngineEntry, chain: Option<&Chain>, config: &Path, root: &Root) -> Option<String> {
    if entry.engine == Engine::Runc {
        return None;
    }
    let find = |it: &str| host::program(root, it);
    if entry.way == Way::Hook {
        let default = entry.around.default.as_ref().map(|it| it.value.as_str());
        let program = entry.around.default_runtime().map(|(name, it)| it.program.as_deref().unwrap_or(name));
        match program.or(default) {
            Some(program) if is_ours(program, Way::Wrapper) => {}
            Some(program) => return find(program),
            // As Podman (containers/common, `findRuntime`) and CRI-O since 1.31 choose by themselves.
            None => return find("crun").or_else(|| find("runc")),
        }
    }
    let linked = |suffix: &str| {
        let link = below(root.path(), Path::new(&format!("{}{suffix}", wrapper::LINK)));
        target(&link).and_then(|it| find(it.to_str()?))
    };
    if let Some(chain) = chain {
        return find(chain.path.as_deref().unwrap_or(&chain.name));
    }
    let called = entry.program.rsplit('/').next().unwrap_or_default();
    let suffix = called.strip_prefix(wrapper::NAME).unwrap_or_default();
    let suffix = suffix.strip_prefix("-strict").unwrap_or(suffix);
    if let Some(name) = suffix.strip_prefix('-') {
        return linked(suffix).or_else(|| find(name));
    }
    let wanted = policy::load(&below(root.path(), config), Defaults::Standard).0.runtimes;
    let wanted = wanted.iter().filter_map(|it| it.to_str()).find_map(find);
    wanted.or_else(|| linked("")).or_else(|| find("youki"))
}

fn written(
    install: &Install,
    program: &str,
    path: &str,
    root: &Root,
    output: &mut Output,
) -> Result<(), String> {
    let plain = |err: anyhow::Error| format!("{err:#}");
    let name = program.rsplit('/').next().unwrap_or_default();
    let earlier = host::runtime_record(root, name);
    if earlier.as_ref().is_some_and(|it| !it.is_ours) {
        return Err("it was written by hand: remove it first, or keep it up to date yourself".to_owned());
    }
    let new = features_of(program, root)?;
    let place = EditedFile::at(&below(&install.root, Path::new(path)), &install.root).map_err(plain)?;
    if place.current.as_ref() == Some(&new) && earlier.is_some_and(|it| !it.is_outdated) {
        return Ok(());
    }
    let said = match install.print {
        true => difference(&place.file, place.current.as_deref(), Some(&new)),
        false => {
            place.write(&new).map_err(plain)?;
            format!("{path}: written\n")
        }
    };
    output.print(&said).map_err(plain)
}

/// The runtime's own description, as the text of its record.
fn features_of(program: &str, root: &Root) -> Result<String, String> {
    trusted(program, root)?;
    let (status, output) = ask(program, "features").map_err(|why| format!("`{program} features` {why}"))?;
    let parsed = serde_json::from_slice::<Map<String, Value>>(&output);
    let Some(mut features) = parsed.ok().filter(|it| status.success() && !it.is_empty()) else {
        return Err(format!(
            "`{program} features` prints no features (runc has this command since 1.1, crun since 1.8.6)"
        ));
    };
    let annotations = features.entry("annotations").or_insert_with(|| json!({}));
    // A null stands for none, as Go writes it.
    if annotations.is_null() {
        *annotations = json!({});
    }
    let Some(annotations) = annotations.as_object_mut() else {
        return Err(format!("`{program} features` prints annotations that are no object"));
    };
    annotations.insert(host::RUNTIME_PROGRAM.to_owned(), json!(program));
    if let Some(version) = version(program) {
        annotations.insert(VERSION.to_owned(), json!(version));
    }
    serde_json::to_string_pretty(&features).map(|it| it + "\n").map_err(|err| err.to_string())
}

/// `runc version 1.1.5`: the last word of the first line.
fn version(program: &str) -> Option<String> {
    let (_, output) = ask(program, "--version").ok().filter(|(status, _)| status.success())?;
    let text = String::from_utf8(output).ok()?;
    let (before, version) = text.lines().next()?.trim().rsplit_once(' ')?;
    (before.ends_with("version") && version.len() <= 64).then(|| version.to_owned())
}

/// What others can replace is not run as root.
fn trusted(program: &str, root: &Root) -> Result<(), String> {
    let file = root.open(program).map_err(|miss| format!("{program} {}", miss.unknown(program).reason))?;
    let found = file.metadata().map_err(|err| format!("{program} {}", explain_io(&err)))?;
    if found.mode() & 0o111 == 0 {
        return Err(format!("{program} is not a program: its mode is {:04o}", found.mode() & 0o7777));
    }
    if (found.uid() != 0 && found.uid() != geteuid().as_raw()) || found.mode() & 0o022 != 0 {
        return Err(format!(
            "{program} can be replaced by others than root: chown root {program}; chmod go-w {program}"
        ));
    }
    Ok(())
}

/// Runs it with one argument and takes what it prints, both bounded. The error is the rest of a sentence.
#[expect(
    clippy::disallowed_methods,
    reason = "the program that root's own configuration of the engine names, and only the command line comes here"
)]
fn ask(program: &str, argument: &str) -> Result<(ExitStatus, Vec<u8>), String> {
    let mut command = Command::new(program);
    command.arg(argument).env_clear().env("PATH", PATH).current_dir("/").process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().map_err(|err| explain_io(&err))?;
    let answer = answer(&mut child, Instant::now() + PATIENCE);
    if answer.is_err() {
        // All that it has started, too. It may have ended already.
        let group = i32::try_from(child.id()).map(Pid::from_raw);
        let _gone = group.map(|it| killpg(it, Signal::SIGKILL));
        let _reaped = child.wait();
    }
    answer
}

fn answer(child: &mut Child, deadline: Instant) -> Result<(ExitStatus, Vec<u8>), String> {
    let late = || format!("did not end within {} s", PATIENCE.as_secs());
    let mut stdout = child.stdout.take().ok_or("has no output")?;
    let (mut output, mut chunk) = (Vec::new(), [0; 4096]);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        match poll(&mut [PollFd::new(stdout.as_fd(), PollFlags::POLLIN)], timeout) {
            Ok(0) => return Err(late()),
            Err(Errno::EINTR) => continue,
            Err(errno) => return Err(explain(errno)),
            Ok(_) => {}
        }
        match stdout.read(&mut chunk).map_err(|err| explain_io(&err))? {
            0 => break,
            count => output.extend(chunk.iter().take(count)),
        }
        if output.len() > MAX_OUTPUT {
            return Err(format!("prints more than {MAX_OUTPUT} bytes"));
        }
    }
    loop {
        if let Some(status) = child.try_wait().map_err(|err| explain_io(&err))? {
            return Ok((status, output));
        }
        if Instant::now() >= deadline {
            return Err(late());
        }
        thread::sleep(PAUSE);
    }
}
