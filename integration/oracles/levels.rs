//! Programs for each level of x86-64, started with the CPUs of other levels: static, with the GNU C library, with musl, and Go's.
//! QEMU plays the CPU. The facts on it are those that our own probe reads when it runs there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Bundle, C, Verdict};
use crate::command::program;
use crate::runtimes::program::{Outcome, installed, run, succeed};
use crate::runtimes::runtime::skip;

/// CPUs of QEMU, and the levels that they have. QEMU has none of level 4.
const CPUS: [(&str, u8); 3] = [("qemu64", 1), ("Nehalem", 2), ("Haswell", 3)];
const LEVELS: [u8; 4] = [1, 2, 3, 4];
const GO: &str = "package main\n\nimport \"os\"\n\nfunc main() { os.Stdout.WriteString(\"ran\\n\") }\n";

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const LIBRARY: &str = "/lib/x86_64-linux-gnu/libc.so.6";
const MUSL: &str = "/lib/ld-musl-x86_64.so.1";

/// What the loader of the GNU C library says.
const LOADER_SAYS: &str = "CPU ISA level is lower than required";

/// QEMU, and the facts on each of its CPUs; `None` where it is not there, which is said aloud.
struct Machines {
    qemu: PathBuf,
    folder: TempDir,
}

impl Machines {
    fn new(test: &str) -> Option<Self> {
        if !cfg!(target_arch = "x86_64") {
            skip(test, "levels of x86-64 are tried on x86-64 only");
            return None;
        }
        let Some(qemu) = installed("qemu-x86_64") else {
            skip(test, "qemu-x86_64 is not installed (run integration/setup oracles)");
            return None;
        };
        let folder = tempfile::tempdir().expect("a temporary folder");
        let machines = Self { qemu, folder };
        for (cpu, level) in CPUS {
            let mut probe = machines.qemu(cpu);
            let text = succeed(probe.arg(program()).args(["probe", "cpu.cpuid", "--format", "json"]));
            let mut facts: Value = serde_json::from_str(&text).expect("facts");
            let flags = &facts["flags"]["cpu.cpuid"]["elements"];
            let levels = LEVELS.map(|it| flags[format!("X86_64_V{it}")].is_object());
            assert_eq!(levels, LEVELS.map(|it| it <= level), "{cpu}: {flags}");
            // No handler takes programs for x86-64.
            facts["flags"]["kernel.program"] = json!({"elements": {"x86-64": {}}});
            fs::write(machines.facts(cpu), facts.to_string()).expect("writing facts");
        }
        Some(machines)
    }

    fn qemu(&self, cpu: &str) -> Command {
        let mut command = Command::new(&self.qemu);
        command.args(["-cpu", cpu]);
        command
    }

    fn facts(&self, cpu: &str) -> PathBuf {
        self.folder.path().join(format!("{cpu}.json"))
    }

    /// What is said of the container with this CPU.
    fn judged(&self, bundle: &Bundle, cpu: &str) -> Verdict {
        bundle.judged(&["--facts", &self.facts(cpu).display().to_string()])
    }

    /// What its program `/app` does there.
    fn started(&self, bundle: &Bundle, cpu: &str) -> Outcome {
        run(self.qemu(cpu).arg("-L").arg(bundle.rootfs()).arg(bundle.rootfs().join("app")))
    }

    /// Where the CPU has not the level, the container is refused, and its program dies with these words. Elsewhere it starts.
    fn refuses(&self, bundle: &Bundle, file: &str, level: u8, words: &str) {
        for (cpu, has) in CPUS {
            let (verdict, outcome) = (self.judged(bundle, cpu), self.started(bundle, cpu));
            if has >= level {
                assert!(verdict.is_silent() && outcome.stdout == "ran\n", "{cpu}: {verdict:?} {outcome:?}");
                continue;
            }
            let dies = !outcome.status.success() && outcome.stdout.is_empty();
            assert!(dies && outcome.stderr.contains(words), "{cpu}: {outcome:?}");
            let reason = format!("{file} needs x86-64-v{level}; this virtual CPU lacks ");
            let is_told = verdict.reasons.iter().any(|it| it.starts_with(&reason));
            assert!(verdict.is_refused && is_told, "{cpu}: {verdict:?}");
        }
    }

