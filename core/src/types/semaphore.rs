//! Semaphore whose operations all move the same number of permits, and mutex without owner
//! (one permit): one sweep over the events.
//!
//! Nothing is done before some completion forces it. Then the operation that completes is done;
//! where it cannot be, one of the other kind is done just before: the open one that completes
//! first. One is always enough, and operations of a kind are interchangeable.
//!
//! Reason it gives: `no-permit` or `not-held`: [op, ...]: the acquire (or release) that could
//! not be done before it completed, then all operations done by then.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::{invalid, run, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, Operation, OPEN};
use crate::models::mutex::{self, Kind};
use crate::models::semaphore::{permits, Act, Reader};
use crate::registry::{Fast, Initial, Options};

pub const PERMITS: Fast = Fast { name: "permit-sweep", check };
pub const MUTEX: Fast = Fast { name: "lock-sweep", check: check_mutex };

/// Decides a semaphore history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any {
        return Answer::NotApplicable { why: "the number of permits is unknown" };
    }
    let reader = Reader::new(history);
    let all = permits(history, options);
    run(history, part, budget, |view| {
        let mut size = None;
        for (_, op) in view.ops() {
            match reader.act(history, &op) {
                Act::Nothing => {}
                Act::Acquire(n) | Act::Release(n) => {
                    if n == 0 || *size.get_or_insert(n) != n {
                        return Verdict::Outside("different numbers of permits");
                    }
                }
            }
        }
        decide(view, all / size.unwrap_or(1), |op| match reader.act(history, op) {
            Act::Nothing => None,
            Act::Acquire(_) => Some(true),
            Act::Release(_) => Some(false),
        })
    })
}

/// Decides a history of a mutex that anyone may release.
pub fn check_mutex(history: &History, part: &[u32], _: &Options, budget: &Budget) -> Answer {
    let reader = mutex::Reader::new(history, Kind::Plain);
    run(history, part, budget, |view| {
        decide(view, 1, |op| match reader.act(history, op) {
            mutex::Act::Nothing => None,
            mutex::Act::Acquire(..) => Some(true),
            mutex::Act::Release(_) => Some(false),
        })
    })
}

/// Open operations of one kind that have not been done: certain ones, first completion on top,
/// then those of unknown outcome.
#[derive(Default)]
struct Pool {
    certain: BinaryHeap<Reverse<u64>>,
    unknown: VecDeque<u32>,
}

impl Pool {
    fn next(&mut self, done: &[bool]) -> Option<u32> {
        while let Some(Reverse(top)) = self.certain.pop() {
            if !done[top as u32 as usize] {
                return Some(top as u32);
            }
        }
        self.unknown.pop_front()
    }
}

fn decide(view: &View, permits: u64, acquires: impl Fn(&Operation) -> Option<bool>) -> Verdict {
    let mut items: Vec<(u32, u32, u32, bool)> = Vec::with_capacity(view.part.len());
    let mut returns: Vec<u64> = Vec::with_capacity(view.part.len());
    for (i, op) in view.ops() {
        if let Some(acquire) = acquires(&op) {
            if op.ret != OPEN {
                returns.push(u64::from(op.ret) << 32 | items.len() as u64);
            }
            items.push((i, op.inv, op.ret, acquire));
        }
    }
    returns.sort_unstable();
    let mut done = vec![false; items.len()];
    let mut order: Vec<u32> = Vec::with_capacity(items.len());
    let mut pools = [Pool::default(), Pool::default()];
    let (mut taken, mut next) = (0u64, 0);
    for r in returns {
        let (now, x) = ((r >> 32) as u32, r as u32 as usize);
        while next < items.len() && items[next].1 < now {
            let (_, _, ret, acquire) = items[next];
            let pool = &mut pools[usize::from(acquire)];
            if ret == OPEN {
                pool.unknown.push_back(next as u32);
            } else {
                pool.certain.push(Reverse(u64::from(ret) << 32 | next as u64));
            }
            next += 1;
        }
        if done[x] {
            continue;
        }
        let acquire = items[x].3;
        if if acquire { taken == permits } else { taken == 0 } {
            // A semaphore without permits has nothing to release either.
            let other = if permits == 0 { None } else { pools[usize::from(!acquire)].next(&done) };
            let Some(other) = other else {
                let mut ops = vec![items[x].0];
                ops.extend(&order);
                let tag = if acquire { "no-permit" } else { "not-held" };
                return invalid(ops.clone(), tag, ops);
            };
            done[other as usize] = true;
            order.push(items[other as usize].0);
            taken = if acquire { taken - 1 } else { taken + 1 };
        }
        done[x] = true;
        order.push(items[x].0);
        taken = if acquire { taken + 1 } else { taken - 1 };
    }
    Verdict::Valid(order)
}
