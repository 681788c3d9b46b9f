//! `kernel.bpftype`: the types of BPF programs and maps that the kernel has, from its own type information. Loads none.

use std::collections::{BTreeMap, BTreeSet};

use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.bpftype",
    kinds: &[ElementKind::Flags],
    meaning: "the types of BPF programs and maps that the kernel has, by the names of its headers, such as BPF_PROG_TYPE_LSM and \
              BPF_MAP_TYPE_RINGBUF",
    read: "/sys/kernel/btf/vmlinux (some MiB, which takes some milliseconds): for programs the members of bpf_ctx_convert, \
        one for each built-in type; for maps bpf_map_type, and a function of each optional type",
    nfd: false,
    elements: None,
    absent: "the kernel is too old, or was built without what this type needs; unknown if the kernel does not describe \
        itself (CONFIG_DEBUG_INFO_BTF)",
    since: "Linux 5.5",
    example: "feature: kernel.bpftype\n  matchExpressions:\n    BPF_PROG_TYPE_LSM: {op: Exists}\n    BPF_MAP_TYPE_RINGBUF: {op: Exists}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

const BTF: &str = "/sys/kernel/btf/vmlinux";
/// The kernel looks this structure up itself (`btf_parse_vmlinux` in `kernel/bpf/btf.c`).
const PROGRAMS: &[u8] = b"bpf_ctx_convert";
const MAPS: &[u8] = b"bpf_map_type";
/// Maps of every kernel that knows their type (`include/linux/bpf_types.h`).
const ALWAYS: [&str; 17] = [
    "ARENA",
    "ARRAY",
    "ARRAY_OF_MAPS",
    "BLOOM_FILTER",
    "HASH",
    "HASH_OF_MAPS",
    "LPM_TRIE",
    "LRU_HASH",
    "LRU_PERCPU_HASH",
    "PERCPU_ARRAY",
    "PERCPU_HASH",
    "PERF_EVENT_ARRAY",
    "PROG_ARRAY",
    "QUEUE",
    "RINGBUF",
    "STACK",
    "USER_RINGBUF",
];
/// Optional maps, each with a function that exists only with it.
const WITH: [(&str, &[u8]); 13] = [
    ("CGROUP_ARRAY", b"cgroup_fd_array_free"),
    ("CPUMAP", b"cpu_map_alloc"),
    ("DEVMAP", b"dev_map_alloc"),
    ("DEVMAP_HASH", b"dev_map_hash_get_next_key"),
    ("INODE_STORAGE", b"inode_storage_map_alloc"),
    ("REUSEPORT_SOCKARRAY", b"reuseport_array_alloc"),
    ("SK_STORAGE", b"bpf_sk_storage_map_alloc"),
    ("SOCKHASH", b"sock_hash_alloc"),
    ("SOCKMAP", b"sock_map_alloc"),
    ("STACK_TRACE", b"stack_map_alloc"),
    ("STRUCT_OPS", b"bpf_struct_ops_map_alloc"),
    ("TASK_STORAGE", b"task_storage_map_alloc"),
    ("XSKMAP", b"xsk_map_alloc"),
];

fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    let bytes = match probing.root.read(BTF) {
        Ok(bytes) => bytes,
        Err(Miss::NotFound) => {
            let reason = "is not there: the kernel does not describe itself (CONFIG_DEBUG_INFO_BTF)";
            return Fact::Unknown(Unknown::new(BTF, reason));
        }
        Err(Miss::Unreadable(unknown)) => return Fact::Unknown(unknown),
    };
    let found = Btf::new(&bytes).and_then(|it| it.find());
    match found {
        Some(found) => Fact::Known(found.feature(wanted), BTF.to_owned()),
        None => Fact::Unknown(Unknown::new(
            BTF,
            "is no description of types, or one that this program cannot read",
        )),
    }
}

/// The content of a description.
#[derive(Debug, Default)]
struct BpfDescription {
    programs: Option<BTreeSet<String>>,
    maps: Option<BTreeSet<String>>,
    functions: BTreeSet<&'static [u8]>,
}

impl BpfDescription {
    fn feature(self, wanted: &Wanted) -> Feature {
        let reason = match (&self.programs, &self.maps) {
            (Some(_), Some(_)) => None,
            (None, _) => Some("does not tell the types of programs, as it does since Linux 5.5"),
            (_, None) => Some("does not tell the types of maps"),
        };
        let incomplete = reason.map(|it| Unknown::new(BTF, it));
        let mut flags = self.programs.unwrap_or_default();
        let mut doubtful = BTreeMap::new();
        for map in self.maps.unwrap_or_default() {
            let sign = WITH.iter().find(|(it, _)| *it == map).map(|(_, sign)| *sign);
            let name = format!("BPF_MAP_TYPE_{map}");
            if ALWAYS.contains(&map.as_str()) || sign.is_some_and(|it| self.functions.contains(it)) {
                flags.insert(name);
            } else if wanted.has(&name) {
                doubtful.insert(
                    name,
                    Unknown::new(BTF, "tells this type, but not whether the kernel was built with it"),
                );
            }
        }
        flags.retain(|it| wanted.has(it));
        Feature { doubtful, incomplete, ..Feature::flags(flags) }
    }
}

