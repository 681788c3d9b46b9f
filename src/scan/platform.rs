//! For which hosts an image says that it is, as rules. What an image says may be wrong: images are labelled by those who build
//! them, and nothing holds a label against the programs.

use serde_json::{Value, json};

use crate::decide::check::Requirement;
use crate::decide::pipeline::{self, Host, Terms};
use crate::decide::requirements::Collected;
use crate::eval::verdict::Verdict;
use crate::outcome::report::SpecOrigin;
use crate::policy::Implied;
use crate::program::OURS;
use crate::program::machine::{ARM, I386, Machine, X86_64};
use crate::spec;
use crate::supply::attach::{ImageLabel, LabelledImage, Platform};
use crate::supply::pull::Label;

/// By which waivers name the rule on the machine, and what reports call it.
pub const RULE: &str = "platform";
/// Platforms that a message names.
const SHOWN: usize = 6;

/// Windows Server 2022, since which a host also runs images of earlier builds, and the releases for the long term that followed
/// (microsoft/hcsshim, `osversion/platform_compat_windows.go`).
const LONG_TERM: [u32; 2] = [20348, 26100];
/// More than any revision of a build.
const LAST_REVISION: u32 = u32::MAX;

/// The only feature of an operating system that the specification knows (image-spec 1.1, `image-index.md`, `os.features`).
const WIN32K: &str = "win32k";

/// The flags that a processor has from each extension of arm64 on (Arm Architecture Reference Manual, A2.2; Linux,
/// `Documentation/arch/arm64/elf_hwcaps.rst`).
const ARM64: [(u32, &[&str]); 6] = [
    (801, &["ATOMICS", "ASIMDRDM", "CRC32"]),
    (802, &["DCPOP"]),
    (803, &["JSCVT", "FCMA", "LRCPC"]),
    (804, &["ASIMDDP", "DIT", "FLAGM", "ILRCPC", "USCAT"]),
    (805, &["FLAGM2", "FRINT", "SB"]),
    (900, &["SVE2"]),
];
/// Features of x86 processors that Go's `golang.org/x/sys/cpu` calls otherwise than `cpu.cpuid`.
const ALIASES: [(&str, &str); 8] = [
    ("sse41", "SSE4"),
    ("aes", "AESNI"),
    ("fma", "FMA3"),
    ("pclmulqdq", "CLMUL"),
    ("avx512", "AVX512F"),
    ("avx512gfni", "GFNI"),
    ("avx512vaes", "VAES"),
    ("avx512vpclmulqdq", "VPCLMULQDQ"),
];

/// What the label of an image demands of its host, if it was asked for on behalf of a host of this platform. `is_here` says that
/// the host is this one.
///
/// The kernel has to start programs for one of the machines, by itself or by a handler of binfmt_misc; where handlers cannot be
/// seen, nothing is certain. Only a label by which engines choose is certain: where an index has nothing for a platform, engines
/// on such a host refuse to pull it, and Windows starts no image of another build. All else is recommended and no more. Nothing is
/// demanded where the label fits this machine, and where it names what is not known here.
pub fn demand(label: &Label, asked: &Platform, is_here: bool, implied: Implied) -> Option<Requirement> {
    let rules = match label {
        Label::Unknown => return None,
        Label::Missing(offered) => {
            let remedy =
                format!("its index has {}, and no {asked}: have it built for {asked}", listed(offered));
            vec![machines(offered, true, remedy)?]
        }
        Label::Listed(label) => rules(label, is_here, true),
        Label::Claimed(label) => rules(label, is_here, false),
    };
    requirement(rules, implied)
}

fn requirement(mut rules: Vec<Value>, implied: Implied) -> Option<Requirement> {
    match implied {
        Implied::Off => return None,
        Implied::Warn => rules.iter_mut().for_each(|it| it["severity"] = json!("recommended")),
        Implied::Refuse => {}
    }
    let document = json!({"version": "oci-compat/v1", "compatibilities": [{"rules": rules}]});
    let spec = spec::parse(document.to_string().as_bytes());
    (!rules.is_empty()).then_some(Requirement { origin: SpecOrigin::Platform, spec })
}

