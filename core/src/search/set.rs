//! Sets of configurations that keep only the best.

use super::bits::Bits;
use crate::table::mix;

/// What linearizing some of the operations so far has led to.
#[derive(Clone, Copy)]
pub struct Config<const W: usize> {
    pub state: u32,
    /// Entry of `Window::links`: what was linearized last.
    pub link: u32,
    /// 0, or what the next operation must depend on (a slot and a state, see `Window::expand`).
    pub tag: u64,
    /// Open operations whose end may come: linearized, or free to stand before a blind one.
    pub settled: Bits<W>,
    /// Operations that were linearized and cannot be again.
    pub used: Bits<W>,
}

impl<const W: usize> Config<W> {
    /// True if all that `other` can become, this one can too.
    #[inline]
    fn covers(&self, other: &Self) -> bool {
        (self.tag == 0 || self.tag == other.tag)
            && other.settled.is_subset(&self.settled)
            && self.used.is_subset(&other.used)
    }

    fn same(&self, other: &Self) -> bool {
        self.state == other.state
            && self.tag == other.tag
            && self.settled == other.settled
            && self.used == other.used
    }

    fn hash(&self) -> u64 {
        let mut h = mix(u64::from(self.state) ^ self.tag.rotate_left(32));
        for w in 0..W {
            h = mix(h ^ self.settled.0[w]).wrapping_add(self.used.0[w].rotate_left(17));
        }
        mix(h)
    }
}

struct Entry<const W: usize> {
    config: Config<W>,
    /// The next of the same state.
    next: u32,
    dead: bool,
}

const NONE: u32 = u32::MAX;
/// Configurations of one state that a new one is compared to; beyond these only equal ones
/// are found.
const COMPARED: usize = 256;

/// Emptying it costs nothing: everything carries the number of its generation.
pub struct Set<const W: usize> {
    entries: Vec<Entry<W>>,
    live: usize,
    generation: u32,
    /// By state: generation, first entry.
    heads: Vec<(u32, u32)>,
    /// Open addressing over whole configurations: generation << 32 | entry.
    table: Vec<u64>,
}

impl<const W: usize> Set<W> {
    pub fn new() -> Self {
        Set { entries: Vec::new(), live: 0, generation: 1, heads: Vec::new(), table: vec![0; 64] }
    }

    pub fn clear(&mut self) {
        self.entries.clear();
        self.live = 0;
        self.generation += 1;
        if self.generation == u32::MAX {
            self.generation = 1;
            self.heads.clear();
            self.table.fill(0);
        }
    }

    /// Entries ever added, dead ones too.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    pub fn bytes(&self) -> usize {
        self.entries.capacity() * std::mem::size_of::<Entry<W>>() + self.table.len() * 8
    }

    /// None where another one has come to cover it.
    #[inline]
    pub fn get(&self, i: usize) -> Option<&Config<W>> {
        let entry = &self.entries[i];
        (!entry.dead).then_some(&entry.config)
    }

    pub fn set_link(&mut self, i: usize, link: u32) {
        self.entries[i].config.link = link;
    }

    /// Moves what is left to the end of `configs`.
    pub fn drain(&mut self, configs: &mut Vec<Config<W>>) {
        configs.extend(self.entries.iter().filter(|e| !e.dead).map(|e| e.config));
        self.clear();
    }

    /// The number of the new entry; None where one that covers it is there.
    pub fn add(&mut self, config: &Config<W>) -> Option<usize> {
        let state = config.state as usize;
        if state >= self.heads.len() {
            self.heads.resize((state + 1).next_power_of_two(), (0, NONE));
        }
        let head = match self.heads[state] {
            (g, head) if g == self.generation => head,
            _ => NONE,
        };
        let mut before = NONE;
        let mut at = head;
        let mut first = head;
        for _ in 0..COMPARED {
            if at == NONE {
                break;
            }
            let next = self.entries[at as usize].next;
            let other = &self.entries[at as usize].config;
            if other.covers(config) {
                return None;
            }
            if config.covers(other) {
                self.entries[at as usize].dead = true;
                self.live -= 1;
                if before == NONE {
                    first = next;
                } else {
                    self.entries[before as usize].next = next;
                }
            } else {
                before = at;
            }
            at = next;
        }
        let new = self.entries.len() as u32;
        if at != NONE || self.live >= COMPARED {
            // Too many to look at all.
            if !self.register(config, new) {
                self.heads[state] = (self.generation, first);
                return None;
            }
        }
        self.entries.push(Entry { config: *config, next: first, dead: false });
        self.live += 1;
        self.heads[state] = (self.generation, new);
        Some(new as usize)
    }

    /// False where an equal one is in the table.
    fn register(&mut self, config: &Config<W>, new: u32) -> bool {
        if (self.entries.len() + 1) * 2 > self.table.len() {
            let size = (self.entries.len() * 4).next_power_of_two();
            self.table.clear();
            self.table.resize(size, 0);
            for i in 0..self.entries.len() {
                let slot = self.slot(&self.entries[i].config);
                if let Ok(slot) = slot {
                    self.table[slot] = u64::from(self.generation) << 32 | i as u64;
                }
            }
        }
        match self.slot(config) {
            Ok(slot) => {
                self.table[slot] = u64::from(self.generation) << 32 | u64::from(new);
                true
            }
            Err(()) => false,
        }
    }

    /// Where `config` goes in the table; Err where it is there.
    fn slot(&self, config: &Config<W>) -> Result<usize, ()> {
        let mask = self.table.len() - 1;
        let mut i = config.hash() as usize & mask;
        while self.table[i] >> 32 == u64::from(self.generation) {
            let entry = self.table[i] as u32 as usize;
            if self.entries[entry].config.same(config) {
                return Err(());
            }
            i = (i + 1) & mask;
        }
        Ok(i)
    }
}
