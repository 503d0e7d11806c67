//! The operations that are open.

use super::bits::Bits;
use super::space::{Context, Space};
use crate::history::{Operation, Outcome, OPEN};
use crate::model::Effect;

#[derive(Clone, Copy)]
pub struct Slot<const W: usize> {
    pub op: u32,
    pub class: u32,
    ret: u32,
    pub blind: bool,
    /// Open operations of the same class that go first: those that end earlier.
    pub twins: Bits<W>,
}

pub struct Open<const W: usize> {
    pub slots: Vec<Slot<W>>,
    taken: Bits<W>,
    /// Open operations that never change a state.
    pub readers: Bits<W>,
    /// Open operations that may, and whose completion is to come.
    pub writers: Bits<W>,
    /// Those of `writers` that can happen in every state.
    pub total: Bits<W>,
    /// Operations of unknown outcome that may change a state.
    pub unknown: Bits<W>,
}

impl<const W: usize> Open<W> {
    pub fn new() -> Self {
        Open {
            slots: Vec::new(),
            taken: Bits::EMPTY,
            readers: Bits::EMPTY,
            writers: Bits::EMPTY,
            total: Bits::EMPTY,
            unknown: Bits::EMPTY,
        }
    }

    /// True if one more operation fits.
    pub fn has_room(&self) -> bool {
        self.taken.first_free().is_some()
    }

    /// The same with more room.
    pub fn widen<const V: usize>(self) -> Open<V> {
        let slots = self.slots.iter().map(|s| Slot {
            op: s.op,
            class: s.class,
            ret: s.ret,
            blind: s.blind,
            twins: s.twins.widen(),
        });
        Open {
            slots: slots.collect(),
            taken: self.taken.widen(),
            readers: self.readers.widen(),
            writers: self.writers.widen(),
            total: self.total.widen(),
            unknown: self.unknown.widen(),
        }
    }

    /// `op` is invoked; its completion is known already. There must be room.
    pub fn add(&mut self, space: &mut Space, context: Context, number: u32, op: &Operation) {
        let class = space.class(context, op);
        let effect = space.effect(class);
        let i = self.taken.first_free().expect("there is room");
        let blind = effect == Effect::Blind;
        let mut slot = Slot { op: number, class, ret: op.ret, blind, twins: Bits::EMPTY };
        self.taken.set(i);
        if op.ret == OPEN || op.outcome == Outcome::Info {
            for k in self.writers.iter().chain(self.unknown.iter()) {
                if self.slots[k].class == class {
                    slot.twins.set(k);
                }
            }
            self.unknown.set(i);
        } else if space.read_only(class) {
            self.readers.set(i);
        } else {
            for k in self.writers.iter() {
                if self.slots[k].class == class {
                    if self.slots[k].ret < op.ret {
                        slot.twins.set(k);
                    } else {
                        self.slots[k].twins.set(i);
                    }
                }
            }
            for u in self.unknown.iter() {
                if self.slots[u].class == class {
                    self.slots[u].twins.set(i);
                }
            }
            self.writers.set(i);
            if effect != Effect::Depends {
                self.total.set(i);
            }
        }
        if i == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[i] = slot;
        }
    }

    /// The slot of an operation that has begun and can end.
    pub fn slot_of(&self, number: u32) -> usize {
        self.readers
            .iter()
            .chain(self.writers.iter())
            .find(|&i| self.slots[i].op == number)
            .expect("only what began ends")
    }

    pub fn remove(&mut self, r: usize) {
        self.taken.clear(r);
        self.readers.clear(r);
        self.writers.clear(r);
        self.total.clear(r);
        for i in self.taken.iter() {
            self.slots[i].twins.clear(r);
        }
    }

    /// The classes of what is open, each once, in order.
    pub fn classes(&self) -> Vec<u32> {
        let mut classes: Vec<u32> = self.taken.iter().map(|i| self.slots[i].class).collect();
        classes.sort_unstable();
        classes.dedup();
        classes
    }

    /// Gives classes their places in `classes`.
    pub fn renumber(&mut self, classes: &[u32]) {
        for i in self.taken.iter() {
            let slot = &mut self.slots[i];
            slot.class = classes.binary_search(&slot.class).expect("kept") as u32;
        }
    }
}
