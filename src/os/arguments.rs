//! The command line of a program without Rust's own start, where `std::env::args_os` works with some C libraries only.

use std::ffi::{CStr, OsString, c_char, c_int};
use std::os::unix::ffi::OsStringExt;

/// The words of a command line, the name by which the program was called first.
///
/// # Safety
///
/// These have to be the arguments of C's `main`: `argv` points to `argc` texts, which end with a zero byte and stay there.
#[expect(unsafe_code, reason = "a C library hands on pointers")]
pub unsafe fn words(argc: c_int, argv: *const *const c_char) -> impl Iterator<Item = OsString> {
    (0..usize::try_from(argc).unwrap_or(0)).map(move |index| {
        // SAFETY: as the caller promises.
        let word = unsafe { CStr::from_ptr(*argv.add(index)) };
        OsString::from_vec(word.to_bytes().to_vec())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[expect(unsafe_code, reason = "a C library hands on pointers")]
    fn every_word_is_there_as_the_kernel_hands_it_on() {
        let texts = [c"hook", c"", c"\xff \n"];
        let pointers = texts.map(CStr::as_ptr);
        let words = |argc| {
            // SAFETY: at most as many as there are, and they stay until the end.
            let words = unsafe { words(argc, pointers.as_ptr()) };
            words.map(OsString::into_vec).collect::<Vec<_>>()
        };
        assert_eq!(words(3), [b"hook".to_vec(), Vec::new(), b"\xff \n".to_vec()]);
        assert_eq!(words(1), [b"hook".to_vec()]);
        assert_eq!(words(0), Vec::<Vec<u8>>::new());
    }
}
