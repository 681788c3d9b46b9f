//! Reports of small specs, and their messages.

use super::*;
use crate::eval::evaluate;
use crate::spec::{Malformed, Spec, parse};
use crate::testing;
use crate::words::phrases;

fn read(sets: &str) -> Result<Spec, Malformed> {
    parse(format!("version: v1alpha1\ncompatibilities: [{sets}]").as_bytes())
}

fn subject() -> Subject {
    Subject { container: Some("c1".to_owned()), ..Subject::default() }
}

/// A report on specs with these sets.
fn report(specs: &[&str]) -> Report {
    let specs: Vec<_> = specs.iter().map(|it| read(it)).collect();
    let facts = testing::facts("x.value", &[("size", "5")]);
    let origin = SpecOrigin::Inline;
    let checked =
        |it| Checked { origin: &origin, result: Result::as_ref(it).map(|it| evaluate(it, &[], &facts)) };
    Report::new(subject(), &specs.iter().map(checked).collect::<Vec<_>>())
}

fn of_reasons(messages: &[&str]) -> Report {
    let reason = |it: &&str| Reason {
        code: "value-differs".to_owned(),
        message: (*it).to_owned(),
        ..Reason::default()
    };
    Report { reasons: messages.iter().map(reason).collect(), ..Report::new(subject(), &[]) }
}

/// A set with a rule for each of these tests on `size`, which is 5.
fn set(head: &str, tests: &[&str]) -> String {
    let rule = |it: &&str| {
        format!("{{name: r, matchFeatures: [{{feature: x.value, matchExpressions: {{size: {{{it}}}}}}}]}}")
    };
    format!("{{{head}rules: [{}]}}", tests.iter().map(rule).collect::<Vec<_>>().join(", "))
}

#[test]
fn the_first_line_says_the_most_important_and_how_much_more_there_is() {
    let unmet = set("", &["op: In, value: [6]", "op: Gt, value: [7]"]);
    let unknown = "{rules: [{matchFeatures: [{feature: not.read}]}]}";
    let all = report(&[unknown, "{rule: []}", &unmet]);
    assert_eq!(
        message(&all, "refused"),
        "oci-compat: refused: x.value size is 5, needs 6 [value-differs, +3 more; oci-compat why c1]\n  \
         x.value size is 5, needs more than 7 [value-out-of-range]\n  \
         the spec in annotation org.oci-compat.spec is malformed, at 2:19: a compatibility set needs `rules`, the list of \
         what has to hold (+1 more) [spec-malformed]\n  \
         feature not.read is unknown: was not read [fact-unknown]\n"
    );
    assert_eq!((all.verdict.name(), report(&[unknown]).verdict.name()), ("incompatible", "undecided"));
    assert_eq!(message(&all, "refused"), message(&all, "refused"));
}

#[test]
fn the_same_demand_of_several_specs_is_reported_once() {
    let one = set("", &["op: In, value: [6]"]);
    let both = set("", &["op: In, value: [6]", "op: Gt, value: [7]"]);
    let said = "oci-compat: refused: x.value size is 5, needs 6 [value-differs; oci-compat why c1]\n";
    assert_eq!(message(&report(&[&one, &one]), "refused"), said);
    assert_eq!(
        message(&report(&[&one, &both, &both]), "refused"),
        "oci-compat: refused: x.value size is 5, needs 6 [value-differs, +1 more; oci-compat why c1]\n  \
         x.value size is 5, needs more than 7 [value-out-of-range]\n"
    );
}

#[test]
fn values_that_only_root_may_see_are_in_the_report_and_not_in_the_message() {
    let mut report = of_reasons(&["kernel.cmdline a is 1", "kernel.cmdline b is 2", "c is 3"]);
    for (reason, line) in report.reasons.iter_mut().zip(["a is hidden", "b is hidden"]) {
        reason.discreet = Some(format!("kernel.cmdline {line}"));
    }
    let said = |report: &Report| message(report, "refused");
    assert_eq!(
        said(&report),
        "oci-compat: refused: kernel.cmdline a is hidden [value-differs, +2 more; oci-compat why c1]\n  \
         kernel.cmdline b is hidden [value-differs]\n  c is 3 [value-differs]\n"
    );
    let json = serde_json::to_string(&report).expect("a report");
    assert!(json.contains("b is 2") && !json.contains("hidden"), "{json}");
    let text = said(&report.disclosed());
    assert!(text.contains("a is 1") && text.contains("b is 2") && !text.contains("hidden"), "{text}");
}

