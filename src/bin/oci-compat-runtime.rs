//! The runtime wrapper. Starts without Rust's runtime, like the hook: it would change how signals are handled, and the
//! low-level runtime that follows in this process has to find them as the caller has left them.

#![no_main]

use std::ffi::{c_char, c_int};

/// Called by the C library.
#[expect(unsafe_code, reason = "the C library knows this function by its name")]
#[unsafe(no_mangle)]
pub extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    c_int::from(oci_compat::door::wrapper::main())
}
