//! Counter: additions, reads, and additions that return the count before or after.

use super::{amount, answered, functions, initial_value, int};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Model, State};
use crate::registry::{Initial, Options, Spec};

functions! {
    Add: "add", "inc", "incr", "increment";
    Sub: "sub", "dec", "decr", "decrement";
    Read: "read", "get";
    AddAndGet: "add-and-get", "increment-and-get", "incr-and-get";
    FetchAdd: "fetch-add", "fetch-and-add", "get-and-add";
}

pub static SPEC: Spec = Spec {
    name: "counter",
    about: "add to a number, read it, fetch and add",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::counter::SWEEP],
    model: |history, _, options| Box::new(Counter::new(history, options)),
    well_formed,
    initial: |history, id| int(history, id).map(drop).ok_or("an integer"),
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Read) if answered(op) && int(history, op.out).is_none() => {
            Err("an integer read")
        }
        Some(Function::Read) => Ok(()),
        _ if amount(history, op.arg).is_none() => Err("an integer to add, or nil for one"),
        Some(Function::AddAndGet | Function::FetchAdd)
            if answered(op) && int(history, op.out).is_none() =>
        {
            Err("an integer returned")
        }
        _ => Ok(()),
    }
}

/// What an operation does to a counter.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Read(i128),
    Add(i128),
    /// Adds `by` to a count that was `old`.
    Take {
        old: i128,
        by: i128,
    },
    /// Tells nothing: failed, or a read without an answer.
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
        let number = |id: ValueId| i128::from(int(history, id).unwrap_or(0));
        let by = || i128::from(amount(history, op.arg).unwrap_or(0));
        match (self.table[op.f as usize], op.outcome) {
            (_, Outcome::Fail) | (None, _) | (Some(Function::Read), Outcome::Info) => Act::Nothing,
            (Some(Function::Read), Outcome::Ok) => Act::Read(number(op.out)),
            (Some(Function::Sub), _) => Act::Add(-by()),
            (Some(Function::Add), _) | (Some(_), Outcome::Info) => Act::Add(by()),
            (Some(Function::AddAndGet), Outcome::Ok) => {
                Act::Take { old: number(op.out) - by(), by: by() }
            }
            (Some(Function::FetchAdd), Outcome::Ok) => Act::Take { old: number(op.out), by: by() },
        }
    }
}

/// The count before the first operation; None where it is unknown.
pub fn initial(history: &History, options: &Options) -> Option<i128> {
    match options.initial {
        Initial::Any => None,
        _ => Some(i128::from(int(history, initial_value(options)).unwrap_or(0))),
    }
}

/// State: the count, low and high word.
pub struct Counter {
    reader: Reader,
    initial: i128,
}

fn words(count: i128) -> State {
    vec![count as u64, (count >> 64) as u64]
}

impl Counter {
    pub fn new(history: &History, options: &Options) -> Self {
        Counter { reader: Reader::new(history), initial: initial(history, options).unwrap_or(0) }
    }
}

impl Model for Counter {
    fn initial(&self) -> Vec<State> {
        vec![words(self.initial)]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let count = i128::from(state[0]) | i128::from(state[1] as i64) << 64;
        match self.reader.act(history, op) {
            Act::Read(v) if v != count => vec![],
            Act::Take { old, .. } if old != count => vec![],
            Act::Read(_) | Act::Nothing => vec![state.to_vec()],
            Act::Add(by) | Act::Take { by, .. } => vec![words(count + by)],
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        match self.reader.act(history, op) {
            Act::Read(_) | Act::Nothing => true,
            Act::Add(by) | Act::Take { by, .. } => by == 0,
        }
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        match self.reader.act(history, op) {
            Act::Nothing => [0; 4],
            Act::Read(v) => [1, v as u64, 0, 0],
            Act::Add(by) => [2, by as u64, 0, 0],
            Act::Take { old, by } => [3, old as u64, by as u64, (old >> 64) as u64],
        }
    }
}
