//! Fetched artifacts that are not stored yet: many are synced together, and none waits for long.

use std::mem;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::store::{Addition, Digest};

use super::{Obsolete, Pulled, keep};

/// The number of artifacts that are synced together.
const MAX_ADDITIONS: usize = 100;
/// Or the number of their bytes.
const MAX_BYTES: usize = 16 << 20;
/// The most that an interrupted pull loses.
const MAX_AGE: Duration = Duration::from_secs(1);

/// Fetched artifacts on their way into a store.
#[derive(Debug)]
pub struct Batch<'a> {
    store: &'a Path,
    additions: Vec<Addition>,
    obsolete: Vec<Obsolete>,
    demanding: Vec<(Digest, String)>,
    bytes: usize,
    flushed: Instant,
}

impl<'a> Batch<'a> {
    /// Nothing yet, for the store in this folder.
    pub fn new(store: &'a Path) -> Self {
        Self {
            store,
            additions: Vec::new(),
            obsolete: Vec::new(),
            demanding: Vec::new(),
            bytes: 0,
            flushed: Instant::now(),
        }
    }

    /// Adds what was pulled for an image.
    pub fn take(&mut self, pulled: Pulled) {
        self.bytes += pulled.additions.iter().map(size).sum::<usize>();
        self.additions.extend(pulled.additions);
        self.obsolete.extend(pulled.obsolete);
        self.demanding.extend(pulled.demanding);
    }

    /// Stores all of it, if it is much or has waited for long.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn flush_if_due(&mut self) -> anyhow::Result<()> {
        let is_full = self.additions.len() >= MAX_ADDITIONS || self.bytes >= MAX_BYTES;
        if is_full || self.flushed.elapsed() >= MAX_AGE { self.flush() } else { Ok(()) }
    }

    /// Stores all of it.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn flush(&mut self) -> anyhow::Result<()> {
        let (additions, obsolete) = (mem::take(&mut self.additions), mem::take(&mut self.obsolete));
        keep(self.store, &additions, &obsolete, &mem::take(&mut self.demanding))?;
        self.bytes = 0;
        self.flushed = Instant::now();
        Ok(())
    }
}

fn size(addition: &Addition) -> usize {
    let compiled = addition.compiled.as_ref().map_or(0, |it| it.body.len());
    addition.package.manifest.len() + addition.package.spec.len() + addition.package.config.len() + compiled
}
