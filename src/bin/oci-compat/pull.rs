//! `pull`: fetches the artifacts of images into the store.

mod asked;

use std::io::{IsTerminal, Write};
use std::ops::ControlFlow;
use std::path::Path;

use anyhow::Context;
use oci_compat::artifact::{Addition, Digest, Images, Store, Writer};
use oci_compat::attach::Platform;
use oci_compat::policy::trust::Trust;
use oci_compat::pull::{Anchors, Pulled, Puller, Wanted, pull_all};
use oci_compat::report::printable;
use oci_compat::{moment, records};

use crate::args::{Common, Pull};
use crate::output::Output;
use crate::store::counted;
use asked::asked;

/// Something was refused, or could not be fetched.
const INCOMPLETE: u8 = 1;
/// So many artifacts are synced together.
const BATCH: usize = 100;
/// Or so many bytes.
const BATCH_BYTES: usize = 16 << 20;

pub(crate) fn run(args: &Pull, common: &Common, output: &mut Output) -> anyhow::Result<u8> {
    let asked = asked(args)?;
    let anchors = anchors(&common.config)?;
    let client = args.registry.client()?;
    let store = Store::open(&common.store)?;
    let platform = (!args.all_platforms).then(Platform::of_host);
    let wanted = platform.as_ref().map_or_else(|| "all".to_owned(), ToString::to_string);
    let mut known = store
        .as_ref()
        .map_or_else(|| Images { platform: wanted.clone(), ..Images::default() }, |it| it.images(&wanted));
    let before = known.clone();
    let puller = Puller {
        images: &before,
        client: &client,
        store: store.as_ref(),
        anchors: &anchors,
        platform,
        force: args.force,
        now: now(),
    };
    let mut tally = Tally {
        total: asked.images.len() + asked.local.len(),
        is_live: std::io::stderr().is_terminal(),
        ..Tally::default()
    };
    for name in &asked.local {
        tally.count_local(name, output)?;
    }
    let mut batch = Batch { store: &common.store, additions: Vec::new(), obsolete: Vec::new(), bytes: 0 };
    let taken = pull_all(&puller, &asked.images, args.jobs, |place, pulled| {
        known.images.extend(pulled.images.iter().cloned());
        let told = asked.images.get(place).map_or(Ok(()), |it| tally.count(it, &pulled, output));
        match told.and_then(|()| batch.take(pulled)) {
            Ok(()) => ControlFlow::Continue(()),
            Err(err) => ControlFlow::Break(err),
        }
    });
    tally.clear();
    taken.and_then(|()| batch.flush())?;
    if known != before {
        Writer::open(&common.store)?.remember(&known)?;
    }
    output.print(&tally.summary())?;
    Ok(if tally.failed == 0 && asked.is_complete { 0 } else { INCOMPLETE })
}

/// Whom the administrator trusts; nobody pulls with fewer rules than there are.
pub(crate) fn anchors(config: &Path) -> anyhow::Result<Anchors> {
    let trust = Trust::load(config).and_then(Anchors::new);
    trust.map_err(|it| anyhow::anyhow!("the rules of trust cannot be used: {}", it.join("; ")))
}

/// Whole seconds, as everybody writes them.
fn now() -> String {
    moment::text((records::now().0, 0)).replace(".000000Z", "Z")
}

/// What is told of all that was done.
#[derive(Debug, Default)]
struct Tally {
    total: usize,
    done: usize,
    failed: usize,
    bare: usize,
    fresh: usize,
    known: usize,
    absent: usize,
    is_live: bool,
}

impl Tally {
    /// An image that no registry can have.
    fn count_local(&mut self, name: &str, output: &mut Output) -> anyhow::Result<()> {
        self.done += 1;
        self.absent += 1;
        if self.is_live {
            return Ok(());
        }
        output.print(&format!("{}: from no registry\n", printable(name)))
    }

    fn count(&mut self, image: &Wanted, pulled: &Pulled, output: &mut Output) -> anyhow::Result<()> {
        self.done += 1;
        self.failed += usize::from(!pulled.problems.is_empty());
        self.fresh += pulled.fresh;
        self.known += pulled.known;
        self.absent += usize::from(pulled.is_absent);
        let is_bare = pulled.fresh + pulled.known == 0 && pulled.problems.is_empty() && !pulled.is_absent;
        self.bare += usize::from(is_bare);
        self.clear();
        let name = image.names.join(", ");
        for problem in &pulled.problems {
            // Nobody is there to hear it: the status says it too.
            let _unheard = writeln!(std::io::stderr(), "error: {}", printable(&format!("{name}: {problem}")));
        }
        // On a terminal only what changes anything, or went wrong, has a line.
        if !self.is_live || pulled.fresh > 0 {
            output.print(&format!("{}: {}\n", printable(&name), outcome(pulled)))?;
        }
        self.show();
        Ok(())
    }

    /// One line that is written over again and again.
    fn show(&self) {
        if self.is_live {
            let failed = if self.failed == 0 { String::new() } else { format!(", {} failed", self.failed) };
            let _unheard = write!(
                std::io::stderr(),
                "{} of {}{failed}, {} new",
                self.done,
                counted(self.total, "image"),
                counted(self.fresh, "artifact")
            );
        }
    }

    fn clear(&self) {
        if self.is_live {
            let _unheard = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn summary(&self) -> String {
        let absent = match self.absent {
            0 => String::new(),
            absent => format!(", {absent} in no registry"),
        };
        format!(
            "{}: {} new, {} known, {} without any, {} with errors{absent}\n",
            counted(self.total, "image"),
            counted(self.fresh, "artifact"),
            self.known,
            self.bare,
            self.failed
        )
    }
}

fn outcome(pulled: &Pulled) -> String {
    let mut parts = Vec::new();
    if pulled.fresh > 0 {
        parts.push(format!("{} stored", counted(pulled.fresh, "artifact")));
    }
    if pulled.known > 0 {
        parts.push(format!("{} there already", counted(pulled.known, "artifact")));
    }
    if !pulled.problems.is_empty() {
        parts.push(counted(pulled.problems.len(), "error"));
    }
    if pulled.is_absent && parts.is_empty() {
        return "its registry does not have it".to_owned();
    }
    if parts.is_empty() {
        return "no artifacts".to_owned();
    }
    parts.join(", ")
}

/// What waits to be stored.
struct Batch<'a> {
    store: &'a Path,
    additions: Vec<Addition>,
    obsolete: Vec<(Digest, Digest)>,
    bytes: usize,
}

impl Batch<'_> {
    fn take(&mut self, pulled: Pulled) -> anyhow::Result<()> {
        self.bytes += pulled.additions.iter().map(size).sum::<usize>();
        self.additions.extend(pulled.additions);
        self.obsolete.extend(pulled.obsolete);
        match self.additions.len() >= BATCH || self.bytes >= BATCH_BYTES {
            true => self.flush(),
            false => Ok(()),
        }
    }

    /// Adds first: a look-up finds the old or the new, never neither.
    fn flush(&mut self) -> anyhow::Result<()> {
        if self.additions.is_empty() && self.obsolete.is_empty() {
            return Ok(());
        }
        let mut writer = Writer::open(self.store)?;
        writer.add_all(&self.additions).context("storing what was fetched")?;
        for (subject, artifact) in self.obsolete.drain(..) {
            writer.remove(&subject, Some(&artifact))?;
        }
        self.additions.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn size(addition: &Addition) -> usize {
    let compiled = addition.compiled.as_ref().map_or(0, |it| it.body.len());
    addition.package.manifest.len() + addition.package.spec.len() + addition.package.config.len() + compiled
}
