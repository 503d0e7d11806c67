//! Leader election: two observations of one term must name one leader. Any order will do.
//!
//! Reason it gives: `two-leaders`: [op, op]: they name different leaders of one term.

use std::collections::HashMap;

use super::{invalid, run, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, OPEN};
use crate::models::leader::seen;
use crate::registry::{Fast, Options};

pub const TERMS: Fast = Fast { name: "terms", check };

/// Decides a history of observations of leaders.
pub fn check(history: &History, part: &[u32], _: &Options, budget: &Budget) -> Answer {
    run(history, part, budget, decide)
}

fn decide(view: &View) -> Verdict {
    let mut leaders = HashMap::new();
    let mut order = Vec::new();
    for (i, op) in view.ops() {
        if op.ret == OPEN {
            continue;
        }
        order.push(i);
        if let Some((term, leader)) = seen(view.history, &op) {
            let &mut (first, known) = leaders.entry(term).or_insert((i, leader));
            if known != leader {
                return invalid(vec![first, i], "two-leaders", vec![first, i]);
            }
        }
    }
    Verdict::Valid(order)
}
