//! FIFO queue whose elements are distinct, with dequeues that found it empty.
//!
//! An element comes before another iff it was enqueued or dequeued before it (an enqueue
//! counts as done when its element was dequeued). Those two orders have a common one unless
//! some two elements contradict each other; the greedy topological sort finds it or them. An
//! element that stays behind one that was dequeued must itself have gone to a dequeue of
//! unknown outcome, invoked in time. An empty dequeue needs a moment at which no element was
//! certainly there. After Henzinger, Sezgin and Vafeiadis, Aspect-Oriented Linearizability
//! Proofs (2013); unknown dequeues and the sort are argued in checking-types.md.
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [dequeue]: nobody enqueued its element.
//! - `twice`: [dequeue, dequeue]: of one element, enqueued once.
//! - `too-early`: [enqueue, dequeue]: dequeued before the enqueue was invoked.
//! - `overtaken`: [enqueue a, enqueue b, dequeue a, dequeue b]: a went in first, b came out first.
//! - `lost`: [enqueue a, enqueue b, dequeue b, ...]: a went in first, b came out, and no dequeue
//!   can have taken a (unknown dequeues that began in time follow, with others who need them).
//! - `not-empty`: [dequeue, enqueue, dequeue, ...]: it found nothing, though at each moment of
//!   it one of these elements was there.

use super::{invalid, run, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, ValueId, OPEN};
use crate::models::queue::{initial, Act, Reader};
use crate::registry::{Fast, Initial, Options};
use crate::table::IdMap;

pub const ORDER: Fast = Fast { name: "fifo-order", check };

/// Decides a queue history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any {
        return Answer::NotApplicable { why: "the initial elements are unknown" };
    }
    let reader = Reader::new(history);
    let start = initial(history, options);
    run(history, part, budget, |view| decide(view, &reader, start))
}

const NONE: u32 = u32::MAX;
/// Later than every event. Events are four apart, so that moments fit between them.
const NEVER: u64 = u64::MAX / 2;

/// An element: when it went in and came out, each from first to last possible moment.
#[derive(Clone, Copy)]
struct Element {
    enq: u32,
    deq: u32,
    in_from: u64,
    in_by: u64,
    out_from: u64,
    out_by: u64,
}

fn decide(view: &View, reader: &Reader, start: &[ValueId]) -> Verdict {
    let shift = start.len() as u64 + 1;
    let at = |event: u32| if event == OPEN { NEVER } else { 4 * (u64::from(event) + shift) };
    let mut ids = IdMap::with_capacity(view.part.len());
    let mut all: Vec<Element> = Vec::with_capacity(view.part.len() / 2 + start.len());
    let fresh =
        Element { enq: NONE, deq: NONE, in_from: 0, in_by: NEVER, out_from: NEVER, out_by: NEVER };
    for (k, v) in start.iter().enumerate() {
        if ids.get_or_insert(v.0, k as u32) != k as u32 {
            return Verdict::Outside("an element is there twice from the start");
        }
        all.push(Element { in_from: 4 * k as u64, in_by: 4 * k as u64, ..fresh });
    }
    let mut enqueued = vec![true; start.len()];
    let mut unknown: Vec<(u64, u32)> = Vec::new();
    let mut empty: Vec<u32> = Vec::new();
    let mut twice = None;
    for (i, op) in view.ops() {
        let (v, put) = match reader.act(&op) {
            Act::Put(v) => (v, true),
            Act::Take(v) => (v, false),
            Act::TakeUnknown => {
                unknown.push((at(op.inv), i));
                continue;
            }
            Act::Empty => {
                empty.push(i);
                continue;
            }
            Act::Nothing => continue,
        };
        let next = all.len() as u32;
        let n = ids.get_or_insert(v.0, next) as usize;
        if n == all.len() {
            all.push(fresh);
            enqueued.push(false);
        }
        let e = &mut all[n];
        if put {
            if enqueued[n] {
                return Verdict::Outside("an element is enqueued twice");
            }
            enqueued[n] = true;
            (e.enq, e.in_from, e.in_by) = (i, at(op.inv), at(op.ret));
        } else if e.deq != NONE {
            // Unless there were two of it, which a later enqueue would say.
            twice.get_or_insert((e.deq, i));
        } else {
            (e.deq, e.out_from, e.out_by) = (i, at(op.inv), at(op.ret));
        }
    }
    if let Some((a, b)) = twice {
        return invalid(vec![a, b], "twice", vec![a, b]);
    }
    if let Some(n) = enqueued.iter().position(|&known| !known) {
        return invalid(vec![all[n].deq], "unwritten", vec![all[n].deq]);
    }
    // What never came out and perhaps never went in: nobody can tell.
    all.retain(|e| e.deq != NONE || e.in_by != NEVER);
    for e in &mut all {
        if e.out_by < e.in_from {
            let pair = vec![e.enq, e.deq];
            return invalid(pair.clone(), "too-early", pair);
        }
        if e.deq != NONE {
            e.in_by = e.in_by.min(e.out_by);
            e.out_from = e.out_from.max(e.in_from);
        }
    }
    let loose = match assign(&mut all, unknown) {
        Ok(loose) => loose,
        Err(verdict) => return verdict,
    };
    let moments = match place_empty(view, &mut all, &empty, shift, loose) {
        Ok(moments) => moments,
        Err(verdict) => return verdict,
    };
    match sort(&all) {
        Ok(order) => Verdict::Valid(witness(&all, &order, moments)),
        Err((a, b)) => {
            let (a, b) = (&all[a as usize], &all[b as usize]);
            let ops: Vec<u32> =
                [a.enq, b.enq, a.deq, b.deq].into_iter().filter(|&o| o != NONE).collect();
            invalid(ops.clone(), "overtaken", ops)
        }
    }
}

