//! Grow-only set with reads of the whole set: the sets read must form a chain.
//!
//! Sorted by size, each read set holds the one before it. An element that first shows in the
//! k-th set was added between the reads of the set before and those of the k-th; of several
//! adds of it, one was (the first invoked serves best) and the others came then or later.
//! Elements that nobody saw were added after all reads, or not at all. Linear in the elements
//! of all distinct reads, but for sorting.
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [read, failed?]: it has an element that nobody added (or only an operation
//!   that failed).
//! - `initial-lost`: [read]: an element of the initial set is missing.
//! - `no-chain`: [smaller, larger]: each of these reads has an element that the other lacks (or
//!   the two have equally many, and not the same).
//! - `too-early`: [late, early]: reads show that `late` comes first, but `early` had completed
//!   before it was invoked.

use std::collections::HashMap;

use super::{invalid, run, slots, Slotted, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, Outcome, ValueId, OPEN};
use crate::models::grow_set::{initial, Act, Reader};
use crate::models::members;
use crate::registry::{Fast, Initial, Options};
use crate::table::IdMap;

pub const SNAPSHOTS: Fast = Fast { name: "snapshots", check };

/// Decides a grow-only set history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any {
        return Answer::NotApplicable { why: "the initial set is unknown" };
    }
    let reader = Reader::new(history);
    let start = initial(history, options);
    run(history, part, budget, |view| decide(view, &reader, start))
}

const UNSEEN: u32 = u32::MAX;
/// A counterexample shows the adds of all that was read, if they are no more than these.
const FEW: usize = 24;

/// An element: the first of the distinct sets (by size) that has it; its adds.
#[derive(Clone, Copy)]
struct Element {
    rank: u32,
    /// The add that is invoked first.
    add: u32,
    /// The last set that was looked at and has it.
    mark: u32,
}

/// A set as read, without repeated members.
struct Snapshot {
    members: Vec<u32>, // elements by number
    read: u32,
}

fn decide(view: &View, reader: &Reader, start: &[ValueId]) -> Verdict {
    let mut numbers = IdMap::with_capacity(view.part.len());
    let mut elements: Vec<Element> = Vec::new();
    let fresh = Element { rank: UNSEEN, add: UNSEEN, mark: UNSEEN };
    let mut number = |v: ValueId, elements: &mut Vec<Element>| {
        let next = elements.len() as u32;
        let n = numbers.get_or_insert(v.0, next);
        if n == next {
            elements.push(fresh);
        }
        n
    };
    // Rank 0: there from the start.
    for &v in start {
        let n = number(v, &mut elements);
        elements[n as usize].rank = 0;
    }
    let begun_with = elements.len();
    for (i, op) in view.ops() {
        if let Act::Add(v) = reader.act(&op) {
            let n = number(v, &mut elements) as usize;
            if elements[n].add == UNSEEN {
                elements[n].add = i;
            }
        }
    }
    let known = elements.len();

    // The distinct sets that were read.
    let mut of: HashMap<ValueId, u32> = HashMap::new(); // value read -> snapshot
    let mut snapshots: Vec<Snapshot> = Vec::new();
    for (i, op) in view.ops() {
        let Act::Read(id) = reader.act(&op) else { continue };
        if of.contains_key(&id) {
            continue;
        }
        let s = snapshots.len() as u32;
        of.insert(id, s);
        let mut list = Vec::new();
        for &v in members(view.history, id).unwrap_or(&[]) {
            let n = number(v, &mut elements);
            if n as usize >= known {
                return unwritten(view, reader, i, v);
            }
            if elements[n as usize].mark != s {
                elements[n as usize].mark = s;
                list.push(n);
            }
        }
        snapshots.push(Snapshot { members: list, read: i });
    }

    // Sorted by size they form a chain that begins with the initial set.
    let mut order: Vec<u32> = (0..snapshots.len() as u32).collect();
    order.sort_by_key(|&s| snapshots[s as usize].members.len());
    let mut slot_of = vec![0u32; snapshots.len()];
    let (mut rank, mut size) = (0u32, begun_with);
    let mut previous: Option<u32> = None;
    for &s in &order {
        let Snapshot { members, read } = &snapshots[s as usize];
        let old = members.iter().filter(|&&n| elements[n as usize].rank != UNSEEN).count();
        if old != size {
            return match previous {
                None => invalid(vec![*read], "initial-lost", vec![*read]),
                Some(p) => no_chain(&elements, &snapshots[p as usize], &snapshots[s as usize]),
            };
        }
        if members.len() > size {
            rank += 1;
            size = members.len();
            for &n in members {
                if elements[n as usize].rank == UNSEEN {
                    elements[n as usize].rank = rank;
                }
            }
        }
        slot_of[s as usize] = 2 * rank;
        previous = Some(s);
    }

    // One add of each element in its slot. The others may stand anywhere behind it, and so at
    // the earliest where they are invoked or right behind it: in the same slot or a later one.
    let mut slotted = Vec::with_capacity(view.part.len());
    let mut extra = Vec::new();
    for (i, op) in view.ops() {
        let slot = match reader.act(&op) {
            Act::Nothing => continue,
            Act::Read(id) => slot_of[of[&id] as usize],
            Act::Add(v) => {
                let n = number(v, &mut elements);
                let Element { rank, add, .. } = elements[n as usize];
                if add != i || rank == 0 {
                    if op.ret != OPEN {
                        extra.push((rank, i));
                    }
                    continue;
                }
                match rank {
                    UNSEEN if op.ret != OPEN => UNSEEN - 1,
                    // Unseen and perhaps never added; a later add of it stands for itself.
                    UNSEEN => continue,
                    rank => 2 * rank - 1,
                }
            }
        };
        slotted.push(Slotted { slot, inv: op.inv, ret: op.ret, op: i });
    }
    let places = slots(&mut slotted).and_then(|_| place_extra(view, &mut slotted, extra));
    match places {
        Ok(order) => Verdict::Valid(order),
        Err((late, early)) => {
            let mut core = vec![late, early];
            // What shows the order: a read that has the element of each add, and all adds of it.
            let largest = previous.map(|s| &snapshots[s as usize]);
            core.extend(largest.map(|s| s.read));
            for i in [late, early] {
                if let Act::Add(v) = reader.act(view.op(i)) {
                    let n = number(v, &mut elements) as usize;
                    let rank = elements[n].rank;
                    core.extend(
                        order
                            .iter()
                            .map(|&s| (slot_of[s as usize], snapshots[s as usize].read))
                            .find(|&(slot, _)| slot == rank.wrapping_mul(2))
                            .map(|(_, read)| read),
                    );
                }
            }
            if largest.is_some_and(|s| s.members.len() <= FEW) {
                let shown = largest.into_iter().flat_map(|s| &s.members);
                core.extend(shown.map(|&n| elements[n as usize].add).filter(|&a| a != UNSEEN));
            }
            invalid(core, "too-early", vec![late, early])
        }
    }
}

