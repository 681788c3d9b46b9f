//! `kernel.program`: for which machines the kernel starts programs, itself or by a handler of binfmt_misc. Starts none.

mod handlers;

use std::cell::OnceCell;
use std::collections::BTreeSet;

use super::{cmdline, config};
use crate::host::probing::ARCH;
use crate::host::system::arch;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Probing, Unknown, Wanted};
use crate::program::machine::{ARM, ARM64, I386, MACHINES, Machine, X32, X86_64};

use handlers::Handlers;

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.program",
    kinds: &[ElementKind::Flags],
    meaning: "the machines whose programs the kernel starts, by itself or by an enabled handler of binfmt_misc, such as x86-64, i386 \
              or arm64; with `.handler` behind the name, those that a handler takes; script.handler: scripts",
    read: "the machine itself, /proc/sys/kernel/arch, the kernel's configuration and command line; /proc/sys/fs/binfmt_misc",
    nfd: false,
    elements: None,
    absent: "the kernel starts no such program, and no handler takes it; unknown where the handlers do not show",
    since: "always",
    example: "feature: kernel.program\n  matchExpressions:\n    i386: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// What follows the name of a machine, or `script`, where handlers alone are asked for.
const HANDLER: &str = ".handler";
const SCRIPT: &str = "script";
/// What every script starts with.
const SCRIPTS: [(usize, u8); 2] = [(0, b'#'), (1, b'!')];

/// Whether something is so, or why that is not known.
type KnownBool = Result<bool, Unknown>;

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let names = match wanted {
        Wanted::Names(names) => names.clone(),
        Wanted::All => all_names(),
    };
    let kernel = Kernel { probing, handlers: OnceCell::new() };
    let arch = arch::name(probing);
    let mut feature = Feature::flags([""; 0]);
    for name in names {
        match kernel.starts(&name, &arch) {
            Some(Ok(true)) => drop(feature.flags.get_or_insert_default().insert(name)),
            Some(Err(unknown)) => drop(feature.doubtful.insert(name, unknown)),
            Some(Ok(false)) | None => {}
        }
    }
    let is_silent = feature.flags.as_ref().is_none_or(BTreeSet::is_empty);
    match feature.doubtful.values().next() {
        // Nothing at all is known.
        Some(unknown) if is_silent && arch.is_err() => Fact::Unknown(unknown.clone()),
        _ => Fact::Known(feature, kernel.read().to_owned()),
    }
}

fn all_names() -> BTreeSet<String> {
    let names = MACHINES.iter().map(|it| it.name);
    names.chain([SCRIPT]).flat_map(|it| [it.to_owned(), format!("{it}{HANDLER}")]).collect()
}

/// What starts programs, and what was read of it.
struct Kernel<'a> {
    probing: &'a Probing<'a>,
    handlers: OnceCell<Result<Handlers, Unknown>>,
}

