//! The data types that are built in: for each its search model and its fast algorithms.
//!
//! To add one: write a `pub static SPEC: Spec` beside its algorithm and list it in `SPECS`.

use crate::check::{Answer, Budget};
use crate::history::{History, Operation, ValueId};
use crate::model::Model;
use crate::models;

/// The value a data type holds before the first operation.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub enum Initial {
    /// What the type says of itself (nil for registers, zero for counters, empty for the rest).
    #[default]
    Default,
    /// This value. Where it is not nil, a read of nil tells nothing (Knossos' convention).
    Value(ValueId),
    /// Unknown: any value will do.
    Any,
}

/// What a user may say about a model.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options {
    pub initial: Initial,
}

/// A fast exact algorithm. `check` answers `NotApplicable` where the partition is outside of
/// what it covers (repeated values, say); the next one, and last the search, is then asked.
#[derive(Clone, Copy)]
pub struct Fast {
    /// As reported, and as `--algorithm` takes it.
    pub name: &'static str,
    pub check: fn(&History, &[u32], &Options, &Budget) -> Answer,
}

/// A built-in data type.
pub struct Spec {
    pub name: &'static str,
    /// One line for `paxtest list models`.
    pub about: &'static str,
    /// The functions an operation may have; any other is an error that names these.
    pub functions: &'static [&'static str],
    /// False where the operations of different keys depend on each other.
    pub per_key: bool,
    /// Tried in this order.
    pub fast: &'static [Fast],
    /// The model for the search, for one partition (operations in order of invocation).
    pub model: fn(&History, &[u32], &Options) -> Box<dyn Model>,
    /// Err: what the values of this operation should have been.
    pub well_formed: fn(&History, &Operation) -> Result<(), &'static str>,
    /// Err: what an initial value should have been.
    pub initial: fn(&History, ValueId) -> Result<(), &'static str>,
}

impl Spec {
    /// Err, in words for the user, where this data type cannot start so.
    pub fn start(&self, history: &History, initial: Initial) -> Result<(), String> {
        match initial {
            Initial::Any if !ANY_INITIAL.contains(&self.name) => Err(format!(
                "model {} cannot do without a known value, ANY is for {}; say which value it \
                 is, or leave it out",
                self.name,
                ANY_INITIAL.join(", ")
            )),
            Initial::Value(value) if value != ValueId::NIL => (self.initial)(history, value)
                .map_err(|expected| format!("model {} takes {expected}", self.name)),
            _ => Ok(()),
        }
    }
}

/// Those whose initial value may be unknown.
pub const ANY_INITIAL: &[&str] = &["register", "cas-register"];

pub static SPECS: &[&Spec] = &[
    &crate::register::REGISTER,
    &crate::register::CAS_REGISTER,
    &models::versioned::SPEC,
    &models::multi_register::SPEC,
    &models::kv::SPEC,
    &models::counter::SPEC,
    &models::grow_set::SPEC,
    &models::set::SPEC,
    &models::append_list::SPEC,
    &models::queue::SPEC,
    &models::stack::SPEC,
    &models::priority_queue::SPEC,
    &models::mutex::MUTEX,
    &models::mutex::OWNED,
    &models::mutex::FENCED,
    &models::semaphore::SPEC,
    &models::leader::SPEC,
];

/// The data type of that name.
pub fn find(name: &str) -> Option<&'static Spec> {
    SPECS.iter().copied().find(|s| s.name == name)
}
