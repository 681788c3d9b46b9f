//! Images without any spec, in each engine: a program for another machine, and a CUDA image that is given a GPU where there is no
//! driver. They are refused with the reason. Where the policy turns the check off, they start as before.

use std::path::Path;

use super::demands::ran;
use super::machine::{Machine, packaged, soon};
use super::registry::IMAGE;
use super::{containerd, cri, docker, podman};
use crate::runtimes::program::Outcome;
use crate::runtimes::runtime::skip;

const OFF: &str = "implicit.program = \"off\"\n";
/// In place of a message, of a container that has ended.
const ENDED: &str = "ended";
/// What the kernel says of such a program.
const KERNEL_S: &str = "exec format error";

/// Images without a spec: one whose program is for another machine, and one of CUDA, for which somebody chose a GPU.
const FOREIGN: &str = "127.0.0.1:5000/foreign:1";
const CUDA: &str = "127.0.0.1:5000/cuda:1";
const IMAGES: &str = "layout=/root/images
    umoci unpack --image $layout:pause /root/draft
    cp /root/image/app /root/draft/rootfs/app
    umoci repack --image $layout:foreign /root/draft
    umoci config --image $layout:foreign --clear=config.cmd --config.entrypoint /app
    umoci config --image $layout:pause --tag cuda --config.env 'NVIDIA_REQUIRE_CUDA=cuda>=12.4' \
        --config.env NVIDIA_VISIBLE_DEVICES=0
    for name in foreign cuda; do
        skopeo copy --quiet --dest-tls-verify=false oci:$layout:$name docker://127.0.0.1:5000/$name:1
    done";

/// A folder with a program for SuperH, which no machine of these tests is.
const PROGRAM: &str = "mkdir -p /root/image
    printf '\\177ELF\\001\\001\\001\\000\\000\\000\\000\\000\\000\\000\\000\\000\\002\\000\\052\\000' >/root/image/app
    chmod 0755 /root/image/app";

#[test]
fn podman_refuses_what_cannot_run_without_a_spec() {
    let Some((machine, _)) = podman::plain() else { return };
    machine.succeed("oci-compat", &["install", "podman"]);
    build(&machine, "podman");
    judged_at_rest(&machine, "podman", "localhost/foreign:latest");
    for runtime in ["runc", "crun"] {
        let run = ["--runtime", runtime, "run", "--rm", "--network=none"];
        check_gpu(&machine, "podman", &run, &[]);
        check(&machine, "podman", &[&run[..], &["foreign"]].concat());
        let init = ["--init", "--init-path=/usr/bin/docker-init", "foreign"];
        match Path::new("/usr/bin/docker-init").exists() {
            true => drop(check_started(&machine, "podman", &[&run[..], &init].concat())),
            false => skip("podman run --init", "there is no docker-init"),
        }
    }
}

#[test]
fn docker_refuses_what_cannot_run_without_a_spec() {
    let install =
        |machine: &Machine| drop(machine.succeed("oci-compat", &["install", "docker", "--default"]));
    let Some((machine, _)) = docker::furnished(install) else { return };
    build(&machine, "DOCKER_BUILDKIT=0 docker");
    judged_at_rest(
        &machine,
        "docker",
        if docker::is_in_containerd(&machine) {
            "docker.io/library/foreign:latest"
        } else {
            "foreign:latest"
        },
    );
    check_gpu(&machine, "docker", &["run", "--rm", "--network=none"], &[]);
    check(&machine, "docker", &["run", "--rm", "--network=none", "foreign"]);
    check_started(&machine, "docker", &["run", "--rm", "--init", "--network=none", "foreign"]);
}

/// As the kubelet starts containers, with either runtime below the wrapper.
#[test]
fn kubernetes_refuses_what_cannot_run_without_a_spec() {
    let Some((machine, _)) = containerd::with_runtime() else { return };
    machine.succeed("sh", &["-euc", PROGRAM]);
    machine.succeed("sh", &["-euc", IMAGES]);
    for image in [FOREIGN, CUDA] {
        cri::pull(&machine, image);
    }
    judged_at_rest(&machine, "containerd", FOREIGN);
    cuda_judged_at_rest(&machine);
    for runtime in ["runc", "crun"] {
        if packaged(runtime).is_none() {
            skip(runtime, "is not installed (run integration/setup engines)");
            continue;
        }
        let configuration = |more: &str| {
            machine.write("/etc/oci-compat/config.toml", &format!("runtimes = [\"{runtime}\"]\n{more}"));
        };
        configuration("");
        let refused = start(&machine, FOREIGN, "/app").expect_err("a refusal");
        assert!(refused.contains(&is_foreign()), "{runtime}: {refused}");
        if let Some(reason) = has_no_driver() {
            let refused = start(&machine, CUDA, "/bin/sleep").expect_err("a refusal");
            assert!(refused.contains(reason), "{runtime}: {refused}");
        }
        configuration("implicit.nvidia = \"off\"\nimplicit.program = \"off\"\n");
        let failed = start(&machine, FOREIGN, "/app").expect_err("the end").to_lowercase();
        assert!(failed == ENDED || failed.contains(KERNEL_S), "{runtime}: {failed}");
        assert_eq!(start(&machine, CUDA, "/bin/sleep"), Ok(()), "{runtime}");
    }
}

/// In a pod of its own; what is said if it does not start.
fn start(machine: &Machine, image: &str, program: &str) -> Result<(), String> {
    let pod = cri::run_pod(machine, "oci-compat", &[]);
    let container = cri::create(machine, &pod, image, &[program, "1000"]);
    let started = cri::start(machine, &container).map_err(|it| it.message).and_then(|()| {
        let is_running = || cri::status(machine, &container).state == cri::RUNNING;
        // Some versions of runc do not wait until the program is started.
        let has_ended = || !is_running() && cri::status(machine, &container).exit_code != 0;
        match program == "/app" && soon(has_ended) || !is_running() {
            true => Err(ENDED.to_owned()),
            false => Ok(()),
        }
    });
    cri::remove_pod(machine, &pod);
    started
}

