//! Conditions of `NVIDIA_REQUIRE_*` on made-up drivers and GPUs.

use std::collections::BTreeMap;

use crate::eval::{self, Outcome};
use crate::host::{Fact, Facts, Feature, Instance, Unknown};
use crate::spec::{Condition, Expression, Group, Language, Place, Rule, Set, Severity, Spec, Term, Test};

const AT: Place = Place { line: 1, column: 1 };

/// Alternatives with blanks between them, of each of which all conditions hold; `ease` says what else would do.
fn spec(constraint: &str, some: Option<usize>, ease: &dyn Fn(Condition) -> Condition) -> Spec {
    let term = |alternative: &str| {
        let conditions = alternative.split(',').map(Condition::parse).map(ease);
        let expression = |it: Condition| {
            let name = it.comparison.as_ref().map_or("", |it| it.property.name()).to_owned();
            (name, Expression { test: Test::Nvidia(it), at: AT })
        };
        let expressions = Some(conditions.map(expression).collect());
        let term = Term { feature: "gpu.nvidia".to_owned(), expressions, name: None, count: None, at: AT };
        Group::Terms(vec![term])
    };
    let group = Box::new(Group::Any(constraint.split(' ').map(term).collect()));
    let rule = Rule {
        name: "r".to_owned(),
        severity: Severity::Required,
        id: String::new(),
        remedy: String::new(),
        docs: String::new(),
        when: None,
        groups: vec![Group::EachGpu { group, some }],
        vars: BTreeMap::new(),
        vars_template: None,
        match_features: Vec::new(),
        match_any: Vec::new(),
        at: AT,
    };
    let set = Set { tag: String::new(), weight: 0, description: String::new(), rules: vec![rule], at: AT };
    Spec { language: Language::Own, sets: vec![set] }
}

/// A driver of these attributes, and its GPUs.
fn host(driver: &[(&str, &str)], gpus: &[&[(&str, &str)]]) -> Facts {
    let mut feature = Feature::attributes(driver.iter().copied());
    let instances = gpus.iter().enumerate().map(|(index, attributes)| Instance {
        attributes: attributes.iter().map(|(name, it)| ((*name).to_owned(), (*it).to_owned())).collect(),
        read: Some(format!("/proc/driver/nvidia/gpus/0000:0{index}:00.0")),
    });
    feature.instances = Some(instances.collect());
    let mut facts = Facts::default();
    facts.insert("gpu.nvidia", Fact::Known(feature, "/proc/driver/nvidia/version".to_owned()));
    facts
}

fn check_with(facts: &Facts, spec: &Spec, outcome: Outcome, reason: &str) {
    let judgement = eval::evaluate(spec, &[], facts);
    let reasons = judgement.sets[0].reasons();
    let reasons: Vec<_> = reasons.iter().map(|(code, line)| format!("{line} [{}]", code.name())).collect();
    assert_eq!((judgement.outcome, &*reasons.join("\n")), (outcome, reason));
}

fn check(facts: &Facts, constraint: &str, outcome: Outcome, reason: &str) {
    check_with(facts, &spec(constraint, None, &|it| it), outcome, reason);
}

const OLD: [(&str, &str); 2] = [("driver", "470.256.02"), ("cuda", "11.4")];

