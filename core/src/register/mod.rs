//! Registers: read, write and compare-and-set of a single value.

mod online;
mod zones;

use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Effect, Evidence, Model, State};
use crate::registry::{Fast, Initial, Options, Spec};

pub use online::{Online, Status};
pub use zones::check;

pub static REGISTER: Spec = Spec {
    name: "register",
    about: "read and write a single value",
    functions: &["read", "write"],
    per_key: true,
    fast: &[ZONES],
    model: |history, part, options| Box::new(Register::new(history, part, options)),
    well_formed,
    initial: |_, _| Ok(()),
};

pub static CAS_REGISTER: Spec = Spec {
    name: "cas-register",
    about: "read, write and compare-and-set ([from, to]) a single value",
    functions: &["read", "write", "cas"],
    per_key: true,
    fast: &[ZONES],
    model: |history, part, options| Box::new(Register::new(history, part, options)),
    well_formed,
    initial: |_, _| Ok(()),
};

const ZONES: Fast = Fast { name: "zones", check };

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match history.functions[op.f as usize].as_str() {
        "cas" if pair(history, op.arg).is_none() => Err("a list [from, to]"),
        _ => Ok(()),
    }
}

fn pair(history: &History, id: ValueId) -> Option<(ValueId, ValueId)> {
    match history.values.list(id) {
        Some([from, to]) => Some((*from, *to)),
        _ => None,
    }
}

/// What an operation does to a register.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Read(ValueId),
    Write(ValueId),
    Cas(ValueId, ValueId),
    /// Tells nothing: failed, a read without an answer, a read of nil where nil means unknown.
    Nothing,
}

/// Resolves function names once per history.
pub struct Reader {
    kinds: Vec<u8>, // by function: 0 read, 1 write, 2 cas
    nil_is_unknown: bool,
}

impl Reader {
    pub fn new(history: &History, options: &Options) -> Self {
        let kinds = history
            .functions
            .iter()
            .map(|f| match f.as_str() {
                "read" => 0,
                "write" => 1,
                "cas" => 2,
                _ => 3,
            })
            .collect();
        let nil_is_unknown = matches!(options.initial, Initial::Value(v) if v != ValueId::NIL);
        Reader { kinds, nil_is_unknown }
    }

    fn read(&self, value: ValueId) -> Act {
        if value == ValueId::NIL && self.nil_is_unknown {
            Act::Nothing
        } else {
            Act::Read(value)
        }
    }

    pub fn act(&self, history: &History, op: &Operation) -> Act {
        match (self.kinds[op.f as usize], op.outcome) {
            (0, Outcome::Ok) => self.read(op.out),
            (1, Outcome::Ok | Outcome::Info) => Act::Write(op.arg),
            (2, Outcome::Ok | Outcome::Info) => match pair(history, op.arg) {
                Some((from, to)) => Act::Cas(from, to),
                None => Act::Nothing,
            },
            // A failed cas that returns the value it saw.
            (2, Outcome::Fail) if op.out != ValueId::NIL && op.out != op.arg => self.read(op.out),
            _ => Act::Nothing,
        }
    }
}

/// The model of both registers for the search. State: the value's id.
struct Register {
    initial: Vec<State>,
    reader: Reader,
}

impl Register {
    fn new(history: &History, part: &[u32], options: &Options) -> Self {
        let reader = Reader::new(history, options);
        let initial = match options.initial {
            Initial::Default => vec![vec![ValueId::NIL.0]],
            Initial::Value(v) => vec![vec![v.0]],
            Initial::Any => {
                // Any value that is seen; or one that nobody sees.
                let mut seen: Vec<u64> = vec![u64::MAX >> 2];
                for &i in part {
                    match reader.act(history, &history.ops[i as usize]) {
                        Act::Read(v) | Act::Cas(v, _) => seen.push(v.0),
                        _ => {}
                    }
                }
                seen.sort_unstable();
                seen.dedup();
                seen.into_iter().map(|v| vec![v]).collect()
            }
        };
        Register { initial, reader }
    }

    fn act(&self, history: &History, op: &Operation) -> Act {
        self.reader.act(history, op)
    }
}

impl Model for Register {
    fn initial(&self) -> Vec<State> {
        self.initial.clone()
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        match self.act(history, op) {
            Act::Nothing => vec![state.to_vec()],
            Act::Read(v) if v.0 == state[0] => vec![state.to_vec()],
            Act::Write(v) => vec![vec![v.0]],
            Act::Cas(from, to) if from.0 == state[0] => vec![vec![to.0]],
            _ => vec![],
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        match self.act(history, op) {
            Act::Read(_) | Act::Nothing => true,
            Act::Cas(from, to) => from == to,
            Act::Write(_) => false,
        }
    }

    fn learns_from_failure(&self, history: &History, op: &Operation) -> bool {
        matches!(self.act(history, op), Act::Read(_))
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        match self.act(history, op) {
            Act::Nothing => [0, 0, 0, 0],
            Act::Read(v) => [1, v.0, 0, 0],
            Act::Write(v) => [2, v.0, 0, 0],
            Act::Cas(from, to) => [3, from.0, to.0, 0],
        }
    }

    fn effect(&self, history: &History, op: &Operation) -> Effect {
        match self.act(history, op) {
            Act::Write(_) => Effect::Blind,
            _ => Effect::Depends,
        }
    }

    fn sees_the_past(&self) -> bool {
        true
    }

    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        let (observes, provides) = match self.act(history, op) {
            Act::Nothing => (vec![], vec![]),
            Act::Read(v) => (vec![v.0], vec![]),
            Act::Write(v) => (vec![], vec![v.0]),
            Act::Cas(from, to) => (vec![from.0], vec![to.0]),
        };
        Some(Evidence { observes, provides })
    }
}
