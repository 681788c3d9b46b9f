//! `cpu.flag`: the features of all CPUs, by the kernel's names. Holds no more of `/proc/cpuinfo` than a line or two.

use std::collections::BTreeSet;
use std::io::Read;

use memchr::memchr_iter;
use nix::errno::Errno;

use crate::host::root::reason;
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Root, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "cpu.flag",
    kinds: &[ElementKind::Flags],
    meaning: "the features of the CPUs by the kernel's names (`avx2`, `vmx`, `svm`; `asimd` on arm64), if all CPUs have them \
        and the kernel lets programs use them",
    read: "the lines flags (x86), Features (arm64, arm) and features (s390x) of /proc/cpuinfo",
    nfd: false,
    elements: None,
    absent: "a CPU lacks it, its hypervisor hides it, or the kernel does not offer it; the whole feature is absent on \
        architectures whose kernel lists no flags, such as ppc64le and riscv64",
    since: "always",
    example: "feature: cpu.flag\n  matchExpressions:\n    vmx: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const CPUINFO: &str = "/proc/cpuinfo";
/// 8,192 CPUs, the most that x86 kernels are built for, with 2 KiB each.
const MAX_TEXT: usize = 16 << 20;
/// The longest line that is read, in bytes: one with every flag that the kernel knows has 4 KiB.
const MAX_LINE: usize = 64 << 10;
/// The kernel returns a page at a time.
const READ: usize = 4096;
/// What the line with the flags is called, on the architectures that have one.
const KEYS: [&[u8]; 3] = [b"flags", b"Features", b"features"];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    of(probing.root, wanted)
}

/// As [`FEATURE`] has it, for `cpu.cpuid` of a tree of files as well.
pub(in crate::host) fn of(root: &Root, wanted: &Wanted) -> Fact {
    let file = match root.open(CPUINFO) {
        Ok(file) => file,
        Err(Miss::Unreadable(unknown)) => return Fact::Unknown(unknown),
        // Every kernel has it.
        Err(miss @ Miss::NotFound) => return Fact::Unknown(miss.unknown(CPUINFO)),
    };
    match scan(file, wanted) {
        Ok(Some(flags)) => Fact::Known(Feature::flags(flags), CPUINFO.to_owned()),
        Ok(None) => Fact::Absent(CPUINFO.to_owned()),
        Err(reason) => Fact::Unknown(Unknown::new(CPUINFO, reason)),
    }
}

/// The wanted flags that all CPUs have; none if no flags are listed.
fn scan(mut source: impl Read, wanted: &Wanted) -> Result<Option<BTreeSet<String>>, String> {
    let mut common = CommonFlags::default();
    let mut text = Vec::new();
    let mut total = 0;
    loop {
        let waiting = text.len();
        text.resize(waiting + READ, 0);
        let room = text.get_mut(waiting..).unwrap_or_default();
        // No retry after EINTR: the hook's timer ends a read that takes too long.
        let count =
            source.read(room).map_err(|err| reason(Errno::from_raw(err.raw_os_error().unwrap_or(0))))?;
        text.truncate(waiting + count);
        total += count;
        if total > MAX_TEXT {
            return Err(format!("is larger than {MAX_TEXT} bytes"));
        }
        if count == 0 {
            common.line(&text, wanted);
            return common.finish();
        }
        let end = common.lines(&text, wanted);
        if common.is_settled() {
            return common.finish();
        }
        text.drain(..end);
        if text.len() > MAX_LINE {
            return Err(format!("has a line of more than {MAX_LINE} bytes"));
        }
    }
}

/// What the CPUs listed so far have in common.
#[derive(Default)]
struct CommonFlags {
    flags: Option<BTreeSet<String>>,
    /// The text of the last CPU's flags: usually the next one has the same.
    last: Vec<u8>,
    /// Whether any CPU is listed: a file without one is no proof that there are no flags.
    has_cpus: bool,
}

