//! Which CUDA a driver of NVIDIA's supports. Guesses nothing of branches that it does not know.

/// A branch of the driver, the first of its releases that NVIDIA lists, and the CUDA of that branch.
type Branch = (u32, u32, &'static str);

/// From the table "CUDA Toolkit and Corresponding Driver Versions" in NVIDIA's CUDA Toolkit Release Notes
/// (<https://docs.nvidia.com/cuda/cuda-toolkit-release-notes/>), column Linux. There is no toolkit 12.7: that is what
/// `cuDriverGetVersion` says in branch 565.
///
/// All releases of a branch support the same CUDA; those older than the first listed one are betas, of which some do not.
const BRANCHES: [Branch; 29] = [
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

/// The newest CUDA that a driver such as `535.104.05` supports, as `nvidia-smi` shows it; none if its branch is not known.
pub(super) fn newest(driver: &str) -> Option<&'static str> {
    let mut numbers = driver.split('.').map(str::parse::<u32>);
    let (Some(Ok(branch)), Some(Ok(release))) = (numbers.next(), numbers.next()) else { return None };
    let known = BRANCHES.iter().find(|(it, first, _)| *it == branch && *first <= release);
    known.map(|(_, _, cuda)| *cuda)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(driver: &str, expected: Option<&str>) {
        assert_eq!(newest(driver), expected, "{driver:?}");
    }

    #[test]
    fn a_driver_supports_the_cuda_of_its_branch() {
        check("535.54.03", Some("12.2"));
        check("535.247.01", Some("12.2"));
        check("470.256.02", Some("11.4"));
        check("570.26", Some("12.8"));
        check("580.65.06", Some("13.0"));
    }

    #[test]
    fn a_branch_between_known_ones_is_not_known() {
        // 430 shows CUDA 10.2, as 440 does, and 435 shows 10.1.
        for driver in ["430.50", "435.21", "540.4.0", "585.1", "616.56"] {
            check(driver, None);
        }
    }

    #[test]
    fn a_beta_from_before_its_branch_is_not_known() {
        check("550.40.07", None);
        check("535.43.02", None);
    }

    #[test]
    fn what_is_no_version_is_not_known() {
        for driver in ["", "535", "535.", ".54", "535.x", "-1.0", "99999999999.1"] {
            check(driver, None);
        }
    }

    #[test]
    fn branches_stand_in_order() {
        assert!(BRANCHES.is_sorted_by_key(|(branch, ..)| *branch));
    }
}