    /// The program starts everywhere, and where the CPU has not the level, that is recommended.
    fn recommends(&self, bundle: &Bundle, level: u8) {
        for (cpu, has) in CPUS {
            let (verdict, outcome) = (self.judged(bundle, cpu), self.started(bundle, cpu));
            assert!(!verdict.is_refused && outcome.stdout == "ran\n", "{cpu}: {verdict:?} {outcome:?}");
            let reason = format!("/app needs x86-64-v{level}; this virtual CPU lacks ");
            let is_told = verdict.recommendations.iter().any(|it| it.starts_with(&reason));
            assert_eq!(is_told, has < level, "{cpu}: {verdict:?}");
        }
    }

    /// Compiles C for a level.
    fn compile(&self, compiler: &str, level: u8, options: &[&str]) -> PathBuf {
        let (source, made) = (self.folder.path().join("app.c"), self.folder.path().join("app"));
        fs::write(&source, C).expect("writing a source");
        let mut command = Command::new(compiler);
        if level > 1 {
            command.arg(format!("-Wl,-z,x86-64-v{level}"));
        }
        command.args(options).arg("-o").args([&made, &source]);
        succeed(&mut command);
        made
    }
}

/// With the GNU C library of this machine.
fn with_glibc(app: &Path, library: &Path) -> Bundle {
    let loader = Path::new(LOADER).canonicalize().expect("a loader");
    Bundle::of(&["/app"])
        .copy("/app", app)
        .copy(LOADER, &loader)
        .copy("/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", &loader)
        .copy(LIBRARY, library)
        .linked()
}

impl Bundle {
    /// As distributions have it, the loader's usual path is a link to where the library is.
    fn linked(self) -> Self {
        let place = self.at(LOADER);
        fs::remove_file(&place).expect("removing a copy");
        let target = "../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2";
        std::os::unix::fs::symlink(target, place).expect("linking the loader");
        self
    }
}

/// The GNU C library of this machine, if its loader is one that looks at levels, and a compiler.
fn glibc(test: &str) -> Option<PathBuf> {
    let library = Path::new(LIBRARY);
    let loader = fs::read(LOADER).unwrap_or_default();
    if !loader.windows(LOADER_SAYS.len()).any(|it| it == LOADER_SAYS.as_bytes()) || !library.exists() {
        skip(test, "there is no GNU C library of version 2.33 or newer in Debian's place");
        return None;
    }
    if installed("gcc").is_none() {
        skip(test, "gcc is not installed (run integration/setup oracles)");
        return None;
    }
    Some(library.canonicalize().expect("a library"))
}

#[test]
fn a_program_of_the_gnu_c_library_is_refused_where_its_loader_refuses() {
    let name = "x86-64 levels with the GNU C library";
    let Some((machines, library)) = Machines::new(name).zip(glibc(name)) else { return };
    for level in LEVELS {
        let app = machines.compile("gcc", level, &[]);
        machines.refuses(&with_glibc(&app, &library), "/app", level, LOADER_SAYS);
    }
}

#[test]
fn the_level_of_the_c_library_is_that_of_each_program() {
    let name = "x86-64 levels of the C library";
    let Some((machines, library)) = Machines::new(name).zip(glibc(name)) else { return };
    let app = machines.compile("gcc", 1, &[]);
    for level in LEVELS {
        let changed = machines.folder.path().join("libc.so.6");
        fs::write(&changed, with_level(&library, level)).expect("writing a library");
        machines.refuses(&with_glibc(&app, &changed), LIBRARY, level, LOADER_SAYS);
    }
}

