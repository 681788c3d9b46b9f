//! Files of decisions as they are found, with foreign lines in them.

use std::fs;
use std::path::PathBuf;

use super::*;
use crate::eval::verdict::Verdict;
use crate::outcome::decisions::{Decided, MAX_LINE};
use crate::outcome::report::{Reason, Subject};
use crate::policy::{Action, Mode, Situation};

/// A decision on a container; `what` is an image, a reason's code and its message, separated by `|`.
fn record(second: i64, container: &str, outcome: DecisionOutcome, what: &str) -> Record {
    let words: Vec<_> = what.split('|').collect();
    let subject = Subject {
        image: Some(words[0].to_owned()),
        container: Some(container.to_owned()),
        ..Subject::default()
    };
    let mut report = Report::trouble(subject, "");
    report.reasons = words[1..]
        .chunks(2)
        .map(|it| Reason { code: it[0].to_owned(), message: it[1].to_owned(), ..Reason::default() })
        .collect();
    report.verdict =
        if outcome == DecisionOutcome::Started { Verdict::Undecided } else { Verdict::Incompatible };
    report.action = Some(if outcome == DecisionOutcome::Refused { Action::Refuse } else { Action::Start });
    let intention = if outcome == DecisionOutcome::Started { Action::Start } else { Action::Refuse };
    let message = format!("oci-compat: said: {}", words[2]);
    let decided = Decided {
        at: (second, 0),
        program: "hook",
        mode: Mode::Enforce,
        situation: Situation::Judged(Verdict::Incompatible),
        intention,
        message: &message,
    };
    Record::new(&report, &decided)
}

fn line(record: &Record) -> String {
    serde_json::to_string(record).expect("text") + "\n"
}

fn some() -> Vec<Record> {
    let gtp5g = "module-not-loaded|kernel module gtp5g is not loaded";
    vec![
        record(10, "abc1", DecisionOutcome::Refused, &format!("docker.io/acme/upf:1|{gtp5g}")),
        record(
            20,
            "abc2",
            DecisionOutcome::Refused,
            &format!("docker.io/acme/upf:2|{gtp5g}|kernel-version|kernel is old"),
        ),
        record(30, "def1", DecisionOutcome::WouldBeRefused, &format!("ghcr.io/acme/amf:1|{gtp5g}")),
        record(40, "abc1", DecisionOutcome::Started, "docker.io/acme/upf:1|fact-unknown|it is unknown"),
    ]
}

struct HistoryFixture(tempfile::TempDir);

impl HistoryFixture {
    fn with(files: &[(&str, &str)]) -> Self {
        let place = Self(tempfile::tempdir().expect("a temporary folder"));
        for (name, text) in files {
            fs::write(place.0.path().join(name), text).expect("writing a fixture");
        }
        place
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("d.jsonl")
    }

    /// The seconds of all decisions, and other findings.
    fn read(&self) -> Result<(Vec<i64>, HistoryCounts), String> {
        let mut seconds = Vec::new();
        let found = read(&self.path(), |it| {
            seconds.push(it.at.0);
            Ok(())
        });
        found.map(|it| (seconds, it)).map_err(|err| self.said(&err))
    }

    fn said(&self, err: &anyhow::Error) -> String {
        format!("{err:#}").replace(&self.0.path().display().to_string(), "DIR")
    }
}

#[test]
fn old_files_are_read_before_newer_ones() {
    let lines: Vec<_> = some().iter().map(line).collect();
    let place = HistoryFixture::with(&[
        ("d.jsonl", &lines[3]),
        ("d.jsonl.1", &lines[2]),
        ("d.jsonl.12", &lines[..2].concat()),
    ]);
    assert_eq!(place.read(), Ok((vec![10, 20, 30, 40], HistoryCounts { files: 3, skipped: 0 })));
    assert_eq!(HistoryFixture::with(&[]).read(), Ok((vec![], HistoryCounts { files: 0, skipped: 0 })));
}

