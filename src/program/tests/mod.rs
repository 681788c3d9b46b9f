//! The program of a bundle, and what it demands.

mod certainty;
mod headers;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::Duration;

use tempfile::TempDir;

use super::level::REFUSES;
use super::*;

const LD: &str = "/lib64/ld-linux-x86-64.so.2";

/// A bundle with a root file system.
struct Bundled {
    folder: TempDir,
}

impl Bundled {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        fs::create_dir(folder.path().join("rootfs")).expect("a folder");
        fs::set_permissions(folder.path().join("rootfs"), Permissions::from_mode(0o755)).expect("a mode");
        Self { folder }
    }

    fn at(&self, path: &str) -> PathBuf {
        let at = self.folder.path().join("rootfs").join(path.trim_start_matches('/'));
        fs::create_dir_all(at.parent().expect("a parent")).expect("folders");
        at
    }

    fn file(self, path: &str, bytes: impl AsRef<[u8]>) -> Self {
        fs::write(self.at(path), bytes).expect("a file");
        self.mode(path, 0o755)
    }

    fn mode(self, path: &str, mode: u32) -> Self {
        fs::set_permissions(self.at(path), Permissions::from_mode(mode)).expect("a mode");
        self
    }

    fn link(self, path: &str, target: &str) -> Self {
        symlink(target, self.at(path)).expect("a link");
        self
    }

    fn look(&self, config: &serde_json::Value) -> Option<Program> {
        fs::write(self.folder.path().join("config.json"), config.to_string()).expect("a file");
        let bundle = Bundle::read(self.folder.path()).expect("a bundle");
        look(self.folder.path(), &bundle, &|| Instant::now() + Duration::from_secs(60))
    }
}

fn config(program: &str) -> serde_json::Value {
    serde_json::json!({
        "root": {"path": "rootfs"},
        "process": {"args": [program], "cwd": "/srv", "env": ["PATH=/usr/local/bin:/bin"]},
    })
}

fn check(bundled: &Bundled, program: &str, expected: &[ProgramDemand]) {
    check_config(bundled, &config(program), expected);
}

fn check_config(bundled: &Bundled, config: &serde_json::Value, expected: &[ProgramDemand]) {
    let found = bundled.look(config).map(|it| it.demands).unwrap_or_default();
    assert_eq!(found, expected, "{config}");
}

/// An ELF file of 64 bits: its machine, and its program headers with what they lead to.
fn elf(machine: u16, parts: &[(u32, &[u8])]) -> Vec<u8> {
    let mut bytes = vec![0; 64 + 56 * parts.len()];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    bytes[16..18].copy_from_slice(&2_u16.to_le_bytes());
    bytes[18..20].copy_from_slice(&machine.to_le_bytes());
    bytes[32..40].copy_from_slice(&64_u64.to_le_bytes());
    bytes[54..56].copy_from_slice(&56_u16.to_le_bytes());
    bytes[56..58].copy_from_slice(&u16::try_from(parts.len()).expect("few").to_le_bytes());
    for (index, (kind, content)) in parts.iter().enumerate() {
        while !bytes.len().is_multiple_of(8) {
            bytes.push(0);
        }
        let (at, offset) = (64 + 56 * index, bytes.len() as u64);
        bytes[at..at + 4].copy_from_slice(&kind.to_le_bytes());
        bytes[at + 8..at + 16].copy_from_slice(&offset.to_le_bytes());
        bytes[at + 32..at + 40].copy_from_slice(&(content.len() as u64).to_le_bytes());
        bytes[at + 48..at + 56].copy_from_slice(&8_u64.to_le_bytes());
        bytes.extend_from_slice(content);
    }
    bytes
}

const X86: u16 = 62;
const INTERP: u32 = 3;
const NOTE: u32 = 4;
const PROPERTY: u32 = 0x6474_e553;

/// A note of GNU's properties.
fn properties(entries: &[(u32, &[u8])]) -> Vec<u8> {
    let mut content = Vec::new();
    for (kind, value) in entries {
        content.extend_from_slice(&kind.to_le_bytes());
        content.extend_from_slice(&u32::try_from(value.len()).expect("short").to_le_bytes());
        content.extend_from_slice(value);
        content.resize(content.len().next_multiple_of(8), 0);
    }
    let length = u32::try_from(content.len()).expect("short");
    [&4_u32.to_le_bytes()[..], &length.to_le_bytes(), &5_u32.to_le_bytes(), b"GNU\0", &content].concat()
}

