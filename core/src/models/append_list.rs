//! Append-list: appends of one element, reads of the whole list.

use super::{answered, functions, initial_value, members};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Append: "append";
    Read: "read", "r", "get";
}

pub static SPEC: Spec = Spec {
    name: "append-list",
    about: "append an element to a list, read the whole list",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::append_list::PREFIXES],
    model: |history, _, options| Box::new(AppendList::new(history, options)),
    well_formed,
    initial: super::starts_with_list,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Read) if answered(op) && members(history, op.out).is_none() => {
            Err("a list read, or nil for the empty one")
        }
        _ => Ok(()),
    }
}

/// What an operation does to a list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Append(ValueId),
    /// The list read; NIL for the empty one.
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
            (Some(Function::Append), Outcome::Ok | Outcome::Info) => Act::Append(op.arg),
            (Some(Function::Read), Outcome::Ok) => Act::Read(op.out),
            _ => Act::Nothing,
        }
    }
}

/// The elements before the first operation.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [ValueId] {
    members(history, initial_value(options)).unwrap_or(&[])
}

/// State: the ids of the elements, first to last.
pub struct AppendList {
    reader: Reader,
    initial: State,
}

impl AppendList {
    pub fn new(history: &History, options: &Options) -> Self {
        let initial = initial(history, options).iter().map(|v| v.0).collect();
        AppendList { reader: Reader::new(history), initial }
    }
}

impl Model for AppendList {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        match self.reader.act(op) {
            Act::Append(v) => {
                let mut next = Vec::with_capacity(state.len() + 1);
                next.extend_from_slice(state);
                next.push(v.0);
                vec![next]
            }
            Act::Read(list) => match members(history, list) {
                Some(seen) if seen.iter().map(|v| v.0).eq(state.iter().copied()) => {
                    vec![state.to_vec()]
                }
                _ => vec![],
            },
            Act::Nothing => vec![state.to_vec()],
        }
    }

    fn read_only(&self, _: &History, op: &Operation) -> bool {
        !matches!(self.reader.act(op), Act::Append(_))
    }

    fn sees_the_past(&self) -> bool {
        true
    }

    /// A read shows all that was there: what is in none of the reads may be left out.
    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        let mut e = Evidence::default();
        match self.reader.act(op) {
            Act::Append(v) => e.provides.push(v.0),
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
            Act::Append(v) => [2, v.0, 0, 0],
        }
    }
}
