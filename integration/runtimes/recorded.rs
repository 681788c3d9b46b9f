//! What the hook leaves of its decisions: lines in a file, records in the journal, reports; from one container and from
//! hundreds at once, and where nothing can be written.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use nix::unistd::geteuid;
use oci_compat::outcome::decisions::Record;
use oci_compat::outcome::history::{self, HistoryCounts};
use serde_json::Value;

use super::bundle::{Bundle, SPEC};
use super::hook::{Hook, INCOMPATIBLE, MALFORMED};
use super::host::{self, Host, MET, UNMET};
use super::program::{installed, ours, run, stdin};
use super::runtime::{Runtime, skip};
use crate::schemas::Schema;

/// Longer than it takes to start hundreds of hooks on a busy machine.
const LONG: u32 = 120_000;

/// What is refused on a plain host.
fn unfit() -> Bundle {
    Bundle::hollow().annotate(SPEC, UNMET).written()
}

/// Every line of a file of decisions and of those it was rotated into; all of them have to be whole.
pub(super) fn records(path: &Path) -> Vec<Record> {
    let (mut records, schema) = (Vec::new(), Schema::decision());
    let found = history::read(path, |entry| {
        assert_eq!(schema.complaint(&serde_json::from_str(entry.line).expect("JSON")), "");
        records.push(entry.record);
        Ok(())
    });
    assert_eq!(found.expect("a file").skipped, 0);
    records
}

fn only(mut records: Vec<Record>) -> Record {
    assert_eq!(records.len(), 1, "{records:?}");
    records.remove(0)
}

fn said_of(record: &Record) -> String {
    format!("{}\n", record.message)
}

#[test]
fn a_refusal_under_runc_is_in_the_file_in_the_journal_and_in_a_report() {
    if !Runtime::Runc.works() {
        return;
    }
    let hook = Hook::on(Host::plain());
    let journal = UnixDatagram::bind(hook.journal()).expect("a socket");
    journal.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    let bundle = Bundle::with_a_shell().annotate(SPEC, UNMET).hook(&hook).written();
    let outcome = Runtime::Runc.run(&bundle);
    assert!(!outcome.status.success() && !bundle.ran(), "{outcome:?}");
    let record = only(records(&hook.decisions()));
    assert_eq!(
        (record.subject.container.as_deref(), record.action.name(), record.program.as_str()),
        (Some(bundle.id()), "refuse", "hook")
    );
    assert!(outcome.stderr.contains(&record.message), "{outcome:?}\n{record:?}");
    let mut bytes = [0; 8192];
    let length = journal.recv(&mut bytes).expect("a record");
    let fields = String::from_utf8(bytes[..length].to_vec()).expect("text");
    assert!(fields.contains(&format!("\nOCI_COMPAT_CONTAINER={}\n", bundle.id())), "{fields}");
    let why = |more: &[&str]| {
        let mut command = std::process::Command::new(ours("oci-compat"));
        command.args(["why", bundle.id(), "--reports"]).arg(hook.reports());
        run(command.arg("--decisions").arg(hook.decisions()).args(more)).stdout
    };
    let report: Value = serde_json::from_str(&why(&["--format", "json"])).expect("a report");
    assert_eq!(report["time"], record.time);
    assert_eq!(report["reasons"][0]["message"], record.reasons[0].message);
    fs::remove_dir_all(hook.reports()).expect("a folder of reports");
    assert!(why(&[]).contains("note: the report itself is gone; this is what "), "{}", why(&[]));
}

#[test]
fn a_container_that_fits_leaves_nothing() {
    let hook = Hook::on(Host::plain());
    for bundle in [Bundle::hollow(), Bundle::hollow().annotate(SPEC, MET)] {
        assert_eq!(hook.feed(&bundle.written().state()).status.code(), Some(0));
    }
    assert!(!hook.decisions().parent().expect("a folder").exists());
}

/// A hook that is waiting for its state, and what it should come to.
struct Waiting {
    child: Child,
    bundle: Bundle,
    status: i32,
}

/// Hooks for mixed containers, all running before the first one gets to read its state.
fn at_once(hook: &Hook, count: usize) -> Vec<Waiting> {
    let kinds = [(UNMET, INCOMPATIBLE), (MET, 0), (host::MALFORMED, MALFORMED)];
    let start = |index: usize| {
        let (spec, status) = kinds[index % kinds.len()];
        let bundle = Bundle::hollow().annotate(SPEC, spec).written();
        let mut command = hook.command();
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        Waiting { child: command.spawn().expect("a hook"), bundle, status }
    };
    (0..count).map(start).collect()
}

