//! Scripts, programs for other machines, and programs for smaller pages, started by the kernel that runs here.

use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, io};

use nix::errno::Errno;
use nix::unistd::{chdir, chroot, geteuid};
use tempfile::TempDir;

use super::{Bundle, C, Verdict};
use crate::runtimes::program::{installed, run, succeed};
use crate::runtimes::runtime::skip;

const HERE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86-64" };

/// A host on which no handler takes programs, and a program that says `ran`.
struct Here {
    host: TempDir,
    ran: PathBuf,
}

impl Here {
    /// `None`, aloud, where nothing can be started in a root file system of its own.
    fn new(test: &str) -> Option<Self> {
        if !geteuid().is_root() {
            skip(test, "programs are started in other root file systems as root");
            return None;
        }
        if installed("gcc").is_none() {
            skip(test, "gcc is not installed (run integration/setup oracles)");
            return None;
        }
        if handlers().is_none_or(|it| !it.is_empty()) {
            skip(test, "handlers of binfmt_misc may take programs here");
            return None;
        }
        let here = Self::with("nodev\tproc\n");
        let source = here.host.path().join("ran.c");
        fs::write(&source, C).expect("writing a source");
        succeed(Command::new("gcc").args(["-static", "-o"]).args([&here.ran, &source]));
        Some(here)
    }

    /// A host made of files, whose kernel has these file systems.
    fn with(filesystems: &str) -> Self {
        let host = tempfile::tempdir().expect("a temporary folder");
        let here = Self { ran: host.path().join("ran"), host };
        here.write("proc/sys/kernel/arch", &format!("{}\n", env::consts::ARCH));
        here.write("proc/filesystems", filesystems);
        here.write("etc/os-release", "ID=debian\n");
        // Of the kernel that runs here: it tells which programs of 32 bits are started.
        let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
        here.write("proc/sys/kernel/osrelease", &release);
        here
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.host.path().join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("making a host");
        fs::write(path, content).expect("making a host");
    }

    fn judged(&self, bundle: &Bundle) -> Verdict {
        bundle.judged(&["--root", &self.host.path().display().to_string()])
    }
}

/// The handlers of this machine; `None` if they cannot be seen.
fn handlers() -> Option<Vec<String>> {
    if !fs::read_to_string("/proc/filesystems").ok()?.contains("binfmt_misc") {
        return Some(Vec::new());
    }
    let script = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && ls /proc/sys/fs/binfmt_misc";
    let outcome = run(Command::new("unshare").args(["--mount", "sh", "-c", script]));
    let names = || outcome.stdout.lines().filter(|it| !["register", "status"].contains(it));
    outcome.status.success().then(|| names().map(str::to_owned).collect())
}

/// What the kernel does with a program of a root file system: it runs and says `ran`, or it cannot be started for this reason.
fn started(rootfs: &Path, program: &str) -> Result<(), Errno> {
    let text = |it: &[u8]| CString::new(it).expect("a path");
    let (root, program) = (text(rootfs.as_os_str().as_bytes()), text(program.as_bytes()));
    // What is started instead of it, as soon as the root is changed, knows no shell to fall back on.
    let mut command = Command::new("/bin/false");
    // SAFETY: chroot(2), chdir(2) and execve(2) may be called between fork and exec, and no memory is asked for.
    #[expect(unsafe_code, reason = "the kernel alone is asked, from another root")]
    unsafe {
        command.pre_exec(move || {
            chroot(root.as_c_str())?;
            chdir(c"/")?;
            let words = [program.as_ptr(), std::ptr::null()];
            nix::libc::execve(program.as_ptr(), words.as_ptr(), [std::ptr::null()].as_ptr());
            Err(io::Error::last_os_error())
        });
    }
    match command.output() {
        Ok(output) => {
            assert_eq!((output.status.success(), &*output.stdout), (true, b"ran\n".as_slice()), "{output:?}");
            Ok(())
        }
        Err(err) => Err(Errno::from_raw(io::Error::raw_os_error(&err).expect("an error of the kernel"))),
    }
}