impl Kernel<'_> {
    /// Whether it starts what an element names; `None` if that names nothing.
    fn starts(&self, name: &str, arch: &Result<String, Unknown>) -> Option<KnownBool> {
        match name.strip_suffix(HANDLER) {
            Some(SCRIPT) => Some(self.handles(&SCRIPTS)),
            Some(machine) => Some(self.handles(&Machine::named(machine)?.marks())),
            None => {
                let machine = Machine::named(name)?;
                let native = match arch {
                    Ok(arch) => self.starts_itself(arch, machine.name),
                    Err(unknown) => Err(unknown.clone()),
                };
                Some(match native {
                    Ok(true) => Ok(true),
                    Ok(false) => self.handles(&machine.marks()),
                    Err(unknown) => match self.handles(&machine.marks()) {
                        Ok(true) => Ok(true),
                        Ok(false) | Err(_) => Err(unknown),
                    },
                })
            }
        }
    }

    fn handles(&self, marks: &[(usize, u8)]) -> KnownBool {
        let handlers = self.handlers.get_or_init(|| handlers::read(self.probing));
        handlers.as_ref().map_err(Clone::clone)?.may_take(marks)
    }

    /// Where that was read.
    fn read(&self) -> &str {
        match self.handlers.get() {
            Some(Ok(handlers)) => handlers.read,
            Some(Err(_)) | None => ARCH,
        }
    }

    /// Whether the kernel of this architecture starts programs for this machine without help.
    fn starts_itself(&self, arch: &str, machine: &str) -> KnownBool {
        match (arch, machine) {
            ("x86_64", X86_64) | ("aarch64", ARM64) => Ok(true),
            ("x86_64", I386) => self.starts_i386(),
            ("x86_64", X32) => Ok(self.option("X86_X32_ABI")? || self.option("X86_X32")?),
            ("x86_64", _) => Ok(false),
            // CPUs that run both have become rare, and the kernel does not tell in all places.
            ("aarch64", ARM) => {
                Err(Unknown::new(ARCH, "does not tell whether this CPU runs 32-bit programs"))
            }
            ("aarch64", _) => Ok(false),
            (arch, machine) if arch == machine => Ok(true),
            ("loongarch64", "loong64") => Ok(true),
            (arch, machine) if are_strangers(arch, machine) => Ok(false),
            (_, _) => Err(Unknown::new(
                ARCH,
                format!("is {arch}; whether that runs programs for {machine} is not known"),
            )),
        }
    }

    /// `Documentation/admin-guide/kernel-parameters.txt`, `ia32_emulation=`, since Linux 6.7.
    fn starts_i386(&self) -> KnownBool {
        if !self.option("IA32_EMULATION")? {
            return Ok(false);
        }
        let is_off = self.option("IA32_EMULATION_DEFAULT_DISABLED")?;
        let wanted = Wanted::Names(BTreeSet::from(["ia32_emulation".to_owned()]));
        match (cmdline::FEATURE.probe)(self.probing, &wanted) {
            Fact::Known(Feature { attributes: Some(given), .. }, _) => {
                let told = given.get("ia32_emulation").and_then(|it| truth(it.rsplit(',').next()?));
                Ok(told.unwrap_or(!is_off))
            }
            Fact::Known(..) | Fact::Absent(_) => Ok(!is_off),
            Fact::Unknown(unknown) => Err(unknown),
        }
    }

    fn option(&self, name: &str) -> KnownBool {
        match config::probe(self.probing, &Wanted::Names(BTreeSet::from([name.to_owned()]))) {
            Fact::Known(_, read) if read == config::SOURCES => {
                Err(Unknown::new(read, "may be the configuration of another kernel"))
            }
            Fact::Known(options, _) => Ok(options.attributes.iter().flatten().any(|(_, it)| it == "y")),
            Fact::Absent(read) => Err(Unknown::new(read, "is not there")),
            Fact::Unknown(unknown) => Err(unknown),
        }
    }
}

/// Kinds of machines whose kernels may run each other's programs, by how the names of kernels and of machines start.
const KINDS: [&[&str]; 12] = [
    &["x86", "x32", "i386", "i486", "i586", "i686"],
    &["aarch64", "arm"],
    &["ppc"],
    &["s390"],
    &["riscv"],
    &["loong"],
    &["mips"],
    &["sparc"],
    &["alpha"],
    &["m68k"],
    &["sh4"],
    &["parisc", "hppa"],
];

/// Whether a kernel of this architecture is known to have nothing in common with this machine.
fn are_strangers(arch: &str, machine: &str) -> bool {
    let kind = |name: &str| KINDS.iter().position(|it| it.iter().any(|start| name.starts_with(start)));
    kind(arch).zip(kind(machine)).is_some_and(|(one, other)| one != other)
}

