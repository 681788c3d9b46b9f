//! Records of a decision on one container, and their destinations.

mod file;
mod sockets;

use super::*;

/// Records that go nowhere, of a file as large as usual.
const NOWHERE: Targets =
    Targets { decisions: None, max_bytes: 10 << 20, keep: 4, repeats: None, journal: None, syslog: None };

/// A refusal of container `c1`.
fn record() -> Record {
    let reason = |code: &str, message: &str| Reason {
        code: code.to_owned(),
        message: message.to_owned(),
        ..Reason::default()
    };
    let subject = Subject {
        image: Some("docker.io/acme/upf:1".to_owned()),
        digest: Some("sha256:11".to_owned()),
        container: Some("c1".to_owned()),
        bundle: Some("/run/b".to_owned()),
        ..Subject::default()
    };
    let spec = SpecReport {
        source: "attached".to_owned(),
        variable: None,
        file: None,
        artifact: Some("sha256:22".to_owned()),
        repository: None,
        verified: None,
        outcome: Outcome::Unmet,
        problems: Vec::new(),
        sets: Vec::new(),
    };
    let report = Report {
        verdict: Verdict::Incompatible,
        action: Some(Action::Refuse),
        reasons: vec![
            reason("module-not-loaded", "kernel module gtp5g is not loaded"),
            reason("kernel-version", "kernel is 5.4, needs 6.8 or newer"),
            reason("module-not-loaded", "kernel module sctp is not loaded"),
        ],
        specs: vec![spec],
        ..Report::trouble(subject, "")
    };
    Record::new(&report, &decided())
}

fn decided() -> Decided<'static> {
    Decided {
        at: (1_764_000_000, 123_456_789),
        program: "hook",
        mode: Mode::Enforce,
        situation: Situation::Judged(Verdict::Incompatible),
        intention: Action::Refuse,
        message: "oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded, +2 more; oci-compat why c1]\n  \
                  kernel is 5.4, needs 6.8 or newer [kernel-version]\n",
    }
}

#[test]
fn a_record_is_one_line_of_json() {
    let expected = concat!(
        r#"{"schema":"oci-compat.decision/v1","time":"2025-11-24T16:00:00.123456Z","program":"hook","mode":"enforce","#,
        r#""verdict":"incompatible","situation":"incompatible","action":"refuse","intention":"refuse","#,
        r#""message":"oci-compat: refused: kernel module gtp5g is not loaded [module-not-loaded, +2 more; oci-compat why c1]","#,
        r#""subject":{"image":"docker.io/acme/upf:1","digest":"sha256:11","container":"c1","bundle":"/run/b"},"#,
        r#""reasons":[{"code":"module-not-loaded","message":"kernel module gtp5g is not loaded"},"#,
        r#"{"code":"kernel-version","message":"kernel is 5.4, needs 6.8 or newer"},"#,
        r#"{"code":"module-not-loaded","message":"kernel module sctp is not loaded"}],"#,
        r#""specs":[{"source":"attached","artifact":"sha256:22","outcome":"unmet"}]}"#,
        "\n"
    );
    assert_eq!(String::from_utf8(record().line()).expect("text"), expected);
    assert_eq!(serde_json::from_str::<Record>(expected).expect("a record"), record());
}

#[test]
fn a_record_is_bounded_whatever_strangers_write() {
    let long = "\"\u{1f980}".repeat(4_000);
    let reason = Reason { code: "trouble".to_owned(), message: long.clone(), ..Reason::default() };
    let subject = Subject {
        image: Some(long.clone()),
        digest: Some(long.clone()),
        container: Some(long.clone()),
        bundle: Some(long.clone()),
        ..Subject::default()
    };
    let mut report = Report::trouble(subject, &long);
    report.reasons = vec![reason; 1_000];
    report.notes = vec![long.clone(); 500];
    let spec = SpecReport {
        source: "file".to_owned(),
        variable: None,
        file: Some(long.clone()),
        artifact: Some(long.clone()),
        repository: None,
        verified: None,
        outcome: Outcome::Unknown,
        problems: Vec::new(),
        sets: Vec::new(),
    };
    report.specs = vec![spec; 100];
    let record = Record::new(&report, &Decided { message: &long, ..decided() });
    assert!(record.line().len() <= MAX_LINE, "{}", record.line().len());
    assert_eq!(record.omitted, 1_600 - 3 * MAX_LISTED);
    assert_eq!(record.subject.container.map(|it| it.len() <= MAX_TEXT), Some(true));
}

#[test]
fn nothing_of_a_record_can_break_its_line() {
    let report = Report::trouble(Subject::default(), "a\nb\u{2028}\u{1b}[31m");
    let record = Record::new(&report, &Decided { message: "a\u{1b}b\nc", ..decided() });
    let line = String::from_utf8(record.line()).expect("text");
    let breaks: Vec<_> = line.char_indices().filter(|(_, it)| it.is_control() || *it == '\u{2028}').collect();
    assert_eq!(breaks, [(line.len() - 1, '\n')]);
    assert_eq!(record.message, "a\\u{1b}b");
}