/// A script for each of the ways in which a `#!` line can fail or not, what the kernel says of it, and what we say.
#[test]
fn scripts_are_judged_as_the_kernel_starts_them() {
    let Some(here) = Here::new("scripts") else { return };
    let ran = fs::read(&here.ran).expect("a program");
    let bundle = Bundle::of(&["/entry"])
        .program("/bin/sh", &ran)
        .program("/bin/env", &ran)
        .program("/bin/one", b"#!/bin/sh\n")
        .program("/bin/to-nothing", b"#!/bin/gone\n")
        .program("/bin/foreign", &foreign());
    let reason = |what: &str| Some(format!("{what} [program-interpreter]"));
    let lacks = |file: &str, path: &str, more: &str| {
        reason(&format!("{file} needs the interpreter {path}, which the image lacks{more}"))
    };
    let is_foreign = format!(
        "/bin/foreign is for sh4; this host is {HERE}, and no binfmt handler for sh4 is enabled (try: apt install qemu-user-static) \
         [program-architecture]"
    );
    let windows = ": its line ends as on Windows (try: dos2unix)";
    let long = format!("#!/bin/{}\n", "x".repeat(300));
    let arguments = format!("#!/bin/sh {}\n", "x".repeat(300));
    let path = format!("#!/bin/{}\n", "x".repeat(200));
    for (line, kernel, said) in [
        ("#!/bin/sh\necho\n", Ok(()), None),
        ("#!/bin/sh", Ok(()), None),
        ("#! \t/bin/sh -e -u\n", Ok(()), None),
        // The end of the line belongs to the name.
        ("#!/bin/sh\r\necho\r\n", Err(Errno::ENOENT), lacks("/entry", "\"/bin/sh\\r\"", windows)),
        // Behind a blank it is an argument. What env makes of that, the kernel does not know.
        ("#!/bin/env sh\r\n", Ok(()), None),
        ("#!/bin/env no-such-program\n", Ok(()), None),
        ("#!/bin/bash\n", Err(Errno::ENOENT), lacks("/entry", "/bin/bash", "")),
        // An interpreter that is a script itself.
        ("#!/bin/one\n", Ok(()), None),
        ("#!/bin/to-nothing\n", Err(Errno::ENOENT), lacks("/bin/to-nothing", "/bin/gone", "")),
        ("#!/bin/foreign\n", Err(Errno::ENOEXEC), Some(is_foreign)),
        // Kernels before 5.1 looked at fewer bytes, so of long lines nothing is said.
        (&long, Err(Errno::ENOEXEC), None),
        (&path, Err(Errno::ENOENT), None),
        (&arguments, Ok(()), None),
        // No interpreter at all: what is no program, others may take.
        ("#!\n", Err(Errno::ENOEXEC), None),
        ("echo\n", Err(Errno::ENOEXEC), None),
        // Of a path that depends on the working directory nothing is said.
        ("#!bin/sh\n", Ok(()), None),
        ("#!bin/gone\n", Err(Errno::ENOENT), None),
    ] {
        fs::remove_file(bundle.rootfs().join("entry")).unwrap_or_default();
        crate::command::make_program(&bundle.at("/entry"), line.as_bytes());
        assert_eq!(started(&bundle.rootfs(), "/entry"), kernel, "{line:?}");
        let verdict = here.judged(&bundle);
        assert_eq!(verdict.reasons, Vec::from_iter(said.clone()), "{line:?}");
        assert_eq!(verdict.is_refused, said.is_some(), "{line:?}: {verdict:?}");
    }
}

