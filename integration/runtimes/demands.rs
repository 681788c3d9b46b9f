//! What the program of a container demands without a spec: containers that cannot run are refused with their reason, and those
//! that can are left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use oci_compat::container::input;
use oci_compat::program::{self, ProgramDemand};
use serde_json::json;

use super::bundle::Bundle;
use super::hook::{Hook, INCOMPATIBLE};
use super::host::Host;
use super::program::{installed, run, succeed};
use super::runtime::{Runtime, skip};
use super::started::{is_refused, under, under_each_runtime};
use crate::command::{copy_program, make_program};

/// The program of a container that does what others do.
const SAYS_RAN: &str = "#include <unistd.h>\nint main(void) { return write(1, \"ran\\n\", 4) != 4; }\n";

/// A machine that no test runs on: SuperH.
const FOREIGN: [u8; 20] = [0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 42, 0];

under_each_runtime! {
    a_program_for_another_machine_is_refused,
    a_script_from_windows_is_refused,
    a_program_without_its_loader_is_refused,
    a_program_for_newer_cpus_is_refused_on_an_older_one,
}

fn a_program_for_another_machine_is_refused(runtime: Runtime) {
    let hook = Hook::on(Host::without_handlers());
    is_refused(runtime, &hook, INCOMPATIBLE, with("/bin/app", &FOREIGN));
}

fn a_script_from_windows_is_refused(runtime: Runtime) {
    let hook = Hook::on(Host::without_handlers());
    is_refused(runtime, &hook, INCOMPATIBLE, with("/bin/app", b"#!/bin/sh\r\necho ran\r\n"));
}

fn a_program_without_its_loader_is_refused(runtime: Runtime) {
    let hook = Hook::on(Host::without_handlers());
    is_refused(runtime, &hook, INCOMPATIBLE, with("/bin/app", &dynamic()));
}

/// The host is one with an older CPU, and the container runs with this machine's.
fn a_program_for_newer_cpus_is_refused_on_an_older_one(runtime: Runtime) {
    const NAME: &str = "a program for newer CPUs";
    let is_new = fs::read_to_string("/proc/cpuinfo").is_ok_and(|it| it.contains(" avx2 "));
    if !cfg!(target_arch = "x86_64") || !is_new {
        return skip(NAME, "this CPU is none of x86-64-v3");
    }
    if Bundle::of_glibc(&[]).is_none() {
        return skip(NAME, "there is no gcc, or no GNU C library in Debian's place");
    }
    let bundle = || Bundle::of_glibc(&["-Wl,-z,x86-64-v3"]).expect("it is there");
    let hook = Hook::on(Host::with_an_older_cpu());
    let refused = bundle();
    let expected = format!(
        "oci-compat: refused: /app needs x86-64-v3; this CPU lacks AVX, AVX2, BMI1, BMI2, F16C, FMA3, LZCNT, MOVBE \
         [cpu-level-missing; oci-compat why {}]\n",
        refused.id()
    );
    assert_eq!(said(&hook, refused), (Some(INCOMPATIBLE), expected));
    is_refused(runtime, &hook, INCOMPATIBLE, bundle());
    let hook = hook.configured("implicit.program = \"off\"\n");
    let started = bundle().hook(&hook).written();
    let outcome = runtime.run(&started);
    assert_eq!((outcome.status.code(), outcome.stdout.as_str()), (Some(0), "ran\n"), "{outcome:?}");
}

/// A bundle whose container runs a file of its own.
fn with(program: &str, content: &[u8]) -> Bundle {
    let bundle = Bundle::with_a_shell().set("/process/args", json!([program]));
    let file = bundle.path().join("rootfs").join(program.trim_start_matches('/'));
    fs::write(&file, content).expect("writing a program");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("setting a mode");
    bundle
}

/// The start of a program for this machine: its headers, and the path of its loader.
fn dynamic() -> Vec<u8> {
    const LOADER: &[u8] = b"/lib/gone.so\0";
    let mut bytes = vec![0; 64 + 56];
    bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
    // elf(5): e_type, e_machine, e_phoff, e_phentsize and e_phnum; then p_type (PT_INTERP), p_offset and p_filesz.
    let machine = if cfg!(target_arch = "aarch64") { 183 } else { 62 };
    for (at, value) in [(16, 2), (18, machine), (32, 64), (54, 56), (56, 1), (64, 3), (64 + 8, 64 + 56)] {
        bytes[at] = value;
    }
    bytes[64 + 32] = u8::try_from(LOADER.len()).expect("a short path");
    [bytes.as_slice(), LOADER].concat()
}

