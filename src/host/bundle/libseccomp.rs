//! The first release of libseccomp that knows a system call. Runtimes skip the names in a filter that their libseccomp does
//! not know.

use crate::words::version::Version;

/// The first release to know each of these calls, the oldest release first. Every release since knows the calls of those
/// before it. From the tagged sources of <https://github.com/seccomp/libseccomp>: `src/syscalls.csv`, and before 2.5.0
/// `src/arch-x86_64-syscalls.c`.
const RELEASES: [(&str, &[&str]); 11] = [
    ("2.3.2", &["pkey_alloc", "pkey_free", "pkey_mprotect", "preadv2", "pwritev2"]),
    ("2.3.3", &["statx"]),
    ("2.4.0", &["io_pgetevents", "rseq"]),
    (
        "2.4.2",
        &[
            "clock_adjtime64",
            "clock_getres_time64",
            "clock_gettime64",
            "clock_nanosleep_time64",
            "clock_settime64",
            "clone3",
            "fsconfig",
            "fsmount",
            "fsopen",
            "fspick",
            "futex_time64",
            "io_pgetevents_time64",
            "io_uring_enter",
            "io_uring_register",
            "io_uring_setup",
            "move_mount",
            "mq_timedreceive_time64",
            "mq_timedsend_time64",
            "open_tree",
            "pidfd_open",
            "pidfd_send_signal",
            "ppoll_time64",
            "pselect6_time64",
            "recvmmsg_time64",
            "rt_sigtimedwait_time64",
            "sched_rr_get_interval_time64",
            "semtimedop_time64",
            "timer_gettime64",
            "timer_settime64",
            "timerfd_gettime64",
            "timerfd_settime64",
            "utimensat_time64",
        ],
    ),
    ("2.4.4", &["faccessat2", "openat2", "pidfd_getfd"]),
    (
        "2.5.2",
        &[
            "close_range",
            "epoll_pwait2",
            "landlock_add_rule",
            "landlock_create_ruleset",
            "landlock_restrict_self",
            "memfd_secret",
            "mount_setattr",
            "process_madvise",
            "quotactl_fd",
        ],
    ),
    ("2.5.3", &["process_mrelease"]),
    ("2.5.4", &["futex_waitv", "set_mempolicy_home_node"]),
    ("2.5.5", &["cachestat", "fchmodat2", "futex_requeue", "futex_wait", "futex_wake", "map_shadow_stack"]),
    (
        "2.5.6",
        &[
            "getxattrat",
            "listmount",
            "listxattrat",
            "lsm_get_self_attr",
            "lsm_list_modules",
            "lsm_set_self_attr",
            "mseal",
            "removexattrat",
            "setxattrat",
            "statmount",
            "uretprobe",
        ],
    ),
    ("2.6.1", &["file_getattr", "file_setattr", "listns", "open_tree_attr"]),
];

/// The first release of libseccomp that knows this call, such as `2.5.2` for `close_range`; `None` if no table has it.
pub fn libseccomp_since(call: &str) -> Option<&'static str> {
    RELEASES.iter().find(|(_, calls)| calls.contains(&call)).map(|(release, _)| *release)
}

/// Whether this version of libseccomp, such as `2.5.1`, is older than that release. What is no version is not.
pub fn is_libseccomp_older(version: &str, release: &str) -> bool {
    match (Version::parse(version), Version::parse(release)) {
        (Some(version), Some(release)) => version < release,
        (None, _) | (_, None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_known_since_the_release_that_learnt_it() {
        let check = |call, expected| assert_eq!(libseccomp_since(call), expected, "{call}");
        check("clock_gettime64", Some("2.4.2"));
        check("openat2", Some("2.4.4"));
        check("close_range", Some("2.5.2"));
        check("listns", Some("2.6.1"));
        check("read", None);
        check("", None);
    }

    #[test]
    fn releases_stand_in_their_order_and_name_each_call_once() {
        let releases: Vec<_> = RELEASES.iter().map(|(it, _)| Version::parse(it).unwrap()).collect();
        assert!(releases.is_sorted());
        let calls: Vec<_> = RELEASES.iter().flat_map(|(_, calls)| *calls).collect();
        let once: std::collections::BTreeSet<_> = calls.iter().collect();
        assert_eq!(calls.len(), once.len());
    }

    #[test]
    fn versions_are_compared_by_their_numbers() {
        let check =
            |version, expected| assert_eq!(is_libseccomp_older(version, "2.5.2"), expected, "{version}");
        check("2.5.1", true);
        check("2.4.10", true);
        check("2.5.2", false);
        check("2.5.10", false);
        check("2.6", false);
        check("", false);
        check("unknown", false);
    }
}
