//! Many images at once, with a bounded number of threads and so of connections.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::{Pulled, Puller, WantedImage};

/// For so long nothing is waited for without a word.
const PAUSE: Duration = Duration::from_secs(1);

/// Pulls all images with so many threads, and hands each outcome over as it comes, and `None` after a second without one; no
/// more outcomes wait in memory than there are threads. Ends early if the caller breaks off.
pub fn pull_all<'a, E>(
    puller: &Puller<'_>,
    images: &'a [WantedImage],
    jobs: NonZeroUsize,
    mut take: impl FnMut(Option<(&'a WantedImage, Pulled)>) -> ControlFlow<E>,
) -> Result<(), E> {
    let next = Mutex::new(images.iter());
    let (send, outcomes) = sync_channel(jobs.get());
    thread::scope(|scope| {
        for _ in 0..jobs.get().min(images.len()) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                // A thread that panicked held nothing but the place in the list.
                let pick = || next.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                while let Some(image) = pick() {
                    if send.send((image, puller.pull(image))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        loop {
            let outcome = match outcomes.recv_timeout(PAUSE) {
                Ok(outcome) => Some(outcome),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            };
            if let ControlFlow::Break(reason) = take(outcome) {
                drop(outcomes);
                return Err(reason);
            }
        }
    })
}
