//! Docker: its daemon, and the command that talks to it.

use super::demands::{demand_too_much, ran, refused, starts};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{self, Digests, IMAGE};
use crate::runtimes::program::Outcome;
use crate::runtimes::runtime::skip;

/// Without a network to set up. Its storage is that of every fresh installation.
const OPTIONS: [&str; 3] = ["--iptables=false", "--ip6tables=false", "--bridge=none"];

/// A machine on which Docker has the wrapper for its default runtime, and has run the image once: some folders stay from
/// then on.
fn started() -> Option<(Machine, Digests)> {
    furnished(|machine| drop(machine.succeed("oci-compat", &["install", "docker", "--default"])))
}

/// The same as its packages leave it.
pub(super) fn plain() -> Option<(Machine, Digests)> {
    furnished(|_| ())
}

/// The same with what `install` does before the daemon starts.
pub(super) fn furnished(install: impl FnOnce(&Machine)) -> Option<(Machine, Digests)> {
    let programs = ["dockerd", "docker", "containerd", "runc"];
    let machine = Machine::with("docker", &[&programs[..], &registry::PROGRAMS].concat())?;
    let digests = registry::serve(&machine);
    install(&machine);
    machine.daemon("dockerd", &OPTIONS, &["docker", "version"]);
    machine.succeed("docker", &["pull", "--quiet", IMAGE]);
    machine.succeed("docker", &["run", "--rm", "--network=none", IMAGE]);
    Some((machine, digests))
}

/// Whether it keeps its images in containerd, as by default since version 29.
pub(super) fn is_in_containerd(machine: &Machine) -> bool {
    machine
        .succeed("docker", &["info", "--format", "{{.DriverStatus}}"])
        .contains("io.containerd.snapshotter")
}

fn run(machine: &Machine) -> Outcome {
    machine.run("docker", &["run", "--rm", "--network=none", IMAGE])
}

#[test]
fn docker_starts_what_fits_and_what_cannot_be_known() {
    let Some((machine, digests)) = started() else { return };
    starts(&machine, &digests, || run(&machine));
}

#[test]
fn docker_shows_a_refusal_and_leaves_nothing() {
    let Some((machine, digests)) = started() else { return };
    let shown = refused(&machine, &digests, || run(&machine));
    assert_eq!(
        shown,
        "docker: Error response from daemon: failed to create shim task: OCI runtime create failed: REFUSAL\n"
    );
}

/// Docker's own files name the image where a graph driver keeps it, as by default before version 29.
#[test]
fn docker_starts_a_container_whose_image_cannot_be_found_out() {
    let install = |machine: &Machine| {
        let drivers = "{\"features\": {\"containerd-snapshotter\": false}}";
        machine.write("/etc/docker/daemon.json", drivers);
        machine.succeed("oci-compat", &["install", "docker", "--default"]);
    };
    let Some((machine, digests)) = furnished(install) else { return };
    demand_too_much(&machine, &digests.index);
    machine.succeed(
        "sh",
        &["-euc", "for names in /var/lib/docker/image/*/repositories.json; do rm $names; done"],
    );
    let outcome = run(&machine);
    assert!(ran(&outcome) && outcome.stderr.is_empty(), "{outcome:?}");
}

#[test]
fn docker_drives_a_container_through_the_wrapper_whatever_is_broken() {
    let Some((machine, _)) = started() else { return };
    let docker = |args: &[&str]| machine.succeed("docker", args);
    leaves_nothing(&machine, || {
        docker(&[
            "run",
            "--detach",
            "--name",
            "c1",
            "--network=none",
            "--entrypoint",
            "/bin/sleep",
            IMAGE,
            "1000",
        ]);
        for breakage in super::breakage::ALL {
            breakage.make(&machine);
            let outcome = machine.run("docker", &["exec", "c1", "/bin/sh", "-c", "exit 3"]);
            assert_eq!(outcome.status.code(), Some(3), "{outcome:?}");
            docker(&["pause", "c1"]);
            docker(&["unpause", "c1"]);
            docker(&["kill", "c1"]);
            docker(&["wait", "c1"]);
            docker(&["start", "c1"]);
        }
        docker(&["rm", "--force", "c1"]);
    });
}

