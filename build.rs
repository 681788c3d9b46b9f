//! Leaves the unwind tables out of the hook and the wrapper that are installed: a tenth of them, which nothing reads. And
//! notes from which commit the programs are built.

#![expect(clippy::disallowed_methods, reason = "that is how cargo talks to a build script")]

use std::process::Command;

fn main() {
    println!("cargo::rustc-env=OCI_COMPAT_VERSION={} ({})", env!("CARGO_PKG_VERSION"), commit());
    const SCRIPT: &str = "hooks/no-unwinding.ld";
    println!("cargo::rerun-if-changed={SCRIPT}");
    // The linker reads it (.cargo/config.toml).
    println!("cargo::rerun-if-changed=hooks/order.txt");
    let variable = |name| std::env::var(name).unwrap_or_default();
    println!("cargo::rerun-if-env-changed=OCI_COMPAT_SYMBOLS");
    if variable("PROFILE") != "release" {
        return;
    }
    // Not by the profile: a program with symbols would get other ones then, and `hooks/order.txt` would name none of it.
    if variable("OCI_COMPAT_SYMBOLS").is_empty() {
        println!("cargo::rustc-link-arg-bins=-s");
    }
    // A program for glibc is linked by the C compiler, which does not take these.
    if variable("CARGO_CFG_TARGET_ENV") == "musl" {
        let script = format!("{}/{SCRIPT}", variable("CARGO_MANIFEST_DIR"));
        for program in ["oci-compat-hook", "oci-compat-runtime"] {
            println!("cargo::rustc-link-arg-bin={program}=--no-eh-frame-hdr");
            println!("cargo::rustc-link-arg-bin={program}=-T{script}");
        }
    }
}

/// The commit: the one that is named, as by who packs an archive without a repository, or that of the repository.
fn commit() -> String {
    println!("cargo::rerun-if-env-changed=OCI_COMPAT_COMMIT");
    if let Ok(named) = std::env::var("OCI_COMPAT_COMMIT") {
        return format!("commit {named}");
    }
    let folder = env!("CARGO_MANIFEST_DIR");
    // An archive that was unpacked within another repository has none of its own.
    if std::fs::symlink_metadata(format!("{folder}/.git")).is_ok()
        && let Some(commit) = git(folder, &["rev-parse", "--short=12", "HEAD"])
    {
        // It has a new line with every commit.
        let log = git(folder, &["rev-parse", "--path-format=absolute", "--git-path", "logs/HEAD"]);
        println!("cargo::rerun-if-changed={}", log.as_deref().unwrap_or(".git/HEAD"));
        return format!("commit {commit}");
    }
    "commit unknown: built without git".to_owned()
}

/// What git says, in one line.
fn git(folder: &str, args: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(args).output().ok()?;
    let said = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| said.trim().to_owned())
}
