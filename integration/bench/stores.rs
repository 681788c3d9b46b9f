//! Whether a look-up takes longer in a large store.

use std::error::Error;
use std::fs;
use std::path::Path;

use oci_compat::spec::{self, compiled};
use oci_compat::store::{Addition, ArtifactSubject, Compiled, Digest, Writer, pack};

use crate::process::{Program, compare};

const FEW: u32 = 10;
const MANY: u32 = 100_000;
/// So many are written together.
const BATCH: usize = 20_000;

/// Compares the hook on an image of a large store with the same image in a small one.
pub(crate) fn run(hook: &Path, scratch: &Path, spec: &str, rounds: usize) -> Result<(), Box<dyn Error>> {
    let bundle = scratch.join("stores");
    super::make_bundle(&bundle, Some(&image(FEW / 2).to_string()), None, false)?;
    let state = serde_json::json!({"ociVersion": "1.0.2", "id": "stores", "status": "creating", "pid": 1, "bundle": bundle});
    let program = |count: u32| -> Result<Program, Box<dyn Error>> {
        let store = scratch.join(format!("store-of-{count}"));
        fill(&store, spec, count)?;
        let args = ["--store".as_ref(), store.as_os_str()];
        Program::new(hook, &args, state.to_string().as_bytes())
    };
    let result = compare(&program(MANY)?, &program(FEW)?, rounds)?;
    println!(
        "\nlook-up among {MANY} artifacts {:.0} us, among {FEW} {:.0} us, ratio {:.2} (goal 1.20)",
        result.median, result.other, result.ratio
    );
    fs::remove_dir_all(scratch.join(format!("store-of-{MANY}")))?;
    Ok(())
}

fn image(number: u32) -> Digest {
    Digest::of(&number.to_le_bytes())
}

fn fill(store: &Path, spec: &str, count: u32) -> Result<(), Box<dyn Error>> {
    let body = compiled::encode(&spec::parse(spec.as_bytes())?)?;
    let addition = |number: u32| -> anyhow::Result<Addition> {
        let subject = image(number);
        let package = pack(spec.as_bytes(), &ArtifactSubject::unseen(subject), None)?;
        let compiled = Compiled { format: compiled::FORMAT, body: body.clone() };
        Ok(Addition::of_file(subject, package, Some(compiled)))
    };
    let mut writer = Writer::open(store)?;
    let numbers: Vec<_> = (0..count).collect();
    for batch in numbers.chunks(BATCH) {
        let additions: Vec<_> = batch.iter().map(|it| addition(*it)).collect::<Result<_, _>>()?;
        writer.add_all(&additions)?;
    }
    Ok(())
}