#[test]
fn a_container_s_id_is_shortened_or_left_out_where_it_is_odd() {
    let check = |id: &str, expected: &str| {
        let subject = Subject { container: Some(id.to_owned()), ..Subject::default() };
        let report = Report { subject, ..of_reasons(&["x"]) };
        assert_eq!(
            message(&report, "refused"),
            format!("oci-compat: refused: x [value-differs; oci-compat why {expected}]\n")
        );
    };
    check("c_1+-.:@", "c_1+-.:@");
    check(&"0123456789abcdef".repeat(4), "0123456789ab");
    check(&"x".repeat(48), &"x".repeat(48));
    for odd in ["", "a b", "\u{e9}", "$(reboot)", &"x".repeat(49), &"x".repeat(64)] {
        check(odd, "CONTAINER-ID");
    }
    let nameless = Report { subject: Subject::default(), ..of_reasons(&["x"]) };
    assert_eq!(message(&nameless, "refused"), "oci-compat: refused: x [value-differs]\n");
}

/// Texts of all lengths and of all that strangers may write.
fn odd_texts() -> Vec<String> {
    let mut texts: Vec<String> = (0..300).map(|it| "x".repeat(it)).collect();
    for part in ["\u{e9}", "\u{1f600}", "\n", "\u{1b}[2J", "\u{202e}", "\"", " ", "permission ", "a\u{0}b"] {
        texts.extend([1, 7, 33, 66, 199, 200, 201, 5000].map(|it| part.repeat(it)));
    }
    for phrase in phrases::ALL {
        let mixed: String = phrase
            .chars()
            .enumerate()
            .map(|(at, it)| if at % 2 == 0 { it.to_ascii_uppercase() } else { it })
            .collect();
        for text in [
            phrase.to_owned(),
            phrase.to_uppercase(),
            mixed,
            phrase.repeat(50),
            format!("{phrase} ").repeat(9),
        ] {
            texts.extend((0..5).map(|it| "y".repeat(it * 37) + &text));
        }
    }
    texts
}

