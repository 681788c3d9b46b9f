//! The log, on stderr.

use std::io::Write;

use log::{LevelFilter, Log, Metadata, Record};

struct Logger;

/// Shows warnings; with one `-v` also what is read and chosen, with two every file.
pub(crate) fn init(verbose: u8) -> anyhow::Result<()> {
    log::set_logger(&Logger).map_err(|err| anyhow::anyhow!("starting the log: {err}"))?;
    log::set_max_level(match verbose {
        0 => LevelFilter::Warn,
        1 => LevelFilter::Debug,
        _ => LevelFilter::Trace,
    });
    Ok(())
}

impl Log for Logger {
    /// Our own words only: what the crates that speak to registries log may hold signed addresses.
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("oci_compat")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let message = oci_compat::words::text::printable(&record.args().to_string());
        // The stream is closed.
        let _unheard = writeln!(std::io::stderr(), "{}: {message}", record.level().as_str().to_lowercase());
    }

    fn flush(&self) {}
}
