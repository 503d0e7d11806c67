//! String register with append where no text begins another: what a get returned shows which
//! put and appends made it, in order.
//!
//! A text that is written several times is taken for the one that its place in what was read
//! permits; where several are left, for one that the times suggest. A linearization found so is
//! one whatever was guessed. Where none is found, one operation that may have been any of them
//! stands for all (`Twice::Either`); what is impossible even so, is impossible. Where neither
//! helps, the search decides.
//!
//! A put and the appends seen behind it form a block that stands together: each append took the
//! text before it away, as a cas would. An append that nobody saw stands outside of all blocks,
//! like a put. Blocks are ordered as the zones of a register are. Keys are checked one by one,
//! also where the history was not split.
//!
//! Reasons it gives (`ops` in this order):
//! - `unwritten`: [get]: no puts and appends make this text.
//! - `two-orders`: [get, get]: the texts put one append behind two things, or two behind one.
//! - `too-early`: [late, early]: in the text `late` comes first, but `early` had completed before
//!   it was invoked.
//! - `replaced`: [a, b', b, a']: as of registers: a and a' belong to one put and what was
//!   appended to it, b and b' to another. a completed before b' was invoked, so the first comes
//!   first; b completed before a' was invoked, so it comes second. The initial text is no
//!   operation, and left out.

mod texts;

use super::{invalid, pieces, run_resultless, split_by, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, OPEN};
use crate::models::kv::{initial, Act, Kv, Reader};
use crate::registry::{Fast, Initial, Options};
use crate::search;
use texts::{Texts, Twice, NONE};

pub const CHUNKS: Fast = Fast { name: "chunks", check };

/// Decides a history of strings (see the module's head).
pub fn check(history: &History, part: &[u32], options: &Options, budget: &Budget) -> Answer {
    if options.initial == Initial::Any {
        return Answer::NotApplicable { why: "the initial text is unknown" };
    }
    let reader = Reader::new(history);
    let start = initial(history, options);
    let split = split_by(part, |i| history.ops[i as usize].key);
    let many = split.len() > 1;
    pieces(history, &split, |piece| {
        match run_resultless(history, piece, |view| decide(view, &reader, start)) {
            // The search is better asked about this key than about all of them at once.
            Answer::NotApplicable { .. } if many => {
                search::check(history, piece, &Kv::new(history, piece, options), budget)
            }
            answer => answer,
        }
    })
}

/// Decides the view with what the times suggest where a text is written twice; where that leads
/// nowhere, proves what holds whoever wrote it.
fn decide<'a>(view: &View<'a>, reader: &Reader, start: &'a str) -> Verdict {
    match attempt(view, reader, start, Twice::Guess) {
        Verdict::Outside(why) if why == WHY => attempt(view, reader, start, Twice::Either),
        verdict => verdict,
    }
}

fn attempt<'a>(view: &View<'a>, reader: &Reader, start: &'a str, twice: Twice) -> Verdict {
    let mut texts = match Texts::of(view, reader, start, twice) {
        Ok(texts) => texts,
        Err(verdict) => return verdict,
    };
    for (i, op) in view.ops() {
        if matches!(reader.act(view.history, &op), Act::Get(_)) {
            match texts.see(view.history, i, &op) {
                Err(Verdict::Invalid(..)) if texts.guessed => return GUESSED,
                Err(verdict) => return verdict,
                Ok(()) => {}
            }
        }
    }
    match order(&texts) {
        Verdict::Invalid(..) if texts.guessed => GUESSED,
        // Those of the others that wrote the same would have to stand somewhere.
        Verdict::Valid(_) if texts.merged => GUESSED,
        verdict => verdict,
    }
}

const WHY: &str = "a text is written twice, and which was read is unclear";
const GUESSED: Verdict = Verdict::Outside(WHY);

/// A put with what was appended to it: least completion and greatest invocation, and whose.
struct Block {
    root: u32,
    f: u32,
    s: u32,
    f_op: u32,
    s_op: u32,
}

fn order(texts: &Texts) -> Verdict {
    let chunks = &texts.chunks;
    let mut blocks = Vec::new();
    for (root, c) in chunks.iter().enumerate() {
        let alone = c.before == NONE && !c.merged;
        let happened = root == 0 || c.ret != OPEN || c.seen != NONE;
        if !alone || !happened {
            continue;
        }
        let root = root as u32;
        let mut b = Block { root, f: OPEN, s: 0, f_op: NONE, s_op: NONE };
        let mut i = root;
        while i != NONE {
            let c = &chunks[i as usize];
            if i == 0 {
                b.f = 0;
            }
            let writer = (c.op, c.first, c.ret, c.inv);
            let gets = (c.first_get, c.last_get, c.min_ret, c.max_inv);
            for (first, last, ret, inv) in [writer, gets] {
                if first == NONE {
                    continue; // no get, or the initial text
                }
                if ret < b.s {
                    let mut core = vec![b.s_op, first];
                    core.extend(last_shown(texts, root));
                    return invalid(core, "too-early", vec![b.s_op, first]);
                }
                if ret < b.f {
                    (b.f, b.f_op) = (ret, first);
                }
                if inv > b.s {
                    (b.s, b.s_op) = (inv, last);
                }
            }
            i = c.next;
        }
        blocks.push(b);
    }
    // One must come before another iff its f is less than the other's s. In this order none
    // comes after one that it must precede, unless each must precede the other.
    blocks.sort_unstable_by_key(|b| b.f.min(b.s));
    let mut latest: Option<&Block> = None;
    for b in &blocks {
        if let Some(a) = latest.filter(|a| b.f < a.s) {
            let mut ops = vec![a.f_op, b.s_op, b.f_op, a.s_op];
            ops.retain(|&o| o != NONE);
            let mut core = ops.clone();
            core.extend([a, b].into_iter().filter_map(|block| last_shown(texts, block.root)));
            return invalid(core, "replaced", ops);
        }
        if latest.is_none_or(|a| b.s > a.s) {
            latest = Some(b);
        }
    }
    let mut witness = Vec::with_capacity(chunks.len() + texts.gets.len());
    for b in &blocks {
        let mut i = b.root;
        while i != NONE {
            let c = &chunks[i as usize];
            if c.op != NONE {
                witness.push(c.op);
            }
            witness.extend(texts.gets_of(c));
            i = c.next;
        }
    }
    Verdict::Valid(witness)
}

/// A get that shows the whole block of `root`.
fn last_shown(texts: &Texts, root: u32) -> Option<u32> {
    let mut shown = None;
    let mut i = root;
    while i != NONE {
        let c = &texts.chunks[i as usize];
        shown = texts.gets_of(c).next().or(shown);
        i = c.next;
    }
    shown
}