/// What the hook says of a container, and its status.
fn said(hook: &Hook, bundle: Bundle) -> (Option<i32>, String) {
    let outcome = hook.feed(&bundle.written().state());
    (outcome.status.code(), outcome.stderr)
}

fn id_of(bundle: &Bundle) -> String {
    bundle.id().to_owned()
}

#[test]
fn the_reason_and_what_to_do_is_said() {
    let check = |content: &[u8], expected: &str| {
        let bundle = with("/app", content);
        let expected = expected.replace("ID", &id_of(&bundle));
        assert_eq!(said(&Hook::on(Host::without_handlers()), bundle), (Some(INCOMPATIBLE), expected));
    };
    let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86-64" };
    check(
        &FOREIGN,
        &format!(
            "oci-compat: refused: /app is for sh4; this host is {host}, and no binfmt handler for sh4 is enabled (try: apt \
             install qemu-user-static) [program-architecture; oci-compat why ID]\n"
        ),
    );
    check(
        b"#!/bin/bash\n",
        "oci-compat: refused: /app needs the interpreter /bin/bash, which the image lacks [program-interpreter; oci-compat why \
         ID]\n",
    );
    check(
        b"#!/bin/sh\r\n",
        "oci-compat: refused: /app needs the interpreter \"/bin/sh\\r\", which the image lacks: its line ends as on Windows (try: \
         dos2unix) [program-interpreter; oci-compat why ID]\n",
    );
}

#[test]
fn what_is_not_certain_leaves_the_container_alone() {
    let nothing = (Some(0), String::new());
    // No handlers show on this host.
    assert_eq!(said(&Hook::on(Host::plain()), with("/bin/app", &FOREIGN)), nothing);
    let strict = Hook::on(Host::plain()).configured(super::hook::STRICT);
    assert_eq!(said(&strict, with("/bin/app", &FOREIGN)), nothing);
    assert!(!strict.decisions().exists());
    // A mount hides the program.
    let mounts = json!([{"destination": "/bin", "type": "bind", "source": "/bin", "options": ["bind"]}]);
    let hidden = with("/bin/app", &FOREIGN).set("/mounts", mounts);
    assert_eq!(said(&Hook::on(Host::without_handlers()), hidden), nothing);
    let other = with("/bin/app", &FOREIGN).annotate("run.oci.handler", "wasm");
    assert_eq!(said(&Hook::on(Host::without_handlers()), other), nothing);
    for text in [&b"echo\n"[..], b"", b"\0asm\x01\0\0\0"] {
        assert_eq!(said(&Hook::on(Host::without_handlers()), with("/bin/app", text)), nothing);
    }
}

/// A thousand starts of four kinds of containers, eight at a time, on this machine as it is.
#[test]
fn a_thousand_ordinary_containers_start() {
    const STARTS: usize = 1000;
    const AT_A_TIME: usize = 8;
    under(Runtime::Runc, |runtime| {
        let hook = Hook::on(Host::without_handlers()).giving_up_after(20_000);
        let args = |args: &[&str]| Bundle::with_a_shell().set("/process/args", json!(args));
        let script = || {
            let bundle = args(&["/bin/entry"]);
            make_program(&bundle.path().join("rootfs/bin/entry"), b"#!/bin/sh\necho ran\n");
            bundle
        };
        let mut kinds = vec![
            args(&["/bin/sh", "-c", "echo ran"]),
            args(&["sh", "-c", "echo ran"]).set("/process/env", json!(["PATH=/usr/bin:/bin"])),
            script(),
        ];
        kinds.extend(Bundle::of_glibc(&[]));
        let kinds: Vec<_> = kinds.into_iter().map(|it| it.hook(&hook).written()).collect();
        let start = |number: usize| {
            let bundle = &kinds[number % kinds.len()];
            let id = format!("{}-{number}", bundle.id());
            let outcome = run(runtime.command(bundle).args(["run", "--bundle"]).arg(bundle.path()).arg(id));
            let started = (outcome.status.code(), outcome.stdout.as_str(), outcome.stderr.as_str());
            assert_eq!(started, (Some(0), "ran\n", ""), "{number}");
        };
        thread::scope(|scope| {
            for first in 0..AT_A_TIME {
                scope.spawn(move || (first..STARTS).step_by(AT_A_TIME).for_each(start));
            }
        });
        assert!(!hook.decisions().exists() && !hook.reports().exists());
    });
}

