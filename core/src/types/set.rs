//! Set: every element is checked by itself. One that is added at most once and removed at most
//! once takes a linear pass; for others the search has two states to think of.
//!
//! An element added and removed once is absent, present, absent. The add is put as late as
//! those that saw it permit, the remove as early; a look that found it absent must reach
//! beyond one of them.
//!
//! Reason it gives: `element`: [add?, remove?, ...]: the add and remove of one element, and the
//! operations that leave no place for them.

use super::{invalid, pieces, run, split_by, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, ValueId, OPEN};
use crate::model::Model;
use crate::models::set::{initial, Act, Reader, Set};
use crate::registry::{Fast, Initial, Options};
use crate::search;

pub const ELEMENTS: Fast = Fast { name: "elements", check };

/// Decides a set history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any {
        return Answer::NotApplicable { why: "the initial elements are unknown" };
    }
    let reader = Reader::new(history);
    let mut start: Vec<ValueId> = initial(history, options).to_vec();
    start.sort_unstable();
    let model: Box<dyn Model> = Box::new(Set::new(history, options));
    let split = split_by(part, |i| history.ops[i as usize].arg);
    pieces(history, &split, |piece| {
        let element = history.ops[piece[0] as usize].arg;
        let there = start.binary_search(&element).is_ok();
        match run(history, piece, budget, |view| decide(view, &reader, there)) {
            Answer::NotApplicable { .. } => search::check(history, piece, model.as_ref(), budget),
            answer => answer,
        }
    })
}

const NONE: u32 = u32::MAX;

/// An operation with its times, shifted by one so that zero is before everything.
#[derive(Clone, Copy)]
struct Timed {
    op: u32,
    inv: u32,
    ret: u32,
}

/// What is known of one element.
#[derive(Default)]
struct Element {
    add: Option<Timed>,
    remove: Option<Timed>,
    /// The remove says that the element was there.
    leaves: bool,
    present: Vec<Timed>,
    absent: Vec<Timed>,
}

fn decide(view: &View, reader: &Reader, there: bool) -> Verdict {
    let mut e = Element::default();
    if there {
        e.add = Some(Timed { op: NONE, inv: 0, ret: 0 });
    }
    for (i, op) in view.ops() {
        let ret = if op.ret == OPEN { OPEN } else { op.ret + 1 };
        let timed = Timed { op: i, inv: op.inv + 1, ret };
        match reader.act(view.history, &op) {
            Act::Nothing => {}
            Act::Present => e.present.push(timed),
            Act::Absent => e.absent.push(timed),
            Act::Add | Act::Enter => {
                if e.add.replace(timed).is_some() {
                    return Verdict::Outside("an element is added twice");
                }
            }
            act @ (Act::Remove | Act::Leave) => {
                e.leaves = act == Act::Leave;
                if e.remove.replace(timed).is_some() {
                    return Verdict::Outside("an element is removed twice");
                }
            }
        }
    }
    // The add and remove take effect; or the remove comes too soon or never; or nothing does.
    let mut blame: Vec<u32> =
        e.add.iter().chain(&e.remove).map(|t| t.op).filter(|&o| o != NONE).collect();
    match in_turn(&e, e.remove) {
        Ok(order) => return Verdict::Valid(order),
        Err(ops) => blame.extend(ops),
    }
    if e.remove.is_some() && !e.leaves {
        match in_turn(&e, None) {
            Ok(order) => return Verdict::Valid(order),
            Err(ops) => blame.extend(ops),
        }
    }
    if e.add.is_none_or(|add| add.ret == OPEN) {
        let leave = e.remove.filter(|r| e.leaves && r.ret != OPEN).map(|r| r.op);
        match e.present.first().map(|p| p.op).or(leave) {
            None => {
                let sure = |t: &&Timed| t.ret != OPEN;
                let mut order: Vec<Timed> =
                    e.absent.iter().chain(e.remove.iter().filter(sure)).copied().collect();
                order.sort_unstable_by_key(|t| t.inv);
                return Verdict::Valid(order.into_iter().map(|t| t.op).collect());
            }
            Some(op) => blame.push(op),
        }
    }
    blame.retain(|&o| o != NONE);
    invalid(blame.clone(), "element", blame)
}

/// The element is added, seen, and removed by `remove` where given; a remove that is not given
/// found nothing. Err: the operations that are in the way.
fn in_turn(e: &Element, remove: Option<Timed>) -> Result<Vec<u32>, Vec<u32>> {
    let Some(add) = e.add else { return Err(vec![]) };
    let idle = e.remove.filter(|r| remove.is_none() && r.ret != OPEN);
    let first = e.present.iter().min_by_key(|p| p.ret);
    let last = e.present.iter().max_by_key(|p| p.inv);
    // The add by `until`, the remove from `since` on.
    let until = first.map_or(OPEN, |p| p.ret).min(add.ret);
    if add.inv > until {
        return Err(first.map(|p| p.op).into_iter().collect());
    }
    let mut since = OPEN;
    if let Some(remove) = remove {
        since = last.map_or(0, |p| p.inv).max(remove.inv).max(add.inv);
        if remove.ret < since {
            return Err(last.map(|p| p.op).into_iter().collect());
        }
    }
    // Moments are twice the events; rank orders what stands at one moment.
    let (from, to) = if until > since {
        (2 * u64::from(since) + 1, 2 * u64::from(since) + 1)
    } else {
        ((2 * u64::from(until)).saturating_sub(1), 2 * u64::from(since) + 1)
    };
    let mut places: Vec<(u64, u8, u32)> = Vec::new();
    for c in e.absent.iter().chain(&idle) {
        let inv = 2 * u64::from(c.inv);
        if inv < from {
            places.push((inv, 0, c.op));
        } else if remove.is_some() && 2 * u64::from(c.ret) > to {
            places.push((inv.max(to), 4, c.op));
        } else {
            let mut ops = vec![c.op];
            ops.extend(first.map(|p| p.op));
            ops.extend(last.map(|p| p.op));
            return Err(ops);
        }
    }
    if add.op != NONE {
        places.push((from, 1, add.op));
    }
    places.extend(e.present.iter().map(|p| ((2 * u64::from(p.inv)).max(from), 2, p.op)));
    places.extend(remove.map(|r| (to, 3, r.op)));
    places.sort_unstable();
    Ok(places.into_iter().map(|(_, _, op)| op).collect())
}
