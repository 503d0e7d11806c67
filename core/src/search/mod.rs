//! The search: decides any model, exactly, within a budget.
//!
//! Lowe's just-in-time linearization (Testing for linearizability, 2017) over a window of open
//! operations. docs/explanation/checking.md argues each pruning.

mod bits;
mod space;
mod window;

use crate::check::{Answer, Budget, Reason};
use crate::history::{History, Outcome, OPEN};
use crate::model::Model;

/// One event of the search: an operation begins, or ends.
#[derive(Clone, Copy)]
pub(crate) struct Step {
    pub position: u32,
    pub op: u32,
    pub ends: bool,
}

/// The events of the operations that the search must order, in order.
fn steps(history: &History, part: &[u32], model: &dyn Model) -> Vec<Step> {
    let mut steps = Vec::with_capacity(part.len() * 2);
    for &i in part {
        let op = &history.ops[i as usize];
        let kept = match op.outcome {
            Outcome::Ok => true,
            Outcome::Fail => op.ret != OPEN && model.learns_from_failure(history, op),
            Outcome::Info => !model.read_only(history, op),
        };
        if !kept {
            continue;
        }
        steps.push(Step { position: op.inv, op: i, ends: false });
        if op.ret != OPEN && op.outcome != Outcome::Info {
            steps.push(Step { position: op.ret, op: i, ends: true });
        }
    }
    steps.sort_unstable_by_key(|s| s.position);
    steps
}

/// Decides whether the partition has a linearization that `model` permits.
pub fn check(history: &History, part: &[u32], model: &dyn Model, budget: &Budget) -> Answer {
    let steps = steps(history, part, model);
    let (mut open, mut unknown, mut most) = (0usize, 0usize, 0usize);
    for s in &steps {
        let op = &history.ops[s.op as usize];
        if s.ends {
            open -= 1;
        } else if op.ret == OPEN || op.outcome == Outcome::Info {
            unknown += 1;
        } else {
            open += 1;
            most = most.max(open);
        }
    }
    let words = most.max(unknown).div_ceil(64).max(1);
    match words {
        1 => run::<1>(history, &steps, model, budget),
        2 => run::<2>(history, &steps, model, budget),
        3..=4 => run::<4>(history, &steps, model, budget),
        5..=16 => run::<16>(history, &steps, model, budget),
        17..=64 => run::<64>(history, &steps, model, budget),
        _ => Answer::NotApplicable { why: "more than 4096 operations are open at once" },
    }
}

fn run<const W: usize>(
    history: &History,
    steps: &[Step],
    model: &dyn Model,
    budget: &Budget,
) -> Answer {
    let mut window = window::Window::<W>::new(history, model);
    for s in steps {
        if !s.ends {
            window.begin(s.op);
            continue;
        }
        match window.end(s.op, budget) {
            window::Step::Possible => {}
            window::Step::Impossible => {
                let core = steps
                    .iter()
                    .take_while(|t| t.position <= s.position)
                    .filter(|t| !t.ends)
                    .map(|t| t.op)
                    .collect();
                let reason = Reason { tag: "no-order", ops: vec![s.op] };
                return Answer::Invalid { core, at: Some(s.position), reason };
            }
            window::Step::Exhausted(limit) => {
                return Answer::Unknown { limit, verified: s.position };
            }
        }
    }
    Answer::Valid { witness: window.witness() }
}
