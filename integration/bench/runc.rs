//! Whole containers and commands of runc: without us, with the hook, through the wrapper, and with programs that do
//! nothing in their place, in turn.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use serde_json::{Value, json};

use crate::process::median;

/// Of runs that do not count.
const WARMING_UP: usize = 3;

/// What is measured, and where it lives.
pub(crate) struct Bench<'a> {
    pub(crate) scratch: &'a Path,
    /// A static program that does nothing.
    pub(crate) nothing: &'a Path,
    pub(crate) hook: &'a Path,
    pub(crate) wrapper: &'a Path,
    /// The store, and an image that has an artifact in it.
    pub(crate) store: &'a Path,
    pub(crate) image: &'a str,
    pub(crate) rounds: usize,
}

pub(crate) fn run(bench: &Bench<'_>) -> Result<(), Box<dyn Error>> {
    let Some(runc) = installed("runc") else {
        println!("\nrunc: SKIPPED, it is not installed");
        return Ok(());
    };
    let exec =
        bench.compile("exec", include_str!("exec.c"), &[format!("-DRUNTIME=\"{}\"", runc.display())])?;
    let wrapper = vec![
        bench.wrapper.display().to_string(),
        format!("--oci-compat-store={}", bench.store.display()),
        format!("--oci-compat-reports={}", bench.scratch.join("reports").display()),
        format!("--oci-compat-link={}", bench.scratch.join("link").display()),
    ];
    let (runc, exec) = (vec![runc.display().to_string()], vec![exec.display().to_string()]);
    if !creates(bench, &runc)? {
        println!("\nrunc: SKIPPED, it runs no containers here (as root it might)");
        return Ok(());
    }
    let none = bench.bundle("none", None, false)?;
    let noop = bench.bundle("noop", Some(bench.nothing), false)?;
    let hooked = bench.bundle("hooked", Some(bench.hook), true)?;
    let known = bench.bundle("known", None, true)?;
    println!(
        "\nrunc run of a program that does nothing, {} rounds; medians, and what is added to the first",
        bench.rounds
    );
    compare(
        bench,
        &[
            ("runc alone", &runc, &none),
            ("with a hook that does nothing", &runc, &noop),
            ("with the hook, one rule, stored", &runc, &hooked),
            ("through a program that only becomes runc", &exec, &known),
            ("through the wrapper, one rule, stored", &wrapper, &known),
        ]
        .map(|(name, program, bundle)| {
            (name, words(program, &["run", "--bundle", bundle, "oci-compat-bench"]))
        }),
    )?;
    commands(bench, &runc, &exec, &wrapper)
}

/// Commands on a container that is there: nothing of ours is asked.
fn commands(
    bench: &Bench<'_>,
    runc: &[String],
    exec: &[String],
    wrapper: &[String],
) -> Result<(), Box<dyn Error>> {
    const ID: &str = "oci-compat-bench-waiting";
    let bundle = bench.bundle("waiting", None, false)?;
    bench.succeed(&words(runc, &["run", "--detach", "--bundle", &bundle, ID]))?;
    let lines: [&[&str]; 3] = [&["state", ID], &["kill", ID, "WINCH"], &["exec", ID, "/nothing"]];
    let measured = lines.into_iter().try_for_each(|line| {
        println!("\nrunc {}, {} rounds", line.join(" "), bench.rounds);
        compare(
            bench,
            &[
                ("runc alone", words(runc, line)),
                ("through a program that only becomes runc", words(exec, line)),
                ("through the wrapper", words(wrapper, line)),
            ],
        )
    });
    bench.succeed(&words(runc, &["delete", "--force", ID]))?;
    measured
}

