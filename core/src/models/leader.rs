//! Leader election: each term has at most one leader, whoever says so and whenever.
//!
//! An operation completes with [term, leader]; nil (nobody known) tells nothing.

use super::{functions, pair};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Model, State};
use crate::registry::Spec;

functions! {
    Observe: "leader", "observe", "read", "elect", "lead";
}

pub static SPEC: Spec = Spec {
    name: "leader",
    about: "observations [term, leader]: at most one leader per term",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::leader::TERMS],
    model: |history, _, _| Box::new(Leader::new(history)),
    well_formed,
    initial: super::starts_always_alike,
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    match op.outcome {
        Outcome::Ok if op.out != ValueId::NIL && pair(history, op.out).is_none() => {
            Err("a list [term, leader], or nil")
        }
        _ => Ok(()),
    }
}

/// The term and the leader that an operation saw; None where it tells nothing.
pub fn seen(history: &History, op: &Operation) -> Option<(ValueId, ValueId)> {
    match op.outcome {
        Outcome::Ok => pair(history, op.out).filter(|&(_, leader)| leader != ValueId::NIL),
        _ => None,
    }
}

/// State: (term, leader) of every term seen, sorted by term.
pub struct Leader;

impl Leader {
    pub fn new(_: &History) -> Self {
        Leader
    }
}

impl Model for Leader {
    fn initial(&self) -> Vec<State> {
        vec![vec![]]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let Some((term, leader)) = seen(history, op) else {
            return vec![state.to_vec()];
        };
        let place = state.chunks_exact(2).position(|pair| pair[0] >= term.0);
        match place {
            Some(i) if state[2 * i] == term.0 => {
                if state[2 * i + 1] == leader.0 {
                    vec![state.to_vec()]
                } else {
                    vec![]
                }
            }
            _ => {
                let at = place.map_or(state.len(), |i| 2 * i);
                let mut next = state.to_vec();
                next.splice(at..at, [term.0, leader.0]);
                vec![next]
            }
        }
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        seen(history, op).is_none()
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        match seen(history, op) {
            None => [0; 4],
            Some((term, leader)) => [1, term.0, leader.0, 0],
        }
    }
}
