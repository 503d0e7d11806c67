//! Register with read, write and compare-and-set, where every written value is distinct.
//!
//! Exact in O(n log n). Zones of values go back to Gibbons and Korach (Testing Shared Memories,
//! 1997); compare-and-set, operations of unknown outcome and the single sweep that orders the
//! blocks are argued in docs/explanation/checking.md.
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [op]: it saw a value that nobody had written.
//! - `two-cas`: [cas, cas]: both took the same value away, which was written once.
//! - `cas-cycle`: [cas, ...]: each needs the value of the one before it, none came first.
//! - `too-early`: [late, early]: `early` needs `late` to have happened, but it had completed
//!   before `late` was invoked.
//! - `replaced`: [a, b', b, a']: a and a' belong to one value (or chain of cas), b and b' to
//!   another. a completed before b' was invoked, so the first comes first; b completed before
//!   a' was invoked, so it comes second. After those four follow the writers of the values.

mod proofs;

use super::online::{Online, Status};
use super::{Act, Reader};
use crate::check::{Answer, Budget, Limit, Reason};
use crate::history::{History, Operation, Outcome, ValueId, OPEN};
use crate::registry::{Initial, Options};
use crate::table::IdMap;

const NONE: u32 = u32::MAX;
/// The writer of the initial value, which no operation is.
const INIT: u32 = u32::MAX - 1;

/// Everything known of one value. Event positions are shifted by one, so that 0 stands for
/// "before everything"; `OPEN` for "never completed".
#[derive(Clone, Copy)]
struct Val {
    writer: u32,
    /// The value that the writing cas took away.
    from: u32,
    /// The value that a cas put in this one's place.
    next: u32,
    /// Operations that completed first and began last among the reads of this value.
    first_read: u32,
    last_read: u32,
    min_ret: u32,
    max_inv: u32,
    reads: u32,
    wanted: bool,
}

const VAL: Val = Val {
    writer: NONE,
    from: NONE,
    next: NONE,
    first_read: NONE,
    last_read: NONE,
    min_ret: OPEN,
    max_inv: 0,
    reads: 0,
    wanted: false,
};

/// A chain root write, its reads, cas, its reads, ...: what must stand together.
struct Block {
    root: u32,
    /// Least completion and greatest invocation of its operations, and whose they are.
    f: u32,
    s: u32,
    f_op: u32,
    s_op: u32,
}

/// Decides a differentiated register history (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if let Some(limit) = budget.forbids(part.len()) {
        return Answer::Unknown { limit, verified: 0 };
    }
    match (Zones { history, part, options, budget }).decide() {
        Verdict::Valid(order) => Answer::Valid { witness: order },
        Verdict::Late => Answer::Unknown { limit: Limit::Time, verified: 0 },
        Verdict::Outside(why) => Answer::NotApplicable { why },
        Verdict::Invalid(mut core, reason) => {
            if options.initial == Initial::Any {
                return Answer::NotApplicable { why: "the initial value is unknown" };
            }
            core.sort_unstable();
            core.dedup();
            Answer::Invalid { core, at: earliest(history, part, options, budget), reason }
        }
    }
}

