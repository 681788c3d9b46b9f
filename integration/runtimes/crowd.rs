//! Two hundred containers at once, some of which fit, some of which don't, some of which nobody knows.

use std::collections::BTreeSet;
use std::fs;
use std::thread;

use serde_json::Value;

use super::bundle::{Bundle, SPEC};
use super::hook::Hook;
use super::host::{self, Host, MET, UNMET};
use super::leftovers::leftovers;
use super::program::run;
use super::recorded::records;
use super::runtime::Runtime;
use super::started::under;
use super::wrapper::Wrapper;

const CROWD: usize = 200;

/// Demands what no probe knows.
const UNKNOWN: &str = "version: v1alpha1
compatibilities: [{rules: [{name: r, matchFeatures: [{feature: vendor.thing}]}]}]
";

/// What each in turn demands, and how the container fares: its status, and the start of what is said.
const CASES: [(Option<&str>, i32, &str); 5] = [
    (Some(MET), 0, ""),
    (Some(UNMET), 1, "oci-compat: refused: kernel module gtp5g is not loaded"),
    (Some(UNKNOWN), 0, "oci-compat: warning: started undecided: feature vendor.thing"),
    (Some(host::MALFORMED), 1, "oci-compat: refused: the spec in annotation"),
    (None, 0, ""),
];

#[test]
fn two_hundred_containers_at_once_get_the_decision_of_one() {
    under(Runtime::Runc, |runtime| {
        let wrapper = Wrapper::beside(Hook::on(Host::plain()).giving_up_after(20_000));
        let bundles: Vec<_> = (0..CROWD)
            .map(|number| {
                let bundle = Bundle::with_a_shell();
                let (spec, ..) = CASES[number % CASES.len()];
                spec.map_or(bundle, |it| Bundle::with_a_shell().annotate(SPEC, it)).written()
            })
            .collect();
        let log = wrapper.folder().join("log.json");
        let outcomes: Vec<_> = thread::scope(|scope| {
            let run_one = |bundle| {
                let mut command = wrapper.before(runtime, bundle);
                command.arg("--log").arg(&log).args(["--log-format", "json", "run", "--bundle"]);
                let command = command.arg(Bundle::path(bundle)).arg(Bundle::id(bundle));
                run(command)
            };
            let running: Vec<_> = bundles.iter().map(|it| scope.spawn(move || run_one(it))).collect();
            running.into_iter().map(|it| it.join().expect("a run")).collect()
        });
        for (number, (bundle, outcome)) in bundles.iter().zip(&outcomes).enumerate() {
            let (_, status, said) = CASES[number % CASES.len()];
            assert_eq!(outcome.status.code(), Some(status), "{outcome:?}");
            assert_eq!(bundle.ran(), status == 0, "{outcome:?}");
            assert!(
                outcome.stderr.starts_with(said) && outcome.stderr.is_empty() == said.is_empty(),
                "{outcome:?}"
            );
            let report = wrapper.hook.reports().join(format!("{}.json", bundle.id()));
            assert_eq!(report.exists(), !said.is_empty(), "{outcome:?}");
            assert_eq!(leftovers(bundle), Vec::<String>::new());
        }
        assert_log(&fs::read_to_string(log).expect("a log"));
        let reports = fs::read_dir(wrapper.hook.reports()).expect("reports").flatten();
        let reports = reports.filter(|it| it.file_name().to_string_lossy().ends_with(".json"));
        assert_eq!(reports.count(), CROWD * 3 / 5);
        let records = records(&wrapper.hook.decisions());
        let recorded: BTreeSet<_> = records.iter().filter_map(|it| it.subject.container.as_deref()).collect();
        assert_eq!((records.len(), recorded.len()), (CROWD * 3 / 5, CROWD * 3 / 5));
        assert!(records.iter().all(|it| it.program == "runtime"), "{records:?}");
    });
}

/// All write to one log: each refusal is a whole line.
fn assert_log(log: &str) {
    assert_eq!(log.lines().count(), CROWD * 2 / 5);
    for line in log.lines() {
        let line: Value = serde_json::from_str(line).expect("a whole line");
        assert!(line["msg"].as_str().is_some_and(|it| it.starts_with("oci-compat: refused: ")), "{line}");
    }
}
