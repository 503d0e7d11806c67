//! The zone algorithm while the history is still being recorded.
//!
//! Says after every event whether what was seen so far has a linearization, in O(log n) an
//! event. Remembers only values that may still be read without contradiction: a block A may be
//! forgotten once some B must come after it and B was there before the oldest open operation
//! began, for whoever reads A from now on is wrong. docs/explanation/checking.md argues it.

use std::collections::HashMap;

use crate::history::{ValueId, OPEN};
use crate::table::Mixed;

/// What an event did to the history.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    Possible,
    Impossible,
    /// A value was written that another live write has too: zones cannot decide this.
    Repeats,
}

const NONE: u32 = u32::MAX;
const NO_VALUE: u64 = u64::MAX;

/// A value that may be in the register, now or later.
#[derive(Clone, Copy)]
struct Val {
    id: u64,
    writer_inv: u32,
    /// The value that the writing cas takes away; NO_VALUE for a plain write.
    from: u64,
    /// The value that a cas put in this one's place, and when that was first certain.
    next: u32,
    later: u32,
    /// NONE as long as nothing proves that it was written.
    block: u32,
}

/// A chain of values that stand together. `f`: its first completion, `s`: its last invocation.
#[derive(Clone, Copy)]
struct Block {
    root: u32,
    /// Place in `order`.
    rank: u32,
}

pub struct Online {
    ids: HashMap<u64, u32, Mixed>,
    vals: Vec<Val>,
    free_vals: Vec<u32>,
    blocks: Vec<Block>,
    free_blocks: Vec<u32>,
    /// (f, block) in order of f, which is the order of their making.
    order: Vec<(u32, u32)>,
    /// Maxima of s over `order`, a segment tree of twice `capacity`.
    tree: Vec<u32>,
    capacity: usize,
    /// `order` is cleaned when it has grown to this.
    clean_at: usize,
}

impl Online {
    /// `initial`: the value before the first operation.
    pub fn new(initial: ValueId) -> Self {
        let mut online = Online {
            ids: HashMap::default(),
            vals: Vec::new(),
            free_vals: Vec::new(),
            blocks: Vec::new(),
            free_blocks: Vec::new(),
            order: Vec::new(),
            tree: vec![0; 128],
            capacity: 64,
            clean_at: 64,
        };
        let v = online.insert(initial.0, NO_VALUE, 0);
        online.found(v, 0);
        online
    }

