//! Rules about a container, from `config.json` to the sentences.

use super::spec;
use crate::eval::{Outcome, demand, evaluate};
use crate::host::{BundleConfig, Facts, add_bundle};

const CONFIG: &str = r#"{
    "process": {
        "capabilities": {"bounding": ["CAP_CHOWN"]},
        "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 1024, "hard": 18446744073709551615}]
    },
    "mounts": [{"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["size=65536k"]},
               {"destination": "/dev/fuse", "type": "bind", "source": "/dev/fuse"}],
    "linux": {
        "namespaces": [{"type": "pid"}],
        "resources": {"memory": {"limit": 1073741824}},
        "seccomp": {"defaultAction": "SCMP_ACT_ERRNO", "syscalls": [
            {"names": ["read"], "action": "SCMP_ACT_ALLOW"},
            {"names": ["clone"], "action": "SCMP_ACT_ALLOW", "args": [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]}]}
    }
}"#;

/// The outcome of a term, its first reason, and its first hint.
fn check(feature: &str, test: &str, outcome: Outcome, reason: &str, hint: &str) {
    let spec = spec(&format!("{{name: r, matchFeatures: [{{feature: {feature}, {test}}}]}}"));
    let mut facts = Facts::default();
    add_bundle(&mut facts, &BundleConfig::new(CONFIG.as_bytes().to_vec()), &demand(&spec, &[]));
    let judgement = evaluate(&spec, &[], &facts);
    let (set, all) = (&judgement.sets[0], judgement.sets[0].reasons());
    let first = all.first().map_or_else(String::new, |(code, it)| format!("{it} [{}]", code.name()));
    let findings = set.rules[0].terms[0].findings.iter();
    let hints: Vec<_> = findings.filter_map(super::Finding::hint).collect();
    assert_eq!((judgement.outcome, &*first), (outcome, reason), "{test}");
    assert_eq!(hints.first().map_or("", |it| it), hint, "{test}");
}

fn check_element(feature: &str, expression: &str, outcome: Outcome, reason: &str, hint: &str) {
    check(feature, &format!("matchExpressions: {{{expression}}}"), outcome, reason, hint);
}

#[test]
fn what_the_container_is_given_is_met() {
    let met = |feature: &str, expression: &str| check_element(feature, expression, Outcome::Met, "", "");
    met("bundle.capability", "CAP_CHOWN: {op: Exists}");
    met("bundle.device", "/dev/null: {op: Exists}");
    met("bundle.mount", "destination: {op: In, value: [/dev/shm]}, type: {op: In, value: [tmpfs]}");
    met("bundle.namespace", "pid: {op: Exists}, network: {op: DoesNotExist}");
    met(
        "bundle.resource",
        "memory.limit: {op: Ge, value: [1073741824]}, pids.limit: {op: Ge, value: [100000]}",
    );
    met("bundle.rlimit", "RLIMIT_NOFILE.hard: {op: Ge, value: [65536]}");
    met(
        "bundle.seccomp",
        "read: {op: Exists}, bpf: {op: DoesNotExist}, default_action: {op: In, value: [SCMP_ACT_ERRNO]}",
    );
}

#[test]
fn what_the_container_does_not_get_is_reported_with_a_remedy() {
    let unmet = |feature: &str, expression: &str, reason: &str, hint: &str| {
        check_element(feature, expression, Outcome::Unmet, &format!("{reason} [container-config]"), hint);
    };
    unmet(
        "bundle.capability",
        "CAP_SYS_ADMIN: {op: Exists}",
        "capability CAP_SYS_ADMIN is not given to the container",
        "run it with --cap-add=CAP_SYS_ADMIN; in Kubernetes, add it to securityContext.capabilities",
    );
    unmet(
        "bundle.capability",
        "CAP_CHOWN: {op: DoesNotExist}",
        "capability CAP_CHOWN is given to the container",
        "",
    );
    unmet(
        "bundle.device",
        "/dev/kvm: {op: Exists}",
        "device /dev/kvm is not given to the container",
        "run it with --device=/dev/kvm; in Kubernetes, a device plugin or a resource claim gives it",
    );
    unmet(
        "bundle.rlimit",
        "RLIMIT_NOFILE.soft: {op: Ge, value: [65536]}",
        "the container's RLIMIT_NOFILE.soft is 1024, needs at least 65536",
        "run it with --ulimit nofile=SOFT:HARD",
    );
    unmet(
        "bundle.seccomp",
        "io_uring_setup: {op: Exists}",
        "system call io_uring_setup is refused by the container's seccomp filter",
        "run it with a seccomp profile that allows io_uring_setup (--security-opt seccomp=FILE)",
    );
    unmet(
        "bundle.seccomp",
        "default_action: {op: DoesNotExist}",
        "the container's default_action is SCMP_ACT_ERRNO, and must not be present",
        "",
    );
    unmet(
        "bundle.namespace",
        "pid: {op: DoesNotExist}",
        "the container's pid namespace is its own, or a joined one",
        "",
    );
    unmet(
        "bundle.namespace",
        "user: {op: Exists}",
        "the container's user namespace is that of the runtime",
        "",
    );
    unmet(
        "bundle.resource",
        "memory.limit: {op: Ge, value: [4294967296]}",
        "the container's memory.limit is 1073741824, needs at least 4294967296",
        "",
    );
    unmet(
        "bundle.mount",
        "destination: {op: In, value: [/data]}",
        "no mount in the container with destination /data",
        "",
    );
}

