//! What images demand of the machine, and what comes of it: the situations that every engine is put into.

use super::leftovers::leaves_nothing;
use super::machine::Machine;
use super::registry::Digests;
use crate::runtimes::program::Outcome;

/// The machine's `/etc/os-release` says `ID=fresh`.
const MET: &str = "fresh";
const UNMET: &str = "other";

/// What everybody reads of a refusal, up to the container's id.
const REFUSED: &str = "oci-compat: refused: os-release ID is fresh, needs other [os-release; oci-compat why ";

/// Where the host's facts, the configuration and the store are.
const FACTS: &str = "/etc/os-release";
pub(super) const CONFIGURATION: &str = "/etc/oci-compat/config.toml";
pub(super) const STORE: &str = "/var/lib/oci-compat/store";
pub(super) const REQUIREMENTS: &str = "/etc/oci-compat/requirements.d";

/// One situation that a container starts in.
struct Situation {
    name: &'static str,
    needs: &'static str,
    facts: &'static str,
    configuration: &'static str,
    /// How the decision reads in `oci-compat why`; nothing for a container that simply fits.
    why: Option<&'static str>,
}

/// Those in which the container starts.
const STARTING: [Situation; 4] = [
    Situation { name: "fits", needs: MET, facts: "ID=fresh\n", configuration: "", why: None },
    Situation { name: "undecided", needs: UNMET, facts: "", configuration: "", why: Some("undecided") },
    Situation {
        name: "audit",
        needs: UNMET,
        facts: "ID=fresh\n",
        configuration: "mode = \"audit\"\n",
        why: Some("incompatible"),
    },
    Situation {
        name: "broken",
        needs: UNMET,
        facts: "ID=fresh\n",
        configuration: "mode = [\n",
        why: Some("incompatible"),
    },
];

/// The image demands what the machine does not have.
pub(super) fn demand_too_much(machine: &Machine, subject: &str) {
    demand(machine, subject, UNMET);
}

/// The image demands what the machine has.
pub(super) fn demand_little(machine: &Machine, subject: &str) {
    demand(machine, subject, MET);
}

/// A spec that the machine does not fit.
pub(super) fn unfit() -> String {
    spec(UNMET)
}

/// A spec that the machine fits.
pub(super) fn fit() -> String {
    spec(MET)
}

/// Puts a spec into the store of the machine, for the image with this digest.
fn demand(machine: &Machine, subject: &str, id: &str) {
    machine.write("/root/spec.yaml", &spec(id));
    machine.succeed("rm", &["-rf", STORE]);
    machine.succeed("oci-compat", &["store", "add", "/root/spec.yaml", "--subject", subject]);
}

/// A spec that wants the machine's distribution to have this name.
fn spec(id: &str) -> String {
    format!(
        "version: v1alpha1\ncompatibilities:\n- rules:\n  - name: distribution\n    matchFeatures:\n    \
         - feature: system.osrelease\n      matchExpressions:\n        ID: {{op: In, value: [\"{id}\"]}}\n"
    )
}

/// Whether a container that says `ran` has run. Its exit status tells: containerd sometimes drops what a short process prints
/// (containerd issue 5741).
pub(super) fn ran(outcome: &Outcome) -> bool {
    outcome.status.success() && (outcome.stdout.is_empty() || outcome.stdout.ends_with("ran\n"))
}