#[test]
fn whatever_the_text_engines_get_short_lines_of_ascii_without_their_phrases() {
    for text in odd_texts() {
        let many: Vec<_> = (0..12).map(|it| format!("{text}{it}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        let said = [
            message(&of_reasons(&[&text]), "refused"),
            message(&of_reasons(&many), "warning: would be refused"),
            whole([warning(&text), warning(&text)]),
        ];
        for said in said {
            assert!(said.len() <= 1024 && said.ends_with('\n'), "{said}");
            assert!(said.lines().all(|it| it.len() <= 200), "{said}");
            assert!(said.bytes().all(|it| it == b'\n' || (b' '..=b'~').contains(&it)), "{said}");

            assert_eq!(phrases::first(&said), None, "{said}");
        }
        let first = message(&of_reasons(&[&text, "another"]), "refused");
        let first = first.lines().next().unwrap_or_default();
        assert!(first.ends_with(" [value-differs, +1 more; oci-compat why c1]"), "{first}");
    }
}

#[test]
fn a_line_that_is_too_long_says_so() {
    let long = message(&of_reasons(&[&"x".repeat(201)]), "refused");
    let room = 200 - "oci-compat: refused:  [value-differs; oci-compat why c1]".len();
    let expected =
        format!("oci-compat: refused: {}... [value-differs; oci-compat why c1]\n", "x".repeat(room - 3));
    assert_eq!(long, expected);
    assert_eq!(warning("Permission Denied"), "oci-compat: warning: Permission-Denied");
}

#[test]
fn a_report_comes_back_from_json_as_it_was() {
    let unmet = set("tag: t, weight: 3, description: d, ", &["op: In, value: [6]", "op: Exists"]);
    let mut report =
        report(&[&unmet, "{rule: []}"]).with(&[], &["trouble".to_owned()], &["a note".to_owned()]);
    report.action = Some(Action::Refuse);
    let text = serde_json::to_string(&report).expect("JSON");
    assert_eq!(serde_json::from_str::<Report>(&text).expect("a report"), report);
}

#[test]
fn the_json_report_has_the_fields_that_are_promised() {
    let report = report(&[&set("tag: t, ", &["op: In, value: [6]"])]);
    let expected = serde_json::json!({
        "schema": "oci-compat.report/v1",
        "verdict": "incompatible",
        "subject": {"container": "c1"},
        "reasons": [{"code": "value-differs", "message": "x.value size is 5, needs 6"}],
        "specs": [{"source": "inline", "outcome": "unmet", "sets": [
            {"tag": "t", "weight": 0, "description": "", "outcome": "unmet", "rules": [
                {"name": "r", "outcome": "unmet", "findings": [
                    {"code": "value-differs", "outcome": "unmet", "feature": "x.value", "name": "size", "needed": "6",
                     "found": "5", "read": "/x.value", "line": 2, "column": 100}]}]}]}],
    });
    assert_eq!(serde_json::to_value(&report).expect("JSON"), expected);
}

#[test]
fn preferred_sets_that_do_not_fit_are_noted() {
    let heavy = set("tag: fast, weight: 9, ", &["op: In, value: [6]"]);
    let middle = set("weight: 5, ", &["op: In, value: [7]"]);
    let fits = set("tag: slow, weight: 1, ", &["op: In, value: [5]"]);
    let good = report(&[&[heavy, fits.clone(), middle].join(", ")]);
    assert_eq!((good.verdict.name(), good.reasons.len()), ("compatible", 0));
    assert_eq!(
        good.notes,
        [
            "fits as set \"slow\" (weight 1); preferred set \"fast\" (weight 9) not met: x.value size is 5, needs 6 \
             [value-differs]; preferred the set of weight 5 not met: x.value size is 5, needs 7 [value-differs]"
        ]
    );
    assert_eq!(report(&[&fits]).notes, Vec::<String>::new());
}

#[test]
fn trouble_leaves_nothing_compatible() {
    let fits = report(&[&set("", &["op: Exists"])]);
    assert_eq!(fits.clone().with(&[], &[], &["a note".to_owned()]).verdict.name(), "compatible");
    let troubled = fits.with(&[], &["the store\u{7}".to_owned()], &[]);
    assert_eq!(troubled.verdict.name(), "undecided");
    assert_eq!(
        message(&troubled, "warning: started unchecked"),
        "oci-compat: warning: started unchecked: the store\\u{7} [trouble; oci-compat why c1]\n"
    );
    let unfit = report(&[&set("", &["op: DoesNotExist"])]).with(&[], &["the store".to_owned()], &[]);
    assert_eq!(unfit.verdict.name(), "incompatible");
    assert_eq!(Report::trouble(subject(), "x").verdict.name(), "undecided");
}

fn page(report: &Report, style: Style) -> String {
    let mut out = Vec::new();
    text(report, style, &mut out).expect("a page");
    String::from_utf8(out).expect("text")
}

#[test]
fn the_page_for_people_says_everything() {
    let any = "{name: any, matchAny: [{matchFeatures: [{feature: x.value}]}, {matchFeatures: [{feature: not.read}]}], \
               matchFeatures: [{feature: x.value}], varsTemplate: oops}";
    let rules = format!(
        "{{description: d, rules: [{any}, {{name: r, matchFeatures: [{{feature: x.value, matchExpressions: \
                         {{size: {{op: In, value: [6]}}, longer: {{op: \"\"}}}}}}]}}]}}"
    );
    let expected = "\
incompatible: container c1
  x.value size is 5, needs 6 [value-differs]
  the template of rule any cannot be expanded: the template's line \"oops\" has no \"=\", expected <name>=<value> [template-failed]

spec inline: unmet
  set (weight 0): unmet
    d
    rule any: unknown
      met     x.value       there (/x.value), needs any
      alternative 1
        met     x.value       there (/x.value), needs any
      alternative 2
        unknown not.read      needs any
                              found unknown: was not read
                              at 2:123 [fact-unknown]
      unknown rule.matched  needs varsTemplate to expand
                            found the template's line \"oops\" has no \"=\", expected <name>=<value> (what the rule matched)
                            at 2:44 [template-failed]
    rule r: unmet
      unmet   x.value size    needs 6
                              found 5 (/x.value)
                              at 2:269 [value-differs]
      met     x.value longer  not present (/x.value), needs any
";
    let found = page(&report(&[&rules]), Style::Plain);
    assert_eq!(found, expected);
}

#[test]
fn colour_stands_beside_the_words() {
    assert_eq!(Style::Colour.outcome(Outcome::Unmet, 8), "\u{1b}[1;31munmet   \u{1b}[0m");
    assert_eq!(Style::Plain.outcome(Outcome::Met, 0), "met");
    assert_eq!(page(&report(&[]), Style::Colour), "\u{1b}[32mcompatible\u{1b}[0m: container c1\n");
}

#[test]
fn what_is_recommended_and_what_authors_advise_stands_behind_the_reasons() {
    let text = |it: &str| Some(it.to_owned());
    let missed = Reason {
        code: "element-missing".to_owned(),
        message: "z is not there".to_owned(),
        remedy: text("do that"),
        docs: text("https://example.org"),
        ..Reason::default()
    };
    let mut report = Report { recommendations: vec![missed], ..of_reasons(&["x", "y"]) };
    report.reasons[0].remedy = text("do this");
    assert_eq!(
        message(&report, "refused"),
        "oci-compat: refused: x [value-differs, +1 more; oci-compat why c1]\n  y [value-differs]\n  recommended: z is not there \
         [element-missing]\n  remedy: do this\n  remedy: do that\n  see: https://example.org\n"
    );
    report.reasons.clear();
    assert_eq!(
        message(&report, "note: started without what is recommended"),
        "oci-compat: note: started without what is recommended: z is not there [element-missing; oci-compat why c1]\n  remedy: do \
         that\n  see: https://example.org\n"
    );
}