/// As `kstrtobool` in the kernel reads it.
fn truth(text: &str) -> Option<bool> {
    match text.to_ascii_lowercase().as_bytes() {
        [b'y' | b't' | b'1', ..] | [b'o', b'n', ..] => Some(true),
        [b'n' | b'f' | b'0', ..] | [b'o', b'f', ..] => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::handlers::FOLDER;
    use super::*;
    use crate::host::kernel::filesystems::FILESYSTEMS;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told_of, wanted};
    use crate::testing::FakeHost;

    const QEMU: &str = "enabled\ninterpreter /usr/bin/qemu-aarch64\nflags: OCF\noffset 0\n\
                        magic 7f454c460201010000000000000000000200b700\nmask ffffffffffffff00fffffffffffffffffeffffff\n";
    const NOT_MOUNTED: &str = "/proc/sys/fs/binfmt_misc: is not mounted here, so its entries do not show";

    fn bare(arch: &str) -> FakeHost {
        FakeHost::new().file(ARCH, format!("{arch}\n")).file("/proc/cmdline", "quiet\n")
    }

    fn without_handlers(arch: &str) -> FakeHost {
        bare(arch).file(FILESYSTEMS, "nodev\tproc\n")
    }

    fn with(entry: &str) -> FakeHost {
        let host = bare("x86_64").file(FILESYSTEMS, "nodev\tbinfmt_misc\n");
        host.file(&format!("{FOLDER}/status"), "enabled\n").file(&format!("{FOLDER}/entry"), entry)
    }

    fn check(host: FakeHost, names: &[&str], expected: &str) {
        assert_eq!(told_of(&host, FEATURE.name, wanted(names)), expected);
    }

    #[test]
    fn a_kernel_starts_programs_for_its_own_machine() {
        let names = ["x86-64", "arm64", "s390x", "x86-64.handler", "script.handler", "nonsense"];
        check(without_handlers("x86_64"), &names, "known (/proc/filesystems): x86-64");
        check(without_handlers("aarch64"), &names, "known (/proc/filesystems): arm64");
        check(without_handlers("s390x"), &names, "known (/proc/filesystems): s390x");
        check(without_handlers("ppc64le"), &names, "known (/proc/filesystems): ");
        check(without_handlers("loongarch64"), &["loong64", "arm64"], "known (/proc/filesystems): loong64");
        let kin = "/proc/sys/kernel/arch: is s390x; whether that runs programs for s390 is not known";
        check(
            without_handlers("s390x"),
            &["s390"],
            &format!("known (/proc/filesystems): and perhaps s390: {kin}"),
        );
        let odd = "/proc/sys/kernel/arch: is vax; whether that runs programs for s390 is not known";
        check(
            without_handlers("vax"),
            &["s390"],
            &format!("known (/proc/filesystems): and perhaps s390: {odd}"),
        );
        check(bare("x86_64"), &["x86-64"], "known (/proc/sys/kernel/arch): x86-64");
        let open = "known (/proc/sys/kernel/arch): and perhaps arm: /proc/sys/kernel/arch: \
                    does not tell whether this CPU runs 32-bit programs";
        check(without_handlers("aarch64"), &["arm"], &open.replacen("sys/kernel/arch", "filesystems", 1));
    }

    #[test]
    fn handlers_take_what_their_magic_fits() {
        let names = ["arm64", "arm64.handler", "arm", "s390x", "script.handler", "x86-64.handler"];
        check(with(QEMU), &names, "known (/proc/sys/fs/binfmt_misc): arm64 arm64.handler");
        check(with(&QEMU.replace("enabled", "disabled")), &names, "known (/proc/sys/fs/binfmt_misc): ");
        let off = with(QEMU).file(&format!("{FOLDER}/status"), "disabled\n");
        check(off, &names, "known (/proc/sys/fs/binfmt_misc): ");
        // One that looks at the first four bytes alone takes all.
        let all = "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 7f454c46\n";
        check(with(all), &names[..4], "known (/proc/sys/fs/binfmt_misc): arm arm64 arm64.handler s390x");
        let shell = "enabled\ninterpreter /x\nflags: \noffset 0\nmagic 2321\n";
        check(with(shell), &["arm64", "script.handler"], "known (/proc/sys/fs/binfmt_misc): script.handler");
        let behind = "enabled\ninterpreter /x\nflags: \noffset 18\nmagic b700\nmask ffff\n";
        check(with(behind), &["arm64", "arm"], "known (/proc/sys/fs/binfmt_misc): arm64");
        check(with(behind), &["script.handler"], "known (/proc/sys/fs/binfmt_misc): script.handler");
    }

    #[test]
    fn handlers_that_do_not_show_leave_it_open() {
        let host = bare("x86_64").file(FILESYSTEMS, "nodev\tbinfmt_misc\n").folder(FOLDER);
        check(
            host,
            &["x86-64", "arm64"],
            &format!("known (/proc/sys/kernel/arch): x86-64 and perhaps arm64: {NOT_MOUNTED}"),
        );
        let extension = "enabled\ninterpreter /usr/bin/java\nflags: \nextension .jar\n";
        let reason = "/proc/sys/fs/binfmt_misc/entry: takes files by the end of their name, whatever machine they are for";
        check(
            with(extension),
            &["arm64"],
            &format!("known (/proc/sys/fs/binfmt_misc): and perhaps arm64: {reason}"),
        );
        for broken in [
            "enabled\n",
            "enabled\nmagic 7f4\n",
            "enabled\noffset x\nmagic 7f\n",
            "enabled\nmagic 7f\nmask ffff\n",
        ] {
            let reason = "/proc/sys/fs/binfmt_misc/entry: does not say which files it takes";
            let expected = format!("known (/proc/sys/kernel/arch): and perhaps arm64: {reason}");
            check(with(broken), &["arm64"], &expected);
        }
    }

    #[test]
    fn programs_of_32_bits_start_if_the_kernel_was_built_for_them_and_told_so() {
        let told = |config: &str, cmdline: &str, names: &[&str]| {
            let host =
                without_handlers("x86_64").file(OSRELEASE, "6.1.0\n").file("/boot/config-6.1.0", config);
            told_of(&host.file("/proc/cmdline", cmdline), FEATURE.name, wanted(names))
        };
        let (on, off) = ("known (/proc/sys/kernel/arch): i386", "known (/proc/filesystems): ");
        let built = "CONFIG_IA32_EMULATION=y\n";
        assert_eq!(told(built, "quiet\n", &["i386"]), on);
        assert_eq!(told("CONFIG_A=y\n", "quiet\n", &["i386"]), off);
        assert_eq!(told(built, "ia32_emulation=0\n", &["i386"]), off);
        assert_eq!(told(built, "ia32_emulation=off ia32_emulation=on\n", &["i386"]), on);
        assert_eq!(told(built, "ia32_emulation=maybe\n", &["i386"]), on);
        let disabled = format!("{built}CONFIG_IA32_EMULATION_DEFAULT_DISABLED=y\n");
        assert_eq!(told(&disabled, "quiet\n", &["i386"]), off);
        assert_eq!(told(&disabled, "ia32_emulation=true\n", &["i386"]), on);
        assert_eq!(told("CONFIG_X86_X32_ABI=y\n", "\n", &["x32"]), "known (/proc/sys/kernel/arch): x32");
        assert_eq!(told("CONFIG_X86_X32=y\n", "\n", &["x32"]), "known (/proc/sys/kernel/arch): x32");
        assert_eq!(told(built, "\n", &["x32"]), off);
        let sources = without_handlers("x86_64").file("/usr/src/linux/.config", "CONFIG_A=y\n");
        let other = "/usr/src/linux/.config: may be the configuration of another kernel";
        check(sources, &["i386"], &format!("known (/proc/filesystems): and perhaps i386: {other}"));
        let unread = told_of(&without_handlers("x86_64"), FEATURE.name, wanted(&["i386"]));
        assert!(
            unread.starts_with("known (/proc/filesystems): and perhaps i386: /proc/config.gz: "),
            "{unread}"
        );
    }

    #[test]
    fn a_machine_of_which_nothing_is_known_is_unknown() {
        let reason = "unknown: /proc/sys/kernel/arch: is not there, and nor is the rest of its file system";
        check(FakeHost::new(), &["arm64"], reason);
    }
}
