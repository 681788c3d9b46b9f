//! `kernel.config`: the options that the running kernel was built with.

use std::collections::BTreeMap;
use std::iter;

use zune_inflate::errors::DecodeErrorStatus;
use zune_inflate::{DeflateDecoder, DeflateOptions};

use super::options::MAX_TEXT;
use super::{options, unpacked};
use crate::host::{ElementKind, Fact, Feature, FeatureInfo, Miss, Probing, Unknown, Wanted};

pub(in crate::host) const FEATURE: FeatureInfo = FeatureInfo {
    name: "kernel.config",
    kinds: &[ElementKind::Attributes],
    meaning: "the options that the kernel was built with, without `CONFIG_`; an option that is not set is missing",
    read: "/proc/config.gz, else /boot/config-<release> or another place where distributions keep it",
    nfd: true,
    elements: None,
    absent: "an option that is not listed is off; without any configuration the feature is unknown, because every kernel has \
        one",
    since: "/proc/config.gz since Linux 2.6.0, if built with CONFIG_IKCONFIG_PROC",
    example: "feature: kernel.config\n  matchExpressions:\n    BPF_SYSCALL: {op: In, value: [\"y\"]}",
    key: None,
    sensitive: &[],
    beyond_nfd: &[],
    probe,
};

/// There if the kernel was built with `CONFIG_IKCONFIG_PROC`; the only place that is certainly this kernel's.
const COMPRESSED: &str = "/proc/config.gz";
/// What `make menuconfig` leaves behind, whatever kernel it was for.
pub(super) const SOURCES: &str = "/usr/src/linux/.config";

/// The first place that can be read is the answer. None is ignorance: every kernel has a configuration.
pub(super) fn probe(probing: &Probing<'_>, wanted: &Wanted) -> Fact {
    if let Some(options) = unpacked::find(probing.root, wanted) {
        return Fact::Known(
            Feature { attributes: Some(options), ..Feature::default() },
            COMPRESSED.to_owned(),
        );
    }
    let mut trouble = None;
    // The release is read only if the first place is not enough.
    let others = iter::once_with(|| other_places(probing.release())).flatten();
    for place in iter::once(COMPRESSED.to_owned()).chain(others) {
        match read(probing, &place, wanted) {
            Ok(options) => {
                return Fact::Known(Feature { attributes: Some(options), ..Feature::default() }, place);
            }
            Err(Miss::NotFound) => {}
            Err(Miss::Unreadable(unknown)) => trouble = trouble.or(Some(unknown)),
        }
    }
    Fact::Unknown(trouble.unwrap_or_else(|| nowhere(probing.release())))
}

/// NFD's places, in its order.
fn other_places(release: Result<&str, &Unknown>) -> Vec<String> {
    let Ok(release) = release else {
        return vec![SOURCES.to_owned()];
    };
    vec![
        format!("/usr/src/linux-{release}/.config"),
        format!("/usr/src/linux-rt-{release}/.config"),
        SOURCES.to_owned(),
        format!("/usr/lib/modules/{release}/config"),
        format!("/usr/lib/ostree-boot/config-{release}"),
        format!("/usr/lib/kernel/config-{release}"),
        format!("/usr/src/linux-headers-{release}/.config"),
        format!("/lib/modules/{release}/build/.config"),
        format!("/usr/src/linux-rt-headers-{release}/.config"),
        format!("/boot/config-{release}"),
    ]
}

fn nowhere(release: Result<&str, &Unknown>) -> Unknown {
    let others = other_places(release).len();
    let hint = match release {
        Ok(release) => format!("try: modprobe configs, or install it as /boot/config-{release}"),
        Err(_) => "the kernel's release is not known either; try: modprobe configs".to_owned(),
    };
    let reason = format!("is not there, nor is the configuration anywhere else (tried: {others}); {hint}");
    Unknown::new(COMPRESSED, reason)
}

fn read(probing: &Probing<'_>, place: &str, wanted: &Wanted) -> Result<BTreeMap<String, String>, Miss> {
    let unreadable = |reason| Miss::Unreadable(Unknown::new(place, reason));
    if place != COMPRESSED {
        return options::scan(&probing.root.read(place)?, wanted).map_err(unreadable);
    }
    let text = probing.configuration(|| {
        let text = unpack(&probing.root.read(COMPRESSED)?).map_err(unreadable)?;
        if probing.root.memory().is_some() {
            unpacked::keep(probing.root, &options::scan(&text, &Wanted::All).map_err(unreadable)?);
        }
        Ok(text)
    });
    options::scan(text.map_err(Clone::clone)?, wanted).map_err(unreadable)
}

