//! String register with append where no text begins another: what a get returned shows which
//! put and appends made it, in order.
//!
//! A text that is written several times is taken for the one that its place in what was read
//! permits; where several are left, for one that the times suggest. A linearization found so is
//! one whatever was guessed; where none is found after a guess, the search decides.
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

use std::collections::HashMap;

use super::{invalid, pieces, run, split_by, Verdict, View};
use crate::check::{Answer, Budget};
use crate::history::{History, Operation, ValueId, OPEN};
use crate::models::kv::{initial, text, Act, Kv, Reader};
use crate::registry::{Fast, Initial, Options};
use crate::search;
use crate::table::Mixed;

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
        match run(history, piece, |view| decide(view, &reader, start)) {
            // The search is better asked about this key than about all of them at once.
            Answer::NotApplicable { .. } if many => {
                search::check(history, piece, &Kv::new(history, options), budget)
            }
            answer => answer,
        }
    })
}

const NONE: u32 = u32::MAX;

/// A put or append, or (number 0) the initial text. Times are shifted by one.
struct Chunk<'a> {
    text: &'a str,
    op: u32,
    put: bool,
    inv: u32,
    ret: u32,
    /// Seen in a get: what it stands behind, what stands behind it, and the get.
    before: u32,
    next: u32,
    seen: u32,
    /// Gets that returned the text that ends here.
    first_get: u32,
    last_get: u32,
    min_ret: u32,
    max_inv: u32,
    gets: Vec<u32>,
}

impl<'a> Chunk<'a> {
    fn new(text: &'a str, op: u32, put: bool, inv: u32, ret: u32) -> Self {
        let (before, next, seen) = (NONE, NONE, NONE);
        let (first_get, last_get, min_ret, max_inv) = (NONE, NONE, OPEN, 0);
        let gets = Vec::new();
        Chunk {
            text,
            op,
            put,
            inv,
            ret,
            before,
            next,
            seen,
            first_get,
            last_get,
            min_ret,
            max_inv,
            gets,
        }
    }
}

fn shifted(event: u32) -> u32 {
    event.saturating_add(1) // OPEN stays what it is
}

fn decide<'a>(view: &View<'a>, reader: &Reader, start: &'a str) -> Verdict {
    let mut chunks = vec![Chunk::new(start, NONE, true, 0, 0)];
    for (i, op) in view.ops() {
        let (text, put) = match reader.act(view.history, &op) {
            Act::Put(text) => (text, true),
            Act::Append(text) => (text, false),
            _ => continue,
        };
        if text.is_empty() {
            return Verdict::Outside("an empty text is put or appended");
        }
        chunks.push(Chunk::new(text, i, put, shifted(op.inv), shifted(op.ret)));
    }
    let mut sorted: Vec<u32> = (u32::from(start.is_empty())..chunks.len() as u32).collect();
    sorted.sort_unstable_by_key(|&c| chunks[c as usize].text);
    let text_of = |c: u32| chunks[c as usize].text;
    let begins = |a: &str, b: &str| b.len() > a.len() && b.starts_with(a);
    if sorted.windows(2).any(|w| begins(text_of(w[0]), text_of(w[1]))) {
        return Verdict::Outside("one text begins another");
    }

    // What each distinct text is made of, unless that was guessed.
    let mut ends: HashMap<ValueId, u32, Mixed> = HashMap::default();
    let mut guessed = false;
    for (i, op) in view.ops() {
        if !matches!(reader.act(view.history, &op), Act::Get(_)) {
            continue;
        }
        let end = match ends.get(&op.out) {
            Some(&end) => end,
            None => {
                let seen = text(view.history, op.out);
                let mut guess = false;
                let parsed = parse(&mut chunks, &sorted, seen, i, &op, &mut guess);
                guessed |= guess;
                match parsed {
                    Ok(end) => {
                        if !guess {
                            ends.insert(op.out, end);
                        }
                        end
                    }
                    Err(_) if guessed => return GUESSED,
                    Err(verdict) => return verdict,
                }
            }
        };
        let c = &mut chunks[end as usize];
        let (inv, ret) = (shifted(op.inv), shifted(op.ret));
        if ret < c.min_ret {
            (c.min_ret, c.first_get) = (ret, i);
        }
        if inv > c.max_inv {
            (c.max_inv, c.last_get) = (inv, i);
        }
        c.gets.push(i);
    }
    match order(&chunks) {
        Verdict::Invalid(..) if guessed => GUESSED,
        verdict => verdict,
    }
}

const GUESSED: Verdict = Verdict::Outside("a text is written twice, and which was read is unclear");

/// Which of several writers of one text `op` saw behind `last`: the one that stands there, else
/// the last of those done by then, else the first to begin.
fn likely(chunks: &[Chunk], same: &[u32], last: u32, op: &Operation) -> u32 {
    let of = |c: u32| &chunks[c as usize];
    let there = same.iter().copied().find(|&c| last != NONE && of(c).before == last);
    let free = || same.iter().copied().filter(|&c| of(c).put || of(c).before == NONE);
    let done = || free().filter(|&c| of(c).ret < shifted(op.inv)).max_by_key(|&c| of(c).inv);
    there.or_else(done).or_else(|| free().min_by_key(|&c| of(c).inv)).unwrap_or(same[0])
}

