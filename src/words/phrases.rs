//! The phrases that engines act on: Podman and Docker keep only the line of a message that has one of these, and change
//! the exit status (podman `libpod/define/exec_codes.go`; moby `daemon/start.go`).

/// In lower case: engines look at text without regard to it.
const PHRASES: [&str; 9] = [
    "permission denied",
    "operation not permitted",
    "executable file not found",
    "no such file or directory",
    "system cannot find the file",
    "open executable",
    "not a directory",
    "is a directory",
    "exec format error",
];

/// All of them.
#[cfg(test)]
pub(crate) const ALL: [&str; 9] = PHRASES;

/// One of the phrases that is in a text.
#[cfg(test)]
pub(crate) fn first(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    PHRASES.into_iter().find(|it| lower.contains(it))
}

/// Breaks every phrase in a text by a hyphen in place of its first space.
pub fn defuse(text: &mut String) {
    for phrase in PHRASES {
        while let Some(at) = text.to_ascii_lowercase().find(phrase) {
            let blank = at + phrase.find(' ').unwrap_or(0);
            text.replace_range(blank..=blank, "-");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_broken_wherever_it_is_and_in_whatever_case() {
        let check = |text: &str, expected: &str| {
            let mut defused = text.to_owned();
            defuse(&mut defused);
            assert_eq!(defused, expected);
            assert_eq!(first(&defused), None);
        };
        check("open /x: Permission denied", "open /x: Permission-denied");
        check("NOT A DIRECTORY is a directory", "NOT-A DIRECTORY is-a directory");
        check("é exec format errorexec format error", "é exec-format errorexec-format error");
        check("denied permission", "denied permission");
    }
}
