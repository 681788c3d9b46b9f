//! What an image says of its host without a spec: its platform, and the conditions of NVIDIA's images.

use serde::Deserialize;

use super::Loss;
use crate::nvidia::{self, Environment, GivenGpus, NvidiaDemand, Strictness};
use crate::spec::formats::{self, Understood};
use crate::spec::{
    Bound, Comparator, Comparison, Condition, Expression, Group, Language, Pattern, Place, Property, Rule,
    Set, Severity, Spec, Term, Test,
};
use crate::words::text::quoted;
use crate::words::version::Version;

const START: Place = Place { line: 1, column: 1 };
/// Architectures as Go calls them, and their machines as `kernel.program` does: a host starts more than its own machine's programs.
const ARCHITECTURES: [(&str, &str); 8] = [
    ("amd64", "x86-64"),
    ("386", "i386"),
    ("arm64", "arm64"),
    ("arm", "arm"),
    ("ppc64le", "ppc64le"),
    ("s390x", "s390x"),
    ("riscv64", "riscv64"),
    ("loong64", "loongarch64"),
];

/// An image's configuration (image-spec 1.1, `config.md`).
#[derive(Deserialize)]
struct ImageConfiguration {
    architecture: String,
    os: String,
    variant: Option<String>,
    #[serde(rename = "os.version")]
    os_version: Option<String>,
    config: Option<ConfiguredEnvironment>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ConfiguredEnvironment {
    env: Option<Vec<String>>,
}

/// As [`formats::understand`], and the configuration of an image, and lines with variables of NVIDIA's.
pub fn understand(bytes: &[u8]) -> Understood {
    if let Ok(image) = serde_json::from_slice::<ImageConfiguration>(bytes) {
        let env = image.config.iter().flat_map(|it| it.env.iter().flatten());
        let (mut rules, mut losses) = platform(&image);
        environment(env.map(String::as_str), &mut rules, &mut losses);
        return understood(rules, losses);
    }
    match variables(bytes) {
        Some(lines) => {
            let (mut rules, mut losses) = (Vec::new(), Vec::new());
            environment(lines.into_iter(), &mut rules, &mut losses);
            understood(rules, losses)
        }
        None => formats::understand(bytes),
    }
}

/// The lines of a text that has nothing but variables of NVIDIA's and comments.
fn variables(bytes: &[u8]) -> Option<Vec<&str>> {
    let lines = std::str::from_utf8(bytes).ok()?.lines().map(str::trim);
    let lines: Vec<_> = lines.filter(|it| !it.is_empty() && !it.starts_with('#')).collect();
    let is_variable = |it: &&str| it.starts_with("NVIDIA_") || it.starts_with("CUDA_VERSION=");
    (!lines.is_empty() && lines.iter().all(is_variable)).then_some(lines)
}

fn understood(rules: Vec<Rule>, losses: Vec<Loss>) -> Understood {
    let set = Set { tag: String::new(), weight: 0, description: String::new(), rules, at: START };
    Understood {
        spec: Some(Spec { language: Language::Own, sets: vec![set] }),
        malformed: None,
        losses: losses.into_iter().map(|Loss { at, message }| crate::spec::Problem { at, message }).collect(),
    }
}

fn platform(image: &ImageConfiguration) -> (Vec<Rule>, Vec<Loss>) {
    let (mut rules, mut losses) = (Vec::new(), Vec::new());
    let mut lose = |what: String| losses.push(Loss { at: START, message: what });
    match (image.os.as_str(), ARCHITECTURES.iter().find(|(it, _)| *it == image.architecture)) {
        ("linux", Some((name, machine))) => {
            let term = term("kernel.program", machine, Test::Exists);
            rules.push(rule(&format!("platform linux/{name}"), vec![term]));
        }
        (os, _) => lose(format!("platform {os}/{} is left out: it has no rule here", image.architecture)),
    }
    match (image.architecture.as_str(), image.variant.as_deref()) {
        (_, None | Some("")) | ("amd64", Some("v1")) | ("arm64", Some("v8")) => {}
        ("amd64", Some(level @ ("v2" | "v3" | "v4"))) => {
            let flag = format!("X86_64_{}", level.to_uppercase());
            rules.push(rule(&format!("variant {level}"), vec![term("cpu.cpuid", &flag, Test::Exists)]));
        }
        ("arm64", Some(level)) if level.starts_with("v8.") || level.starts_with("v9.") => {
            rules.push(rule(&format!("variant {level}"), vec![term("system.arch", level, Test::Exists)]));
        }
        (_, Some(variant)) => lose(format!("variant {variant:?} is left out: it has no rule here")),
    }
    if let Some(version) = &image.os_version {
        lose(format!(
            "os.version {version:?} is left out: only `select` and `check --remote` compare builds of Windows"
        ));
    }
    (rules, losses)
}

/// Adds the conditions of NVIDIA's variables, as NVIDIA reads them.
fn environment<'a>(variables: impl Iterator<Item = &'a str>, rules: &mut Vec<Rule>, losses: &mut Vec<Loss>) {
    let environment = Environment::of(variables);
    let (demands, faults) = nvidia::demands(&environment, GivenGpus::Gpus(None), Strictness::Strict, None);
    losses.extend(faults.into_iter().map(|message| Loss { at: START, message }));
    for NvidiaDemand { variable, spec } in demands {
        for mut found in spec.sets.into_iter().flat_map(|it| it.rules) {
            let at = found.at;
            match found.groups.iter().map(plain).collect() {
                Ok(groups) => found.groups = groups,
                Err(condition) => {
                    let message = format!(
                        "{variable} is left out: no spec can say its condition {}",
                        quoted(condition)
                    );
                    losses.push(Loss { at, message });
                    continue;
                }
            }
            rules.push(found);
            let message = format!(
                "{variable} counts only for containers with GPUs, and a driver of the same major version may do; a spec counts for all \
                 containers, to the letter"
            );
            losses.push(Loss { at, message });
        }
    }
}