/// Gives a dequeue of unknown outcome to each element that must have come out though nobody saw
/// it: the least deadline gets the first invoked, which fails only where every way does. True
/// where there were such dequeues at all.
fn assign(all: &mut [Element], mut unknown: Vec<(u64, u32)>) -> Result<bool, Verdict> {
    let mut left: Vec<u32> =
        (0..all.len() as u32).filter(|&n| all[n as usize].deq == NONE).collect();
    if left.is_empty() {
        return Ok(false);
    }
    let mut by_in: Vec<u32> = (0..all.len() as u32).collect();
    by_in.sort_unstable_by_key(|&n| std::cmp::Reverse(all[n as usize].in_from));
    left.sort_unstable_by_key(|&n| std::cmp::Reverse(all[n as usize].in_by));
    let mut due: Vec<(u64, u32, u32)> = Vec::new(); // deadline, element, the one behind it
    let mut first = (NEVER, NONE);
    let mut k = 0;
    for &n in &left {
        while k < by_in.len() && all[by_in[k] as usize].in_from > all[n as usize].in_by {
            first = first.min((all[by_in[k] as usize].out_by, by_in[k]));
            k += 1;
        }
        if first.0 != NEVER {
            due.push((first.0, n, first.1));
        }
    }
    due.sort_unstable();
    unknown.sort_unstable();
    for (k, &(deadline, n, behind)) in due.iter().enumerate() {
        match unknown.get(k) {
            Some(&(inv, op)) if inv < deadline => {
                let e = &mut all[n as usize];
                (e.deq, e.out_from, e.out_by) = (op, inv.max(e.in_from), NEVER);
            }
            _ => {
                let three = |n: u32, b: u32| {
                    let b = &all[b as usize];
                    [all[n as usize].enq, b.enq, b.deq]
                };
                let mut ops: Vec<u32> = three(n, behind).to_vec();
                ops.extend(unknown.iter().take(k).map(|&(_, op)| op));
                ops.extend(due[..k].iter().flat_map(|&(_, n, b)| three(n, b)));
                ops.retain(|&o| o != NONE);
                return Err(invalid(ops.clone(), "lost", ops));
            }
        }
    }
    Ok(!unknown.is_empty())
}

