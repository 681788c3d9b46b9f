//! Running containers that were created with the wrapper, which they need to be stopped and removed.

use crate::host::Root;
use crate::setup::install::{Way, is_ours};

/// Where containerd keeps what runs, for itself and for Docker; k3s, RKE2, k0s and MicroK8s have theirs elsewhere.
const STATES: [&str; 6] = [
    "/run/containerd",
    "/run/docker/containerd",
    "/run/k3s/containerd",
    "/run/k0s/containerd",
    "/var/snap/microk8s/common/run/containerd",
    "/var/run/docker/containerd",
];
/// A folder of bundles by namespace and id, below the state folder.
const TASKS: &str = "io.containerd.runtime.v2.task";

/// The ids of containers that were made with the wrapper and are there still, as containerd's bundles and the monitors of
/// Podman and CRI-O tell.
pub fn running(root: &Root) -> Vec<String> {
    let mut found = Vec::new();
    for state in STATES {
        for namespace in root.list(&format!("{state}/{TASKS}")).unwrap_or_default() {
            let folder = format!("{state}/{TASKS}/{namespace}");
            for id in root.list(&folder).unwrap_or_default() {
                // The shim writes into it which program it calls (containerd, `core/runtime/v2/runc`, WriteRuntime).
                let runtime = root.read_text(&format!("{folder}/{id}/runtime")).unwrap_or_default();
                if is_ours(runtime.trim(), Way::Wrapper) && !found.contains(&id) {
                    found.push(id);
                }
            }
        }
    }
    for process in root.list("/proc").unwrap_or_default() {
        if process.bytes().all(|it| it.is_ascii_digit())
            && let Ok(line) = root.read_text(&format!("/proc/{process}/cmdline"))
            && let Some(id) = monitored(&line)
            && !found.contains(&id)
        {
            found.push(id);
        }
    }
    found
}

/// The container that a monitor with this command line waits for (conmon(8)), if the wrapper has made it.
fn monitored(line: &str) -> Option<String> {
    let mut words = line.split('\0');
    if words.next()?.rsplit('/').next()? != "conmon" {
        return None;
    }
    let words: Vec<_> = words.collect();
    let value = |names: [&str; 2]| {
        let at = words.iter().position(|it| names.contains(it))?;
        words.get(at + 1).copied()
    };
    let runtime = value(["-r", "--runtime"])?;
    is_ours(runtime, Way::Wrapper).then(|| value(["-c", "--cid"]).unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    #[test]
    fn what_the_wrapper_made_is_found_by_the_bundle_or_the_monitor() {
        let host = FakeHost::new()
            .file(
                "run/containerd/io.containerd.runtime.v2.task/k8s.io/a1/runtime",
                "/usr/bin/oci-compat-runtime-crun",
            )
            .file("run/containerd/io.containerd.runtime.v2.task/k8s.io/a2/runtime", "runc")
            .file("run/containerd/io.containerd.runtime.v2.task/moby/a3/config.json", "")
            .file(
                "proc/12/cmdline",
                "/usr/bin/conmon\0--api-version\0x\0-c\0b1\0-r\0/usr/bin/oci-compat-runtime\0",
            )
            .file("proc/13/cmdline", "/usr/bin/conmon\0-c\0b2\0-r\0/usr/bin/crun\0")
            .file("proc/14/cmdline", "/bin/sh\0-r\0/usr/bin/oci-compat-runtime\0")
            .file("proc/self/cmdline", "");
        assert_eq!(running(&host.root()), ["a1", "b1"]);
        assert_eq!(running(&FakeHost::new().root()), [] as [&str; 0]);
    }
}
