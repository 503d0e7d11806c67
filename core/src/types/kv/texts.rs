//! What the gets of a key show: which put and appends made each text, in order.

use super::super::{invalid, Verdict, View};
use crate::history::{History, Operation, OPEN};
use crate::models::kv::{text, Act, Reader};
use crate::table::IdMap;

pub const NONE: u32 = u32::MAX;

/// What becomes of a text that several wrote.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Twice {
    /// A get is taken to have seen the one that the times suggest.
    Guess,
    /// A get saw one that began with the first of them and ended with the last. These, and gets
    /// of a text that may have been there more than once, are left out: what is impossible then
    /// is so in the history, too.
    Either,
}

/// A put or append, or (number 0) the initial text. Times are shifted by one.
pub struct Chunk<'a> {
    pub text: &'a str,
    /// The operation; where it is one of several, that which completed last.
    pub op: u32,
    /// The same; of several, that which was invoked first.
    pub first: u32,
    pub put: bool,
    pub inv: u32,
    pub ret: u32,
    /// Seen in a get: what it stands behind, what stands behind it, and the get.
    pub before: u32,
    pub next: u32,
    pub seen: u32,
    /// Gets that returned the text that ends here: the first to complete, the last to begin.
    pub first_get: u32,
    pub last_get: u32,
    pub min_ret: u32,
    pub max_inv: u32,
    /// Entries of `Texts::gets`.
    pub gets: u32,
    last_entry: u32,
    /// One of several that another chunk stands for.
    pub merged: bool,
    /// One that stands for several.
    pub several: bool,
}

impl<'a> Chunk<'a> {
    fn new(text: &'a str, op: u32, put: bool, inv: u32, ret: u32) -> Self {
        Chunk {
            text,
            op,
            first: op,
            put,
            inv,
            ret,
            before: NONE,
            next: NONE,
            seen: NONE,
            first_get: NONE,
            last_get: NONE,
            min_ret: OPEN,
            max_inv: 0,
            gets: NONE,
            last_entry: NONE,
            merged: false,
            several: false,
        }
    }
}

pub fn shifted(event: u32) -> u32 {
    event.saturating_add(1) // OPEN stays what it is
}

pub struct Texts<'a> {
    pub chunks: Vec<Chunk<'a>>,
    /// By text, those that are put or appended.
    sorted: Vec<u32>,
    twice: Twice,
    /// Some get was taken to have seen one of several.
    pub guessed: bool,
    /// Gets in order of invocation: (operation, next of the same text).
    pub gets: Vec<(u32, u32)>,
    /// The chunk with which a text ends, unless its put was guessed; texts go by their ids.
    ends: IdMap,
    /// A text and where it ends: the next that is seen most often goes on from there.
    known: (&'a str, u32),
}

impl<'a> Texts<'a> {
    /// The puts and appends of a view, none seen yet. Err: it is not for this algorithm.
    pub fn of(
        view: &View<'a>,
        reader: &Reader,
        start: &'a str,
        twice: Twice,
    ) -> Result<Self, Verdict> {
        let mut chunks = Vec::with_capacity(view.part.len() + 1);
        chunks.push(Chunk::new(start, NONE, true, 0, 0));
        for (i, op) in view.ops() {
            let (text, put) = match reader.act(view.history, &op) {
                Act::Put(text) => (text, true),
                Act::Append(text) => (text, false),
                _ => continue,
            };
            if text.is_empty() {
                return Err(Verdict::Outside("an empty text is put or appended"));
            }
            chunks.push(Chunk::new(text, i, put, shifted(op.inv), shifted(op.ret)));
        }
        let mut sorted: Vec<u32> = (u32::from(start.is_empty())..chunks.len() as u32).collect();
        sorted.sort_unstable_by_key(|&c| chunks[c as usize].text);
        let text_of = |c: u32| chunks[c as usize].text;
        let begins = |a: &str, b: &str| b.len() > a.len() && b.starts_with(a);
        if sorted.windows(2).any(|w| begins(text_of(w[0]), text_of(w[1]))) {
            return Err(Verdict::Outside("one text begins another"));
        }
        let ends = IdMap::with_capacity(view.part.len() - (chunks.len() - 1).min(view.part.len()));
        let gets = Vec::with_capacity(view.part.len());
        let (guessed, known) = (false, ("", NONE));
        Ok(Texts { chunks, sorted, twice, guessed, gets, ends, known })
    }

