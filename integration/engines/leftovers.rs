//! What a container leaves on a machine: its control groups, mounts, processes and files.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::machine::{Machine, soon};

/// Folders in which engines and runtimes keep containers.
const STATE: [&str; 2] = ["/run", "/var"];

/// What stays after a container by intent: records, and what is made once and used by the next as well. Docker collects its
/// network namespaces once a minute, containerd the layers of containers that are gone when it has time, and Podman 5.8 never the
/// folder of one that could not be started.
const LASTING: [&str; 12] = [
    "/run/docker/netns",
    "/run/libpod/persist",
    "/run/oci-compat",
    "/run/lock",
    "/var/log",
    "/var/lib/oci-compat",
    "/var/lib/registry",
    "/var/cache",
    "/var/lib/containers/cache",
    "/var/lib/cni",
    "/var/lib/containerd/io.containerd.snapshotter.v1.overlayfs/snapshots",
    "/var/lib/containerd/io.containerd.snapshotter.v1.native/snapshots",
];

/// Podman mounts its storage onto itself whenever it needs it, and keeps that as long as it likes.
const PODMAN_S_STORAGE: &str = "/var/lib/containers/storage/overlay";

/// Everything that a container may leave behind.
pub(super) fn everything(machine: &Machine) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let root = machine.path("/root");
    let root = root.parent().expect("the machine's folder");
    for folder in STATE {
        files(root, &machine.path(folder), &mut found);
    }
    let mounts = machine.mounts();
    let points = mounts.lines().filter_map(|it| it.split(' ').nth(4)).filter(|it| *it != PODMAN_S_STORAGE);
    found.extend(points.map(|it| format!("mount {it}")));
    for group in machine.cgroups() {
        found.insert(format!("group {}", group.display()));
        // A group may be gone meanwhile, and so may a process.
        let processes = fs::read_to_string(group.join("cgroup.procs")).unwrap_or_default();
        for process in processes.lines() {
            let command = fs::read(Path::new("/proc").join(process).join("cmdline")).unwrap_or_default();
            found.insert(format!(
                "process {process} {}",
                String::from_utf8_lossy(&command).replace('\0', " ")
            ));
        }
    }
    found
}

/// Runs what must not leave anything, and compares.
pub(super) fn leaves_nothing<T>(machine: &Machine, act: impl FnOnce() -> T) -> T {
    let before = everything(machine);
    let result = act();
    let left = || everything(machine).difference(&before).cloned().collect::<Vec<_>>();
    // Engines clean up after they have answered.
    soon(|| left().is_empty());
    assert_eq!(left(), Vec::<String>::new(), "left behind");
    result
}

fn files(root: &Path, folder: &Path, found: &mut BTreeSet<String>) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten(); // it may be gone meanwhile
    for entry in entries {
        let path = entry.path();
        let inside = Path::new("/").join(path.strip_prefix(root).expect("a path below"));
        if LASTING.iter().any(|it| inside == Path::new(it)) {
            continue;
        }
        if entry.file_type().is_ok_and(|it| it.is_dir()) {
            files(root, &path, found);
        }
        found.insert(inside.display().to_string());
    }
}