#[test]
fn a_file_that_is_met_twice_is_read_once() {
    let lines: Vec<_> = some().iter().map(line).collect();
    let place = HistoryFixture::with(&[("d.jsonl", &lines.concat())]);
    fs::hard_link(place.path(), place.0.path().join("d.jsonl.1")).expect("a link");
    assert_eq!(place.read(), Ok((vec![10, 20, 30, 40], HistoryCounts { files: 1, skipped: 0 })));
}

#[test]
fn what_is_torn_or_not_ours_is_counted_and_a_whole_line_behind_it_is_read() {
    let lines: Vec<_> = some().iter().map(line).collect();
    let check = |text: &str, seconds: &[i64], skipped: usize| {
        let found = HistoryCounts { files: 1, skipped };
        assert_eq!(
            HistoryFixture::with(&[("d.jsonl", text)]).read(),
            Ok((seconds.to_vec(), found)),
            "{text:.60}"
        );
    };
    check(&format!("{}\n{}", lines[0], lines[1]), &[10, 20], 0);
    check(&format!("{}{}", &lines[0][..100], lines[1]), &[20], 1);
    check(&format!("{}{}", lines[1], &lines[0][..100]), &[20], 1);
    check(&format!("{}\n{}", "x".repeat(5 * MAX_LINE), lines[1]), &[20], 1);
    check(&format!("{}{}", "x".repeat(MAX_LINE), lines[1]), &[20], 1);
    check("no JSON\n{}\n[]\n\u{0}\u{0}\n", &[], 4);
    check(&lines[0].replace("decision/v1", "decision/v2"), &[], 1);
    check(&lines[0].replace("1970-", "197-"), &[], 1);
    check(&lines[0].replace("\"mode\"", "\"new\":{\"a\":1},\"mode\""), &[10], 0);
    check(lines[0].trim_end(), &[10], 0);
}

#[test]
fn what_is_no_file_is_an_error() {
    let place = HistoryFixture::with(&[]);
    fs::create_dir(place.path()).expect("making a fixture");
    assert_eq!(place.read(), Err("DIR/d.jsonl is not a regular file".to_owned()));
}

#[test]
fn decisions_are_put_aside_by_what_is_known_of_them() {
    let check = |filter: DecisionFilter, expected: &[i64]| {
        let accepted = some().into_iter().filter_map(|record| {
            let at = moment::moment(&record.time).expect("a moment");
            filter.accepts(&HistoryEntry { at, record, line: "" }).then_some(at.0)
        });
        assert_eq!(accepted.collect::<Vec<_>>(), expected, "{filter:?}");
    };
    let text = |it: &str| Some(it.to_owned());
    check(DecisionFilter::default(), &[10, 20, 30, 40]);
    check(
        DecisionFilter { since: Some((20, 0)), until: Some((40, 0)), ..DecisionFilter::default() },
        &[20, 30],
    );
    check(DecisionFilter { image: text("upf"), ..DecisionFilter::default() }, &[10, 20, 40]);
    check(DecisionFilter { image: text("*/acme/???:1"), ..DecisionFilter::default() }, &[10, 30, 40]);
    check(DecisionFilter { image: text("upf*"), ..DecisionFilter::default() }, &[]);
    check(
        DecisionFilter { image: text("*"), code: text("kernel-version"), ..DecisionFilter::default() },
        &[20],
    );
    check(DecisionFilter { container: text("abc"), ..DecisionFilter::default() }, &[10, 20, 40]);
    check(DecisionFilter { verdict: Some(Verdict::Undecided), ..DecisionFilter::default() }, &[40]);
    check(DecisionFilter { outcome: Some(DecisionOutcome::Refused), ..DecisionFilter::default() }, &[10, 20]);
    check(
        DecisionFilter { outcome: Some(DecisionOutcome::WouldBeRefused), ..DecisionFilter::default() },
        &[30],
    );
}

