//! What every algorithm answers, and the budget it works within.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

/// Limits of one check. Every limit that bites is reported in the outcome.
#[derive(Clone, Copy)]
pub struct Budget<'a> {
    pub deadline: Option<Instant>,
    pub memory_bytes: usize,
    /// Set from outside to stop (Ctrl-C, a sibling key found invalid).
    pub cancel: &'a AtomicBool,
    /// Cores that have nothing else to do; changes as others end.
    pub spare: &'a AtomicUsize,
}

/// What an algorithm that is linear in its operations takes for each of them, roughly at most.
const BYTES_AN_OPERATION: usize = 128;
/// Operations between two looks at the clock, where one takes no longer than the next.
pub const OPERATIONS_A_LOOK: usize = 1 << 14;

/// For a check that is to stay on its own core.
pub static NO_SPARE: AtomicUsize = AtomicUsize::new(0);

impl Budget<'_> {
    /// The limit that keeps an algorithm linear in `operations` from beginning.
    pub fn forbids(&self, operations: usize) -> Option<Limit> {
        if self.expired() {
            Some(Limit::Time)
        } else if operations.saturating_mul(BYTES_AN_OPERATION) > self.memory_bytes {
            Some(Limit::Memory)
        } else {
            None
        }
    }

    /// Whether, at the `n`th operation of many, it is time to look and the time is over.
    #[inline]
    pub fn expired_at(&self, n: usize) -> bool {
        (n + 1).is_multiple_of(OPERATIONS_A_LOOK) && self.expired()
    }

    /// Call every few thousand steps.
    pub fn expired(&self) -> bool {
        self.cancel.load(Ordering::Relaxed) || self.deadline.is_some_and(|d| Instant::now() >= d)
    }
}

/// Which limit ran out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Limit {
    Time,
    Memory,
    Cancelled,
}

/// The answer for one partition. Numbers are indexes into `History::ops`.
/// Every algorithm is `fn check(history: &History, part: &[u32], budget: &Budget) -> Answer`,
/// where `part` holds the partition's operations in order of invocation.
#[derive(Debug)]
pub enum Answer {
    /// A linearization: operations in order; operations of unknown outcome that are left out of
    /// it are taken never to have happened.
    Valid { witness: Vec<u32> },
    /// `core`: operations that cannot be linearized whatever else is there (not yet minimal);
    /// `at`: the event position at which the history first became impossible, where known;
    /// `reason`: for the sentences.
    Invalid { core: Vec<u32>, at: Option<u32>, reason: Reason },
    /// Events before position `verified` are linearizable.
    Unknown { limit: Limit, verified: u32 },
    /// The algorithm does not cover this partition (why); the search must decide.
    NotApplicable { why: &'static str },
}

/// Why a history is not linearizable, in a form from which sentences are made: a tag and the
/// operations it speaks of. Each tag is documented beside the algorithm that emits it.
#[derive(Clone, Debug)]
pub struct Reason {
    pub tag: &'static str,
    pub ops: Vec<u32>,
}
