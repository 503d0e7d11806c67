//! FIFO queue. A dequeue that completes with nil found the queue empty.

use super::{answered, functions, initial_value, members};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Enqueue: "enqueue", "enq", "offer", "send";
    Dequeue: "dequeue", "deq", "poll", "receive";
}

pub static SPEC: Spec = Spec {
    name: "queue",
    about: "FIFO queue; a dequeue of nil found it empty",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::queue::ORDER],
    model: |history, _, options| Box::new(Queue::new(history, options)),
    well_formed,
    initial: super::starts_with_elements,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Enqueue) if op.arg == ValueId::NIL => Err("an element to enqueue, not nil"),
        _ => Ok(()),
    }
}

/// What an operation does to a queue, a stack or a priority queue.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act {
    Put(ValueId),
    Take(ValueId),
    /// Found nothing to take.
    Empty,
    /// Took something, or found nothing, or did not happen.
    TakeUnknown,
    Nothing,
}

/// The act of an operation that puts (`put`) or takes.
pub fn act(put: bool, op: &Operation) -> Act {
    match (put, op.outcome) {
        (_, Outcome::Fail) => Act::Nothing,
        (true, _) => Act::Put(op.arg),
        (false, Outcome::Info) => Act::TakeUnknown,
        (false, Outcome::Ok) if !answered(op) || op.out == ValueId::NIL => Act::Empty,
        (false, Outcome::Ok) => Act::Take(op.out),
    }
}

pub fn class(act: Act) -> Class {
    match act {
        Act::Nothing => [0; 4],
        Act::Put(v) => [1, v.0, 0, 0],
        Act::Take(v) => [2, v.0, 0, 0],
        Act::Empty => [3, 0, 0, 0],
        Act::TakeUnknown => [4, 0, 0, 0],
    }
}

/// What belongs to one element may be left out together: the others come in the same order
/// without it. A take of unknown outcome may belong to any.
pub fn evidence(act: Act) -> Option<Evidence> {
    match act {
        Act::Put(v) | Act::Take(v) => Some(Evidence { observes: vec![v.0], provides: vec![v.0] }),
        Act::Empty | Act::Nothing => Some(Evidence::default()),
        Act::TakeUnknown => None,
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
            Some(f) => act(f == Function::Enqueue, op),
            None => Act::Nothing,
        }
    }
}

/// The elements before the first operation, front first.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [ValueId] {
    members(history, initial_value(options)).unwrap_or(&[])
}

/// State: the ids of the elements, front first.
pub struct Queue {
    reader: Reader,
    initial: State,
}

impl Queue {
    pub fn new(history: &History, options: &Options) -> Self {
        let initial = initial(history, options).iter().map(|v| v.0).collect();
        Queue { reader: Reader::new(history), initial }
    }
}

impl Model for Queue {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, _: &History, state: &[u64], op: &Operation) -> Vec<State> {
        match (self.reader.act(op), state.first()) {
            (Act::Put(v), _) => {
                let mut next = state.to_vec();
                next.push(v.0);
                vec![next]
            }
            (Act::Take(v), Some(&front)) if v.0 == front => vec![state[1..].to_vec()],
            (Act::Take(_), _) | (Act::Empty, Some(_)) => vec![],
            (Act::TakeUnknown, Some(_)) => vec![state[1..].to_vec()],
            (Act::Empty | Act::TakeUnknown, None) | (Act::Nothing, _) => vec![state.to_vec()],
        }
    }

    fn read_only(&self, _: &History, op: &Operation) -> bool {
        matches!(self.reader.act(op), Act::Empty | Act::Nothing)
    }

    fn evidence(&self, _: &History, op: &Operation) -> Option<Evidence> {
        evidence(self.reader.act(op))
    }

    fn class(&self, _: &History, op: &Operation) -> Class {
        class(self.reader.act(op))
    }
}
