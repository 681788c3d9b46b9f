//! The process's signals and limits: a mask without leftovers, a timer that ends reads which would block, and room for a
//! check. The only place that changes them in the kernel.

mod limits;

use std::time::{Duration, Instant};

use limits::Raised;
use nix::sys::signal::{self, SaFlags, SigAction, SigHandler, SigSet, SigmaskHow, Signal};

/// Signals by which the kernel ends a process that meets a limit or a closed pipe, where an error would do: a broken pipe, a
/// file beyond `RLIMIT_FSIZE` (then the error is EFBIG), and processor time beyond the soft `RLIMIT_CPU`.
const IGNORED: [Signal; 3] = [Signal::SIGPIPE, Signal::SIGXFSZ, Signal::SIGXCPU];
/// After the deadline a signal comes this often, so that no read that starts in between blocks for good.
const REPEAT: Duration = Duration::from_millis(20);

/// Undoes what the caller left behind: crun blocks almost all signals in its hooks, under which no timer would ever
/// ring. A broken pipe, or a limit that is met, is an error to be handled, not a death; soft limits that leave no room are
/// raised.
///
/// # Errors
///
/// None that are known: the arguments are constants.
#[expect(unsafe_code, reason = "sigaction(2) has no safe wrapper: a handler could be unsafe")]
pub fn reset() -> nix::Result<()> {
    // Nothing follows in this process that would want them back.
    let _raised = Raised::now();
    signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&SigSet::empty()), None)?;
    let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
    for it in IGNORED {
        // SAFETY: no handler is installed, so nothing can run in the context of a signal.
        unsafe { signal::sigaction(it, &ignore) }?;
    }
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

/// How long it is until the timer of [`interrupt_after`] rings for the first time, to within 20 ms; nothing once it has.
/// `None` where no timer was set.
#[expect(unsafe_code, reason = "getitimer(2) has no safe wrapper")]
pub fn left() -> Option<Duration> {
    let mut timer = libc::itimerval { it_value: NEVER, it_interval: NEVER };
    // SAFETY: the pointer is to a live value.
    nix::errno::Errno::result(unsafe { libc::getitimer(libc::ITIMER_REAL, &raw mut timer) }).ok()?;
    let libc::timeval { tv_sec, tv_usec } = timer.it_value;
    if (tv_sec, tv_usec) == (0, 0) {
        return None;
    }
    let left = duration(timer.it_value);
    Some(if left <= REPEAT { Duration::ZERO } else { left })
}

/// What a caller had set of all that a check changes: a program that follows in this process has to find it as it was.
#[derive(Debug, Clone)]
pub struct SavedSettings {
    mask: SigSet,
    ignored: [(Signal, SigAction); IGNORED.len()],
    alarm: SigAction,
    timer: libc::itimerval,
    since: Instant,
    limits: Raised,
}

impl SavedSettings {
    /// Sets it aside: the deadline's signal gets through, a broken pipe or a limit is an error to be handled, and soft limits
    /// leave room. Signals that the caller has blocked stay so: the program that follows is the one that they are meant for.
    ///
    /// # Errors
    ///
    /// None that are known: the arguments are valid.
    #[expect(unsafe_code, reason = "neither sigaction(2) nor getitimer(2) has a safe wrapper")]
    pub fn aside() -> nix::Result<Self> {
        let ignore = SigAction::new(SigHandler::SigIgn, SaFlags::empty(), SigSet::empty());
        let mut timer = libc::itimerval { it_value: NEVER, it_interval: NEVER };
        // SAFETY: the pointer is to a live value.
        nix::errno::Errno::result(unsafe { libc::getitimer(libc::ITIMER_REAL, &raw mut timer) })?;
        let mut ignored = IGNORED.map(|it| (it, ignore));
        for (it, before) in &mut ignored {
            // SAFETY: no handler is installed, so nothing can run in the context of a signal.
            *before = unsafe { signal::sigaction(*it, &ignore) }?;
        }
        // SAFETY: as above.
        let alarm = unsafe { signal::sigaction(Signal::SIGALRM, &ignore) }?;
        let mut mask = SigSet::empty();
        signal::sigprocmask(SigmaskHow::SIG_UNBLOCK, Some(&SigSet::from(Signal::SIGALRM)), Some(&mut mask))?;
        Ok(Self { mask, ignored, alarm, timer, since: Instant::now(), limits: Raised::now() })
    }

