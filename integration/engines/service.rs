//! The systemd service that pulls for all engines, started by systemd itself, with everything that its unit takes from it.

use std::fs;
use std::path::Path;

use super::life::{attach, disconnect};
use super::machine::{Machine, soon};
use super::podman;
use super::registry::{self, Digests, IMAGE};

/// The same images as in the other registry, for those who log in.
const PRIVATE: &str = "127.0.0.1:5002/pause:1";

const SECOND: &str = "\
version: 0.1
log: {accesslog: {disabled: true}}
storage: {filesystem: {rootdirectory: /var/lib/registry}}
http: {addr: '127.0.0.1:5002'}
auth: {htpasswd: {realm: r, path: /etc/htpasswd}}
";

/// `u` and `pw`, as htpasswd(1) and `docker login` write them.
const PASSWORD: &str = "u:$2y$05$ak897gaFQ7fwB4Wwob.0DuvNvhiOa4s9MuDKSoqJSFhqzD26v9HYi\n";
const LOGIN: &str = "{\"auths\": {\"127.0.0.1:5002\": {\"auth\": \"dTpwdw==\"}}}\n";

const REGISTRIES: &str = "\
[[registry]]
location = \"127.0.0.1:5000\"
insecure = true

[[registry]]
location = \"127.0.0.1:5002\"
insecure = true
";

/// What the service says is kept for the test.
const LOG: &str = "\
[Service]
StandardOutput=truncate:/var/log/pull.out
StandardError=truncate:/var/log/pull.err
";

/// A machine with the service, as `make install` leaves it, and Podman without an image.
fn installed() -> Option<(Machine, Digests)> {
    let programs = [&podman::PROGRAMS[..], &registry::PROGRAMS, &["systemctl"]].concat();
    let machine = Machine::with_systemd("podman", &programs)?;
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/oci-compat-pull.service");
    let unit = fs::read_to_string(unit).expect("reading the unit").replace("@BINDIR@", "/usr/local/bin");
    machine.write("/usr/local/lib/systemd/system/oci-compat-pull.service", &unit);
    machine.write("/etc/systemd/system/oci-compat-pull.service.d/log.conf", LOG);
    machine.write("/etc/containers/registries.conf", REGISTRIES);
    machine.write("/etc/containers/containers.conf", podman::CONFIGURATION);
    machine.write("/etc/registry-2.yml", SECOND);
    machine.write("/etc/htpasswd", PASSWORD);
    assert!(soon(|| machine.run("systemctl", &["is-active", "quiet.target"]).stdout == "active\n"));
    let digests = registry::serve(&machine);
    let second = "exec docker-registry serve /etc/registry-2.yml";
    machine.daemon("sh", &["-c", second], &["curl", "--silent", "http://127.0.0.1:5002/v2/"]);
    Some((machine, digests))
}

/// Starts the service, which ends with a status and says this, in order of the lines.
fn serves(machine: &Machine, status: &str, stdout: &str, stderr: &str) {
    machine.run("systemctl", &["start", "oci-compat-pull.service"]);
    let ended = ["show", "--property=ExecMainStatus", "--value", "oci-compat-pull.service"];
    let ended = machine.succeed("systemctl", &ended);
    let said = |file: &str| {
        let text = machine.read(file);
        let mut lines: Vec<_> = text.split_inclusive('\n').collect();
        lines.sort_unstable();
        lines.concat()
    };
    let (out, err) = (said("/var/log/pull.out"), said("/var/log/pull.err"));
    assert_eq!((ended.trim_end(), out.as_str(), err.as_str()), (status, stdout, stderr));
}

