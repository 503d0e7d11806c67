//! Priority queue whose elements are distinct, with takes that found it empty.
//!
//! An element can be taken only where no better one is certainly there. Best first: its put
//! goes as late as it may, its take into the first gap that better elements leave free; the
//! time between is covered for all worse ones. What is covered is what would be in any case,
//! so that the first choice is as good as any. After Lee and Mathur (OOPSLA 2025).
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [take]; `twice`: [take, take]; `too-early`: [put, take]: as of queues.
//! - `better-there`: [take, put, take, ...]: at each moment of it one of these better elements
//!   was there.
//! - `not-empty`: [take, put, take, ...]: it found nothing, though one of these was there.

use std::cmp::Ordering;

use super::gaps::{elements, not_empty, Element, Elements, NONE};
use super::{run, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::History;
use crate::models::priority_queue::{compare, initial, Reader};
use crate::models::queue::Act;
use crate::registry::{Fast, Initial, Options};

pub const GAPS: Fast = Fast { name: "priority-gaps", check };

/// Decides a history of a priority queue (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any || !initial(history, options).is_empty() {
        return Answer::NotApplicable { why: "the queue is not empty at first" };
    }
    let reader = Reader::new(history);
    run(history, part, budget, |view| decide(view, &reader))
}

fn decide(view: &View, reader: &Reader) -> Verdict {
    let mut greatest = None;
    for (_, op) in view.ops() {
        if matches!(reader.act(&op), Act::Take(_)) {
            let this = reader.greatest(&op);
            if *greatest.get_or_insert(this) != this {
                return Verdict::Outside("both the least and the greatest are taken");
            }
        }
    }
    let Elements { mut all, empty, unknown, ends } = match elements(view, |op| reader.act(op)) {
        Ok(found) => found,
        Err(verdict) => return verdict,
    };
    let loose = !unknown.is_empty() && all.iter().any(|e| e.take == NONE);
    let order = if greatest == Some(true) { Ordering::reverse } else { |o: Ordering| o };
    all.sort_by(|a, b| order(compare(view.history, a.value, b.value)));
    match solve(&all, &empty, ends) {
        // An element left behind may have gone to one of them.
        Verdict::Invalid(..) if loose => Verdict::Outside("takes of unknown outcome may matter"),
        verdict => verdict,
    }
}

/// `all`: the best first.
fn solve(all: &[Element], empty: &[(u32, u32, u32)], ends: u32) -> Verdict {
    // By gap: the first one from there that is not covered.
    let mut free: Vec<u32> = (0..=ends).collect();
    let mut placed: Vec<(u32, u8, u32, u32)> = Vec::new(); // gap, kind, rank, operation
    for (rank, e) in all.iter().enumerate() {
        let rank = rank as u32;
        let take = if e.take == NONE { ends } else { first(&mut free, e.take_from) };
        if e.take != NONE && take >= e.take_by {
            let mut verdict = not_empty(&all[..rank as usize], e.take, e.take_from, e.take_by);
            if let Verdict::Invalid(core, reason) = &mut verdict {
                core.push(e.put);
                reason.tag = "better-there";
            }
            return verdict;
        }
        // The last gap in which the put can stand and is no later than the take.
        let put = e.put_by.saturating_sub(1).min(take);
        if put == take {
            placed.push((put, 2, 2 * rank, e.put));
            placed.push((put, 2, 2 * rank + 1, e.take));
            continue;
        }
        placed.push((put, 3, rank, e.put));
        if e.take != NONE {
            placed.push((take, 0, rank, e.take));
        }
        let mut g = first(&mut free, put + 1);
        while g < take {
            free[g as usize] = g + 1;
            g = first(&mut free, g + 1);
        }
    }
    for &(op, inv, ret) in empty {
        let g = first(&mut free, inv);
        if g >= ret {
            return not_empty(all, op, inv, ret);
        }
        placed.push((g, 1, 0, op));
    }
    placed.sort_unstable();
    Verdict::Valid(placed.into_iter().map(|(.., op)| op).collect())
}

/// The first gap from `g` on that is not covered; the paths to it get shorter as it is found.
fn first(free: &mut [u32], g: u32) -> u32 {
    let mut end = g;
    while (end as usize) < free.len() - 1 && free[end as usize] != end {
        end = free[end as usize];
    }
    let mut g = g;
    while g < end {
        g = std::mem::replace(&mut free[g as usize], end);
    }
    end
}
