//! Counter whose additions are all of the same amount: one sweep over the events.
//!
//! The count is kept as low as the history allows; where it has to rise, the open addition that
//! completes first is taken. Additions that say which count they found have their place among
//! the additions given. Where amounts differ but have one sign and every addition says what it
//! found, the counts found give the whole order.
//!
//! Reasons it gives (`ops` in this order):
//! - `never-reached`: [op]: it saw a count that no additions begun by then make.
//! - `same-count`: [a, b]: both additions found the same count, which never comes twice.
//! - `count-back`: [op, seen?, additions...]: `op` saw a count, but before it began a greater one
//!   had been seen (by `seen`, where there is one) or made by these additions (since `seen`).
//! - `too-early`: [late, early]: `early` saw a count that only `late` makes, but had completed
//!   before `late` was invoked.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};

use super::{invalid, run, slots, Slotted, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, Operation, OPEN};
use crate::models::counter::{initial, Act, Reader};
use crate::registry::{Fast, Options};

pub const SWEEP: Fast = Fast { name: "count-sweep", check };

/// Decides a counter history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    let Some(start) = initial(history, options) else {
        return Answer::NotApplicable { why: "the initial count is unknown" };
    };
    let reader = Reader::new(history);
    run(history, part, budget, |view| decide(view, &reader, start))
}

fn decide(view: &View, reader: &Reader, start: i128) -> Verdict {
    let mut amounts: Option<i128> = None;
    let (mut equal, mut sign, mut labelled, mut told) = (true, 0i128, true, false);
    for (_, op) in view.ops() {
        let by = match reader.act(view.history, &op) {
            Act::Nothing => continue,
            Act::Read(_) => {
                told = true;
                continue;
            }
            Act::Take { by, .. } => {
                told = true;
                by
            }
            Act::Add(by) => {
                labelled &= op.ret == OPEN || by == 0;
                by
            }
        };
        if by == 0 {
            continue;
        }
        equal &= *amounts.get_or_insert(by) == by;
        if sign == 0 {
            sign = by.signum();
        } else if sign != by.signum() {
            sign = 2; // both signs
        }
    }
    if !told {
        return Verdict::Valid(view.ops().filter(|(_, o)| o.ret != OPEN).map(|(i, _)| i).collect());
    }
    if equal {
        Sweep::new(view, reader, start, amounts.unwrap_or(1)).decide()
    } else if sign == 2 {
        Verdict::Outside("amounts of both signs")
    } else if !labelled {
        Verdict::Outside("different amounts, and additions that do not say what they found")
    } else {
        chain(view, reader, start, sign)
    }
}

const NONE: u32 = u32::MAX;

/// An operation as the sweep sees it. `level`: the number of additions before it, where it says
/// so; otherwise what the sweep makes of it.
#[derive(Clone, Copy)]
struct Item {
    op: u32,
    inv: u32,
    ret: u32,
    level: u32,
    kind: Kind,
    /// Additions that had certainly happened when it was invoked.
    floor: u32,
    done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Read,
    /// Adds nothing and says nothing.
    Free,
    Add,
    Take,
}

struct Sweep {
    items: Vec<Item>,
    /// (completion, item) in order.
    returns: Vec<u64>,
    /// By level: the item that takes it from there to the next.
    taker: Vec<u32>,
    count: u32,
    /// Open additions that do not say what they found: certain ones, first completion on top.
    certain: BinaryHeap<Reverse<u64>>,
    unknown: VecDeque<u32>,
    /// Found before the sweep began.
    verdict: Option<Verdict>,
    /// The last operation for whose sake an addition was counted that had not completed.
    borrower: u32,
    /// By level, the event at which it was left.
    left_at: Vec<u32>,
}

impl Sweep {
    fn new(view: &View, reader: &Reader, start: i128, amount: i128) -> Sweep {
        let mut items = Vec::with_capacity(view.part.len());
        let mut returns = Vec::with_capacity(view.part.len());
        let mut verdict = None;
        let most = view.part.len() as i128;
        for (op, o) in view.ops() {
            let Operation { inv, ret, .. } = o;
            let (kind, count) = match reader.act(view.history, &o) {
                Act::Nothing => continue,
                Act::Add(0) if ret == OPEN => continue,
                Act::Add(0) => (Kind::Free, start),
                Act::Add(_) => (Kind::Add, start),
                Act::Read(v) | Act::Take { old: v, by: 0 } => (Kind::Read, v),
                Act::Take { old, .. } => (Kind::Take, old),
            };
            let steps = (count - start) / amount;
            if (count - start) % amount != 0 || steps < 0 || steps > most {
                verdict.get_or_insert_with(|| invalid(vec![op], "never-reached", vec![op]));
                continue;
            }
            if ret != OPEN {
                returns.push(u64::from(ret) << 32 | items.len() as u64);
            }
            let level = steps as u32;
            items.push(Item { op, inv, ret, level, kind, floor: 0, done: false });
        }
        returns.sort_unstable();
        Sweep {
            taker: vec![NONE; items.len() + 1],
            left_at: Vec::new(),
            items,
            returns,
            count: 0,
            certain: BinaryHeap::new(),
            unknown: VecDeque::new(),
            verdict,
            borrower: NONE,
        }
    }