/// Finds a moment for each dequeue that found nothing, and lifts what may wait over it.
fn place_empty(
    view: &View,
    all: &mut [Element],
    empty: &[u32],
    shift: u64,
    loose: bool,
) -> Result<Vec<(u64, u32)>, Verdict> {
    if empty.is_empty() {
        return Ok(vec![]);
    }
    let at = |event: u32| 4 * (u64::from(event) + shift);
    let certain = cover(all, |_| true);
    let mut moments: Vec<(u64, u32)> = Vec::with_capacity(empty.len());
    for &i in empty {
        let (inv, ret) = (at(view.op(i).inv), at(view.op(i).ret));
        let from = inv + 2;
        match certain.binary_search_by(|&(start, _)| start.cmp(&from)).unwrap_or_else(|k| k) {
            0 => moments.push((from, i)),
            k if certain[k - 1].1 < from => moments.push((from, i)),
            k if certain[k - 1].1 < ret => moments.push((certain[k - 1].1 + 2, i)),
            _ => {
                let sure = |e: &Element| e.out_by != NEVER;
                let known = cover(all, sure);
                let covered = known.iter().any(|&(start, end)| start < from && end > ret);
                if loose && !covered {
                    return Err(Verdict::Outside("empty dequeues beside unknown ones"));
                }
                // The elements that were there, one after the other.
                let mut ops = vec![i];
                let mut now = inv;
                while now < ret {
                    let Some(e) = all
                        .iter()
                        .filter(|e| e.in_by <= now + 1 && (!loose || sure(e)))
                        .max_by_key(|e| e.out_from)
                        .filter(|e| e.out_from > now)
                    else {
                        break;
                    };
                    ops.extend([e.enq, e.deq].into_iter().filter(|&o| o != NONE));
                    now = e.out_from;
                }
                return Err(invalid(ops.clone(), "not-empty", ops));
            }
        }
    }
    moments.sort_unstable();
    for e in all.iter_mut() {
        // Whatever has not certainly gone in by a moment goes in after it.
        let k = moments.partition_point(|&(p, _)| p < e.in_by);
        if let Some(&(p, _)) = k.checked_sub(1).map(|k| &moments[k]) {
            e.in_from = e.in_from.max(p + 1);
            e.out_from = e.out_from.max(p + 1);
        }
    }
    Ok(moments)
}

/// The times at which some element was certainly there: disjoint intervals in order.
fn cover(all: &[Element], of: impl Fn(&Element) -> bool) -> Vec<(u64, u64)> {
    let mut spans: Vec<(u64, u64)> = all
        .iter()
        .filter(|e| e.in_by < e.out_from && of(e))
        .map(|e| (e.in_by, e.out_from))
        .collect();
    spans.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match merged.last_mut() {
            Some(last) if start < last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// An order of the elements that both enqueues and dequeues keep; Err: two that contradict.
fn sort(all: &[Element]) -> Result<Vec<u32>, (u32, u32)> {
    let by = |key: fn(&Element) -> u64| {
        let mut list: Vec<(u64, u32)> =
            all.iter().enumerate().map(|(n, e)| (key(e), n as u32)).collect();
        list.sort_unstable();
        list
    };
    let (in_from, in_by) = (by(|e| e.in_from), by(|e| e.in_by));
    let (out_from, out_by) = (by(|e| e.out_from), by(|e| e.out_by));
    let mut free = vec![0u8; all.len()]; // bit 0: may go in, 1: may come out, 2: placed
    let mut order = Vec::with_capacity(all.len());
    let (mut a, mut b, mut p, mut q) = (0, 0, 0, 0);
    while order.len() < all.len() {
        while free[in_by[a].1 as usize] & 4 != 0 {
            a += 1;
        }
        while free[out_by[b].1 as usize] & 4 != 0 {
            b += 1;
        }
        let before = order.len();
        let mut mark = |n: u32, bit: u8, free: &mut Vec<u8>| {
            let f = &mut free[n as usize];
            *f |= bit;
            if *f == 3 {
                *f = 7;
                order.push(n);
            }
        };
        while p < in_from.len() && in_from[p].0 <= in_by[a].0 {
            mark(in_from[p].1, 1, &mut free);
            p += 1;
        }
        while q < out_from.len() && out_from[q].0 <= out_by[b].0 {
            mark(out_from[q].1, 2, &mut free);
            q += 1;
        }
        if order.len() == before {
            return Err((in_by[a].1, out_by[b].1));
        }
    }
    Ok(order)
}

/// Enqueues and dequeues, each in the order of the elements, each as early as that permits.
fn witness(all: &[Element], order: &[u32], moments: Vec<(u64, u32)>) -> Vec<u32> {
    let mut list: Vec<(u64, u8, u32)> = Vec::with_capacity(2 * all.len() + moments.len());
    let (mut goes_in, mut comes_out) = (0, 0);
    for &n in order {
        let e = &all[n as usize];
        goes_in = goes_in.max(e.in_from);
        if e.enq != NONE {
            list.push((goes_in, 0, e.enq));
        }
        if e.deq != NONE {
            comes_out = comes_out.max(e.out_from);
            list.push((comes_out, 1, e.deq));
        }
    }
    list.extend(moments.into_iter().map(|(p, i)| (p, 0, i)));
    // At one moment, enqueues come before dequeues; the sort is stable.
    list.sort_by_key(|&(time, kind, _)| (time, kind));
    list.into_iter().map(|(_, _, i)| i).collect()
}
