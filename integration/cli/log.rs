//! `log`: what was decided on this host, listed, put aside and summed up.

use serde_json::Value;
use tempfile::TempDir;

use super::{fails, folder, prints, run, write};
use crate::command::Ran;
use crate::schemas::Schema;

/// Three decisions: two refusals and one that the mode "audit" did not carry out.
pub(super) const DECISIONS: &str = concat!(
    r#"{"schema":"oci-compat.decision/v1","time":"2026-08-01T10:00:00.000000Z","program":"hook","mode":"enforce","#,
    r#""verdict":"incompatible","situation":"incompatible","action":"refuse","intention":"refuse","#,
    r#""message":"oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2a9c]","#,
    r#""subject":{"image":"docker.io/acme/upf:1","container":"3f2a9c"},"#,
    r#""reasons":[{"code":"module-not-loaded","message":"kernel module gtp5g is not loaded"}],"specs":[]}"#,
    "\n",
    r#"{"schema":"oci-compat.decision/v1","time":"2026-08-02T10:00:00.000000Z","program":"hook","mode":"enforce","#,
    r#""verdict":"incompatible","situation":"incompatible","action":"refuse","intention":"refuse","#,
    r#""message":"oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2b00]","#,
    r#""subject":{"image":"docker.io/acme/upf:2","container":"3f2b00"},"#,
    r#""reasons":[{"code":"module-not-loaded","message":"kernel module gtp5g is not loaded"}],"specs":[]}"#,
    "\n",
    r#"{"schema":"oci-compat.decision/v1","time":"2026-08-03T10:00:00.000000Z","program":"hook","mode":"audit","#,
    r#""verdict":"incompatible","situation":"incompatible","action":"start","intention":"refuse","#,
    r#""message":"oci-compat: warning: would be refused: kernel is 5.4, needs 6.8 or newer [kernel-version; oci-compat why 77]","#,
    r#""subject":{"container":"77"},"#,
    r#""reasons":[{"code":"kernel-version","message":"kernel is 5.4, needs 6.8 or newer"}],"specs":[]}"#,
    "\n",
);

const ROWS: [&str; 3] = [
    "2026-08-01T10:00:00Z docker.io/acme/upf:1: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2a9c]\n",
    "2026-08-02T10:00:00Z docker.io/acme/upf:2: refused: kernel module gtp5g is not loaded [module-not-loaded; oci-compat why 3f2b00]\n",
    "2026-08-03T10:00:00Z image unknown: warning: would be refused: kernel is 5.4, needs 6.8 or newer [kernel-version; oci-compat why 77]\n",
];

const SUMS: &str = "\
3 decisions, on 2 images, 2026-08-01T10:00:00Z to 2026-08-03T10:00:00Z
   2 refusals: kernel module gtp5g is not loaded [module-not-loaded], on 2 images, last at 2026-08-02T10:00:00Z
   1 would be refused: kernel is 5.4, needs 6.8 or newer [kernel-version], last at 2026-08-03T10:00:00Z
";

fn log() -> TempDir {
    let folder = folder();
    write(&folder, "d.jsonl", DECISIONS);
    folder
}

#[test]
fn decisions_are_listed_and_summed_up() {
    let folder = log();
    prints(&folder, "log --file d.jsonl", 0, &format!("{}\n{SUMS}", ROWS.concat()));
    prints(&folder, "log --file d.jsonl --summary", 0, SUMS);
    prints(&folder, "log --file d.jsonl -n 1", 0, &format!("{}\n{SUMS}", ROWS[2]));
    prints(&folder, "log --file d.jsonl --since 2027-01-01", 0, "no decisions\n");
}