fn rules(label: &ImageLabel, is_here: bool, is_listed: bool) -> Vec<Value> {
    let platform = &label.platform;
    let mut rules = Vec::new();
    if !(is_here && machine(platform).as_deref() == Some(OURS)) {
        let remedy = match is_here {
            true => format!("have it built for {}", Platform::of_host()),
            false => "have it built for the host's platform".to_owned(),
        };
        rules.extend(machines(std::slice::from_ref(platform), is_listed, remedy));
    }
    let flags = variant(platform);
    if !flags.is_empty() {
        rules.push(flagged("platform-variant", &format!("labelled {platform}"), &flags));
    }
    let flags: Vec<_> = label.features.iter().map(|it| flag(platform, it)).collect();
    if !flags.is_empty() {
        rules.push(flagged("platform-features", "labelled with features of the processor", &flags));
    }
    if platform.os() == "windows" {
        rules.extend(label.os_version.as_ref().and_then(|it| windows(it, is_listed)));
    }
    if !label.os_features.is_empty() {
        rules.push(os_features(&label.os_features, is_listed));
    }
    rules
}

/// That the host starts programs of one of these platforms; `None` if one of them is not known here.
fn machines(offered: &[Platform], is_certain: bool, remedy: String) -> Option<Value> {
    let mut alternatives: Vec<Value> = Vec::new();
    for platform in offered {
        let term = match (platform.os(), machine(platform)) {
            (_, Some(machine)) => {
                json!({"feature": "kernel.program", "matchExpressions": {machine: {"op": "Exists"}}})
            }
            // No Linux runs these.
            ("windows", None) => {
                json!({"feature": "system.osrelease", "matchExpressions": {"ID": {"op": "In", "value": ["windows"]}}})
            }
            (_, None) => return None,
        };
        let alternative = json!({"matchFeatures": [term]});
        if !alternatives.contains(&alternative) {
            alternatives.push(alternative);
        }
    }
    let severity = if is_certain { "required" } else { "recommended" };
    Some(json!({"name": RULE, "id": RULE, "severity": severity, "remedy": remedy, "matchAny": alternatives}))
}

fn flagged(id: &str, name: &str, flags: &[String]) -> Value {
    let wanted: serde_json::Map<_, _> =
        flags.iter().map(|it| (it.clone(), json!({"op": "Exists"}))).collect();
    let term = json!({"feature": "cpu.cpuid", "matchExpressions": wanted});
    json!({"name": name, "id": id, "severity": "recommended", "matchFeatures": [term]})
}

/// The flags of the processor that a variant stands for.
fn variant(platform: &Platform) -> Vec<String> {
    let Some(variant) = platform.variant() else { return Vec::new() };
    match platform.architecture() {
        "amd64" if ["v2", "v3", "v4"].contains(&variant) => {
            vec![format!("X86_64_{}", variant.to_uppercase())]
        }
        "arm64" => {
            let level = level(variant);
            let below = ARM64.iter().filter(|(since, _)| *since <= level);
            below.flat_map(|(_, flags)| *flags).map(|it| (*it).to_owned()).collect()
        }
        _ => Vec::new(),
    }
}

/// As a number: 802 of `v8.2`. Armv9.x has what Armv8.(x+5) has.
fn level(variant: &str) -> u32 {
    let (major, minor) =
        variant.trim_start_matches('v').split_once('.').unwrap_or((variant.trim_start_matches('v'), "0"));
    major
        .parse::<u32>()
        .ok()
        .zip(minor.parse::<u32>().ok())
        .map_or(0, |(major, minor)| major.saturating_mul(100).saturating_add(minor))
}

/// Names that are not known here are looked for as they are, and no processor has them.
fn flag(platform: &Platform, feature: &str) -> String {
    let is_x86 = ["amd64", "386"].contains(&platform.architecture());
    let known = ALIASES.iter().find(|(name, _)| is_x86 && *name == feature);
    known.map_or_else(|| feature.to_uppercase(), |(_, flag)| (*flag).to_owned())
}

/// That a Windows host starts an image of this build, with process isolation.
fn windows(version: &str, is_certain: bool) -> Option<Value> {
    let mut parts = version.split('.');
    let start = format!("{}.{}", parts.next()?, parts.next()?);
    let build: u32 = parts.next()?.parse().ok()?;
    let whole = |build: u32| format!("{start}.{build}");
    let end = LONG_TERM.iter().find(|it| build < **it);
    let wanted = match end {
        Some(_) if build < LONG_TERM[0] => json!({"op": "GeLe", "type": "version",
            "value": [whole(build), format!("{}.{LAST_REVISION}", whole(build))]}),
        Some(end) => json!({"op": "GeLe", "type": "version",
            "value": [whole(build), format!("{}.{LAST_REVISION}", whole(*end))]}),
        None => json!({"op": "Ge", "type": "version", "value": [whole(build)]}),
    };
    let term = json!({"feature": "kernel.version", "matchExpressions": {"full": wanted}});
    let severity = if is_certain { "required" } else { "recommended" };
    let remedy = "take the image for this host's build of Windows, or run it with Hyper-V isolation";
    Some(
        json!({"name": format!("labelled Windows {version}"), "id": "platform-os-version", "severity": severity,
        "remedy": remedy, "matchFeatures": [term]}),
    )
}

