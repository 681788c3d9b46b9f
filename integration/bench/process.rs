//! Runs two programs in turn and measures each run as a whole.

use std::error::Error;
use std::ffi::OsStr;
use std::fs::File;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// A program with its arguments and what it reads.
pub(crate) struct Program {
    path: PathBuf,
    args: Vec<std::ffi::OsString>,
    input: File,
}

/// Microseconds and KiB; medians.
pub(crate) struct Comparison {
    pub(crate) median: f64,
    pub(crate) other: f64,
    pub(crate) ratio: f64,
    pub(crate) peak: i64,
    /// Whether the first program refused.
    pub(crate) refused: bool,
}

impl Program {
    pub(crate) fn new(path: &Path, args: &[&OsStr], input: &[u8]) -> Result<Self, Box<dyn Error>> {
        let mut file = tempfile::tempfile()?;
        file.write_all(input)?;
        Ok(Self {
            path: path.to_owned(),
            args: args.iter().map(|it| (*it).to_owned()).collect(),
            input: file,
        })
    }

    /// Microseconds from start to end, the peak of resident memory in KiB, and whether it was a refusal.
    pub(crate) fn run(&self) -> Result<(f64, i64, bool), Box<dyn Error>> {
        let mut input = self.input.try_clone()?;
        input.rewind()?;
        let mut command = Command::new(&self.path);
        command.args(&self.args).stdin(input).stdout(Stdio::null()).stderr(Stdio::null());
        let start = Instant::now();
        let child = command.spawn()?;
        let (status, peak) = wait(child.id())?;
        let time = start.elapsed().as_secs_f64() * 1e6;
        if status != 0 && status >> 8 < 78 {
            return Err(format!("{} ended with {status:#x}", self.path.display()).into());
        }
        Ok((time, peak, status != 0))
    }
}

#[expect(unsafe_code, reason = "no safe wrapper of wait4(2) tells the peak memory of one child")]
fn wait(pid: u32) -> Result<(i32, i64), Box<dyn Error>> {
    let mut status = 0;
    // SAFETY: zero is a valid value for a structure of integers.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are to live values; the child is ours and has not been waited for.
    let waited = unsafe { libc::wait4(libc::pid_t::try_from(pid)?, &raw mut status, 0, &raw mut usage) };
    if waited < 0 { Err(std::io::Error::last_os_error().into()) } else { Ok((status, usage.ru_maxrss)) }
}

/// A B A B …, after some rounds that do not count.
pub(crate) fn compare(a: &Program, b: &Program, rounds: usize) -> Result<Comparison, Box<dyn Error>> {
    let (mut ours, mut theirs, mut ratios, mut peaks) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut refused = false;
    for round in 0..rounds + 10 {
        let ((ours_now, peak, refused_now), (theirs_now, ..)) = (a.run()?, b.run()?);
        refused |= refused_now;
        if round >= 10 {
            ours.push(ours_now);
            theirs.push(theirs_now);
            ratios.push(ours_now / theirs_now);
            peaks.push(peak);
        }
    }
    peaks.sort_unstable();
    let peak = peaks.get(peaks.len() / 2).copied().unwrap_or(0);
    Ok(Comparison { median: median(ours), other: median(theirs), ratio: median(ratios), peak, refused })
}

pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(0.0)
}
