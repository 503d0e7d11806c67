//! Multi-register: reads and writes of several registers at once.
//!
//! A write takes a map {register: value}; a read completes with one and saw all of it at once.
//! A `txn` is a list of [f, register, value], done in order (f is r, read, w or write).

use super::{answered, functions, initial_value};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};
use crate::table::mix;

functions! {
    Read: "read";
    Write: "write";
    Txn: "txn";
}

pub static SPEC: Spec = Spec {
    name: "multi-register",
    about: "read and write several registers at once: maps, or txn of [f, register, value]",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[],
    model: |history, _, options| Box::new(MultiRegister::new(history, options)),
    well_formed,
    initial: |history, id| history.values.map(id).map(drop).ok_or("a map {register: value}"),
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    let map = |id: ValueId| history.values.map(id).is_some();
    match Function::of(super::function(history, op)) {
        Some(Function::Read) if answered(op) && !map(op.out) => Err("a map read"),
        Some(Function::Write) if !map(op.arg) => Err("a map to write"),
        Some(Function::Txn) => match (steps(history, op.arg), steps(history, op.out)) {
            (Some(_), Some(_)) => Ok(()),
            (Some(_), None) if !answered(op) => Ok(()),
            _ => Err("a list of [f, register, value], with f r, read, w or write"),
        },
        _ => Ok(()),
    }
}

/// One step of an operation. A read whose value is None saw something unknown.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Step {
    Read(ValueId, Option<ValueId>),
    Write(ValueId, ValueId),
}

/// The steps of a txn.
fn steps(history: &History, txn: ValueId) -> Option<Vec<Step>> {
    history
        .values
        .list(txn)?
        .iter()
        .map(|&step| {
            let &[f, register, value] = history.values.list(step)? else { return None };
            match history.values.str(f)? {
                "r" | "read" | ":r" | ":read" => Some(Step::Read(register, Some(value))),
                "w" | "write" | ":w" | ":write" => Some(Step::Write(register, value)),
                _ => None,
            }
        })
        .collect()
}

pub struct Reader {
    table: Vec<Option<Function>>,
}

impl Reader {
    pub fn new(history: &History) -> Self {
        Reader { table: Function::table(history) }
    }

    /// The steps of an operation, in order; none for one that tells nothing.
    pub fn act(&self, history: &History, op: &Operation) -> Vec<Step> {
        let entries = |id: ValueId| history.values.map(id).unwrap_or(&[]).iter();
        match (self.table[op.f as usize], op.outcome) {
            (_, Outcome::Fail) | (None, _) | (Some(Function::Read), Outcome::Info) => vec![],
            (Some(Function::Read), Outcome::Ok) => {
                entries(op.out).map(|&(register, v)| Step::Read(register, Some(v))).collect()
            }
            (Some(Function::Write), _) => {
                entries(op.arg).map(|&(register, v)| Step::Write(register, v)).collect()
            }
            (Some(Function::Txn), Outcome::Ok) => steps(history, op.out).unwrap_or_default(),
            (Some(Function::Txn), Outcome::Info) => {
                let mut all = steps(history, op.arg).unwrap_or_default();
                for step in &mut all {
                    if let Step::Read(_, value) = step {
                        *value = None;
                    }
                }
                all
            }
        }
    }
}

/// The registers' values before the first operation; others hold nil.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [(ValueId, ValueId)] {
    history.values.map(initial_value(options)).unwrap_or(&[])
}

/// State: (register, value) of every register that is not nil, sorted by register.
pub struct MultiRegister {
    reader: Reader,
    initial: State,
}

impl MultiRegister {
    pub fn new(history: &History, options: &Options) -> Self {
        let mut words = Vec::new();
        for &(register, value) in initial(history, options) {
            set(&mut words, register, value);
        }
        MultiRegister { reader: Reader::new(history), initial: words }
    }
}

fn place(state: &[u64], register: ValueId) -> Result<usize, usize> {
    match state.chunks_exact(2).position(|pair| pair[0] >= register.0) {
        Some(i) if state[2 * i] == register.0 => Ok(2 * i),
        Some(i) => Err(2 * i),
        None => Err(state.len()),
    }
}

fn set(state: &mut State, register: ValueId, value: ValueId) {
    match (place(state, register), value == ValueId::NIL) {
        (Ok(i), true) => {
            state.drain(i..i + 2);
        }
        (Ok(i), false) => state[i + 1] = value.0,
        (Err(_), true) => {}
        (Err(i), false) => {
            state.splice(i..i, [register.0, value.0]);
        }
    }
}

impl Model for MultiRegister {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let mut next = state.to_vec();
        for step in self.reader.act(history, op) {
            match step {
                Step::Write(register, value) => set(&mut next, register, value),
                Step::Read(register, Some(seen)) => {
                    let now = place(&next, register).map_or(ValueId::NIL.0, |i| next[i + 1]);
                    if now != seen.0 {
                        return vec![];
                    }
                }
                Step::Read(_, None) => {}
            }
        }
        vec![next]
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        self.reader.act(history, op).iter().all(|s| matches!(s, Step::Read(..)))
    }

    fn sees_the_past(&self) -> bool {
        true
    }

    /// A read saw what the last write of that register put there.
    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        let token = |register: ValueId, value: ValueId| mix(register.0) ^ value.0;
        let mut e = Evidence::default();
        for step in self.reader.act(history, op) {
            match step {
                Step::Write(register, value) => e.provides.push(token(register, value)),
                Step::Read(register, Some(value)) => e.observes.push(token(register, value)),
                Step::Read(_, None) => {}
            }
        }
        Some(e)
    }

    fn class(&self, _: &History, op: &Operation) -> Class {
        let (value, outcome) = match op.outcome {
            Outcome::Ok => (op.out, 1),
            _ => (op.arg, 2),
        };
        // The argument of a read or write, or what a txn saw: either says all there is.
        [u64::from(op.f), op.arg.0, value.0, outcome]
    }
}
