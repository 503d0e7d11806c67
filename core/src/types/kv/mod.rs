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

mod blocks;
mod texts;

use std::cell::OnceCell;

use super::{pieces, run_resultless, split_by, Verdict, View};
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
        let whole = View { history, part: piece, until: OPEN, budget };
        let key = Key::new(whole, &reader, start);
        match run_resultless(whole, |view| key.decide(view.until)) {
            // The search is better asked about this key than about all of them at once.
            Answer::NotApplicable { .. } if many => {
                search::check(history, piece, &Kv::new(history, piece, options), budget)
            }
            answer => answer,
        }
    })
}

/// What gets show of a key, with both ways to take a text that several wrote.
struct Key<'a> {
    whole: View<'a>,
    reader: &'a Reader,
    start: &'a str,
    guess: Result<Texts<'a>, Verdict>,
    either: OnceCell<Result<Texts<'a>, Verdict>>,
}

impl<'a> Key<'a> {
    fn new(whole: View<'a>, reader: &'a Reader, start: &'a str) -> Self {
        let guess = read(&whole, reader, start, Twice::Guess);
        Key { whole, reader, start, guess, either: OnceCell::new() }
    }

    /// Decides a prefix with what the times suggest where a text is written twice; where that
    /// leads nowhere, proves what holds whoever wrote it. A prefix shows a part of what the whole
    /// shows: it is read by itself only where that does not decide it.
    fn decide(&self, until: u32) -> Verdict {
        let whole = until == self.whole.until;
        let view = View { until, ..self.whole };
        let alone = || Key::new(view, self.reader, self.start).decide(until);
        match &self.guess {
            Ok(texts) => match judge(texts, view.history, until) {
                Verdict::Invalid(..) if texts.guessed => {}
                verdict => return verdict,
            },
            Err(Verdict::Outside(WHY)) => {}
            Err(verdict) if whole => return verdict.clone(),
            Err(_) => return alone(),
        }
        let either = || read(&self.whole, self.reader, self.start, Twice::Either);
        let found = match self.either.get_or_init(either) {
            Ok(texts) => match judge(texts, view.history, until) {
                // Those of the others that wrote the same would have to stand somewhere.
                Verdict::Valid(_) => GUESSED,
                verdict => verdict,
            },
            Err(verdict) if whole => verdict.clone(),
            Err(_) => GUESSED,
        };
        match found {
            Verdict::Outside(_) if !whole => alone(),
            found => found,
        }
    }
}

/// What the view's gets show.
fn read<'a>(
    view: &View<'a>,
    reader: &Reader,
    start: &'a str,
    twice: Twice,
) -> Result<Texts<'a>, Verdict> {
    let mut texts = Texts::of(view, reader, start, twice)?;
    for (i, op) in view.ops() {
        if matches!(reader.act(view.history, &op), Act::Get(_)) {
            match texts.see(view.history, i, &op) {
                Err(Verdict::Invalid(..)) if texts.guessed => return Err(GUESSED),
                Err(verdict) => return Err(verdict),
                Ok(()) => {}
            }
        }
    }
    Ok(texts)
}

const WHY: &str = "a text is written twice, and which was read is unclear";
const GUESSED: Verdict = Verdict::Outside(WHY);

/// Whether the blocks have an order, as far as the events up to `until` show them.
fn judge(texts: &Texts, history: &History, until: u32) -> Verdict {
    let blocks = match blocks::of(texts, history, until).and_then(blocks::ordered) {
        Ok(blocks) => blocks,
        Err(verdict) => return verdict,
    };
    let mut witness = Vec::new();
    if until == OPEN {
        witness.reserve(texts.chunks.len() + texts.gets.len());
        for block in &blocks {
            for c in texts.chain(block.root).take(block.length) {
                if c.op != NONE {
                    witness.push(c.op);
                }
                witness.extend(texts.gets_of(c));
            }
        }
    }
    Verdict::Valid(witness)
}
