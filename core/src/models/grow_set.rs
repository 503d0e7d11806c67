//! Grow-only set: adds of single elements, reads of the whole set.

use super::{answered, functions, initial_value, members};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Add: "add", "insert";
    Read: "read", "get", "members";
}

pub static SPEC: Spec = Spec {
    name: "grow-set",
    about: "add an element to a set, read the whole set",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::grow_set::SNAPSHOTS],
    model: |history, _, options| Box::new(GrowSet::new(history, options)),
    well_formed,
    initial: super::starts_with_list,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Read) if answered(op) && members(history, op.out).is_none() => {
            Err("a list of the elements read, or nil for none")
        }
        _ => Ok(()),
    }
}

/// What an operation does to a grow-only set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Add(ValueId),
    /// The elements read, a list in any order; NIL for none.
    Read(ValueId),
    Nothing,
}

pub struct Reader {
    table: Vec<Option<Function>>,
}

impl Reader {
    pub fn new(history: &History) -> Self {
        Reader { table: Function::table(history) }
    }

    pub fn act(&self, op: &Operation) -> Act {
        match (self.table[op.f as usize], op.outcome) {
            (Some(Function::Add), Outcome::Ok | Outcome::Info) => Act::Add(op.arg),
            (Some(Function::Read), Outcome::Ok) => Act::Read(op.out),
            _ => Act::Nothing,
        }
    }
}

/// The elements before the first operation.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [ValueId] {
    members(history, initial_value(options)).unwrap_or(&[])
}

fn sorted(list: &[ValueId]) -> State {
    let mut ids: State = list.iter().map(|v| v.0).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// State: the ids of the elements, sorted.
pub struct GrowSet {
    reader: Reader,
    initial: State,
}

impl GrowSet {
    pub fn new(history: &History, options: &Options) -> Self {
        GrowSet { reader: Reader::new(history), initial: sorted(initial(history, options)) }
    }
}

impl Model for GrowSet {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        match self.reader.act(op) {
            Act::Add(v) => {
                let mut next = state.to_vec();
                if let Err(at) = next.binary_search(&v.0) {
                    next.insert(at, v.0);
                }
                vec![next]
            }
            Act::Read(list) => match members(history, list) {
                Some(seen) if sorted(seen) == state => vec![state.to_vec()],
                _ => vec![],
            },
            Act::Nothing => vec![state.to_vec()],
        }
    }

    fn read_only(&self, _: &History, op: &Operation) -> bool {
        !matches!(self.reader.act(op), Act::Add(_))
    }

    fn sees_the_past(&self) -> bool {
        true
    }

    /// A read shows all that was there: what is in none of the reads may be left out.
    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        let mut e = Evidence::default();
        match self.reader.act(op) {
            Act::Add(v) => e.provides.push(v.0),
            Act::Read(list) => {
                e.observes.extend(members(history, list).unwrap_or(&[]).iter().map(|v| v.0));
            }
            Act::Nothing => {}
        }
        Some(e)
    }

    fn class(&self, _: &History, op: &Operation) -> Class {
        match self.reader.act(op) {
            Act::Nothing => [0; 4],
            Act::Read(list) => [1, list.0, 0, 0],
            Act::Add(v) => [2, v.0, 0, 0],
        }
    }
}