/// Adds of elements that are there already: each must not have completed before the slot of its
/// element, and stands where it is invoked. Err as of `slots`.
fn place_extra(
    view: &View,
    slotted: &mut Vec<Slotted>,
    extra: Vec<(u32, u32)>,
) -> Result<Vec<u32>, (u32, u32)> {
    // The latest invocation up to the end of each slot, and whose it is; `slotted` is sorted.
    let mut last: Vec<(u32, u32, u32)> = Vec::new(); // slot, invocation, operation
    let mut now = (0, u32::MAX);
    for s in slotted.iter() {
        if s.inv >= now.0 {
            now = (s.inv, s.op);
        }
        match last.last_mut() {
            Some(end) if end.0 == s.slot => *end = (s.slot, now.0, now.1),
            _ => last.push((s.slot, now.0, now.1)),
        }
    }
    for (rank, i) in extra {
        let op = view.op(i);
        let first = match rank {
            UNSEEN => UNSEEN - 1,
            0 => 0,
            rank => 2 * rank - 1,
        };
        // Behind everything of earlier slots.
        let behind = last.partition_point(|&(slot, ..)| slot < first);
        if let Some(&(_, inv, late)) = behind.checked_sub(1).map(|k| &last[k]) {
            if op.ret < inv {
                return Err((late, i));
            }
        }
        // The first slot with a later invocation, or the end; whatever stands behind that slot
        // completed after that invocation, and so after this one.
        let fits = last.partition_point(|&(_, inv, _)| inv < op.inv);
        let slot = last.get(fits).map_or(UNSEEN - 1, |end| end.0).max(first);
        slotted.push(Slotted { slot, inv: op.inv, ret: op.ret, op: i });
    }
    slotted.sort_unstable_by_key(|s| u64::from(s.slot) << 32 | u64::from(s.inv));
    Ok(slotted.iter().map(|s| s.op).collect())
}

fn unwritten(view: &View, reader: &Reader, read: u32, v: ValueId) -> Verdict {
    let mut ops = vec![read];
    // Perhaps someone tried.
    ops.extend(view.part.iter().copied().find(|&i| {
        let mut op = *view.op(i);
        let failed = op.outcome == Outcome::Fail;
        op.outcome = Outcome::Ok;
        failed && reader.act(&op) == Act::Add(v)
    }));
    invalid(ops.clone(), "unwritten", ops)
}

fn no_chain(elements: &[Element], smaller: &Snapshot, larger: &Snapshot) -> Verdict {
    let ops = vec![smaller.read, larger.read];
    let mut core = ops.clone();
    if smaller.members.len() + larger.members.len() <= 2 * FEW {
        let all = smaller.members.iter().chain(&larger.members);
        core.extend(all.map(|&n| elements[n as usize].add).filter(|&a| a != UNSEEN));
    }
    invalid(core, "no-chain", ops)
}