/// Lets all of them go, and returns what each said to its user, by its container.
fn let_go(waiting: Vec<Waiting>) -> BTreeMap<String, String> {
    use std::io::{Read, Write};
    let deadline = Instant::now() + Duration::from_secs(60);
    let mut waiting = waiting;
    for it in &mut waiting {
        let mut stdin = it.child.stdin.take().expect("a pipe");
        stdin.write_all(it.bundle.state().as_bytes()).expect("a reader");
    }
    let end = |mut it: Waiting| {
        let mut said = String::new();
        it.child.stderr.take().expect("a pipe").read_to_string(&mut said).expect("text");
        let status = it.child.wait().expect("a child").code();
        assert_eq!(status, Some(it.status), "{said}");
        (it.bundle.id().to_owned(), said)
    };
    let said = waiting.into_iter().map(end).filter(|(_, said)| !said.is_empty()).collect();
    assert!(Instant::now() < deadline, "they take too long");
    said
}

#[test]
fn of_two_hundred_containers_at_once_every_decision_is_recorded_once_and_whole() {
    let hook = Hook::on(Host::plain()).giving_up_after(LONG);
    let said = let_go(at_once(&hook, 200));
    let records = records(&hook.decisions());
    let recorded: BTreeMap<_, _> =
        records.iter().map(|it| (it.subject.container.clone().expect("an id"), said_of(it))).collect();
    assert_eq!((records.len(), recorded.len(), said.len()), (133, 133, 133));
    assert!(said.iter().all(|(id, said)| said.starts_with(&recorded[id])), "{said:?}\n{recorded:?}");
}

#[test]
fn no_line_is_lost_torn_or_doubled_where_hundreds_write_while_the_file_is_rotated() {
    const FULL: usize = 10 << 20;
    let hook = Hook::on(Host::plain()).giving_up_after(LONG);
    hook.feed(&unfit().state());
    let line = fs::read(hook.decisions()).expect("a line");
    // Room for some fifty lines: the others come upon a full file.
    let filled = (FULL - 50 * line.len()) / line.len();
    fs::write(hook.decisions(), line.repeat(filled)).expect("filling the file");
    let mut said = let_go(at_once(&hook, 300));
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for record in records(&hook.decisions()) {
        *found.entry(record.subject.container.expect("an id")).or_default() += 1;
    }
    assert!(hook.decisions().with_extension("jsonl.1").exists());
    found.retain(|_, count| *count != filled);
    assert_eq!((found.len(), found.values().max()), (200, Some(&1)));
    said.retain(|id, _| !found.contains_key(id));
    assert_eq!(said, BTreeMap::new());
}

#[test]
fn a_locked_file_makes_no_process_wait() {
    let hook = Hook::on(Host::plain());
    fs::create_dir(hook.decisions().parent().expect("a folder")).expect("making a folder");
    fs::write(hook.decisions(), "x".repeat(11 << 20) + "\n").expect("filling the file");
    let held = fs::File::open(hook.decisions()).expect("the file");
    held.lock().expect("a lock");
    let outcome = hook.feed(&unfit().state());
    assert_eq!((outcome.status.code(), outcome.stderr.lines().count()), (Some(INCOMPATIBLE), 1));
    assert!(outcome.took < Duration::from_secs(5));
    drop(held);
    assert_eq!(hook.feed(&unfit().state()).status.code(), Some(INCOMPATIBLE));
    assert_eq!(records_and_skipped(&hook.decisions()), (2, 1));
    assert!(fs::metadata(hook.decisions()).expect("a file").len() < 10_000);
}

fn records_and_skipped(path: &Path) -> (usize, usize) {
    let mut count = 0;
    let found = history::read(path, |_| {
        count += 1;
        Ok(())
    });
    let HistoryCounts { skipped, .. } = found.expect("a file");
    (count, skipped)
}

#[test]
fn what_stands_in_the_place_of_the_file_is_reported_and_changes_nothing() {
    let check = |make: &dyn Fn(&Path), what: &str| {
        let hook = Hook::on(Host::plain());
        fs::create_dir(hook.decisions().parent().expect("a folder")).expect("making a folder");
        make(&hook.decisions());
        let outcome = hook.feed(&unfit().state());
        assert_eq!(outcome.status.code(), Some(INCOMPATIBLE), "{outcome:?}");
        let warning = format!("decision not logged: {}: it {what}", hook.decisions().display());
        let expected = format!("oci-compat: warning: {warning}");
        assert_eq!(outcome.stderr.lines().nth(1), Some(expected.as_str()), "{outcome:?}");
        assert!(outcome.took < Duration::from_secs(5), "{outcome:?}");
    };
    let fifo = |path: &Path| {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).expect("making a fixture");
    };
    let link = |path: &Path| std::os::unix::fs::symlink("elsewhere", path).expect("making a fixture");
    check(&fifo, "is not a regular file");
    check(&link, "is a symbolic link, or a loop of them");
}

/// Whether mount namespaces can be had.
fn can_mount() -> bool {
    let works = geteuid().is_root()
        && run(std::process::Command::new("unshare").args(["--mount", "true"])).status.success();
    if !works {
        skip("unshare", "mount namespaces need root");
    }
    works
}

