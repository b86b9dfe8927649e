//! The bytes that uploads may hold in memory: one budget, shared by every piece of the process.
//!
//! Start at [`Pool::take`]. Whoever wants a buffer waits until others have given theirs back, in the order of
//! asking, so a slow store holds the reading back and memory never grows with the size or number of pieces. A
//! buffer becomes [`Bytes`] without a copy and returns when its last reader drops it.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::config::TransferConfig;
use crate::model::CHUNK_SIZE_BYTES;

/// The budget is counted in pages, since a semaphore has 32 bits for one wish.
const PAGE_BYTES: usize = 4096;

/// The smallest budget: one chunk to be read while another is being sent.
pub(super) const BUDGET_BYTES_MIN: usize = 2 * chunk_bytes();

/// The budget of the whole process, for stores that were not given one of their own.
static OF_THE_PROCESS: OnceLock<Arc<Pool>> = OnceLock::new();

const fn chunk_bytes() -> usize {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "8 MiB fits any address space that holds a backup agent"
    )]
    let bytes = CHUNK_SIZE_BYTES as usize;
    bytes
}

const fn pages_of(size_bytes: usize) -> usize {
    size_bytes.div_ceil(PAGE_BYTES)
}

/// The pages of something that is at most a chunk.
fn pages_of_chunk(size_bytes: u64) -> usize {
    pages_of(usize::try_from(size_bytes).map_or(chunk_bytes(), |size| size.min(chunk_bytes())))
}

/// A budget of bytes and the buffers that wait for their next use.
#[derive(Debug)]
pub struct Pool {
    pages: Arc<Semaphore>,
    budget_pages: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whole-chunk buffers that nobody holds; they count against the budget like those in use.
    idle: Vec<Vec<u8>>,
    /// The most that was ever in use at once, in bytes.
    peak_bytes: usize,
}

/// Room for some bytes, and the right to hold them.
#[derive(Debug)]
pub(super) struct Buffer {
    bytes: Vec<u8>,
    pool: Arc<Pool>,
    _right: OwnedSemaphorePermit,
}

impl Pool {
    /// A pool with a budget of its own; less than two chunks is raised to two.
    #[must_use]
    pub fn of(budget_bytes: usize) -> Arc<Self> {
        let budget_pages = budget_bytes.max(BUDGET_BYTES_MIN) / PAGE_BYTES;
        Arc::new(Self {
            pages: Arc::new(Semaphore::new(budget_pages.min(Semaphore::MAX_PERMITS))),
            budget_pages,
            state: Mutex::default(),
        })
    }

    /// The pool that all stores of this process share.
    #[must_use]
    pub fn of_the_process() -> Arc<Self> {
        Self::of_the_process_with(TransferConfig::default().memory_bytes)
    }

    /// The same, with this budget if nobody asked for it before.
    #[must_use]
    pub fn of_the_process_with(budget_bytes: usize) -> Arc<Self> {
        OF_THE_PROCESS
            .get_or_init(|| Self::of(budget_bytes))
            .clone()
    }

    /// The most that was ever in use at once, in bytes.
    #[must_use]
    pub fn peak_bytes(&self) -> usize {
        self.state
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .peak_bytes
    }

    /// An empty buffer with room for `size_bytes`, at most a chunk; waits while the budget is in use.
    pub(super) async fn take(self: &Arc<Self>, size_bytes: usize) -> Buffer {
        let size_bytes = size_bytes.min(chunk_bytes());
        let right = self.right(pages_of(size_bytes)).await;
        self.buffer(size_bytes, right)
    }

    /// Two buffers at once. Who waited for the second while holding the first could wait for ever, were all others
    /// to do the same.
    pub(super) async fn take_two(self: &Arc<Self>, sizes_bytes: [usize; 2]) -> [Buffer; 2] {
        let [first, second] = sizes_bytes.map(pages_of);
        // The first may be a little more than a chunk, and the smallest budget has two chunks.
        let both = (first + second).min(self.budget_pages);
        let mut right = self.right(both).await;
        let second = right.split(second.min(both));
        let second = second.expect("it has at least as many");
        [
            self.buffer(sizes_bytes[0], right),
            self.buffer(sizes_bytes[1], second),
        ]
    }

