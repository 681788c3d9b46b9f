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
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        let message = oci_compat::report::printable(&record.args().to_string());
        // Nobody is there to hear it.
        let _unheard = writeln!(std::io::stderr(), "{}: {message}", record.level().as_str().to_lowercase());
    }

    fn flush(&self) {}
}
