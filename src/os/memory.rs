//! `memcpy`, `memmove` and `memcmp` for programs that are linked with musl on x86-64.
//!
//! musl copies with `rep movsq`, which takes some 50 ns to start, and compares byte by byte. Twelve rules copy 1,200 times, of
//! which all but ten are shorter than 1 KiB: that was a thirteenth of the whole run.

#![expect(unsafe_code, reason = "the compiler calls these functions by their names, with addresses")]

use std::arch::asm;
use std::ffi::c_int;
use std::ptr;

/// From this length on, in bytes, `rep movsb` is at least as fast as a loop (Intel's optimization manual, "Enhanced REP MOVSB
/// and STOSB operation").
const LONG: usize = 1024;

/// As C's `memcpy`, without its result.
///
/// # Safety
///
/// `from` has `length` bytes that can be read, `to` as many that can be written, and they do not overlap.
#[inline]
unsafe fn copy(to: *mut u8, from: *const u8, length: usize) {
    // SAFETY: each part lies within the `length` bytes. Parts at the end overlap with those at the start where both together
    // are longer than `length`.
    unsafe {
        match length {
            0 => {}
            1 => to.write(from.read()),
            2..=3 => ends::<u16>(to, from, length),
            4..=7 => ends::<u32>(to, from, length),
            8..=15 => ends::<u64>(to, from, length),
            16..=32 => ends::<u128>(to, from, length),
            33..LONG => {
                // No loop of Rust: the compiler would make a call of `memcpy` of it.
                asm!(
                    "2:",
                    "movups {first}, [{from} + {at}]",
                    "movups {second}, [{from} + {at} + 16]",
                    "movups [{to} + {at}], {first}",
                    "movups [{to} + {at} + 16], {second}",
                    "add {at}, 32",
                    "cmp {at}, {end}",
                    "jb 2b",
                    at = inout(reg) 0_usize => _,
                    end = in(reg) length - 32,
                    from = in(reg) from,
                    to = in(reg) to,
                    first = out(xmm_reg) _,
                    second = out(xmm_reg) _,
                    options(nostack),
                );
                part::<u128>(to, from, length - 32);
                part::<u128>(to, from, length - 16);
            }
            _ => asm!(
                "rep movsb",
                inout("rcx") length => _,
                inout("rsi") from => _,
                inout("rdi") to => _,
                options(nostack, preserves_flags),
            ),
        }
    }
}

/// Copies the first and the last bytes.
///
/// # Safety
///
/// As for [`copy`], and `length` is at least the size of `T`.
#[inline(always)]
unsafe fn ends<T>(to: *mut u8, from: *const u8, length: usize) {
    let last = length - size_of::<T>();
    // SAFETY: as the caller promises. Both are read first, for `shift`.
    unsafe {
        let (start, end) = (from.cast::<T>().read_unaligned(), from.add(last).cast::<T>().read_unaligned());
        to.cast::<T>().write_unaligned(start);
        to.add(last).cast::<T>().write_unaligned(end);
    }
}

/// Copies what is at `at`.
///
/// # Safety
///
/// As for [`copy`], with `at` and the size of `T` together as the length.
#[inline(always)]
unsafe fn part<T>(to: *mut u8, from: *const u8, at: usize) {
    // SAFETY: as the caller promises.
    unsafe { to.add(at).cast::<T>().write_unaligned(from.add(at).cast::<T>().read_unaligned()) }
}

/// As C's `memmove`, without its result.
///
/// # Safety
///
/// As for [`copy`], but that both may overlap.
#[inline]
unsafe fn shift(to: *mut u8, from: *const u8, length: usize) {
    let (up, down) = (to.addr().wrapping_sub(from.addr()), from.addr().wrapping_sub(to.addr()));
    // SAFETY: each part lies within the `length` bytes. What a step writes was read before, by it or by one before it.
    unsafe {
        if length <= 32 || (up >= length && down >= length) {
            copy(to, from, length);
        } else if down < length {
            let end = from.add(length - 16).cast::<u128>().read_unaligned();
            asm!(
                "2:",
                "movups {bytes}, [{from} + {at}]",
                "movups [{to} + {at}], {bytes}",
                "add {at}, 16",
                "cmp {at}, {end}",
                "jb 2b",
                at = inout(reg) 0_usize => _,
                end = in(reg) length - 16,
                from = in(reg) from,
                to = in(reg) to,
                bytes = out(xmm_reg) _,
                options(nostack),
            );
            to.add(length - 16).cast::<u128>().write_unaligned(end);
        } else {
            let start = from.cast::<u128>().read_unaligned();
            asm!(
                "2:",
                "sub {at}, 16",
                "movups {bytes}, [{from} + {at}]",
                "movups [{to} + {at}], {bytes}",
                "cmp {at}, 16",
                "ja 2b",
                at = inout(reg) length => _,
                from = in(reg) from,
                to = in(reg) to,
                bytes = out(xmm_reg) _,
                options(nostack),
            );
            to.cast::<u128>().write_unaligned(start);
        }
    }
}

