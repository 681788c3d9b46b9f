//! `probe`: everything that can be known of this machine as a whole process, and the largest single read in this one.
//!
//! The reference is Node Feature Discovery, on a machine of two processors: all of its sources take 8.4 ms in process, and
//! the whole program 16 ms at best. A quarter of that is the goal.

use std::error::Error;
use std::hint::black_box;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use oci_compat::host::{self, FEATURES, FeatureDemand, Root, Wanted};

use crate::process::{Program, compare, median};

pub(crate) fn run(program: &Path, nothing: &Program, rounds: usize) -> Result<(), Box<dyn Error>> {
    println!("\nA: oci-compat probe; the goals are a quarter of what NFD takes");
    for (name, args, goal) in [
        ("what NFD knows", &["probe", "--format", "nfd"][..], "4.0 ms"),
        ("everything, as JSON", &["probe", "--format", "json"], "-"),
        ("everything, as text", &["probe"], "-"),
        ("one feature", &["probe", "kernel.version"], "-"),
    ] {
        let os: Vec<_> = args.iter().map(AsRef::as_ref).collect();
        let result = compare(&Program::new(program, &os, b"")?, nothing, rounds)?;
        let calls = calls(program, args).map_or_else(|| "?".to_owned(), |it| it.to_string());
        println!(
            "{name:<44} {:>6.2} ms {:>6.2} ms {:>7} {:>5} calls {:>5} KiB",
            result.median / 1e3,
            result.other / 1e3,
            goal,
            calls,
            result.peak
        );
    }
    println!("\nin process, median of 200");
    let nfd = FEATURES.iter().filter(|it| it.nfd).map(|it| (it.name.to_owned(), Wanted::All)).collect();
    in_process("what NFD knows (goal: 2.1 ms)", &nfd);
    in_process("kernel.config, all of it (goal: 1 ms)", &one("kernel.config"));
    let all = FEATURES.iter().map(|it| (it.name.to_owned(), Wanted::All)).collect();
    in_process("everything", &all);
    println!("\nwhere that goes");
    for info in FEATURES {
        in_process(info.name, &one(info.name));
    }
    Ok(())
}

fn one(feature: &str) -> FeatureDemand {
    FeatureDemand::from([(feature.to_owned(), Wanted::All)])
}

fn in_process(name: &str, demand: &FeatureDemand) {
    let measure = || {
        let root = Root::live();
        let start = Instant::now();
        drop(black_box(host::gather(&root, black_box(demand))));
        start.elapsed().as_secs_f64() * 1e3
    };
    println!("{name:<44} {:>6.3} ms", median((0..200).map(|_| measure()).collect()));
}

/// How many system calls the program makes; none where strace is not installed.
fn calls(program: &Path, args: &[&str]) -> Option<usize> {
    let mut strace = Command::new("strace");
    let ran = strace.args(["-f", "-c"]).arg(program).args(args).stdout(Stdio::null()).output().ok()?;
    let table = String::from_utf8(ran.stderr).ok()?;
    table.lines().last()?.split_whitespace().nth(3)?.parse().ok()
}
