//! Hook and wrapper have no client of registries: nothing of it, and nothing of TLS, is in them.

use std::fs;
use std::path::PathBuf;

/// Texts that are in every program with our client, stripped or not: places of panics in crates, and a header.
const MARKS: [&str; 4] = ["rustls", "webpki", "ureq", "docker-content-digest"];

fn has(program: &str) -> Vec<&'static str> {
    let folder = crate::command::program();
    let path: PathBuf = folder.parent().expect("a folder").join(program);
    let bytes = fs::read(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()));
    let text = String::from_utf8_lossy(&loaded(&bytes)).to_lowercase();
    MARKS.into_iter().filter(|it| text.contains(it)).collect()
}

/// What of a program is loaded when it runs (elf(5), `PT_LOAD`): symbols and notes for debuggers do not count.
fn loaded(bytes: &[u8]) -> Vec<u8> {
    let number = |at: usize, length: usize| {
        bytes[at..at + length].iter().rev().fold(0, |sum, it| (sum << 8) | usize::from(*it))
    };
    let (table, size, count) = (number(32, 8), number(54, 2), number(56, 2));
    let entries = (0..count).map(|it| table + it * size).filter(|it| number(*it, 4) == 1);
    entries.flat_map(|it| bytes[number(it + 8, 8)..][..number(it + 32, 8)].to_vec()).collect()
}

#[test]
fn hook_and_wrapper_link_no_network() {
    assert_eq!(has("oci-compat-hook"), Vec::<&str>::new());
    assert_eq!(has("oci-compat-runtime"), Vec::<&str>::new());
}

#[test]
fn the_marks_are_found_where_there_is_a_client() {
    let test = std::env::current_exe().expect("this program");
    let bytes = fs::read(test).expect("this program");
    let text = String::from_utf8_lossy(&loaded(&bytes)).to_lowercase();
    assert!(MARKS.iter().all(|it| text.contains(it)));
}
