//! What an invalid verdict of zones rests on.

use super::{invalid, Block, Val, Verdict, Zones, INIT, NONE};
use crate::history::OPEN;

impl Zones<'_> {
    /// The operations that prove that value `i` was written: its writer where that completed, a
    /// read of it, or the cas that took it away, with the proof of that.
    pub(super) fn proof(&self, vals: &[Val], mut i: u32, core: &mut Vec<u32>) {
        for _ in 0..vals.len() {
            let val = &vals[i as usize];
            if val.writer < INIT {
                core.push(val.writer);
                if self.ret(val.writer) != OPEN {
                    return;
                }
            }
            if val.reads > 0 {
                core.push(val.first_read);
                return;
            }
            if val.next == NONE {
                return;
            }
            i = val.next;
        }
    }

    /// The writers of value `i` and of all that its chain came from.
    pub(super) fn roots(&self, vals: &[Val], mut i: u32, core: &mut Vec<u32>) {
        for _ in 0..=vals.len() {
            let val = &vals[i as usize];
            if val.writer >= INIT {
                return;
            }
            core.push(val.writer);
            if val.from == NONE {
                return;
            }
            i = val.from;
        }
    }

    pub(super) fn too_early(&self, vals: &[Val], stage: u32, late: u32, early: u32) -> Verdict {
        let mut core = vec![late, early];
        self.roots(vals, stage, &mut core);
        invalid(core, "too-early", vec![late, early])
    }

    /// Some chain of cas has no root: it goes in a circle.
    pub(super) fn cycle(&self, vals: &[Val]) -> Verdict {
        let mut state = vec![0u8; vals.len()];
        for start in 0..vals.len() {
            let mut i = start as u32;
            while i != NONE && vals[i as usize].wanted && state[i as usize] == 0 {
                state[i as usize] = 1;
                i = vals[i as usize].from;
            }
            if i != NONE && state[i as usize] == 1 {
                let mut cycle = vec![vals[i as usize].writer];
                let mut j = vals[i as usize].from;
                while j != i {
                    cycle.push(vals[j as usize].writer);
                    j = vals[j as usize].from;
                }
                cycle.reverse();
                let mut core = cycle.clone();
                if cycle.iter().all(|&w| self.ret(w) == OPEN) {
                    // Only a read proves that it happened (or a cas outside of the circle,
                    // which would have been found to be one of two).
                    let mut j = i;
                    while vals[j as usize].reads == 0 && vals[j as usize].from != i {
                        j = vals[j as usize].from;
                    }
                    if vals[j as usize].reads > 0 {
                        core.push(vals[j as usize].first_read);
                    }
                }
                return invalid(core, "cas-cycle", cycle);
            }
            let mut i = start as u32;
            while i != NONE && state[i as usize] == 1 {
                state[i as usize] = 2;
                i = vals[i as usize].from;
            }
        }
        unreachable!("a chain without a root has a circle")
    }

    pub(super) fn replaced(&self, vals: &[Val], a: &Block, b: &Block) -> Verdict {
        let mut writers = Vec::new();
        for block in [a, b] {
            // The chain as far as the operations in question need it.
            let mut pending: Vec<u32> =
                [block.f_op, block.s_op].into_iter().filter(|&o| o != INIT).collect();
            let mut i = block.root;
            while i != NONE && !pending.is_empty() {
                let val = &vals[i as usize];
                if val.writer != INIT {
                    writers.push(val.writer);
                    if val.writer == block.s_op {
                        self.proof(vals, i, &mut writers);
                    }
                }
                pending.retain(|&o| o != val.writer && o != val.first_read && o != val.last_read);
                i = val.next;
            }
        }
        let mut ops: Vec<u32> =
            [a.f_op, b.s_op, b.f_op, a.s_op].into_iter().filter(|&o| o != INIT).collect();
        let mut core = ops.clone();
        core.extend(&writers);
        ops.extend(&writers);
        invalid(core, "replaced", ops)
    }
}
