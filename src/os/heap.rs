//! The heap of the programs: dlmalloc, as `dlmalloc-rs` has it, with a lock and a source of memory for processes that live
//! for half a millisecond.
//!
//! musl's own allocator has a mapping for each size of block, and gives it back when its last block is freed. The lock of
//! `dlmalloc-rs` is a mutex of the C library: twelve rules take it 1,400 times, which was a twentieth of the whole run.

#![expect(unsafe_code, reason = "an allocator hands out memory by its address")]

use std::alloc::{GlobalAlloc, Layout};
use std::cell::UnsafeCell;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use dlmalloc::{Allocator, Dlmalloc};

/// The least that is asked of the kernel at a time, in bytes: what dlmalloc asks for by itself.
const PIECE: usize = 64 * 1024;

/// The allocator of a program, for `#[global_allocator]`.
///
/// A signal handler must not allocate while it is in use.
pub struct Heap {
    is_taken: AtomicBool,
    blocks: UnsafeCell<Dlmalloc<Pages>>,
}

// SAFETY: `blocks` is used between `lock` and the end of its guard only.
unsafe impl Sync for Heap {}

impl Heap {
    /// An empty heap.
    #[must_use]
    pub const fn new() -> Self {
        let blocks = UnsafeCell::new(Dlmalloc::new_with_allocator(Pages));
        Self { is_taken: AtomicBool::new(false), blocks }
    }

    /// Waits until no other thread uses the blocks. The hook and the wrapper have one thread; the others hold it briefly.
    #[inline]
    fn lock(&self) -> HeapGuard<'_> {
        while self.is_taken.swap(true, Ordering::Acquire) {
            thread::yield_now();
        }
        HeapGuard(self)
    }
}

impl Default for Heap {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Heap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Heap")
    }
}

/// The right to use the blocks of a heap.
struct HeapGuard<'a>(&'a Heap);

impl HeapGuard<'_> {
    #[inline]
    fn blocks(&mut self) -> &mut Dlmalloc<Pages> {
        // SAFETY: there is one guard at a time, and it is borrowed for as long as the result.
        unsafe { &mut *self.0.blocks.get() }
    }
}

impl Drop for HeapGuard<'_> {
    #[inline]
    fn drop(&mut self) {
        self.0.is_taken.store(false, Ordering::Release);
    }
}

// SAFETY: dlmalloc keeps the contract of `GlobalAlloc`, and the caller's promises are passed on to it.
unsafe impl GlobalAlloc for Heap {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.lock().blocks().malloc(layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.lock().blocks().free(block, layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.lock().blocks().calloc(layout.size(), layout.align()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        unsafe { self.lock().blocks().realloc(block, layout.size(), layout.align(), size) }
    }
}

/// Memory of the kernel. A piece of the usual size comes with its pages: nearly all of them are used, and to fetch each when
/// it is first touched costs three times as much. A larger piece is one large block, and not all of it may be used.
struct Pages;

// SAFETY: what `alloc` hands out is a mapping of its own, and only whole mappings are given back.
unsafe impl Allocator for Pages {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        let with_pages = if size <= PIECE { libc::MAP_POPULATE } else { 0 };
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | with_pages;
        // SAFETY: a new mapping, placed by the kernel.
        let piece =
            unsafe { libc::mmap(ptr::null_mut(), size, libc::PROT_READ | libc::PROT_WRITE, flags, -1, 0) };
        if piece == libc::MAP_FAILED { (ptr::null_mut(), 0, 0) } else { (piece.cast(), size, 0) }
    }

    fn remap(&self, piece: *mut u8, size: usize, new: usize, can_move: bool) -> *mut u8 {
        let flags = if can_move { libc::MREMAP_MAYMOVE } else { 0 };
        // SAFETY: dlmalloc names a piece that `alloc` or `remap` gave it.
        let piece = unsafe { libc::mremap(piece.cast(), size, new, flags) };
        if piece == libc::MAP_FAILED { ptr::null_mut() } else { piece.cast() }
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, piece: *mut u8, size: usize) -> bool {
        // SAFETY: dlmalloc names a piece that `alloc` or `remap` gave it, and uses it no more.
        unsafe { libc::munmap(piece.cast(), size) == 0 }
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        // As in `dlmalloc-rs`. Where pages are larger, the kernel rounds up.
        4096
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Blocks of all sizes, filled by four threads, which let go of every other one, and make the rest larger.
    #[test]
    fn blocks_of_several_threads_do_not_overlap() {
        let heap = Heap::new();
        thread::scope(|scope| {
            for seed in 1..=4_u8 {
                let heap = &heap;
                scope.spawn(move || fill(heap, seed));
            }
        });
    }

    fn fill(heap: &Heap, seed: u8) {
        let layout = |size| Layout::from_size_align(size, 8).expect("a layout");
        let sizes = || {
            (0..400_usize).map(|step| {
                1 + step * step % 7919 * usize::from(step % 50 != 0) + 300_000 * usize::from(step % 50 == 0)
            })
        };
        let mut blocks = Vec::new();
        for size in sizes() {
            // SAFETY: the layout has a size, and the block is as large.
            let block = unsafe { heap.alloc(layout(size)) };
            assert!(!block.is_null() && block.align_offset(8) == 0, "{size}");
            // SAFETY: as above.
            unsafe { block.write_bytes(seed, size) };
            blocks.push((block, size));
        }
        let (odd, even): (Vec<_>, Vec<_>) =
            blocks.into_iter().enumerate().partition(|(index, _)| index % 2 == 1);
        for (_, (block, size)) in odd {
            // SAFETY: it came from this heap with this layout.
            unsafe { heap.dealloc(block, layout(size)) };
        }
        for (_, (block, size)) in even {
            // SAFETY: it came from this heap with this layout, and is as large as said afterwards.
            let (larger, fresh) =
                unsafe { (heap.realloc(block, layout(size), size * 2), heap.alloc_zeroed(layout(size))) };
            // SAFETY: as above.
            let (kept, zero) = unsafe {
                (std::slice::from_raw_parts(larger, size), std::slice::from_raw_parts(fresh, size))
            };
            assert!(kept.iter().all(|&byte| byte == seed) && zero.iter().all(|&byte| byte == 0), "{size}");
            // SAFETY: as above.
            unsafe { heap.dealloc(larger, layout(size * 2)) };
            // SAFETY: as above.
            unsafe { heap.dealloc(fresh, layout(size)) };
        }
    }
}
