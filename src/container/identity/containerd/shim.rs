//! Finds the socket of the containerd that a container belongs to: from the shim that started us, never from the container's
//! bundle.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use crate::container::identity::EnginePlaces;
use crate::os::file;

/// Between a shim and us stand the low-level runtime, or the script that dockerd writes for `runtimeArgs`.
const MAX_STEPS: usize = 8;
/// More than any shim's arguments and environment.
const MAX_TEXT: usize = 1 << 20;

/// The socket: the shim's, or the one beside containerd's state folder, or containerd's default.
pub(super) fn socket(state: &Path, places: &EnginePlaces) -> PathBuf {
    let beside = state.join("containerd.sock");
    of_ancestors(&places.at("proc"), std::os::unix::process::parent_id())
        // A user who may look at it may also connect to it.
        .or_else(|| nix::sys::stat::stat(&beside).is_ok().then_some(beside))
        .unwrap_or_else(|| places.at("run/containerd/containerd.sock"))
}

/// The address that an ancestor process got, if it is a shim.
///
/// What cannot be read is passed over: another place is looked at.
fn of_ancestors(proc: &Path, parent: u32) -> Option<PathBuf> {
    let mut pid = parent;
    for _ in 0..MAX_STEPS {
        if pid < 2 {
            return None;
        }
        let folder = proc.join(pid.to_string());
        let arguments = file::read(&folder.join("cmdline"), MAX_TEXT).ok().flatten()?;
        let arguments = strings(&arguments);
        if is_shim(arguments.first()?) {
            return option(&arguments, "address").or_else(|| of_environment(&folder));
        }
        pid = parent_of(&folder)?;
    }
    None
}

fn strings(bytes: &[u8]) -> Vec<&OsStr> {
    bytes.split(|it| *it == 0).map(OsStr::from_bytes).collect()
}

/// `containerd-shim`, `containerd-shim-runc-v2`, `containerd-shim-kata-v2`, ...
fn is_shim(program: &OsStr) -> bool {
    let name = Path::new(program).file_name().unwrap_or_default();
    name.as_bytes().starts_with(b"containerd-shim")
}

/// The value of a flag, as Go's `flag` package takes it.
fn option(arguments: &[&OsStr], name: &str) -> Option<PathBuf> {
    let mut arguments = arguments.iter().skip(1).map(|it| it.as_bytes());
    while let Some(argument) = arguments.next() {
        let flag = argument.strip_prefix(b"--").or_else(|| argument.strip_prefix(b"-"));
        let Some(rest) = flag.and_then(|it| it.strip_prefix(name.as_bytes())) else { continue };
        let value = match rest.split_first() {
            None => arguments.next(),
            Some((b'=', value)) => Some(value),
            Some(_) => None,
        };
        if let Some(value) = value {
            return absolute(value);
        }
    }
    None
}

/// containerd tells a shim where its other socket is (`runtime/v2/shim/shim_unix.go`); the two lie side by side.
fn of_environment(folder: &Path) -> Option<PathBuf> {
    let environment = file::read(&folder.join("environ"), MAX_TEXT).ok().flatten()?;
    let mut variables = environment.split(|it| *it == 0);
    absolute(variables.find_map(|it| it.strip_prefix(b"TTRPC_ADDRESS=")?.strip_suffix(b".ttrpc"))?)
}

fn absolute(path: &[u8]) -> Option<PathBuf> {
    let path = path.strip_prefix(b"unix://").unwrap_or(path);
    path.starts_with(b"/").then(|| PathBuf::from(OsString::from_vec(path.to_vec())))
}

/// proc_pid_stat(5): the name in parentheses may hold spaces and parentheses itself.
fn parent_of(folder: &Path) -> Option<u32> {
    let stat = file::read(&folder.join("stat"), MAX_TEXT).ok().flatten()?;
    let end = stat.iter().rposition(|it| *it == b')')?;
    let mut fields = stat.get(end + 1..)?.split(|it| *it == b' ').filter(|it| !it.is_empty());
    str::from_utf8(fields.nth(1)?).ok()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    /// Process 30 below 20 below 10.
    fn check(shim: &str, environment: &str, expected: Option<&str>) {
        let host = FakeHost::new()
            .file("proc/30/cmdline", "runc\0create\0-address\0/runc\0")
            .file("proc/30/stat", "30 (a) b (c) S 20 30 30 0 -1 4194560")
            .file("proc/20/cmdline", "/bin/sh\0/var/lib/docker/runtimes/x\0")
            .file("proc/20/stat", "20 (sh) S 10 30 30 0 -1 4194560")
            .file("proc/10/cmdline", shim)
            .file("proc/10/environ", environment)
            .file("proc/10/stat", "10 (containerd-shim) S 1 30 30 0 -1 4194560");
        let found = of_ancestors(&host.place("proc"), 30);
        assert_eq!(found, expected.map(PathBuf::from), "{shim:?} {environment:?}");
    }

    #[test]
    fn a_shim_among_the_ancestors_reports_its_address() {
        // As containerd 1.6 starts it.
        let shim = "/usr/bin/containerd-shim-runc-v2\0-namespace\0default\0-id\0c1\0-address\0/run/containerd/c.sock\0";
        check(shim, "", Some("/run/containerd/c.sock"));
        check("containerd-shim-kata-v2\0--address=/run/c.sock\0", "", Some("/run/c.sock"));
        check("containerd-shim\0-addresses\0/x\0-address\0unix:///run/c.sock\0", "", Some("/run/c.sock"));
    }

    #[test]
    fn a_shim_without_the_option_has_it_in_its_environment() {
        let environment = "PATH=/bin\0TTRPC_ADDRESS=/run/c.sock.ttrpc\0";
        check("containerd-shim-new\0-id\0x\0", environment, Some("/run/c.sock"));
        check("containerd-shim-new\0-address", environment, Some("/run/c.sock"));
        check("containerd-shim-new\0-address\0relative\0", environment, Some("/run/c.sock"));
        check("containerd-shim-new\0", "TTRPC_ADDRESS=/run/c.sock\0", None);
    }

    #[test]
    fn other_ancestors_are_not_believed() {
        check("/usr/bin/evil\0-address\0/tmp/evil.sock\0", "TTRPC_ADDRESS=/tmp/evil.sock.ttrpc\0", None);
        check("", "", None);
    }

    #[test]
    fn without_a_shim_the_socket_lies_beside_the_state_or_where_it_does_by_default() {
        let host = FakeHost::new().folder("proc").folder("run/k3s/containerd");
        let places = EnginePlaces { root: host.place("") };
        let state = host.place("run/k3s/containerd");
        assert_eq!(socket(&state, &places), host.place("run/containerd/containerd.sock"));
        let host = host.file("run/k3s/containerd/containerd.sock", "");
        assert_eq!(socket(&state, &places), host.place("run/k3s/containerd/containerd.sock"));
    }
}
