//! `pull --from-engine`: what real engines hold, whatever its names, and what is attached to it.

use super::demands::STORE;
use super::life::{self, CTR, DOCKER, PODMAN, attach, disconnect, refuses};
use super::machine::Machine;
use super::registry::{self, Digests, IMAGE};
use super::{containerd, cri, docker};
use crate::runtimes::program::Outcome;

/// An image that is pulled by its digest alone.
const SMF: &str = "127.0.0.1:5000/acme/smf";
/// One whose tag stands for another image after it was pulled.
const NRF: &str = "127.0.0.1:5000/acme/nrf:1";
/// One in a registry that is gone when its artifacts are wanted.
const AMF: &str = "127.0.0.1:5001/acme/amf:1";
/// One more tag of the image.
const TAG: &str = "127.0.0.1:5000/acme/upf:2";

const SECOND: &str = "\
version: 0.1
log: {accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /var/lib/second}}
http: {addr: '127.0.0.1:5001'}
";

/// What names the images, and what is attached to them.
struct Stock {
    smf: String,
    old_nrf: String,
    /// Attached to the index of the image.
    artifact: String,
}

/// Has an engine pull the images, and moves on: one tag is moved, one registry is gone. Everything but the pause image has
/// an artifact, and the image has one for its index and one for its manifest.
fn stock(machine: &Machine, digests: &Digests, pull: impl Fn(&str)) -> Stock {
    machine.write("/etc/second.yml", SECOND);
    let serve = "echo $$ >/run/second.pid; exec docker-registry serve /etc/second.yml";
    machine.daemon("sh", &["-c", serve], &["curl", "--silent", "http://127.0.0.1:5001/v2/"]);
    let smf = image(machine, "smf", &format!("{SMF}:1"));
    let old_nrf = image(machine, "nrf", NRF);
    let amf = image(machine, "amf", AMF);
    let artifact = attach(machine, IMAGE, &digests.index, &[]);
    attach(machine, &format!("127.0.0.1:5000/acme/upf@{}", digests.manifest), &digests.manifest, &[]);
    for (image, digest) in [(format!("{SMF}:1"), &smf), (NRF.to_owned(), &old_nrf), (AMF.to_owned(), &amf)] {
        attach(machine, &image, digest, &[]);
    }
    for image in [format!("{SMF}@{smf}"), NRF.to_owned(), AMF.to_owned()] {
        pull(&image);
    }
    image(machine, "new-nrf", NRF);
    pull(NRF);
    machine.succeed("sh", &["-c", "kill $(cat /run/second.pid)"]);
    Stock { smf, old_nrf, artifact }
}

/// Puts an image of its own into a registry; its digest.
fn image(machine: &Machine, tag: &str, name: &str) -> String {
    let label = format!("org.oci-compat.test={tag}");
    let from = "/root/images:pause";
    machine.succeed("umoci", &["config", "--image", from, "--tag", tag, "--config.label", &label]);
    let (from, to) = (format!("oci:/root/images:{tag}"), format!("docker://{name}"));
    machine.succeed("skopeo", &["copy", "--quiet", "--dest-tls-verify=false", &from, &to]);
    let inspect = ["inspect", "--tls-verify=false", "--format", "{{.Digest}}", &to];
    machine.succeed("skopeo", &inspect).trim_end().to_owned()
}

/// Pulls what an engine holds: status, lines in order of their text, and messages.
fn pulled(machine: &Machine, engine: &str) -> (Option<i32>, String, String) {
    let Outcome { status, stdout, stderr, .. } =
        machine.run("oci-compat", &["pull", "--plain-http", "--from-engine", engine]);
    let mut lines: Vec<_> = stdout.split_inclusive('\n').collect();
    lines.sort_unstable();
    (status.code(), lines.concat(), stderr)
}

/// Every file of the store, and when it was written.
fn store(machine: &Machine) -> String {
    let list = format!("find {STORE} -type f -not -name .lock -printf '%p %i %T@\\n' | sort");
    machine.succeed("sh", &["-c", &list])
}

