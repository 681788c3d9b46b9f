//! A host made of files, and specs that it meets, does not meet, or leaves open.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use tempfile::TempDir;

/// What our host meets.
pub(super) const MET: &str = r#"
version: v1alpha1
compatibilities:
- rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: Ge, value: ["3"]}
"#;

/// What it does not: free5GC's user plane needs an out-of-tree module.
pub(super) const UNMET: &str = r#"
version: v1alpha1
compatibilities:
- rules:
  - name: gtp5g
    matchFeatures:
    - feature: kernel.loadedmodule
      matchExpressions:
        gtp5g: {op: Exists}
"#;

/// A spec that demands, or excludes, the most processes that this process may have: a container inherits that limit.
pub(super) fn same_limit(is_demanded: bool) -> String {
    let limits = fs::read_to_string("/proc/self/limits").expect("limits");
    let line = limits.lines().find_map(|it| it.strip_prefix("Max processes")).expect("a limit");
    let hard =
        line.split_whitespace().nth(1).expect("a hard limit").replace("unlimited", "9223372036854775807");
    let op = if is_demanded { "In" } else { "NotIn" };
    format!(
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: processes\n    matchFeatures:\n    \
         - feature: bundle.rlimit\n      matchExpressions:\n        RLIMIT_NPROC.hard: {{op: {op}, value: [\"{hard}\"]}}\n"
    )
}

/// A misspelt field: NFD would ignore it, and let every host pass.
pub(super) const MALFORMED: &str = r#"
version: v1alpha1
compatibilities:
- rules:
  - name: gtp5g
    matchFeature:
    - feature: kernel.loadedmodule
"#;

/// The root of a host.
#[derive(Debug)]
pub(super) struct Host {
    root: TempDir,
}

impl Host {
    /// A host with a kernel and one module.
    pub(super) fn plain() -> Self {
        let host = Self::bare();
        fs::write(host.path().join("proc/modules"), "veth 28672 0 - Live 0x0\n").expect("writing modules");
        host
    }

    /// The same, but its modules cannot be read, not even by root: their list is a link to itself.
    pub(super) fn secretive() -> Self {
        let host = Self::bare();
        symlink("modules", host.path().join("proc/modules")).expect("linking modules");
        host
    }

    /// A host on which it can be seen that no driver of a GPU is there.
    pub(super) fn without_gpus() -> Self {
        let host = Self::plain();
        fs::write(host.path().join("proc/version"), "Linux version 5.4.0-42-generic\n")
            .expect("writing a version");
        fs::create_dir_all(host.path().join("sys/bus/pci/devices")).expect("making a host");
        host
    }

    /// The same, and its kernel has no binfmt_misc, so no handler takes programs.
    pub(super) fn without_handlers() -> Self {
        let host = Self::plain();
        let arch = std::env::consts::ARCH;
        for (path, content) in [
            ("proc/sys/kernel/arch", format!("{arch}\n")),
            ("proc/filesystems", "nodev\tproc\n".to_owned()),
            ("etc/os-release", "ID=debian\n".to_owned()),
        ] {
            let path = host.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("making a host");
            fs::write(path, content).expect("making a host");
        }
        host
    }

    /// The same with a CPU of x86-64-v2.
    pub(super) fn with_an_older_cpu() -> Self {
        let host = Self::without_handlers();
        let flags = "fpu cx8 cmov mmx fxsr sse sse2 syscall lm pni ssse3 cx16 sse4_1 sse4_2 popcnt lahf_lm";
        fs::write(host.path().join("proc/cpuinfo"), format!("processor\t: 0\nflags\t\t: {flags}\n"))
            .expect("making a host");
        host
    }

    /// A host that meets the benchmark's twelve rules, and whose processor is that of the machine.
    pub(super) fn capable() -> Self {
        let host = Self::plain();
        let options = ["BPF_SYSCALL", "BPF_JIT", "USER_NS", "NET_NS", "OVERLAY_FS", "NETFILTER", "BRIDGE"];
        let config = options.map(|it| format!("CONFIG_{it}=y\n")).concat();
        let device = "pci:v00001AF4d00001041sv00001AF4sd00001041bc02sc00i00\n";
        let boot_id = fs::read("/proc/sys/kernel/random/boot_id").expect("reading this machine's boot_id");
        for (path, content) in [
            ("boot/config-5.4.0-42-generic", config.as_bytes()),
            ("sys/bus/pci/devices/0000:00:03.0/modalias", device.as_bytes()),
            ("etc/os-release", b"ID=debian\n"),
            ("proc/sys/kernel/random/boot_id", boot_id.as_slice()),
        ] {
            let path = host.path().join(path);
            fs::create_dir_all(path.parent().expect("a folder")).expect("making a host");
            fs::write(path, content).expect("making a host");
        }
        host
    }

    pub(super) fn path(&self) -> &Path {
        self.root.path()
    }

    fn bare() -> Self {
        let root = tempfile::tempdir().expect("a temporary folder");
        let kernel = root.path().join("proc/sys/kernel");
        fs::create_dir_all(&kernel).expect("making a host");
        fs::write(kernel.join("osrelease"), "5.4.0-42-generic\n").expect("writing a release");
        Self { root }
    }
}
