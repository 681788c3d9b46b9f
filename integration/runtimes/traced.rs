//! What the hook asks of the kernel, and what it is: one process without threads, sockets or children, in one file.

use std::fs;

use serde_json::json;

use super::bundle::Bundle;
use super::hook::Hook;
use super::host::Host;
use super::program::ours;
use super::runtime::skip;

const IMAGE: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const ONE_RULE: &str = "version: v1alpha1
compatibilities:
- rules:
  - name: kernel
    matchFeatures:
    - feature: kernel.version
      matchExpressions:
        major: {op: Ge, value: [\"3\"]}
";
const TWELVE_RULES: &str = include_str!("../bench/twelve.yaml");
/// Threads, children, other programs, sockets, and all that writes.
const FORBIDDEN: [&str; 21] = [
    "write",
    "clone",
    "clone3",
    "fork",
    "vfork",
    "execve",
    "execveat",
    "socket",
    "connect",
    "sendto",
    "sendmsg",
    "mkdir",
    "mkdirat",
    "unlink",
    "unlinkat",
    "rename",
    "renameat2",
    "link",
    "symlink",
    "chmod",
    "ptrace",
];

#[test]
fn a_start_without_requirements_reads_its_input_and_nothing_else() {
    let hook = Hook::on(Host::plain());
    let bundle = Bundle::hollow().written();
    let Some(calls) = trace(&hook, &bundle) else { return };
    let opened: Vec<_> = calls.iter().filter(|it| it.starts_with("open")).map(|it| path_of(it)).collect();
    let config = bundle.path().join("config.json").display().to_string();
    // The owner and the mode of the configuration's folder count, so the folder is looked at.
    let folder = opened.first().copied().unwrap_or_default().to_owned();
    assert!(opened.iter().any(|it| **it == *format!("{folder}/config.toml")), "{opened:?}");
    let expected = [&folder, "config.toml.d", "config.toml", &config, "store", "requirements.d", "rootfs"];
    assert_eq!(opened.len(), expected.len(), "{opened:?}");
    assert!(opened.iter().zip(expected).all(|(opened, expected)| opened.ends_with(expected)), "{opened:?}");
}

#[test]
fn of_a_static_program_the_start_is_read_and_nothing_else() {
    let hook = Hook::on(Host::plain());
    let bundle = Bundle::with_a_shell().written();
    let Some(calls) = trace(&hook, &bundle) else { return };
    let looked = calls.iter().skip_while(|it| !it.contains("/rootfs\""));
    let names: Vec<_> = looked.filter_map(|it| it.split('(').next()).collect();
    // C libraries call some by another name. Whether a descriptor is open is asked in debug builds only, and musl sets a flag
    // twice.
    let named = |it| match it {
        "newfstatat" => "fstat",
        "openat" => "open",
        it => it,
    };
    let names: Vec<_> = names.into_iter().filter(|it| *it != "fcntl").map(named).collect();
    let expected =
        ["openat2", "openat2", "fstat", "open", "pread64", "close", "close", "close", "exit_group"];
    assert_eq!(names.get(..expected.len()), Some(&expected[..]), "{calls:#?}");
}

#[test]
fn a_check_from_the_store_is_one_process_that_only_reads() {
    // Whatever processor the machine has: the flags are looked at, and demanded of none.
    let twelve = ["AVX2", "FMA3", "X86_64_V2"].iter().fold(TWELVE_RULES.to_owned(), |spec, flag| {
        spec.replace(&format!("{flag}: {{op: Exists}}"), &format!("{flag}: {{op: \"\"}}"))
    });
    for spec in [ONE_RULE, &twelve] {
        let hook = Hook::on(Host::capable());
        hook.store_spec(spec, IMAGE);
        let bundle = Bundle::hollow().written();
        let walk = json!({"from_descriptor_path": {"descriptor_walk": [{"digest": IMAGE}]}});
        fs::write(bundle.path().join("umoci.json"), walk.to_string()).expect("writing umoci.json");
        let Some(calls) = trace(&hook, &bundle) else { return };
        assert!(calls.iter().any(|it| it.contains("/compiled/") || it.contains("\"compiled/")), "{calls:#?}");
    }
}

#[test]
fn hook_and_wrapper_are_small_static_programs() {
    if cfg!(debug_assertions) && std::env::var_os("OCI_COMPAT_BIN").is_none() {
        return skip("the size of the hook", "this is a debug build (set OCI_COMPAT_BIN, as make does)");
    }
    for name in ["oci-compat-hook", "oci-compat-runtime"] {
        let program = fs::read(ours(name)).expect("reading a program");
        assert!(program.len() <= 2_700_000, "{name} has {} bytes", program.len());
        // ELF-64 (elf(5)): e_phoff at 32, e_phentsize and e_phnum at 54; a program header starts with its type.
        let number = |at: usize, size: usize| {
            program[at..at + size].iter().rev().fold(0_usize, |number, byte| number << 8 | usize::from(*byte))
        };
        let headers = (0..number(56, 2)).map(|it| number(number(32, 8) + it * number(54, 2), 4));
        let interpreter = 3;
        assert!(!headers.into_iter().any(|it| it == interpreter), "{name} asks for a dynamic loader");
    }
}

#[test]
fn an_error_is_printed_even_with_backtraces_on() {
    let mut hook = std::process::Command::new(ours("oci-compat-hook"));
    hook.envs([("RUST_BACKTRACE", "full"), ("RUST_LIB_BACKTRACE", "1")]);
    let ran = hook.arg("--no-such-option").output().expect("running the hook");
    let expected =
        "oci-compat: warning: there is no option \"--no-such-option\"; see oci-compat-hook --help\n";
    assert_eq!((ran.status.code(), String::from_utf8_lossy(&ran.stderr).as_ref()), (Some(0), expected));
}

/// The system calls from its first line to its last, each checked; `None`, said aloud, without strace.
fn trace(hook: &Hook, bundle: &Bundle) -> Option<Vec<String>> {
    let state =
        json!({"ociVersion": "1.0.2", "id": bundle.id(), "status": "creating", "bundle": bundle.path()});
    let Some((outcome, log)) = hook.traced(&state.to_string()) else {
        skip("strace", "not installed, so no system call of the hook is seen (run integration/setup test)");
        return None;
    };
    assert_eq!((outcome.status.code(), outcome.stderr.as_str()), (Some(0), ""), "{log}");
    // Each line starts with the process; the first call is the execve by which strace started it.
    let calls: Vec<_> =
        log.lines().filter_map(|it| Some(it.split_once(' ')?.1.trim_start().to_owned())).collect();
    let processes: std::collections::BTreeSet<_> =
        log.lines().filter_map(|it| it.split(' ').next()).collect();
    assert_eq!(processes.len(), 1, "{log}");
    for call in calls.iter().skip(1) {
        let name = call.split('(').next().unwrap_or("");
        assert!(!FORBIDDEN.contains(&name), "{call}");
    }
    Some(calls)
}

fn path_of(call: &str) -> &str {
    call.split('"').nth(1).unwrap_or("")
}