#[test]
fn what_config_json_does_not_tell_is_unknown_and_nothing_beside_it() {
    let unknown = |feature: &str, expression: &str, reason: &str| {
        check_element(feature, expression, Outcome::Unknown, &format!("{reason} [fact-unknown]"), "");
    };
    unknown(
        "bundle.seccomp",
        "clone: {op: Exists}, read: {op: Exists}",
        "system call clone is unknown, needs allowed by the container's seccomp filter: \
         config.json linux.seccomp.syscalls[1] decides on clone by its arguments",
    );
    unknown(
        "bundle.rlimit",
        "RLIMIT_MEMLOCK.soft: {op: Ge, value: [65536]}, RLIMIT_NOFILE.soft: {op: Exists}",
        "the container's RLIMIT_MEMLOCK.soft is unknown, needs at least 65536: config.json process.rlimits does not set \
         RLIMIT_MEMLOCK, so that the container inherits the runtime's own limit",
    );
    unknown(
        "bundle.device",
        "/dev/fuse: {op: Exists}",
        "device /dev/fuse is unknown, needs given to the container: config.json mounts[1] binds \"/dev/fuse\" at \
         \"/dev/fuse\": whether the container may open a device there is not told",
    );
    let bpf = "system call bpf is refused by the container's seccomp filter with EPERM [container-config]";
    let hint = "run it with a seccomp profile that allows bpf (--security-opt seccomp=FILE)";
    check_element("bundle.seccomp", "bpf: {op: Exists}, clone: {op: Exists}", Outcome::Unmet, bpf, hint);
}

#[test]
fn a_sysctl_comes_with_the_command_that_sets_it() {
    let hint = |test: &str, expected: Option<&str>| {
        let spec = spec(&format!(
            "{{name: r, matchFeatures: [{{feature: kernel.sysctl, matchExpressions: {{vm.swappiness: {{{test}}}}}}}]}}"
        ));
        let facts = crate::testing::facts("kernel.sysctl", &[("vm.swappiness", "60")]);
        let judgement = evaluate(&spec, &[], &facts);
        let hint = judgement.sets[0].rules[0].terms[0].findings[0].hint();
        let expected =
            expected.map(|it| format!("sysctl -w vm.swappiness={it}; a file in /etc/sysctl.d makes it last"));
        assert_eq!(hint, expected, "{test}");
    };
    hint("op: Ge, value: [80]", Some("80"));
    hint("op: Le, value: [10]", Some("10"));
    hint("op: In, value: [\"0\", \"1\"]", Some("0"));
    hint("op: Lt, value: [10]", Some("9"));
    hint("op: Gt, value: [80]", Some("81"));
    hint("op: NotIn, value: [\"60\"]", None);
    hint("op: Ge, value: [60]", None);
}

#[test]
fn a_name_that_is_in_doubt_may_be_the_one_that_is_asked_for() {
    let name = |pattern: &str| format!("matchName: {{op: InRegexp, value: [{pattern}]}}");
    let doubt = "a name of bundle.seccomp is unknown, needs matching /^cl/: config.json linux.seccomp.syscalls[1] decides \
                 on clone by its arguments [fact-unknown]";
    check("bundle.seccomp", &name("^cl"), Outcome::Unknown, doubt, "");
    let none = "no element of bundle.seccomp has a name matching /^io/ [container-config]";
    check("bundle.seccomp", &name("^io"), Outcome::Unmet, none, "");
}
