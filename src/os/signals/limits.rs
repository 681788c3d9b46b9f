//! The limits of this process (getrlimit(2)): a soft limit that is too low is raised for the time of a check.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What a check needs of each, with much to spare: bytes, or open files.
const ROOM: [(Resource, &str, u64); 5] = [
    (Resource::As, "RLIMIT_AS", 512 << 20),
    (Resource::Data, "RLIMIT_DATA", 512 << 20),
    (Resource::Stack, "RLIMIT_STACK", 8 << 20),
    (Resource::Fsize, "RLIMIT_FSIZE", 64 << 20),
    (Resource::Nofile, "RLIMIT_NOFILE", 256),
];

/// The limits that were raised, as they were.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Raised([Option<(Resource, &'static str, Rlimit)>; ROOM.len()]);

impl Raised {
    /// Raises soft limits that leave no room, as far as the hard ones allow: those are the host's own choice.
    pub(super) fn now() -> Self {
        Self(ROOM.map(|(resource, name, room)| {
            let before = getrlimit(resource);
            let raised = raised(before, room)?;
            setrlimit(resource, raised).is_ok().then_some((resource, name, before))
        }))
    }

    /// The soft limits as they were, by their names.
    pub(super) fn soft(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.0.iter().flatten().filter_map(|(_, name, before)| Some((*name, before.current?)))
    }

    /// Puts them back.
    pub(super) fn restore(self) {
        for (resource, _, before) in self.0.into_iter().flatten() {
            // What was raised may be lowered.
            let _never_fails = setrlimit(resource, before);
        }
    }
}

/// `None` stands for no limit, and here for nothing to be raised.
fn raised(limit: Rlimit, room: u64) -> Option<Rlimit> {
    let wanted = limit.maximum.map_or(room, |it| it.min(room));
    limit.current.filter(|it| *it < wanted).map(|_| Rlimit { current: Some(wanted), ..limit })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_soft_limit_is_raised_as_far_as_the_hard_one_allows() {
        let check = |current, maximum, expected: Option<u64>| {
            let found = raised(Rlimit { current, maximum }, 100);
            assert_eq!(found.map(|it| (it.current, it.maximum)), expected.map(|it| (Some(it), maximum)));
        };
        check(Some(3), None, Some(100));
        check(Some(3), Some(200), Some(100));
        check(Some(3), Some(50), Some(50));
        check(Some(3), Some(3), None);
        check(Some(100), None, None);
        check(Some(1000), Some(2000), None);
        check(None, None, None);
    }
}
