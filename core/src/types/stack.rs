//! Stack whose elements are distinct, with pops that found it empty.
//!
//! An element is certainly there between the completion of its push and the invocation of its
//! pop. At a moment at which no element is certainly there the stack may be empty, and then
//! every operation under way may stand right there. Take such a moment; an element whose push
//! and pop can both stand at moments taken lies around all that is left between them, and no
//! longer counts; repeat. The history is linearizable iff every element goes. The idea is of
//! Lee and Mathur (Efficient Decrease-and-Conquer Linearizability Monitoring, OOPSLA 2025); the
//! witness and the argument are in checking-types.md.
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [pop]; `twice`: [pop, pop]; `too-early`: [push, pop]: as of queues.
//! - `no-order`: [op, ...]: at no moment left is any of these elements out of the way.
//! - `not-empty`: [pop, push, pop, ...]: it found nothing, though at each moment of it one of
//!   these elements was there.

use std::collections::BTreeSet;

use super::gaps::{elements, not_empty, Element, Elements, Gaps, Stab, END, NONE};
use super::{invalid, run, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::History;
use crate::models::stack::{initial, Reader};
use crate::registry::{Fast, Initial, Options};

pub const GAPS: Fast = Fast { name: "stack-gaps", check };

/// Decides a stack history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any || !initial(history, options).is_empty() {
        return Answer::NotApplicable { why: "the stack is not empty at first" };
    }
    let reader = Reader::new(history);
    run(history, part, budget, |view| decide(view, &reader))
}

fn decide(view: &View, reader: &Reader) -> Verdict {
    let Elements { all, empty, unknown, ends } = match elements(view, |op| reader.act(op)) {
        Ok(found) => found,
        Err(verdict) => return verdict,
    };
    let loose = !unknown.is_empty() && all.iter().any(|e| e.take == NONE);
    match solve(&all, &empty, ends) {
        // An element left behind may have gone to one of them.
        Verdict::Invalid(..) if loose => Verdict::Outside("pops of unknown outcome may matter"),
        verdict => verdict,
    }
}

fn solve(all: &[Element], empty: &[(u32, u32, u32)], ends: u32) -> Verdict {
    // Elements that stay are popped at the very end, where everything may be.
    let mut gaps = Gaps::new(ends);
    for e in all {
        gaps.cover(e.put_by, e.take_from, 1);
    }
    let mut used: BTreeSet<u32> = [END].into();
    let mut round = 0u32;
    let mut placed: Vec<(u32, u8, i64, u32)> = Vec::new(); // gap, kind, depth, operation
    for &(op, inv, ret) in empty {
        let Some(g) = gaps.free_within(inv, ret) else {
            return not_empty(all, op, inv, ret);
        };
        used.insert(g);
        placed.push((g, 1, 0, op));
    }
    // What can stand at a moment taken: the open operations by their last moment.
    let mut puts = Stab::new(all.iter().map(|e| (e.put_from, e.put_by)));
    let mut takes = Stab::new(all.iter().map(|e| (e.take_from, e.take_by)));
    let mut struck = vec![0u8; all.len()];
    let mut gone = 0;
    let mut todo: Vec<u32> = used.iter().copied().collect();
    loop {
        let mut done: Vec<u32> = Vec::new();
        for g in todo.drain(..) {
            if g != END {
                gaps.close(g);
            }
            let mut strike = |stab: &mut Stab, bit: u8| {
                while let Some(n) = stab.pop(g) {
                    struck[n as usize] |= bit;
                    if struck[n as usize] == 3 {
                        done.push(n);
                    }
                }
            };
            strike(&mut puts, 1);
            strike(&mut takes, 2);
        }
        for n in done {
            // The innermost moments taken around it.
            let e = &all[n as usize];
            gaps.cover(e.put_by, e.take_from, -1);
            round += 1;
            gone += 1;
            let depth = i64::from(round);
            let both = used.range(e.take_from..e.put_by.max(e.take_from)).next().copied();
            let (push, pop) = match both {
                Some(g) => (g, g),
                None => (
                    *used.range(e.put_from..e.put_by).next_back().expect("struck"),
                    *used.range(e.take_from..e.take_by).next().expect("struck"),
                ),
            };
            if push == pop {
                placed.push((push, 2, 2 * depth, e.put));
                if e.take != NONE {
                    placed.push((push, 2, 2 * depth + 1, e.take));
                }
            } else {
                placed.push((push, 3, depth, e.put));
                if e.take != NONE {
                    placed.push((pop, 0, -depth, e.take));
                }
            }
        }
        match gaps.free() {
            _ if gone == all.len() => break,
            Some(g) => {
                used.insert(g);
                todo.push(g);
            }
            None => {
                let left = (0..all.len()).filter(|&n| struck[n] != 3).map(|n| &all[n]);
                let ops: Vec<u32> =
                    left.flat_map(|e| [e.put, e.take]).filter(|&o| o != NONE).collect();
                return invalid(ops.clone(), "no-order", ops);
            }
        }
    }
    placed.sort_unstable();
    Verdict::Valid(placed.into_iter().map(|(.., op)| op).collect())
}
