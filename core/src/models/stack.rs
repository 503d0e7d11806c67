//! Stack. A pop that completes with nil found it empty.

use super::queue::{act, class, Act};
use super::{functions, initial_value, members};
use crate::history::{History, Operation, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Push: "push";
    Pop: "pop";
}

pub static SPEC: Spec = Spec {
    name: "stack",
    about: "last in, first out; a pop of nil found it empty",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::stack::GAPS],
    model: |history, _, options| Box::new(Stack::new(history, options)),
    well_formed,
    initial: super::starts_with_elements,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Push) if op.arg == ValueId::NIL => Err("an element to push, not nil"),
        _ => Ok(()),
    }
}

pub struct Reader {
    table: Vec<Option<Function>>,
}

impl Reader {
    pub fn new(history: &History) -> Self {
        Reader { table: Function::table(history) }
    }

    pub fn act(&self, op: &Operation) -> Act {
        match self.table[op.f as usize] {
            Some(f) => act(f == Function::Push, op),
            None => Act::Nothing,
        }
    }
}

/// The elements before the first operation, bottom first.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [ValueId] {
    members(history, initial_value(options)).unwrap_or(&[])
}

/// State: the ids of the elements, bottom first.
pub struct Stack {
    reader: Reader,
    initial: State,
}

impl Stack {
    pub fn new(history: &History, options: &Options) -> Self {
        let initial = initial(history, options).iter().map(|v| v.0).collect();
        Stack { reader: Reader::new(history), initial }
    }
}

impl Model for Stack {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, _: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let rest = || vec![state[..state.len() - 1].to_vec()];
        match (self.reader.act(op), state.last()) {
            (Act::Put(v), _) => {
                let mut next = state.to_vec();
                next.push(v.0);
                vec![next]
            }
            (Act::Take(v), Some(&top)) if v.0 == top => rest(),
            (Act::Take(_), _) | (Act::Empty, Some(_)) => vec![],
            (Act::TakeUnknown, Some(_)) => rest(),
            (Act::Empty | Act::TakeUnknown, None) | (Act::Nothing, _) => vec![state.to_vec()],
        }
    }

    fn read_only(&self, _: &History, op: &Operation) -> bool {
        matches!(self.reader.act(op), Act::Empty | Act::Nothing)
    }

    fn evidence(&self, _: &History, op: &Operation) -> Option<Evidence> {
        super::queue::evidence(self.reader.act(op))
    }

    fn class(&self, _: &History, op: &Operation) -> Class {
        class(self.reader.act(op))
    }
}
