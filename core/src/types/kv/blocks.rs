//! Blocks: a put with the appends seen behind it, or one that nobody saw; and their order.

use super::super::{invalid, Verdict};
use super::texts::{shifted, Chunk, Texts, NONE};
use crate::history::{History, OPEN};

/// Least completion and greatest invocation of what stands together, and whose. Times are shifted
/// by one.
pub struct Block {
    pub root: u32,
    /// Chunks in it, from the root on.
    pub length: usize,
    f: u32,
    s: u32,
    f_op: u32,
    s_op: u32,
    /// A get that shows all of it.
    shown: u32,
}

/// The blocks that the events up to `until` show. Err: in one of them an operation stands before
/// one that had completed before it was invoked.
pub fn of(texts: &Texts, history: &History, until: u32) -> Result<Vec<Block>, Verdict> {
    let mut blocks = Vec::with_capacity(texts.chunks.len());
    let until_shifted = shifted(until);
    for (root, c) in texts.chunks.iter().enumerate() {
        if c.before != NONE || c.merged {
            continue;
        }
        let mut root = root as u32;
        let (mut length, mut shown) = (0, NONE);
        for (i, c) in texts.chain(root).enumerate() {
            if c.first_get != NONE && c.min_ret <= until_shifted {
                (length, shown) = (i + 1, c.first_get);
            }
        }
        // What is shown together, then one by one what is not yet.
        while root != NONE {
            let c = &texts.chunks[root as usize];
            // (what is not shown of one that stands for several is none of them)
            let done = c.ret != OPEN && c.ret <= until_shifted;
            let happened = root == 0 || done && !c.several;
            if length > 0 || happened {
                let length = length.max(1);
                blocks.push(block(texts, history, root, length, shown, until)?);
            }
            for _ in 0..length.max(1) {
                root = texts.chunks[root as usize].next;
            }
            (length, shown) = (0, NONE);
        }
    }
    Ok(blocks)
}

fn block(
    texts: &Texts,
    history: &History,
    root: u32,
    length: usize,
    shown: u32,
    until: u32,
) -> Result<Block, Verdict> {
    let f = if root == 0 { 0 } else { OPEN };
    let mut b = Block { root, length, f, s: 0, f_op: NONE, s_op: NONE, shown };
    for c in texts.chain(root).take(length) {
        let writer = (c.op, c.first, c.ret, c.inv);
        for (first, last, ret, inv) in [writer, gets(texts, history, c, until)] {
            if first == NONE {
                continue; // no get, or the initial text
            }
            let ret = if ret <= shifted(until) { ret } else { OPEN };
            if ret < b.s {
                let ops = vec![b.s_op, first];
                let core = ops.iter().copied().chain((shown != NONE).then_some(shown)).collect();
                return Err(invalid(core, "too-early", ops));
            }
            if ret < b.f {
                (b.f, b.f_op) = (ret, first);
            }
            if inv > b.s {
                (b.s, b.s_op) = (inv, last);
            }
        }
    }
    Ok(b)
}

/// Of the gets of the text that ends with `c`, by `until`: the first to complete and the last to
/// begin, with their times.
fn gets(texts: &Texts, history: &History, c: &Chunk, until: u32) -> (u32, u32, u32, u32) {
    if until == OPEN {
        return (c.first_get, c.last_get, c.min_ret, c.max_inv);
    }
    if c.min_ret > shifted(until) {
        return (NONE, NONE, OPEN, 0);
    }
    let done = |&get: &u32| history.ops[get as usize].ret <= until;
    let last = texts.gets_of(c).filter(done).last().unwrap_or(c.first_get);
    (c.first_get, last, c.min_ret, shifted(history.ops[last as usize].inv))
}

/// The blocks in an order that they can have happened in.
pub fn ordered(mut blocks: Vec<Block>) -> Result<Vec<Block>, Verdict> {
    // One must come before another iff its f is less than the other's s. In this order none
    // comes after one that it must precede, unless each must precede the other.
    blocks.sort_unstable_by_key(|b| b.f.min(b.s));
    let mut latest: Option<&Block> = None;
    for b in &blocks {
        if let Some(a) = latest.filter(|a| b.f < a.s) {
            let mut ops = vec![a.f_op, b.s_op, b.f_op, a.s_op];
            ops.retain(|&o| o != NONE);
            let shown = [a.shown, b.shown].into_iter().filter(|&get| get != NONE);
            let core = ops.iter().copied().chain(shown).collect();
            return Err(invalid(core, "replaced", ops));
        }
        if latest.is_none_or(|a| b.s > a.s) {
            latest = Some(b);
        }
    }
    Ok(blocks)
}