/// Five scripts in a row start, and the sixth never does.
#[test]
fn as_many_scripts_follow_one_another_as_the_kernel_follows() {
    let Some(here) = Here::new("scripts in a row") else { return };
    let ran = fs::read(&here.ran).expect("a program");
    for count in 1..=7 {
        let mut bundle =
            Bundle::of(&["/bin/1"]).program("/bin/end", &ran).program("/bin/foreign", &foreign());
        for number in 1..=count {
            let next = if number == count { "end".to_owned() } else { (number + 1).to_string() };
            let line = format!("#!/bin/{next}\n");
            bundle = bundle.program(&format!("/bin/{number}"), line.as_bytes());
        }
        let expected = if count <= 5 { Ok(()) } else { Err(Errno::ELOOP) };
        assert_eq!(started(&bundle.rootfs(), "/bin/1"), expected, "{count}");
        let verdict = here.judged(&bundle);
        let said = "/bin/1 is a script that is interpreted by a script, and so on: kernels follow five, and /bin/6 is the sixth \
                    [program-interpreter]";
        assert_eq!(verdict.reasons, Vec::from_iter((count > 5).then_some(said)), "{count}");
        // The last interpreter is seen as far as the kernel sees it.
        let bundle = bundle.program(&format!("/bin/{count}"), b"#!/bin/foreign\n");
        let expected = if count <= 5 { Errno::ENOEXEC } else { Errno::ELOOP };
        assert_eq!(started(&bundle.rootfs(), "/bin/1"), Err(expected), "{count}");
        assert!(here.judged(&bundle).is_refused, "{count}");
    }
}

/// Scripts that lead to themselves, through links and without.
#[test]
fn scripts_that_lead_to_themselves_are_never_started() {
    let Some(here) = Here::new("loops of scripts") else { return };
    for (scripts, entry) in [
        (&[("/loop", "#!/loop\n")][..], "/loop"),
        (&[("/bin/a", "#!/bin/b\n"), ("/bin/b", "#!/bin/a\n")], "/bin/a"),
        (&[("/bin/a", "#!/bin/b\n"), ("/bin/b", "#!/bin/c\n"), ("/bin/c", "#!/bin/b\n")], "/bin/a"),
    ] {
        let bundle =
            scripts.iter().fold(Bundle::of(&[entry]), |it, (path, line)| it.program(path, line.as_bytes()));
        assert_eq!(started(&bundle.rootfs(), entry), Err(Errno::ELOOP), "{entry}");
        let said = format!(
            "{entry} is a script that leads back to itself by the interpreters of its `#!` lines [program-interpreter]"
        );
        assert_eq!(here.judged(&bundle).reasons, [said]);
    }
}

/// A program of SuperH, which no machine of these tests is.
fn foreign() -> Vec<u8> {
    let mut bytes = vec![0; 128];
    bytes[..6].copy_from_slice(b"\x7fELF\x01\x01");
    (bytes[16], bytes[18], bytes[42]) = (2, 42, 32);
    bytes
}

#[test]
fn a_program_without_its_loader_is_judged_as_the_kernel_starts_it() {
    let Some(here) = Here::new("a program without its loader") else { return };
    let source = here.host.path().join("ran.c");
    let bundle = Bundle::of(&["/app"]);
    let mut link = Command::new("gcc");
    succeed(link.arg("-Wl,--dynamic-linker=/lib/gone.so").arg("-o").arg(bundle.at("/app")).arg(source));
    assert_eq!(started(&bundle.rootfs(), "/app"), Err(Errno::ENOENT));
    let said = "/app needs the loader /lib/gone.so, which the image lacks [program-interpreter]";
    assert_eq!(here.judged(&bundle).reasons, [said]);
}