#[test]
fn ctr_refuses_what_cannot_run_without_a_spec() {
    let Some((machine, _)) = containerd::started(containerd::PLAIN) else { return };
    machine.succeed("sh", &["-euc", PROGRAM]);
    let wrapper = "/usr/local/bin/oci-compat-runtime";
    check(
        &machine,
        "ctr",
        &["run", "--rm", "--runc-binary", wrapper, "--rootfs", "/root/image", "c1", "/app"],
    );
    check_gpu(&machine, "ctr", &["run", "--rm", "--runc-binary", wrapper], &["c2"]);
}

/// Somebody chose a GPU for a CUDA image.
fn check_gpu(machine: &Machine, engine: &str, run: &[&str], id: &[&str]) {
    let Some(reason) = has_no_driver() else { return };
    let variables = ["--env=NVIDIA_REQUIRE_CUDA=cuda>=12.4", "--env=NVIDIA_VISIBLE_DEVICES=0", IMAGE];
    let run = [run, &variables, id].concat();
    let outcome = machine.run(engine, &run);
    assert!(!outcome.status.success() && outcome.stderr.contains(reason), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", "implicit.nvidia = \"off\"\n");
    let outcome = machine.run(engine, &run);
    assert!(ran(&outcome), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", "");
}

/// Before anything starts: the image by its name, and among all images of its engine, whose rows come with the worst first.
fn judged_at_rest(machine: &Machine, engine: &str, image: &str) {
    let whole = is_foreign();
    let reason = whole.strip_prefix("oci-compat: refused: ").expect("a refusal");
    let reason = reason.split(" [program-architecture").next().unwrap_or_default();
    let checked = machine.run("oci-compat", &["check", image]);
    let second = format!("\n  {reason} [program-architecture]\n");
    assert!(checked.status.code() == Some(1) && checked.stdout.contains(&second), "{checked:?}");
    let all = machine.run("oci-compat", &["check", "--from-engine", engine]);
    let row = all.stdout.lines().find(|it| it.contains(&format!(" {image} "))).unwrap_or_default();
    let is_refused = row.starts_with("incompatible ") && row.contains(reason);
    assert!(all.status.code() == Some(1) && is_refused, "{all:?}");
    // Those that run are judged as well, and come behind it.
    assert!(all.stdout.contains("\ncompatible "), "{all:?}");
    let unseen = machine.run("oci-compat", &["check", image, "--no-program"]);
    assert_eq!(unseen.status.code(), Some(0), "{unseen:?}");
    // It was read, and not looked for in vain.
    let json = machine.run("oci-compat", &["check", "--from-engine", engine, "--format", "json"]);
    assert!(!json.stdout.contains("nothing is known of the image's program"), "{json:?}");
}

/// The image's environment, for a container that would be given GPUs.
fn cuda_judged_at_rest(machine: &Machine) {
    let Some(reason) = has_no_driver() else { return };
    let reason =
        reason.strip_prefix("oci-compat: refused: ").and_then(|it| it.split(" [").next()).expect("a reason");
    for (options, status) in [(&["check", CUDA][..], 0), (&["check", CUDA, "--gpus"], 1)] {
        let checked = machine.run("oci-compat", options);
        assert!(checked.status.code() == Some(status) && checked.stdout.contains(reason), "{checked:?}");
    }
}

/// What is said of a CUDA image; `None`, aloud, where a driver is there.
fn has_no_driver() -> Option<&'static str> {
    if ["/proc/driver/nvidia", "/dev/dxg", "/etc/nv_tegra_release"].iter().any(|it| Path::new(it).exists()) {
        skip("a host without GPU", "this machine has a GPU of NVIDIA's");
        return None;
    }
    Some(
        "oci-compat: refused: the image needs CUDA 12.4 or newer, and this host has no NVIDIA driver: install driver 525 or newer \
         [nvidia-require; oci-compat why ",
    )
}

/// Nothing is run for that.
fn build(machine: &Machine, engine: &str) {
    let script = format!(
        "{PROGRAM}
        printf 'FROM {IMAGE}\\nCOPY app /app\\nENTRYPOINT [\"/app\"]\\nCMD []\\n' >/root/image/Dockerfile
        {engine} build --tag foreign /root/image"
    );
    machine.succeed("sh", &["-euc", &script]);
}

fn check(machine: &Machine, engine: &str, run: &[&str]) {
    let outcome = check_started(machine, engine, run);
    assert!(outcome.stderr.to_lowercase().contains(KERNEL_S), "{outcome:?}");
}

/// What comes of it where the policy turns the check off. An init process of the engine is started by the kernel, and has the shell
/// read what the kernel does not start (`execvp`).
fn check_started(machine: &Machine, engine: &str, run: &[&str]) -> Outcome {
    let outcome = machine.run(engine, run);
    assert!(!outcome.status.success() && outcome.stderr.contains(&is_foreign()), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", OFF);
    let outcome = machine.run(engine, run);
    assert!(!outcome.status.success() && !outcome.stderr.contains("oci-compat"), "{outcome:?}");
    machine.write("/etc/oci-compat/config.toml", "");
    outcome
}

/// What is said of a program for another machine.
fn is_foreign() -> String {
    let host = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86-64" };
    // The machine's distribution is made up, and so no package is named.
    format!(
        "oci-compat: refused: /app is for sh4; this host is {host}, and no binfmt handler for sh4 is enabled \
         [program-architecture; oci-compat why "
    )
}
