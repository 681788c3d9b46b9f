//! containerd's image verifier, with which containerd 2 and later refuse to pull what cannot run here.

use super::containerd::{self, ctr};
use super::cri;
use super::demands::{demand_too_much, require};
use super::life::{attach, disconnect};
use super::machine::Machine;
use super::registry::{Digests, IMAGE, PAUSE};
use crate::runtimes::runtime::skip;

const FOLDER: &str = "/var/lib/verifiers";
const VERIFIER: &str = "/var/lib/verifiers/oci-compat-verifier";
const REFUSED: &str = "oci-compat: refused: os-release ID is fresh, needs other [os-release]\n";

/// A machine on which containerd has the images, and asks the verifier from now on.
fn started() -> Option<(Machine, Digests)> {
    let configuration = format!(
        "{}\n[plugins.\"io.containerd.image-verifier.v1.bindir\"]\n  bin_dir = \"{FOLDER}\"\n",
        containerd::PLAIN
    );
    let install = |machine: &Machine| {
        drop(machine.succeed("oci-compat", &["install", "containerd", "--verifier"]));
    };
    let (machine, digests) = containerd::furnished(&configuration, install)?;
    let version = machine.succeed("containerd", &["--version"]);
    let is_old = version.split(' ').nth(2).is_some_and(|it| it.starts_with("1.") || it.starts_with("v1."));
    if is_old {
        skip("containerd's image verifier", &format!("{} has none by default", version.trim_end()));
        return None;
    }
    Some((machine, digests))
}

/// What containerd says of an image that the verifier refused.
fn blocked(digests: &Digests) -> String {
    format!(
        "image verifier bindir blocked pull of {IMAGE} with digest {} for reason: verifier oci-compat-verifier rejected image (exit \
         code 1): {REFUSED}",
        digests.index
    )
}

/// As containerd calls it.
fn verify(machine: &Machine, image: &str, digest: &str) -> (Option<i32>, String) {
    let words =
        ["-name", image, "-digest", digest, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"];
    let outcome = machine.run(VERIFIER, &words);
    (outcome.status.code(), outcome.stdout)
}

/// Otherwise a broken file could stop every pod of the node: the one that names the sandbox's image.
#[test]
fn under_a_configuration_that_cannot_be_read_nothing_is_refused() {
    let Some(machine) = Machine::with("containerd", &["containerd"]) else { return };
    require(&machine, "*");
    let digest = format!("sha256:{}", "1".repeat(64));
    let words = ["verifier", "--", "-name", "127.0.0.1:5000/acme/upf:1", "-digest", &digest];
    let verify = || machine.run("oci-compat", &words);
    let refused = verify();
    let known = REFUSED.trim_end_matches("]\n");
    assert!(refused.status.code() == Some(1) && refused.stdout.starts_with(known), "{refused:?}");
    machine.write("/etc/containerd/config.toml", "version = [\n");
    let pulled = verify();
    assert_eq!((pulled.status.code(), pulled.stdout.as_str()), (Some(0), ""));
    let reason = "so the image of pods' sandboxes is not known, and nothing is refused [trouble]\n";
    let start = "oci-compat: warning: /etc/containerd/config.toml";
    assert!(pulled.stderr.starts_with(start) && pulled.stderr.ends_with(reason), "{pulled:?}");
}

#[test]
fn containerd_does_not_pull_what_cannot_run_here() {
    let Some((machine, digests)) = started() else { return };
    attach(&machine, IMAGE, &digests.index, &[]);
    let mut said = Vec::new();
    for _ in 0..2 {
        let pulled = machine.run("ctr", &["images", "pull", "--plain-http", IMAGE]);
        assert!(
            !pulled.status.success() && pulled.stderr.contains(blocked(&digests).trim_end()),
            "{pulled:?}"
        );
        let refusal = cri::try_pull(&machine, IMAGE).expect_err("a refusal");
        assert!(refusal.message.contains(blocked(&digests).trim_end()), "{refusal:?}");
        said.push(refusal.message);
    }
    assert_eq!(said[0], said[1], "Kubernetes folds equal events");
    // What was fetched on that occasion is there for the hook and the wrapper.
    let listed = machine.succeed("oci-compat", &["list", IMAGE]);
    assert!(listed.starts_with(&digests.index), "{listed}");
    let logged = machine.succeed("oci-compat", &["log", "--format", "json"]);
    assert!(logged.contains("\"program\":\"verifier\"") && logged.contains(IMAGE), "{logged}");
    machine.write("/etc/oci-compat/config.toml", "mode = \"audit\"\n");
    ctr(&machine, "default", &["images", "pull", "--plain-http", IMAGE]);
    cri::pull(&machine, IMAGE);
}

/// Else no pod of the node would start.
#[test]
fn a_sandbox_s_image_is_pulled_whatever_is_demanded_of_every_image() {
    let Some((machine, digests)) = started() else { return };
    require(&machine, "*");
    assert!(cri::try_pull(&machine, IMAGE).is_err(), "it is demanded of every image");
    cri::pull(&machine, PAUSE);
    assert_eq!(
        verify(&machine, &containerd::sandbox_image(&machine), &digests.index),
        (Some(0), String::new())
    );
}

#[test]
fn what_cannot_be_found_out_is_pulled_and_what_is_known_already_is_not() {
    let Some((machine, digests)) = started() else { return };
    disconnect(&machine);
    assert_eq!(verify(&machine, IMAGE, &digests.index), (Some(0), String::new()));
    machine.write("/etc/oci-compat/config.toml", "[action]\ntrouble = \"refuse\"\n");
    let (status, stdout) = verify(&machine, IMAGE, &digests.index);
    assert!(
        status == Some(1) && stdout.starts_with("oci-compat: refused: registry 127.0.0.1:5000: "),
        "{stdout}"
    );
    machine.succeed("rm", &["/etc/oci-compat/config.toml"]);
    demand_too_much(&machine, &digests.index);
    let (status, stdout) = verify(&machine, IMAGE, &digests.index);
    assert!(
        status == Some(1) && stdout.starts_with("oci-compat: refused: os-release ID is fresh"),
        "{stdout}"
    );
}

/// A package that is removed without `uninstall` leaves the script behind.
#[test]
fn without_its_program_the_verifier_stops_nothing() {
    let Some((machine, digests)) = started() else { return };
    attach(&machine, IMAGE, &digests.index, &[]);
    assert_eq!(verify(&machine, IMAGE, &digests.index).0, Some(1));
    machine.succeed("mv", &["/usr/local/bin/oci-compat", "/usr/local/bin/away"]);
    ctr(&machine, "default", &["images", "pull", "--plain-http", IMAGE]);
    machine.succeed("mv", &["/usr/local/bin/away", "/usr/local/bin/oci-compat"]);
    assert_eq!(machine.succeed("oci-compat", &["uninstall"]), format!("{VERIFIER}: removed\n"));
    ctr(&machine, "default", &["images", "pull", "--plain-http", IMAGE]);
}
