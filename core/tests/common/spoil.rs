//! What makes a history wrong, most likely: another answer, or another end, of one operation.

#![allow(dead_code)]

use _core::history::{Outcome, OPEN};
use _core::oracle::Plain;
use Plain::{Bool, Int, List, Nil, Str};

use super::random::Event;
use super::rng::Rng;

/// Damages what one operation says, or when it ended.
pub fn spoil(model: &str, events: &mut [Event], rng: &mut Rng) {
    let told: Vec<usize> =
        (0..events.len()).filter(|&i| events[i].outcome == Outcome::Ok).collect();
    if told.is_empty() {
        return;
    }
    let at = *rng.pick(&told);
    let same: Vec<usize> = told.iter().copied().filter(|&i| events[i].f == events[at].f).collect();
    let other = *rng.pick(&same);
    match rng.below(6) {
        // Swapped answers, or one told twice.
        0 => {
            let kept = events[at].out.clone();
            events[at].out = events[other].out.clone();
            events[other].out = kept;
        }
        1 => events[at].out = events[other].out.clone(),
        // Lost: it did not happen, after all.
        2 => events[at].outcome = Outcome::Fail,
        // A little off.
        3 => {
            let out = events[at].out.clone();
            events[at].out = match out {
                Int(i) => Int(i + rng.below(3) as i64 - 1),
                Bool(b) => Bool(!b),
                List(mut members) if !members.is_empty() && model != "versioned-register" => {
                    let i = rng.below(members.len());
                    match rng.below(3) {
                        0 if model != "leader" && model != "multi-register" => {
                            members.remove(i);
                        }
                        1 => {
                            let j = rng.below(members.len());
                            members.swap(i, j);
                        }
                        _ => {
                            if let Int(v) = members[i] {
                                members[i] = Int(v + 1);
                            }
                        }
                    }
                    List(members)
                }
                Str(text) if !text.is_empty() && model == "kv" => {
                    let mut chars: Vec<char> = text.chars().collect();
                    chars.remove(rng.below(chars.len()));
                    Str(chars.into_iter().collect())
                }
                out => out,
            };
        }
        // It began later than it did.
        4 => {
            let (inv, ret) = (events[at].inv, events[at].ret);
            let taken: Vec<u32> = events.iter().flat_map(|e| [e.inv, e.ret]).collect();
            if let Some(free) = (inv + 1..ret).rev().find(|p| !taken.contains(p)) {
                events[at].inv = free;
            }
        }
        // Unknown after all.
        _ => {
            events[at].outcome = Outcome::Info;
            events[at].ret = OPEN;
            events[at].out = Nil;
        }
    }
    // What was damaged must stay well formed.
    let event = &mut events[at];
    if event.outcome == Outcome::Ok {
        let fine = match (model, event.f) {
            ("leader", _) => event.out == Nil || event.out.list().len() == 2,
            _ => true,
        };
        if !fine {
            event.out = Nil;
        }
    }
}
