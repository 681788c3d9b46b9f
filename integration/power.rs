//! The store after its writer was killed, as by a power cut, at every system call that writes: each time it verifies, and a
//! look-up finds the old or the new.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use oci_compat::spec::compiled;
use oci_compat::store::{Digest, Store};

use crate::command::{in_folder, oci_compat, program};
use crate::runtimes::runtime::skip;

/// All by which the store is written, and the lock taken.
const CALLS: [&str; 9] =
    ["openat", "write", "fchmod", "fsync", "syncfs", "renameat", "mkdirat", "unlinkat", "flock"];
/// Fewer would mean that the calls above are not those that the store makes.
const LEAST: usize = 200;

#[test]
fn a_store_whose_writer_is_killed_has_the_old_or_the_new() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return skip(
            "strace",
            "not installed, so no writer of the store is killed (run integration/setup test)",
        );
    }
    let add = "store add new.yaml --subject IMAGE --created 2026-02-01T00:00:00Z";
    let points = check(&[], add)
        + check(&[OLD], add)
        + check(&[OLD, add], "store gc --superseded")
        + check(&[OLD], "remove IMAGE")
        + check(&[OLD], "store import many.tar");
    assert!(points >= LEAST, "only {points} points");
}

const OLD: &str = "store add old.yaml --subject IMAGE --created 2026-01-01T00:00:00Z";

/// Kills the last command at each of its calls; returns how many there were.
fn check(before: &[&str], line: &str) -> usize {
    let place = Place::new();
    before.iter().for_each(|it| place.run(it));
    place.save();
    let old = place.found();
    place.run(line);
    let new = place.found();
    let mut points = 0;
    for call in CALLS {
        for nth in 1.. {
            place.restore();
            if !place.killed(line, call, nth) {
                break;
            }
            points += 1;
            let at = format!("{line}, killed at {call} number {nth}");
            assert_eq!(place.flaws(), BTreeSet::new(), "{at}");
            let found = place.found();
            let is_between = |it: &(Digest, Vec<Digest>)| old.contains(it) || new.contains(it);
            let is_whole = if line.contains("import") {
                found.iter().all(is_between)
            } else {
                found == old || found == new
            };
            assert!(is_whole, "{at}: {found:?}");
            place.run_again(line);
            assert_eq!(
                (place.found(), place.flaws()),
                (new.clone(), BTreeSet::new()),
                "{at}, and then once more"
            );
        }
    }
    points
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        for name in ["old", "new"] {
            let spec = format!(
                "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: {name}\n    matchFeatures:\n    - feature: cpu.cpuid\n"
            );
            fs::write(place.path().join(format!("{name}.yaml")), spec).expect("writing a spec");
        }
        for number in 0..12 {
            let subject = Digest::of(&[number]);
            place.run(&format!("store add new.yaml --store many --subject {subject}"));
        }
        place.run("store export many.tar --store many");
        place
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn words(line: &str) -> Vec<String> {
        let line = line.replace("IMAGE", &Digest::of(b"image").to_string());
        let mut words: Vec<_> = line.split(' ').map(str::to_owned).collect();
        if !line.contains("--store") {
            words.extend(["--store".to_owned(), "store".to_owned()]);
        }
        words
    }

    fn run(&self, line: &str) {
        let ran = oci_compat(self.path(), &Self::words(line).iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{line}: {}", ran.stdout);
    }

    /// To remove what is removed already is the only thing that goes wrong the second time.
    fn run_again(&self, line: &str) {
        let ran = oci_compat(self.path(), &Self::words(line).iter().map(String::as_str).collect::<Vec<_>>());
        assert!(ran.status == 0 || line.starts_with("remove"), "{line}: {}", ran.stderr);
    }

    /// Whether the command made that many such calls; it is killed before the last one does anything.
    fn killed(&self, line: &str, call: &str, nth: usize) -> bool {
        let mut strace = in_folder(Path::new("strace"), self.path());
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        strace.args(["-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
        let status = strace.arg(program()).args(Self::words(line)).stdout(Stdio::null()).status();
        !status.expect("running strace").success()
    }

    fn save(&self) {
        copy(&self.path().join("store"), &self.path().join("saved"));
    }

    fn restore(&self) {
        copy(&self.path().join("saved"), &self.path().join("store"));
    }

    fn store(&self) -> Option<Store> {
        Store::open(&self.path().join("store")).expect("a store that can be read")
    }

    fn flaws(&self) -> BTreeSet<String> {
        self.store().map(|it| it.verify(compiled::FORMAT).flaws).unwrap_or_default()
    }

    /// What look-ups find, image by image, with every spec read.
    fn found(&self) -> Vec<(Digest, Vec<Digest>)> {
        let Some(store) = self.store() else { return Vec::new() };
        let artifacts = |subject: Digest| {
            let artifacts = store.artifacts(&subject).expect("a list");
            let manifests = artifacts.iter().map(|it| {
                store.spec(it, compiled::FORMAT).expect("its spec");
                it.manifest
            });
            (subject, manifests.collect())
        };
        store.subjects().expect("the images").into_iter().map(artifacts).collect()
    }
}

/// Replaces a folder by a copy of another, which need not be there.
fn copy(from: &Path, to: &Path) {
    if to.exists() {
        fs::remove_dir_all(to).expect("removing a folder");
    }
    if from.exists() {
        let status = Command::new("cp").arg("-a").args([from, to]).status();
        assert!(status.expect("running cp").success());
    }
}
