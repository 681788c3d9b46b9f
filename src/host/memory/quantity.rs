//! Sizes as Kubernetes writes them in their canonical form. Only whole numbers of KiB, as the kernel has them.

/// The binary suffixes behind `Ki`, each 1024 times the one before it (`resource.Quantity`, format `BinarySI`).
const LARGER: [&str; 5] = ["Mi", "Gi", "Ti", "Pi", "Ei"];

/// A number of KiB with the largest suffix that leaves a whole number: `2Mi` for 2048, `1536Ki` for 1536.
pub(in crate::host) fn canonical(kib: u64) -> String {
    let (mut number, mut suffix) = (kib, if kib == 0 { "" } else { "Ki" });
    for larger in LARGER {
        if number == 0 || number % 1024 != 0 {
            break;
        }
        (number, suffix) = (number / 1024, larger);
    }
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_suffix_that_leaves_a_whole_number_is_taken() {
        let check = |kib, expected: &str| assert_eq!(canonical(kib), expected, "{kib}");
        check(0, "0");
        check(1, "1Ki");
        check(64, "64Ki");
        check(1023, "1023Ki");
        check(1024, "1Mi");
        check(1025, "1025Ki");
        check(1536, "1536Ki");
        check(2048, "2Mi");
        check(16384, "16Mi");
        check(1_047_552, "1023Mi");
        check(1_048_576, "1Gi");
        check(16_777_216, "16Gi");
        check(1 << 30, "1Ti");
        check(1 << 40, "1Pi");
        check(1 << 50, "1Ei");
        check(1 << 60, "1024Ei");
        check(u64::MAX, "18446744073709551615Ki");
    }
}
