//! Set: add, remove and contains of single elements.
//!
//! An add or remove that completes with a truth value says whether it changed the set.

use super::{answered, functions, initial_value, members, truth};
use crate::history::{History, Operation, Outcome, Value, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Add: "add", "insert";
    Remove: "remove", "delete";
    Contains: "contains", "contains?", "member";
}

pub static SPEC: Spec = Spec {
    name: "set",
    about: "add, remove and look up single elements",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::set::ELEMENTS],
    model: |history, _, options| Box::new(Set::new(history, options)),
    well_formed,
    initial: super::starts_with_list,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Contains) if answered(op) && truth(history, op.out).is_none() => {
            Err("true or false (or 1 or 0) returned")
        }
        _ => Ok(()),
    }
}

/// What an operation does to the element that is its argument.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Act {
    /// Makes the element present, whether it was or not.
    Add,
    /// Makes it absent, whether it was or not.
    Remove,
    /// The element was absent and is present now.
    Enter,
    /// The element was present and is absent now.
    Leave,
    Present,
    Absent,
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
        // An add of element 1 may well complete with 1: only a real truth value speaks.
        let changed = || match op.out.as_small_int() {
            Some(_) => None,
            None => match history.values.get(op.out) {
                Value::Bool(b) => Some(b),
                _ => None,
            },
        };
        match (self.table[op.f as usize], op.outcome) {
            (_, Outcome::Fail) | (None, _) | (Some(Function::Contains), Outcome::Info) => {
                Act::Nothing
            }
            (Some(Function::Add), Outcome::Info) => Act::Add,
            (Some(Function::Remove), Outcome::Info) => Act::Remove,
            (Some(Function::Add), Outcome::Ok) => match changed() {
                None => Act::Add,
                Some(true) => Act::Enter,
                Some(false) => Act::Present,
            },
            (Some(Function::Remove), Outcome::Ok) => match changed() {
                None => Act::Remove,
                Some(true) => Act::Leave,
                Some(false) => Act::Absent,
            },
            (Some(Function::Contains), Outcome::Ok) => match truth(history, op.out) {
                Some(true) => Act::Present,
                _ => Act::Absent,
            },
        }
    }
}

/// The elements before the first operation.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [ValueId] {
    members(history, initial_value(options)).unwrap_or(&[])
}

/// State: the ids of the elements, sorted.
pub struct Set {
    reader: Reader,
    initial: State,
}

impl Set {
    pub fn new(history: &History, options: &Options) -> Self {
        let mut initial: State = initial(history, options).iter().map(|v| v.0).collect();
        initial.sort_unstable();
        initial.dedup();
        Set { reader: Reader::new(history), initial }
    }
}

impl Model for Set {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let place = state.binary_search(&op.arg.0);
        let same = || vec![state.to_vec()];
        match (self.reader.act(history, op), place) {
            (Act::Nothing, _) => same(),
            (Act::Add | Act::Present, Ok(_)) | (Act::Remove | Act::Absent, Err(_)) => same(),
            (Act::Add | Act::Enter, Err(at)) => {
                let mut next = state.to_vec();
                next.insert(at, op.arg.0);
                vec![next]
            }
            (Act::Remove | Act::Leave, Ok(at)) => {
                let mut next = state.to_vec();
                next.remove(at);
                vec![next]
            }
            (Act::Enter | Act::Absent, Ok(_)) | (Act::Leave | Act::Present, Err(_)) => vec![],
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        matches!(self.reader.act(history, op), Act::Present | Act::Absent | Act::Nothing)
    }

    /// Elements do not depend on each other.
    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        let element = vec![op.arg.0];
        Some(match self.reader.act(history, op) {
            Act::Nothing => Evidence::default(),
            Act::Present | Act::Absent => Evidence { observes: element, ..Evidence::default() },
            Act::Add | Act::Remove | Act::Enter | Act::Leave => {
                Evidence { observes: element.clone(), provides: element }
            }
        })
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        [self.reader.act(history, op) as u64, op.arg.0, 0, 0]
    }
}