/// By the configuration of the kernel that runs here.
#[test]
fn programs_of_32_bits_are_judged_as_the_kernel_starts_them() {
    const NAME: &str = "programs of 32 bits";
    if !cfg!(target_arch = "x86_64") {
        return skip(NAME, "i386 and x32 are tried on x86-64 only");
    }
    let release = fs::read_to_string("/proc/sys/kernel/osrelease").expect("a release");
    if !["/proc/config.gz".to_owned(), format!("/boot/config-{}", release.trim())]
        .iter()
        .any(|it| Path::new(it).exists())
    {
        return skip(NAME, "the configuration of this kernel is nowhere");
    }
    if Here::new(NAME).is_none() {
        return;
    }
    for (machine, code, reason) in [
        (
            3,
            I386,
            "/app is for i386, and this kernel starts no 32-bit programs (CONFIG_IA32_EMULATION, ia32_emulation=)",
        ),
        (62, X32, "/app is for x32, and this kernel was built without it (CONFIG_X86_X32_ABI)"),
    ] {
        let bundle = Bundle::of(&["/app"]).program("/app", &of_32_bits(machine, code));
        let outcome = started(&bundle.rootfs(), "/app");
        let verdict = bundle.judged(&[]);
        let expected = outcome.is_err().then(|| format!("{reason} [program-architecture]"));
        assert_eq!(verdict.reasons, Vec::from_iter(expected), "{outcome:?}");
        assert_eq!(verdict.is_refused, outcome.is_err());
    }
}

