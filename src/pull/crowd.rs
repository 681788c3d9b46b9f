//! Many images at once, with a bounded number of threads and so of connections.

use std::num::NonZeroUsize;
use std::ops::ControlFlow;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::{Pulled, Puller, Wanted};

/// Pulls all images with so many threads, and hands each outcome over as it comes, by its place in `images`; no more
/// outcomes wait in memory than there are threads. Ends early if the caller breaks off.
pub fn pull_all<E>(
    puller: &Puller<'_>,
    images: &[Wanted],
    jobs: NonZeroUsize,
    mut take: impl FnMut(usize, Pulled) -> ControlFlow<E>,
) -> Result<(), E> {
    let next = Mutex::new(images.iter().enumerate());
    let (send, outcomes) = sync_channel(jobs.get());
    thread::scope(|scope| {
        for _ in 0..jobs.get().min(images.len()) {
            let (send, next) = (send.clone(), &next);
            scope.spawn(move || {
                // A thread that panicked held nothing but the place in the list.
                let pick = || next.lock().unwrap_or_else(std::sync::PoisonError::into_inner).next();
                while let Some((place, image)) = pick() {
                    if send.send((place, puller.pull(image))).is_err() {
                        return;
                    }
                }
            });
        }
        drop(send);
        while let Ok((place, pulled)) = outcomes.recv() {
            if let ControlFlow::Break(reason) = take(place, pulled) {
                drop(outcomes);
                return Err(reason);
            }
        }
        Ok(())
    })
}