/// Splits a text into chunks and links them; returns the last. `guess`: set where a text was
/// written by several that may have been seen.
fn parse(
    chunks: &mut [Chunk],
    sorted: &[u32],
    seen: &str,
    get: u32,
    op: &Operation,
    guess: &mut bool,
) -> Result<u32, Verdict> {
    let unwritten = || invalid(vec![get], "unwritten", vec![get]);
    let mut rest = seen;
    let mut last = NONE;
    if chunks[0].text.is_empty() {
        last = 0; // stands before an append that comes first
    }
    let mut length = 0;
    while !rest.is_empty() {
        // The only one that can begin the rest is the last that is not greater.
        let k = sorted.partition_point(|&c| chunks[c as usize].text <= rest);
        let mut c = k.checked_sub(1).map(|k| sorted[k]).ok_or_else(unwritten)?;
        let text = chunks[c as usize].text;
        let Some(tail) = rest.strip_prefix(text) else {
            return Err(unwritten());
        };
        rest = tail;
        let first = length == 0;
        length += 1;
        if k > 1 && chunks[sorted[k - 2] as usize].text == text {
            let alike = |&&c: &&u32| chunks[c as usize].text == text;
            let fits = |&c: &u32| if chunks[c as usize].put { first } else { last != NONE };
            let same: Vec<u32> =
                sorted[..k].iter().rev().take_while(alike).copied().filter(fits).collect();
            c = match same[..] {
                [] => return Err(unwritten()),
                [one] => one,
                _ => {
                    *guess = true;
                    likely(chunks, &same, last, op)
                }
            };
        }
        let chunk = &chunks[c as usize];
        if chunk.put {
            if !first {
                return Err(unwritten());
            }
            if chunk.seen == NONE {
                chunks[c as usize].seen = get;
            }
            last = c;
            continue;
        }
        if last == NONE {
            return Err(unwritten());
        }
        if chunk.before == NONE && chunks[last as usize].next == NONE {
            chunks[last as usize].next = c;
            chunks[c as usize].before = last;
            chunks[c as usize].seen = get;
        } else if chunk.before != last || chunks[last as usize].next != c {
            let other = match chunks[last as usize].next {
                next if chunk.before == NONE => chunks[next as usize].seen,
                _ => chunk.seen,
            };
            // One that stands twice in this very text was never written twice.
            let ops = if other == get { vec![get] } else { vec![other, get] };
            let tag = if other == get { "unwritten" } else { "two-orders" };
            return Err(invalid(ops.clone(), tag, ops));
        }
        last = c;
    }
    if last == NONE {
        return Err(unwritten());
    }
    Ok(last)
}

/// A put with what was appended to it: least completion and greatest invocation, and whose.
struct Block {
    root: u32,
    f: u32,
    s: u32,
    f_op: u32,
    s_op: u32,
    /// A get that shows the whole block.
    shown: u32,
}

fn order(chunks: &[Chunk]) -> Verdict {
    let mut blocks = Vec::new();
    for (root, c) in chunks.iter().enumerate() {
        let alone = c.before == NONE;
        let happened = root == 0 || c.ret != OPEN || c.seen != NONE;
        if !alone || !happened {
            continue;
        }
        let mut b = Block { root: root as u32, f: OPEN, s: 0, f_op: NONE, s_op: NONE, shown: NONE };
        let mut i = root as u32;
        while i != NONE {
            let c = &chunks[i as usize];
            let gets = (c.first_get, c.last_get, c.min_ret, c.max_inv);
            for (first, last, ret, inv) in [(c.op, c.op, c.ret, c.inv), gets] {
                if first == NONE && (i != 0 || c.gets.is_empty()) {
                    if i == 0 {
                        b.f = 0;
                    }
                    continue; // no get, or the initial text
                }
                if i == 0 {
                    b.f = 0;
                }
                if first == NONE {
                    continue;
                }
                if ret < b.s {
                    let mut core = vec![b.s_op, first];
                    core.extend(last_shown(chunks, root as u32));
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
        b.shown = last_shown(chunks, root as u32).unwrap_or(NONE);
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
            core.extend([a.shown, b.shown].into_iter().filter(|&o| o != NONE));
            return invalid(core, "replaced", ops);
        }
        if latest.is_none_or(|a| b.s > a.s) {
            latest = Some(b);
        }
    }
    let mut witness = Vec::new();
    for b in &blocks {
        let mut i = b.root;
        while i != NONE {
            let c = &chunks[i as usize];
            if c.op != NONE {
                witness.push(c.op);
            }
            witness.extend(&c.gets);
            i = c.next;
        }
    }
    Verdict::Valid(witness)
}

/// The get that shows most of the block of `root`.
fn last_shown(chunks: &[Chunk], root: u32) -> Option<u32> {
    let mut shown = None;
    let mut i = root;
    while i != NONE {
        let c = &chunks[i as usize];
        shown = c.gets.first().copied().or(shown);
        i = c.next;
    }
    shown
}