/// The address of the text is left out: write(2) and exit(2), by int 0x80 and by syscall.
type Code = [&'static [u8]; 2];
const I386: Code =
    [b"\xb8\x04\0\0\0\xbb\x01\0\0\0\xb9", b"\xba\x04\0\0\0\xcd\x80\xb8\x01\0\0\0\x31\xdb\xcd\x80ran\n"];
const X32: Code =
    [b"\xb8\x01\0\0\x40\xbf\x01\0\0\0\xbe", b"\xba\x04\0\0\0\x0f\x05\xb8\x3c\0\0\x40\x31\xff\x0f\x05ran\n"];

/// A program with headers of 32 bits that says `ran`.
fn of_32_bits(machine: u16, [before, behind]: Code) -> Vec<u8> {
    const PLACE: u32 = 0x0804_8000;
    const HEADERS: u32 = 52 + 32;
    let size = |it: usize| u32::try_from(it).expect("a short program");
    let length = HEADERS + size(before.len() + 4 + behind.len());
    let text = PLACE + length - size("ran\n".len());
    let halves = |all: &[u16]| all.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>();
    let words = |all: &[u32]| all.iter().flat_map(|it| it.to_le_bytes()).collect::<Vec<_>>();
    [
        b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec(),
        halves(&[2, machine]),
        words(&[1, PLACE + HEADERS, 52, 0, 0]),
        halves(&[52, 32, 1, 0, 0, 0]),
        words(&[1, 0, PLACE, PLACE, length, length, 5, 4096]),
        before.to_vec(),
        words(&[text]),
        behind.to_vec(),
    ]
    .concat()
}

/// In a user namespace of its own, binfmt_misc has handlers of its own (Linux 6.7): the machine's are left alone. What the
/// kernel shows there is what we read.
const REGISTERED: &str = r#"
    mount -t tmpfs none "$1/mnt" && cp "$1/handler" "$1/mnt/handler" && chmod 755 "$1/mnt/handler"
    mount -t binfmt_misc none /proc/sys/fs/binfmt_misc
    printf ':sh4:M:0:\\x7fELF\\x01\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x02\\x00\\x2a\\x00:\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\x00\\xfe\\xff\\xff\\xff:%s:F' "$1/mnt/handler" >/proc/sys/fs/binfmt_misc/register
    for state in enabled disabled; do
        cat /proc/sys/fs/binfmt_misc/sh4 >"$1/$state.sh4"
        cat /proc/sys/fs/binfmt_misc/status >"$1/$state.status"
        chroot "$1/rootfs" /app >"$1/$state.out" 2>&1
        echo 0 >/proc/sys/fs/binfmt_misc/sh4
    done
"#;

#[test]
fn a_program_for_another_machine_starts_where_a_handler_takes_it() {
    const NAME: &str = "handlers of binfmt_misc";
    let Some(here) = Here::new(NAME) else { return };
    let bundle = Bundle::of(&["/app"]).program("/app", &foreign());
    assert_eq!(started(&bundle.rootfs(), "/app"), Err(Errno::ENOEXEC));
    assert!(here.judged(&bundle).is_refused);
    fs::copy(&here.ran, bundle.path().join("handler")).expect("a handler");
    fs::create_dir(bundle.path().join("mnt")).expect("a folder");
    let mut script = Command::new("unshare");
    script.args(["--user", "--map-root-user", "--mount", "sh", "-euc", REGISTERED, "sh"]);
    let outcome = run(script.arg(bundle.path()));
    let told = |state: &str, what: &str| fs::read_to_string(bundle.path().join(format!("{state}.{what}")));
    let Ok(entry) = told("enabled", "sh4") else {
        return skip(NAME, &format!("no handler can be registered in a user namespace: {}", outcome.stderr));
    };
    assert!(entry.starts_with("enabled\n"), "{entry}");
    for (state, starts) in [("enabled", true), ("disabled", false)] {
        let host = Here::with("nodev\tbinfmt_misc\n");
        host.write("proc/sys/fs/binfmt_misc/status", &told(state, "status").expect("a status"));
        host.write("proc/sys/fs/binfmt_misc/sh4", &told(state, "sh4").expect("an entry"));
        let said = told(state, "out").expect("what it said");
        assert_eq!(said == "ran\n", starts, "{state}: {said}");
        assert_eq!(host.judged(&bundle).is_refused, !starts, "{state}");
    }
}

/// A program whose data cannot be mapped, for the pages that this machine has.
#[test]
fn a_program_for_smaller_pages_is_refused_where_the_kernel_cannot_map_it() {
    let Some(here) = Here::new("programs for smaller pages") else { return };
    let page = nix::unistd::sysconf(nix::unistd::SysconfVar::PAGE_SIZE).expect("a size").expect("a size");
    let page = u64::try_from(page).expect("a size");
    if (cfg!(target_arch = "aarch64") && page != 65536) || page > 65536 {
        return skip("programs for smaller pages", "this kernel has not the largest pages of its machine");
    }
    // The page size of a host made of files stands in smaps.
    here.write("proc/self/smaps", &format!("KernelPageSize: {:>8} kB\n", page / 1024));
    let ran = fs::read(&here.ran).expect("a program");
    for (by, is_mapped) in [(page, true), (page / 2, false), (512, false)] {
        let bundle = Bundle::of(&["/app"]).program("/app", &with_data_moved(&ran, page, by));
        let outcome = run(Command::new(bundle.at("/app")).env_clear());
        assert_eq!(outcome.stdout == "ran\n", is_mapped, "{by}: {outcome:?}");
        let verdict = here.judged(&bundle);
        let said = format!(
            "/app was linked for pages of at most {by} bytes, and this kernel has pages of {page} bytes: it cannot be mapped \
             [value-out-of-range]"
        );
        assert_eq!(verdict.reasons, Vec::from_iter((!is_mapped).then_some(said)), "{by}: {verdict:?}");
    }
}

/// A program whose data stand at another place in the file, which within a page is by so many bytes not that in memory.
fn with_data_moved(program: &[u8], page: u64, by: u64) -> Vec<u8> {
    const LOAD: &[u8] = &1_u32.to_le_bytes();
    let long = |at: usize| u64::from_le_bytes(program[at..at + 8].try_into().expect("eight bytes"));
    let size = |it: u64| usize::try_from(it).expect("a size");
    let count = u16::from_le_bytes([program[56], program[57]]);
    let mut headers = (0..count).map(|it| size(long(32)) + 56 * usize::from(it));
    let data = headers.find(|it| program[*it..*it + 4] == *LOAD && program[*it + 4] & 2 != 0).expect("data");
    let (offset, address, length) = (long(data + 8), long(data + 16), long(data + 32));
    let place = u64::try_from(program.len()).expect("a size").next_multiple_of(page) + address % page + by;
    let mut moved = program.to_vec();
    moved[data + 8..data + 16].copy_from_slice(&place.to_le_bytes());
    moved.resize(size(place), 0);
    moved.extend_from_slice(&program[size(offset)..size(offset + length)]);
    // A page is mapped as a whole.
    moved.resize(moved.len().next_multiple_of(size(page)), 0);
    moved
}
