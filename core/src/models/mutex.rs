//! Mutexes: without owner, with owner, and with fencing tokens.
//!
//! The owner is the argument of an operation, or its process where that is nil. A fencing token
//! is the integer that an acquire completes with; each must be greater than all before.

use super::{answered, functions, int};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::Spec;

functions! {
    Acquire: "acquire", "lock";
    Release: "release", "unlock";
}

pub static MUTEX: Spec = Spec {
    name: "mutex",
    about: "acquire and release a lock that anyone may release",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::semaphore::MUTEX],
    model: |history, _, _| Box::new(Mutex::new(history, Kind::Plain)),
    well_formed: |_, _| Ok(()),
    initial: super::starts_always_alike,
};

pub static OWNED: Spec = Spec {
    name: "owned-mutex",
    about: "acquire and release a lock that only its holder may release",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::mutex::HOLDS],
    model: |history, _, _| Box::new(Mutex::new(history, Kind::Owned)),
    well_formed: |_, _| Ok(()),
    initial: super::starts_always_alike,
};

pub static FENCED: Spec = Spec {
    name: "fenced-mutex",
    about: "an owned mutex whose acquire returns a fencing token, greater each time",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::mutex::FENCED_HOLDS],
    model: |history, _, _| Box::new(Mutex::new(history, Kind::Fenced)),
    well_formed: fenced_well_formed,
    initial: super::starts_always_alike,
};

fn fenced_well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Acquire) if answered(op) && int(history, op.out).is_none() => {
            Err("an integer token returned")
        }
        _ => Ok(()),
    }
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Plain,
    Owned,
    Fenced,
}

/// What an operation does to a mutex.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    /// By this owner; the token where it is known.
    Acquire(u64, Option<i64>),
    Release(u64),
    Nothing,
}

pub struct Reader {
    table: Vec<Option<Function>>,
    kind: Kind,
}

impl Reader {
    pub fn new(history: &History, kind: Kind) -> Self {
        Reader { table: Function::table(history), kind }
    }

    pub fn act(&self, history: &History, op: &Operation) -> Act {
        let owner = match self.kind {
            Kind::Plain => 0,
            // Ids of values leave the bit below the highest free.
            _ if op.arg == ValueId::NIL => 1 << 62 | u64::from(op.process),
            _ => op.arg.0,
        };
        match (self.table[op.f as usize], op.outcome) {
            (_, Outcome::Fail) | (None, _) => Act::Nothing,
            (Some(Function::Acquire), Outcome::Ok) if self.kind == Kind::Fenced => {
                Act::Acquire(owner, int(history, op.out))
            }
            (Some(Function::Acquire), _) => Act::Acquire(owner, None),
            (Some(Function::Release), _) => Act::Release(owner),
        }
    }
}

/// State: whether the lock is held, by whom, and the greatest token so far (shifted so that
/// words compare as tokens do). An acquire of unknown outcome takes the least token that is
/// left: whatever is possible after a greater one is possible after it.
pub struct Mutex {
    reader: Reader,
}

const FREE: u64 = 0;
const HELD: u64 = 1;

impl Mutex {
    pub fn new(history: &History, kind: Kind) -> Self {
        Mutex { reader: Reader::new(history, kind) }
    }
}

impl Model for Mutex {
    fn initial(&self) -> Vec<State> {
        vec![vec![FREE, 0, i64::MIN as u64]]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let (held, owner, last) = (state[0], state[1], state[2] as i64);
        match self.reader.act(history, op) {
            Act::Nothing => vec![state.to_vec()],
            Act::Acquire(who, token) if held == FREE => match token {
                Some(token) if token <= last && last != i64::MIN => vec![],
                Some(token) => vec![vec![HELD, who, token as u64]],
                // Any token would do before the first known one.
                None if last == i64::MIN => vec![vec![HELD, who, last as u64]],
                None => match last.checked_add(1) {
                    Some(next) if self.reader.kind == Kind::Fenced => {
                        vec![vec![HELD, who, next as u64]]
                    }
                    _ => vec![],
                },
            },
            Act::Release(who) if held == HELD && who == owner => {
                vec![vec![FREE, 0, last as u64]]
            }
            _ => vec![],
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        self.reader.act(history, op) == Act::Nothing
    }

    /// Without one of its owners a lock is taken and released as before.
    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        match self.reader.act(history, op) {
            _ if self.reader.kind == Kind::Plain => None,
            Act::Nothing => Some(Evidence::default()),
            Act::Acquire(who, _) | Act::Release(who) => {
                Some(Evidence { observes: vec![who], provides: vec![who] })
            }
        }
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        match self.reader.act(history, op) {
            Act::Nothing => [0; 4],
            Act::Acquire(who, None) => [1, who, 0, 0],
            Act::Acquire(who, Some(token)) => [2, who, token as u64, 0],
            Act::Release(who) => [3, who, 0, 0],
        }
    }
}
