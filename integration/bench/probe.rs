//! What it costs to read all that can be known of a host, as `oci-compat probe` does.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::process::{Program, compare};

/// What NFD's worker needs for all its sources, a process as a whole, on a machine of two cores (milliseconds).
const NFD: (f64, f64) = (16.0, 21.0);

/// Compares all features with none, and counts the system calls of each.
pub(crate) fn run(programs: &Path, rounds: usize) -> Result<(), Box<dyn Error>> {
    let program = programs.join("oci-compat");
    let probe = |more: &[&str]| {
        let args: Vec<&std::ffi::OsStr> =
            ["probe", "--format"].iter().chain(more).map(std::convert::AsRef::as_ref).collect();
        Program::new(&program, &args, b"")
    };
    let one = ["json", "kernel.version"];
    println!(
        "\nprobe, whole process; NFD takes {:.0} to {:.0} ms for what it knows (goal: a quarter of that)",
        NFD.0, NFD.1
    );
    for (name, all) in [("what NFD knows", ["nfd"]), ("all features", ["json"])] {
        let result = compare(&probe(&all)?, &probe(&one)?, rounds)?;
        println!(
            "{name}: {:.1} ms, {} calls, {} KiB; kernel.version alone {:.1} ms, {} calls",
            result.median / 1e3,
            calls(&program, &all)?,
            result.peak,
            result.other / 1e3,
            calls(&program, &one)?
        );
    }
    Ok(())
}

/// As strace counts them; none without it.
fn calls(program: &Path, more: &[&str]) -> Result<String, Box<dyn Error>> {
    let mut strace = Command::new("strace");
    strace
        .args(["-f", "-c", "-o", "/dev/stderr"])
        .arg(program)
        .args(["probe", "--format", "json"])
        .args(more);
    let Ok(output) = strace.stdout(Stdio::null()).stderr(Stdio::piped()).output() else {
        return Ok("unknown".to_owned());
    };
    let summary = String::from_utf8(output.stderr)?;
    let total = summary.lines().find(|it| it.trim_end().ends_with("total")).unwrap_or_default();
    Ok(total.split_whitespace().nth(3).unwrap_or("unknown").to_owned())
}
