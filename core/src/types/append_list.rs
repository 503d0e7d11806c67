//! Append-list whose elements are distinct: every read is a prefix of the longest one.
//!
//! The longest read gives the order of all elements that were seen; those that nobody saw come
//! last, or did not happen. Linear in the elements of all distinct reads.
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [read]: it has an element that nobody appended (or appended only in an
//!   operation that failed: the second of `ops`).
//! - `duplicate`: [read, append]: an element stands twice that was appended once.
//! - `initial-lost`: [read]: it does not begin with the initial list.
//! - `two-orders`: [read, read, append, append]: neither is a prefix of the other; they part at
//!   the elements of these appends.
//! - `too-early`: [late, early]: in the order that reads show `late` comes first,
//!   but `early` had completed before it was invoked.

use std::collections::HashMap;

use super::{invalid, run, slots, Slotted, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, Outcome, ValueId, OPEN};
use crate::models::append_list::{initial, Act, Reader};
use crate::models::members;
use crate::registry::{Fast, Initial, Options};
use crate::table::IdMap;

pub const PREFIXES: Fast = Fast { name: "prefixes", check };

/// Decides an append-list history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any {
        return Answer::NotApplicable { why: "the initial list is unknown" };
    }
    let reader = Reader::new(history);
    let start = initial(history, options);
    run(history, part, budget, |view| decide(view, &reader, start))
}

/// A counterexample shows the writers of all that was read, if they are no more than these.
const FEW: usize = 24;

fn decide(view: &View, reader: &Reader, start: &[ValueId]) -> Verdict {
    let list = |id: ValueId| members(view.history, id).unwrap_or(&[]);
    // The appends, and of the reads the longest.
    let mut appends = IdMap::with_capacity(view.part.len());
    let mut longest: &[ValueId] = start;
    let mut longest_read = None;
    for (i, op) in view.ops() {
        match reader.act(&op) {
            Act::Append(v) if start.contains(&v) || appends.get_or_insert(v.0, i) != i => {
                return Verdict::Outside("an element is appended twice");
            }
            Act::Read(id) if list(id).len() > longest.len() => {
                longest = list(id);
                longest_read = Some(i);
            }
            _ => {}
        }
    }
    let appended = |v: &ValueId| appends.get(v.0);

    // Every read is a prefix of the longest; of equal lists one look is enough.
    if let Some(read) = longest_read {
        if !longest.starts_with(start) {
            return invalid(vec![read], "initial-lost", vec![read]);
        }
        if let Some(verdict) = phantom(view, reader, read, longest, start, &appended) {
            return verdict;
        }
    }
    let mut prefixes: HashMap<ValueId, usize> = HashMap::new();
    let mut slotted = Vec::with_capacity(view.part.len());
    for (i, op) in view.ops() {
        let Act::Read(id) = reader.act(&op) else { continue };
        let length = match prefixes.get(&id) {
            Some(&length) => length,
            None => {
                let seen = list(id);
                if !seen.starts_with(start) {
                    return invalid(vec![i], "initial-lost", vec![i]);
                }
                if !longest.starts_with(seen) {
                    let other = longest_read.expect("one that is longer than the initial list");
                    return phantom(view, reader, i, seen, start, &appended)
                        .unwrap_or_else(|| two_orders((i, seen), (other, longest), &appended));
                }
                prefixes.insert(id, seen.len());
                seen.len()
            }
        };
        let slot = 2 * (length - start.len()) as u32;
        slotted.push(Slotted { slot, inv: op.inv, ret: op.ret, op: i });
    }

    // Appends that were seen stand between the reads; the others come last.
    let mut places = IdMap::with_capacity(longest.len());
    for (k, v) in longest[start.len().min(longest.len())..].iter().enumerate() {
        places.get_or_insert(v.0, k as u32);
    }
    for (i, op) in view.ops() {
        let Act::Append(v) = reader.act(&op) else { continue };
        let slot = match places.get(v.0) {
            Some(k) => 2 * k + 1,
            None if op.ret == OPEN => continue,
            None => u32::MAX - 1,
        };
        slotted.push(Slotted { slot, inv: op.inv, ret: op.ret, op: i });
    }
    match slots(&mut slotted) {
        Ok(order) => Verdict::Valid(order),
        Err((late, early)) => {
            let mut core = vec![late, early];
            core.extend(longest_read);
            let seen = if longest.len() <= FEW { longest } else { &[] };
            core.extend(seen.iter().filter_map(appended));
            invalid(core, "too-early", vec![late, early])
        }
    }
}

/// Neither read is a prefix of the other.
fn two_orders(
    (a, seen): (u32, &[ValueId]),
    (b, longest): (u32, &[ValueId]),
    appended: &impl Fn(&ValueId) -> Option<u32>,
) -> Verdict {
    let same = seen.iter().zip(longest).take_while(|(x, y)| x == y).count();
    let mut ops = vec![a, b];
    // The appends of the elements where they part.
    ops.extend([seen, longest].iter().filter_map(|l| l.get(same)).filter_map(appended));
    let mut core = ops.clone();
    if seen.len() + longest.len() <= 2 * FEW {
        core.extend(seen.iter().chain(longest).filter_map(appended));
    }
    invalid(core, "two-orders", ops)
}

/// An element that was read and not appended, or stands twice.
fn phantom(
    view: &View,
    reader: &Reader,
    read: u32,
    seen: &[ValueId],
    start: &[ValueId],
    appended: &impl Fn(&ValueId) -> Option<u32>,
) -> Option<Verdict> {
    let mut once = IdMap::with_capacity(seen.len());
    for (k, v) in seen.iter().enumerate() {
        if k < start.len() {
            continue;
        }
        let Some(append) = appended(v) else {
            let mut ops = vec![read];
            // Perhaps someone tried.
            ops.extend(view.part.iter().copied().find(|&i| {
                let mut op = *view.op(i);
                let failed = op.outcome == Outcome::Fail;
                op.outcome = Outcome::Ok;
                failed && reader.act(&op) == Act::Append(*v)
            }));
            return Some(invalid(ops.clone(), "unwritten", ops));
        };
        if once.get_or_insert(v.0, k as u32) != k as u32 {
            return Some(invalid(vec![read, append], "duplicate", vec![read, append]));
        }
    }
    None
}
