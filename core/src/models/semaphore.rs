//! Counting semaphore. The initial value is the number of permits (one where none is given);
//! releases never raise what is free above it.

use super::{amount, functions, initial_value, int};
use crate::history::{History, Operation, Outcome};
use crate::model::{Class, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Acquire: "acquire";
    Release: "release";
}

pub static SPEC: Spec = Spec {
    name: "semaphore",
    about: "acquire and release permits; --initial says how many there are",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::semaphore::PERMITS],
    model: |history, _, options| Box::new(Semaphore::new(history, options)),
    well_formed,
    initial: |history, id| match int(history, id) {
        Some(0..) => Ok(()),
        _ => Err("the number of permits, an integer of at least 0"),
    },
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match amount(history, op.arg) {
        Some(n) if n >= 0 => Ok(()),
        _ => Err("a number of permits, or nil for one"),
    }
}

/// What an operation does to a semaphore.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Acquire(u64),
    Release(u64),
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
        let permits = amount(history, op.arg).and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
        match (self.table[op.f as usize], op.outcome) {
            (_, Outcome::Fail) | (None, _) => Act::Nothing,
            (Some(Function::Acquire), _) => Act::Acquire(permits),
            (Some(Function::Release), _) => Act::Release(permits),
        }
    }
}

/// How many permits there are.
pub fn permits(history: &History, options: &Options) -> u64 {
    int(history, initial_value(options)).and_then(|n| u64::try_from(n).ok()).unwrap_or(1)
}

/// State: how many permits are taken.
pub struct Semaphore {
    reader: Reader,
    permits: u64,
}

impl Semaphore {
    pub fn new(history: &History, options: &Options) -> Self {
        Semaphore { reader: Reader::new(history), permits: permits(history, options) }
    }
}

impl Model for Semaphore {
    fn initial(&self) -> Vec<State> {
        vec![vec![0]]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let taken = state[0];
        match self.reader.act(history, op) {
            Act::Nothing => vec![state.to_vec()],
            Act::Acquire(n) if n <= self.permits - taken => vec![vec![taken + n]],
            Act::Release(n) if n <= taken => vec![vec![taken - n]],
            _ => vec![],
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        matches!(self.reader.act(history, op), Act::Nothing | Act::Acquire(0) | Act::Release(0))
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        match self.reader.act(history, op) {
            Act::Nothing => [0; 4],
            Act::Acquire(n) => [1, n, 0, 0],
            Act::Release(n) => [2, n, 0, 0],
        }
    }
}
