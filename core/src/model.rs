//! Model: a sequential specification, as the search sees it.

use crate::history::{History, Operation, Outcome};

/// A state, spelled in words of a model's own choosing (value ids, counts); two states are
/// equal iff their words are. The search interns them and asks `step` once per distinct
/// (state, operation class), so `step` may be slow but must be pure.
pub type State = Vec<u64>;

/// How an operation treats the state that it finds. Only the search asks; saying too little
/// costs time, saying too much makes verdicts wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Effect {
    /// Whether it can happen, or what it gives, depends on the state.
    Depends,
    /// It can happen in every state (an append, an increment without a result).
    Total,
    /// It can happen in every state and leaves the same one whatever was before (a write).
    Blind,
}

/// What an operation needs others to have put there, and what it puts there, as tokens of a
/// model's own choosing (ids of values).
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Evidence {
    pub observes: Vec<u64>,
    pub provides: Vec<u64>,
}

/// What two operations must share for a model to treat them alike.
pub type Class = [u64; 4];

pub trait Model: Send + Sync {
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

    /// True where an operation that failed tells something all the same (a failed cas that
    /// returns the value seen is a read). `step` and `read_only` must then know it; all other
    /// failed operations did not happen and are dropped before the search.
    fn learns_from_failure(&self, _history: &History, _op: &Operation) -> bool {
        false
    }

    /// Operations of equal class step alike in every state. The default is exact; a model
    /// says more where it can (a write of unknown outcome does what a certain one does), for
    /// the search treats operations of one class as interchangeable.
    fn class(&self, _history: &History, op: &Operation) -> Class {
        let outcome = match op.outcome {
            Outcome::Ok => 0,
            Outcome::Fail => 1,
            Outcome::Info => 2,
        };
        [u64::from(op.f), op.arg.0, op.out.0, outcome]
    }

    /// See `Effect`.
    fn effect(&self, _history: &History, _op: &Operation) -> Effect {
        Effect::Depends
    }

    /// Runs `work`, which will ask this model over and over. A model for whom the first question
    /// of a thread is dear prepares for them here.
    fn serve(&self, work: &mut (dyn FnMut() + Send)) {
        work();
    }

    /// Ids of values will stand for others from now on: what was kept by id has to be forgotten.
    /// `words` (sorted) holds all words of the states that are left, among others.
    fn forget_ids(&self, _words: &[u64]) {}

    /// Whether threads that ask at once get answers at once.
    fn parallel(&self) -> bool {
        true
    }

    /// A sub-history proves something about the whole history only if it holds every operation
    /// that provides something which one of its operations observes, and if leaving out all
    /// others could not make a linearizable history seem impossible. None: only read-only
    /// operations may be left out.
    fn evidence(&self, _history: &History, _op: &Operation) -> Option<Evidence> {
        None
    }

    /// Whether an operation only ever observes what others provided before it, so that whoever
    /// began when it had ended does not matter to it. Not so where operations observe each other.
    fn sees_the_past(&self) -> bool {
        false
    }
}
