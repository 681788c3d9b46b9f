//! What a container left on the machine, wherever runtimes leave things.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use super::bundle::Bundle;

/// Where systemd, and whoever follows it, mounts the control groups.
const CGROUPS: &str = "/sys/fs/cgroup";

/// What ends by itself within this time is on its way out, and not left behind: some machines' first process takes its time
/// to reap what is handed to it.
const SETTLING: Duration = Duration::from_secs(5);

/// Each thing that still has the container's name: state, control groups, mounts, processes.
pub(super) fn leftovers(bundle: &Bundle) -> Vec<String> {
    let deadline = Instant::now() + SETTLING;
    loop {
        let found = look(bundle);
        if found.is_empty() || Instant::now() > deadline {
            return found;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

/// Removes the container's control groups, the innermost first, once they are empty.
pub(super) fn remove_cgroups(bundle: &Bundle) {
    let deadline = Instant::now() + SETTLING;
    loop {
        let mut found = Vec::new();
        cgroups(Path::new(CGROUPS), bundle.id(), &mut found);
        let left = found.iter().rev().filter(|group| fs::remove_dir(group).is_err()).count();
        if left == 0 || Instant::now() > deadline {
            return;
        }
        thread::sleep(Duration::from_millis(20));
    }
}

fn look(bundle: &Bundle) -> Vec<String> {
    let id = bundle.id();
    let mut found = entries(&bundle.state_folder());
    // Newer versions of crun keep one for all containers.
    found.retain(|it| !it.ends_with("/.empty-directory"));
    cgroups(Path::new(CGROUPS), id, &mut found);
    found.extend(lines_with(Path::new("/proc/self/mountinfo"), id));
    for process in entries(Path::new("/proc")) {
        found.extend(lines_with(&Path::new(&process).join("cmdline"), id));
        found.extend(lines_with(&Path::new(&process).join("cgroup"), id));
    }
    found
}

/// Paths in a folder; none if it isn't there, as with a process that has just ended.
fn entries(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.flatten().map(|entry| entry.path().display().to_string()).collect()
}

fn cgroups(folder: &Path, id: &str, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())) {
        if entry.file_name().to_string_lossy().contains(id) {
            found.push(entry.path().display().to_string());
        }
        cgroups(&entry.path(), id, found);
    }
}

fn lines_with(file: &Path, id: &str) -> Vec<String> {
    let bytes = fs::read(file).unwrap_or_default(); // the process has ended meanwhile
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter(|line| line.contains(id)).map(|line| format!("{}: {line}", file.display())).collect()
}
