//! A burst: a hundred containers at once on a busy machine, half of which do not fit. containerd greets and answers after
//! seconds then, and each answer counts.

use std::fs;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::containerd::{self, ctr};
use super::demands::{STORE, fit, unfit};
use super::machine::Machine;
use super::registry::{IMAGE, PAUSE};

/// How many start at once, and how often.
const COUNT: usize = 100;
const ROUNDS: usize = 6;

/// A round takes some twenty seconds on two cores.
const PATIENCE: Duration = Duration::from_secs(300);

#[test]
fn a_burst_on_a_busy_machine_starts_nothing_that_does_not_fit_and_refuses_nothing_that_does() {
    let Some((machine, digests)) = containerd::started(containerd::PLAIN) else { return };
    ctr(&machine, "default", &["images", "pull", "--plain-http", PAUSE]);
    let pause = digest(&machine, PAUSE);
    machine.succeed("rm", &["-rf", STORE]);
    for (spec, subject) in [(unfit(), &digests.index), (fit(), &pause)] {
        machine.write("/root/spec.yaml", &spec);
        machine.succeed("oci-compat", &["store", "add", "/root/spec.yaml", "--subject", subject]);
    }
    machine.write("/root/burst.sh", include_str!("burst.sh"));
    for round in 0..ROUNDS {
        burst(&machine, round);
        let (mut fitting, mut refused) = (0, 0);
        for number in 1..=COUNT {
            let kind = if number % 2 == 0 { "fit" } else { "unfit" };
            let said = |what: &str| {
                let file = machine.path("/root/burst").join(format!("{kind}-{round}-{number}.{what}"));
                fs::read_to_string(file).expect("what it said")
            };
            let (err, status) = (said("err"), said("status"));
            let is_refused =
                err.contains("oci-compat: refused: os-release ID is fresh, needs other [os-release; ");
            match kind {
                "fit" => {
                    assert!(!err.contains("oci-compat: "), "round {round}: a fitting one is refused: {err}")
                }
                _ => assert!(is_refused && status == "1\n", "round {round}: not refused: {status}{err}"),
            }
            fitting += usize::from(status == "3\n");
            refused += usize::from(is_refused);
        }
        assert_eq!((fitting, refused), (COUNT / 2, COUNT / 2), "round {round}");
    }
}

fn burst(machine: &Machine, round: usize) {
    let (round, count) = (round.to_string(), COUNT.to_string());
    let mut command = machine.command("sh", &["/root/burst.sh", &round, &count, PAUSE, IMAGE]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("a burst");
    let deadline = Instant::now() + PATIENCE;
    while child.try_wait().expect("a burst").is_none() {
        assert!(Instant::now() < deadline, "a burst does not end");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn digest(machine: &Machine, image: &str) -> String {
    let listed = ctr(machine, "default", &["images", "list", &format!("name=={image}")]);
    let digest = listed.split_whitespace().find(|it| it.starts_with("sha256:"));
    digest.expect("a digest").to_owned()
}