/// The event at which the history became impossible. That operations which failed did not
/// happen counts as known from the start. None also where the time is over.
fn earliest(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Option<u32> {
    let reader = Reader::new(history, options);
    let initial = match options.initial {
        Initial::Default => ValueId::NIL,
        Initial::Value(v) => v,
        Initial::Any => return None,
    };
    let mut events = Vec::with_capacity(part.len() * 2);
    for &i in part {
        let op = &history.ops[i as usize];
        match reader.act(history, op) {
            Act::Nothing => {}
            Act::Read(_) => events.push((op.ret, op, true)),
            Act::Write(_) | Act::Cas(..) => {
                events.push((op.inv, op, false));
                events.push((op.ret, op, true));
            }
        }
    }
    events.retain(|e| e.0 != OPEN);
    events.sort_unstable_by_key(|e| e.0);
    let mut online = Online::new(initial);
    for (n, (position, op, ends)) in events.into_iter().enumerate() {
        if budget.expired_at(n) {
            return None;
        }
        let status = match (reader.act(history, op), ends) {
            (Act::Read(v), _) => online.read(v, op.inv + 1, op.ret + 1),
            (Act::Write(v), false) => online.begin(v, None, op.inv + 1),
            (Act::Cas(from, to), false) => online.begin(to, Some(from), op.inv + 1),
            (Act::Write(v) | Act::Cas(_, v), true) => online.happened(v, op.ret + 1),
            (Act::Nothing, _) => Status::Possible,
        };
        if status == Status::Impossible {
            return Some(position);
        }
    }
    None
}

enum Verdict {
    Valid(Vec<u32>),
    Invalid(Vec<u32>, Reason),
    Outside(&'static str),
    /// The time was over before it was decided.
    Late,
}

struct Zones<'a> {
    history: &'a History,
    part: &'a [u32],
    options: &'a Options,
    budget: &'a Budget<'a>,
}

impl Zones<'_> {
    fn inv(&self, op: u32) -> u32 {
        self.history.ops[op as usize].inv + 1
    }

    fn ret(&self, op: u32) -> u32 {
        let ret = self.history.ops[op as usize].ret;
        if ret == OPEN {
            OPEN
        } else {
            ret + 1
        }
    }

    fn decide(&self) -> Verdict {
        let reader = Reader::new(self.history, self.options);
        let mut ids = IdMap::with_capacity(self.part.len() / 2 + 2);
        let mut vals: Vec<Val> = Vec::with_capacity(self.part.len() / 2 + 2);
        let mut get = |vals: &mut Vec<Val>, v: ValueId| {
            let fresh = vals.len() as u32;
            let i = ids.get_or_insert(v.0, fresh);
            if i == fresh {
                vals.push(VAL);
            }
            i
        };
        let init = match self.options.initial {
            Initial::Default => Some(ValueId::NIL),
            Initial::Value(v) => Some(v),
            Initial::Any => None,
        };
        if let Some(v) = init {
            let i = get(&mut vals, v);
            vals[i as usize].writer = INIT;
            vals[i as usize].wanted = true;
        }
        // The value that each operation reads or writes.
        let mut about: Vec<u32> = vec![NONE; self.part.len()];
        // Operations that happened and tell nothing: anywhere in the witness.
        let mut free: Vec<u32> = Vec::new();
        for (k, &op) in self.part.iter().enumerate() {
            if self.budget.expired_at(k) {
                return Verdict::Late;
            }
            let o = &self.history.ops[op as usize];
            let ret = self.ret(op);
            match reader.act(self.history, o) {
                Act::Nothing => {
                    if o.outcome == Outcome::Ok && ret != OPEN {
                        free.push(op);
                    }
                }
                Act::Read(v) => {
                    if ret == OPEN {
                        continue;
                    }
                    let i = get(&mut vals, v);
                    about[k] = i;
                    let val = &mut vals[i as usize];
                    val.reads += 1;
                    val.wanted = true;
                    if ret < val.min_ret {
                        val.min_ret = ret;
                        val.first_read = op;
                    }
                    val.max_inv = o.inv + 1; // operations come in order of invocation
                    val.last_read = op;
                }
                act @ (Act::Write(to) | Act::Cas(_, to)) => {
                    let i = get(&mut vals, to);
                    about[k] = i;
                    if vals[i as usize].writer != NONE {
                        return Verdict::Outside("written values repeat");
                    }
                    let from = match act {
                        Act::Cas(from, _) => get(&mut vals, from),
                        _ => NONE,
                    };
                    let val = &mut vals[i as usize];
                    val.writer = op;
                    val.from = from;
                    val.wanted |= ret != OPEN;
                }
            }
        }
        if init.is_none() {
            self.adopt_initial(&mut vals);
        }
        if let Some(invalid) = self.link(&mut vals) {
            return invalid;
        }
        let mut blocks = Vec::new();
        if let Some(invalid) = self.walk(&vals, &mut blocks) {
            return invalid;
        }
        if self.budget.expired() {
            return Verdict::Late;
        }
        match self.order(&vals, &mut blocks) {
            Ok(_) if self.budget.expired() => Verdict::Late,
            Ok(roots) => {
                let order = self.witness(&vals, &about, &roots);
                Verdict::Valid(insert_free(&self.history.ops, order, &free))
            }
            Err(invalid) => invalid,
        }
    }

    /// Of unknown initial value: it was the one value that was seen and never written.
    fn adopt_initial(&self, vals: &mut [Val]) {
        let mut unwritten = (0..vals.len()).filter(|&i| vals[i].writer == NONE && vals[i].wanted);
        if let Some(first) = unwritten.next() {
            vals[first].writer = INIT;
            return;
        }
        let from = (0..vals.len())
            .filter(|&i| vals[i].wanted && vals[i].from != NONE)
            .map(|i| vals[i].from as usize)
            .find(|&i| vals[i].writer == NONE);
        if let Some(i) = from {
            vals[i].writer = INIT;
            vals[i].wanted = true;
        }
    }

    /// Marks every value that must have been written, and links each to the cas that took it.
    fn link(&self, vals: &mut [Val]) -> Option<Verdict> {
        let mut stack: Vec<u32> =
            (0..vals.len() as u32).filter(|&i| vals[i as usize].wanted).collect();
        while let Some(i) = stack.pop() {
            let val = vals[i as usize];
            if val.writer == NONE {
                // Either a read saw it, or the cas that put `next` in its place did.
                let seer =
                    if val.reads > 0 { val.first_read } else { vals[val.next as usize].writer };
                let mut core = Vec::new();
                if val.reads > 0 {
                    core.push(val.first_read);
                } else {
                    self.proof(vals, val.next, &mut core);
                }
                return Some(invalid(core, "unwritten", vec![seer]));
            }
            if val.writer == INIT || val.from == NONE {
                continue;
            }
            let from = val.from as usize;
            if vals[from].next != NONE && vals[from].next != i {
                let other = vals[from].next;
                let mut core = Vec::new();
                self.proof(vals, i, &mut core);
                self.proof(vals, other, &mut core);
                self.roots(vals, val.from, &mut core);
                let pair = vec![vals[other as usize].writer, val.writer];
                return Some(invalid(core, "two-cas", pair));
            }
            vals[from].next = i;
            if !vals[from].wanted {
                vals[from].wanted = true;
                stack.push(val.from);
            }
        }
        None
    }

    /// Walks each chain from its root: stages must follow each other in time.
    fn walk(&self, vals: &[Val], blocks: &mut Vec<Block>) -> Option<Verdict> {
        let mut seen = 0usize;
        let wanted = vals.iter().filter(|v| v.wanted).count();
        for (root, v) in vals.iter().enumerate() {
            if !v.wanted || v.from != NONE {
                continue;
            }
            let mut b = Block { root: root as u32, f: OPEN, s: 0, f_op: NONE, s_op: NONE };
            if v.writer == INIT {
                b.f = 0;
                b.f_op = INIT;
                b.s_op = INIT;
            }
            let mut i = root as u32;
            while i != NONE {
                let val = &vals[i as usize];
                seen += 1;
                if val.writer != INIT {
                    let (inv, ret) = (self.inv(val.writer), self.ret(val.writer));
                    if ret < b.s {
                        return Some(self.too_early(vals, i, b.s_op, val.writer));
                    }
                    if inv > b.s {
                        b.s = inv;
                        b.s_op = val.writer;
                    }
                    if ret < b.f {
                        b.f = ret;
                        b.f_op = val.writer;
                    }
                }
                if val.reads > 0 {
                    if val.min_ret < b.s {
                        return Some(self.too_early(vals, i, b.s_op, val.first_read));
                    }
                    if val.max_inv > b.s {
                        b.s = val.max_inv;
                        b.s_op = val.last_read;
                    }
                    if val.min_ret < b.f {
                        b.f = val.min_ret;
                        b.f_op = val.first_read;
                    }
                }
                i = val.next;
            }
            blocks.push(b);
        }
        (seen != wanted).then(|| self.cycle(vals))
    }

    /// Orders the blocks. A must come before B iff f(A) < s(B). Let A have the least f of those
    /// left: whatever comes before some X, A does too (or is X). So every X with s(X) <= f(A)
    /// is free; if there is none A itself is, unless some B has f(B) < s(A), and since
    /// s(B) > f(A) these two must each come first.
    fn order(&self, vals: &[Val], blocks: &mut [Block]) -> Result<Vec<u32>, Verdict> {
        blocks.sort_unstable_by_key(|b| b.f);
        let mut by_s: Vec<u32> = (0..blocks.len() as u32).collect();
        by_s.sort_unstable_by_key(|&i| blocks[i as usize].s);
        let mut placed = vec![false; blocks.len()];
        let mut roots = Vec::with_capacity(blocks.len());
        let mut next_s = 0;
        for a in 0..blocks.len() {
            while next_s < by_s.len() && blocks[by_s[next_s] as usize].s <= blocks[a].f {
                let i = by_s[next_s] as usize;
                if !placed[i] {
                    placed[i] = true;
                    roots.push(blocks[i].root);
                }
                next_s += 1;
            }
            if placed[a] {
                continue;
            }
            // The least f among the others that are left.
            let mut b = a + 1;
            while b < blocks.len() && blocks[b].f < blocks[a].s && placed[b] {
                b += 1;
            }
            if b < blocks.len() && blocks[b].f < blocks[a].s {
                return Err(self.replaced(vals, &blocks[a], &blocks[b]));
            }
            placed[a] = true;
            roots.push(blocks[a].root);
        }
        Ok(roots)
    }

    fn witness(&self, vals: &[Val], about: &[u32], roots: &[u32]) -> Vec<u32> {
        // Where the operations of each value begin in the order.
        let mut start = vec![NONE; vals.len()];
        let mut length = 0u32;
        for &root in roots {
            let mut i = root;
            while i != NONE {
                let val = &vals[i as usize];
                start[i as usize] = length;
                length += val.reads + u32::from(val.writer != INIT);
                i = val.next;
            }
        }
        let mut order = vec![NONE; length as usize];
        for (i, val) in vals.iter().enumerate() {
            if start[i] != NONE && val.writer < INIT {
                order[start[i] as usize] = val.writer;
                start[i] += 1;
            }
        }
        for (&op, &i) in self.part.iter().zip(about) {
            if i != NONE && start[i as usize] != NONE && vals[i as usize].writer != op {
                order[start[i as usize] as usize] = op;
                start[i as usize] += 1;
            }
        }
        order
    }
}

/// Puts operations that are legal anywhere into an order where real time allows: right after
/// the last one that completed before they began. `free` comes in order of invocation.
fn insert_free(ops: &[Operation], order: Vec<u32>, free: &[u32]) -> Vec<u32> {
    if free.is_empty() {
        return order;
    }
    let mut by_ret: Vec<(u32, u32)> =
        order.iter().enumerate().map(|(i, &op)| (ops[op as usize].ret, i as u32)).collect();
    by_ret.sort_unstable();
    let mut all = Vec::with_capacity(order.len() + free.len());
    let (mut seen, mut copied) = (0, 0);
    let mut after = 0; // length of the part of `order` that must come before
    for &op in free {
        while seen < by_ret.len() && by_ret[seen].0 < ops[op as usize].inv {
            after = after.max(by_ret[seen].1 as usize + 1);
            seen += 1;
        }
        all.extend(&order[copied..after]);
        copied = after;
        all.push(op);
    }
    all.extend(&order[copied..]);
    all
}

fn invalid(core: Vec<u32>, tag: &'static str, ops: Vec<u32>) -> Verdict {
    Verdict::Invalid(core, Reason { tag, ops })
}
