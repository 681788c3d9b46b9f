//! containerd as Kubernetes drives it.

use super::leftovers::leaves_nothing;
use super::registry::IMAGE;
use super::{containerd, cri};

#[test]
fn a_pod_runs_and_leaves_nothing() {
    let Some(machine) = containerd::started(containerd::PLAIN) else { return };
    let act = || {
        let pod = cri::run_pod(&machine, "", &[]);
        let container = cri::create(&machine, &pod, IMAGE, &["/bin/sleep", "1000"]);
        assert_eq!(cri::start(&machine, &container), Ok(()));
        assert_eq!(cri::status(&machine, &container).state, 1);
        assert_eq!(cri::exec(&machine, &container, &["/bin/sh", "-c", "echo here"]), "here\n");
        cri::stop(&machine, &container);
        cri::remove_pod(&machine, &pod);
    };
    act();
    leaves_nothing(&machine, act);
}
