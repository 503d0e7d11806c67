//! Search models of the built-in data types, one file each; `crate::registry` lists them.
//!
//! A file says which functions the type has, what an operation of it does (`Act`), the state
//! the search keeps (`Model`), and which fast algorithms of `crate::types` apply (`SPEC`).
//! docs/reference/models.md is the same for users.

use crate::history::{History, Operation, Outcome, Value, ValueId};
use crate::registry::{Initial, Options};

pub mod append_list;
pub mod counter;
pub mod grow_set;
pub mod kv;
pub mod leader;
pub mod multi_register;
pub mod mutex;
pub mod priority_queue;
pub mod queue;
pub mod semaphore;
pub mod set;
pub mod stack;
pub mod versioned;

/// Declares the functions of a type, with their other names, and resolves them.
macro_rules! functions {
    ($($kind:ident: $($name:literal),+;)+) => {
        #[derive(Clone, Copy, PartialEq, Eq, Debug)]
        pub enum Function { $($kind),+ }

        pub const FUNCTIONS: &[&str] = &[$($($name),+),+];

        impl Function {
            pub fn of(name: &str) -> Option<Function> {
                match name {
                    $($($name)|+ => Some(Function::$kind),)+
                    _ => None,
                }
            }

            /// By function index of the history.
            pub fn table(history: &$crate::history::History) -> Vec<Option<Function>> {
                history.functions.iter().map(|f| Function::of(f)).collect()
            }
        }
    };
}
pub(crate) use functions;

/// The name of the function that `op` calls.
pub(crate) fn function<'a>(history: &'a History, op: &Operation) -> &'a str {
    &history.functions[op.f as usize]
}

/// An integer of any size that the core knows.
pub(crate) fn int(history: &History, id: ValueId) -> Option<i64> {
    match id.as_small_int() {
        Some(i) => Some(i),
        None => match history.values.get(id) {
            Value::Int(i) => Some(i),
            _ => None,
        },
    }
}

/// An amount: nil stands for one.
pub(crate) fn amount(history: &History, id: ValueId) -> Option<i64> {
    if id == ValueId::NIL {
        Some(1)
    } else {
        int(history, id)
    }
}

/// The members of a list; nil stands for the empty list.
pub(crate) fn members(history: &History, id: ValueId) -> Option<&[ValueId]> {
    if id == ValueId::NIL {
        Some(&[])
    } else {
        history.values.list(id)
    }
}

/// A list of two.
pub(crate) fn pair(history: &History, id: ValueId) -> Option<(ValueId, ValueId)> {
    match history.values.list(id) {
        Some([a, b]) => Some((*a, *b)),
        _ => None,
    }
}

/// A truth value; Redis and others say 1 and 0.
pub(crate) fn truth(history: &History, id: ValueId) -> Option<bool> {
    match (id.as_small_int(), id == ValueId::NIL) {
        (Some(0), _) => Some(false),
        (Some(1), _) => Some(true),
        (Some(_), _) | (None, true) => None,
        (None, false) => match history.values.get(id) {
            Value::Bool(b) => Some(b),
            _ => None,
        },
    }
}

/// The initial value that the user gave; nil where none was.
pub(crate) fn initial_value(options: &Options) -> ValueId {
    match options.initial {
        Initial::Value(v) => v,
        Initial::Default | Initial::Any => ValueId::NIL,
    }
}

/// An initial value that is a list.
pub(crate) fn starts_with_list(history: &History, initial: ValueId) -> Result<(), &'static str> {
    members(history, initial).map(drop).ok_or("a list of the elements that are there at first")
}

/// An initial value that is a list of elements that can be taken.
pub(crate) fn starts_with_elements(
    history: &History,
    initial: ValueId,
) -> Result<(), &'static str> {
    match members(history, initial) {
        Some(elements) if !elements.contains(&ValueId::NIL) => Ok(()),
        _ => Err("a list of the elements that are there at first, none of them nil"),
    }
}

/// No initial value at all.
pub(crate) fn starts_always_alike(_: &History, _: ValueId) -> Result<(), &'static str> {
    Err("no initial value, it starts with nothing held and nothing known")
}

/// Whether the operation completed, so that its `out` says something.
pub(crate) fn answered(op: &Operation) -> bool {
    op.outcome == Outcome::Ok
}
