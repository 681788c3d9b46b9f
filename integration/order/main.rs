//! Writes `hooks/order.txt`: the functions that the hook runs through, in the order in which it first does.
//!
//! The linker puts them side by side (`--symbol-ordering-file`), so that a start touches a few pages of code rather than
//! a few in each corner of the program: that is a tenth of a start without requirements. A name that the linker does not
//! find costs nothing, and a function that is not in the list works from wherever it ends up. `make order` runs this.

#![expect(clippy::disallowed_methods, reason = "it starts programs and makes fixtures")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use nix::sys::ptrace;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::Pid;

/// Images with a spec of one rule, and of twelve.
const IMAGES: [(&str, &str); 2] = [
    (
        "sha256:1111111111111111111111111111111111111111111111111111111111111111",
        "version: v1alpha1
compatibilities:
  - rules:
      - name: kernel
        matchFeatures:
          - feature: kernel.version
            matchExpressions:
              full: {op: Ge, type: version, value: [\"3.10\"]}
",
    ),
    (
        "sha256:2222222222222222222222222222222222222222222222222222222222222222",
        include_str!("../bench/twelve.yaml"),
    ),
];

fn main() -> Result<(), Box<dyn Error>> {
    let programs = PathBuf::from(
        std::env::var("OCI_COMPAT_BIN").map_err(|_| "OCI_COMPAT_BIN names no folder: use make order")?,
    );
    let hook = programs.join("oci-compat-hook");
    let functions = functions(&hook)?;
    let scratch = tempfile::tempdir()?;
    let (none, store) = (scratch.path().join("none"), scratch.path().join("store"));
    for (image, spec) in IMAGES {
        add_spec(&programs, scratch.path(), &store, image, spec)?;
    }
    let mut names = Vec::new();
    let [one, twelve] = IMAGES.map(|(image, _)| Some(image));
    for (name, store, image) in [("a", &none, None), ("b", &store, one), ("c", &store, twelve)] {
        let state = bundle(&scratch.path().join(name), image)?;
        for function in steps(&hook, store, &state)?.into_iter().filter_map(|it| at(&functions, it)) {
            for name in &function.names {
                if !names.contains(name) {
                    names.push(name.clone());
                }
            }
        }
    }
    let order = Path::new(env!("CARGO_MANIFEST_DIR")).join("hooks/order.txt");
    fs::write(order, names.join("\n") + "\n")?;
    Ok(())
}

/// Where a function starts, and all its names.
struct Function {
    start: u64,
    names: Vec<String>,
}

fn functions(program: &Path) -> Result<Vec<Function>, Box<dyn Error>> {
    let listed = Command::new("nm").arg(program).stderr(Stdio::inherit()).output()?;
    let mut found: Vec<(u64, String)> = String::from_utf8(listed.stdout)?
        .lines()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>().as_slice() {
            [start, "t" | "T" | "w" | "W" | "i", name] => {
                Some((u64::from_str_radix(start, 16).ok()?, (*name).to_owned()))
            }
            _ => None,
        })
        .collect();
    found.sort();
    let mut functions: Vec<Function> = Vec::new();
    for (start, name) in found {
        match functions.last_mut() {
            Some(last) if last.start == start => last.names.push(name),
            _ => functions.push(Function { start, names: vec![name] }),
        }
    }
    if functions.is_empty() { Err("the hook has no symbols: use make order".into()) } else { Ok(functions) }
}

fn at(functions: &[Function], address: u64) -> Option<&Function> {
    functions.get(functions.partition_point(|it| it.start <= address).checked_sub(1)?)
}

/// Every address that is executed, once, in the order of the first time.
fn steps(hook: &Path, store: &Path, state: &Path) -> Result<Vec<u64>, Box<dyn Error>> {
    let mut command = Command::new(hook);
    command.arg("--store").arg(store).args(["--deadline-ms", "600000"]).stdin(fs::File::open(state)?);
    #[expect(unsafe_code, reason = "what runs between fork and exec has to be async-signal-safe")]
    // SAFETY: ptrace(2) is a system call without side effects on this process's memory.
    let child = unsafe { command.pre_exec(|| Ok(ptrace::traceme()?)) }.spawn()?;
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let (mut seen, mut order) = (BTreeSet::new(), Vec::new());
    while let WaitStatus::Stopped(..) = waitpid(pid, None)? {
        let address = ptrace::getregs(pid)?.rip;
        if seen.insert(address) {
            order.push(address);
        }
        ptrace::step(pid, None)?;
    }
    Ok(order)
}

fn add_spec(
    programs: &Path,
    scratch: &Path,
    store: &Path,
    image: &str,
    spec: &str,
) -> Result<(), Box<dyn Error>> {
    let file = scratch.join("spec.yaml");
    fs::write(&file, spec)?;
    let mut command = Command::new(programs.join("oci-compat"));
    let status = command
        .args(["store", "add", "--subject", image, "--store"])
        .args([store, &file])
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err("oci-compat store add failed".into()) }
}

/// The state of a container, in a file.
fn bundle(folder: &Path, image: Option<&str>) -> Result<PathBuf, Box<dyn Error>> {
    fs::create_dir_all(folder)?;
    let mut config: serde_json::Value = serde_json::from_str(include_str!("../bench/config.json"))?;
    if let Some(root) = config.pointer_mut("/root/path") {
        *root = "/".into();
    }
    fs::write(folder.join("config.json"), config.to_string())?;
    if let Some(image) = image {
        let walk = serde_json::json!({"from_descriptor_path": {"descriptor_walk": [{"digest": image}]}});
        fs::write(folder.join("umoci.json"), walk.to_string())?;
    }
    let state = folder.join("state.json");
    fs::write(
        &state,
        serde_json::json!({"ociVersion": "1.0.2", "id": "order", "bundle": folder}).to_string(),
    )?;
    Ok(state)
}
