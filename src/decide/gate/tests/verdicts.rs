//! Hosts that fit, that do not fit, and that may fit.

use super::*;

#[test]
fn a_container_that_demands_nothing_or_fits_starts_without_a_word() {
    check(None, "", None, "");
    check(Some(&met()), "", None, "");
    check(Some(&met()), "action.undecided = \"refuse\"\naction.trouble = \"refuse\"", None, "");
}

/// Finding out what is demanded has taken all the time: what is known to be demanded is looked at all the same.
#[test]
fn what_does_not_fit_is_refused_however_late_it_is() {
    let place = GateFixture::new(Some(&unmet()));
    let options = GateOptions { deadline: Some(Duration::from_nanos(1)), ..place.options() };
    let refused = (INCOMPATIBLE, format!("oci-compat: refused: {TOO_OLD}"));
    assert_eq!(place.decide_with(&options, &policy("")), refused);
    let spent = Policy { spent: Duration::from_secs(3600), ..policy("") };
    assert_eq!(place.decide(&spent), refused);
}

#[test]
fn what_does_not_fit_is_refused_unless_policy_says_otherwise() {
    let unmet = unmet();
    check(Some(&unmet), "", INCOMPATIBLE, &format!("oci-compat: refused: {TOO_OLD}"));
    check(
        Some(&unmet),
        "mode = \"audit\"",
        None,
        &format!("oci-compat: warning: would be refused: {TOO_OLD}"),
    );
    check(
        Some(&unmet),
        "action.incompatible = \"start\"",
        None,
        &format!("oci-compat: warning: started though incompatible: {TOO_OLD}"),
    );
    check(
        Some(&unmet),
        "mode = \"audit\"\naction.incompatible = \"start\"",
        None,
        &format!("oci-compat: warning: started though incompatible: {TOO_OLD}"),
    );
}

#[test]
fn a_rule_may_ask_what_the_container_is_given() {
    let place = GateFixture::new(None);
    let config = serde_json::json!({
        "annotations": {
            "org.oci-compat.spec": spec("feature: bundle.capability, matchExpressions: {CAP_NET_ADMIN: {op: Exists}}"),
        },
        "process": {"capabilities": {"bounding": ["CAP_CHOWN"]}},
    });
    place.write("bundle/config.json", &config.to_string());
    let message = "oci-compat: refused: capability CAP_NET_ADMIN is not given to the container \
                   [container-config; oci-compat why c1]\n";
    assert_eq!(place.decide(&policy("")), (INCOMPATIBLE, message.to_owned()));
}

#[test]
fn what_cannot_be_decided_starts_unless_policy_says_otherwise() {
    let unknown = unknown();
    check(Some(&unknown), "", None, &format!("oci-compat: warning: started undecided: {NO_PROBE}"));
    check(
        Some(&unknown),
        "action.undecided = \"refuse\"",
        UNDECIDED,
        &format!("oci-compat: refused: {NO_PROBE}"),
    );
    check(
        Some(&unknown),
        "mode = \"audit\"\naction.undecided = \"refuse\"",
        None,
        &format!("oci-compat: warning: would be refused: {NO_PROBE}"),
    );
}

/// What others demand, and what the container demands: to explain a no, and to tell what is proven, needs no second look.
#[test]
fn each_rule_is_judged_once() {
    let place = GateFixture::new(Some(&unmet()));
    place.write("requirements.d/own.toml", &format!("images = [\"*\"]\nspec = \"\"\"\n{}\"\"\"\n", unmet()));
    let policy = Policy { requirements: Some(place.0.path().join("requirements.d")), ..policy("") };
    let ((refused, _), count) = crate::testing::judged_rules(|| place.decide(&policy));
    assert_eq!((refused, count), (INCOMPATIBLE, 2));
}

#[test]
fn the_gravest_decides_and_all_are_told() {
    let place = GateFixture::new(Some(&unmet()));
    place.write("bundle/umoci.json", "[]");
    place.write("store", "no folder");
    let (refused, message) = place.decide(&policy("action.trouble = \"refuse\""));
    assert_eq!(refused, INCOMPATIBLE);
    assert_eq!(
        message,
        "oci-compat: refused: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version, +1 more; oci-compat why c1]\n  \
         the store cannot be used: DIR/store is not a folder: name the store's folder with --store [trouble]\n"
    );
    let (refused, _) = place.decide(&policy("action.incompatible = \"start\"\naction.trouble = \"refuse\""));
    assert_eq!(refused, TROUBLE);
}

#[test]
fn the_same_container_is_told_the_same_each_time() {
    let place = GateFixture::new(Some(&unmet()));
    assert_eq!(place.decide(&policy("")), place.decide(&policy("")));
}