#[test]
fn what_the_driver_is_and_which_one_would_do_is_said() {
    let mut facts = host(&OLD, &[&[("arch", "8.0"), ("brand", "Tesla")]]);
    check(&facts, "cuda>=11.4", Outcome::Met, "");
    let old =
        "the image needs CUDA 12.4 or newer; driver 470.256.02 has CUDA 11.4: install driver 550.54 or newer";
    check(&facts, "cuda>=12.4", Outcome::Unmet, &format!("{old} [nvidia-require]"));
    let range = "cuda>=12.4 brand=tesla,driver>=450,driver<451";
    check(&facts, range, Outcome::Unmet, &format!("{old} (nearest of 2 alternatives) [nvidia-require]"));
    check(&facts, "cuda>=12.4 brand=tesla,driver>=470,driver<471", Outcome::Met, "");
    check(
        &facts,
        "driver>=550.54.14",
        Outcome::Unmet,
        "the image needs NVIDIA driver 550.54.14 or newer; this host has 470.256.02: install driver 550.54.14 or newer \
         [nvidia-require]",
    );
    check(
        &facts,
        "driver<470",
        Outcome::Unmet,
        "the image needs NVIDIA driver older than 470; this host has 470.256.02 [nvidia-require]",
    );
    facts.insert("system.osrelease", os("ubuntu", "24.04"));
    let install = format!("{old} (apt install nvidia-driver-550) [nvidia-require]");
    check(&facts, "cuda>=12.4", Outcome::Unmet, &install);
    facts.insert("system.osrelease", os("debian", "12"));
    check(&facts, "cuda>=12.4", Outcome::Unmet, &format!("{old} [nvidia-require]"));
    facts.insert("system.osrelease", os("debian", "13"));
    check(
        &facts,
        "cuda>=12.4",
        Outcome::Unmet,
        &format!("{old} (apt install nvidia-driver) [nvidia-require]"),
    );
}

fn os(id: &str, version: &str) -> Fact {
    Fact::Known(Feature::attributes([("ID", id), ("VERSION_ID", version)]), "/etc/os-release".to_owned())
}

#[test]
fn a_host_without_the_driver_is_said_to_have_none() {
    let mut facts = Facts::default();
    let read = "/proc/driver/nvidia/version; GPU 0000:04:00.0 (10de:2330) belongs to driver nouveau";
    facts.insert("gpu.nvidia", Fact::Absent(read.to_owned()));
    facts.insert("system.osrelease", os("ubuntu", "22.04"));
    check(
        &facts,
        "cuda>=12.4 brand=tesla,driver>=470,driver<471",
        Outcome::Unmet,
        "the image needs CUDA 12.4 or newer, and this host has no NVIDIA driver (GPU 0000:04:00.0 (10de:2330) belongs to \
         driver nouveau): install driver 550.54 or newer (apt install nvidia-driver-550) [nvidia-require]",
    );
    check(
        &facts,
        "brand!=geforce",
        Outcome::Unmet,
        "the image needs a GPU of brand other than geforce, and this host has no NVIDIA driver (GPU 0000:04:00.0 \
         (10de:2330) belongs to driver nouveau): install the driver (ubuntu-drivers install) [nvidia-require]",
    );
}

#[test]
fn what_the_host_does_not_tell_is_unknown() {
    let facts = host(&[("driver", "470.256.02"), ("cuda", "")], &[&[]]);
    let read = "/proc/driver/nvidia/version";
    check(
        &facts,
        "cuda>=11",
        Outcome::Unknown,
        &format!(
            "the image needs CUDA 11 or newer; the cuda of this host is unknown: {read} does not tell the cuda [fact-unknown]"
        ),
    );
    check(
        &facts,
        "arch>=8.0",
        Outcome::Unknown,
        &format!(
            "the image needs a GPU of compute capability 8.0 or newer; the arch of this host is unknown: {read} does not tell \
             the arch [fact-unknown]"
        ),
    );
    check(
        &facts,
        "arch>=8.0,driver>=500",
        Outcome::Unmet,
        "the image needs NVIDIA driver 500 or newer; this host has \
        470.256.02: install driver 500 or newer [nvidia-require]",
    );
    let mut hidden = Facts::default();
    hidden.insert("gpu.nvidia", Fact::Unknown(Unknown::new("/dev/dxg", "is there: this is WSL 2")));
    check(
        &hidden,
        "cuda>=11",
        Outcome::Unknown,
        "the image needs CUDA 11 or newer; the cuda of this host is unknown: /dev/dxg is there: this is WSL 2 [fact-unknown]",
    );
}

/// A driver that is newer than this program.
#[test]
fn limits_decide_where_they_can() {
    let mut feature = Feature::attributes([("driver", "999.10"), ("cuda_at_least", "13.3")]);
    feature.doubtful.insert("cuda".to_owned(), Unknown::new("/proc", "is of a driver that is not known"));
    let mut facts = Facts::default();
    facts.insert("gpu.nvidia", Fact::Known(feature, "/proc".to_owned()));
    check(&facts, "cuda>=12.4", Outcome::Met, "");
    check(
        &facts,
        "cuda>=14.0",
        Outcome::Unknown,
        "the image needs CUDA 14.0 or newer; the cuda of this host is unknown: /proc is of a driver that is not known \
         [fact-unknown]",
    );
}