impl CommonFlags {
    /// Takes whole lines; gives the length of the text that was taken.
    fn lines(&mut self, text: &[u8], wanted: &Wanted) -> usize {
        let mut start = 0;
        for end in memchr_iter(b'\n', text) {
            self.line(text.get(start..end).unwrap_or_default(), wanted);
            start = end + 1;
        }
        start
    }

    /// `flags\t\t: fpu vme …`
    fn line(&mut self, line: &[u8], wanted: &Wanted) {
        let colon = line.iter().position(|it| *it == b':');
        let Some((key, list)) = colon.and_then(|it| line.split_at_checked(it)) else { return };
        // On s390x a line about one CPU begins `processor 0: version`.
        self.has_cpus |= key.starts_with(b"processor");
        if !KEYS.contains(&key.trim_ascii_end()) || self.flags.is_some() && list == self.last {
            return;
        }
        list.clone_into(&mut self.last);
        let listed = String::from_utf8_lossy(list.get(1..).unwrap_or_default());
        let listed = listed.split_ascii_whitespace();
        match &mut self.flags {
            None => self.flags = Some(listed.filter(|it| wanted.has(it)).map(str::to_owned).collect()),
            Some(flags) => {
                let listed: BTreeSet<_> = listed.collect();
                flags.retain(|it| listed.contains(it.as_str()));
            }
        }
    }

    /// Whether further CPUs cannot change anything.
    fn is_settled(&self) -> bool {
        self.flags.as_ref().is_some_and(BTreeSet::is_empty)
    }