/// `Documentation/bpf/btf.rst`.
struct Btf<'a> {
    types: &'a [u8],
    strings: &'a [u8],
    number: fn([u8; 4]) -> u32,
}

const STRUCT: u32 = 4;
const ENUM: u32 = 6;
const FUNC: u32 = 12;
/// Of a type that every one begins with: its name, its kind with the number of its members, and one more word.
const HEAD: usize = 12;

impl<'a> Btf<'a> {
    fn new(bytes: &'a [u8]) -> Option<Self> {
        let number = match bytes.get(..3)? {
            [0x9f, 0xeb, 1] => u32::from_le_bytes,
            [0xeb, 0x9f, 1] => u32::from_be_bytes,
            _ => return None,
        };
        let at = |offset: usize| word(bytes, offset, number);
        let body = bytes.get(at(4)?..)?;
        let part = |offset, length| body.get(at(offset)?..)?.get(..at(length)?);
        Some(Self { types: part(8, 12)?, strings: part(16, 20)?, number })
    }

    fn find(&self) -> Option<BpfDescription> {
        let (mut found, mut rest) = (BpfDescription::default(), self.types);
        while !rest.is_empty() {
            let info = (self.number)(*rest.get(4..)?.first_chunk()?);
            let (kind, count) = (info >> 24 & 31, usize::try_from(info & 0xffff).ok()?);
            let length = match kind {
                1 | 14 | 17 => 4,
                3 => 12,
                STRUCT | 5 | 15 | 19 => 12 * count,
                ENUM | 13 => 8 * count,
                2 | 7..=FUNC | 16 | 18 => 0,
                _ => return None,
            };
            let members = rest.get(HEAD..HEAD + length)?;
            match kind {
                STRUCT if self.is_named(rest, PROGRAMS)? => {
                    let names = self.names(members, 12)?;
                    found.programs =
                        Some(names.filter_map(|it| it.strip_suffix("_prog").map(str::to_owned)).collect());
                }
                ENUM if self.is_named(rest, MAPS)? => {
                    let names = self.names(members, 8)?;
                    let names = names.filter_map(|it| it.strip_prefix("BPF_MAP_TYPE_").map(str::to_owned));
                    found.maps =
                        Some(names.filter(|it| it != "UNSPEC" && !it.ends_with("_DEPRECATED")).collect());
                }
                FUNC => {
                    let name = self.text(rest)?;
                    found.functions.extend(WITH.iter().map(|(_, sign)| *sign).find(|it| begins(name, it)));
                }
                _ => {}
            }
            rest = rest.get(HEAD + length..)?;
        }
        Some(found)
    }

    /// The names of members; each begins with its name.
    fn names(&self, members: &[u8], size: usize) -> Option<impl Iterator<Item = String> + use<>> {
        let names: Option<Vec<_>> = members.chunks(size).map(|it| self.name(it)).collect();
        let text = |it: &[u8]| String::from_utf8_lossy(it).into_owned();
        Some(names?.into_iter().map(text).collect::<Vec<_>>().into_iter())
    }

    /// The name of a type or member.
    fn name(&self, described: &[u8]) -> Option<&'a [u8]> {
        let text = self.text(described)?;
        text.get(..memchr::memchr(0, text)?)
    }

    /// Whether a type has this name. There are some 100,000: to find the end of each name takes longer than all the rest.
    fn is_named(&self, described: &[u8], name: &[u8]) -> Option<bool> {
        self.text(described).map(|it| begins(it, name))
    }

    /// All strings from the name of a type or member on.
    fn text(&self, described: &[u8]) -> Option<&'a [u8]> {
        self.strings.get(word(described, 0, self.number)?..)
    }
}

/// Whether the first of these strings is this one; each ends with a zero byte. Hardly any other has its end at that place.
fn begins(strings: &[u8], name: &[u8]) -> bool {
    strings.get(name.len()) == Some(&0) && strings.starts_with(name)
}

