//! What the hook costs: whole processes against one that does nothing, in turn, in one run; judging by itself; asking
//! containerd; pulling for a thousand images; and what hook and wrapper add to runc.
//!
//! `make bench` runs it. Medians of pairs are printed, because machines drift while they are measured.

#![expect(clippy::print_stdout, reason = "a benchmark prints what it measured")]
#![expect(clippy::disallowed_methods, reason = "it starts programs and makes fixtures")]

mod judge;
mod look_up;
mod probe;
mod process;
mod pull;
mod runc;
#[path = "../registry/server.rs"]
#[expect(
    dead_code,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the tests' registry, which does more than this needs"
)]
mod server;
#[path = "../registry/fake.rs"]
#[expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the tests' registry, which does more than this needs"
)]
mod fake;
mod stores;

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use process::{Program, compare};

const IMAGES: [&str; 2] = [
    "sha256:1111111111111111111111111111111111111111111111111111111111111111",
    "sha256:2222222222222222222222222222222222222222222222222222222222222222",
];
const ONE_RULE: &str = "version: v1alpha1
compatibilities:
  - rules:
      - name: kernel
        matchFeatures:
          - feature: kernel.version
            matchExpressions:
              full: {op: Ge, type: version, value: [\"3.10\"]}
";
const TWELVE_RULES: &str = include_str!("twelve.yaml");

fn main() -> Result<(), Box<dyn Error>> {
    let programs = PathBuf::from(
        std::env::var("OCI_COMPAT_BIN").map_err(|_| "OCI_COMPAT_BIN names no folder: use make bench")?,
    );
    let rounds = std::env::var("ROUNDS").ok().and_then(|it| it.parse().ok()).unwrap_or(400);
    let scratch = tempfile::tempdir()?;
    let nothing = installed(&compile(scratch.path())?, scratch.path(), "nothing-installed")?;
    let hook = installed(&programs.join("oci-compat-hook"), scratch.path(), "oci-compat-hook")?;
    println!("whole processes, {rounds} pairs each; B is a static program that does nothing\n");
    println!("{:<44} {:>9} {:>9} {:>7} {:>7} {:>9}", "A: the hook", "A", "B", "A/B", "goal", "A's peak");
    let wrapper = installed(&programs.join("oci-compat-runtime"), scratch.path(), "oci-compat-runtime")?;
    let noop = &nothing;
    let nothing = Program::new(noop, &[], b"")?;
    for case in cases(&programs, &hook, scratch.path())? {
        let result = compare(&case.hook, &nothing, rounds)?;
        println!(
            "{:<44} {:>6.0} us {:>6.0} us {:>7.2} {:>7} {:>5} KiB",
            case.name, result.median, result.other, result.ratio, case.goal, result.peak
        );
        if result.refused {
            println!("    this machine does not meet the rules: a refusal was measured, with its report");
        }
    }
    probe::run(&programs.join("oci-compat"), &nothing, rounds.min(100))?;
    // Before the large store is made: what this process has held in memory would count as the pull's peak.
    pull::run(&programs.join("oci-compat"), scratch.path(), TWELVE_RULES)?;
    pull::check(&programs.join("oci-compat"), ONE_RULE, rounds.min(100))?;
    stores::run(&hook, scratch.path(), ONE_RULE, rounds)?;
    println!("\nhook: {} bytes", fs::metadata(programs.join("oci-compat-hook"))?.len());
    judge::run(TWELVE_RULES)?;
    look_up::run(rounds, scratch.path())?;
    runc::run(&runc::Bench {
        scratch: scratch.path(),
        nothing: noop,
        hook: &hook,
        wrapper: &wrapper,
        store: &scratch.path().join("store"),
        image: IMAGES[0],
        rounds: (rounds / 2).max(10),
    })
}

struct Case {
    name: &'static str,
    goal: &'static str,
    hook: Program,
}

/// The bundles differ in their image only, as umoci notes it; the last one carries its spec itself.
fn cases(programs: &Path, program: &Path, scratch: &Path) -> Result<Vec<Case>, Box<dyn Error>> {
    let store = scratch.join("store");
    for (image, spec) in IMAGES.iter().zip([ONE_RULE, TWELVE_RULES]) {
        let file = scratch.join("spec.yaml");
        fs::write(&file, spec)?;
        let status = Command::new(programs.join("oci-compat"))
            .args(["store", "add", "--subject", image, "--store"])
            .args([&store, &file])
            .stdout(Stdio::null())
            .status()?;
        if !status.success() {
            return Err("oci-compat store add failed".into());
        }
    }
    let hook = |name: &str,
                store: &Path,
                image: Option<&str>,
                inline: Option<&str>|
     -> Result<Program, Box<dyn Error>> {
        let bundle = scratch.join(name);
        make_bundle(&bundle, image, inline, name == "a3")?;
        let state = serde_json::json!({"ociVersion": "1.0.2", "id": name, "status": "creating", "pid": 1, "bundle": bundle});
        let reports = scratch.join("reports");
        let args = ["--store".as_ref(), store.as_os_str(), "--reports".as_ref(), reports.as_os_str()];
        Program::new(program, &args, state.to_string().as_bytes())
    };
    let none = scratch.join("no-store");
    Ok(vec![
        Case { name: "(a) no requirements, no store", goal: "1.20", hook: hook("a", &none, None, None)? },
        Case {
            name: "(a) no requirements, an image in the store",
            goal: "1.20",
            hook: hook("a2", &store, None, None)?,
        },
        Case {
            name: "(a) the same, with a seccomp profile of 28 KiB",
            goal: "-",
            hook: hook("a3", &none, None, None)?,
        },
        Case {
            name: "(b) one rule on kernel.version, stored",
            goal: "1.40",
            hook: hook("b", &store, Some(IMAGES[0]), None)?,
        },
        Case {
            name: "(c) twelve rules, stored",
            goal: "2.00",
            hook: hook("c", &store, Some(IMAGES[1]), None)?,
        },
        Case {
            name: "(d) the twelve rules inline as YAML",
            goal: "-",
            hook: hook("d", &none, None, Some(TWELVE_RULES))?,
        },
    ])
}

/// As long as the one that Docker gives to its containers.
fn seccomp() -> serde_json::Value {
    let calls = (0..380)
        .map(|it| serde_json::json!({"names": [format!("system_call_{it}")], "action": "SCMP_ACT_ALLOW"}));
    serde_json::json!({"defaultAction": "SCMP_ACT_ERRNO", "syscalls": calls.collect::<Vec<_>>()})
}

fn make_bundle(
    folder: &Path,
    image: Option<&str>,
    inline: Option<&str>,
    is_long: bool,
) -> Result<(), Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut config: serde_json::Value = serde_json::from_str(include_str!("config.json"))?;
    // A start looks at the program in the root file system: here at this machine's shell, with its loader and C library.
    if let Some(root) = config.pointer_mut("/root/path") {
        *root = "/".into();
    }
    if let (Some(text), Some(annotations)) =
        (inline, config.get_mut("annotations").and_then(serde_json::Value::as_object_mut))
    {
        annotations.insert("org.oci-compat.spec".to_owned(), text.into());
    }
    if let (true, Some(linux)) = (is_long, config.get_mut("linux").and_then(serde_json::Value::as_object_mut))
    {
        linux.insert("seccomp".to_owned(), seccomp());
    }
    fs::write(folder.join("config.json"), serde_json::to_vec_pretty(&config)?)?;
    if let Some(digest) = image {
        let meta = serde_json::json!({"from_descriptor_path": {"descriptor_walk": [{"digest": digest}]}});
        fs::write(folder.join("umoci.json"), meta.to_string())?;
    }
    Ok(())
}

/// A copy, as `make install` places one: a file that a linker wrote lies in memory in smaller pieces, and starts slower.
fn installed(program: &Path, scratch: &Path, name: &str) -> Result<PathBuf, Box<dyn Error>> {
    let copy = scratch.join(name);
    // By another process: what this one has held in memory would count as its children's peak.
    let status = Command::new("install").args(["-m", "0755"]).args([program, &copy]).status()?;
    if status.success() { Ok(copy) } else { Err("install failed".into()) }
}

fn compile(scratch: &Path) -> Result<PathBuf, Box<dyn Error>> {
    let (source, program) = (scratch.join("nothing.c"), scratch.join("nothing"));
    fs::write(&source, include_str!("nothing.c"))?;
    let status =
        Command::new("cc").args(["-O2", "-static", "-s", "-o"]).args([&program, &source]).status()?;
    if status.success() { Ok(program) } else { Err("cc failed".into()) }
}
