//! The OCI hook. Starts without Rust's runtime, whose preparations (a stack guard, an alternate signal stack, a look at
//! `/proc/self/maps`) cost a tenth of the whole run, and whose handling of signals we replace anyway.

#![no_main]

use std::ffi::{c_char, c_int};

/// Called by the C library.
#[expect(unsafe_code, reason = "the C library knows this function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    c_int::from(oci_compat::door::hook::main())
}
