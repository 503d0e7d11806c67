//! Versioned register: every write and cas raises the version by one.
//!
//! A read completes with [version, value]; a write or cas completes with the version it made,
//! alone or as first member of a list, or with anything else where the version is not known.
//! A write takes the value as argument, or [version, value] as etcd's test of Jepsen has it; a
//! cas takes [from, to], or [version, [from, to]].

use super::{answered, functions, initial_value, int, pair};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Read: "read";
    Write: "write";
    Cas: "cas";
}

pub static SPEC: Spec = Spec {
    name: "versioned-register",
    about: "a register whose reads and writes return its version, which rises by one",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[],
    model: |history, _, options| Box::new(Versioned::new(history, options)),
    well_formed,
    initial: |_, _| Ok(()), // a list of two may be [version, value], any other value is a value
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Read) if answered(op) && op.out != ValueId::NIL => {
            match pair(history, op.out) {
                Some((version, _))
                    if version == ValueId::NIL || version.as_small_int().is_some() =>
                {
                    Ok(())
                }
                _ => Err("a list [version, value] read"),
            }
        }
        Some(Function::Cas) if from_to(history, op.arg).is_none() => Err("a list [from, to]"),
        _ => Ok(()),
    }
}

/// The value to write: the argument, or the second of [version or nil, value].
fn written(history: &History, arg: ValueId) -> ValueId {
    match pair(history, arg) {
        Some((version, value)) if version == ValueId::NIL => value,
        _ => arg,
    }
}

fn from_to(history: &History, arg: ValueId) -> Option<(ValueId, ValueId)> {
    match pair(history, arg) {
        Some((version, inner)) if version == ValueId::NIL => pair(history, inner),
        found => found,
    }
}

/// The version in a completion.
fn version(history: &History, out: ValueId) -> Option<u64> {
    // A negative number is no version, and says nothing.
    let number = |id: ValueId| id.as_small_int().and_then(|v| u64::try_from(v).ok());
    match pair(history, out) {
        Some((version, _)) => number(version),
        None => int(history, out).and_then(|_| number(out)),
    }
}

/// What an operation does to a versioned register; the version is that of the state it saw or
/// made, where known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Read(ValueId, Option<u64>),
    Write(ValueId, Option<u64>),
    Cas(ValueId, ValueId, Option<u64>),
    Nothing,
}

pub struct Reader {
    table: Vec<Option<Function>>,
}

impl Reader {
    pub fn new(history: &History) -> Self {
        Reader { table: Function::table(history) }
    }

    pub fn act(&self, history: &History, op: &Operation) -> Act {
        let made = if answered(op) { self.made(history, op) } else { None };
        match (self.table[op.f as usize], op.outcome) {
            (_, Outcome::Fail) | (None, _) | (Some(Function::Read), Outcome::Info) => Act::Nothing,
            (Some(Function::Read), Outcome::Ok) => match pair(history, op.out) {
                Some((_, value)) => Act::Read(value, version(history, op.out)),
                // Nothing was ever written: version 0.
                None => Act::Read(ValueId::NIL, Some(0)),
            },
            (Some(Function::Write), _) => Act::Write(written(history, op.arg), made),
            (Some(Function::Cas), _) => match from_to(history, op.arg) {
                Some((from, to)) => Act::Cas(from, to, made),
                None => Act::Nothing,
            },
        }
    }

    /// The version that a write or cas says it made. Where it merely completes with its own
    /// argument, it says none.
    fn made(&self, history: &History, op: &Operation) -> Option<u64> {
        if op.out == op.arg {
            return None;
        }
        version(history, op.out)
    }
}

/// The version and the value before the first operation: as [version, value], or a value alone,
/// which is of version 0.
pub fn initial(history: &History, options: &Options) -> (u64, ValueId) {
    let given = initial_value(options);
    match (pair(history, given), version(history, given)) {
        (Some((_, value)), Some(version)) => (version, value),
        _ => (0, given),
    }
}

/// State: the version and the id of the value.
pub struct Versioned {
    reader: Reader,
    initial: (u64, ValueId),
}

impl Versioned {
    pub fn new(history: &History, options: &Options) -> Self {
        Versioned { reader: Reader::new(history), initial: initial(history, options) }
    }
}

impl Model for Versioned {
    fn initial(&self) -> Vec<State> {
        vec![vec![self.initial.0, self.initial.1 .0]]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let (now, value) = (state[0], state[1]);
        let is = |version: Option<u64>, expected: u64| version.is_none_or(|v| v == expected);
        match self.reader.act(history, op) {
            Act::Nothing => vec![state.to_vec()],
            Act::Read(seen, version) if seen.0 == value && is(version, now) => {
                vec![state.to_vec()]
            }
            Act::Write(to, version) if is(version, now + 1) => vec![vec![now + 1, to.0]],
            Act::Cas(from, to, version) if from.0 == value && is(version, now + 1) => {
                vec![vec![now + 1, to.0]]
            }
            _ => vec![],
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        matches!(self.reader.act(history, op), Act::Read(..) | Act::Nothing)
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        let word = |version: Option<u64>| version.map_or(0, |v| v + 1);
        match self.reader.act(history, op) {
            Act::Nothing => [0; 4],
            Act::Read(v, version) => [1, v.0, 0, word(version)],
            Act::Write(v, version) => [2, v.0, 0, word(version)],
            Act::Cas(from, to, version) => [3, from.0, to.0, word(version)],
        }
    }
}
