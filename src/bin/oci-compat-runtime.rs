//! The runtime wrapper. Starts without Rust's runtime, like the hook: it would change how signals are handled, and the
//! low-level runtime that follows in this process needs them unchanged.

#![no_main]

use std::ffi::{c_char, c_int};

#[global_allocator]
static HEAP: oci_compat::os::heap::Heap = oci_compat::os::heap::Heap::new();

/// Called by the C library.
///
/// # Safety
///
/// The arguments are those of C's `main`.
#[expect(unsafe_code, reason = "the C library knows this function by its name")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    // SAFETY: as the caller promises.
    let words = unsafe { oci_compat::os::arguments::words(argc, argv) };
    c_int::from(oci_compat::door::wrapper::main(words))
}
