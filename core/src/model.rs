//! Model: a sequential specification, as the search sees it.

use crate::history::{History, Operation};

/// A state, spelled in words of a model's own choosing (value ids, counts); two states are
/// equal iff their words are. The search interns them and asks `step` once per distinct
/// (state, operation class), so `step` may be slow but must be pure.
pub type State = Vec<u64>;

pub trait Model: Sync {
    /// All possible initial states (several where the initial value is unknown).
    fn initial(&self) -> Vec<State>;

    /// Every state in which `op` may leave `state`; none where `op` cannot happen there.
    /// For an operation of unknown outcome the completion's value is not known: any legal
    /// return value will do.
    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State>;

    /// True for an operation that never changes any state (it may then be linearized as soon
    /// as it is legal, and dropped where its outcome is unknown). `write(v)` in state `v` is
    /// NOT such an operation.
    fn read_only(&self, history: &History, op: &Operation) -> bool;
}