/// The container runs in each situation in which it may start, and leaves nothing.
pub(super) fn starts(machine: &Machine, digests: &Digests, run: impl Fn() -> Outcome) {
    for (situation, subject) in STARTING.iter().zip([&digests.index, &digests.manifest].into_iter().cycle()) {
        let Situation { name, needs, facts, configuration, why } = situation;
        demand(machine, subject, needs);
        machine.succeed("rm", &["-rf", FACTS, "/run/oci-compat"]);
        match *facts {
            // Not even root can read a link that leads to itself.
            "" => drop(machine.succeed("ln", &["-s", "os-release", FACTS])),
            facts => machine.write(FACTS, facts),
        }
        machine.write(CONFIGURATION, configuration);
        let outcome = leaves_nothing(machine, &run);
        assert!(ran(&outcome), "{name}: {outcome:?}");
        let reports = machine.succeed("sh", &["-c", "cat /run/oci-compat/reports/*.json 2>/dev/null || :"]);
        match why {
            Some(why) => assert!(
                reports.contains(&format!("\"verdict\": \"{why}\""))
                    || reports.contains(&format!("\"verdict\":\"{why}\"")),
                "{name}: {reports}"
            ),
            None => assert_eq!(reports, "", "{name}"),
        }
    }
    machine.succeed("rm", &["-rf", FACTS, CONFIGURATION]);
    machine.write(FACTS, "ID=fresh\n");
}

/// The container starts, because it is not known to be the image's, and the report on another doubt says why that is.
pub(super) fn starts_unknown(machine: &Machine, digests: &Digests, why: &str, run: impl Fn() -> Outcome) {
    let quiet = || leaves_nothing(machine, &run);
    for subject in [&digests.index, &digests.manifest] {
        demand(machine, subject, UNMET);
        let outcome = quiet();
        assert!(ran(&outcome), "{outcome:?}");
        assert_eq!(outcome.stderr, "");
    }
    machine.succeed("rm", &["-rf", "/run/oci-compat"]);
    machine.write(CONFIGURATION, "mode = \"audit\"\n");
    require(machine, "*");
    let outcome = quiet();
    assert!(ran(&outcome), "{outcome:?}");
    let report = machine.succeed("sh", &["-c", "cat /run/oci-compat/reports/*.json"]);
    assert!(report.contains(why) && !report.contains("attached"), "{report}");
    machine.succeed("rm", &["-rf", CONFIGURATION, REQUIREMENTS]);
}

/// The administrator demands of those images what the machine does not have.
pub(super) fn require(machine: &Machine, images: &str) {
    let spec = spec(UNMET);
    machine.write(
        &format!("{REQUIREMENTS}/own.toml"),
        &format!("images = [\"{images}\"]\nspec = '''\n{spec}'''\n"),
    );
}

/// The container is refused whichever digest is demanded of, nothing is left, and `oci-compat why` tells the rest. What the
/// user read, with `REFUSAL` in place of our message.
pub(super) fn refused(machine: &Machine, digests: &Digests, run: impl Fn() -> Outcome) -> String {
    let mut shown = String::new();
    for subject in [&digests.index, &digests.manifest] {
        demand(machine, subject, UNMET);
        let outcome = leaves_nothing(machine, &run);
        assert!(!outcome.status.success() && outcome.stdout.is_empty(), "{outcome:?}");
        let (text, id) = without_refusal(&outcome.stderr);
        let why = machine.succeed("oci-compat", &["why", &id]);
        assert!(why.starts_with("incompatible") && why.contains("found fresh (/etc/os-release)"), "{why}");
        shown = text;
    }
    shown
}

/// A text with `REFUSAL` in place of our message, and the id in it.
pub(super) fn without_refusal(text: &str) -> (String, String) {
    let (before, rest) = text.split_once(REFUSED).unwrap_or_else(|| panic!("no refusal: {text}"));
    let (id, after) = rest.split_once(']').expect("an id");
    (without_noise(&format!("{before}REFUSAL{after}")), id.to_owned())
}

/// Without the line that Docker's client adds if it is not fast enough to hear of the failure first, and what only some
/// versions add: the code that containerd 1 says behind a message, and what Docker's client says around it since 23.
pub(super) fn without_noise(text: &str) -> String {
    let lines =
        text.split_inclusive('\n').filter(|it| !it.contains("error waiting for container: context canceled"));
    let mut text: String = lines.collect();
    for noise in [
        "failed to create task for container: ",
        "\n\nRun 'docker run --help' for more information",
        ": unknown.",
        ": unknown",
    ] {
        text = text.replace(noise, "");
    }
    text
}