/// That the operating system has these features. Every Windows but Nano Server has `win32k`; others are what the administrator states
/// as `os.features/NAME`, and what engines make of them is not known here.
fn os_features(names: &[String], is_certain: bool) -> Value {
    let term = |name: &String| match name.as_str() {
        WIN32K => {
            json!({"feature": "system.osrelease", "matchExpressions": {"ID": {"op": "In", "value": ["windows"]}}})
        }
        name => {
            let stated = format!("os.features/{name}");
            json!({"feature": "local.feature", "matchExpressions": {stated: {"op": "Exists"}}})
        }
    };
    let terms: Vec<_> = names.iter().map(term).collect();
    let is_known = names.iter().all(|it| it == WIN32K);
    let severity = if is_certain && is_known { "required" } else { "recommended" };
    json!({"name": "labelled with features of the operating system", "id": "platform-os-features", "severity": severity,
        "matchFeatures": terms})
}

/// Names an image of the same index whose label fits the host better than that of the one which engines take.
pub fn add_better(
    collected: &mut Collected,
    label: &Label,
    siblings: &[LabelledImage],
    host: &Host<'_>,
    is_here: bool,
) {
    let Label::Listed(chosen) = label else { return };
    let is_fit = fits(chosen, host, is_here);
    let better = siblings.iter().filter(|it| !is_fit || rank(&it.label) > rank(chosen));
    let better = better.filter(|it| fits(&it.label, host, is_here)).max_by_key(|it| rank(&it.label));
    if let Some(LabelledImage { digest, label }) = better {
        let how = if is_fit { "which fits this host better" } else { "which fits this host" };
        collected
            .notes
            .push(format!("its index also has {label} ({digest}), {how}: ask for it by its digest"));
    }
}

/// All that a label says, as demands that have to hold. A host cannot be compared with a platform that is not known here.
pub fn required(label: &ImageLabel) -> Option<Requirement> {
    strict(label, false)
}

fn strict(label: &ImageLabel, is_here: bool) -> Option<Requirement> {
    let mut rules = rules(label, is_here, true);
    let platform = &label.platform;
    if platform.os() != "windows" && machine(platform).is_none() {
        // No probe has such a name: it is unknown, and reports show it.
        let term = json!({"feature": format!("platform/{platform}")});
        rules.push(json!({"name": RULE, "id": RULE, "matchFeatures": [term]}));
    }
    rules.iter_mut().for_each(|it| it["severity"] = json!("required"));
    requirement(rules, Implied::Refuse)
}

/// Whether all that a label says holds on a host.
pub fn fits(label: &ImageLabel, host: &Host<'_>, is_here: bool) -> bool {
    let Some(requirement) = strict(label, is_here) else { return true };
    let mut collected = Collected::default();
    collected.requirements.push(requirement);
    pipeline::assess(collected, host, &Terms::default()).verdict == Verdict::Compatible
}

/// How a host starts programs of a machine, the best way first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Nearness {
    /// As programs for its own processor, or in a way that is not known.
    Own,
    /// As 32-bit programs: a 64-bit processor has programs of its own.
    Narrow,
    /// By a handler of binfmt_misc, such as an emulator.
    Handled,
}

impl Nearness {
    /// Of a [`machine`] on a host. The facts of the host have to include those that [`handled`] asks for.
    pub fn of(machine: &str, host: &Host<'_>) -> Self {
        let mut collected = Collected::default();
        collected.requirements.extend(handled(machine));
        match pipeline::assess(collected, host, &Terms::default()).verdict {
            Verdict::Compatible => Self::Handled,
            Verdict::Undecided | Verdict::Incompatible if [I386, ARM].contains(&machine) => Self::Narrow,
            Verdict::Undecided | Verdict::Incompatible => Self::Own,
        }
    }
}

/// That a handler of binfmt_misc takes programs of a [`machine`].
pub fn handled(machine: &str) -> Option<Requirement> {
    let name = format!("{machine}.handler");
    let term = json!({"feature": "kernel.program", "matchExpressions": {name: {"op": "Exists"}}});
    requirement(vec![json!({"name": RULE, "matchFeatures": [term]})], Implied::Refuse)
}

