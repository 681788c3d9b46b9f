//! The table in each of its forms.

use serde_json::json;

use super::*;
use crate::outcome::report::{Report, Subject};
use crate::policy::Situation;

fn row(
    engine: &'static str,
    name: &str,
    verdict: Verdict,
    demands: bool,
    reasons: &[(&str, &str)],
) -> ImageRow {
    let reason = |(code, message): &(&str, &str)| Reason {
        code: (*code).to_owned(),
        message: (*message).to_owned(),
        ..Reason::default()
    };
    let report = Report {
        verdict,
        reasons: reasons.iter().map(reason).collect(),
        ..Report::new(Subject::default(), &[])
    };
    let names: Vec<_> = Some(name.to_owned()).filter(|it| !it.is_empty()).into_iter().collect();
    let assessed = Assessment { verdict, situations: vec![Situation::Judged(verdict)], report };
    ImageRow::new(engine, &names, Some("sha256:1".to_owned()), demands, assessed)
}

/// One of each kind, out of order.
fn rows() -> Vec<ImageRow> {
    vec![
        row("podman", "free:1", Verdict::Compatible, false, &[]),
        row("docker", "fits:1", Verdict::Compatible, true, &[]),
        row("containerd", "", Verdict::Undecided, true, &[("unknown", "a <fact> is unknown")]),
        row(
            "podman",
            "upf:1",
            Verdict::Incompatible,
            true,
            &[("module-not-loaded", "no \"gtp5g\""), ("b", "more")],
        ),
        row("docker", "upf:1", Verdict::Incompatible, true, &[("module-not-loaded", "no \"gtp5g\"")]),
    ]
}

#[test]
fn the_worst_comes_first_and_the_sum_last() {
    let table = ImageTable::new(rows(), &[]);
    assert_eq!(
        text(&table),
        "incompatible  docker      upf:1     no \"gtp5g\" [module-not-loaded]\n\
         incompatible  podman      upf:1     no \"gtp5g\" [module-not-loaded, +1 more]\n\
         undecided     containerd  sha256:1  a <fact> is unknown [unknown]\n\
         compatible    docker      fits:1\n\
         compatible    podman      free:1    nothing is demanded\n\
         5 images: 2 incompatible, 1 undecided, 1 compatible, 1 without requirements\n"
    );
    assert_eq!((table.verdict, table.status()), (Verdict::Incompatible, 1));
    let none = "0 images: 0 incompatible, 0 undecided, 0 compatible, 0 without requirements\n";
    assert_eq!(text(&ImageTable::new(Vec::new(), &[])), none);
}

#[test]
fn an_engine_that_did_not_answer_leaves_it_undecided() {
    let free = || vec![row("podman", "free:1", Verdict::Compatible, false, &[])];
    let table = ImageTable::new(free(), &[]);
    assert_eq!((table.verdict, table.status()), (Verdict::Compatible, 0));
    let table = ImageTable::new(free(), &["docker is \u{7}gone".to_owned()]);
    assert_eq!(table.status(), 2);
    assert_eq!(
        (table.verdict, table.unread.as_slice()),
        (Verdict::Undecided, &["docker is \\u{7}gone".to_owned()][..])
    );
    assert_eq!(ImageTable::new(rows(), &["gone".to_owned()]).verdict, Verdict::Incompatible);
}

#[test]
fn junit_has_a_test_for_each_image_and_a_failure_for_each_that_does_not_fit() {
    let rows = vec![
        row("docker", "upf:1", Verdict::Incompatible, true, &[("a", "x \"y\" & z"), ("b", "more")]),
        row("containerd", "", Verdict::Undecided, true, &[("unknown", "a <fact> is unknown")]),
        row("podman", "free:1", Verdict::Compatible, false, &[]),
    ];
    assert_eq!(
        junit(&ImageTable::new(rows, &["no answer".to_owned()])),
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuites name=\"oci-compat\" tests=\"4\" failures=\"1\" errors=\"2\">
  <testsuite name=\"images\" tests=\"4\" failures=\"1\" errors=\"2\">
    <testcase classname=\"docker\" name=\"upf:1\">
      <failure type=\"a\" message=\"x &quot;y&quot; &amp; z\">x &quot;y&quot; &amp; z [a]\nmore [b]</failure>
    </testcase>
    <testcase classname=\"containerd\" name=\"sha256:1\">
      <error type=\"unknown\" message=\"a &lt;fact&gt; is unknown\">a &lt;fact&gt; is unknown [unknown]</error>
    </testcase>
    <testcase classname=\"podman\" name=\"free:1\"/>
    <testcase classname=\"engines\" name=\"asking which images there are\">
      <error type=\"trouble\" message=\"no answer\"/>
    </testcase>
  </testsuite>
</testsuites>
"
    );
}

#[test]
fn sarif_has_a_result_for_each_reason_and_a_rule_for_each_code() {
    let document = sarif(&ImageTable::new(rows(), &["no answer".to_owned()]));
    let run = &document["runs"][0];
    let results: Vec<_> = run["results"].as_array().unwrap().iter().collect();
    let levels: Vec<_> = results.iter().map(|it| (&it["ruleId"], &it["level"])).collect();
    let (module, error) = (json!("module-not-loaded"), json!("error"));
    assert_eq!(
        levels,
        [(&module, &error), (&module, &error), (&json!("b"), &error), (&json!("unknown"), &json!("warning"))]
    );
    assert_eq!(results[0]["message"]["text"], "upf:1: no \"gtp5g\"");
    assert_eq!(results[0]["locations"][0]["logicalLocations"][0]["fullyQualifiedName"], "docker/upf:1");
    let rules: Vec<_> =
        run["tool"]["driver"]["rules"].as_array().unwrap().iter().map(|it| &it["id"]).collect();
    assert_eq!(rules, ["b", "module-not-loaded", "unknown"]);
    assert_eq!(run["invocations"][0]["executionSuccessful"], false);
    assert_eq!(run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"], "no answer");
}
