//! `verifier`, as containerd calls it, against a registry that plays every part.

use std::thread;
use std::time::{Duration, Instant};

use oci_compat::store::Digest;
use oci_compat::supply::registry::IMAGE_MANIFEST;
use tempfile::TempDir;

use super::pull::{artifact, stocked};
use super::{SPEC, folder, write};
use crate::command::{Ran, oci_compat};
use crate::registry::fake::{Fake, Play, manifest};

const NEW: &str = "2026-02-01T00:00:00Z";
/// Nothing of a test is recorded on its machine.
const QUIET: &str = "[log]\ndecisions = false\njournal = false\nsyslog = false\n";

/// No kernel is as old as that.
fn unfit() -> String {
    SPEC.replace("[5]", "[1]")
}

fn verify(folder: &TempDir, config: &str, words: &[&str]) -> Ran {
    write(folder, "config.toml", &format!("{config}{QUIET}"));
    let line = ["verifier", "--config", "config.toml", "--store", "store", "--"];
    oci_compat(folder.path(), &[&line[..], words].concat())
}

/// As containerd calls it for `acme/upf:1`.
fn asked(folder: &TempDir, fake: &Fake, image: &Digest, config: &str) -> Ran {
    let (name, digest) = (format!("{}/acme/upf:1", fake.name()), image.to_string());
    verify(
        folder,
        config,
        &["-name", &name, "-digest", &digest, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"],
    )
}

fn is_let_through(ran: &Ran) -> bool {
    (ran.status, ran.stdout.as_str()) == (0, "")
}

#[test]
fn what_does_not_fit_is_refused_with_the_reason_and_its_artifact_is_stored() {
    let (fake, image) = stocked();
    let artifact = artifact(&fake, &image, &unfit(), NEW);
    let folder = folder();
    let ran = asked(&folder, &fake, &image, "");
    assert_eq!((ran.status, ran.stderr.as_str()), (1, ""));
    let start = "oci-compat: refused: kernel version major is ";
    assert!(ran.stdout.starts_with(start) && ran.stdout.ends_with(", needs 1 [kernel-version]\n"), "{ran:?}");
    assert!(super::pull::listed(&folder)[0].starts_with(&artifact.to_string()));
    assert_eq!(asked(&folder, &fake, &image, ""), ran, "the same text each time");
    for config in ["mode = \"audit\"\n", "mode = \"off\"\n"] {
        let ran = asked(&folder, &fake, &image, config);
        assert!(is_let_through(&ran), "{ran:?}");
    }
}

#[test]
fn what_demands_nothing_or_is_met_is_let_through_without_a_word() {
    let (fake, image) = stocked();
    let silent = Ran { status: 0, stdout: String::new(), stderr: String::new() };
    let folder = folder();
    assert_eq!(asked(&folder, &fake, &image, ""), silent);
    artifact(&fake, &image, "version: v1alpha1\ncompatibilities: [{rules: [{name: r}]}]\n", NEW);
    assert_eq!(asked(&folder, &fake, &image, ""), silent);
}

#[test]
fn a_call_that_is_not_understood_stops_nothing() {
    let folder = folder();
    let ran = verify(&folder, "", &["-name", "acme/upf:1"]);
    let expected = "oci-compat: warning: there is no -digest: this is called by containerd alone\n";
    assert_eq!(ran, Ran { status: 0, stdout: String::new(), stderr: expected.to_owned() });
}

/// containerd fails the pull after ten seconds.
#[test]
fn a_registry_that_never_answers_is_not_waited_for() {
    let slow = |_: &crate::registry::server::Request| {
        thread::sleep(Duration::from_secs(15));
        None
    };
    let fake = Fake::start_with(Play { lists_referrers: true, ..Play::default() }, slow);
    let image = fake.put("acme/upf", Some("1"), IMAGE_MANIFEST, &manifest("an/image", None, 1));
    let folder = folder();
    let since = Instant::now();
    let ran = asked(&folder, &fake, &image, "");
    assert!(
        is_let_through(&ran) && since.elapsed() < Duration::from_secs(9),
        "{:?}: {ran:?}",
        since.elapsed()
    );
    let ran = asked(&folder, &fake, &image, "[action]\ntrouble = \"refuse\"\n");
    assert!(ran.status == 1 && ran.stdout.starts_with("oci-compat: refused: registry "), "{ran:?}");
}
