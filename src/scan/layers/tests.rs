//! Layers as they are, and as strangers may make them.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use tar::{Builder, EntryType, Header};

use super::*;
use crate::container::input::Process;
use crate::program::{self, ProgramDemand};

const PATIENT: Duration = Duration::from_secs(60);

/// What a test puts into a layer.
#[derive(Clone, Copy)]
enum LayerEntry<'a> {
    Folder,
    File(u32, &'a [u8]),
    Link(&'a str),
    Same(&'a str),
    Device,
}
use LayerEntry::{Device, Folder, Link, Same};

/// A program whose content is this text.
fn program(text: &str) -> LayerEntry<'_> {
    LayerEntry::File(0o755, text.as_bytes())
}

fn tar(all: &[(&str, LayerEntry<'_>)]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    for (path, put) in all {
        let mut header = Header::new_gnu();
        let (kind, mode, content, link) = match put {
            Folder => (EntryType::Directory, 0o755, &b""[..], None),
            LayerEntry::File(mode, content) => (EntryType::Regular, *mode, *content, None),
            Link(target) => (EntryType::Symlink, 0o777, &b""[..], Some(*target)),
            Same(target) => (EntryType::Link, 0o755, &b""[..], Some(*target)),
            Device => (EntryType::Char, 0o666, &b""[..], None),
        };
        header.set_entry_type(kind);
        header.set_mode(mode);
        header.set_size(content.len() as u64);
        // As it stands there: the library would refuse some of these.
        header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
        if let Some(target) = link {
            header.as_old_mut().linkname[..target.len()].copy_from_slice(target.as_bytes());
        }
        header.set_cksum();
        builder.append(&header, content).expect("a member");
    }
    builder.into_inner().expect("a layer")
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    packed.write_all(bytes).expect("gzip");
    packed.finish().expect("gzip")
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    compress_to_vec(bytes, CompressionLevel::Fastest)
}

fn layer<'a>(bytes: Vec<u8>) -> Layer<'a> {
    Layer::new(Digest::of(&bytes), bytes.len() as u64, move || Ok(Box::new(io::Cursor::new(bytes.clone()))))
}

fn layers<'a>(all: &[&[(&str, LayerEntry<'_>)]]) -> Layers<'a> {
    Layers::new(all.iter().map(|it| layer(tar(it))).collect(), PATIENT)
}

/// What a process finds: the program's text, or what else.
fn found(layers: &Layers<'_>, path: &str) -> String {
    match layers.find(Path::new(path)) {
        Found::File(file) => String::from_utf8_lossy(&file.start).into_owned(),
        Found::Missing => "missing".to_owned(),
        Found::Unclear => "unclear".to_owned(),
    }
}