    /// A get returned. Err: its text is impossible, or it is not for this algorithm.
    pub fn see(&mut self, history: &'a History, get: u32, op: &Operation) -> Result<(), Verdict> {
        let end = match self.ends.get(op.out.0) {
            Some(end) => end,
            None => {
                let seen = text(history, op.out);
                let mut guess = false;
                let Some(end) = self.parse(seen, get, op, &mut guess)? else { return Ok(()) };
                if !guess {
                    self.ends.get_or_insert(op.out.0, end);
                    self.known = (seen, end);
                }
                end
            }
        };
        let entry = self.gets.len() as u32;
        self.gets.push((get, NONE));
        let c = &mut self.chunks[end as usize];
        let (inv, ret) = (shifted(op.inv), shifted(op.ret));
        if ret < c.min_ret {
            (c.min_ret, c.first_get) = (ret, get);
        }
        if inv > c.max_inv {
            (c.max_inv, c.last_get) = (inv, get);
        }
        match std::mem::replace(&mut c.last_entry, entry) {
            NONE => c.gets = entry,
            last => self.gets[last as usize].1 = entry,
        }
        Ok(())
    }

    /// The gets that returned the text which ends with `c`, in order of invocation.
    pub fn gets_of<'b>(&'b self, c: &Chunk) -> impl Iterator<Item = u32> + 'b {
        let entry = |e: u32| self.gets.get(e as usize);
        std::iter::successors(entry(c.gets), move |g| entry(g.1)).map(|g| g.0)
    }

    /// The chunk with number `root` and what stands behind it.
    pub fn chain(&self, root: u32) -> impl Iterator<Item = &Chunk<'a>> {
        std::iter::successors(self.chunks.get(root as usize), |c| self.chunks.get(c.next as usize))
    }

    /// Splits a text into chunks and links them; returns the last, or None where the get is left
    /// out. `guess`: set where the put was guessed with which the text begins.
    fn parse(
        &mut self,
        seen: &'a str,
        get: u32,
        op: &Operation,
        guess: &mut bool,
    ) -> Result<Option<u32>, Verdict> {
        let unwritten = || invalid(vec![get], "unwritten", vec![get]);
        // (an empty initial text stands before an append that comes first)
        let mut last = if self.chunks[0].text.is_empty() { 0 } else { NONE };
        let mut rest = seen;
        let mut first = true;
        let mut put_twice = None;
        // As no text begins another, what begins with a text is made of all that made that.
        if let (Some(more), false) = (seen.strip_prefix(self.known.0), self.known.0.is_empty()) {
            (rest, last, first) = (more, self.known.1, false);
        }
        while !rest.is_empty() {
            // The only one that can begin the rest is the last that is not greater.
            let k = self.sorted.partition_point(|&c| self.chunks[c as usize].text <= rest);
            let mut c = k.checked_sub(1).map(|k| self.sorted[k]).ok_or_else(unwritten)?;
            let text = self.chunks[c as usize].text;
            rest = rest.strip_prefix(text).ok_or_else(unwritten)?;
            if k > 1 && self.chunks[self.sorted[k - 2] as usize].text == text {
                let behind = last != NONE || put_twice.is_some();
                let same = self.alike(k, first, behind);
                c = match same[..] {
                    [] => return Err(unwritten()),
                    [one] => one,
                    _ if self.twice == Twice::Guess => {
                        self.guessed = true;
                        // (what an append makes of a text is the same whichever was guessed)
                        *guess |= same.iter().any(|&c| self.chunks[c as usize].put);
                        self.likely(&same, last, op)
                    }
                    _ if put_twice.is_some() => break,
                    // What it begins may have been there more than once, unless it goes on with
                    // an append that was there once.
                    _ if same.iter().any(|&c| self.chunks[c as usize].put) => {
                        put_twice = Some(same);
                        first = false;
                        continue;
                    }
                    _ => match self.chunks[last as usize].next {
                        next if next != NONE && self.chunks[next as usize].text == text => next,
                        _ => self.merge(&same),
                    },
                }
            }
            if let Some(puts) = put_twice.take() {
                let root =
                    |b: &Chunk| b.before == NONE && b.text == self.chunks[puts[0] as usize].text;
                let before = self.chunks[c as usize].before;
                last = match self.chunks.get(before as usize) {
                    Some(b) if root(b) => before,
                    _ => self.merge(&puts),
                };
                self.chunks[last as usize].seen = get;
            }
            let chunk = &self.chunks[c as usize];
            if chunk.put {
                if !first {
                    return Err(unwritten());
                }
                if chunk.seen == NONE {
                    self.chunks[c as usize].seen = get;
                }
            } else if last == NONE {
                return Err(unwritten());
            } else {
                self.join(last, c, get)?;
            }
            last = c;
            first = false;
        }
        if put_twice.is_some() {
            return Ok(None);
        }
        if last == NONE {
            return Err(unwritten());
        }
        Ok(Some(last))
    }

    /// Append `c` was seen behind `last`.
    fn join(&mut self, last: u32, c: u32, get: u32) -> Result<(), Verdict> {
        let (before, next) = (self.chunks[c as usize].before, self.chunks[last as usize].next);
        if before == NONE && next == NONE {
            self.chunks[last as usize].next = c;
            self.chunks[c as usize].before = last;
            self.chunks[c as usize].seen = get;
        } else if before != last || next != c {
            let other = if before == NONE { next } else { c };
            let other = self.chunks[other as usize].seen;
            // One that stands twice in this very text was never written twice.
            let ops = if other == get { vec![get] } else { vec![other, get] };
            let tag = if other == get { "unwritten" } else { "two-orders" };
            return Err(invalid(ops.clone(), tag, ops));
        }
        Ok(())
    }

    /// The writers of one text, the `k`-th in order and those before it, that can stand there.
    fn alike(&self, k: usize, first: bool, behind: bool) -> Vec<u32> {
        let of = |c: u32| &self.chunks[c as usize];
        let text = of(self.sorted[k - 1]).text;
        let fits = |&c: &u32| if of(c).put { first } else { behind };
        let before = self.sorted[..k].iter().rev().copied();
        before.take_while(|&c| of(c).text == text).filter(fits).collect()
    }

    /// A chunk that stands for one of several.
    fn merge(&mut self, same: &[u32]) -> u32 {
        let of = |c: u32| &self.chunks[c as usize];
        let began = of(*same.iter().min_by_key(|&&c| of(c).inv).expect("some are alike"));
        let ended = of(*same.iter().max_by_key(|&&c| of(c).ret).expect("some are alike"));
        let put = of(same[0]).put;
        let mut one = Chunk::new(ended.text, ended.op, put, began.inv, ended.ret);
        one.first = began.op;
        one.several = true;
        for &c in same {
            self.chunks[c as usize].merged = true;
        }
        self.chunks.push(one);
        self.chunks.len() as u32 - 1
    }

    /// The one that stands there already, else the last of those done by then, else the first
    /// to begin.
    fn likely(&self, same: &[u32], last: u32, op: &Operation) -> u32 {
        let of = |c: u32| &self.chunks[c as usize];
        let there = same.iter().copied().find(|&c| last != NONE && of(c).before == last);
        let free = || same.iter().copied().filter(|&c| of(c).put || of(c).before == NONE);
        let done = || free().filter(|&c| of(c).ret < shifted(op.inv)).max_by_key(|&c| of(c).inv);
        there.or_else(done).or_else(|| free().min_by_key(|&c| of(c).inv)).unwrap_or(same[0])
    }
}