    fn decide(mut self) -> Verdict {
        if let Some(verdict) = self.verdict {
            return verdict;
        }
        for (i, item) in self.items.iter().enumerate() {
            if item.kind != Kind::Take {
                continue;
            }
            match self.taker.get_mut(item.level as usize) {
                None => return invalid(vec![item.op], "never-reached", vec![item.op]),
                Some(&mut other) if other != NONE => {
                    let pair = vec![self.items[other as usize].op, item.op];
                    return invalid(pair.clone(), "same-count", pair);
                }
                Some(taker) => *taker = i as u32,
            }
        }
        let mut next = 0;
        for r in 0..self.returns.len() {
            let (now, i) = ((self.returns[r] >> 32) as u32, self.returns[r] as u32);
            while next < self.items.len() && self.items[next].inv < now {
                self.begin(next);
                next += 1;
            }
            if let Err(verdict) = self.end(now, i) {
                return verdict;
            }
        }
        Verdict::Valid(self.witness())
    }

    fn begin(&mut self, i: usize) {
        let count = self.count;
        let item = &mut self.items[i];
        item.floor = count;
        match item.kind {
            Kind::Add if item.ret == OPEN => self.unknown.push_back(i as u32),
            Kind::Add => self.certain.push(Reverse(u64::from(item.ret) << 32 | i as u64)),
            Kind::Free => item.level = count,
            Kind::Read | Kind::Take => {}
        }
    }

    fn end(&mut self, now: u32, i: u32) -> Result<(), Verdict> {
        let item = self.items[i as usize];
        match item.kind {
            Kind::Free => Ok(()),
            Kind::Read | Kind::Take if item.level < item.floor => Err(self.back(&item)),
            Kind::Read => self.rise(now, i, item.level),
            Kind::Take => self.rise(now, i, item.level + 1),
            Kind::Add => {
                // It completes first of all that are open, so it is next to be taken.
                while !self.items[i as usize].done {
                    self.step(now, i)?;
                }
                Ok(())
            }
        }
    }

    fn rise(&mut self, now: u32, i: u32, level: u32) -> Result<(), Verdict> {
        while self.count < level {
            self.step(now, i)?;
        }
        Ok(())
    }

    /// Counts one more addition, at event `now`, because item `i` needs it.
    fn step(&mut self, now: u32, i: u32) -> Result<(), Verdict> {
        let needy = self.items[i as usize];
        let level = self.count as usize;
        let mut taker = self.taker.get(level).copied().unwrap_or(NONE);
        if taker != NONE {
            let other = self.items[taker as usize];
            if other.inv > now {
                // An addition of its own cannot wait; nor may the count pass `other`.
                return Err(if needy.kind == Kind::Add {
                    self.count += 1;
                    self.items[i as usize].done = true;
                    self.back(&other)
                } else {
                    let pair = vec![other.op, needy.op];
                    invalid(pair.clone(), "too-early", pair)
                });
            }
        } else {
            while let Some(&Reverse(top)) = self.certain.peek() {
                self.certain.pop();
                if !self.items[top as u32 as usize].done {
                    taker = top as u32;
                    break;
                }
            }
            if taker == NONE {
                taker = match self.unknown.pop_front() {
                    Some(unknown) => unknown,
                    None => {
                        return Err(invalid(vec![needy.op], "never-reached", vec![needy.op]));
                    }
                };
            }
            if level >= self.taker.len() {
                self.taker.resize(level + 1, NONE);
            }
            self.taker[level] = taker;
        }
        if self.items[taker as usize].ret > now {
            self.borrower = i;
        }
        self.items[taker as usize].done = true;
        self.left_at.push(now);
        self.count += 1;
        Ok(())
    }