#[test]
fn an_exception_that_was_used_is_recorded() {
    let waiver = WaiverReport {
        rule: "gtp5g".to_owned(),
        code: "module-not-loaded".to_owned(),
        message: "kernel module gtp5g is not loaded".to_owned(),
        discreet: None,
        reason: "lab".to_owned(),
        image: "*".to_owned(),
        expires: None,
        from: "config.toml:1".to_owned(),
    };
    let report =
        Report::trouble(Subject::default(), "").with(&[], &[], &["b".to_owned()]).waiving(vec![waiver; 20]);
    let record = Record::new(&report, &decided());
    let sentence = "rule gtp5g is waived without end at config.toml:1: lab";
    assert_eq!((record.notes, record.omitted), (vec![sentence.to_owned(); MAX_LISTED], 21 - MAX_LISTED));
}

#[test]
fn where_nothing_is_wanted_nothing_is_written() {
    assert_eq!(write(&NOWHERE, &record()), Vec::<String>::new());
}

/// A record of a pod's container, which has a new id each time.
fn of_pod(id: &str, second: i64) -> Record {
    let mut record = record();
    record.time = moment::text((1_764_000_000 + second, 0));
    record.subject.container = Some(id.repeat(32));
    record.subject.bundle = Some(format!("/run/{}", id.repeat(32)));
    record.subject.pod = Pod::new(["default", "upf-0", "upf"].map(str::to_owned));
    record
}

#[test]
fn the_same_decision_again_is_counted_and_written_now_and_then() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("decisions.jsonl");
    let repeats = Some(folder.path().join("repeats"));
    let targets = Targets { decisions: Some(path.clone()), repeats, ..NOWHERE };
    let ids = ["5a", "5b", "5c", "5d", "5e"];
    for (second, id) in (0..).zip(ids) {
        assert_eq!(write(&targets, &of_pod(id, second)), Vec::<String>::new());
    }
    let other = Record { action: Action::Start, ..of_pod("5f", 9) };
    assert_eq!(write(&targets, &other), Vec::<String>::new());
    let text = std::fs::read_to_string(&path).expect("the file");
    let lines: Vec<Record> = text.lines().map(|it| serde_json::from_str(it).expect("a record")).collect();
    let told = |it: &Record| (it.subject.container.clone().unwrap_or_default()[..2].to_owned(), it.total);
    let expected = [("5a", 1), ("5b", 2), ("5d", 4), ("5f", 1)].map(|(id, total)| (id.to_owned(), total));
    // What is written later may be told once more where the clock has passed an hour meanwhile.
    assert_eq!(lines.iter().map(told).filter(|it| expected.contains(it)).collect::<Vec<_>>(), expected);
    assert_eq!(lines[1].first.as_deref(), Some("2025-11-24T16:00:00.000000Z"));
}

#[test]
fn the_same_is_what_is_decided_for_the_same_reasons_about_the_same_container() {
    let key = |record: &Record| record.key().expect("a container");
    let first = of_pod("5a", 0);
    assert_eq!(key(&first), key(&of_pod("5b", 1)));
    let mut named = of_pod("5b", 1);
    named.reasons[0].message = format!("container {} is gone", "5b".repeat(32));
    let mut again = of_pod("5c", 2);
    again.reasons[0].message = format!("container {} is gone", "5c".repeat(32));
    assert_eq!(key(&named), key(&again));
    assert_ne!(key(&named), key(&first));
    assert_ne!(key(&first), key(&Record { mode: Mode::Audit, ..first.clone() }));
    let mut other = first.clone();
    other.subject.pod = Pod::new(["default", "upf-1", "upf"].map(str::to_owned));
    assert_ne!(key(&first), key(&other));
    let plain = |id: &str| {
        let mut record = of_pod(id, 0);
        record.subject.pod = None;
        record
    };
    assert_ne!(key(&plain("5a")), key(&plain("5b")));
    let mut unknown = record();
    unknown.subject.container = None;
    assert_eq!(unknown.key(), None);
}

#[test]
fn a_decision_that_could_not_be_written_is_written_the_next_time() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("decisions.jsonl");
    std::fs::create_dir(&path).expect("a fixture");
    let repeats = Some(folder.path().join("repeats"));
    let targets = Targets { decisions: Some(path.clone()), repeats, ..NOWHERE };
    for second in 0..4 {
        assert_eq!(write(&targets, &of_pod("5a", second)).len(), 1, "{second}");
    }
    std::fs::remove_dir(&path).expect("a fixture");
    assert_eq!(write(&targets, &of_pod("5a", 4)), Vec::<String>::new());
    let text = std::fs::read_to_string(&path).expect("the file");
    assert_eq!(text.lines().count(), 1);
}
