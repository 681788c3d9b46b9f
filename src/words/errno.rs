//! What error numbers mean, each as the rest of a sentence that starts with what it is about. In words of our own: engines
//! cut messages down to the line that has the C library's ([`phrases`](super::phrases)).

use nix::errno::Errno;

/// What an error of something that a person, a runtime or the administrator named means.
pub fn explain(errno: Errno) -> String {
    match known(errno) {
        Some(words) => words.to_owned(),
        None => format!("cannot be accessed ({errno:?})"),
    }
}

/// As [`explain`], of an error of the standard library.
pub fn explain_io(err: &std::io::Error) -> String {
    match err.raw_os_error() {
        Some(number) => explain(Errno::from_raw(number)),
        None => format!("cannot be accessed ({:?})", err.kind()),
    }
}

/// What those errors mean that have words of their own.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "there are 130 errors, and a few that need words of their own"
)]
pub fn known(errno: Errno) -> Option<&'static str> {
    Some(match errno {
        Errno::EACCES | Errno::EPERM => "may not be accessed by this user",
        Errno::ENOENT => "is not there",
        Errno::EEXIST => "is there already",
        Errno::ENOTDIR => "is not a folder",
        Errno::EISDIR => "is a folder",
        Errno::ELOOP => "is a symbolic link, or a loop of them",
        Errno::EROFS => "is on a read-only file system",
        Errno::EFBIG => "is at this process's limit on the size of files (ulimit -f)",
        Errno::EMFILE => "cannot be opened: this process may open no more files (ulimit -n)",
        Errno::ENOSPC => "is on a full file system",
        Errno::ECONNREFUSED => "does not run: nobody listens on its socket",
        Errno::ENAMETOOLONG => "has too long a path",
        Errno::EINTR => "was not read to its end: the deadline has passed",
        Errno::ENOSYS => "needs openat2, which this kernel lacks (Linux 5.6)",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::phrases;

    #[test]
    fn an_error_is_told_in_words_or_by_its_name() {
        assert_eq!(explain(Errno::ENOENT), "is not there");
        assert_eq!(explain(Errno::EBUSY), "cannot be accessed (EBUSY)");
        assert_eq!(explain_io(&std::io::Error::from_raw_os_error(13)), "may not be accessed by this user");
        let unnumbered = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        assert_eq!(explain_io(&unnumbered), "cannot be accessed (UnexpectedEof)");
    }

    #[test]
    fn no_error_is_told_in_words_that_engines_look_for() {
        for number in 0..140 {
            let text = explain_io(&std::io::Error::from_raw_os_error(number));
            assert_eq!(phrases::first(&text), None, "{text}");
        }
    }
}