impl Bundle {
    /// One whose program needs the GNU C library, where this machine has one, and a compiler.
    fn of_glibc(options: &[&str]) -> Option<Self> {
        let files = ["/lib64/ld-linux-x86-64.so.2", "/lib/x86_64-linux-gnu/libc.so.6"];
        if installed("gcc").is_none() || !files.iter().all(|it| Path::new(it).exists()) {
            return None;
        }
        let bundle = Self::with_a_shell().set("/process/args", json!(["/app"]));
        let rootfs = bundle.path().join("rootfs");
        fs::write(rootfs.join("app.c"), SAYS_RAN).expect("writing a source");
        let paths = [rootfs.join("app"), rootfs.join("app.c")];
        succeed(Command::new("gcc").args(options).arg("-o").args(paths));
        let folder = rootfs.join("lib/x86_64-linux-gnu");
        for made in [&folder, &rootfs.join("lib64")] {
            fs::create_dir_all(made).expect("making a folder");
        }
        for (file, name) in files.iter().zip(["ld.so", "libc.so.6"]) {
            copy_program(Path::new(file), &folder.join(name));
        }
        let loader = rootfs.join("lib64/ld-linux-x86-64.so.2");
        symlink("../lib/x86_64-linux-gnu/ld.so", loader).expect("linking the loader");
        Some(bundle)
    }
}

#[test]
fn the_policy_may_warn_or_look_away() {
    let off = Hook::on(Host::without_handlers()).configured("implicit.program = \"off\"\n");
    assert_eq!(said(&off, with("/bin/app", &FOREIGN)), (Some(0), String::new()));
    let warn = Hook::on(Host::without_handlers()).configured("implicit.program = \"warn\"\n");
    let bundle = with("/bin/app", b"#!/bin/bash\n");
    let expected = format!(
        "oci-compat: note: started without what is recommended: /bin/app needs the interpreter /bin/bash, which the image lacks \
         [program-interpreter; oci-compat why {}]\n",
        bundle.id()
    );
    assert_eq!(said(&warn, bundle), (Some(0), expected));
    let waiver =
        "[[waiver]]\ncode = \"program-interpreter\"\nimage = \"*\"\nreason = \"r\"\nexpires = \"never\"\n";
    let waived = Hook::on(Host::without_handlers()).configured(waiver);
    let (status, text) = said(&waived, with("/bin/app", b"#!/bin/bash\n"));
    assert_eq!(status, Some(0));
    assert!(
        text.starts_with("oci-compat: warning: started by waiver: /bin/app needs the interpreter /bin/bash"),
        "{text}"
    );
}

/// Every program of this machine, as if it was that of a container.
#[test]
fn programs_that_run_demand_nothing_that_is_not_so() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut count = 0;
    let programs =
        ["/usr/bin", "/usr/sbin"].into_iter().flat_map(|it| fs::read_dir(it).into_iter().flatten());
    for program in programs.map(|it| it.expect("an entry").path()) {
        let config = json!({"root": {"path": "/"}, "process": {"args": [program], "cwd": "/", "env": []}});
        fs::write(folder.path().join("config.json"), config.to_string()).expect("writing config.json");
        let bundle = input::Bundle::read(folder.path()).expect("a bundle");
        let until = || Instant::now() + Duration::from_secs(60);
        let found = program::look(folder.path(), &bundle, &until).map(|it| it.demands).unwrap_or_default();
        for demand in found {
            match demand {
                ProgramDemand::Interpreter { missing, .. } => {
                    assert!(!Path::new(&missing).exists(), "{program:?}: {missing}")
                }
                // A distribution may be built for a level, which its machines have.
                ProgramDemand::Level { .. } => {}
                ProgramDemand::Pages { .. } | ProgramDemand::Scripts { .. } => {
                    panic!("{program:?}: {demand:?}")
                }
                ProgramDemand::Machine { machine, .. } => assert_eq!(machine, "i386", "{program:?}"),
            }
        }
        count += 1;
    }
    assert!(count > 100, "{count} programs");
}