    fn finish(self) -> Result<Option<BTreeSet<String>>, String> {
        match self.flags {
            None if !self.has_cpus => Err("lists no processor".to_owned()),
            flags => Ok(flags),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::io;

    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    fn check(cpuinfo: &str, expected: &str) {
        let host = FakeHost::new().file(CPUINFO, cpuinfo);
        assert_eq!(told(&host, FEATURE.name), expected, "{cpuinfo}");
    }

    fn cpu(index: usize, flags: &str) -> String {
        format!(
            "processor\t: {index}\nmodel name\t: x: y\nflags\t\t: {flags}\nvmx flags\t: vnmi\nbugs\t\t: swapgs\n\n"
        )
    }

    #[test]
    fn flags_are_those_that_all_cpus_have() {
        check(&cpu(0, "fpu avx2 vmx"), "known (/proc/cpuinfo): avx2 fpu vmx");
        let hybrid =
            cpu(0, "fpu avx2 vmx") + &cpu(1, "fpu avx2 vmx") + &cpu(2, "vmx fpu") + &cpu(3, "fpu avx2 vmx");
        check(&hybrid, "known (/proc/cpuinfo): fpu vmx");
        check(&(cpu(0, "a") + &cpu(1, "b")), "known (/proc/cpuinfo): ");
        check(&(cpu(0, "") + &cpu(1, "b")), "known (/proc/cpuinfo): ");
    }

    #[test]
    fn other_architectures_have_other_words_for_them() {
        let arm64 = "processor\t: 0\nBogoMIPS\t: 50.00\nFeatures\t: fp asimd evtstrm\n\n\
                     processor\t: 1\nFeatures\t: fp asimd evtstrm sve";
        check(arm64, "known (/proc/cpuinfo): asimd evtstrm fp");
        let s390x =
            "vendor_id : IBM/S390\nfeatures\t: esan3 zarch \nfacilities : 0 1\nprocessor 0: version = FF\n";
        check(s390x, "known (/proc/cpuinfo): esan3 zarch");
    }

    #[test]
    fn a_kernel_that_lists_no_flags_has_no_such_feature() {
        check("processor\t: 0\ncpu\t\t: POWER9\nclock\t\t: 2300MHz\n", "absent (/proc/cpuinfo)");
        check("processor\t: 0\nhart\t\t: 1\nisa\t\t: rv64imafdc\n", "absent (/proc/cpuinfo)");
    }

    #[test]
    fn a_list_without_processors_is_unknown() {
        for text in ["", "\n\n", "flags", "cpu MHz : 1\n", "\u{0}"] {
            check(text, "unknown: /proc/cpuinfo: lists no processor");
        }
    }

    #[test]
    fn what_cannot_be_read_is_unknown() {
        let check = |host: &FakeHost, expected| assert_eq!(told(host, FEATURE.name), expected);
        check(&FakeHost::new(), "unknown: /proc/cpuinfo: is not there");
        let hidden = FakeHost::new().unreadable(CPUINFO);
        check(&hidden, "unknown: /proc/cpuinfo: is a loop of symbolic links");
    }

    #[test]
    fn only_the_wanted_flags_are_kept() {
        let host = FakeHost::new().file(CPUINFO, cpu(0, "fpu avx2 vmx") + &cpu(1, "fpu vmx"));
        let of = |names| told_of(&host, FEATURE.name, wanted(names));
        assert_eq!(of(&["vmx", "avx2", "svm"]), "known (/proc/cpuinfo): vmx");
        assert_eq!(of(&["vnmi", "../vmx", "flags"]), "known (/proc/cpuinfo): ");
    }

    #[test]
    fn text_that_is_not_utf8_is_read_with_replacements() {
        let host = FakeHost::new().file(CPUINFO, b"flags : a \xff b\n");
        assert_eq!(told(&host, FEATURE.name), "known (/proc/cpuinfo): a b \u{fffd}");
    }

    #[test]
    fn a_large_machine_is_read_to_its_end() {
        let flags: String = (0..200).fold(String::new(), |mut text, it| {
            write!(text, "flag{it} ").expect("text");
            text
        });
        let mut text: String = (0..512).map(|it| cpu(it, &flags)).collect();
        text += &cpu(512, "flag7 flag199");
        check(&text, "known (/proc/cpuinfo): flag199 flag7");
    }

    /// Hands out a few bytes at a time, as the kernel may, and then ends or fails.
    struct Trickle<'a>(&'a [u8], Option<Errno>);

    impl Read for Trickle<'_> {
        fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
            match (self.0.is_empty(), self.1) {
                (true, Some(errno)) => Err(errno.into()),
                _ => self.0.read(&mut room[..3]),
            }
        }
    }

    #[test]
    fn lines_are_put_together_however_they_are_handed_out() {
        let text = cpu(0, "fpu avx2 vmx") + &cpu(1, "fpu vmx");
        let flags = ["fpu", "vmx"].map(str::to_owned);
        assert_eq!(scan(Trickle(text.as_bytes(), None), &Wanted::All), Ok(Some(flags.into())));
    }

    #[test]
    fn a_list_that_breaks_off_is_unknown() {
        let text = cpu(0, "fpu avx2 vmx");
        let broken = |wanted| scan(Trickle(text.as_bytes(), Some(Errno::EINTR)), wanted);
        assert_eq!(broken(&Wanted::All), Err("was not read: the deadline has passed".to_owned()));
    }

    #[test]
    fn nothing_more_is_read_when_no_wanted_flag_is_left() {
        let text = cpu(0, "fpu avx2 vmx");
        let broken = Trickle(text.as_bytes(), Some(Errno::EIO));
        assert_eq!(scan(broken, &wanted(&["svm"])), Ok(Some([].into())));
    }

    #[test]
    fn no_more_is_held_than_a_line_of_bounded_length() {
        let longest = format!("has a line of more than {MAX_LINE} bytes");
        assert_eq!(scan(io::repeat(b'x'), &Wanted::All), Err(longest));
        let lines = (": ".repeat(2000) + "\n").repeat(MAX_TEXT / 4000);
        assert_eq!(scan(lines.as_bytes(), &Wanted::All), Err(format!("is larger than {MAX_TEXT} bytes")));
    }
}
