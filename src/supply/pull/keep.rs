//! Puts what was fetched into the store.

use std::path::Path;

use anyhow::Context;

use crate::store::{Addition, Digest, Writer};

use super::{Obsolete, Pulled};

/// Stores what was fetched for some images. Adds first: a look-up finds the old or the new, never neither.
///
/// # Errors
///
/// If the store cannot be written.
pub fn keep(
    store: &Path,
    additions: &[Addition],
    obsolete: &[Obsolete],
    demanding: &[(Digest, String)],
) -> anyhow::Result<()> {
    if additions.is_empty() && obsolete.is_empty() && demanding.is_empty() {
        return Ok(());
    }
    let mut writer = Writer::open(store)?;
    writer.add_all(additions).context("storing what was fetched")?;
    for gone in obsolete {
        writer.remove(&gone.subject, |it| gone.is(it))?;
    }
    writer.demand(demanding).context("noting which images must have a signed spec")
}

impl Pulled {
    /// Stores what was fetched for this image.
    ///
    /// # Errors
    ///
    /// As [`keep`].
    pub fn keep(&self, store: &Path) -> anyhow::Result<()> {
        keep(store, &self.additions, &self.obsolete, &self.demanding)
    }
}
