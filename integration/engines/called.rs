//! An image is meant by whatever its engine calls it: `check`, `store add`, `why`, `log`, requirements and waivers.

use super::demands::{CONFIGURATION, STORE, demand_too_much, require, unfit, without_refusal};
use super::life::{self, CTR, DOCKER, PODMAN};
use super::machine::Machine;
use super::registry::{Digests, IMAGE};
use super::{containerd, cri, docker};

/// How the one who is asked says which image was taken.
fn taken(called: &str, engine: &str, digest: &str) -> String {
    format!("note: {called:?} is {engine}'s image {IMAGE} ({digest})\n")
}

/// An image that is refused, by all that its engine calls it. `manifests` are names of its manifest, all others are taken at
/// the digest by which it was pulled.
fn check(machine: &Machine, digests: &Digests, engine: &str, ids: &[&str], run: &[&str]) {
    machine.write("/root/spec.yaml", &unfit());
    let whole = format!("{IMAGE}@{}", digests.index);
    for called in [&[IMAGE, &digests.index, &whole], ids].concat() {
        machine.succeed("rm", &["-rf", STORE]);
        let added = machine.run("oci-compat", &["store", "add", "/root/spec.yaml", "--subject", called]);
        assert!(added.stdout.ends_with(&format!(" for image {}\n", digests.index)), "{called}: {added:?}");
        assert_eq!(added.stderr, taken(called, engine, &digests.index));
        let checked = machine.run("oci-compat", &["check", called]);
        let head = format!("incompatible: image {IMAGE}, {}\n  os-release ID is fresh", digests.manifest);
        assert!(
            checked.status.code() == Some(1) && checked.stdout.starts_with(&head),
            "{called}: {checked:?}"
        );
        assert_eq!(checked.stderr, taken(called, engine, &digests.index));
    }
    // By its index or its manifest, wherever something is attached.
    demand_too_much(machine, &digests.manifest);
    assert_eq!(machine.run("oci-compat", &["check", IMAGE]).status.code(), Some(1));
    let (program, args) = run.split_first().expect("a command");
    let outcome = machine.run(program, args);
    let (_, id) = without_refusal(&outcome.stderr);
    for called in [&[IMAGE], ids].concat() {
        let why = machine.succeed("oci-compat", &["why", called]);
        assert!(why.contains(&format!("container {id}")), "{called}: {why}");
        let log = machine.succeed("oci-compat", &["log", "--image", called]);
        assert!(log.contains("os-release ID is fresh") && log.contains("\n1 decision"), "{called}: {log}");
    }
    let none = machine.succeed("oci-compat", &["log", "--image", "abcdabcd"]);
    assert_eq!(none, "no decisions\n");
}

/// The whole ID stands for the image in requirements and in waivers, as its name does.
fn grants(machine: &Machine, id: &str, run: &[&str]) {
    let (program, args) = run.split_first().expect("a command");
    machine.succeed("rm", &["-rf", STORE]);
    require(machine, id);
    without_refusal(&machine.run(program, args).stderr);
    let waiver = format!(
        "[[waiver]]\nrule = \"*\"\nimage = {id:?}\nreason = \"the lab knows\"\nexpires = \"never\"\n"
    );
    machine.write(CONFIGURATION, &waiver);
    let started = machine.run(program, args);
    assert!(started.status.success(), "{started:?}");
}

#[test]
fn docker_s_images_are_known_by_what_docker_calls_them() {
    let Some((machine, digests)) = life::with_docker() else { return };
    let id = machine.succeed("docker", &["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    let id = id.trim_end();
    let short = machine.succeed("docker", &["images", "--quiet", IMAGE]);
    check(&machine, &digests, "docker", &[id, short.trim_end()], &DOCKER);
    machine
        .succeed("sh", &["-c", &format!("docker create --name from {IMAGE} && docker commit from built:1")]);
    let built = machine.succeed("docker", &["image", "inspect", "--format", "{{.Id}}", "built:1"]);
    let built = built.trim_end();
    // In containerd, what is built here has a digest, too.
    let without_digest = if docker::is_in_containerd(&machine) { &[][..] } else { &[built, "built:1"] };
    for called in without_digest {
        let refused = machine.run("oci-compat", &["store", "add", "/root/spec.yaml", "--subject", called]);
        let expected = format!(
            "note: {called:?} is docker's image built:1 ({built})\nerror: --subject {called:?}: docker's image built:1 ({built}) \
             was built or loaded here, and has no manifest's digest that an artifact could be attached to: demand it with a \
             file in requirements.d with images = [\"built:1\"], or push the image and pull it\n"
        );
        assert_eq!((refused.status.code(), refused.stderr), (Some(2), expected));
    }
    let nobody = machine.run("oci-compat", &["store", "add", "/root/spec.yaml", "--subject", "ffffffff"]);
    assert_eq!(
        nobody.stderr,
        "error: --subject \"ffffffff\": no engine here has an image \"ffffffff\": write the digest of its manifest or index, \
         sha256: and 64 digits\n"
    );
    grants(&machine, built, &[&DOCKER[..5], &["built:1"]].concat());
}

#[test]
fn podman_s_images_are_known_by_what_podman_calls_them() {
    let Some((machine, digests)) = life::with_podman() else { return };
    let id = machine.succeed("podman", &["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    let id = id.trim_end();
    check(&machine, &digests, "podman", &[id, id.get(..12).expect("digits")], &PODMAN);
    grants(&machine, &format!("sha256:{id}"), &PODMAN);
}

#[test]
fn containerd_s_images_are_known_by_what_kubernetes_and_ctr_call_them() {
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    cri::pull(&machine, IMAGE);
    let names = containerd::ctr(&machine, "k8s.io", &["images", "list", "--quiet"]);
    let config = machine.succeed(
        "sh",
        &["-c", &format!("skopeo inspect --raw --config --tls-verify=false docker://{IMAGE} | sha256sum")],
    );
    let id = format!("sha256:{}", config.split(' ').next().expect("a digest"));
    assert!(names.contains(&id), "{names}");
    let short = digests.index.get(7..19).expect("digits");
    check(&machine, &digests, "containerd", &[&id, id.get(7..20).expect("digits"), short], &CTR);
}
