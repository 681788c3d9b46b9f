//! The auxiliary vector, in which the kernel describes the machine to each process. `getauxval` would need unsafe code.

/// That of this process.
pub(super) const AUXV: &str = "/proc/self/auxv";

/// The value of a key in an auxiliary vector: pairs of native words (`getauxval(3)`).
pub(super) fn entry(vector: &[u8], key: usize) -> Option<u64> {
    let (words, _) = vector.as_chunks::<{ size_of::<usize>() }>();
    let (pairs, _) = words.as_chunks::<2>();
    let value = pairs.iter().find(|[it, _]| usize::from_ne_bytes(*it) == key).map(|[_, value]| value)?;
    u64::try_from(usize::from_ne_bytes(*value)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_stands_behind_its_key() {
        let vector: Vec<u8> = [6_usize, 4096, 16, 6, 0, 0].iter().flat_map(|it| it.to_ne_bytes()).collect();
        assert_eq!(entry(&vector, 6), Some(4096));
        assert_eq!(entry(&vector, 16), Some(6));
        assert_eq!(entry(&vector, 4096), None);
        assert_eq!(entry(&vector[..12], 6), None);
    }
}
