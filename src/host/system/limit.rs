//! `system.limit`: the kernel's limits for all processes together. Changes no limit.

use crate::host::namespace::Namespace;
use crate::host::values::{ValuesReading, required, value};
use crate::host::{ElementKind, Fact, FeatureInfo, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "system.limit",
    kinds: &[ElementKind::Attributes],
    meaning: "the highest process id (`pid_max`), the most threads (`threads_max`) and open files (`file_max`) of the host, \
        and the most open files of one process (`nr_open`)",
    read: "/proc/sys/kernel/pid_max, /proc/sys/kernel/threads-max, /proc/sys/fs/file-max, /proc/sys/fs/nr_open",
    nfd: false,
    elements: Some(&["pid_max", "threads_max", "file_max", "nr_open"]),
    absent: "never absent",
    since: "always; `nr_open` Linux 2.6.25",
    example: "feature: system.limit\n  matchExpressions:\n    nr_open: {op: Gt, value: [\"1048575\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const FOLDER: &str = "/proc/sys";
/// Each pid namespace has its own since Linux 6.14.
const PID_MAX: &str = "/proc/sys/kernel/pid_max";
/// Documentation/admin-guide/sysctl/kernel.rst and fs.rst.
const FILES: [(&str, &str); 4] = [
    ("pid_max", PID_MAX),
    ("threads_max", "/proc/sys/kernel/threads-max"),
    ("file_max", "/proc/sys/fs/file-max"),
    ("nr_open", "/proc/sys/fs/nr_open"),
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let mut reading = ValuesReading::new(probing, wanted);
    let mut attributes = std::collections::BTreeMap::new();
    for (name, path) in FILES.into_iter().filter(|(name, _)| wanted.has(name)) {
        let shown = match path {
            PID_MAX => probing.shows_host(path, Namespace::Pid),
            _ => Ok(()),
        };
        let number = shown.and_then(|()| required(path, value(probing, path)));
        let number = number.and_then(|it| number_of(it, path));
        if let Some(number) = reading.note(number.map(Some)) {
            attributes.insert(name.to_owned(), number);
        }
    }
    reading.attributes(attributes, FOLDER)
}

fn number_of(text: String, path: &str) -> Result<String, Unknown> {
    let is_number = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
    if is_number { Ok(text) } else { Err(Unknown::new(path, format!("holds {text:?}, expected a number"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{show, told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(host: &FakeHost, expected: &str) {
        assert_eq!(told(host, FEATURE.name), expected);
    }

    fn host() -> FakeHost {
        FakeHost::new()
            .file("/proc/version", "Linux")
            .file("/proc/sys/kernel/pid_max", "4194304\n")
            .file("/proc/sys/kernel/threads-max", "254689\n")
            .file("/proc/sys/fs/file-max", "9223372036854775807\n")
    }

    #[test]
    fn a_limit_of_another_pid_namespace_is_not_the_host_s() {
        let host = host().file("/proc/sys/fs/nr_open", "1048576\n");
        let root = host.root();
        let probing = Probing::with_foreign(&root, &[Namespace::Pid]);
        let doubt = "/proc/sys/kernel/pid_max: is that of the pid namespace that we run in, not of the host";
        let expected = format!(r#"known (/proc/sys): nr_open="1048576" and maybe more: {doubt}"#);
        assert_eq!(show(&probe(&probing, &wanted(&["nr_open", "pid_max"]))), expected);
    }

    #[test]
    fn limits_are_reported_as_numbers() {
        let rest =
            r#"file_max="9223372036854775807" nr_open="1048576" pid_max="4194304" threads_max="254689""#;
        check(&host().file("/proc/sys/fs/nr_open", "1048576\n"), &format!("known (/proc/sys): {rest}"));
    }

    #[test]
    fn a_limit_that_is_missing_is_unknown() {
        let told = |name| told_of(&host(), FEATURE.name, wanted(&[name]));
        let missing = "unknown: /proc/sys/fs/nr_open: is not there, as it is on every host";
        assert_eq!(told("nr_open"), missing);
        assert_eq!(told("pid_max"), r#"known (/proc/sys): pid_max="4194304""#);
        assert_eq!(told("../version"), "known (/proc/sys): ");
    }

    #[test]
    fn a_limit_that_cannot_be_read_is_unknown() {
        let nothing = "is not there, and nor is the rest of its file system";
        check(&FakeHost::new(), &format!("unknown: /proc/sys/kernel/pid_max: {nothing}"));
        let rest = r#"file_max="9223372036854775807" pid_max="4194304" threads_max="254689""#;
        let loops = "/proc/sys/fs/nr_open: is a loop of symbolic links";
        check(
            &host().unreadable("/proc/sys/fs/nr_open"),
            &format!("known (/proc/sys): {rest} and maybe more: {loops}"),
        );
    }

    #[test]
    fn a_limit_that_is_no_number_is_unknown() {
        for text in ["", "-1", "unlimited"] {
            let host = host().file("/proc/sys/fs/nr_open", text);
            let told = told_of(&host, FEATURE.name, wanted(&["nr_open"]));
            let expected = format!("unknown: /proc/sys/fs/nr_open: holds {text:?}, expected a number");
            assert_eq!(told, expected);
        }
    }
}