    /// Room for at most a chunk that is read by somebody else; waits while the budget is in use.
    pub(super) async fn reserve(self: &Arc<Self>, size_bytes: u64) -> Room {
        let right = self.right(pages_of_chunk(size_bytes)).await;
        self.room(right)
    }

    /// The same where it can be had at once.
    pub(super) fn try_reserve(self: &Arc<Self>, size_bytes: u64) -> Option<Room> {
        let pages = u32::try_from(pages_of_chunk(size_bytes)).ok()?;
        let right = self.pages.clone().try_acquire_many_owned(pages).ok()?;
        Some(self.room(right))
    }

    async fn right(self: &Arc<Self>, pages: usize) -> OwnedSemaphorePermit {
        let pages = u32::try_from(pages).unwrap_or(u32::MAX);
        let right = self.pages.clone().acquire_many_owned(pages);
        right.await.expect("the semaphore is never closed")
    }

    /// A small buffer is made anew, and one that lies idle goes for it, so that both never add up.
    fn buffer(self: &Arc<Self>, size_bytes: usize, right: OwnedSemaphorePermit) -> Buffer {
        let bytes = self.idle().filter(|_| size_bytes == chunk_bytes());
        Buffer {
            bytes: bytes.unwrap_or_else(|| Vec::with_capacity(size_bytes)),
            pool: self.clone(),
            _right: right,
        }
    }

    fn room(self: &Arc<Self>, right: OwnedSemaphorePermit) -> Room {
        drop(self.idle());
        Room { _right: right }
    }

    /// A buffer that lies idle, and a look at how much is in use.
    fn idle(self: &Arc<Self>) -> Option<Vec<u8>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let in_use = (self.budget_pages - self.pages.available_permits()) * PAGE_BYTES;
        state.peak_bytes = state.peak_bytes.max(in_use);
        state.idle.pop()
    }
}

/// Room for bytes that somebody else puts into memory; it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Room {
    _right: OwnedSemaphorePermit,
}

impl Buffer {
    /// The bytes, to be filled.
    pub(super) fn bytes_mut(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// The filled buffer, to be shared; it returns to the pool with its last reader.
    pub(super) fn freeze(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.capacity() < chunk_bytes() {
            return;
        }
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        let mut state = self
            .pool
            .state
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if (state.idle.len() + 1) * chunk_bytes() <= self.pool.budget_pages * PAGE_BYTES {
            state.idle.push(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn nobody_gets_a_buffer_beyond_the_budget_until_one_comes_back() {
        let pool = Pool::of(2 * chunk_bytes());
        let (one, _two) = (
            pool.take(chunk_bytes()).await,
            pool.take(chunk_bytes()).await,
        );
        let mut third = std::pin::pin!(pool.take(1));
        assert!(futures::poll!(third.as_mut()).is_pending());
        let shared = one.freeze();
        let reader = shared.clone();
        drop(shared);
        assert!(futures::poll!(third.as_mut()).is_pending(), "still read");
        drop(reader);
        assert!(futures::poll!(third.as_mut()).is_ready());
        assert_eq!(pool.peak_bytes(), 2 * chunk_bytes());
    }

    #[tokio::test]
    async fn small_pieces_take_only_what_they_need() {
        let budget_bytes = TransferConfig::default().memory_bytes;
        let pool = Pool::of(budget_bytes);
        let mut held = Vec::new();
        for _ in 0..128 {
            held.push(pool.take(512 * 1024).await);
        }
        assert_eq!(pool.peak_bytes(), budget_bytes);
        assert!(held.iter().all(|it| it.bytes.capacity() < chunk_bytes()));
    }

    #[tokio::test]
    async fn a_big_wish_is_not_starved_by_small_ones() {
        let pool = Pool::of(2 * chunk_bytes());
        let small = pool.take(1).await;
        let big = pool.take(chunk_bytes()).await;
        let mut wish = std::pin::pin!(pool.take(chunk_bytes()));
        assert!(futures::poll!(wish.as_mut()).is_pending());
        let mut later = std::pin::pin!(pool.take(1));
        assert!(futures::poll!(later.as_mut()).is_pending(), "asked later");
        drop((small, big));
        assert!(futures::poll!(wish.as_mut()).is_ready());
    }
}