#[test]
fn a_call_that_the_runtime_may_not_know_is_noted_and_decides_nothing() {
    let text = spec(
        "feature: kernel.version, matchExpressions: {full: {op: Ge, value: [\"6.8\"], type: version}}}, {feature: \
         bundle.seccomp, matchExpressions: {close_range: {op: Exists}}",
    );
    let place = GateFixture::new(None);
    let calls = serde_json::json!([{"names": ["close_range"], "action": "SCMP_ACT_ALLOW"}]);
    let seccomp = serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": calls});
    let config =
        serde_json::json!({"annotations": {"org.oci-compat.spec": text}, "linux": {"seccomp": seccomp}});
    place.write("bundle/config.json", &config.to_string());
    let record = r#"{"annotations": {"io.github.seccomp.libseccomp.version": "2.5.1"}}"#;
    place.write("host/etc/oci-compat/runtimes.d/runc.json", record);
    let said = format!("oci-compat: refused: {TOO_OLD}");
    assert_eq!(place.decide(&policy("")), (INCOMPATIBLE, said));
    let note = "the profile allows close_range, but libseccomp 2.5.1 of runc may not know it (since 2.5.2): it would then be \
                denied like calls that are not listed; update libseccomp";
    assert_eq!(place.report().map(|it| it.notes), Some(vec![note.to_owned()]));
}

#[test]
fn a_container_may_wish_to_be_checked_more_strictly() {
    let place = GateFixture::new(None);
    let annotations =
        serde_json::json!({"org.oci-compat.spec": unknown(), "org.oci-compat.undecided": "refuse"});
    place.write("bundle/config.json", &serde_json::json!({"annotations": annotations}).to_string());
    assert_eq!(place.decide(&policy("")), (UNDECIDED, format!("oci-compat: refused: {NO_PROBE}")));
}

#[test]
fn nothing_is_looked_at_where_the_check_is_off() {
    let off = policy("mode = \"off\"\naction.trouble = \"refuse\"");
    let place = GateFixture::new(Some("[]"));
    assert_eq!(place.decide(&off), (None, String::new()));
    assert_eq!(decide_blindly("", &no_state(), &setting(&place.options(), &off)).message, "");
}

#[test]
fn what_is_recommended_refuses_nothing_and_is_told_and_recorded_once() {
    let place = GateFixture::new(Some(&severe("recommended")));
    let said = "oci-compat: note: started without what is recommended: kernel is 6.1.0-13-amd64, needs 6.8 or newer \
                [kernel-version, +1 more; oci-compat why c1]\n  recommended: kernel version major is 6, needs at least 7 \
                [kernel-version]\n  remedy: boot it\n";
    let strict = policy("action.incompatible = \"refuse\"\naction.undecided = \"refuse\"");
    assert_eq!(place.decide(&strict), (None, said.to_owned()));
    let report = place.report().expect("a report");
    let missed: Vec<_> = report.recommendations.iter().map(|it| it.rule.as_deref()).collect();
    assert_eq!((report.verdict.name(), missed), ("compatible", vec![Some("kernel"), Some("kernel")]));
    let records = place.records();
    let actions: Vec<_> = records.iter().map(|it| (it.verdict.name(), it.action.name())).collect();
    assert_eq!(actions, [("compatible", "start")]);
}

#[test]
fn what_is_for_information_is_neither_told_nor_recorded() {
    let place = GateFixture::new(Some(&severe("info")));
    assert_eq!(place.decide(&policy("")), (None, String::new()));
    assert_eq!(place.records().len(), 0);
}

#[test]
fn what_is_required_has_every_lack_counted_and_the_remedy() {
    let said = "oci-compat: refused: kernel is 6.1.0-13-amd64, needs 6.8 or newer [kernel-version, +1 more; oci-compat why c1]\n  \
                kernel version major is 6, needs at least 7 [kernel-version]\n  remedy: boot it\n";
    check(Some(&severe("required")), "", Some(Situation::Judged(Verdict::Incompatible)), said);
}

#[test]
fn every_lack_of_one_term_is_in_the_message_the_report_and_the_record() {
    let settings =
        ["fs.file-max", "kernel.pid_max", "net.core.rmem_max", "net.core.wmem_max", "vm.max_map_count"];
    let tests = settings.map(|it| format!("{it}: {{op: Ge, value: [1000]}}")).join(", ");
    let place =
        GateFixture::new(Some(&spec(&format!("feature: kernel.sysctl, matchExpressions: {{{tests}}}"))));
    for (index, setting) in settings.iter().enumerate() {
        place.write(&format!("host/proc/sys/{}", setting.replace('.', "/")), &format!("{index}\n"));
    }
    let (refused, said) = place.decide(&policy(""));
    let lacks = [0, 1, 2, 3, 4].map(|it| {
        let setting = settings[it];
        format!("sysctl {setting} is {it}, needs at least 1000 (try: sysctl -w {setting}=1000)")
    });
    let others: String = lacks[1..].iter().map(|it| format!("  {it} [value-out-of-range]\n")).collect();
    let first = format!("{} [value-out-of-range, +4 more; oci-compat why c1]", lacks[0]);
    assert_eq!((refused, said), (INCOMPATIBLE, format!("oci-compat: refused: {first}\n{others}")));
    let report = place.report().expect("a report");
    let reported: Vec<_> = report.reasons.iter().map(|it| it.message.clone()).collect();
    assert_eq!(reported, lacks);
    let records = place.records();
    let recorded: Vec<_> = records.iter().flat_map(|it| &it.reasons).map(|it| it.message.clone()).collect();
    assert_eq!(recorded, lacks);
}