/// As C's `memcmp`.
///
/// # Safety
///
/// Both have `length` bytes that can be read.
#[inline]
unsafe fn compare(one: *const u8, other: *const u8, length: usize) -> c_int {
    /// Eight bytes as a number that is ordered as they are.
    ///
    /// # Safety
    ///
    /// They can be read.
    unsafe fn eight(bytes: *const u8) -> u64 {
        // SAFETY: as the caller promises.
        u64::from_be(unsafe { bytes.cast::<u64>().read_unaligned() })
    }
    let mut at = 0;
    // SAFETY: nothing after `length` is read.
    unsafe {
        while at + 8 <= length {
            let (a, b) = (eight(one.add(at)), eight(other.add(at)));
            if a != b {
                return if a < b { -1 } else { 1 };
            }
            at += 8;
        }
        while at < length {
            let (a, b) = (ptr::read(one.add(at)), ptr::read(other.add(at)));
            if a != b {
                return c_int::from(a) - c_int::from(b);
            }
            at += 1;
        }
    }
    0
}

/// C's `memcpy`, instead of musl's.
///
/// # Safety
///
/// As in C.
#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: as the caller promises.
    unsafe { copy(to, from, length) };
    to
}

/// C's `memmove`, instead of musl's, which needs musl's `memcpy`.
///
/// # Safety
///
/// As in C.
#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, length: usize) -> *mut u8 {
    // SAFETY: as the caller promises.
    unsafe { shift(to, from, length) };
    to
}

/// C's `memcmp`, instead of musl's.
///
/// # Safety
///
/// As in C.
#[cfg(target_env = "musl")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(one: *const u8, other: *const u8, length: usize) -> c_int {
    // SAFETY: as the caller promises.
    unsafe { compare(one, other, length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lengths around each boundary, and some beyond the last.
    fn lengths() -> impl Iterator<Item = usize> {
        (0..200).chain(LONG - 40..LONG + 40).chain([4095, 4096, 70_001])
    }

    #[test]
    fn every_byte_is_copied_and_none_beside() {
        for length in lengths() {
            for shift in 0..17 {
                let from: Vec<u8> =
                    (0..shift + length).map(|it| u8::try_from(it % 251).expect("a byte")).collect();
                let mut to = vec![0xff; 16 + length + 16];
                // SAFETY: both have `length` bytes behind these.
                unsafe { copy(to.as_mut_ptr().add(16), from.as_ptr().add(shift), length) };
                assert_eq!(to[16..16 + length], from[shift..], "{length} {shift}");
                assert!(to[..16].iter().chain(&to[16 + length..]).all(|it| *it == 0xff), "{length} {shift}");
            }
        }
    }

    #[test]
    fn bytes_are_moved_within_what_they_overlap() {
        for length in lengths() {
            for (to, from) in
                (0..40).map(|it| (it, 40 - it)).chain([(0, 100), (100, 0), (0, 1), (1, 0), (0, 4000)])
            {
                let mut bytes: Vec<u8> =
                    (0..length + 4100).map(|it| u8::try_from(it % 251).expect("a byte")).collect();
                let mut expected = bytes.clone();
                expected.splice(to..to + length, bytes[from..from + length].iter().copied());
                let start = bytes.as_mut_ptr();
                // SAFETY: all of these are in `bytes`.
                unsafe { shift(start.add(to), start.add(from), length) };
                assert!(bytes == expected, "{length} from {from} to {to}");
            }
        }
    }

    #[test]
    fn the_first_byte_that_differs_decides() {
        // SAFETY: both are as long as said.
        let compare = |one: &[u8], other: &[u8]| unsafe { compare(one.as_ptr(), other.as_ptr(), one.len()) };
        for length in 0..70 {
            let one = vec![0x80; length];
            assert_eq!(compare(&one, &one), 0, "{length}");
            for at in 0..length {
                let mut more = one.clone();
                more[at] = 0xff;
                more[at + 1..].fill(0);
                assert!(compare(&one, &more) < 0 && compare(&more, &one) > 0, "{length} {at}");
            }
        }
    }
}