#[test]
fn the_service_pulls_under_all_its_restrictions_and_reports_what_it_cannot() {
    let Some((machine, digests)) = installed() else { return };
    let none = "error: asking which images there are: containerd at /run/containerd/containerd.sock is not there: start it, or \
                name its socket with --engine-socket; /var/lib/docker has no images of dockerd's: name its folder with \
                --engine-root, or, if it keeps images in containerd, take --from-engine containerd; no images of \
                containers-storage in /var/lib/containers/storage: name its folder with --engine-root\n";
    serves(&machine, "2", "", none);

    attach(&machine, IMAGE, &digests.index, &[]);
    attach(&machine, registry::PAUSE, "sha256:", &[]);
    machine.succeed("podman", &["pull", "--quiet", IMAGE]);
    machine.succeed("podman", &["pull", "--quiet", "--creds", "u:pw", PRIVATE]);
    let refused = "error: 127.0.0.1:5002/pause:1: registry 127.0.0.1:5002: reading the manifest of 127.0.0.1:5002/pause@DIGEST: it \
                   wants a login: log in with docker login or podman login, or name a file with --authfile\n";
    let image = machine
        .succeed("skopeo", &["inspect", "--format", "{{.Digest}}", &format!("docker://{}", registry::PAUSE)]);
    let stored = "127.0.0.1:5000/acme/upf:1: 1 artifact stored\n127.0.0.1:5002/pause:1: 1 error\n\
                  2 images: 1 artifact new, 0 known, 0 without any, 1 with errors\n";
    serves(&machine, "1", stored, &refused.replace("DIGEST", image.trim_end()));

    machine.write("/root/.docker/config.json", LOGIN);
    let stored = "127.0.0.1:5000/acme/upf:1: 1 artifact there already\n127.0.0.1:5002/pause:1: 1 artifact stored\n\
                  2 images: 1 artifact new, 1 known, 0 without any, 0 with errors\n";
    serves(&machine, "0", stored, "");
    let whole = "/var/lib/oci-compat/store: 2 artifacts of 2 images, 0 flaws\n";
    assert_eq!(machine.succeed("oci-compat", &["store", "verify"]), whole);

    disconnect(&machine);
    let failed = "127.0.0.1:5000/acme/upf:1: 2 errors\n127.0.0.1:5002/pause:1: 1 error\n\
                  2 images: 0 artifacts new, 0 known, 0 without any, 2 with errors\n";
    let gone = |registry: &str, image: &str, subject: &str| {
        format!(
            "error: {registry}/{image}: registry {registry}: listing referrers of {subject} in {registry}/{}: nothing listens at \
             {registry}: check its name, and that it runs\n",
            image.trim_end_matches(":1")
        )
    };
    let upf = [&digests.manifest, &digests.index].map(|it| gone("127.0.0.1:5000", "acme/upf:1", it));
    let pause = gone("127.0.0.1:5002", "pause:1", image.trim_end());
    let mut all = [upf[0].clone(), upf[1].clone(), pause];
    all.sort_unstable();
    serves(&machine, "1", failed, &all.concat());
    assert_eq!(machine.succeed("oci-compat", &["store", "verify"]), whole);
}

/// More often than the default limit on starts allows.
#[test]
fn what_arrives_in_podman_is_fetched_for_at_once() {
    let Some((machine, digests)) = installed() else { return };
    let unit = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/oci-compat-pull.path");
    let unit = fs::read_to_string(unit).expect("reading the unit");
    machine.write("/usr/local/lib/systemd/system/oci-compat-pull.path", &unit);
    machine.succeed("systemctl", &["daemon-reload"]);
    machine.succeed("systemctl", &["start", "oci-compat-pull.path"]);
    attach(&machine, IMAGE, &digests.index, &[]);
    let runs = |what: &str, act: &dyn Fn()| {
        let of_service = |property: &str| {
            machine.succeed("systemctl", &["show", "--value", "-p", property, "oci-compat-pull.service"])
        };
        let before = of_service("InvocationID");
        act();
        let has_run = || {
            of_service("InvocationID") != before
                && ["inactive\n", "failed\n"].contains(&of_service("ActiveState").as_str())
        };
        let status = || machine.run("systemctl", &["status", "oci-compat-pull.path"]).stdout;
        assert!(soon(has_run), "{what}: {}", status());
    };
    for round in 0..6 {
        machine.run("rm", &["-rf", "/var/lib/oci-compat/store"]);
        runs(&format!("pull {round}"), &|| drop(machine.succeed("podman", &["pull", "--quiet", IMAGE])));
        let listed = machine.succeed("oci-compat", &["list", IMAGE]);
        assert!(listed.starts_with(&digests.index), "{listed}");
        runs(&format!("removal {round}"), &|| {
            drop(machine.succeed("podman", &["rmi", "--force", IMAGE]));
        });
    }
}