#[test]
fn what_is_no_condition_is_said_where_it_decides() {
    let facts = host(&OLD, &[]);
    check(
        &facts,
        "cuda>=12,foo cuda=>11",
        Outcome::Unknown,
        "in the image's environment \"cuda=>11\" is no condition such as cuda>=12.4, and NVIDIA's own hook refuses it \
         (nearest of 2 alternatives) [nvidia-require]",
    );
    check(&facts, "cuda=>11 cuda>=11", Outcome::Met, "");
}

#[test]
fn every_gpu_that_the_container_is_given_has_to_do() {
    let both = host(&OLD, &[&[("arch", "8.0")], &[("arch", "7.5")]]);
    let old =
        "the image needs a GPU of compute capability 8.0 or newer; GPU 0000:01:00.0 has 7.5 [nvidia-require]";
    check(&both, "arch>=8.0", Outcome::Unmet, old);
    check(&both, "arch>=7.0", Outcome::Met, "");
    let which = "the image needs a GPU of compute capability 8.0 or newer; the arch of this host is unknown: differs among the \
                 host's 2 GPUs, and it is not known which 1 of them the container is given [fact-unknown]";
    check_with(&both, &spec("arch>=8.0", Some(1), &|it| it), Outcome::Unknown, which);
    check_with(&both, &spec("arch>=8.0", Some(2), &|it| it), Outcome::Unmet, old);
    check_with(
        &both,
        &spec("arch>=9.0", Some(1), &|it| it),
        Outcome::Unmet,
        "the image needs a GPU of compute capability \
        9.0 or newer; GPU 0000:00:00.0 has 8.0 [nvidia-require]",
    );
    check(&both, "arch>=8.0 cuda>=11", Outcome::Met, "");
    let mixed = "arch>=8.0,brand=tesla arch<8.0,brand=geforce";
    let mixed_host =
        host(&OLD, &[&[("arch", "8.0"), ("brand", "Tesla")], &[("arch", "7.5"), ("brand", "GeForce")]]);
    check(&mixed_host, mixed, Outcome::Met, "");
}

#[test]
fn older_drivers_do_where_cuda_is_compatible() {
    let ease = |it: Condition| Condition { or_driver: Some("525".to_owned()), ..it };
    let spec = spec("cuda>=12.4", None, &ease);
    let facts = |driver: &str, cuda: &str| host(&[("driver", driver), ("cuda", cuda)], &[&[]]);
    check_with(&facts("525.60.13", "12.0"), &spec, Outcome::Met, "");
    check_with(&facts("550.54.14", "12.4"), &spec, Outcome::Met, "");
    check_with(
        &facts("520.61.05", "11.8"),
        &spec,
        Outcome::Unmet,
        "the image needs CUDA 12.4 or newer; driver 520.61.05 has CUDA 11.8: install driver 525 or newer [nvidia-require]",
    );
}

#[test]
fn libraries_of_the_image_do_on_gpus_for_data_centres() {
    let spec = spec("cuda>=12.4", None, &|it| Condition { or_compat: true, ..it });
    check_with(&host(&OLD, &[&[("brand", "Tesla")]]), &spec, Outcome::Met, "");
    let old =
        "the image needs CUDA 12.4 or newer; driver 470.256.02 has CUDA 11.4: install driver 550.54 or newer";
    check_with(
        &host(&OLD, &[&[("brand", "GeForce")]]),
        &spec,
        Outcome::Unmet,
        &format!("{old} [nvidia-require]"),
    );
    let unknown = "the image needs CUDA 12.4 or newer; the cuda of this host is unknown: /proc/driver/nvidia/version tells CUDA \
                   11.4; the image brings the libraries for a newer one, and whether this GPU can use them is not known \
                   [fact-unknown]";
    check_with(&host(&OLD, &[&[]]), &spec, Outcome::Unknown, unknown);
}
