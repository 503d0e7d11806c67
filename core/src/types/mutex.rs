//! Mutex with owner: each hold, from acquire to release, must stand alone; with fencing tokens
//! the tokens give the order of the holds.
//!
//! A hold surely lasts from the completion of its acquire to the invocation of its release (for
//! ever where there is none). One hold must come before another iff its acquire completed
//! before the other's release began; ordering by these moments succeeds or shows two holds
//! that both must come first. Covers owners that do one thing after the other.
//!
//! Reasons it gives (`ops` in this order):
//! - `held-twice`: [acquire, acquire]: of one owner, who released nothing in between.
//! - `not-held`: [release, earlier release?]: its owner had acquired nothing since.
//! - `overlap`: [acquire, release?, acquire, release?]: two holds at the same time.
//! - `same-token`: [acquire, acquire]; `token-order`: [late, early, ...]: by its token `late`
//!   comes first, but `early` had completed before `late` was invoked.
//! - `never-released`: [acquire, acquire]: the second has a greater token, the first kept the lock.

use std::collections::HashMap;

use super::{invalid, run, slots, Slotted, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, OPEN};
use crate::models::mutex::{Act, Kind, Reader};
use crate::registry::{Fast, Options};

pub const HOLDS: Fast = Fast { name: "holds", check };
pub const FENCED_HOLDS: Fast = Fast { name: "fenced-holds", check: check_fenced };

/// Decides a history of a mutex with owner.
pub fn check(history: &History, part: &[u32], _: &Options, budget: &Budget) -> Answer {
    let reader = Reader::new(history, Kind::Owned);
    run(history, part, budget, |view| match holds(view, &reader) {
        Ok(holds) => alone(view, holds),
        Err(verdict) => verdict,
    })
}

/// Decides a history of a mutex with owner and fencing tokens.
pub fn check_fenced(history: &History, part: &[u32], _: &Options, budget: &Budget) -> Answer {
    let reader = Reader::new(history, Kind::Fenced);
    run(history, part, budget, |view| match holds(view, &reader) {
        Ok(holds) => by_token(view, holds),
        Err(verdict) => verdict,
    })
}

struct Hold {
    acquire: u32,
    /// NONE: never released.
    release: u32,
    token: i64,
    /// Completion of the acquire; invocation and completion of the release.
    held: u32,
    released: u32,
    gone: u32,
}

const NONE: u32 = u32::MAX;

fn holds(view: &View, reader: &Reader) -> Result<Vec<Hold>, Verdict> {
    let mut last: HashMap<u64, u32> = HashMap::new();
    for (_, op) in view.ops() {
        if let Act::Acquire(owner, _) | Act::Release(owner) = reader.act(view.history, &op) {
            if last.insert(owner, op.ret).is_some_and(|ret| ret > op.inv) {
                return Err(Verdict::Outside("an owner does several things at once"));
            }
        }
    }
    // By owner: the open hold, the last release.
    let mut owners: HashMap<u64, (Option<usize>, u32)> = HashMap::new();
    let mut holds: Vec<Hold> = Vec::with_capacity(view.part.len() / 2 + 1);
    for (i, op) in view.ops() {
        let (owner, token, acquires) = match reader.act(view.history, &op) {
            Act::Acquire(owner, token) => (owner, token, true),
            Act::Release(owner) => (owner, None, false),
            Act::Nothing => continue,
        };
        let entry = owners.entry(owner).or_insert((None, NONE));
        match (acquires, entry.0) {
            // Nothing of its owner follows.
            (true, _) if op.ret == OPEN => {}
            (true, Some(open)) => {
                let pair = vec![holds[open].acquire, i];
                return Err(invalid(pair.clone(), "held-twice", pair));
            }
            (true, None) => {
                entry.0 = Some(holds.len());
                holds.push(Hold {
                    acquire: i,
                    release: NONE,
                    token: token.unwrap_or(0),
                    held: op.ret,
                    released: OPEN,
                    gone: OPEN,
                });
            }
            (false, Some(open)) => {
                let hold = &mut holds[open];
                (hold.release, hold.released, hold.gone) = (i, op.inv, op.ret);
                entry.0 = None;
                entry.1 = i;
            }
            (false, None) if op.ret == OPEN => {}
            (false, None) => {
                let mut ops = vec![i];
                ops.extend((entry.1 != NONE).then_some(entry.1));
                return Err(invalid(ops.clone(), "not-held", ops));
            }
        }
    }
    Ok(holds)
}

fn ops_of(hold: &Hold) -> impl Iterator<Item = u32> {
    [hold.acquire, hold.release].into_iter().filter(|&o| o != NONE)
}

fn alone(_: &View, mut holds: Vec<Hold>) -> Verdict {
    // Acquire before release of one owner: every interval runs forward, so the order of the
    // acquires' completions is the only one possible.
    holds.sort_unstable_by_key(|h| h.held);
    for pair in holds.windows(2) {
        if pair[1].held < pair[0].released {
            let ops: Vec<u32> = ops_of(&pair[0]).chain(ops_of(&pair[1])).collect();
            return invalid(ops.clone(), "overlap", ops);
        }
    }
    Verdict::Valid(holds.iter().flat_map(ops_of).collect())
}

fn by_token(view: &View, mut holds: Vec<Hold>) -> Verdict {
    holds.sort_unstable_by_key(|h| (h.token, h.held));
    let mut list = Vec::with_capacity(2 * holds.len());
    for (k, hold) in holds.iter().enumerate() {
        if let Some(next) = holds.get(k + 1) {
            let pair = vec![hold.acquire, next.acquire];
            if next.token == hold.token {
                return invalid(pair.clone(), "same-token", pair);
            }
            if hold.release == NONE {
                return invalid(pair.clone(), "never-released", pair);
            }
        }
        for (slot, i) in ops_of(hold).enumerate() {
            let op = view.op(i);
            let ret = if slot == 0 { hold.held } else { hold.gone };
            list.push(Slotted { slot: 2 * k as u32 + slot as u32, inv: op.inv, ret, op: i });
        }
    }
    match slots(&mut list) {
        Ok(order) => Verdict::Valid(order),
        Err((late, early)) => {
            let mut core = vec![late, early];
            let of = |op: u32| holds.iter().find(|h| h.acquire == op || h.release == op);
            core.extend([late, early].into_iter().filter_map(of).flat_map(ops_of));
            invalid(core, "token-order", vec![late, early])
        }
    }
}