    /// Values remembered.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The ids of the values remembered, and of those that they come from.
    pub fn values(&self) -> impl Iterator<Item = u64> + '_ {
        self.ids.values().flat_map(|&v| [self.vals[v as usize].id, self.vals[v as usize].from])
    }

    /// A write of `to`, or a cas to it from `from`, was invoked. Positions count from 1.
    pub fn begin(&mut self, to: ValueId, from: Option<ValueId>, inv: u32) -> Status {
        if self.ids.contains_key(&to.0) {
            return Status::Repeats;
        }
        self.insert(to.0, from.map_or(NO_VALUE, |f| f.0), inv);
        Status::Possible
    }

    /// The write of, or cas to, `to` completed: it happened.
    pub fn happened(&mut self, to: ValueId, ret: u32) -> Status {
        let Some(&v) = self.ids.get(&to.0) else {
            return Status::Possible; // forgotten: it happened long ago
        };
        if self.vals[v as usize].block != NONE {
            return Status::Possible;
        }
        self.want(v, ret)
    }

    /// The write of, or cas to, `to` failed: it did not happen.
    pub fn failed(&mut self, to: ValueId) -> Status {
        match self.ids.get(&to.0) {
            Some(&v) if self.vals[v as usize].block == NONE => {
                self.remove(v);
                Status::Possible
            }
            _ => Status::Impossible, // somebody had seen it
        }
    }

    /// A read of `value` completed.
    pub fn read(&mut self, value: ValueId, inv: u32, ret: u32) -> Status {
        let Some(&v) = self.ids.get(&value.0) else {
            return Status::Impossible;
        };
        if self.vals[v as usize].block == NONE && self.want(v, ret) == Status::Impossible {
            return Status::Impossible;
        }
        let val = self.vals[v as usize];
        if val.next != NONE && val.later < inv {
            return Status::Impossible;
        }
        self.extend(val.block, inv)
    }

    fn insert(&mut self, id: u64, from: u64, writer_inv: u32) -> u32 {
        let val = Val { id, writer_inv, from, next: NONE, later: OPEN, block: NONE };
        let v = match self.free_vals.pop() {
            Some(v) => {
                self.vals[v as usize] = val;
                v
            }
            None => {
                self.vals.push(val);
                self.vals.len() as u32 - 1
            }
        };
        self.ids.insert(id, v);
        v
    }

    fn remove(&mut self, v: u32) {
        self.ids.remove(&self.vals[v as usize].id);
        self.free_vals.push(v);
    }

    /// From now on it is certain that `v` was written, and all that its chain came from.
    fn want(&mut self, v: u32, now: u32) -> Status {
        let mut at = v;
        let mut s = 0;
        let block = loop {
            let val = self.vals[at as usize];
            s = s.max(val.writer_inv);
            if val.from == NO_VALUE {
                break self.found(at, now);
            }
            let Some(&before) = self.ids.get(&val.from) else {
                return Status::Impossible;
            };
            let from = &mut self.vals[before as usize];
            if from.next != NONE {
                return Status::Impossible; // taken away already, or a circle
            }
            from.next = at;
            from.later = now;
            if from.block != NONE {
                break from.block;
            }
            at = before;
        };
        // `at` is the root, or the first value that was not in the block yet.
        loop {
            self.vals[at as usize].block = block;
            if at == v {
                break;
            }
            at = self.vals[at as usize].next;
        }
        self.extend(block, s)
    }

    /// A new block, with `root` as its first value.
    fn found(&mut self, root: u32, f: u32) -> u32 {
        let rank = self.order.len() as u32;
        let block = match self.free_blocks.pop() {
            Some(b) => b,
            None => {
                self.blocks.push(Block { root: 0, rank: 0 });
                self.blocks.len() as u32 - 1
            }
        };
        self.blocks[block as usize] = Block { root, rank };
        if self.order.len() == self.capacity {
            self.grow();
        }
        self.order.push((f, block));
        self.vals[root as usize].block = block;
        self.raise(rank as usize, self.vals[root as usize].writer_inv);
        block
    }

    /// An operation of `block` was invoked at `inv`: is that still possible?
    fn extend(&mut self, block: u32, inv: u32) -> Status {
        let rank = self.blocks[block as usize].rank as usize;
        if inv <= self.tree[self.capacity + rank] {
            return Status::Possible;
        }
        self.raise(rank, inv);
        // Some B with f(B) < s(A) and f(A) < s(B): each must come before the other.
        let f = self.order[rank].0;
        let end = self.order.partition_point(|&(other, _)| other < inv);
        if self.most(0, rank.min(end)) > f || self.most(rank + 1, end) > f {
            return Status::Impossible;
        }
        Status::Possible
    }

    fn raise(&mut self, rank: usize, s: u32) {
        let mut i = self.capacity + rank;
        while i > 0 && self.tree[i] < s {
            self.tree[i] = s;
            i /= 2;
        }
    }

    /// The greatest s among the ranks from `a` to before `b`.
    fn most(&self, a: usize, b: usize) -> u32 {
        let (mut a, mut b) = (a + self.capacity, b + self.capacity);
        let mut most = 0;
        while a < b {
            if a & 1 == 1 {
                most = most.max(self.tree[a]);
                a += 1;
            }
            if b & 1 == 1 {
                b -= 1;
                most = most.max(self.tree[b]);
            }
            a /= 2;
            b /= 2;
        }
        most
    }

    fn grow(&mut self) {
        let leaves = self.tree[self.capacity..].to_vec();
        self.capacity *= 2;
        self.rebuild(&leaves);
    }

    fn rebuild(&mut self, leaves: &[u32]) {
        self.tree.clear();
        self.tree.resize(2 * self.capacity, 0);
        self.tree[self.capacity..self.capacity + leaves.len()].copy_from_slice(leaves);
        for i in (1..self.capacity).rev() {
            self.tree[i] = self.tree[2 * i].max(self.tree[2 * i + 1]);
        }
    }

    /// Forgets what nobody may read any more. `oldest`: where the oldest open operation began.
    pub fn forget(&mut self, oldest: u32) {
        if self.order.len() < self.clean_at {
            return;
        }
        // The two greatest s among blocks that were there before `oldest`.
        let old = self.order.partition_point(|&(f, _)| f < oldest);
        let (mut first, mut second) = ((0, NONE), 0);
        for rank in 0..old {
            let s = self.tree[self.capacity + rank];
            if s > first.0 {
                second = first.0;
                first = (s, rank as u32);
            } else if s > second {
                second = s;
            }
        }
        let mut kept = Vec::new();
        let mut leaves = Vec::new();
        for rank in 0..self.order.len() {
            let (f, block) = self.order[rank];
            let after = if first.1 == rank as u32 { second } else { first.0 };
            if f < after {
                let mut v = self.blocks[block as usize].root;
                while v != NONE {
                    let next = self.vals[v as usize].next;
                    self.remove(v);
                    v = next;
                }
                self.free_blocks.push(block);
            } else {
                self.blocks[block as usize].rank = kept.len() as u32;
                kept.push((f, block));
                leaves.push(self.tree[self.capacity + rank]);
            }
        }
        self.order = kept;
        self.capacity = (self.order.len() * 2).next_power_of_two().max(64);
        self.rebuild(&leaves);
        self.clean_at = self.order.len() * 2 + 64;
    }
}