#[test]
fn a_full_disk_or_a_read_only_one_changes_no_verdict_and_leaves_whole_lines() {
    if !can_mount() {
        return;
    }
    let hook = Hook::on(Host::plain());
    fs::create_dir(hook.decisions().parent().expect("a folder")).expect("making a folder");
    let bundle = unfit();
    let state = bundle.state();
    // Each run of the hook, of another container, prints its status; then the file is shown, behind a mark.
    let runs = "cat >state; for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do \
                sed \"s/\\\"id\\\": *\\\"[^\\\"]*\\\"/\\\"id\\\":\\\"x$i\\\"/\" state >each; \
                \"$@\" <each 2>>said; echo $?; done; echo; cat log/decisions.jsonl";
    let full = hook.in_a_namespace(&format!("mount -t tmpfs -o size=8k tmpfs log && {runs}"), &state);
    let (statuses, lines) = full.stdout.split_once("\n\n").expect("a mark");
    assert_eq!(statuses, ["78"; 20].join("\n"), "{full:?}");
    assert!(lines.ends_with('\n') && lines.lines().count() >= 5, "{lines}");
    assert!(lines.lines().all(|it| serde_json::from_str::<Record>(it).is_ok()), "{lines}");
    let said = fs::read_to_string(hook.reports().with_file_name("said")).expect("what was said");
    assert!(said.contains("decisions.jsonl: it is on a full file system"), "{said}");
    let sealed = hook.in_a_namespace("mount -t tmpfs -o ro tmpfs log && exec \"$@\"", &state);
    assert_eq!(sealed.status.code(), Some(INCOMPATIBLE));
    assert!(sealed.stderr.contains("decisions.jsonl: it is on a read-only file system"), "{sealed:?}");
}

#[test]
fn a_limit_on_the_size_of_files_changes_no_verdict_and_leaves_whole_lines() {
    let hook = Hook::on(Host::plain());
    let script =
        "ulimit -f 2; cat >state; for i in 1 2 3 4 5 6 7 8; do \"$@\" <state 2>/dev/null; echo $?; done";
    let bundle = unfit();
    let (reader, writer) = stdin(&bundle.state());
    drop(writer);
    let mut command = std::process::Command::new("sh");
    command.args(["-c", script, "sh"]).arg(&hook.program).args(hook.command().get_args());
    let outcome = run(command.current_dir(hook.reports().parent().expect("a folder")).stdin(reader));
    assert_eq!(outcome.stdout, "78\n".repeat(8), "{outcome:?}");
    assert!(!records(&hook.decisions()).is_empty());
}

/// Starts journald in place of the machine's own, and shows what it has of us as JSON.
const JOURNALD: &str = r#"
mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal /run/log/journal || exit 90
echo 0123456789abcdef0123456789abcdef >/run/machine-id
mount --bind /run/machine-id /etc/machine-id || exit 90
journald=$1
"$journald" 2>/dev/null & pid=$!
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    [ -S /run/systemd/journal/socket ] && break; sleep 0.1
done
"$@" --journal /run/systemd/journal/socket; echo $?
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
    journalctl --quiet --directory=/run/log/journal --output=json MESSAGE_ID=1fecfd6d0e0945dabaeabb45a6e7f201 \
        OCI_COMPAT_CODE=module-not-loaded >found 2>/dev/null
    [ -s found ] && break; sleep 0.1
done
cat found
kill "$pid"; wait "$pid"
"#;

#[test]
fn the_real_journald_finds_a_decision_by_its_fields() {
    let journald = PathBuf::from("/lib/systemd/systemd-journald");
    if !journald.is_file() || installed("journalctl").is_none() {
        return skip("journald", "not installed (run integration/setup test)");
    }
    if !can_mount() {
        return;
    }
    let hook = Hook::on(Host::plain());
    let bundle = unfit();
    let script = JOURNALD.replace("$1", &journald.display().to_string());
    let outcome = hook.in_a_namespace(&script, &bundle.state());
    let (status, found) = outcome.stdout.split_once('\n').unwrap_or_default();
    if status.is_empty() {
        return skip("journald", &format!("no namespace for it: {outcome:?}"));
    }
    assert_eq!(status, "78", "{outcome:?}");
    let found: Value = serde_json::from_str(found).unwrap_or_else(|err| panic!("{err}: {outcome:?}"));
    let record = only(records(&hook.decisions()));
    assert_eq!(found["MESSAGE"], record.message.replace("oci-compat: ", ""));
    assert_eq!(found["OCI_COMPAT_CONTAINER"], bundle.id());
    assert_eq!(
        (&found["PRIORITY"], &found["OCI_COMPAT_ACTION"]),
        (&Value::from("3"), &Value::from("refuse"))
    );
    assert_eq!(
        (&found["SYSLOG_IDENTIFIER"], &found["_TRANSPORT"]),
        (&Value::from("oci-compat"), &Value::from("journal"))
    );
}
