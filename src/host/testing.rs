//! Facts as one line of text, so that a test of a probe is a table of lines.

use super::{Fact, Feature, FeatureDemand, Wanted, gather};
use crate::testing::FakeHost;

/// What a host says of a feature when all of it is wanted.
pub(super) fn told(host: &FakeHost, feature: &str) -> String {
    told_of(host, feature, Wanted::All)
}

/// What a host says of some elements of a feature.
pub(super) fn told_of(host: &FakeHost, feature: &str, wanted: Wanted) -> String {
    let demand = FeatureDemand::from([(feature.to_owned(), wanted)]);
    show(gather(&host.root(), &demand).get(feature))
}

/// These elements, and no others.
pub(super) fn wanted(names: &[&str]) -> Wanted {
    Wanted::Names(names.iter().map(|it| (*it).to_owned()).collect())
}

/// `known (SOURCE): ELEMENTS`, `absent (SOURCE)` or `unknown: PLACE: REASON`.
pub(super) fn show(fact: &Fact) -> String {
    match fact {
        Fact::Known(feature, read) => format!("known ({read}): {}", elements(feature)),
        Fact::Absent(read) => format!("absent ({read})"),
        Fact::Unknown(unknown) => format!("unknown: {}: {}", unknown.read, unknown.reason),
    }
}

fn elements(feature: &Feature) -> String {
    let mut parts = Vec::new();
    parts.extend(feature.flags.iter().flatten().cloned());
    parts.extend(feature.attributes.iter().flatten().map(|(name, value)| format!("{name}={value:?}")));
    for instance in feature.instances.iter().flatten() {
        let pairs: Vec<_> =
            instance.attributes.iter().map(|(name, value)| format!("{name}={value}")).collect();
        parts.push(format!("[{}: {}]", instance.read.as_deref().unwrap_or("?"), pairs.join(" ")));
    }
    for (name, unknown) in &feature.doubtful {
        parts.push(format!("and perhaps {name}: {}: {}", unknown.read, unknown.reason));
    }
    if let Some(unknown) = &feature.incomplete {
        parts.push(format!("and maybe more: {}: {}", unknown.read, unknown.reason));
    }
    parts.join(" ")
}
