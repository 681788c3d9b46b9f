use std::os::unix::ffi::OsStringExt;

use super::*;
use crate::testing::FakeHost;

fn check_read(host: &FakeHost, path: &str, expected: Result<&str, &str>) {
    let text = host.root().read_text(path).map_err(|miss| match miss {
        Miss::NotFound => "nothing there".to_owned(),
        Miss::Unreadable(unknown) => format!("{}: {}", unknown.read, unknown.reason),
    });
    assert_eq!(text.as_deref().map_err(String::as_str), expected, "{path}");
}

#[test]
fn links_never_lead_out_of_the_root() {
    let host = FakeHost::new()
        .file("/etc/os-release", "inside")
        .link("/absolute", "/etc/os-release")
        .link("/deep/down/relative", "../../../../../etc/os-release")
        .link("/folder", "/etc")
        .link("/dangling", "/proc/self/status");
    check_read(&host, "/absolute", Ok("inside"));
    check_read(&host, "/deep/down/relative", Ok("inside"));
    check_read(&host, "/folder/os-release", Ok("inside"));
    check_read(&host, "/../../etc/os-release", Ok("inside"));
    check_read(&host, "/dangling", Err("nothing there"));
}

#[test]
fn what_is_not_there_is_distinguished_from_what_cannot_be_read() {
    let host = FakeHost::new().file("/a", "").folder("/b").unreadable("/c");
    check_read(&host, "/a", Ok(""));
    check_read(&host, "/x", Err("nothing there"));
    check_read(&host, "/a/x", Err("nothing there"));
    check_read(&host, "/b", Err("/b: is not a regular file"));
    check_read(&host, "/c", Err("/c: is a loop of symbolic links"));
    check_read(&host, "/c/x", Err("/c/x: is a loop of symbolic links"));
}

#[test]
fn a_fifo_is_neither_read_nor_waited_for() {
    let host = FakeHost::new();
    unistd::mkfifo(&host.root().path().join("fifo"), Mode::S_IRUSR).unwrap();
    check_read(&host, "/fifo", Err("/fifo: is not a regular file"));
}

#[test]
fn files_are_read_to_their_end_whatever_their_size() {
    for size in [1, MIN_READ - 1, MIN_READ, MIN_READ + 1, 5 * MIN_READ] {
        let text = "x".repeat(size);
        check_read(&FakeHost::new().file("/a", &text), "/a", Ok(&text));
    }
}

#[test]
fn a_file_larger_than_any_that_is_known_is_not_read() {
    let host = FakeHost::new().file("/a", "");
    let file = File::create(host.root().path().join("a")).unwrap();
    file.set_len((16 << 20) + 1).unwrap();
    check_read(&host, "/a", Err("/a: is larger than 16777216 bytes"));
}

#[test]
fn text_that_is_not_utf8_is_read_with_replacements() {
    check_read(&FakeHost::new().file("/a", b"a\xffb"), "/a", Ok("a\u{fffd}b"));
}

#[test]
fn folders_are_listed_in_byte_order() {
    let odd = std::ffi::OsString::from_vec(b"\xff".to_vec());
    let host = FakeHost::new().file("/f/b", "").folder("/f/a").link("/f/B", "nowhere").file("/f/.c", "");
    File::create(host.root().path().join("f").join(odd)).unwrap();
    assert_eq!(host.root().list("/f"), Ok([".c", "B", "a", "b", "\u{fffd}"].map(str::to_owned).to_vec()));
}

#[test]
fn what_is_no_folder_cannot_be_listed() {
    let host = FakeHost::new().file("/a", "").unreadable("/c");
    let root = host.root();
    assert_eq!(root.list("/x"), Err(Miss::NotFound));
    assert_eq!(root.list("/a/x"), Err(Miss::NotFound));
    assert_eq!(root.list("/a"), Err(Miss::unreadable("/a", "is not a folder")));
    assert_eq!(root.list("/c"), Err(Miss::unreadable("/c", "is a loop of symbolic links")));
}

#[test]
fn existence_follows_links_and_admits_ignorance() {
    let host = FakeHost::new().folder("/a").link("/to-a", "/a").link("/to-x", "/x").unreadable("/c");
    let root = host.root();
    assert_eq!(
        ["/a", "/to-a", "/to-x", "/x"].map(|it| root.exists(it)),
        [Ok(true), Ok(true), Ok(false), Ok(false)]
    );
    assert_eq!(root.exists("/c/x"), Err(Unknown::new("/c/x", "is a loop of symbolic links")));
}

#[test]
fn a_link_reports_the_last_part_of_its_target() {
    let host = FakeHost::new().link("/driver", "../../bus/pci/drivers/vfio-pci").file("/a", "");
    let root = host.root();
    assert_eq!(root.link_name("/driver"), Ok("vfio-pci".to_owned()));
    assert_eq!(root.link_name("/x"), Err(Miss::NotFound));
    assert_eq!(root.link_name("/a"), Err(Miss::unreadable("/a", "is not a symbolic link")));
}

#[test]
fn a_status_is_that_of_a_link_itself() {
    let host = FakeHost::new().link("/to-a", "/a").file("/a", "").folder("/f");
    let root = host.root();
    let sort = |path| root.status(path).map(|it| it.mode & SFlag::S_IFMT.bits());
    assert_eq!(sort("/to-a"), Ok(SFlag::S_IFLNK.bits()));
    assert_eq!(sort("/a"), Ok(SFlag::S_IFREG.bits()));
    assert_eq!(sort("/f"), Ok(SFlag::S_IFDIR.bits()));
    assert_eq!(sort("/x"), Err(Miss::NotFound));
    assert_eq!(root.link_target("/to-a"), Ok("/a".to_owned()));
}

#[test]
fn nothing_is_read_after_the_deadline() {
    let host = FakeHost::new().file("/a", "a").link("/b", "a");
    let root = host.root();
    root.set_deadline(Instant::now());
    let late = |path| Miss::unreadable(path, "was not read: the deadline has passed");
    assert_eq!(root.read("/a"), Err(late("/a")));
    assert_eq!(root.list("/"), Err(late("/")));
    assert_eq!(root.link_name("/b"), Err(late("/b")));
    assert_eq!(root.exists("/x").map_err(Miss::Unreadable), Err(late("/x")));
}

#[test]
fn a_read_that_a_signal_ends_says_that_the_deadline_has_passed() {
    assert_eq!(Miss::of("/a", Errno::EINTR), Miss::unreadable("/a", "was not read: the deadline has passed"));
}

#[test]
fn another_tree_is_not_this_machine() {
    assert!(!FakeHost::new().root().is_this_machine());
    assert!(Root::live().is_this_machine());
}