    /// `low` saw a count that had certainly been passed when it was invoked. Who passed it is
    /// either someone that saw more, or so many additions that had completed.
    fn back(&self, low: &Item) -> Verdict {
        let completed = |item: &&Item| item.ret < low.inv;
        let adds = |item: &&Item| matches!(item.kind, Kind::Add | Kind::Take);
        // Count from the operation that saw most before some event.
        let mut best: Option<(&Item, u32)> = None;
        for item in self.items.iter().filter(completed) {
            let least = match item.kind {
                Kind::Read => item.level,
                Kind::Take => item.level + 1,
                Kind::Add | Kind::Free => continue,
            };
            if least > low.level && best.is_none_or(|(_, most)| least > most) {
                best = Some((item, least));
            }
        }
        if let Some((seen, _)) = best {
            let pair = vec![low.op, seen.op];
            return invalid(pair.clone(), "count-back", pair);
        }
        // All additions that completed before it, or those since one that saw a count.
        let all: Vec<&Item> = self.items.iter().filter(completed).filter(adds).collect();
        let mut chosen: Vec<u32> = all.iter().map(|item| item.op).collect();
        let mut starts: Vec<u32> = all.iter().map(|item| item.inv).collect();
        starts.sort_unstable();
        let mut enough = chosen.len() as u32 > low.level;
        for seen in self.items.iter().filter(completed) {
            let least = match seen.kind {
                Kind::Read => seen.level,
                Kind::Take => seen.level + 1,
                Kind::Add | Kind::Free => continue,
            };
            let since = starts.len() - starts.partition_point(|&inv| inv < seen.ret);
            if least + since as u32 > low.level && (!enough || since + 1 < chosen.len()) {
                enough = true;
                chosen = vec![seen.op];
                chosen.extend(all.iter().filter(|a| a.inv > seen.ret).map(|a| a.op));
            }
        }
        let mut ops = vec![low.op];
        ops.extend(chosen);
        if !enough {
            return Verdict::Outside("no short proof of a count that went back");
        }
        invalid(ops.clone(), "count-back", ops)
    }

    /// At each level the reads of it, by invocation, then the addition that ends it.
    fn witness(&self) -> Vec<u32> {
        let count = self.count as usize;
        let mut place = vec![0u32; count + 2];
        let at_level =
            |item: &Item| item.ret != OPEN && matches!(item.kind, Kind::Read | Kind::Free);
        for item in self.items.iter().filter(|item| at_level(item)) {
            place[item.level as usize + 1] += 1;
        }
        for level in 0..=count {
            // The additions before this level stand before it, too.
            place[level + 1] += place[level] + 1;
        }
        let mut order = vec![0u32; place[count + 1] as usize - 1];
        for item in self.items.iter().filter(|item| at_level(item)) {
            let at = &mut place[item.level as usize];
            order[*at as usize] = item.op;
            *at += 1;
        }
        for level in 0..count {
            order[place[level] as usize] = self.items[self.taker[level] as usize].op;
        }
        order
    }
}

/// Amounts differ but have one sign, and every addition that counts says what it found: the
/// counts found give the order.
fn chain(view: &View, reader: &Reader, start: i128, sign: i128) -> Verdict {
    let mut takes = Vec::new();
    let mut reads = Vec::new();
    let mut free = Vec::new();
    let mut unlabelled = false;
    for (i, op) in view.ops() {
        match reader.act(view.history, &op) {
            Act::Nothing => {}
            Act::Read(v) | Act::Take { old: v, by: 0 } => reads.push((v, i, op)),
            Act::Take { old, by } => takes.push((old * sign, by * sign, i, op)),
            Act::Add(0) if op.ret != OPEN => free.push(i),
            Act::Add(_) => unlabelled = true,
        }
    }
    if unlabelled {
        return Verdict::Outside("different amounts, and additions of unknown outcome");
    }
    takes.sort_unstable_by_key(|&(old, _, i, _)| (old, i));
    let mut counts = vec![start * sign];
    let mut list = Vec::with_capacity(view.part.len());
    for (k, &(old, by, i, op)) in takes.iter().enumerate() {
        let now = *counts.last().expect("never empty");
        if old > now || (k == 0 && old < now) {
            return invalid(vec![i], "never-reached", vec![i]);
        }
        if old < now {
            let pair = vec![takes[k - 1].2, i];
            return invalid(pair.clone(), "same-count", pair);
        }
        counts.push(old + by);
        list.push(Slotted { slot: 2 * k as u32 + 1, inv: op.inv, ret: op.ret, op: i });
    }
    for &(count, i, op) in &reads {
        match counts.binary_search(&(count * sign)) {
            Ok(k) => list.push(Slotted { slot: 2 * k as u32, inv: op.inv, ret: op.ret, op: i }),
            Err(_) => return invalid(vec![i], "never-reached", vec![i]),
        }
    }
    match slots(&mut list) {
        Ok(order) => Verdict::Valid(with_free(view, order, &free)),
        Err((late, early)) => invalid(vec![late, early], "too-early", vec![late, early]),
    }
}

/// Puts operations that go anywhere into an order, as early as real time lets them.
fn with_free(view: &View, order: Vec<u32>, free: &[u32]) -> Vec<u32> {
    if free.is_empty() {
        return order;
    }
    // An operation stands at the latest invocation so far.
    let mut now = 0;
    let mut placed: Vec<(u32, u32)> = Vec::with_capacity(order.len() + free.len());
    for i in order {
        now = now.max(view.op(i).inv);
        placed.push((now, i));
    }
    placed.extend(free.iter().map(|&i| (view.op(i).inv, i)));
    placed.sort_by_key(|&(at, _)| at);
    placed.into_iter().map(|(_, i)| i).collect()
}