/// A group with tests of versions and names instead of NVIDIA's conditions; the condition if one cannot be said so.
fn plain(group: &Group) -> Result<Group, &str> {
    fn all(groups: &[Group]) -> Result<Vec<Group>, &str> {
        groups.iter().map(plain).collect()
    }
    Ok(match group {
        Group::Terms(terms) => {
            let mut found = Vec::new();
            for term in terms {
                let expressions = term.expressions.as_deref().unwrap_or_default();
                if expressions.is_empty() {
                    found.push(term.clone());
                }
                for (name, expression) in expressions {
                    let Test::Nvidia(condition) = &expression.test else { return Err(name) };
                    let test = of_condition(condition).ok_or(condition.text.as_str())?;
                    let expression = Expression { test, at: expression.at };
                    found.push(Term { expressions: Some(vec![(name.clone(), expression)]), ..term.clone() });
                }
            }
            Group::Terms(found)
        }
        Group::All(groups) => Group::All(all(groups)?),
        Group::Any(groups) => Group::Any(all(groups)?),
        Group::Not(group) => Group::Not(Box::new(plain(group)?)),
        Group::Named { name, group } => Group::Named { name: name.clone(), group: Box::new(plain(group)?) },
        Group::EachGpu { group, .. } => plain(group)?,
    })
}

fn of_condition(condition: &Condition) -> Option<Test> {
    let Comparison { property, comparator, value } = condition.comparison.as_ref()?;
    if let Property::Brand = property {
        if *comparator != Comparator::Equal || !value.bytes().all(|it| it.is_ascii_alphanumeric()) {
            return None;
        }
        // NVIDIA compares brands without case. Letters and digits are a pattern for themselves.
        let pattern = Pattern::parse(&format!("(?i)^{value}$")).ok()?;
        return Some(Test::InRegexp(vec![pattern]));
    }
    let version = Version::parse(value)?;
    Some(Test::Version(match comparator {
        Comparator::Equal => Bound::GeLe(version.clone(), version),
        Comparator::NotEqual => Bound::Outside(version.clone(), version),
        Comparator::Less => Bound::Lt(version),
        Comparator::LessOrEqual => Bound::Le(version),
        Comparator::Greater => Bound::Gt(version),
        Comparator::GreaterOrEqual => Bound::Ge(version),
    }))
}

fn rule(name: &str, terms: Vec<Term>) -> Rule {
    Rule {
        name: name.to_owned(),
        severity: Severity::Required,
        id: String::new(),
        remedy: String::new(),
        docs: String::new(),
        when: None,
        groups: Vec::new(),
        vars: std::collections::BTreeMap::new(),
        vars_template: None,
        match_features: terms,
        match_any: Vec::new(),
        at: START,
    }
}

fn term(feature: &str, name: &str, test: Test) -> Term {
    let expression = Expression { test, at: START };
    Term {
        feature: feature.to_owned(),
        expressions: Some(vec![(name.to_owned(), expression)]),
        name: None,
        count: None,
        at: START,
    }
}