/// Pulls for an engine: everything that can be had is stored, and only once; then, without a network, the image is refused.
/// In what is expected, `STATE` stands for what the artifacts are.
fn check(machine: &Machine, engine: &str, stock: &Stock, expected: &str, run: &[&str]) {
    let gone = "error: 127.0.0.1:5001/acme/amf:1: registry 127.0.0.1:5001: reading the manifest of 127.0.0.1:5001/acme/amf@DIGEST: \
                nothing listens at 127.0.0.1:5001: check its name, and that it runs\n";
    let plain = |(status, stdout, stderr): (Option<i32>, String, String)| {
        let stdout = stdout.replace(&stock.smf, "SMF").replace(&stock.old_nrf, "OLD");
        (status, stdout, without_digests(&stderr))
    };
    let (count, expected) = expected.split_once('\n').expect("lines");
    let local = expected.matches(": from no registry\n").count();
    let said = |state: &str, counts: &str| {
        let summary =
            format!("{count}: {counts} known, 2 without any, 1 with errors, {local} in no registry\n");
        let mut lines: Vec<_> = expected.split_inclusive('\n').chain([summary.as_str()]).collect();
        lines.sort_unstable();
        (Some(1), lines.concat().replace("STATE", state), gone.to_owned())
    };
    let fresh = expected.matches(": 1 artifact STATE").count() + 2;
    assert_eq!(plain(pulled(machine, engine)), said("stored", &format!("{fresh} artifacts new, 0")));
    let before = store(machine);
    assert_eq!(plain(pulled(machine, engine)), said("there already", &format!("0 artifacts new, {fresh}")));
    assert_eq!(store(machine), before);
    disconnect(machine);
    let (status, stdout, _) = pulled(machine, engine);
    assert_eq!(status, Some(1));
    assert!(stdout.contains(&format!("{count}: 0 artifacts new, 0 known, 0 without any, ")), "{stdout}");
    assert_eq!(store(machine), before);
    refuses(machine, &stock.artifact, run);
}

/// Messages with `DIGEST` in place of digests.
fn without_digests(text: &str) -> String {
    let mut parts = text.split("sha256:");
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, it| format!("{text}DIGEST{}", it.get(64..).unwrap_or_default()))
}

#[test]
fn what_docker_holds_is_pulled_and_refused_without_a_network() {
    let Some((machine, digests)) = life::with_docker() else { return };
    let stock =
        stock(&machine, &digests, |image| drop(machine.succeed("docker", &["pull", "--quiet", image])));
    machine.succeed("docker", &["pull", "--quiet", registry::PAUSE]);
    machine.succeed("docker", &["tag", IMAGE, TAG]);
    machine.succeed("sh", &["-c", "tar c -C /root spec.yaml | docker import - built:1"]);
    let expected = "7 images\n\
        127.0.0.1:5000/acme/nrf:1: no artifacts\n\
        127.0.0.1:5000/acme/nrf@OLD: 1 artifact STATE\n\
        127.0.0.1:5000/acme/smf@SMF: 1 artifact STATE\n\
        127.0.0.1:5000/acme/upf:1, 127.0.0.1:5000/acme/upf:2: 2 artifacts STATE\n\
        127.0.0.1:5000/pause:1: no artifacts\n\
        127.0.0.1:5001/acme/amf:1: 1 error\n\
        built:1: from no registry\n";
    let expected = match docker::is_in_containerd(&machine) {
        true => expected.replace("built:1", "docker.io/library/built:1"),
        false => expected.to_owned(),
    };
    check(&machine, "docker", &stock, &expected, &DOCKER);
}

#[test]
fn what_podman_holds_is_pulled_and_refused_without_a_network() {
    let Some((machine, digests)) = life::with_podman() else { return };
    let pull = |image: &str| drop(machine.succeed("podman", &["pull", "-q", "--tls-verify=false", image]));
    let stock = stock(&machine, &digests, pull);
    pull(registry::PAUSE);
    machine.succeed("podman", &["tag", IMAGE, TAG]);
    machine.succeed("sh", &["-c", "tar c -C /root spec.yaml | podman import --quiet - built:1"]);
    let expected = "7 images\n\
        127.0.0.1:5000/acme/nrf:1: no artifacts\n\
        127.0.0.1:5000/acme/nrf@OLD: 1 artifact STATE\n\
        127.0.0.1:5000/acme/smf@SMF: 1 artifact STATE\n\
        127.0.0.1:5000/acme/upf:1, 127.0.0.1:5000/acme/upf:2: 2 artifacts STATE\n\
        127.0.0.1:5000/pause:1: no artifacts\n\
        127.0.0.1:5001/acme/amf:1: 1 error\n\
        localhost/built:1: from no registry\n";
    check(&machine, "podman", &stock, expected, &PODMAN);
}