/// A library whose note asks for another level: `GNU_PROPERTY_X86_ISA_1_NEEDED`, four bytes long.
fn with_level(library: &Path, level: u8) -> Vec<u8> {
    const PROPERTY: [u8; 8] = [0x02, 0x80, 0x00, 0xc0, 4, 0, 0, 0];
    let mut bytes = fs::read(library).expect("reading the C library");
    let place = bytes.windows(8).position(|it| it == PROPERTY).expect("the library has such a note");
    bytes[place + 8] = 1 << (level - 1);
    bytes
}

/// Which file a loader takes for a library is not certain, so that nothing is said of it.
#[test]
fn of_a_library_that_a_program_brings_nothing_is_said() {
    let name = "x86-64 levels of other libraries";
    let Some((machines, library)) = Machines::new(name).zip(glibc(name)) else { return };
    let own = machines.folder.path().join("libown.so");
    let source = machines.folder.path().join("own.c");
    fs::write(&source, "int own(void) { return 0; }\n").expect("writing a source");
    succeed(Command::new("gcc").args(["-shared", "-Wl,-z,x86-64-v3", "-o"]).args([&own, &source]));
    let folder = machines.folder.path().display().to_string();
    let options = ["-Wl,--no-as-needed", "-Wl,-rpath,/lib", "-L", &folder, "-lown"];
    let source = machines.folder.path().join("app.c");
    fs::write(&source, C).expect("writing a source");
    let app = machines.folder.path().join("app");
    succeed(Command::new("gcc").arg(&source).args(options).arg("-o").arg(&app));
    let bundle = with_glibc(&app, &library).copy("/lib/libown.so", &own);
    let outcome = machines.started(&bundle, "Nehalem");
    assert!(outcome.stderr.contains(LOADER_SAYS), "{outcome:?}");
    assert!(machines.judged(&bundle, "Nehalem").is_silent());
    assert_eq!(machines.started(&bundle, "Haswell").stdout, "ran\n");
}

#[test]
fn a_static_program_starts_with_a_note() {
    let name = "x86-64 levels of static programs";
    let Some((machines, _)) = Machines::new(name).zip(glibc(name)) else { return };
    for level in LEVELS {
        for option in ["-static", "-static-pie"] {
            let app = machines.compile("gcc", level, &[option]);
            machines.recommends(&Bundle::of(&["/app"]).copy("/app", &app), level);
        }
    }
}

#[test]
fn a_program_of_musl_starts_with_a_note() {
    let name = "x86-64 levels with musl";
    let Some(machines) = Machines::new(name) else { return };
    if installed("musl-gcc").is_none() || !Path::new(MUSL).exists() {
        return skip(name, "musl-gcc is not installed (run integration/setup oracles)");
    }
    for level in LEVELS {
        let app = machines.compile("musl-gcc", level, &[]);
        machines.recommends(&Bundle::of(&["/app"]).copy("/app", &app).copy(MUSL, Path::new(MUSL)), level);
        let app = machines.compile("musl-gcc", level, &["-static"]);
        machines.recommends(&Bundle::of(&["/app"]).copy("/app", &app), level);
    }
}

#[test]
fn a_go_program_is_refused_where_it_ends_by_itself() {
    let name = "x86-64 levels of Go programs";
    let Some(machines) = Machines::new(name) else { return };
    let Some(go) = installed("go") else {
        return skip(name, "go is not installed (run integration/setup oracles)");
    };
    let source = machines.folder.path().join("app.go");
    fs::write(&source, GO).expect("writing a source");
    for level in LEVELS {
        for flags in ["", "-s -w"] {
            let app = machines.folder.path().join("app");
            let mut build = Command::new(&go);
            build.env("GOAMD64", format!("v{level}")).env("CGO_ENABLED", "0").env("GO111MODULE", "off");
            build.env("GOCACHE", Path::new(env!("CARGO_MANIFEST_DIR")).join("target/tools/go-build"));
            build.args(["build", "-ldflags", flags, "-o"]).args([&app, &source]);
            succeed(&mut build);
            let words = format!(
                "This program can only be run on AMD64 processors with v{level} microarchitecture support."
            );
            machines.refuses(&Bundle::of(&["/app"]).copy("/app", &app), "/app", level, &words);
        }
    }
}
