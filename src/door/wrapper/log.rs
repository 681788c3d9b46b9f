//! The places where engines look for a runtime's errors: its log, in the format that they request, and its stderr.

use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use serde::Serialize;

use super::call::RuntimeLog;

/// A line of the log as runc writes it (logrus, `JSONFormatter`): containerd takes no other level for an error, and no
/// other form of time.
#[derive(Serialize)]
struct LogLine<'a> {
    level: &'a str,
    msg: &'a str,
    time: &'a str,
}

/// Says why there will be no container. The log gets one line, in one write: Podman understands no second one.
pub(super) fn tell(log: &RuntimeLog, message: &str, time: &str) {
    if let Some(path) = &log.file {
        let mut options = OpenOptions::new();
        // A pipe without a reader must not hold us up.
        options.append(true).create(true).mode(0o644).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY);
        // If there is no such log, stderr is left.
        let _unheard =
            options.open(path).and_then(|mut it| it.write_all(line(log, message, time).as_bytes()));
    }
    say(message);
}

/// One write to stderr, at most until the deadline: the other end may not read.
pub(super) fn say(message: &str) {
    if !message.is_empty() {
        // A closed stream changes no decision.
        let _unheard = nix::unistd::write(std::io::stderr(), message.as_bytes());
    }
}

fn line(log: &RuntimeLog, message: &str, time: &str) -> String {
    let message = message.trim_end();
    if log.is_json {
        let line = LogLine { level: "error", msg: message, time };
        // Plain text can always be written.
        serde_json::to_string(&line).unwrap_or_default() + "\n"
    } else {
        format!("time=\"{time}\" level=error msg=\"{}\"\n", within_go_quotes(message))
    }
}

/// As Go quotes ASCII text.
fn within_go_quotes(text: &str) -> String {
    text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t")
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: &str = "2024-02-29T12:30:45.000001Z";

    fn check(is_json: bool, message: &str, expected: &str) {
        assert_eq!(line(&RuntimeLog { file: None, is_json }, message, TIME), expected);
    }

    #[test]
    fn a_line_of_json_has_the_level_and_the_time_that_engines_want() {
        check(
            true,
            "oci-compat: refused: a \"b\" [c]\n  d\n",
            "{\"level\":\"error\",\"msg\":\"oci-compat: refused: a \\\"b\\\" [c]\\n  d\",\"time\":\"2024-02-29T12:30:45.000001Z\"}\n",
        );
    }

    #[test]
    fn a_line_of_text_is_what_runc_would_write() {
        check(
            false,
            "oci-compat: refused: a \"b\" [c]\n\td\\e\n",
            "time=\"2024-02-29T12:30:45.000001Z\" level=error msg=\"oci-compat: refused: a \\\"b\\\" [c]\\n\\td\\\\e\"\n",
        );
    }

    #[test]
    fn the_log_gets_one_line_behind_what_is_there() {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let file = folder.path().join("log.json");
        let log = RuntimeLog { file: Some(file.clone()), is_json: true };
        tell(&log, "", TIME);
        tell(&log, "", TIME);
        let line = "{\"level\":\"error\",\"msg\":\"\",\"time\":\"2024-02-29T12:30:45.000001Z\"}\n";
        assert_eq!(std::fs::read_to_string(&file).expect("a log"), line.repeat(2));
        tell(&RuntimeLog { file: Some(file.join("below")), is_json: true }, "", TIME);
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("making a fixture");
        tell(&RuntimeLog { file: Some(fifo), is_json: true }, "", TIME);
    }
}