/// At once rather than piece by piece: that takes half the time. What counts then is how many pages are touched, so that
/// no more is set aside than the trailer says (RFC 1952, ISIZE). A checksum of the kernel's own memory proves nothing.
fn unpack<'a>(packed: &'a [u8]) -> Result<Vec<u8>, String> {
    let size = packed.last_chunk().map_or(0, |it| u32::from_le_bytes(*it));
    let hint = usize::try_from(size).unwrap_or(MAX_TEXT).min(MAX_TEXT);
    let options =
        DeflateOptions::default().set_limit(MAX_TEXT).set_size_hint(hint).set_confirm_checksum(false);
    // Through a pointer that the compiler cannot see through: it would make this part of a function of ours, and ours are
    // compiled for size, the crate for speed.
    let decode_gzip: fn(&mut DeflateDecoder<'a>) -> _ = std::hint::black_box(DeflateDecoder::decode_gzip);
    let unpacked = decode_gzip(&mut DeflateDecoder::new_with_options(packed, options));
    unpacked.map_err(|err| format!("cannot be unpacked: {}", explain(&err.error)))
}

fn explain(error: &DecodeErrorStatus) -> String {
    match error {
        DecodeErrorStatus::InsufficientData => "it ends too early".to_owned(),
        DecodeErrorStatus::OutputLimitExceeded(..) => format!("it holds more than {MAX_TEXT} bytes of text"),
        DecodeErrorStatus::MismatchedCRC(..) | DecodeErrorStatus::MismatchedAdler(..) => {
            "its checksum is wrong".to_owned()
        }
        DecodeErrorStatus::CorruptData | DecodeErrorStatus::Generic(_) | DecodeErrorStatus::GenericStr(_) => {
            "it is not in gzip's format".to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;
    use crate::host::probing::OSRELEASE;
    use crate::host::testing::{told, told_of, wanted};
    use crate::testing::FakeHost;

    const BOOT: &str = "/boot/config-6.1.0";

    fn host() -> FakeHost {
        FakeHost::new().file(OSRELEASE, "6.1.0\n")
    }

    fn check(host: FakeHost, expected: &str) {
        assert_eq!(told(&host, FEATURE.name), expected);
    }

    fn gz(text: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    #[test]
    fn options_are_read_packed_or_not() {
        let text = "#\n# CONFIG_C is not set\nCONFIG_A=y\nCONFIG_B=\"b\"\n";
        check(host().file(COMPRESSED, gz(text.as_bytes())), r#"known (/proc/config.gz): A="y" B="b""#);
        check(host().file(BOOT, text), r#"known (/boot/config-6.1.0): A="y" B="b""#);
    }

    #[test]
    fn the_first_place_wins() {
        let host = host().file(BOOT, "CONFIG_X=boot\n").file(SOURCES, "CONFIG_X=src\n");
        check(host, r#"known (/usr/src/linux/.config): X="src""#);
    }

    #[test]
    fn without_a_release_only_places_that_need_none_are_tried() {
        let host = FakeHost::new().file(BOOT, "CONFIG_X=boot\n").file(SOURCES, "CONFIG_X=src\n");
        check(host, r#"known (/usr/src/linux/.config): X="src""#);
    }

    #[test]
    fn a_configuration_that_is_nowhere_is_unknown() {
        check(
            host(),
            "unknown: /proc/config.gz: is not there, nor is the configuration anywhere else (tried: 10); \
             try: modprobe configs, or install it as /boot/config-6.1.0",
        );
        check(
            FakeHost::new(),
            "unknown: /proc/config.gz: is not there, nor is the configuration anywhere else (tried: 1); \
             the kernel's release is not known either; try: modprobe configs",
        );
    }

    #[test]
    fn a_place_that_cannot_be_read_gives_way_to_the_next() {
        let host = host().unreadable(COMPRESSED);
        check(host, "unknown: /proc/config.gz: is a loop of symbolic links");
        let host = self::host().unreadable(COMPRESSED).unreadable(SOURCES).file(BOOT, "CONFIG_X=boot\n");
        check(host, r#"known (/boot/config-6.1.0): X="boot""#);
    }

    #[test]
    fn what_is_no_configuration_says_nothing() {
        let unknown = |reason: &str| format!("unknown: /proc/config.gz: {reason}");
        check(
            host().file(COMPRESSED, "CONFIG_A=y\n".repeat(9)),
            &unknown("cannot be unpacked: it is not in gzip's format"),
        );
        let packed = gz(b"CONFIG_A=y\n");
        let half = packed.split_at(packed.len() - 4).0;
        check(host().file(COMPRESSED, half), &unknown("cannot be unpacked: it ends too early"));
        check(host().file(COMPRESSED, gz(b"")), &unknown("holds no line that starts with CONFIG_"));
    }

    #[test]
    fn the_configuration_is_unpacked_once_for_all_that_look_into_it() {
        let host = host().file(COMPRESSED, gz(b"CONFIG_A=y\nCONFIG_B=m\n"));
        let root = host.root();
        let probing = Probing::new(&root);
        let first = probe(&probing, &wanted(&["A"]));
        let host = host.file(COMPRESSED, "no longer there");
        let second = probe(&probing, &wanted(&["B"]));
        drop(host);
        for (fact, name) in [(first, "A"), (second, "B")] {
            let Fact::Known(feature, place) = fact else { panic!("{name} is known") };
            let names: Vec<_> = feature.attributes.unwrap_or_default().into_keys().collect();
            assert_eq!((names, place.as_str()), (vec![name.to_owned()], COMPRESSED));
        }
    }

    #[test]
    fn only_the_wanted_options_are_kept() {
        let host = host().file(BOOT, "CONFIG_A=y\nCONFIG_AB=m\nCONFIG_B=y\n");
        let told = told_of(&host, FEATURE.name, wanted(&["AB", "C"]));
        assert_eq!(told, r#"known (/boot/config-6.1.0): AB="m""#);
    }
}
