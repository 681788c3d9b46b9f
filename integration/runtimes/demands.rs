//! What the program of a container demands without a spec: containers that cannot run are refused with their reason, and those
//! that can are left alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, Instant};

use oci_compat::container::input;
use oci_compat::program::{self, ProgramDemand};
use serde_json::json;

use super::bundle::Bundle;
use super::hook::{Hook, INCOMPATIBLE};
use super::host::Host;
use super::runtime::Runtime;
use super::started::{is_refused, under, under_each_runtime};

/// A machine that no test runs on: SuperH.
const FOREIGN: [u8; 20] = [0x7f, b'E', b'L', b'F', 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 42, 0];

under_each_runtime! {
    a_program_for_another_machine_is_refused,
    a_script_from_windows_is_refused,
    a_program_without_its_loader_is_refused,
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
                ProgramDemand::Pages { .. } => panic!("{program:?}: {demand:?}"),
                ProgramDemand::Machine { machine, .. } => assert_eq!(machine, "i386", "{program:?}"),
            }
        }
        count += 1;
    }
    assert!(count > 100, "{count} programs");
}