fn isa(bits: u32) -> Vec<u8> {
    properties(&[(0xc000_0002, &[3, 0, 0, 0]), (0xc000_8002, &bits.to_le_bytes())])
}

fn dynamic(bits: u32) -> Vec<u8> {
    elf(X86, &[(INTERP, format!("{LD}\0").as_bytes()), (PROPERTY, &isa(bits))])
}

fn machine(file: &str, machine: &str) -> ProgramDemand {
    ProgramDemand::Machine { file: file.to_owned(), machine: machine.to_owned() }
}

fn missing(file: &str, missing: &str, is_script: bool) -> ProgramDemand {
    ProgramDemand::Interpreter { file: file.to_owned(), missing: missing.to_owned(), is_script }
}

#[cfg(target_arch = "x86_64")]
fn needs(file: &str, level: u8, checked_by: Option<Checker>) -> ProgramDemand {
    ProgramDemand::Level { file: file.to_owned(), level, checked_by }
}

/// A loader that looks at levels, and a C library that needs this one, as Debian lays them out.
fn glibc(bits: u32) -> Bundled {
    let library = elf(X86, &[(PROPERTY, &isa(bits))]);
    Bundled::new()
        .file("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", [&elf(X86, &[]), REFUSES].concat())
        .file("/usr/lib/x86_64-linux-gnu/libc.so.6", library)
        .link("/lib", "usr/lib")
        .link("/lib64", "usr/lib64")
        .link("/usr/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2")
}

/// The machine that tests run on, and one that they never do.
const NATIVE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { X86 };
const FOREIGN: u16 = 22;

fn foreign() -> Vec<u8> {
    let mut bytes = elf(FOREIGN, &[]);
    bytes[5] = 2;
    bytes[18..20].copy_from_slice(&FOREIGN.to_be_bytes());
    bytes
}

#[test]
fn a_program_for_this_machine_demands_nothing() {
    let bundled = Bundled::new().file("/bin/app", elf(NATIVE, &[]));
    check(&bundled, "/bin/app", &[]);
    check(&bundled, "app", &[]);
}

#[test]
fn a_program_for_another_machine_demands_that() {
    let bundled = Bundled::new().file("/bin/app", foreign()).file("/srv/own", foreign());
    check(&bundled, "/bin/app", &[machine("/bin/app", "s390x")]);
    check(&bundled, "app", &[machine("/bin/app", "s390x")]);
    check(&bundled, "./own", &[machine("/srv/./own", "s390x")]);
}

#[test]
fn a_script_demands_what_its_interpreter_does() {
    let bundled = Bundled::new()
        .file("/entry", "#!/bin/one\n")
        .file("/bin/one", "#! /bin/two -x\n")
        .file("/bin/two", foreign());
    check(&bundled, "/entry", &[machine("/bin/two", "s390x")]);
}

#[test]
fn an_interpreter_that_the_image_lacks_is_told() {
    let bundled = Bundled::new()
        .file("/windows", "#!/bin/sh\r\necho\r\n")
        .file("/bash", "#!/bin/bash\n")
        .file("/bin/sh", elf(NATIVE, &[]))
        .file("/relative", "#!bin/gone\n")
        .file("/app", elf(NATIVE, &[(INTERP, b"/lib/gone.so\0")]))
        .link("/dangling", "gone")
        .file("/by-link", "#!/dangling\n");
    check(&bundled, "/windows", &[missing("/windows", "/bin/sh\r", true)]);
    check(&bundled, "/bash", &[missing("/bash", "/bin/bash", true)]);
    check(&bundled, "/relative", &[]);
    check(&bundled, "/app", &[missing("/app", "/lib/gone.so", false)]);
    check(&bundled, "/by-link", &[missing("/by-link", "/dangling", true)]);
    check(&bundled, "/bin/sh", &[]);
}

