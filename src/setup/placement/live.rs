//! The running daemons of a host, and their start: a daemon that is older than its configuration has not read it.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::host::Root;

use super::System;

/// `/proc/PID/stat` counts in these (proc_pid_stat(5), sysconf(3) `_SC_CLK_TCK`): 100 a second on every Linux.
const TICKS: u64 = 100;
/// dockerd's socket, and how long it is waited for.
const DOCKER: &str = "/run/docker.sock";
const PATIENCE: Duration = Duration::from_secs(2);
/// An answer of dockerd on itself has some kilobytes.
const MAX_ANSWER: u64 = 4 << 20;

/// A daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Daemon {
    /// Its process.
    pub pid: u32,
    /// When it started, in seconds since 1970.
    pub started: u64,
}

/// What dockerd says of itself (Docker Engine API, `GET /info`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Docker {
    /// The default runtime's name.
    pub default: String,
    /// The runtimes: their names and programs.
    pub runtimes: Vec<(String, String)>,
}

/// The daemon of this system, if one runs; of several the oldest. Podman has none.
pub fn daemon(system: System, root: &Root) -> Option<Daemon> {
    let name = match system {
        System::Podman => return None,
        System::Docker => "dockerd",
        System::CriO => "crio",
        System::Containerd | System::K3s | System::Rke2 | System::K0s | System::MicroK8s => "containerd",
    };
    let boot = boot(&root.read_text("/proc/stat").ok()?)?;
    let mut found: Vec<Daemon> = Vec::new();
    // Processes come and go: one that is gone is none.
    for pid in root.list("/proc").ok()?.iter().filter_map(|it| it.parse::<u32>().ok()) {
        let is_it = root.read_text(&format!("/proc/{pid}/comm")).is_ok_and(|it| it.trim_end() == name)
            && root.read_text(&format!("/proc/{pid}/cmdline")).is_ok_and(|it| is_its(&it, system));
        let ticks = root.read_text(&format!("/proc/{pid}/stat")).ok().and_then(|it| ticks(&it));
        if let Some(ticks) = ticks.filter(|_| is_it) {
            found.push(Daemon { pid, started: boot + ticks / TICKS });
        }
    }
    found.into_iter().min_by_key(|it| it.started)
}

/// containerd's configuration shows which system it belongs to; Docker starts one with a file of its own.
fn is_its(line: &str, system: System) -> bool {
    let Some(main) = system.main() else { return true };
    let words: Vec<_> = line.split('\0').collect();
    let at = words.iter().position(|it| ["-c", "--config"].contains(it));
    let joined = words.iter().find_map(|it| it.strip_prefix("--config="));
    let file = joined.or_else(|| at.and_then(|it| words.get(it + 1).copied()));
    match (file, system) {
        (None, _) => system == System::Containerd,
        (Some(file), System::MicroK8s) => file.ends_with("/args/containerd.toml"),
        (Some(file), _) => file == main,
    }
}

fn boot(stat: &str) -> Option<u64> {
    stat.lines().find_map(|it| it.strip_prefix("btime ")?.trim().parse().ok())
}

/// The 22nd field; the second is the name in brackets, which may hold anything.
fn ticks(stat: &str) -> Option<u64> {
    stat.rsplit_once(") ")?.1.split(' ').nth(19)?.parse().ok()
}

/// What the dockerd that runs here has; `None` if it could not be asked.
pub fn docker(root: &Root) -> Option<Docker> {
    if !root.is_live() {
        return None;
    }
    let mut socket = UnixStream::connect(DOCKER).ok()?;
    socket.set_read_timeout(Some(PATIENCE)).ok()?;
    socket.set_write_timeout(Some(PATIENCE)).ok()?;
    socket.write_all(b"GET /info HTTP/1.0\r\nHost: docker\r\n\r\n").ok()?;
    let mut answer = Vec::new();
    socket.take(MAX_ANSWER).read_to_end(&mut answer).ok()?;
    parse(&String::from_utf8_lossy(&answer))
}

fn parse(answer: &str) -> Option<Docker> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    if !head.lines().next()?.contains(" 200") {
        return None;
    }
    let info: serde_json::Value = serde_json::from_str(body).ok()?;
    let text = |it: Option<&serde_json::Value>| it.and_then(|it| it.as_str()).unwrap_or_default().to_owned();
    let runtimes = info.get("Runtimes")?.as_object()?.iter();
    Some(Docker {
        default: text(info.get("DefaultRuntime")),
        runtimes: runtimes.map(|(name, it)| (name.clone(), text(it.get("path")))).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::FakeHost;

    fn process(host: FakeHost, pid: u32, name: &str, line: &str, ticks: u64) -> FakeHost {
        let fields = vec!["0"; 18].join(" ");
        host.file(&format!("proc/{pid}/comm"), format!("{name}\n"))
            .file(&format!("proc/{pid}/cmdline"), line)
            .file(&format!("proc/{pid}/stat"), format!("{pid} (a) b) S {fields} {ticks} 0\n"))
    }

    #[test]
    fn a_daemon_is_known_by_its_name_and_its_configuration() {
        let host = FakeHost::new().file("proc/stat", "cpu 1\nbtime 1000\n").folder("proc/self");
        let host = process(host, 7, "dockerd", "dockerd\0", 900);
        let host = process(
            host,
            8,
            "containerd",
            "containerd\0--config\0/var/run/docker/containerd/containerd.toml\0",
            100,
        );
        let host = process(host, 9, "containerd", "/usr/bin/containerd\0", 2000);
        let host = process(
            host,
            10,
            "containerd",
            "containerd\0-c\0/var/lib/rancher/k3s/agent/etc/containerd/config.toml\0",
            3000,
        );
        let found = |it| daemon(it, &host.root()).map(|it| (it.pid, it.started));
        assert_eq!(found(System::Docker), Some((7, 1009)));
        assert_eq!(found(System::Containerd), Some((9, 1020)));
        assert_eq!(found(System::K3s), Some((10, 1030)));
        assert_eq!((found(System::Rke2), found(System::Podman), found(System::CriO)), (None, None, None));
    }

    #[test]
    fn dockerd_reports_its_runtimes() {
        let answer = "HTTP/1.0 200 OK\r\nServer: Docker\r\n\r\n{\"DefaultRuntime\": \"a\", \"Runtimes\": {\"a\": {\"path\": \"/x\"}, \"b\": {}}}";
        let docker = parse(answer).expect("an answer");
        assert_eq!(docker.default, "a");
        assert_eq!(docker.runtimes, [("a".to_owned(), "/x".to_owned()), ("b".to_owned(), String::new())]);
        assert_eq!(parse("HTTP/1.0 500 no\r\n\r\n{}"), None);
        assert_eq!(parse("HTTP/1.0 200 OK\r\n"), None);
    }
}
