//! Conditions of `NVIDIA_REQUIRE_*` against the driver and one GPU. What the host does not tell is unknown: NVIDIA's own
//! evaluator takes it for satisfied.

use crate::host::{Fact, Facts, Feature, Unknown};
use crate::spec::{Bound, Comparator, Condition, Property, Term, Test};
use crate::words::version::Version;

use super::{Evidence, JudgedTerm, Outcome, range};

/// The feature that such conditions are about.
pub(super) const FEATURE: &str = "gpu.nvidia";
/// The most GPUs that are judged: no host has more.
pub(super) const MOST: usize = 256;
/// Brands of GPUs for data centres, for which CUDA's forward compatibility is made, and of those for which it is not
/// (docs.nvidia.com, CUDA Compatibility). Some of all others have it.
const DATA_CENTRE: [&str; 1] = ["tesla"];
const CONSUMER: [&str; 5] = ["geforce", "geforcertx", "titan", "titanrtx", "nvs"];

/// Whether a term is such a condition.
pub(super) fn is_condition(term: &Term) -> bool {
    term.expressions.iter().flatten().any(|(_, it)| matches!(it.test, Test::Nvidia(_)))
}

/// How many GPUs the host has.
pub(super) fn gpus(facts: &Facts) -> usize {
    match facts.get(FEATURE) {
        Fact::Known(feature, _) => feature.instances.as_ref().map_or(0, Vec::len),
        Fact::Absent(_) | Fact::Unknown(_) => 0,
    }
}

/// Why what holds for some GPUs and not for others is not known.
pub(super) fn which(some: Option<usize>, all: usize) -> Unknown {
    let reason = match some {
        Some(0) | None => format!(
            "differs among the host's {all} GPUs, and it is not known which of them the container is given"
        ),
        Some(some) => format!(
            "differs among the host's {all} GPUs, and it is not known which {some} of them the container is given"
        ),
    };
    Unknown::new("", reason)
}

/// What comes of a test on the driver and the GPU of this number.
pub(super) fn judge(test: &Test, feature: &Feature, gpu: usize, read: &str) -> (Outcome, Evidence) {
    let Test::Nvidia(condition) = test else { return unknown(Unknown::new(read, "is not asked so")) };
    let Some(comparison) = &condition.comparison else { return unknown(invalid(condition)) };
    let name = comparison.property.name();
    let Some(value) = value(feature, comparison.property, gpu) else {
        if comparison.property == Property::Cuda
            && let Some(decided) = by_limits(condition, feature, read)
        {
            return decided;
        }
        let told = feature.doubtful.get(name).or(feature.incomplete.as_ref()).cloned();
        return unknown(told.unwrap_or_else(|| Unknown::new(read, format!("does not tell the {name}"))));
    };
    let read_at = place(feature, comparison.property, gpu, read);
    let evidence = Evidence::Value { value: Some(value.to_owned()), read: read_at };
    match condition.holds(value) {
        None => unknown(invalid(condition)),
        Some(true) => (Outcome::Met, evidence),
        Some(false) => match otherwise(condition, feature, gpu) {
            Outcome::Unknown => unknown(Unknown::new(
                read,
                format!(
                    "tells CUDA {value}; the image brings the libraries for a newer one, and whether this GPU can use them is not known"
                ),
            )),
            outcome @ (Outcome::Met | Outcome::Unmet) => (outcome, evidence),
        },
    }
}

fn unknown(why: Unknown) -> (Outcome, Evidence) {
    (Outcome::Unknown, Evidence::Unknown(why))
}

fn invalid(condition: &Condition) -> Unknown {
    let text = &condition.text;
    Unknown::new("", format!("{text:?} is no condition such as cuda>=12.4, and NVIDIA's own hook refuses it"))
}

/// An empty value tells nothing.
fn value(feature: &Feature, property: Property, gpu: usize) -> Option<&str> {
    let attributes = match property.is_of_gpu() {
        true => Some(&feature.instances.as_ref()?.get(gpu)?.attributes),
        false => feature.attributes.as_ref(),
    };
    attributes?.get(property.name()).map(String::as_str).filter(|it| !it.is_empty())
}

fn place(feature: &Feature, property: Property, gpu: usize, read: &str) -> String {
    let instance = feature.instances.as_ref().and_then(|it| it.get(gpu)).filter(|_| property.is_of_gpu());
    instance.and_then(|it| it.read.clone()).unwrap_or_else(|| read.to_owned())
}

/// Of a driver that is newer than this program, only the least CUDA is known.
fn by_limits(condition: &Condition, feature: &Feature, read: &str) -> Option<(Outcome, Evidence)> {
    let comparison = condition.comparison.as_ref()?;
    let version = Version::parse(&comparison.value)?;
    let bound = match comparison.comparator {
        Comparator::Greater => Bound::Gt(version),
        Comparator::GreaterOrEqual => Bound::Ge(version),
        Comparator::Less => Bound::Lt(version),
        Comparator::LessOrEqual => Bound::Le(version),
        Comparator::Equal => Bound::GeLe(version.clone(), version),
        Comparator::NotEqual => Bound::Outside(version.clone(), version),
    };
    let (outcome, evidence) = range::judge(&Test::Version(bound), feature, Property::Cuda.name(), read)?;
    match outcome {
        Outcome::Unmet => (otherwise(condition, feature, 0) == Outcome::Unmet).then_some((outcome, evidence)),
        Outcome::Met | Outcome::Unknown => Some((outcome, evidence)),
    }
}

/// Whether the program runs all the same, although the driver's CUDA is too old.
fn otherwise(condition: &Condition, feature: &Feature, gpu: usize) -> Outcome {
    let by_driver = match &condition.or_driver {
        None => Outcome::Unmet,
        Some(least) => match value(feature, Property::Driver, gpu).map(Version::parse) {
            Some(Some(found)) => Version::parse(least).is_some_and(|it| it <= found).into(),
            _ => Outcome::Unknown,
        },
    };
    let by_compat = match (condition.or_compat, value(feature, Property::Brand, gpu)) {
        (false, _) => Outcome::Unmet,
        (true, None) => Outcome::Unknown,
        (true, Some(brand)) => {
            let is = |brands: &[&str]| brands.iter().any(|it| it.eq_ignore_ascii_case(brand));
            match (is(&DATA_CENTRE), is(&CONSUMER)) {
                (true, _) => Outcome::Met,
                (_, true) => Outcome::Unmet,
                (false, false) => Outcome::Unknown,
            }
        }
    };
    by_driver.or(by_compat)
}

impl JudgedTerm<'_> {
    /// Makes what is certain of one GPU uncertain of the container.
    pub(super) fn doubt(&mut self, why: &Unknown) {
        let is_of_gpu =
            |it: &Condition| it.or_compat || it.comparison.as_ref().is_some_and(|it| it.property.is_of_gpu());
        for finding in &mut self.findings {
            if matches!(finding.test, Some(Test::Nvidia(it)) if is_of_gpu(it)) {
                finding.outcome = Outcome::Unknown;
                finding.evidence = Evidence::Unknown(why.clone());
            }
        }
        self.outcome = Outcome::all(self.findings.iter().map(|it| it.outcome));
    }
}
