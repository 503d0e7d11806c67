//! Priority queue: takes of the least (or the greatest) element. A take of nil found it empty.
//!
//! Elements compare as numbers, as text, or as lists of these, member by member.

use std::cmp::Ordering;

use super::queue::{class, Act};
use super::{functions, initial_value, members};
use crate::history::{History, Operation, Value, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};

functions! {
    Insert: "insert", "add", "push", "enqueue";
    Least: "delete-min", "remove-min", "extract-min", "pop-min", "poll", "dequeue", "pop";
    Greatest: "delete-max", "remove-max", "extract-max", "pop-max";
}

pub static SPEC: Spec = Spec {
    name: "priority-queue",
    about: "insert, take the least (delete-min) or greatest (delete-max); nil: found it empty",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::priority_queue::GAPS],
    model: |history, _, options| Box::new(PriorityQueue::new(history, options)),
    well_formed,
    initial: super::starts_with_elements,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match Function::of(super::function(history, op)) {
        Some(Function::Insert) if op.arg == ValueId::NIL => Err("an element to insert, not nil"),
        _ => Ok(()),
    }
}

/// The order of elements: numbers before text before lists; ids decide between things that have
/// no order of their own, so that it is total.
pub fn compare(history: &History, a: ValueId, b: ValueId) -> Ordering {
    if a == b {
        return Ordering::Equal;
    }
    if let (Some(x), Some(y)) = (a.as_small_int(), b.as_small_int()) {
        return x.cmp(&y);
    }
    let rank = |v: &Value| match v {
        Value::Nil => 0,
        Value::Bool(_) => 1,
        Value::Int(_) | Value::Float(_) => 2,
        Value::Str(_) => 3,
        Value::List(_) => 4,
        Value::Map(_) => 5,
    };
    let (x, y) = (history.values.get(a), history.values.get(b));
    let order = match (&x, &y) {
        (Value::Bool(x), Value::Bool(y)) => x.cmp(y),
        (Value::Int(x), Value::Int(y)) => x.cmp(y),
        (Value::Float(x), Value::Float(y)) => f64::from_bits(*x).total_cmp(&f64::from_bits(*y)),
        (Value::Int(x), Value::Float(y)) => (*x as f64).total_cmp(&f64::from_bits(*y)),
        (Value::Float(x), Value::Int(y)) => f64::from_bits(*x).total_cmp(&(*y as f64)),
        (Value::Str(x), Value::Str(y)) => x.cmp(y),
        (Value::List(x), Value::List(y)) => x
            .iter()
            .zip(y.iter())
            .map(|(&x, &y)| compare(history, x, y))
            .find(|o| o.is_ne())
            .unwrap_or(x.len().cmp(&y.len())),
        _ => rank(&x).cmp(&rank(&y)),
    };
    order.then(a.cmp(&b))
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
            Some(f) => super::queue::act(f == Function::Insert, op),
            None => Act::Nothing,
        }
    }

    /// Whether `op` takes the greatest element rather than the least.
    pub fn greatest(&self, op: &Operation) -> bool {
        self.table[op.f as usize] == Some(Function::Greatest)
    }
}

/// The elements before the first operation.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a [ValueId] {
    members(history, initial_value(options)).unwrap_or(&[])
}

/// State: the ids of the elements, least first.
pub struct PriorityQueue {
    reader: Reader,
    initial: State,
}

impl PriorityQueue {
    pub fn new(history: &History, options: &Options) -> Self {
        let mut elements = initial(history, options).to_vec();
        elements.sort_by(|&a, &b| compare(history, a, b));
        let initial = elements.iter().map(|v| v.0).collect();
        PriorityQueue { reader: Reader::new(history), initial }
    }
}

impl Model for PriorityQueue {
    fn initial(&self) -> Vec<State> {
        vec![self.initial.clone()]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let (best, rest) = match (self.reader.greatest(op), state.len()) {
            (_, 0) => (None, state),
            (true, n) => (Some(state[n - 1]), &state[..n - 1]),
            (false, _) => (Some(state[0]), &state[1..]),
        };
        match (self.reader.act(op), best) {
            (Act::Put(v), _) => {
                let at = state.partition_point(|&s| compare(history, ValueId(s), v).is_lt());
                let mut next = state.to_vec();
                next.insert(at, v.0);
                vec![next]
            }
            (Act::Take(v), Some(best)) if v.0 == best => vec![rest.to_vec()],
            (Act::Take(_), _) | (Act::Empty, Some(_)) => vec![],
            (Act::TakeUnknown, Some(_)) => vec![rest.to_vec()],
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
        let mut class = class(self.reader.act(op));
        class[3] = u64::from(self.reader.greatest(op));
        class
    }
}