/// In three namespaces, by `ctr` and as Kubernetes does. An image whose name was moved is gone in containerd, unless
/// Kubernetes pulled it.
#[test]
fn what_containerd_holds_is_pulled_and_refused_without_a_network() {
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    let ctr = |namespace: &str, args: &[&str]| drop(containerd::ctr(&machine, namespace, args));
    let stock = stock(&machine, &digests, |image| match image {
        NRF => cri::pull(&machine, image),
        image => ctr("moby", &["images", "pull", "--plain-http", image]),
    });
    ctr("default", &["images", "tag", IMAGE, TAG]);
    ctr("k8s.io", &["images", "remove", &containerd::sandbox_image(&machine)]);
    let archive = "oci-archive:/root/built.tar:local/built:1";
    machine.succeed("skopeo", &["copy", "--quiet", "oci:/root/images:upf", archive]);
    ctr("default", &["images", "import", "/root/built.tar"]);
    // As BuildKit names what it builds for containerd, and Docker where it keeps its images there.
    machine.succeed(
        "umoci",
        &["config", "--image", "/root/images:pause", "--tag", "made", "--config.label", "a=made"],
    );
    let archive = "oci-archive:/root/made.tar:docker.io/library/made:latest";
    machine.succeed("skopeo", &["copy", "--quiet", "oci:/root/images:made", archive]);
    ctr("moby", &["images", "import", "/root/made.tar"]);
    let expected = "8 images\n\
        127.0.0.1:5000/acme/nrf:1: no artifacts\n\
        127.0.0.1:5000/acme/nrf@OLD: 1 artifact STATE\n\
        127.0.0.1:5000/acme/smf@SMF: 1 artifact STATE\n\
        127.0.0.1:5000/acme/upf:1, 127.0.0.1:5000/acme/upf:2: 2 artifacts STATE\n\
        127.0.0.1:5000/pause:1: no artifacts\n\
        127.0.0.1:5001/acme/amf:1: 1 error\n\
        docker.io/library/made:latest: from no registry\n\
        local/built:1: from no registry\n";
    check(&machine, "containerd", &stock, expected, &CTR);
}

/// Docker 29 keeps its images in containerd, whose records name a registry where there was one.
#[test]
fn what_docker_keeps_in_its_containerd_is_docker_s() {
    let programs = ["containerd", "ctr"];
    let Some(machine) = Machine::with("containerd", &[&programs[..], &registry::PROGRAMS].concat()) else {
        return;
    };
    let digests = registry::serve(&machine);
    let address = ["--address", "/run/docker/containerd/containerd.sock"];
    let folders = ["--root", "/var/lib/docker/containerd/daemon", "--state", "/run/docker/containerd/daemon"];
    let options = [&address[..], &folders].concat();
    machine.daemon("containerd", &options, &[&["ctr"], &address[..], &["version"]].concat());
    let ctr = |args: &[&str]| {
        machine.succeed("ctr", &[&address[..], &["--namespace=moby", "images"], args].concat())
    };
    ctr(&["pull", "--plain-http", IMAGE]);
    ctr(&["tag", IMAGE, &format!("moby-dangling@{}", digests.index)]);
    let archive = "oci-archive:/root/built.tar:docker.io/library/built:1";
    machine.succeed("skopeo", &["copy", "--quiet", "oci:/root/images:pause", archive]);
    ctr(&["import", "/root/built.tar"]);
    let expected = format!(
        "{IMAGE}: no artifacts\n2 images: 0 artifacts new, 0 known, 1 without any, 0 with errors, 1 in no registry\n\
         docker.io/library/built:1: from no registry\n"
    );
    let (status, stdout, stderr) = pulled(&machine, "docker");
    assert_eq!((status, stdout.as_str(), stderr.as_str()), (Some(0), expected.as_str(), ""));
    let checked = machine.run("oci-compat", &["check", IMAGE]);
    assert_eq!(checked.stderr, format!("note: {IMAGE:?} is docker's image {IMAGE} ({})\n", digests.index));
}
