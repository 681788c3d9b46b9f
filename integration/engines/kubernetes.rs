//! containerd as Kubernetes drives it.

use super::demands::{demand_too_much, require, starts, starts_unknown, without_refusal};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{Digests, IMAGE, PAUSE};
use super::{breakage, containerd, cri, page};

/// Starts a container in a pod of its own, and removes both.
fn run(machine: &Machine) -> Result<(), cri::Refusal> {
    let pod = cri::run_pod(machine, "oci-compat", &[]);
    let container = cri::create(machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
    let started = cri::start(machine, &container);
    if started.is_ok() {
        assert_eq!(cri::status(machine, &container).state, cri::RUNNING);
    }
    cri::remove_pod(machine, &pod);
    started
}

fn started() -> Option<(Machine, Digests)> {
    let (machine, digests) = containerd::with_runtime()?;
    assert_eq!(run(&machine), Ok(()));
    Some((machine, digests))
}

#[test]
fn kubernetes_starts_what_fits_and_what_cannot_be_known() {
    let Some((machine, digests)) = started() else { return };
    starts(&machine, &digests, || {
        assert_eq!(run(&machine), Ok(()));
        machine.run("echo", &["ran"])
    });
}

#[test]
fn kubernetes_reports_a_refusal_and_its_pod_lives_on() {
    let Some((machine, digests)) = started() else { return };
    for subject in [&digests.index, &digests.manifest] {
        demand_too_much(&machine, subject);
        leaves_nothing(&machine, || {
            let pod = cri::run_pod(&machine, "oci-compat", &[]);
            let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
            let refusal = cri::start(&machine, &container).expect_err("a refusal");
            let (shown, names) = without_refusal(&refusal.message);
            assert_eq!((refusal.code, format!("{shown}\n")), (cri::UNKNOWN, page::kubernetes()));
            // The same text each time, or Kubernetes would not take it for the same event.
            assert_eq!(names, "default/upf/upf");
            let why = machine.succeed("oci-compat", &["why", &names]);
            assert!(why.contains(&format!("pod default/upf, its upf, container {container}")), "{why}");
            let status = cri::status(&machine, &container);
            assert_eq!(
                (status.state, status.exit_code, status.reason.as_str()),
                (cri::EXITED, 128, "StartError")
            );
            assert_eq!(status.message, refusal.message);
            cri::remove_pod(&machine, &pod);
        });
    }
}

/// The name goes, or stands for another image, between the creation of a container and its start.
#[test]
fn kubernetes_starts_a_container_whose_image_cannot_be_found_out() {
    let Some((machine, digests)) = started() else { return };
    let names =
        "ctr --namespace k8s.io images list --quiet | grep -v pause | xargs ctr --namespace k8s.io images";
    let forget = [format!("{names} remove"), format!("{names} tag --force {PAUSE}")];
    let whys = [
        "containerd has no image ",
        "stands for another image than the one that the container was made from",
    ];
    for (forget, why) in forget.iter().zip(whys) {
        starts_unknown(&machine, &digests, why, || {
            let pod = cri::run_pod(&machine, "oci-compat", &[]);
            let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
            machine.succeed("sh", &["-euc", forget]);
            let started = cri::start(&machine, &container);
            containerd::ctr(&machine, containerd::KUBERNETES, &["images", "remove", IMAGE]);
            cri::pull(&machine, IMAGE);
            cri::remove_pod(&machine, &pod);
            assert_eq!(started, Ok(()));
            machine.run("echo", &["ran"])
        });
    }
}

/// The container that holds a pod together runs nothing of the image's.
#[test]
fn a_pod_s_sandbox_is_not_checked_whatever_is_demanded() {
    let Some((machine, _)) = started() else { return };
    require(&machine, "*");
    leaves_nothing(&machine, || {
        let pod = cri::run_pod(&machine, "oci-compat", &[]);
        let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
        let refusal = cri::start(&machine, &container).expect_err("a refusal");
        without_refusal(&refusal.message);
        cri::remove_pod(&machine, &pod);
    });
    let decisions = machine.succeed("oci-compat", &["log", "--format", "json"]);
    assert_eq!(decisions.lines().count(), 1, "the sandbox is in none: {decisions}");
}

#[test]
fn a_pod_s_annotation_demands_as_well() {
    let Some((machine, _)) = started() else { return };
    let spec = "{\"version\": \"v1alpha1\", \"compatibilities\": [{\"rules\": [{\"name\": \"distribution\", \"matchFeatures\": \
                [{\"feature\": \"system.osrelease\", \"matchExpressions\": {\"ID\": {\"op\": \"In\", \"value\": [\"other\"]}}}]}]}]}";
    let pod = cri::run_pod(&machine, "oci-compat", &[("org.oci-compat.spec", spec)]);
    let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
    let refusal = cri::start(&machine, &container).expect_err("a refusal");
    without_refusal(&refusal.message);
    cri::remove_pod(&machine, &pod);
}

#[test]
fn kubernetes_drives_a_container_through_the_wrapper_whatever_is_broken() {
    let Some((machine, _)) = started() else { return };
    leaves_nothing(&machine, || {
        for breakage in breakage::ALL {
            let pod = cri::run_pod(&machine, "oci-compat", &[]);
            let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
            assert_eq!(cri::start(&machine, &container), Ok(()));
            breakage.make(&machine);
            assert_eq!(cri::exec(&machine, &container, &["/bin/sh", "-c", "echo here"]), "here\n");
            cri::stop(&machine, &container);
            assert_eq!(cri::status(&machine, &container).state, cri::EXITED);
            cri::remove_pod(&machine, &pod);
        }
    });
}
