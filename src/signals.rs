//! The process's signals: a mask without leftovers, and a timer that ends reads which would block. The only place that
//! tells the kernel about signals.

use std::time::Duration;

use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};

/// After the deadline a signal comes this often, so that no read that starts in between blocks for good.
const REPEAT: Duration = Duration::from_millis(20);

/// Undoes what the caller left behind: crun blocks almost all signals in its hooks, under which no timer would ever
/// ring. A broken pipe is an error to be handled, not a death.
///
/// # Errors
///
/// None that are known: the arguments are constants.
#[expect(unsafe_code, reason = "sigaction(2) has no safe wrapper: a handler could be unsafe")]
pub fn reset() -> nix::Result<()> {
    signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    // SAFETY: no handler is installed, so nothing can run in the context of a signal.
    unsafe { signal::sigaction(Signal::SIGPIPE, &ignore) }?;
    Ok(())
}

/// From `after` on, every system call that would block is interrupted.
///
/// # Errors
///
/// None that are known: the arguments are valid.
#[expect(unsafe_code, reason = "sigaction(2) has no safe wrapper: a handler could be unsafe")]
pub fn interrupt_after(after: Duration) -> nix::Result<()> {
    // Without SA_RESTART: that is the point.
    let wake = SigAction::new(SigHandler::Handler(nothing), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing at all, which is async-signal-safe.
    unsafe { signal::sigaction(Signal::SIGALRM, &wake) }?;
    let timer = libc::itimerval { it_value: timeval(after), it_interval: timeval(REPEAT) };
    // SAFETY: the first pointer is to a live value, and the second may be null (setitimer(2)).
    let status = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
    nix::errno::Errno::result(status).map(|_| ())
}

extern "C" fn nothing(_: libc::c_int) {}

/// At least a microsecond: zero would disarm the timer.
fn timeval(time: Duration) -> libc::timeval {
    let seconds = libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX);
    libc::timeval { tv_sec: seconds, tv_usec: libc::suseconds_t::from(time.subsec_micros().max(1)) }
}
