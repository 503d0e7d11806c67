//! The search: decides any model, exactly, within a budget.
//!
//! Lowe's just-in-time linearization (Testing for linearizability, 2017) over a window of open
//! operations, with prunings that docs/explanation/checking.md argues one by one: operations
//! of unknown outcome late or never, read-only ones at once, an operation only where the next
//! depends on it, whatever can stand before a blind write settled by it, and of two
//! configurations only the one that covers the other.

mod bits;
mod exchange;
mod front;
mod open;
mod set;
mod space;
mod window;
mod witness;

use crate::check::{Answer, Budget, Reason};
use crate::history::{History, Operation, Outcome, OPEN};
use crate::model::Model;
pub use space::Context;
pub use window::{Step as Found, Window};
use witness::Asked;

/// One event of the search: an operation begins, or ends.
#[derive(Clone, Copy)]
struct Event {
    position: u32,
    op: u32,
    ends: bool,
}

/// Whether the search has to order `op` at all.
pub fn kept(history: &History, model: &dyn Model, op: &Operation) -> bool {
    match op.outcome {
        Outcome::Ok => op.ret != OPEN || !model.read_only(history, op),
        Outcome::Fail => op.ret != OPEN && model.learns_from_failure(history, op),
        Outcome::Info => !model.read_only(history, op),
    }
}

/// The events of the operations that the search must order, in order.
fn events(context: Context, part: &[u32]) -> Vec<Event> {
    let mut events = Vec::with_capacity(part.len() * 2);
    for &i in part {
        let op = &context.history.ops[i as usize];
        if kept(context.history, context.model, op) {
            events.push(Event { position: op.inv, op: i, ends: false });
            if op.ret != OPEN && op.outcome != Outcome::Info {
                events.push(Event { position: op.ret, op: i, ends: true });
            }
        }
    }
    events.sort_unstable_by_key(|e| e.position);
    events
}

/// Decides whether the partition has a linearization that `model` permits.
///
/// Reason: `no-order`: [op]: whatever is tried, the completion of op cannot be reached.
pub fn check(history: &History, part: &[u32], model: &dyn Model, budget: &Budget) -> Answer {
    let context = Context { history, model };
    let events = events(context, part);
    let (mut open, mut most) = (0usize, 0);
    for e in &events {
        if e.ends {
            open -= 1;
        } else {
            open += 1;
            most = most.max(open);
        }
    }
    match most.div_ceil(64) {
        0 | 1 => run::<1>(context, &events, budget),
        2 => run::<2>(context, &events, budget),
        3..=4 => run::<4>(context, &events, budget),
        5..=16 => run::<16>(context, &events, budget),
        17..=128 => run::<128>(context, &events, budget),
        _ => Answer::NotApplicable { why: "more than 8192 operations are open at once" },
    }
}

fn run<const W: usize>(context: Context, events: &[Event], budget: &Budget) -> Answer {
    let mut window = Window::<W>::new(context, true);
    for e in events {
        if !e.ends {
            window.begin(context, e.op, &context.history.ops[e.op as usize]);
            continue;
        }
        match window.end(context, e.op, budget) {
            Found::Possible => {}
            Found::Impossible => {
                let core = events
                    .iter()
                    .take_while(|t| t.position <= e.position)
                    .filter(|t| !t.ends)
                    .map(|t| t.op)
                    .collect();
                let reason = Reason { tag: "no-order", ops: vec![e.op] };
                return Answer::Invalid { core, at: Some(e.position), reason };
            }
            Found::Exhausted(limit) => {
                return Answer::Unknown { limit, verified: e.position };
            }
        }
    }
    let last = window.last();
    let asked = Asked { space: &mut window.space, edges: &mut window.fronts[0].edges };
    let witness = witness::replay(context, asked, &window.links, last, events);
    Answer::Valid { witness }
}
