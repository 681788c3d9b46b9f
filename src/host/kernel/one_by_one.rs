//! Attributes that are read one by one, so that one that cannot be read costs no other.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{Fact, Feature, Shown, Unknown};

/// What `read` finds under each of these names. What could not be read makes the feature incomplete, and if there is
/// nothing else unknown.
pub(super) fn attributes<'a>(
    place: &str,
    names: impl IntoIterator<Item = &'a str>,
    mut read: impl FnMut(&str) -> Result<Option<String>, Unknown>,
) -> Fact {
    let (mut attributes, mut missing, mut trouble) = (BTreeMap::new(), BTreeSet::new(), None);
    for name in names {
        match read(name) {
            Ok(Some(value)) => drop(attributes.insert(name.to_owned(), value)),
            Ok(None) => drop(missing.insert(name.to_owned())),
            // The first error is kept: later ones are usually the same.
            Err(unknown) => drop(trouble.get_or_insert(unknown)),
        }
    }
    match trouble {
        Some(unknown) if attributes.is_empty() && missing.is_empty() => Fact::Unknown(unknown),
        incomplete => {
            Fact::Known(Feature { missing, incomplete, ..Feature::attributes(attributes) }, place.to_owned())
        }
    }
}

/// As [`attributes`], for files that perhaps not everybody may read.
pub(super) fn shown<'a>(
    place: &str,
    names: impl IntoIterator<Item = &'a str>,
    mut read: impl FnMut(&str) -> Result<Option<(String, Shown)>, Unknown>,
) -> Fact {
    let mut secret = BTreeSet::new();
    let mut fact = attributes(place, names, |name| {
        let Some((value, shown)) = read(name)? else { return Ok(None) };
        if shown == Shown::ToRoot {
            secret.insert(name.to_owned());
        }
        Ok(Some(value))
    });
    if let Fact::Known(feature, _) = &mut fact {
        feature.secret = secret;
    }
    fact
}