/// How much a label asks for: the level of its variant first, then how many features it names.
pub fn specific(label: &ImageLabel) -> u32 {
    let (level, features) = rank(label);
    level.saturating_mul(100).saturating_add(u32::try_from(features).unwrap_or(u32::MAX))
}

/// How much a label asks for.
fn rank(label: &ImageLabel) -> (u32, usize) {
    (label.platform.variant().map_or(0, level), label.features.len() + label.os_features.len())
}

fn listed(platforms: &[Platform]) -> String {
    let more = if platforms.len() > SHOWN { ", ..." } else { "" };
    let names: Vec<_> = platforms.iter().take(SHOWN).map(Platform::to_string).collect();
    format!("{}{more}", names.join(", "))
}

/// The machine of its programs, as `kernel.program` calls it. `None` for what no Linux starts, or is not known here, such as
/// WebAssembly: runtimes run it that are not the kernel.
pub fn machine(platform: &Platform) -> Option<String> {
    let name = match (platform.os(), platform.architecture()) {
        ("linux", "amd64") => X86_64,
        ("linux", "386") => I386,
        ("linux", other) => Machine::named(other)?.name,
        _ => return None,
    };
    Some(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::Facts;
    use crate::spec::{Severity, Spec, Term};

    fn platform(text: &str) -> Platform {
        text.parse().unwrap()
    }

    fn label(text: &str) -> ImageLabel {
        ImageLabel {
            platform: platform(text),
            os_version: None,
            os_features: Vec::new(),
            features: Vec::new(),
        }
    }

    /// The machines, the severity and the remedy that come of a label on behalf of linux/s390x; empty for no demand.
    fn check(label: Label, expected: &str) {
        let found = demand(&label, &platform("linux/s390x"), true, Implied::Refuse).map(|it| {
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
        let s390x = || label("linux/s390x");
        let host = Platform::of_host();
        check(Label::Unknown, "");
        check(Label::Listed(label(&host.to_string())), "");
        check(Label::Claimed(label(&host.to_string())), "");
        check(Label::Listed(s390x()), &format!("true [\"s390x\"] have it built for {host}"));
        check(Label::Claimed(s390x()), &format!("false [\"s390x\"] have it built for {host}"));
    }

    #[test]
    fn an_index_without_the_platform_names_what_it_has() {
        let missing = |platforms: &[&str]| Label::Missing(platforms.iter().map(|it| platform(it)).collect());
        check(
            missing(&["linux/ppc64le", "windows/amd64"]),
            "true [\"ppc64le\", \"ID\"] its index has linux/ppc64le, windows/amd64, and no linux/s390x: have it built for linux/s390x",
        );
        // What may run somewhere, by a runtime that is not the kernel.
        check(missing(&["wasip1/wasm"]), "");
        check(missing(&["linux/ppc64le", "linux/vax"]), "");
    }

    fn facts(flags: &str, version: &str) -> Facts {
        let text = format!(
            r#"{{"flags": {{"cpu.cpuid": {{"elements": {{{flags}}}}}, "kernel.program": {{"elements": {{"x86-64": {{}}, "arm64": {{}}}}}}}},
               "attributes": {{"kernel.version": {{"elements": {{"full": "{version}"}}}},
                               "system.osrelease": {{"elements": {{"ID": "windows"}}}}}}}}"#
        );
        Facts::from_json(text.as_bytes()).unwrap()
    }

    /// Whether an image of a build starts on a host of one.
    #[test]
    fn windows_starts_images_of_its_own_build_and_since_2022_some_earlier_ones() {
        let check = |image: &str, host: &str, expected: bool| {
            let label = ImageLabel { os_version: Some(image.to_owned()), ..label("windows/amd64") };
            let facts = facts("", host);
            assert_eq!(fits(&label, &Host::Facts(&facts), false), expected, "{image} on {host}");
        };
        check("10.0.17763.5", "10.0.17763.6000", true);
        check("10.0.17763.5", "10.0.17764.1", false);
        check("10.0.17763.5", "10.0.20348.1", false);
        check("10.0.20348.5", "10.0.17763.1", false);
        check("10.0.20348.2113", "10.0.20348.1", true);
        check("10.0.20348.1", "10.0.22621.1", true);
        check("10.0.22621.1", "10.0.20348.1", false);
        check("10.0.20348.1", "10.0.26100.99", true);
        check("10.0.20348.1", "10.0.26101.1", false);
        check("10.0.26100.1", "10.0.29000.1", true);
        check("what", "10.0.26100.1", true);
    }

    #[test]
    fn features_of_the_operating_system_are_those_of_windows_or_stated() {
        let check = |names: &[&str], id: &str, stated: &str, expected: bool| {
            let os_features = names.iter().map(|it| (*it).to_owned()).collect();
            let label = ImageLabel { os_features, ..label("windows/amd64") };
            let text = format!(
                r#"{{"flags": {{"kernel.program": {{"elements": {{"x86-64": {{}}}}}}}},
                   "attributes": {{"system.osrelease": {{"elements": {{"ID": "{id}"}}}}, "local.feature": {{"elements": {{{stated}}}}}}}}}"#
            );
            let facts = Facts::from_json(text.as_bytes()).unwrap();
            assert_eq!(fits(&label, &Host::Facts(&facts), false), expected, "{text}");
        };
        check(&["win32k"], "windows", "", true);
        check(&["win32k"], "debian", "", false);
        check(&["win32k", "what"], "windows", "", false);
        check(&["win32k", "what"], "windows", r#""os.features/what": "true""#, true);
    }

    #[test]
    fn variants_and_features_are_those_of_the_processor() {
        let check = |label: ImageLabel, flags: &str, expected: bool| {
            assert_eq!(fits(&label, &Host::Facts(&facts(flags, "")), false), expected, "{label:?} {flags}");
        };
        let with = |features: &[&str]| ImageLabel {
            features: features.iter().map(|it| (*it).to_owned()).collect(),
            ..label("linux/amd64")
        };
        check(label("linux/amd64/v3"), r#""X86_64_V2": {}"#, false);
        check(label("linux/amd64/v3"), r#""X86_64_V3": {}"#, true);
        check(label("linux/amd64/v1"), "", true);
        check(label("linux/arm64/v8"), "", true);
        check(label("linux/arm64/v8.1"), "", false);
        check(label("linux/arm64/v8.1"), r#""ATOMICS": {}, "ASIMDRDM": {}, "CRC32": {}"#, true);
        check(label("linux/arm64/v9"), r#""ATOMICS": {}, "ASIMDRDM": {}, "CRC32": {}"#, false);
        check(with(&["avx2", "sse41"]), r#""AVX2": {}, "SSE4": {}"#, true);
        check(with(&["avx2", "what"]), r#""AVX2": {}"#, false);
    }

    #[test]
    fn whether_a_host_fits_a_platform_that_is_not_known_is_unknown() {
        let check = |platform: &str, expected: bool| {
            let facts = facts("", "");
            assert_eq!(fits(&label(platform), &Host::Facts(&facts), false), expected, "{platform}");
        };
        check("linux/arm64", true);
        check("linux/vax", false);
        check("wasip1/wasm", false);
    }

    #[test]
    fn a_sibling_that_fits_better_is_named() {
        let sibling = |text: &str| LabelledImage {
            digest: crate::store::Digest::of(text.as_bytes()),
            label: label(text),
        };
        let siblings = ["linux/amd64/v2", "linux/amd64/v3", "linux/amd64/v4"].map(sibling);
        let named = |chosen: &str, flags: &str| {
            let mut collected = Collected::default();
            add_better(
                &mut collected,
                &Label::Listed(label(chosen)),
                &siblings,
                &Host::Facts(&facts(flags, "")),
                false,
            );
            collected.notes.join("; ")
        };
        let note = |it: &LabelledImage, how: &str| {
            format!(
                "its index also has {} ({}), which fits this host{how}: ask for it by its digest",
                it.label, it.digest
            )
        };
        let third = r#""X86_64_V2": {}, "X86_64_V3": {}"#;
        assert_eq!(named("linux/amd64", third), note(&siblings[1], " better"));
        assert_eq!(named("linux/amd64/v4", third), note(&siblings[1], ""));
        assert_eq!(named("linux/amd64/v3", third), "");
        assert_eq!(named("linux/amd64", ""), "");
    }

    #[test]
    fn the_policy_makes_recommendations_of_labels_or_passes_them_over() {
        let listed = Label::Listed(label("linux/s390x"));
        let severity = |implied| {
            let found = demand(&listed, &platform("linux/s390x"), true, implied)?;
            Some(found.spec.unwrap().sets[0].rules[0].severity)
        };
        assert_eq!(severity(Implied::Refuse), Some(Severity::Required));
        assert_eq!(severity(Implied::Warn), Some(Severity::Recommended));
        assert_eq!(severity(Implied::Off), None);
    }
}
