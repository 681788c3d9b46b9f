//! For which machines an image says that it is, as a rule. What an image says may be wrong: images are labelled by those who
//! build them, and nothing holds a label against the programs.

use serde_json::json;

use crate::decide::check::Requirement;
use crate::outcome::report::SpecOrigin;
use crate::program::machine::{I386, Machine, X86_64};
use crate::spec;
use crate::supply::attach::Platform;
use crate::supply::pull::Label;

/// By which waivers name the rule, and what reports call it.
pub const RULE: &str = "platform";
/// Platforms that a message names.
const SHOWN: usize = 6;

/// What the label of an image demands of its host, if it was asked for on behalf of a host of this platform.
///
/// The kernel has to start programs for one of the machines, by itself or by a handler of binfmt_misc; where handlers cannot be
/// seen, nothing is certain. Only a label by which engines choose is certain: where an index has nothing for a platform, engines
/// on such a host refuse to pull it. What a single image says of itself is not looked at by them, so that it is recommended and no
/// more. Nothing is demanded where the label fits this machine, and where it names what is not known here.
pub fn demand(label: &Label, asked: &Platform) -> Option<Requirement> {
    let (offered, is_certain) = match label {
        Label::Unknown => return None,
        Label::Missing(offered) => (offered.as_slice(), true),
        Label::Listed(platform) => (std::slice::from_ref(platform), true),
        Label::Claimed(platform) => (std::slice::from_ref(platform), false),
    };
    let host = Platform::of_host();
    if !matches!(label, Label::Missing(_)) && offered.iter().any(|it| is_same(it, &host)) {
        return None;
    }
    let mut machines: Vec<String> = Vec::new();
    for platform in offered {
        let machine = machine(platform)?;
        if !machines.contains(&machine) {
            machines.push(machine);
        }
    }
    let remedy = match label {
        Label::Missing(offered) => {
            format!("its index has {}, and no {asked}: have it built for {asked}", listed(offered))
        }
        Label::Listed(_) | Label::Claimed(_) | Label::Unknown => format!("have it built for {host}"),
    };
    let started = |it: &String| json!({"matchFeatures": [{"feature": "kernel.program", "matchExpressions": {it.as_str(): {"op": "Exists"}}}]});
    let alternatives: Vec<_> = machines.iter().map(started).collect();
    let document = json!({
        "version": "oci-compat/v1",
        "compatibilities": [{"rules": [{
            "name": RULE,
            "id": RULE,
            "severity": if is_certain { "required" } else { "recommended" },
            "remedy": remedy,
            "matchAny": alternatives,
        }]}],
    });
    Some(Requirement { origin: SpecOrigin::Platform, spec: spec::parse(document.to_string().as_bytes()) })
}

fn is_same(one: &Platform, other: &Platform) -> bool {
    (one.os(), one.architecture()) == (other.os(), other.architecture())
}

fn listed(platforms: &[Platform]) -> String {
    let more = if platforms.len() > SHOWN { ", ..." } else { "" };
    let names: Vec<_> = platforms.iter().take(SHOWN).map(Platform::to_string).collect();
    format!("{}{more}", names.join(", "))
}

/// The machine of its programs, as `kernel.program` calls it. `None` for what is not known here, such as WebAssembly: runtimes run
/// it that are not the kernel.
fn machine(platform: &Platform) -> Option<String> {
    let name = match (platform.os(), platform.architecture()) {
        ("linux", "amd64") => X86_64,
        ("linux", "386") => I386,
        ("linux", other) => Machine::named(other)?.name,
        // No Linux runs these.
        ("windows", _) => return Some(platform.to_string()),
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Severity, Spec, Term};

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    /// The machines, the severity and the remedy that come of a label on behalf of linux/s390x; empty for no demand.
    fn check(label: Label, expected: &str) {
        let found = demand(&label, &platform("linux/s390x")).map(|it| {
            let Spec { sets, .. } = it.spec.unwrap_or_else(|err| panic!("{err}"));
            let rule = &sets[0].rules[0];
            let is_certain = rule.severity == Severity::Required;
            let machine = |it: &Vec<Term>| it[0].expressions.as_ref().unwrap()[0].0.clone();
            let machines: Vec<_> = rule.match_any.iter().map(machine).collect();
            format!("{is_certain} {machines:?} {}", rule.remedy)
        });
        assert_eq!(found.unwrap_or_default(), expected, "{label:?}");
    }

    #[test]
    fn a_label_that_engines_choose_by_is_certain_and_another_one_is_not() {
        let s390x = || platform("linux/s390x");
        let host = Platform::of_host();
        check(Label::Unknown, "");
        check(Label::Listed(host.clone()), "");
        check(Label::Claimed(host.clone()), "");
        check(Label::Listed(s390x()), &format!("true [\"s390x\"] have it built for {host}"));
        check(Label::Claimed(s390x()), &format!("false [\"s390x\"] have it built for {host}"));
    }

    #[test]
    fn an_index_without_the_platform_names_what_it_has() {
        let missing = |platforms: &[&str]| Label::Missing(platforms.iter().map(|it| platform(it)).collect());
        check(
            missing(&["linux/ppc64le", "windows/amd64"]),
            "true [\"ppc64le\", \"windows/amd64\"] its index has linux/ppc64le, windows/amd64, and no linux/s390x: have it \
             built for linux/s390x",
        );
        // What may run somewhere, by a runtime that is not the kernel.
        check(missing(&["wasip1/wasm"]), "");
        check(missing(&["linux/ppc64le", "linux/vax"]), "");
    }
}
