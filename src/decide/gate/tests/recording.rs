//! What is written: reports, records and the log.

use std::fs;
use std::os::unix::net::UnixDatagram;

use super::*;

#[test]
fn every_decision_that_is_not_compatible_is_recorded() {
    let check = |spec: &str, config: &str, expected: &[[&str; 5]]| {
        let place = GateFixture::new(Some(spec));
        let (_, message) = place.decide(&policy(config));
        let records = place.records();
        let found: Vec<_> = records
            .iter()
            .map(|it| {
                [
                    it.mode.name(),
                    it.verdict.name(),
                    it.situation.name(),
                    it.action.name(),
                    it.intention.name(),
                ]
            })
            .collect();
        assert_eq!(found, expected, "{spec} {config}");
        for it in &records {
            assert_eq!((it.program.as_str(), it.subject.container.as_deref()), ("hook", Some("c1")));
            assert_eq!(Some(it.message.as_str()), message.lines().next());
            assert_eq!(Some(&it.time), place.report().and_then(|it| it.time).as_ref());
        }
    };
    check(&met(), "", &[]);
    check(&unmet(), "mode = \"off\"", &[]);
    check(&unmet(), "", &[["enforce", "incompatible", "incompatible", "refuse", "refuse"]]);
    check(&unmet(), "mode = \"audit\"", &[["audit", "incompatible", "incompatible", "start", "refuse"]]);
    check(&unknown(), "", &[["enforce", "undecided", "undecided", "start", "start"]]);
    check("[]", "", &[["enforce", "undecided", "malformed", "refuse", "refuse"]]);
    let place = GateFixture::new(None);
    decide_blindly("", &no_state(), &setting(&place.options(), &policy("")));
    let found =
        place.records().into_iter().map(|it| (it.subject.container, it.situation)).collect::<Vec<_>>();
    assert_eq!(found, [(None, Situation::Trouble)]);
    let place = GateFixture::new(None);
    decide_blindly("c1", &no_state(), &setting(&place.options(), &policy("")));
    let found: Vec<_> = place.records().into_iter().map(|it| it.subject.container).collect();
    assert_eq!(found, [Some("c1".to_owned())]);
}

#[test]
fn a_decision_that_is_made_again_is_counted_beside_the_reports() {
    let place = GateFixture::new(Some(&unmet()));
    for _ in 0..3 {
        assert_eq!(place.decide(&policy("")).0, INCOMPATIBLE);
    }
    let found: Vec<_> = place.records().into_iter().map(|it| (it.first.is_some(), it.total)).collect();
    assert_eq!(found, [(false, 1), (true, 2)], "the third is only counted");
}

#[test]
fn a_record_that_cannot_be_written_changes_no_decision() {
    let place = GateFixture::new(Some(&unmet()));
    fs::create_dir(place.0.path().join("decisions.jsonl")).expect("making a fixture");
    let (refused, message) = place.decide(&policy(""));
    let said = format!(
        "oci-compat: refused: {TOO_OLD}oci-compat: warning: decision not logged: DIR/decisions.jsonl: it is a folder\n"
    );
    assert_eq!((refused, message), (INCOMPATIBLE, said));
}

#[test]
fn a_broken_configuration_is_told_to_the_log_even_where_the_container_fits() {
    let place = GateFixture::new(Some(&met()));
    let journal = UnixDatagram::bind(place.0.path().join("no-journal")).expect("a socket");
    journal.set_nonblocking(true).expect("a socket");
    let (options, policy) = (place.options(), policy(""));
    let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
    decide(&state, &DecisionContext { complaint: Some("it is broken"), ..setting(&options, &policy) });
    let mut bytes = [0; 1024];
    let length = journal.recv(&mut bytes).expect("a message");
    assert!(bytes[..length].starts_with(b"MESSAGE=it is broken\n"));
    decide(&state, &setting(&options, &policy));
    assert_eq!(journal.recv(&mut bytes).map_err(|it| it.kind()), Err(std::io::ErrorKind::WouldBlock));
}

#[test]
fn a_report_that_cannot_be_written_changes_no_decision() {
    let place = GateFixture::new(Some(&unmet()));
    place.write("reports", "no folder");
    let said = "oci-compat: refused: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version; oci-compat why c1]\n\
                oci-compat: warning: folder DIR/reports is there already\n";
    assert_eq!(place.decide(&policy("")), (INCOMPATIBLE, said.to_owned()));
}

#[test]
fn a_complaint_is_told_with_every_decision() {
    let complaint = Some("runtimes is not heeded");
    let told = |place: &GateFixture, policy: &Policy| {
        let options = place.options();
        let setting = DecisionContext { complaint, ..setting(&options, policy) };
        let state = State { id: "c1".to_owned(), bundle: place.0.path().join("bundle"), process: None };
        (decide(&state, &setting).message, decide_blindly("", &no_state(), &setting).message)
    };
    let warning = "oci-compat: warning: runtimes is not heeded\n";
    let blind = format!("{warning}oci-compat: warning: started unchecked: no state [trouble]\n");
    assert_eq!(told(&GateFixture::new(None), &policy("")), (warning.to_owned(), blind.clone()));
    let refused = format!("{warning}oci-compat: refused: {TOO_OLD}");
    assert_eq!(told(&GateFixture::new(Some(&unmet())), &policy("")), (refused, blind));
}