fn check(all: &[&[(&str, LayerEntry<'_>)]], path: &str, expected: &str) {
    assert_eq!(found(&layers(all), path), expected, "{path}");
}

#[test]
fn the_uppermost_layer_wins_and_whiteouts_take_away() {
    let base: &[_] =
        &[("bin", Folder), ("bin/a", program("#!1")), ("bin/b", program("#!2")), ("lib/c", program("#!3"))];
    check(&[base, &[("./bin/a", program("#!4"))]], "/bin/a", "#!4");
    check(&[base, &[("bin/.wh.a", program(""))]], "/bin/a", "missing");
    check(&[base, &[("bin/.wh.a", program(""))]], "/bin/b", "#!2");
    check(&[base, &[("bin/.wh.a", program("")), ("bin/a", program("#!5"))]], "/bin/a", "#!5");
    check(&[base, &[(".wh.bin", program("")), ("bin/b", program("#!6"))]], "/bin/a", "missing");
    check(&[base, &[("bin/", Folder), ("bin/.wh..wh..opq", program(""))]], "/bin/b", "missing");
    check(&[base, &[("bin/.wh..wh..opq", program("")), ("bin/b", program("#!7"))]], "/bin/b", "#!7");
    check(&[base, &[("bin", program("#!8"))]], "/bin/a", "missing");
    check(&[base, &[("bin", program("#!8"))], &[("bin", Folder)]], "/bin/a", "missing");
    check(&[base, &[("bin/.wh..wh.plnk", program(""))]], "/bin/a", "#!1");
    check(&[base], "/lib/c", "#!3");
}

#[test]
fn links_are_followed_through_all_layers_and_never_out() {
    let base: &[_] = &[("bin", Link("usr/bin")), ("usr/bin", Folder), ("usr/bin/a", program("#!1"))];
    check(&[base, &[("usr/bin/b", Link("../../bin/a"))]], "/bin/b", "#!1");
    check(&[base, &[("x", Link("/../../usr/bin/a"))]], "/x", "#!1");
    check(&[base, &[("x", Same("usr/bin/a"))]], "/x", "#!1");
    check(&[base, &[("x", Link("y")), ("y", Link("x"))]], "/x", "unclear");
    check(&[base, &[("x", Same("y")), ("y", Same("x"))]], "/x", "unclear");
    check(&[base, &[("x", Same("x"))]], "/x", "unclear");
    check(&[base, &[("x", Same("gone"))]], "/x", "unclear");
    check(&[base, &[("x", Link(""))]], "/x", "unclear");
    check(&[base, &[("x", Link("gone"))]], "/x", "missing");
    // Which folder that is, depends on who unpacks it.
    check(&[base, &[("bin/c", program("#!2"))]], "/bin/c", "unclear");
}

#[test]
fn only_a_program_that_everybody_may_execute_counts() {
    let all: &[_] = &[
        ("data", LayerEntry::File(0o644, b"#!1")),
        ("own", LayerEntry::File(0o700, b"#!1")),
        ("dev", Device),
        ("dir", Folder),
        ("file", program("#!1")),
    ];
    for path in ["/data", "/own", "/dev", "/dir", "/"] {
        check(&[all], path, "unclear");
    }
    check(&[all], "/file/x", "missing");
    check(&[all], "/gone/x", "missing");
}

#[test]
fn layers_are_read_however_they_are_packed() {
    let plain = tar(&[("a", program("#!1"))]);
    let frames =
        [zstd(&plain[..700]), b"\x5a\x2a\x4d\x18\x03\0\0\0abc".to_vec(), zstd(&plain[700..])].concat();
    let members = [gzip(&plain[..700]), gzip(&plain[700..])].concat();
    for packed in [gzip(&plain), members, zstd(&plain), frames, plain] {
        let layers = Layers::new(vec![layer(packed)], PATIENT);
        assert_eq!((found(&layers, "/a").as_str(), layers.trouble()), ("#!1", None));
    }
}

#[test]
fn no_more_layers_are_read_than_a_file_needs() {
    let all: &[&[_]] = &[
        &[("usr/bin", Folder), ("bin/sh", program("#!1"))],
        &[("usr", Folder), ("usr/bin", Folder), ("usr/bin/app", program("#!2"))],
        &[("etc/x", program(""))],
    ];
    let image = layers(all);
    assert_eq!((found(&image, "/usr/bin/app").as_str(), image.read.get()), ("#!2", 2));
    assert_eq!((found(&image, "/bin/sh").as_str(), image.read.get()), ("#!1", 3));
}

/// Why a layer is not read.
fn trouble(layer: Layer<'_>) -> String {
    let (digest, layers) = (layer.digest, Layers::new(vec![layer], PATIENT));
    assert_eq!(found(&layers, "/a"), "unclear");
    layers.trouble().expect("trouble").replace(&digest.to_string(), "DIGEST")
}

fn of_bytes(bytes: Vec<u8>, expected: &str) {
    assert_eq!(trouble(layer(bytes)), format!("layer DIGEST: {expected}"));
}

/// A layer with one member of this kind before a file.
fn ahead(kind: EntryType, content: &[u8]) -> Vec<u8> {
    let mut builder = Builder::new(Vec::new());
    let mut header = Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(0o755);
    header.set_size(content.len() as u64);
    header.set_cksum();
    builder.append(&header, content).expect("a member");
    [
        builder.into_inner().expect("a layer")[..512 + content.len().next_multiple_of(512)].to_vec(),
        tar(&[("a", program("#!1"))]),
    ]
    .concat()
}

#[test]
fn long_names_are_read_up_to_a_bound() {
    let long = "x/".repeat(200);
    let named = |kind, content: &[u8], path: &str| {
        let layers = Layers::new(vec![layer(ahead(kind, content))], PATIENT);
        assert_eq!(found(&layers, path), "#!1", "{path}");
    };
    named(EntryType::GNULongName, format!("{long}b\0").as_bytes(), &format!("/{long}b"));
    named(EntryType::XHeader, record("path", &format!("{long}c")).as_bytes(), &format!("/{long}c"));
    let huge = vec![b'x'; (1 << 20) + 1];
    for kind in [EntryType::GNULongName, EntryType::GNULongLink, EntryType::XHeader, EntryType::XGlobalHeader]
    {
        of_bytes(ahead(kind, &huge), "it has a name or header of 1048577 bytes, at most 1048576 are read");
    }
}

/// What an extended header says: `LENGTH KEY=VALUE`, with the length of all of it.
fn record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let length = (rest.len()..).find(|it| it.to_string().len() + rest.len() == *it).expect("a length");
    format!("{length}{rest}")
}

/// As of a file of more than 8 GiB, whose header has no room for its size.
#[test]
fn the_size_of_a_file_may_stand_in_an_extended_header() {
    let sized = |size: &str| {
        let record = ahead(EntryType::XHeader, record("size", size).as_bytes());
        let big = &tar(&[("big", program(""))])[..512];
        // A block of its content that looks like the end of the archive.
        [&record[..1024], big, &[0; 512], &tar(&[("a", program("#!1"))])].concat()
    };
    let layers = Layers::new(vec![layer(sized("512"))], PATIENT);
    assert_eq!(found(&layers, "/a"), "#!1");
    assert_eq!(found(&layers, "/big").len(), 4);
    // Folders and links have no content, whatever is said.
    let folder = [
        &ahead(EntryType::XHeader, record("size", "512").as_bytes())[..1024],
        &tar(&[("x", Folder), ("a", program("#!1"))]),
    ];
    let layers = Layers::new(vec![layer(folder.concat())], PATIENT);
    assert_eq!(found(&layers, "/a"), "#!1");
    of_bytes(sized("x"), "an extended header in it has a size that is no number");
    of_bytes(sized("-1"), "an extended header in it has a size that is no number");
    let most = u64::MAX.to_string();
    of_bytes(sized(&most), &format!("it is no whole tar archive (a member has {most} bytes)"));
    of_bytes(sized("99999"), "it is no whole tar archive (unexpected EOF during skip)");
}

/// What Go's linker writes of the build stands where the data begin, and its settings behind the names of all modules.
#[test]
fn the_settings_of_a_go_program_are_read_in_layers() {
    let text = |text: &str| {
        let (low, high) = (text.len() % 128, text.len() / 128);
        let length = if high == 0 { vec![low] } else { vec![low | 128, (high % 128) | 128, high / 128] };
        let length = length.into_iter().map(|it| u8::try_from(it).expect("seven bits"));
        length.chain(text.bytes()).collect::<Vec<u8>>()
    };
    let go = |modules: usize| {
        let mut bytes = vec![0; 64 + 2 * 56];
        bytes[..6].copy_from_slice(b"\x7fELF\x02\x01");
        (bytes[18], bytes[32], bytes[54], bytes[56]) = (62, 64, 56, 2);
        // A note of 16 bytes behind the headers, and data that can be written at 8 KiB.
        (bytes[64], bytes[72], bytes[96]) = (4, 176, 16);
        (bytes[120], bytes[124], bytes[129], bytes[137], bytes[153]) = (1, 6, 0x20, 0x20, 1);
        bytes.extend(b"\x04\0\0\0\0\0\0\0\x04\0\0\0Go\0\0");
        bytes.resize(8192, 0);
        bytes.extend(b"\xff Go buildinf:\x08\x02");
        bytes.resize(8192 + 32, 0);
        bytes.extend(text("go1.27.3"));
        let modules = "dep\tgithub.com/acme/module\tv1.2.3\th1:x\n".repeat(modules);
        bytes.extend(text(&format!("{modules}build\t-compiler=gc\nbuild\tGOAMD64=v3\n")));
        bytes.resize(bytes.len() + 5000, 0);
        bytes
    };
    for modules in [0, 50, 1000] {
        let program = go(modules);
        let image = layers(&[&[("run", LayerEntry::File(0o755, &program))]]);
        let process = Process {
            program: Some("/run".to_owned()),
            cwd: Some("/".to_owned()),
            env: Some(Vec::new()),
            ..Process::default()
        };
        let found = program::look_in(&image, &process, Some("x86-64")).expect("a program");
        let checked_by = Some(program::Checker::Go);
        let level = ProgramDemand::Level { file: "/run".to_owned(), level: 3, checked_by };
        assert_eq!(found.demands, [level], "{modules}");
        let kept: usize = match image.find(Path::new("/run")) {
            Found::File(file) => file.parts.iter().map(|(_, it)| it.len()).sum(),
            Found::Missing | Found::Unclear => 0,
        };
        assert!((1..=8192).contains(&kept), "{modules}: {kept}");
    }
}

#[test]
fn what_is_no_layer_is_trouble() {
    of_bytes(
        vec![b'n'; 600],
        "it is no whole tar archive (numeric field was not a number: nnnnnnnn when getting cksum for nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\
         nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn)",
    );
    let tar = tar(&[("a", program(&"x".repeat(2000)))]);
    of_bytes(tar[..1000].to_vec(), "it is no whole tar archive (unexpected EOF during skip)");
    let packed = gzip(&tar);
    of_bytes(packed[..packed.len() / 2].to_vec(), "it is no whole tar archive (incomplete deflate stream)");
    of_bytes(self::tar(&[("x/../../a", program(""))]), "it has \"x/../../a\", which leads out of it");
    of_bytes(
        self::tar(&[("a/b", program("")), ("a", program(""))]),
        "it has \"a\" twice, as a folder and not as one",
    );
}

#[test]
fn what_is_not_what_the_manifest_says_is_trouble() {
    let bytes = tar(&[("a", program("#!1"))]);
    let size = bytes.len() as u64;
    let lying = |digest: Digest, size: u64| {
        let bytes = bytes.clone();
        trouble(Layer::new(digest, size, move || Ok(Box::new(io::Cursor::new(bytes.clone())))))
    };
    let digest = Digest::of(&bytes);
    assert_eq!(lying(digest, size + 7), "layer DIGEST: it has 7 bytes less than its manifest says");
    let larger = lying(digest, size - 7);
    assert!(larger.ends_with("it is larger than its manifest says"), "{larger}");
    let other = lying(Digest::of(b""), size);
    assert_eq!(other, format!("layer DIGEST: what came has digest {digest}"));
    let none = Layer::new(digest, size, || Err("registry a: gone".to_owned()));
    assert_eq!(trouble(none), "layer DIGEST: registry a: gone");
    let huge = Layer::new(digest, MAX_PACKED + 1, || Err("not asked".to_owned()));
    assert_eq!(trouble(huge), "layer DIGEST: the layers that would have to be read have more than 8 GiB");
}

#[test]
fn a_bomb_is_not_unpacked() {
    let bomb = gzip(&tar(&[("a", LayerEntry::File(0o644, &vec![0; 1 << 20]))]));
    assert!(bomb.len() < 20_000);
    let layers = Layers::new(vec![layer(bomb)], PATIENT);
    layers.left.borrow_mut().unpacked = 100_000;
    assert_eq!(found(&layers, "/a"), "unclear");
    let told = layers.trouble().expect("trouble");
    assert!(told.ends_with("(the layers unpack to more than 32 GiB)"), "{told}");

    let full = |room: Room| {
        let layers =
            Layers::new(vec![layer(tar(&[("b/c/d", program("#!1")), ("a", program("#!1"))]))], PATIENT);
        *layers.room.borrow_mut() = room;
        assert_eq!(found(&layers, "/a"), "unclear");
        layers.trouble().expect("trouble").split_once(": ").expect("two parts").1.to_owned()
    };
    let room = || Room { entries: 100, names: 100, starts: 100 };
    assert_eq!(full(Room { entries: 0, ..room() }), "it has more files than are looked at");
    assert_eq!(full(Room { entries: 1, ..room() }), "it has more folders than are looked at");
    assert_eq!(full(Room { names: 1, ..room() }), "its files have longer names than are looked at");
    assert_eq!(full(Room { names: 6, ..room() }), "its folders have longer names than are looked at");
    assert_eq!(full(Room { starts: 5, ..room() }), "it has more programs than are looked at");
}

#[test]
fn a_layer_that_takes_too_long_is_given_up() {
    let bytes = tar(&[("a", program("#!1"))]);
    let layers = Layers::new(vec![layer(bytes.clone())], Duration::ZERO);
    assert!(layers.contents(&layers.layers[0]).is_none());
    let digest = Digest::of(&bytes);
    assert_eq!(layers.trouble(), Some(format!("layer {digest}: reading layers takes longer than 0 s")));
    // What follows the archive is read as well, and no path is followed any more.
    let (source, limit) = (Box::new(io::Cursor::new(bytes.clone())), TimeLimit::new(Duration::ZERO));
    let packed = Packed { source, left: 7, hasher: Hasher::default(), limit };
    let told = "reading layers takes longer than 0 s".to_owned();
    assert_eq!(packed.finish(&layer(bytes.clone())), Err(told.clone()));
    let mut layers = Layers::new(vec![layer(bytes.clone())], PATIENT);
    assert_eq!(found(&layers, "/a"), "#!1");
    layers.limit = TimeLimit::new(Duration::ZERO);
    assert_eq!((found(&layers, "/a"), layers.trouble()), ("unclear".to_owned(), Some(told)));
}

#[test]
fn a_path_that_no_kernel_follows_is_unclear() {
    let long = |last: usize| {
        let path = format!("{}/", "x".repeat(127)).repeat(31) + &"b".repeat(last);
        let bytes = ahead(EntryType::XHeader, record("path", &path).as_bytes());
        found(&Layers::new(vec![layer(bytes)], PATIENT), &format!("/{path}"))
    };
    assert_eq!((long(127).as_str(), long(128).as_str()), ("#!1", "unclear"));
    let link = |length: usize| {
        let target = "./".repeat(length / 2 - 1) + "/a";
        let mut bytes = ahead(EntryType::XHeader, record("linkpath", &target).as_bytes());
        let end = bytes.len() - tar(&[("a", program("#!1"))]).len();
        bytes.truncate(end);
        bytes.extend(tar(&[("link", Link("")), ("a", program("#!1"))]));
        found(&Layers::new(vec![layer(bytes)], PATIENT), "/link")
    };
    assert_eq!((link(4094).as_str(), link(4096).as_str()), ("#!1", "unclear"));
}

#[test]
fn a_program_is_looked_at_in_layers() {
    let elf = |machine: u8, class: u8| {
        let mut bytes = vec![0; 64];
        bytes[..6].copy_from_slice(&[0x7f, b'E', b'L', b'F', class, 1]);
        bytes[18] = machine;
        bytes
    };
    let arm = elf(183, 2);
    let image = layers(&[
        &[("bin/sh", LayerEntry::File(0o755, &arm)), ("usr/bin/env", Link("/bin/sh"))],
        &[("app/run", program("#!/usr/bin/env x\n")), ("app/lost", program("#!/bin/bash\r\n"))],
    ]);
    let look = |path: &str, ours| {
        let env = Some(vec!["PATH=/bin:/app".to_owned()]);
        let process =
            Process { program: Some(path.to_owned()), cwd: Some("/".to_owned()), env, ..Process::default() };
        program::look_in(&image, &process, ours)
    };
    let found = look("run", Some("x86-64")).expect("a program");
    let machine = ProgramDemand::Machine { file: "/usr/bin/env".to_owned(), machine: "arm64".to_owned() };
    assert_eq!((found.path.as_str(), found.demands.as_slice()), ("/app/run", &[machine.clone()][..]));
    assert_eq!(look("run", Some("arm64")).expect("a program").demands, []);
    assert_eq!(look("run", None).expect("a program").demands, [machine]);
    let (file, missing) = ("/app/lost".to_owned(), "/bin/bash\r".to_owned());
    let missing = ProgramDemand::Interpreter { file, missing, is_script: true };
    assert_eq!(look("lost", Some("arm64")).expect("a program").demands, [missing]);
    assert_eq!(look("gone", Some("arm64")), None);
}