/// A step of a build is no start of the image that it begins with. Nothing that the docker command can say makes a container
/// look like one.
#[test]
fn docker_builds_whatever_the_image_would_demand() {
    let Some((machine, digests)) = started() else { return };
    demand_too_much(&machine, &digests.index);
    let id = machine.succeed("docker", &["image", "inspect", "--format", "{{.Id}}", IMAGE]);
    let dressed_up = ["run", "--log-driver=none", "--no-healthcheck", "--network=none", id.trim_end()];
    let outcome = machine.run("docker", &[&dressed_up[..], &["/bin/sh", "-c", "echo ran"]].concat());
    assert!(outcome.stderr.contains("oci-compat: refused: "), "{outcome:?}");
    machine.succeed("sh", &["-euc", "docker rm $(docker ps --all --quiet)"]);
    let build = format!(
        "printf 'FROM {IMAGE}\\nRUN echo built\\nRUN echo again\\n' > /tmp/Dockerfile
        DOCKER_BUILDKIT=0 docker build --no-cache --network=none --file=/tmp/Dockerfile /var/empty 2>&1"
    );
    machine.succeed("mkdir", &["-p", "/var/empty"]);
    let outcome = machine.run("sh", &["-euc", &build]);
    assert!(outcome.stdout.contains("\nbuilt\n") && outcome.stdout.contains("\nagain\n"), "{outcome:?}");
    assert_eq!(machine.succeed("docker", &["ps", "--all", "--quiet"]), "");
    machine.write("/etc/oci-compat/config.toml", "builds = \"check\"\n");
    let outcome = machine.run("sh", &["-euc", &build]);
    assert!(outcome.stdout.contains("oci-compat: refused: "), "{outcome:?}");
}

/// For the steps of a build dockerd has BuildKit call runc, whatever the default runtime is. So no step is checked.
#[test]
fn docker_s_buildkit_never_calls_the_wrapper() {
    let Some((machine, digests)) = started() else { return };
    if !machine.run("docker", &["buildx", "version"]).status.success() {
        return skip("buildx", "the plugin of docker, which drives BuildKit, is not installed");
    }
    demand_too_much(&machine, &digests.index);
    machine.write("/etc/oci-compat/config.toml", "builds = \"check\"\n");
    machine.write("/var/empty/Dockerfile", &format!("FROM {IMAGE}\nRUN echo built\n"));
    let build = ["build", "--no-cache", "--progress=plain", "--network=none", "--tag=built:1", "/var/empty"];
    let outcome = machine.run("docker", &build);
    assert!(outcome.status.success() && outcome.stderr.contains(" built\n"), "{outcome:?}");
    assert_eq!(machine.succeed("oci-compat", &["log"]), "no decisions\n");
}

#[test]
fn docker_says_that_it_still_needs_the_wrapper_after_uninstall() {
    let Some((machine, _)) = started() else { return };
    let outcome = machine.run("oci-compat", &["uninstall"]);
    assert_eq!(outcome.status.code(), Some(1));
    assert_eq!(
        (outcome.stdout.as_str(), outcome.stderr.as_str()),
        (
            "/etc/docker/daemon.json: removed\n/etc/oci-compat/runtimes.d/runc.json: removed\ndocker forgets it after: systemctl restart docker\n",
            "warning: the docker that runs has not forgotten it: until it has, the programs have to stay\n"
        )
    );
    let again = machine.run("oci-compat", &["uninstall", "docker"]);
    assert_eq!((again.status.code(), again.stdout.as_str()), (Some(1), "no engine here has an entry\n"));
    assert_eq!(again.stderr, outcome.stderr);
}

/// `oci-compat-pull.path` watches this file: systemd sees it replaced, or written and closed.
#[test]
fn docker_writes_the_watched_file_anew_when_an_image_arrives_and_when_it_goes() {
    let install = |machine: &Machine| {
        let drivers = "{\"features\": {\"containerd-snapshotter\": false}}";
        machine.write("/etc/docker/daemon.json", drivers);
    };
    let Some((machine, _)) = furnished(install) else { return };
    let unit = include_str!("../../hooks/oci-compat-pull.path");
    let driver = machine.succeed("docker", &["info", "--format", "{{.Driver}}"]);
    let file = format!("/var/lib/docker/image/{}/repositories.json", driver.trim());
    assert!(unit.lines().any(|it| it == format!("PathChanged={file}")), "{file}");
    let number = || machine.succeed("stat", &["--format", "%i %y", &file]);
    let mut last = number();
    let mut is_new = |what: &[&str]| {
        machine.succeed("docker", what);
        let now = number();
        std::mem::replace(&mut last, now.clone()) != now
    };
    assert!(is_new(&["pull", "--quiet", registry::PAUSE]), "an image arrives");
    assert!(!is_new(&["pull", "--quiet", registry::PAUSE]), "it is there already");
    assert!(is_new(&["rmi", registry::PAUSE]), "it goes");
}