fn compare(bench: &Bench<'_>, cases: &[(&str, Vec<String>)]) -> Result<(), Box<dyn Error>> {
    let mut times = vec![Vec::new(); cases.len()];
    for round in 0..bench.rounds + WARMING_UP {
        // Forward and backward, and from another one each time: what one leaves to be cleared away is not always the same
        // one's cost.
        for turn in 0..cases.len() {
            let turn = if round % 2 == 0 { turn } else { cases.len() - 1 - turn };
            let at = (round / 2 + turn) % cases.len();
            let (Some((_, words)), Some(times)) = (cases.get(at), times.get_mut(at)) else { continue };
            let start = Instant::now();
            bench.succeed(words)?;
            if round >= WARMING_UP {
                times.push(start.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    let mut first = None;
    for ((name, _), times) in cases.iter().zip(times) {
        let (median, quarter, rest) = (median(times.clone()), quantile(&times, 1), quantile(&times, 3));
        let first = *first.get_or_insert(median);
        println!(
            "{name:<44} {median:>7.2} ms {:>+7.2} ms   half of them {quarter:.1} to {rest:.1}",
            median - first
        );
    }
    Ok(())
}

fn quantile(times: &[f64], quarters: usize) -> f64 {
    let mut times = times.to_vec();
    times.sort_by(f64::total_cmp);
    times.get(times.len() * quarters / 4).copied().unwrap_or(0.0)
}

fn creates(bench: &Bench<'_>, runc: &[String]) -> Result<bool, Box<dyn Error>> {
    let bundle = bench.bundle("trial", None, false)?;
    Ok(bench
        .command(&words(runc, &["run", "--bundle", &bundle, "oci-compat-bench-trial"]))
        .status()?
        .success())
}

fn words(program: &[String], words: &[&str]) -> Vec<String> {
    program.iter().cloned().chain(words.iter().map(|it| (*it).to_owned())).collect()
}

fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain(["/usr/sbin", "/sbin"].map(PathBuf::from));
    folders.map(|it| it.join(name)).find(|it| it.is_file())
}

impl Bench<'_> {
    /// The state of runc goes into the scratch folder, behind what belongs to the wrapper.
    fn command(&self, words: &[String]) -> Command {
        let (ours, rest): (Vec<_>, Vec<_>) =
            words.iter().skip(1).partition(|it| it.starts_with("--oci-compat-"));
        let mut command = Command::new(words.first().map_or("", String::as_str));
        command.args(ours).arg("--root").arg(self.scratch.join("state")).args(rest);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn succeed(&self, words: &[String]) -> Result<(), Box<dyn Error>> {
        let status = self.command(words).status()?;
        if status.success() { Ok(()) } else { Err(format!("{} ended with {status}", words.join(" ")).into()) }
    }

    fn compile(&self, name: &str, source: &str, options: &[String]) -> Result<PathBuf, Box<dyn Error>> {
        let (file, program) = (self.scratch.join(name).with_extension("c"), self.scratch.join(name));
        fs::write(&file, source)?;
        let status = Command::new("cc")
            .args(["-O2", "-static", "-s"])
            .args(options)
            .arg("-o")
            .args([&program, &file])
            .status()?;
        if status.success() { Ok(program) } else { Err("cc failed".into()) }
    }

    /// A bundle whose process does nothing, or waits.
    fn bundle(&self, name: &str, hook: Option<&Path>, is_known: bool) -> Result<String, Box<dyn Error>> {
        let folder = self.scratch.join("bundles").join(name);
        fs::create_dir_all(folder.join("rootfs/proc"))?;
        fs::copy(self.nothing, folder.join("rootfs/nothing"))?;
        let process = if name == "waiting" { "wait" } else { "nothing" };
        if name == "waiting" {
            fs::copy(self.compile("wait", include_str!("wait.c"), &[])?, folder.join("rootfs/wait"))?;
        }
        let mut config = config(process);
        if let (Some(hook), Some(config)) = (hook, config.as_object_mut()) {
            let args = json!(["hook", "--store", self.store, "--reports", self.scratch.join("reports")]);
            let entry = json!({"path": hook, "args": args, "env": ["PATH=/usr/bin:/bin"], "timeout": 10});
            config.insert("hooks".to_owned(), json!({"createRuntime": [entry]}));
        }
        fs::write(folder.join("config.json"), config.to_string())?;
        if is_known {
            let meta = json!({"from_descriptor_path": {"descriptor_walk": [{"digest": self.image}]}});
            fs::write(folder.join("umoci.json"), meta.to_string())?;
        }
        Ok(folder.display().to_string())
    }
}

fn config(process: &str) -> Value {
    json!({
        "ociVersion": "1.0.2",
        "process": {
            "terminal": false, "user": {"uid": 0, "gid": 0}, "cwd": "/", "env": ["PATH=/"], "args": [format!("/{process}")],
        },
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}, {"type": "ipc"}, {"type": "uts"}]},
    })
}
