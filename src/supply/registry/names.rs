//! Resolves host names in a statically linked program: in `/etc/hosts` and in the DNS, and nowhere else.

/// Keeps the C library from loading the plug-ins that `/etc/nsswitch.conf` names. They are linked against the C library of
/// this host, and a static program brings its own: where the two differ, loading them ends in a crash. `files` and `dns` are
/// built in (glibc 2.34).
#[cfg(all(target_env = "gnu", target_feature = "crt-static"))]
#[expect(unsafe_code, reason = "the C library has no other way to say it, and no crate wraps it")]
pub(super) fn restrict() {
    use std::ffi::{c_char, c_int};

    unsafe extern "C" {
        fn __nss_configure_lookup(database: *const c_char, services: *const c_char) -> c_int;
    }
    // SAFETY: both are constant C strings; the function copies what it needs, and takes the lock under which look-ups read.
    let status = unsafe { __nss_configure_lookup(c"hosts".as_ptr(), c"files dns".as_ptr()) };
    if status != 0 {
        log::debug!("names of hosts are looked up as /etc/nsswitch.conf says");
    }
}

/// A dynamically linked program loads what belongs to its own C library.
#[cfg(not(all(target_env = "gnu", target_feature = "crt-static")))]
pub(super) fn restrict() {}