fn word(bytes: &[u8], offset: usize, number: fn([u8; 4]) -> u32) -> Option<usize> {
    usize::try_from(number(*bytes.get(offset..)?.first_chunk()?)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    /// A description with these types: kind, name, names of the members.
    fn btf(types: &[(u32, &str, &[&str])]) -> Vec<u8> {
        let mut strings = vec![0];
        let mut place = |name: &str| {
            let at = u32::try_from(strings.len()).unwrap();
            strings.extend([name.as_bytes(), b"\0"].concat());
            at.to_le_bytes()
        };
        let mut body = Vec::new();
        for (kind, name, members) in types {
            body.extend(place(name));
            body.extend((kind << 24 | u32::try_from(members.len()).unwrap()).to_le_bytes());
            body.extend([0; 4]);
            for member in *members {
                body.extend(place(member));
                body.extend(vec![0; if *kind == ENUM { 4 } else { 8 }]);
            }
            if *kind == 1 {
                body.extend([0; 4]);
            }
        }
        let number = |it: usize| u32::try_from(it).unwrap().to_le_bytes();
        let lengths = [[0; 4], number(body.len()), number(body.len()), number(strings.len())].concat();
        [vec![0x9f, 0xeb, 1, 0], number(24).to_vec(), lengths, body, strings].concat()
    }

    fn whole() -> Vec<u8> {
        btf(&[
            (1, "int", &[]),
            (
                STRUCT,
                "bpf_ctx_convert",
                &["BPF_PROG_TYPE_XDP_prog", "BPF_PROG_TYPE_XDP_kern", "BPF_PROG_TYPE_LSM_prog"],
            ),
            (2, "", &[]),
            (
                ENUM,
                "bpf_map_type",
                &[
                    "BPF_MAP_TYPE_UNSPEC",
                    "BPF_MAP_TYPE_HASH",
                    "BPF_MAP_TYPE_XSKMAP",
                    "BPF_MAP_TYPE_SOCKMAP",
                    "__MAX_BPF_MAP_TYPE",
                ],
            ),
            (FUNC, "xsk_map_alloc", &[]),
        ])
    }

    #[test]
    fn a_kernel_reports_the_types_that_it_was_built_with() {
        let host = FakeHost::new().file(BTF, whole());
        let doubt = format!(
            "and perhaps BPF_MAP_TYPE_SOCKMAP: {BTF}: tells this type, but not whether the kernel was built with it"
        );
        let all = "BPF_MAP_TYPE_HASH BPF_MAP_TYPE_XSKMAP BPF_PROG_TYPE_LSM BPF_PROG_TYPE_XDP";
        assert_eq!(told(&host, FEATURE.name), format!("known ({BTF}): {all} {doubt}"));
        let some = told_of(&host, FEATURE.name, wanted(&["BPF_PROG_TYPE_LSM", "BPF_PROG_TYPE_NETFILTER"]));
        assert_eq!(some, format!("known ({BTF}): BPF_PROG_TYPE_LSM"));
    }

    #[test]
    fn an_old_kernel_reports_no_types_of_programs() {
        let host = FakeHost::new().file(BTF, btf(&[(ENUM, "bpf_map_type", &["BPF_MAP_TYPE_HASH"])]));
        let reason = "does not tell the types of programs, as it does since Linux 5.5";
        assert_eq!(
            told(&host, FEATURE.name),
            format!("known ({BTF}): BPF_MAP_TYPE_HASH and maybe more: {BTF}: {reason}")
        );
        let host =
            FakeHost::new().file(BTF, btf(&[(STRUCT, "bpf_ctx_convert", &["BPF_PROG_TYPE_XDP_prog"])]));
        let reason = "does not tell the types of maps";
        assert_eq!(
            told(&host, FEATURE.name),
            format!("known ({BTF}): BPF_PROG_TYPE_XDP and maybe more: {BTF}: {reason}")
        );
    }

    #[test]
    fn a_kernel_that_does_not_describe_itself_is_unknown() {
        let reason = "is not there: the kernel does not describe itself (CONFIG_DEBUG_INFO_BTF)";
        assert_eq!(told(&FakeHost::new(), FEATURE.name), format!("unknown: {BTF}: {reason}"));
        let hidden = FakeHost::new().unreadable(BTF);
        assert_eq!(told(&hidden, FEATURE.name), format!("unknown: {BTF}: is a loop of symbolic links"));
    }

    #[test]
    fn what_is_no_description_is_unknown_and_does_no_harm() {
        let reason =
            format!("unknown: {BTF}: is no description of types, or one that this program cannot read");
        for bytes in [vec![], b"BTF".to_vec(), whole()[..40].to_vec(), btf(&[(31, "new", &[])])] {
            assert_eq!(told(&FakeHost::new().file(BTF, bytes), FEATURE.name), reason);
        }
        let whole = whole();
        for index in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[index / 8] ^= 1 << (index % 8);
            drop(Btf::new(&bytes).and_then(|it| it.find()));
            drop(Btf::new(&whole[..index / 8]).and_then(|it| it.find()));
        }
    }
}
