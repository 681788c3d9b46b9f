//! The facts of a bundle, as one line of text.

use super::{BundleConfig, add_bundle};
use crate::host::testing::{show, wanted};
use crate::host::{Facts, FeatureDemand, Wanted};

/// What a bundle says of some elements of a feature; of all of them if none is named.
pub(super) fn told(config: &str, feature: &str, names: &[&str]) -> String {
    told_of(config.as_bytes(), feature, if names.is_empty() { Wanted::All } else { wanted(names) })
}

pub(super) fn told_of(config: &[u8], feature: &str, wanted: Wanted) -> String {
    let mut facts = Facts::default();
    let demand = FeatureDemand::from([(feature.to_owned(), wanted)]);
    add_bundle(&mut facts, &BundleConfig::new(config.to_vec()), &demand);
    show(facts.get(feature))
}
