//! What `docs/engines.md` tells users to type, typed on a fresh machine: each engine answers as the page says, and in the end
//! the machine is as it was.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::demands::without_noise;
use super::machine::{Machine, without_age};
use super::registry::IMAGE;
use super::{containerd, docker, podman, registry};

/// The image of the page.
const ANY_IMAGE: &str = "registry.example/acme/upf:1";

/// What the page's image demands.
const SPEC: &str = "\
version: v1alpha1
compatibilities:
- rules:
  - name: tunnel module
    matchFeatures:
    - feature: kernel.loadedmodule
      matchExpressions:
        gtp5g: {op: Exists}
";

#[test]
fn docker_answers_as_its_page_says() {
    let Some((machine, digests)) = docker::plain() else { return };
    check("docker", &machine, &digests.index);
}

#[test]
fn containerd_answers_as_its_page_says() {
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    check("containerd", &machine, &digests.index);
}

#[test]
fn podman_answers_as_its_page_says() {
    let Some((machine, digests)) = podman::plain() else { return };
    check("podman", &machine, &digests.index);
}

#[test]
fn runc_answers_as_its_page_says() {
    let Some(machine) = Machine::with("runc", &[&["runc"], &registry::PROGRAMS[..]].concat()) else { return };
    let digests = registry::serve(&machine);
    check("runc", &machine, &digests.index);
}

/// Types the session of an engine.
fn check(engine: &str, machine: &Machine, digest: &str) {
    let stub = "/usr/local/bin/systemctl";
    machine.write(stub, include_str!("systemctl.sh"));
    fs::set_permissions(machine.path(stub), fs::Permissions::from_mode(0o755)).expect("a mode");
    machine.write("/root/upf.yaml", SPEC);
    machine.succeed("oci-compat", &["store", "add", "/root/upf.yaml", "--subject", digest]);
    let before = configuration(machine);
    let session = block(&format!("```console engine={engine}\n"));
    let mut shown = String::new();
    for typed in session.lines().filter_map(|it| it.strip_prefix("$ ")) {
        let here = typed.replace(ANY_IMAGE, IMAGE).replace(" run --rm ", " run --rm --network=none ");
        let here = here.replace("ctr run --rm --network=none", "ctr run --rm");
        let outcome = machine.run("sh", &["-c", &format!("exec 2>&1; {here}")]);
        shown.push_str(&format!("$ {typed}\n{}", outcome.stdout));
    }
    assert_eq!(plain(&shown), plain(&session));
    assert_eq!(configuration(machine), before);
}

/// What Kubernetes is told, as the page says.
pub(super) fn kubernetes() -> String {
    plain(&block("```text engine=kubernetes\n"))
}

fn block(opening: &str) -> String {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/engines.md");
    let page = fs::read_to_string(page).expect("reading the page");
    let (_, rest) = page.split_once(opening).expect("a session");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// Without what differs between machines, containers and versions: which module could be loaded, the id, how runc and crun
/// word things, and whether it could be recorded what they can do.
fn plain(text: &str) -> String {
    let text = without_noise(&without_age(text));
    let lines = text.lines().filter(|it| !it.contains("/etc/oci-compat/runtimes.d/")).map(|line| {
        let line = match line.split_once("oci-compat: refused: kernel module gtp5g") {
            Some((before, rest)) => {
                let after = rest.split_once(']').map_or("", |it| it.1);
                format!("{before}REFUSAL{after}")
            }
            None => line.to_owned(),
        };
        undressed(&line)
    });
    lines.collect()
}

/// A line of a runtime as people see it at a terminal, in the words of the versions that the page shows.
pub(super) fn undressed(line: &str) -> String {
    let line = line.trim_end_matches('\n');
    let line = match line.strip_prefix("time=\"").and_then(|it| it.split_once("level=error msg=\"")) {
        Some((_, message)) => message.trim_end_matches('"').trim_end_matches("\\n"),
        None => line,
    };
    let line = line.replace("createRuntime hook #0:", "hook #0: error running hook:");
    line.replace("running createRuntime hook #1: ", "executing hook ") + "\n"
}

/// Every file below the folders in which engines are configured.
fn configuration(machine: &Machine) -> Vec<String> {
    let list = "find /etc/containerd /etc/containers /etc/crio /etc/docker /usr/share/containers /root/upf -type f \
                -exec sha256sum {} + 2>/dev/null | grep -v key.json | sort";
    machine.succeed("sh", &["-c", list]).lines().map(str::to_owned).collect()
}
