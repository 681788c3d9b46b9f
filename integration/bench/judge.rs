//! Judging by itself, in this process: a spec held against facts that are there already.

use std::error::Error;
use std::hint::black_box;
use std::time::Instant;

use oci_compat::decide::check::{self, Requirement};
use oci_compat::eval;
use oci_compat::host::{self, FeatureDemand, Root};
use oci_compat::outcome::report::SpecOrigin;
use oci_compat::spec;

use crate::process::median;

pub(crate) fn run(text: &str) -> Result<(), Box<dyn Error>> {
    let requirement = Requirement { origin: SpecOrigin::Inline, spec: spec::parse(text.as_bytes()) };
    let facts = check::gather(std::slice::from_ref(&requirement), &[], &Root::live(), None);
    let spec = requirement.spec?;
    let compiled = spec::compiled::encode(&spec)?;
    println!("\nin process, median of 2,000");
    print("judge twelve rules (goal: 10 us)", || {
        drop(black_box(eval::evaluate(black_box(&spec), &[], &facts)))
    });
    print("load twelve rules, compiled", || drop(black_box(spec::compiled::decode(black_box(&compiled)))));
    print("parse twelve rules, YAML", || drop(black_box(spec::parse(black_box(text.as_bytes())))));
    println!("\nwhere the rest of (c) goes: probes, each with what the twelve rules want of it");
    for (feature, wanted) in eval::demand(&spec, &[]) {
        let demand = FeatureDemand::from([(feature.clone(), wanted)]);
        let root = Root::live();
        print(&feature, || drop(black_box(host::gather(&root, &demand))));
    }
    Ok(())
}

fn print(name: &str, run: impl Fn()) {
    let measure = || {
        let start = Instant::now();
        run();
        start.elapsed().as_secs_f64() * 1e6
    };
    let times = (0..2_000).map(|_| measure()).collect();
    println!("{name:<44} {:>6.1} us", median(times));
}
