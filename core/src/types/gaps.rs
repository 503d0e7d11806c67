//! What stacks and priority queues share: elements with the gaps between events in which they
//! can have been put and taken, and the gaps that no element certainly covers.
//!
//! Gap g lies right behind the g-th event. An operation can stand in the gaps from that behind
//! its invocation to that before its completion: [from, by).

use super::{invalid, Verdict, View};
use crate::history::{Operation, ValueId, OPEN};
use crate::models::queue::Act;
use crate::table::IdMap;

pub const NONE: u32 = u32::MAX;
/// The gap behind everything.
pub const END: u32 = u32::MAX - 1;

/// An element: the operation that put it and the one that took it (NONE: stays), and the gaps
/// in which each can stand.
#[derive(Clone, Copy)]
pub struct Element {
    pub value: ValueId,
    pub put: u32,
    pub put_from: u32,
    pub put_by: u32,
    pub take: u32,
    pub take_from: u32,
    pub take_by: u32,
}

pub struct Elements {
    pub all: Vec<Element>,
    /// Takes that found nothing: operation, from, by.
    pub empty: Vec<(u32, u32, u32)>,
    /// Takes of unknown outcome.
    pub unknown: Vec<u32>,
    /// How many gaps there are.
    pub ends: u32,
}

/// Reads the elements of a history; the verdict where that decides it already.
pub(crate) fn elements(view: &View, act: impl Fn(&Operation) -> Act) -> Result<Elements, Verdict> {
    // Number the events of this view, so that gaps are dense.
    let mut events: Vec<u32> = Vec::with_capacity(2 * view.part.len());
    for (_, op) in view.ops() {
        events.push(op.inv);
        if op.ret != OPEN {
            events.push(op.ret);
        }
    }
    events.sort_unstable();
    let number = |event: u32| match event {
        OPEN => NONE,
        event => events.partition_point(|&e| e < event) as u32,
    };
    let mut ids = IdMap::with_capacity(view.part.len());
    let mut all: Vec<Element> = Vec::new();
    let (mut empty, mut unknown, mut twice) = (Vec::new(), Vec::new(), None);
    for (i, op) in view.ops() {
        let (from, by) = (number(op.inv), number(op.ret));
        let (value, put) = match act(&op) {
            Act::Put(v) => (v, true),
            Act::Take(v) => (v, false),
            Act::Empty => {
                empty.push((i, from, by));
                continue;
            }
            Act::TakeUnknown => {
                unknown.push(i);
                continue;
            }
            Act::Nothing => continue,
        };
        let next = all.len() as u32;
        let n = ids.get_or_insert(value.0, next) as usize;
        if n == all.len() {
            all.push(Element {
                value,
                put: NONE,
                put_from: 0,
                put_by: NONE,
                take: NONE,
                take_from: END,
                take_by: NONE,
            });
        }
        let e = &mut all[n];
        if put {
            if e.put != NONE {
                return Err(Verdict::Outside("an element is put in twice"));
            }
            (e.put, e.put_from, e.put_by) = (i, from, by);
        } else if e.take != NONE {
            twice.get_or_insert((e.take, i));
        } else {
            (e.take, e.take_from, e.take_by) = (i, from, by);
        }
    }
    if let Some((a, b)) = twice {
        return Err(invalid(vec![a, b], "twice", vec![a, b]));
    }
    if let Some(e) = all.iter().find(|e| e.put == NONE) {
        return Err(invalid(vec![e.take], "unwritten", vec![e.take]));
    }
    // What never came out and perhaps never went in: nobody can tell.
    all.retain(|e| e.take != NONE || e.put_by != NONE);
    for e in &mut all {
        if e.take_by <= e.put_from {
            let pair = vec![e.put, e.take];
            return Err(invalid(pair.clone(), "too-early", pair));
        }
        if e.take != NONE {
            e.put_by = e.put_by.min(e.take_by);
            e.take_from = e.take_from.max(e.put_from);
        }
    }
    Ok(Elements { all, empty, unknown, ends: events.len() as u32 })
}

/// A take found nothing while elements covered all of its time: those, one after the other.
pub(crate) fn not_empty(all: &[Element], op: u32, from: u32, by: u32) -> Verdict {
    let mut ops = vec![op];
    let mut now = from;
    while now < by {
        let there = all.iter().filter(|e| e.put_by <= now && e.take_from > now);
        let Some(e) = there.max_by_key(|e| e.take_from) else { break };
        ops.extend([e.put, e.take].into_iter().filter(|&o| o != NONE));
        now = e.take_from;
    }
    invalid(ops.clone(), "not-empty", ops)
}

