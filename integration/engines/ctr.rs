//! containerd as `ctr` drives it.

use super::containerd::{self, ctr};
use super::leftovers::leaves_nothing;
use super::registry::IMAGE;

#[test]
fn ctr_runs_a_container_and_leaves_nothing() {
    let Some(machine) = containerd::started(containerd::PLAIN) else { return };
    ctr(&machine, "default", &["run", "--rm", IMAGE, "c1"]);
    let said = leaves_nothing(&machine, || ctr(&machine, "default", &["run", "--rm", IMAGE, "c2"]));
    assert_eq!(said, "ran\n");
}
