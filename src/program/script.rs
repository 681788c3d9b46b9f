//! The first line of a script, as the kernel reads it (`fs/binfmt_script.c`). Nothing is run.

/// The part of a file that the kernel reads (`BINPRM_BUF_SIZE`), in bytes.
const LOOKED_AT: usize = 256;
/// The part that every kernel reads: it was 128 bytes before Linux 5.1.
const ALWAYS: usize = 127;

/// What a file is to the kernel's loader of scripts.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Script<'a> {
    /// No script.
    None,
    /// Its interpreter, as the line writes it.
    By(&'a [u8]),
    /// A script whose line kernels read differently, or that names no interpreter.
    Unclear,
}

/// Reads the line of a file that starts with these bytes; `is_whole` says that it has no more than these.
pub(super) fn read(start: &[u8], is_whole: bool) -> Script<'_> {
    let Some(text) = start.strip_prefix(b"#!") else { return Script::None };
    let text = text.get(..LOOKED_AT - 2).unwrap_or(text);
    let (line, has_end) = match text.iter().position(|it| *it == b'\n') {
        Some(end) => (text.get(..end).unwrap_or(text), true),
        None => (text, is_whole && start.len() < LOOKED_AT),
    };
    let is_blank = |it: &u8| matches!(it, b' ' | b'\t');
    let Some(from) = line.iter().position(|it| !is_blank(it)) else { return Script::Unclear };
    let name = line.get(from..).unwrap_or_default();
    let length = name.iter().position(|it| is_blank(it) || *it == 0);
    // A line that was cut off could end anywhere.
    let end = match length {
        Some(length) => length,
        None if has_end => name.len(),
        None => return Script::Unclear,
    };
    match name.get(..end) {
        Some(name) if !name.is_empty() && from + end + 2 < ALWAYS => Script::By(name),
        Some(_) | None => Script::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &[u8], expected: Script<'_>) {
        assert_eq!(read(text, true), expected, "{:?}", String::from_utf8_lossy(text));
    }

    #[test]
    fn the_interpreter_is_what_stands_before_a_blank_or_the_end_of_the_line() {
        check(b"#!/bin/sh\necho", Script::By(b"/bin/sh"));
        check(b"#!/bin/sh", Script::By(b"/bin/sh"));
        check(b"#! \t/usr/bin/env python3\n", Script::By(b"/usr/bin/env"));
        check(b"#!/bin/sh\t-e \n", Script::By(b"/bin/sh"));
        check(b"#!/bin/sh\0x\n", Script::By(b"/bin/sh"));
        check(b"#!bin/sh\n", Script::By(b"bin/sh"));
    }

    #[test]
    fn a_line_from_windows_names_a_file_with_a_carriage_return() {
        check(b"#!/bin/sh\r\necho\r\n", Script::By(b"/bin/sh\r"));
        check(b"#!/usr/bin/env bash\r\n", Script::By(b"/usr/bin/env"));
    }

    #[test]
    fn what_is_no_script_is_none() {
        check(b"", Script::None);
        check(b"echo\n", Script::None);
        check(b"\xef\xbb\xbf#!/bin/sh\n", Script::None);
        check(b" #!/bin/sh\n", Script::None);
    }

    #[test]
    fn what_kernels_read_differently_is_unclear() {
        check(b"#!", Script::Unclear);
        check(b"#!\n/bin/sh", Script::Unclear);
        check(b"#!  \n", Script::Unclear);
        let long = [b"#!/".as_slice(), &[b'x'; 300]].concat();
        check(&long, Script::Unclear);
        check(&[&long[..200], b"\n"].concat(), Script::Unclear);
        assert_eq!(read(b"#!/bin/sh", false), Script::Unclear);
        let arguments = [b"#!/bin/sh ".as_slice(), &[b'x'; 300]].concat();
        check(&arguments, Script::By(b"/bin/sh"));
    }
}