/// How many elements certainly cover each gap: a segment tree of minima.
pub struct Gaps {
    size: usize,
    least: Vec<i64>,
    add: Vec<i64>,
}

impl Gaps {
    pub fn new(ends: u32) -> Gaps {
        let size = (ends as usize).next_power_of_two().max(1);
        let mut gaps = Gaps { size, least: vec![0; 2 * size], add: vec![0; 2 * size] };
        if (ends as usize) < size {
            gaps.change(1, 0, size, ends as usize, size, i64::MAX / 4);
        }
        gaps
    }

    /// The gaps from `from` up to `to` are covered once more, or less.
    pub fn cover(&mut self, from: u32, to: u32, by: i64) {
        let to = (to as usize).min(self.size);
        if (from as usize) < to {
            self.change(1, 0, self.size, from as usize, to, by);
        }
    }

    /// The gap is taken and not offered again.
    pub fn close(&mut self, gap: u32) {
        self.change(1, 0, self.size, gap as usize, gap as usize + 1, i64::MAX / 8);
    }

    fn change(&mut self, node: usize, low: usize, high: usize, a: usize, b: usize, by: i64) {
        if a >= high || b <= low {
            return;
        }
        if a <= low && high <= b {
            self.least[node] += by;
            self.add[node] += by;
            return;
        }
        let middle = (low + high) / 2;
        self.change(2 * node, low, middle, a, b, by);
        self.change(2 * node + 1, middle, high, a, b, by);
        self.least[node] = self.add[node] + self.least[2 * node].min(self.least[2 * node + 1]);
    }

    /// Some gap that nothing covers.
    pub fn free(&self) -> Option<u32> {
        self.free_within(0, self.size as u32)
    }

    /// The first gap that nothing covers, from `from` up to `to`.
    pub fn free_within(&self, from: u32, to: u32) -> Option<u32> {
        let to = (to as usize).min(self.size);
        self.find(1, 0, self.size, from as usize, to, 0)
    }

    fn find(
        &self,
        node: usize,
        low: usize,
        high: usize,
        a: usize,
        b: usize,
        above: i64,
    ) -> Option<u32> {
        if a >= high || b <= low || above + self.least[node] > 0 {
            return None;
        }
        if high - low == 1 {
            return Some(low as u32);
        }
        let above = above + self.add[node];
        let middle = (low + high) / 2;
        self.find(2 * node, low, middle, a, b, above)
            .or_else(|| self.find(2 * node + 1, middle, high, a, b, above))
    }
}

/// Intervals from which those over a point are taken out: a segment tree of the greatest ends,
/// over the intervals sorted by their beginnings.
pub struct Stab {
    starts: Vec<u32>,
    number: Vec<u32>,
    size: usize,
    end: Vec<u32>,
}

impl Stab {
    pub fn new(intervals: impl Iterator<Item = (u32, u32)>) -> Stab {
        let mut list: Vec<(u32, u32, u32)> =
            intervals.enumerate().map(|(n, (from, by))| (from, by, n as u32)).collect();
        list.sort_unstable();
        let size = list.len().next_power_of_two().max(1);
        let mut end = vec![0; 2 * size];
        for (k, &(_, by, _)) in list.iter().enumerate() {
            end[size + k] = by;
        }
        for k in (1..size).rev() {
            end[k] = end[2 * k].max(end[2 * k + 1]);
        }
        Stab {
            starts: list.iter().map(|l| l.0).collect(),
            number: list.iter().map(|l| l.2).collect(),
            size,
            end,
        }
    }

    /// Takes out an interval that holds `point`.
    pub fn pop(&mut self, point: u32) -> Option<u32> {
        let many = self.starts.partition_point(|&from| from <= point);
        let k = self.find(1, 0, self.size, many, point)?;
        let mut node = self.size + k;
        self.end[node] = 0;
        while node > 1 {
            node /= 2;
            self.end[node] = self.end[2 * node].max(self.end[2 * node + 1]);
        }
        Some(self.number[k])
    }

    fn find(&self, node: usize, low: usize, high: usize, many: usize, point: u32) -> Option<usize> {
        if low >= many || self.end[node] <= point {
            return None;
        }
        if high - low == 1 {
            return Some(low);
        }
        let middle = (low + high) / 2;
        self.find(2 * node, low, middle, many, point)
            .or_else(|| self.find(2 * node + 1, middle, high, many, point))
    }
}