    /// The soft limits that were raised, by their names, as they were and will be again.
    pub fn soft_limits(&self) -> Vec<(&'static str, u64)> {
        self.limits.soft().collect()
    }

    /// Puts everything back, the timer first: what it has sent by then is still for us.
    ///
    /// # Errors
    ///
    /// None that are known: the arguments are those that the kernel gave.
    #[expect(unsafe_code, reason = "neither sigaction(2) nor setitimer(2) has a safe wrapper")]
    pub fn restore(&self) -> nix::Result<()> {
        self.limits.restore();
        let timer = libc::itimerval { it_value: self.left(), ..self.timer };
        // SAFETY: the first pointer is to a live value, and the second may be null (setitimer(2)).
        let status = unsafe { libc::setitimer(libc::ITIMER_REAL, &raw const timer, std::ptr::null_mut()) };
        nix::errno::Errno::result(status)?;
        // SAFETY: no handler of ours is installed; what the caller had is none either, or exec(2) would have reset it.
        unsafe { signal::sigaction(Signal::SIGALRM, &self.alarm) }?;
        for (it, before) in &self.ignored {
            // SAFETY: as above.
            unsafe { signal::sigaction(*it, before) }?;
        }
        signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&self.mask), None)
    }

    /// What is left of the caller's own timer.
    fn left(&self) -> libc::timeval {
        let libc::timeval { tv_sec, tv_usec } = self.timer.it_value;
        if (tv_sec, tv_usec) == (0, 0) {
            return NEVER;
        }
        timeval(duration(self.timer.it_value).saturating_sub(self.since.elapsed()))
    }
}

/// A timer with this value is not set.
const NEVER: libc::timeval = libc::timeval { tv_sec: 0, tv_usec: 0 };

extern "C" fn nothing(_: libc::c_int) {}

fn duration(time: libc::timeval) -> Duration {
    Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
}

/// At least a microsecond: zero would disarm the timer.
fn timeval(time: Duration) -> libc::timeval {
    // How wide these are, depends on the C library.
    let seconds = time.as_secs().try_into().unwrap_or(i32::MAX.into());
    libc::timeval { tv_sec: seconds, tv_usec: time.subsec_micros().max(1).into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The only test that touches the process's signals.
    #[test]
    fn what_is_set_aside_is_put_back() {
        let mut before = SigSet::empty();
        signal::sigprocmask(SigmaskHow::SIG_BLOCK, Some(&SigSet::from(Signal::SIGUSR2)), Some(&mut before))
            .expect("a mask");
        let kept = SavedSettings::aside().expect("signals");
        assert_eq!(left(), None);
        interrupt_after(Duration::from_secs(60)).expect("a timer");
        assert!(left().is_some_and(|it| (Duration::from_secs(50)..=Duration::from_secs(60)).contains(&it)));
        interrupt_after(REPEAT).expect("a timer");
        assert_eq!(left(), Some(Duration::ZERO));
        kept.restore().expect("signals");
        let mut after = SigSet::empty();
        signal::sigprocmask(SigmaskHow::SIG_SETMASK, Some(&before), Some(&mut after)).expect("a mask");
        before.add(Signal::SIGUSR2);
        assert_eq!(after, before);
        let again = SavedSettings::aside().expect("signals");
        assert_eq!((again.timer.it_value.tv_sec, again.timer.it_value.tv_usec), (0, 0));
        let handlers = |it: &SavedSettings| {
            format!("{:?} {:?}", it.alarm.handler(), it.ignored.map(|(_, it)| it.handler()))
        };
        assert_eq!(handlers(&again), handlers(&kept));
        again.restore().expect("signals");
    }

    #[test]
    fn a_timer_of_the_caller_goes_on() {
        let left = |seconds, since| {
            let timer = libc::itimerval {
                it_value: libc::timeval { tv_sec: seconds, tv_usec: 5 },
                it_interval: NEVER,
            };
            let action = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
            let it = SavedSettings {
                mask: SigSet::empty(),
                ignored: IGNORED.map(|it| (it, action)),
                alarm: action,
                timer,
                since,
                limits: Raised::default(),
            }
            .left();
            (it.tv_sec, it.tv_usec)
        };
        let now = Instant::now();
        assert_eq!(left(0, now + Duration::from_secs(60)), (0, 5));
        let past = now.checked_sub(Duration::from_secs(2)).expect("a clock that has run for a while");
        assert_eq!(left(1, past), (0, 1), "it has gone off meanwhile: it does so at once");
        assert!((50..=58).contains(&left(60, past).0));
    }
}