#[test]
fn causes_are_summed_up_with_the_gravest_and_most_frequent_first() {
    let summed = |records: Vec<Record>| {
        let mut counter = Summary::counter();
        for record in records {
            let at = moment::moment(&record.time).expect("a moment");
            counter.add(&HistoryEntry { at, record, line: "" });
        }
        counter.summary()
    };
    assert_eq!(
        summed(some()).text(),
        "4 decisions, on 3 images, 1970-01-01T00:00:10Z to 1970-01-01T00:00:40Z\n   \
         2 refusals: kernel module gtp5g is not loaded [module-not-loaded], on 2 images, last at 1970-01-01T00:00:20Z\n   \
         1 refusal: kernel is old [kernel-version], on 1 image, last at 1970-01-01T00:00:20Z\n   \
         1 would be refused: kernel module gtp5g is not loaded [module-not-loaded], on 1 image, last at 1970-01-01T00:00:30Z\n   \
         1 started with a doubt: it is unknown [fact-unknown], on 1 image, last at 1970-01-01T00:00:40Z\n"
    );
    assert_eq!(summed(Vec::new()).text(), "no decisions\n");
    let one = summed(some().into_iter().take(1).collect());
    assert_eq!((one.decisions, one.refused, one.images, one.first == one.last), (1, 1, 1, true));
    let many = (0..2_000).map(|it| record(it, "a", DecisionOutcome::Refused, &format!("i|c|m{it}")));
    let many = summed(many.collect());
    assert_eq!((many.causes.len(), many.causes[0].count), (1_001, 1_000));
}

#[test]
fn the_last_decision_on_a_container_is_found_by_the_start_of_its_id() {
    let lines: Vec<_> = some().iter().map(line).collect();
    let place = HistoryFixture::with(&[("d.jsonl", &lines.concat())]);
    let found = |prefix: &str| {
        let found = last(&place.path(), Whose::Container(prefix)).map_err(|err| place.said(&err))?;
        Ok(found.map(|it| (it.subject.container.unwrap_or_default(), it.time.unwrap_or_default())))
    };
    let is = |id: &str, time: &str| Ok(Some((id.to_owned(), time.to_owned())));
    assert_eq!(found("abc1"), is("abc1", "1970-01-01T00:00:40.000000Z"));
    assert_eq!(found("d"), is("def1", "1970-01-01T00:00:30.000000Z"));
    assert_eq!(found("x"), Ok(None));
    assert_eq!(found("abc"), Err("2 containers start with \"abc\": abc2, abc1".to_owned()));
    let report = last(&place.path(), Whose::Container("abc2")).expect("a file").expect("a decision");
    assert_eq!((report.action, report.reasons.len()), (Some(Action::Refuse), 2));
    assert_eq!(report.notes.len(), 1);
}

#[test]
fn moments_are_read_as_people_write_them() {
    let now = (1_000_000, 5);
    let check = |text: &str, expected: i64| {
        assert_eq!(when(text, now).expect("a moment").0, expected, "{text}");
    };
    check("90s", 999_910);
    check("2h", 992_800);
    check("7d", 395_200);
    check("1w", 395_200);
    check("1970-01-02", 86_400);
    check("1970-01-01 00:01", 60);
    check("1970-01-01T00:00:07", 7);
    check("1970-01-01T01:00:07+01:00", 7);
    for text in [
        "",
        "h",
        "-1h",
        "1y",
        "99999999999999999999d",
        "9223372036854775807w",
        "yesterday",
        "1970-01-02T",
        "\u{e9}",
    ] {
        let expected = format!("{text:?} is no time; write 90m, 2h, 7d, 2026-08-01, or 2026-08-01T10:00:00Z");
        assert_eq!(when(text, now).map_err(|err| err.to_string()), Err(expected));
    }
}
