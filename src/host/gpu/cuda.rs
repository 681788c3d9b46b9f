//! The CUDA version that a driver of NVIDIA's supports. Guesses nothing for unknown branches.

use crate::words::version::Version;

/// A branch of the driver, the first of its releases that NVIDIA lists, and the CUDA of that branch.
type DriverBranch = (u32, u32, &'static str);

/// From the table "CUDA Toolkit and Corresponding Driver Versions" in NVIDIA's CUDA Toolkit Release Notes
/// (<https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/>), column Linux, as of 13.3. There is no toolkit 12.7: that is what
/// `cuDriverGetVersion` says in branch 565.
///
/// All releases of a branch support the same CUDA, except some betas, which are older than the first listed release.
const BRANCHES: [DriverBranch; 34] = [
    (340, 29, "6.5"),
    (346, 46, "7.0"),
    (352, 31, "7.5"),
    (367, 48, "8.0"),
    (375, 26, "8.0"),
    (384, 81, "9.0"),
    (390, 46, "9.1"),
    (396, 26, "9.2"),
    (410, 48, "10.0"),
    (418, 39, "10.1"),
    (440, 33, "10.2"),
    (450, 36, "11.0"),
    (455, 23, "11.1"),
    (460, 27, "11.2"),
    (465, 19, "11.3"),
    (470, 42, "11.4"),
    (495, 29, "11.5"),
    (510, 39, "11.6"),
    (515, 43, "11.7"),
    (520, 61, "11.8"),
    (525, 60, "12.0"),
    (530, 30, "12.1"),
    (535, 54, "12.2"),
    (545, 23, "12.3"),
    (550, 54, "12.4"),
    (555, 42, "12.5"),
    (560, 28, "12.6"),
    (565, 57, "12.7"),
    (570, 26, "12.8"),
    (575, 51, "12.9"),
    (580, 65, "13.0"),
    (590, 44, "13.1"),
    (595, 45, "13.2"),
    (610, 43, "13.3"),
];

/// The same of Jetson Linux, whose releases bring a driver each (<https://developer.nvidia.com/embedded/jetpack-archive>):
/// first release, and its CUDA.
const JETSON: [(u32, u32, &str); 8] = [
    (28, 1, "8.0"),
    (28, 2, "9.0"),
    (31, 0, "10.0"),
    (32, 4, "10.2"),
    (34, 1, "11.4"),
    (36, 2, "12.2"),
    (36, 4, "12.6"),
    (38, 0, "13.0"),
];
/// No CUDA of a later release of Jetson Linux is known.
const LAST_JETSON: u32 = 38;

/// What is known of the newest CUDA that a driver supports: the same twice, or what it lies between. Newer drivers keep what
/// older ones had.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Newest {
    pub(super) at_least: Option<&'static str>,
    pub(super) at_most: Option<&'static str>,
}

/// The newest CUDA that a driver such as `535.104.05` supports, as `nvidia-smi` shows it; none for what is no version.
pub(super) fn newest(driver: &str) -> Option<Newest> {
    let (branch, release) = numbers(driver)?;
    let known = BRANCHES.iter().rfind(|(it, first, _)| (*it, *first) <= (branch, release));
    let next = BRANCHES.iter().find(|(it, first, _)| (*it, *first) > (branch, release));
    let at_least = known.map(|(.., cuda)| *cuda);
    let at_most = match known {
        Some((it, ..)) if *it == branch => at_least,
        _ => next.map(|(.., cuda)| *cuda),
    };
    Some(Newest { at_least, at_most })
}

/// The same of a release of Jetson Linux, such as `35.4.1`.
pub(super) fn of_jetson(release: &str) -> Option<Newest> {
    let (major, minor) = numbers(release)?;
    let known = JETSON.iter().rfind(|(it, first, _)| (*it, *first) <= (major, minor));
    let at_least = known.map(|(.., cuda)| *cuda);
    let at_most = match known {
        Some(_) if major <= LAST_JETSON => at_least,
        Some(_) => None,
        None => JETSON.first().map(|(.., cuda)| *cuda),
    };
    Some(Newest { at_least, at_most })
}

/// The oldest driver that is known to support a CUDA, such as the `550.54` of 12.4.
pub fn driver_for(cuda: &Version) -> Option<String> {
    let supports = |it: &&DriverBranch| Version::parse(it.2).is_some_and(|it| *cuda <= it);
    BRANCHES.iter().find(supports).map(|(branch, first, _)| format!("{branch}.{first}"))
}

fn numbers(version: &str) -> Option<(u32, u32)> {
    let mut numbers = version.split('.').map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(first)), Some(Ok(second))) => Some((first, second)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(driver: &str, at_least: Option<&str>, at_most: Option<&str>) {
        let found = newest(driver).map(|it| (it.at_least, it.at_most));
        assert_eq!(found, Some((at_least, at_most)), "{driver:?}");
    }

    #[test]
    fn a_driver_supports_the_cuda_of_its_branch() {
        let check = |driver, cuda| check(driver, Some(cuda), Some(cuda));
        check("535.54.03", "12.2");
        check("535.247.01", "12.2");
        check("470.256.02", "11.4");
        check("570.26", "12.8");
        check("580.65.06", "13.0");
        check("375.26", "8.0");
    }

    #[test]
    fn a_cuda_has_an_oldest_driver() {
        let check = |cuda: &str, expected: Option<&str>| {
            let version = Version::parse(cuda).expect("a version");
            assert_eq!(driver_for(&version).as_deref(), expected, "{cuda}");
        };
        check("12.4", Some("550.54"));
        check("12.4.1", Some("555.42"));
        check("8.0", Some("367.48"));
        check("1", Some("340.29"));
        check("99.0", None);
    }

    #[test]
    fn a_branch_between_known_ones_supports_what_lies_between() {
        // 430 shows CUDA 10.2, as 440 does, and 435 shows 10.1.
        check("430.50", Some("10.1"), Some("10.2"));
        check("435.21", Some("10.1"), Some("10.2"));
        check("585.1", Some("13.0"), Some("13.1"));
    }

    #[test]
    fn a_beta_from_before_its_branch_supports_what_lies_between() {
        check("550.40.07", Some("12.3"), Some("12.4"));
        check("535.43.02", Some("12.1"), Some("12.2"));
    }

    #[test]
    fn a_driver_newer_than_all_keeps_what_they_had_and_an_older_one_has_no_more() {
        check("616.56", Some("13.3"), None);
        check("319.37", None, Some("6.5"));
    }

    #[test]
    fn jetson_linux_has_a_cuda_for_each_release() {
        let check = |release: &str, at_least, at_most| {
            assert_eq!(of_jetson(release), Some(Newest { at_least, at_most }), "{release}");
        };
        check("32.7.1", Some("10.2"), Some("10.2"));
        check("32.3.1", Some("10.0"), Some("10.0"));
        check("35.4.1", Some("11.4"), Some("11.4"));
        check("36.3.0", Some("12.2"), Some("12.2"));
        check("36.4.3", Some("12.6"), Some("12.6"));
        check("99.1.0", Some("13.0"), None);
        check("24.2", None, Some("8.0"));
    }

    #[test]
    fn what_is_no_version_is_not_known() {
        for driver in ["", "535", "535.", ".54", "535.x", "-1.0", "99999999999.1"] {
            assert_eq!(newest(driver), None, "{driver:?}");
        }
    }

    #[test]
    fn branches_stand_in_order() {
        assert!(BRANCHES.is_sorted_by_key(|(branch, first, _)| (*branch, *first)));
        assert!(JETSON.is_sorted_by_key(|(release, first, _)| (*release, *first)));
    }
}
