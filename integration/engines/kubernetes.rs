//! containerd as Kubernetes drives it.

use super::demands::{demand_too_much, starts, without_refusal};
use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::{Digests, IMAGE};
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
fn kubernetes_is_told_of_a_refusal_and_the_pod_of_it_lives() {
    let Some((machine, digests)) = started() else { return };
    for subject in [&digests.index, &digests.manifest] {
        demand_too_much(&machine, subject);
        leaves_nothing(&machine, || {
            let pod = cri::run_pod(&machine, "oci-compat", &[]);
            let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
            let refusal = cri::start(&machine, &container).expect_err("a refusal");
            let (shown, id) = without_refusal(&refusal.message);
            assert_eq!((refusal.code, format!("{shown}\n")), (cri::UNKNOWN, page::kubernetes()));
            assert!(container.starts_with(&id), "{id}");
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