#[test]
fn a_hook_may_bring_an_interpreter_that_the_image_lacks() {
    let bundled = Bundled::new().file("/bin/app", "#!/bin/perl\n");
    let check = |hooks: serde_json::Value, is_certain: bool| {
        let mut config = config("/bin/app");
        config["hooks"] = hooks;
        let expected = is_certain.then(|| missing("/bin/app", "/bin/perl", true));
        check_config(&bundled, &config, &Vec::from_iter(expected));
    };
    check(serde_json::json!(null), true);
    let hook =
        |stage: &str, path: &str, args: &[&str]| serde_json::json!({stage: [{"path": path, "args": args}]});
    check(hook("createRuntime", "/usr/libexec/oci/hooks.d/oci-compat-hook", &[]), true);
    check(hook("prestart", "/proc/7/exe", &["libnetwork-setkey", "-exec-root=/var/run/docker", "c1"]), true);
    check(
        hook("createRuntime", "/usr/bin/nerdctl", &["nerdctl", "internal", "oci-hook", "createRuntime"]),
        true,
    );
    for stage in ["prestart", "createRuntime", "createContainer", "startContainer"] {
        check(hook(stage, "/usr/bin/nvidia-ctk", &["nvidia-ctk", "hook"]), false);
    }
    check(hook("poststop", "/usr/bin/other", &[]), true);
    check(serde_json::json!({"prestart": [{"path": 1}]}), false);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn the_highest_level_of_program_and_library_counts() {
    let loader = Some(Checker::Loader);
    let bundled =
        glibc(1).file("/bin/plain", dynamic(1)).file("/bin/v3", dynamic(4)).file("/bin/v2", dynamic(3));
    check(&bundled, "plain", &[]);
    check(&bundled, "v3", &[needs("/bin/v3", 3, loader)]);
    check(&bundled, "v2", &[needs("/bin/v2", 2, loader)]);
    let bundled = glibc(2).file("/bin/plain", dynamic(1)).file("/bin/v3", dynamic(4));
    check(&bundled, "plain", &[needs("/lib/x86_64-linux-gnu/libc.so.6", 2, loader)]);
    check(&bundled, "v3", &[needs("/bin/v3", 3, loader)]);
    // A loader that does not look.
    let old = glibc(2).file("/usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", elf(X86, &[]));
    check(&old.file("/bin/v3", dynamic(4)), "v3", &[needs("/bin/v3", 3, None)]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_level_that_no_loader_checks_is_recommended() {
    const MUSL: &[u8] = b"/lib/ld-musl-x86_64.so.1\0";
    let bundled = Bundled::new()
        .file("/lib/ld-musl-x86_64.so.1", elf(X86, &[]))
        .file("/bin/fixed", elf(X86, &[(PROPERTY, &isa(4))]))
        .file("/bin/fixed-v1", elf(X86, &[(PROPERTY, &isa(1))]))
        .file("/bin/musl", elf(X86, &[(INTERP, MUSL), (PROPERTY, &isa(3))]));
    check(&bundled, "fixed", &[needs("/bin/fixed", 3, None)]);
    check(&bundled, "fixed-v1", &[]);
    check(&bundled, "musl", &[needs("/bin/musl", 2, None)]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_go_program_checks_the_level_that_it_was_built_for() {
    const LOAD: u32 = 1;
    let build_id =
        [&4_u32.to_le_bytes()[..], &8_u32.to_le_bytes(), &4_u32.to_le_bytes(), b"Go\0\0", &[7; 8]].concat();
    let head = [b"\xff Go buildinf:\x08\x02".as_slice(), &[0; 16]].concat();
    let info =
        [&head[..], &[8], b"go1.27.3", &[40], b"build\t-compiler=gc\nbuild\tGOAMD64=v3\n....."].concat();
    let go = |flags: u32, notes: &[u8]| {
        let mut bytes = elf(X86, &[(NOTE, notes), (LOAD, &info)]);
        bytes[64 + 56 + 4..64 + 56 + 8].copy_from_slice(&flags.to_le_bytes());
        let offset: [u8; 8] = bytes[64 + 56 + 8..64 + 56 + 16].try_into().expect("eight bytes");
        bytes[64 + 56 + 16..64 + 56 + 24].copy_from_slice(&offset);
        bytes[64 + 48] = 4;
        bytes
    };
    let bundled = Bundled::new()
        .file("/bin/go", go(6, &build_id))
        .file("/bin/fixed", go(4, &build_id))
        .file("/bin/other", go(6, &build_id[..12]));
    check(&bundled, "go", &[needs("/bin/go", 3, Some(Checker::Go))]);
    check(&bundled, "fixed", &[]);
    check(&bundled, "other", &[]);
}

#[test]
fn pages_are_demanded_where_parts_have_other_places_in_memory_than_in_the_file() {
    const LOAD: u32 = 1;
    let placed = |machine: u16, name: &str, address: u64, expected: Option<u64>| {
        let mut bytes = elf(machine, &[(LOAD, b"code")]);
        let offset = u64::from(bytes[64 + 8]);
        bytes[64 + 16..64 + 24].copy_from_slice(&(offset + address).to_le_bytes());
        let bundled = Bundled::new().file("/bin/app", bytes);
        let found = bundled.look(&config("/bin/app")).map(|it| it.demands).unwrap_or_default();
        let found: Vec<_> =
            found.into_iter().filter(|it| matches!(it, ProgramDemand::Pages { .. })).collect();
        let demand =
            |most| ProgramDemand::Pages { file: "/bin/app".to_owned(), machine: name.to_owned(), most };
        assert_eq!(found, Vec::from_iter(expected.map(demand)), "{name} {address:#x}");
    };
    for (address, expected) in [(0, None), (0x1_0000, None), (0x1000, Some(0x1000)), (0x7_c000, Some(0x4000))]
    {
        placed(183, "arm64", address, expected);
    }
    for (address, expected) in [(0, None), (0x1000, None), (0x800, Some(0x800))] {
        placed(X86, "x86-64", address, expected);
    }
    placed(FOREIGN, "s390x", 0x800, None);
}

#[test]
fn behind_an_init_process_of_the_engine_the_program_counts() {
    let bundled = Bundled::new().file("/bin/app", foreign()).file("/bin/script", "#!/bin/gone\n");
    let with = |args: &[&str], mounted: &str| {
        let mut config = config("");
        config["process"]["args"] = serde_json::json!(args);
        config["mounts"] = serde_json::json!([
            {"destination": mounted, "type": "bind", "source": "/usr/bin/init", "options": ["bind", "ro"]}
        ]);
        config
    };
    let found = [machine("/bin/app", "s390x")];
    for init in ["/sbin/docker-init", "/run/podman-init"] {
        check_config(&bundled, &with(&[init, "--", "/bin/app", "-x"], init), &found);
        check_config(&bundled, &with(&[init, "--", "app"], init), &found);
        check_config(&bundled, &with(&[init, "/bin/app"], init), &[]);
        check_config(&bundled, &with(&[init, "--"], init), &[]);
        // The image's own program. Nothing is known of it.
        check_config(&bundled, &with(&[init, "--", "/bin/app"], "/run/other"), &[]);
        let gone = [missing("/bin/script", "/bin/gone", true)];
        check_config(&bundled, &with(&[init, "--", "/bin/script"], init), &gone);
        // It goes on with the next folder.
        check_config(&bundled, &with(&[init, "--", "script"], init), &[]);
    }
    check_config(&bundled, &with(&["/sbin/tini", "--", "/bin/app"], "/sbin/tini"), &[]);
}

#[cfg(target_arch = "x86_64")]
#[test]
fn a_library_elsewhere_than_its_loader_is_not_certain() {
    let bundled = glibc(1).file("/usr/lib64/libc.so.6", elf(X86, &[(PROPERTY, &isa(4))]));
    check(&bundled.file("/bin/plain", dynamic(1)), "plain", &[]);
}

#[test]
fn a_program_is_looked_up_as_runtimes_do() {
    let bundled = Bundled::new().file("/bin/app", foreign()).file("/srv/app", elf(NATIVE, &[]));
    let with = |env: serde_json::Value| serde_json::json!({"root": {"path": "rootfs"}, "process": {"args": ["app"], "cwd": "/srv", "env": env}});
    let found = [machine("/bin/app", "s390x")];
    check_config(&bundled, &with(serde_json::json!(["PATH=/usr/bin:/bin"])), &found);
    check_config(&bundled, &with(serde_json::json!(["PATH=/srv:/bin"])), &[]);
    for env in [
        serde_json::json!([]),
        serde_json::json!(["PATH="]),
        serde_json::json!(["PATH=:/bin"]),
        serde_json::json!(["PATH=bin:/bin"]),
        serde_json::json!(["PATH=/bin", "PATH=/bin"]),
    ] {
        check_config(&bundled, &with(env), &[]);
    }
    // A folder that is not open to everybody may hold another one.
    let bundled = bundled.file("/root/bin/other", "").mode("/root", 0o700);
    check_config(&bundled, &with(serde_json::json!(["PATH=/root/bin:/bin"])), &[]);
}