#[test]
fn a_decision_that_was_made_again_is_one_line_that_counts() {
    let folder = folder();
    let pod = r#""pod":{"namespace":"default","name":"upf-0","container":"upf"}}"#;
    let first = DECISIONS.lines().next().expect("a line");
    let first = first.replace(r#""container":"3f2a9c"}"#, &format!(r#""container":"3f2a9c",{pod}"#));
    let counts = r#""specs":[],"first":"2026-08-01T10:00:00.000000Z","total":8,"times":7}"#;
    let again = first.replace("T10:00:00", "T10:01:20").replace(r#""specs":[]}"#, counts);
    assert_eq!(Schema::decision().complaint(&serde_json::from_str(&again).expect("JSON")), "");
    write(&folder, "d.jsonl", &format!("{first}\n{again}\n"));
    let row = ROWS[0].trim_end().to_owned();
    let counted = row.replace("10:00:00", "10:01:20");
    let page = format!(
        "{row}\n{counted} (8 times since 2026-08-01T10:00:00Z)\n\n8 decisions, on 1 image, 2026-08-01T10:00:00Z to \
         2026-08-01T10:01:20Z\n   8 refusals: kernel module gtp5g is not loaded [module-not-loaded], on 1 image, last at \
         2026-08-01T10:01:20Z\n"
    );
    prints(&folder, "log --file d.jsonl --container upf-0/upf", 0, &page);
    prints(&folder, "log --file d.jsonl --container upf-1/upf", 0, "no decisions\n");
}

#[test]
fn only_what_was_asked_for_is_listed() {
    let folder = log();
    let check = |options: &str, rows: &[usize]| {
        let ran = run(&folder, &format!("log --file d.jsonl {options}"));
        let listed = ran.stdout.split("\n\n").next().unwrap_or_default().to_owned() + "\n";
        let expected: String = rows.iter().map(|it| ROWS[*it]).collect();
        assert_eq!((ran.status, listed), (0, expected), "{options}: {}", ran.stderr);
    };
    check("--since 2026-08-02 --until 2026-08-03T10:00:00Z", &[1]);
    check("--image upf:1", &[0]);
    check("--image docker.io/*", &[0, 1]);
    check("--code kernel-version", &[2]);
    check("--container 3f2", &[0, 1]);
    check("--verdict incompatible --action refused", &[0, 1]);
    check("--action would-refuse", &[2]);
}

#[test]
fn programs_get_the_lines_as_they_were_written_and_the_sums_as_one_document() {
    let folder = log();
    prints(&folder, "log --file d.jsonl --format json", 0, DECISIONS);
    for line in DECISIONS.lines() {
        assert_eq!(Schema::decision().complaint(&serde_json::from_str(line).expect("JSON")), "");
    }
    let ran = run(&folder, "log --file d.jsonl --format json --summary --image upf");
    let found: Value = serde_json::from_str(&ran.stdout).expect("JSON");
    let expected = serde_json::json!({
        "schema": "oci-compat.log-summary/v1", "decisions": 2, "refused": 2, "would_refuse": 0, "started": 0, "images": 2,
        "first": "2026-08-01T10:00:00.000000Z", "last": "2026-08-02T10:00:00.000000Z",
        "causes": [{"action": "refused", "code": "module-not-loaded", "message": "kernel module gtp5g is not loaded",
            "count": 2, "images": 2, "last": "2026-08-02T10:00:00.000000Z"}],
    });
    assert_eq!(found, expected);
}

#[test]
fn what_is_torn_or_missing_is_reported_beside_the_data() {
    let folder = log();
    write(&folder, "d.jsonl", &format!("{}{DECISIONS}", &DECISIONS[..80]));
    let ran = run(&folder, "log --file d.jsonl --summary");
    let warning = "warning: d.jsonl: 1 line is torn, or no decision of ours\n";
    assert_eq!(ran, Ran { status: 0, stdout: SUMS.to_owned(), stderr: warning.to_owned() });
    fails(&folder, "log --file e.jsonl --format json", "e.jsonl is not there");
    fails(&folder, "log --file host", "host is not a regular file");
    let message = "\"soon\" is no time; write 90m, 2h, 7d, 2026-08-01, or 2026-08-01T10:00:00Z";
    fails(&folder, "log --file d.jsonl --since soon", message);
}

#[test]
fn text_of_strangers_in_a_file_from_elsewhere_is_escaped() {
    let folder = folder();
    write(&folder, "d.jsonl", &DECISIONS.replace("gtp5g", "\u{202e}gtp5g").replace("upf:1", "upf\\u001b[1m"));
    let ran = run(&folder, "log --file d.jsonl");
    assert!(!ran.stdout.contains(['\u{202e}', '\u{1b}']), "{}", ran.stdout);
}
