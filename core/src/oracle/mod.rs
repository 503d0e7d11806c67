//! Brute force: decides small histories by trying every order. Plain enough to be believed, it
//! is what the search and the fast algorithms are tested against, and shares no code with them.
//!
//! It knows the first name of each function only, and splits nothing by key: one state holds
//! all keys.

use std::collections::{BTreeMap, HashSet};

use crate::history::{History, Outcome, ValueId, OPEN};

mod models;

pub use models::{apply, default_initial, start, Plain, PlainOp};

/// An operation with its place in time.
struct Timed {
    op: PlainOp,
    inv: u32,
    ret: u32,
    must: bool,
}

/// The operations of `part` that may have happened or tell something.
fn timed(model: &str, history: &History, part: &[u32]) -> Vec<(u32, Timed)> {
    let mut list = Vec::new();
    for &i in part {
        let op = &history.ops[i as usize];
        let f = history.functions[op.f as usize].clone();
        let failed = op.outcome == Outcome::Fail;
        let out = Plain::of(history, op.out);
        // Of failed operations only a cas that returns the value it saw says anything.
        let speaks = matches!(model, "register" | "cas-register")
            && f == "cas"
            && op.out != ValueId::NIL
            && op.out != op.arg;
        if failed && !speaks {
            continue;
        }
        let known = op.outcome != Outcome::Info;
        list.push((
            i,
            Timed {
                op: PlainOp {
                    process: op.process,
                    f,
                    key: Plain::of(history, op.key),
                    arg: Plain::of(history, op.arg),
                    out: known.then_some(out),
                    failed,
                },
                inv: op.inv,
                ret: if known { op.ret } else { OPEN },
                must: known,
            },
        ));
    }
    list
}

type Keys = BTreeMap<Plain, Plain>;

/// Every state after `op`, of a state that holds all keys.
fn apply_keyed(model: &str, initial: &Plain, state: &Keys, op: &PlainOp) -> Vec<Keys> {
    let before = state.get(&op.key).unwrap_or(initial);
    apply(model, before, op)
        .into_iter()
        .map(|after| {
            let mut next = state.clone();
            next.insert(op.key.clone(), after);
            next
        })
        .collect()
}

/// Whether some order of the operations, with or without those of unknown outcome, keeps real
/// time and is what the model allows. At most 64 operations; exponential.
pub fn linearizable(model: &str, initial: Plain, history: &History, part: &[u32]) -> bool {
    let ops = timed(model, history, part).into_iter().map(|(_, op)| op).collect();
    decide(model, &start(model, initial), ops)
}

fn decide(model: &str, initial: &Plain, ops: Vec<Timed>) -> bool {
    assert!(ops.len() <= 64, "brute force is for small histories");
    let mut seen = HashSet::new();
    let mut todo = vec![(0u64, Keys::new())];
    while let Some((done, state)) = todo.pop() {
        let left = |i: usize| done >> i & 1 == 0;
        if !(0..ops.len()).any(|i| left(i) && ops[i].must) {
            return true;
        }
        // Nothing may be put before what completed earlier than it began.
        let first_return =
            (0..ops.len()).filter(|&i| left(i)).map(|i| ops[i].ret).min().unwrap_or(OPEN);
        for (i, op) in ops.iter().enumerate() {
            if left(i) && op.inv <= first_return {
                for next in apply_keyed(model, initial, &state, &op.op) {
                    let configuration = (done | 1 << i, next);
                    if !seen.contains(&configuration) {
                        seen.insert(configuration.clone());
                        todo.push(configuration);
                    }
                }
            }
        }
    }
    false
}

/// Whether `witness` is a linearization of `part`; the error says why not.
pub fn verify(
    model: &str,
    initial: Plain,
    history: &History,
    part: &[u32],
    witness: &[u32],
) -> Result<(), String> {
    let initial = start(model, initial);
    let ops: BTreeMap<u32, Timed> = timed(model, history, part).into_iter().collect();
    let mut states = vec![Keys::new()];
    let mut latest_invocation = 0;
    let mut done = HashSet::new();
    for i in witness {
        let Some(op) = ops.get(i) else {
            // Failed operations and others that tell nothing may be left in.
            if part.contains(i) && history.ops[*i as usize].outcome == Outcome::Fail {
                return Err(format!("operation {i} failed and yet is in the witness"));
            }
            return Err(format!("operation {i} is not of this part"));
        };
        if !done.insert(*i) {
            return Err(format!("operation {i} occurs twice"));
        }
        if op.ret < latest_invocation {
            return Err(format!("operation {i} completed before one that stands before it began"));
        }
        latest_invocation = latest_invocation.max(op.inv);
        let mut next: Vec<Keys> =
            states.iter().flat_map(|state| apply_keyed(model, &initial, state, &op.op)).collect();
        next.sort();
        next.dedup();
        if next.is_empty() {
            return Err(format!("operation {i} is impossible in {states:?}"));
        }
        states = next;
    }
    match ops.iter().find(|(i, op)| op.must && !done.contains(i)) {
        Some((i, _)) => Err(format!("operation {i} is missing")),
        None => Ok(()),
    }
}

/// The event position at which the history became impossible, by trying every prefix; None
/// where it is linearizable. Operations under way at the end of a prefix may or may not have
/// happened in it (but for those that failed later, which did not); `hindsight`: and if they
/// did, then with the answer that they gave later.
pub fn first_impossible(
    model: &str,
    initial: &Plain,
    history: &History,
    part: &[u32],
    hindsight: bool,
) -> Option<u32> {
    let initial = start(model, initial.clone());
    let mut returns: Vec<u32> =
        part.iter().map(|&i| history.ops[i as usize].ret).filter(|&r| r != OPEN).collect();
    returns.sort_unstable();
    returns.into_iter().find(|&end| {
        let prefix = timed(model, history, part)
            .into_iter()
            .filter(|(_, op)| op.inv <= end && !(op.op.failed && op.ret > end))
            .map(|(_, mut op)| {
                if op.ret > end {
                    op.ret = OPEN;
                    op.must = false;
                    op.op.out = op.op.out.filter(|_| hindsight);
                }
                op
            })
            .collect();
        !decide(model, &initial, prefix)
    })
}
