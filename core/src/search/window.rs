//! The window: the operations that are open, and every configuration the past permits.

use super::bits::Bits;
use super::set::{Config, Set};
use super::space::{Context, Next, Space};
use crate::check::{Budget, Limit};
use crate::history::{Operation, Outcome, OPEN};
use crate::model::Effect;

#[derive(Clone, Copy)]
struct Slot<const W: usize> {
    op: u32,
    class: u32,
    ret: u32,
    blind: bool,
    /// Open operations of the same class that go first: those that end earlier.
    twins: Bits<W>,
}

/// What a linearization did: an operation that may change the state, and where it led.
#[derive(Clone, Copy)]
pub struct Link {
    pub before: u32,
    /// NO_OP for the beginning.
    pub op: u32,
    pub state: u32,
}

pub const NO_LINK: u32 = u32::MAX;
pub const NO_OP: u32 = u32::MAX;
/// States and transitions of a stream are dropped when they take more than this.
pub const COMPACT_BYTES: usize = 16 << 20;
const LINKS_KEPT: usize = 1 << 22;

/// What a state permits, for the event at hand.
struct Moves<const W: usize> {
    /// Read-only operations that are legal.
    readers: Bits<W>,
    /// Others that are legal.
    legal: Bits<W>,
    /// Where they lead: `Window::leads[leads + slot]`.
    leads: usize,
}

pub enum Step {
    Possible,
    Impossible,
    Exhausted(Limit),
}

pub struct Window<const W: usize> {
    pub space: Space,
    /// Bytes of `space` from which on `compact` is worth it.
    pub compact_at: usize,
    slots: Vec<Slot<W>>,
    taken: Bits<W>,
    /// Open operations that never change a state.
    readers: Bits<W>,
    /// Open operations that may, and whose completion is to come.
    writers: Bits<W>,
    /// Those of `writers` that can happen in every state.
    total: Bits<W>,
    /// Operations of unknown outcome that may change a state.
    unknown: Bits<W>,
    configs: Vec<Config<W>>,
    pub links: Vec<Link>,
    links_limit: usize,
    keep_links: bool,
    steps: u64,
    // For the event at hand, kept for their memory.
    next: Set<W>,
    seen: Set<W>,
    moves: Vec<Moves<W>>,
    moves_of: Vec<(u32, u32)>, // by state: event, entry of `moves`
    leads: Vec<Next>,
    event: u32,
}

impl<const W: usize> Window<W> {
    pub fn new(context: Context, keep_links: bool) -> Self {
        let mut space = Space::default();
        let initial = space.initial(context);
        let mut links = Vec::new();
        let mut configs = Vec::new();
        for state in initial {
            let link = if keep_links { links.len() as u32 } else { NO_LINK };
            if keep_links {
                links.push(Link { before: NO_LINK, op: NO_OP, state });
            }
            configs.push(Config { state, link, tag: 0, settled: Bits::EMPTY, used: Bits::EMPTY });
        }
        Window {
            space,
            compact_at: COMPACT_BYTES,
            slots: Vec::new(),
            taken: Bits::EMPTY,
            readers: Bits::EMPTY,
            writers: Bits::EMPTY,
            total: Bits::EMPTY,
            unknown: Bits::EMPTY,
            configs,
            links,
            links_limit: LINKS_KEPT,
            keep_links,
            steps: 0,
            next: Set::new(),
            seen: Set::new(),
            moves: Vec::new(),
            moves_of: Vec::new(),
            leads: Vec::new(),
            event: 0,
        }
    }

    /// Configurations held.
    pub fn width(&self) -> usize {
        self.configs.len()
    }

    /// True if one more operation fits.
    pub fn has_room(&self) -> bool {
        self.taken.first_free().is_some()
    }

    /// The end of some linearization of all that has ended, in `links`.
    pub fn last(&self) -> u32 {
        self.configs[0].link
    }

    /// The same with more room.
    pub fn widen<const V: usize>(self) -> Window<V> {
        let slots = self.slots.iter().map(|s| Slot {
            op: s.op,
            class: s.class,
            ret: s.ret,
            blind: s.blind,
            twins: s.twins.widen(),
        });
        let configs = self.configs.iter().map(|c| Config {
            state: c.state,
            link: c.link,
            tag: c.tag,
            settled: c.settled.widen(),
            used: c.used.widen(),
        });
        Window {
            slots: slots.collect(),
            configs: configs.collect(),
            space: self.space,
            compact_at: self.compact_at,
            taken: self.taken.widen(),
            readers: self.readers.widen(),
            writers: self.writers.widen(),
            total: self.total.widen(),
            unknown: self.unknown.widen(),
            links: self.links,
            links_limit: self.links_limit,
            keep_links: self.keep_links,
            steps: self.steps,
            next: Set::new(),
            seen: Set::new(),
            moves: Vec::new(),
            moves_of: Vec::new(),
            leads: Vec::new(),
            event: 0,
        }
    }

    /// `op` is invoked; its completion, `ret`, is known already. There must be room.
    pub fn begin(&mut self, context: Context, number: u32, op: &Operation) {
        let class = self.space.class(context, op);
        let effect = self.space.effect(class);
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
        } else if self.space.read_only(class) {
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

    /// Operation `number` completes: what could have happened until now?
    pub fn end(&mut self, context: Context, number: u32, budget: &Budget) -> Step {
        let r = self
            .readers
            .iter()
            .chain(self.writers.iter())
            .find(|&i| self.slots[i].op == number)
            .expect("only what began ends");
        let reads = self.readers.has(r);
        self.event += 1;
        self.moves.clear();
        self.leads.clear();
        self.next.clear();
        self.seen.clear();
        let configs = std::mem::take(&mut self.configs);
        for &config in &configs {
            let mut c = config;
            if c.settled.has(r) {
                self.pass(c, r);
                if reads || c.used.has(r) {
                    continue;
                }
            } else if reads
                && self.space.step(context, c.state, self.slots[r].class) != Next::Nowhere
            {
                self.pass(c, r);
                continue;
            }
            let m = self.moves(context, c.state);
            c.settled = c.settled.or(&self.moves[m].readers);
            self.seen.add(&c);
        }
        let mut at = 0;
        while at < self.seen.len() {
            if let Some(&c) = self.seen.get(at) {
                self.steps += 1;
                if self.steps.is_multiple_of(256) {
                    if budget.expired() {
                        return Step::Exhausted(Limit::Time);
                    }
                    if self.bytes() > budget.memory_bytes {
                        return Step::Exhausted(Limit::Memory);
                    }
                }
                self.expand(context, &c, r);
            }
            at += 1;
        }
        self.configs = configs;
        self.next.drain(&mut self.configs);
        self.taken.clear(r);
        self.readers.clear(r);
        self.writers.clear(r);
        self.total.clear(r);
        for i in self.taken.iter() {
            self.slots[i].twins.clear(r);
        }
        if self.configs.is_empty() {
            return Step::Impossible;
        }
        if self.links.len() > self.links_limit {
            self.forget_links();
        }
        Step::Possible
    }

    fn bytes(&self) -> usize {
        self.next.bytes()
            + self.seen.bytes()
            + self.links.len() * std::mem::size_of::<Link>()
            + self.space.bytes()
            + self.configs.len() * std::mem::size_of::<Config<W>>()
    }

    /// What `state` permits now.
    fn moves(&mut self, context: Context, state: u32) -> usize {
        if state as usize >= self.moves_of.len() {
            self.moves_of.resize((state as usize + 1).next_power_of_two(), (0, 0));
        }
        let (event, m) = self.moves_of[state as usize];
        if event == self.event {
            return m as usize;
        }
        let mut readers = Bits::EMPTY;
        for i in self.readers.iter() {
            if self.space.step(context, state, self.slots[i].class) != Next::Nowhere {
                readers.set(i);
            }
        }
        let leads = self.leads.len();
        self.leads.resize(leads + self.slots.len(), Next::Nowhere);
        let mut legal = Bits::EMPTY;
        for i in self.writers.or(&self.unknown).iter() {
            let next = self.space.step(context, state, self.slots[i].class);
            if next != Next::Nowhere {
                legal.set(i);
                self.leads[leads + i] = next;
            }
        }
        let m = self.moves.len();
        self.moves.push(Moves { readers, legal, leads });
        self.moves_of[state as usize] = (self.event, m as u32);
        m
    }

    /// `c` is ready for the end of `r`.
    fn pass(&mut self, mut c: Config<W>, r: usize) -> Option<usize> {
        c.settled.clear(r);
        c.used.clear(r);
        c.tag = 0;
        self.next.add(&c)
    }

    /// All that one more operation can make of `c`, on the way to the end of `r`.
    fn expand(&mut self, context: Context, c: &Config<W>, r: usize) {
        let m = self.moves(context, c.state);
        let leads = self.moves[m].leads;
        let legal = self.moves[m].legal.minus(&c.used);
        for x in legal.iter() {
            let Slot { op, blind, twins, .. } = self.slots[x];
            let known = self.writers.has(x);
            let twins = twins.minus(&c.used);
            if !twins.is_empty() {
                // One that does the same goes first; unless it need not any more and x must.
                let must = known && !blind && !c.settled.has(x);
                if !must || twins.iter().any(|y| !c.settled.has(y)) {
                    continue;
                }
            }
            let next = self.leads[leads + x];
            for t in 0..self.space.count(next) {
                let state = self.space.target(next, t);
                let still = state == c.state;
                let settles = blind && !self.total.is_subset(&c.settled.or(&Bits::one(x)));
                if still && !settles && (!known || c.settled.has(x)) {
                    continue; // it would be used up for nothing
                }
                if c.tag != 0 && self.idle(context, c, x, state, r) {
                    continue;
                }
                let mut d = *c;
                d.state = state;
                d.tag = 0;
                d.used.set(x);
                if known {
                    d.settled.set(x);
                }
                if blind {
                    d.settled = d.settled.or(&self.total);
                }
                if x == r {
                    let added = self.pass(d, r);
                    self.link(added, true, c.link, op, state);
                    continue;
                }
                let m = self.moves(context, state);
                let read = self.moves[m].readers.minus(&d.settled);
                d.settled = d.settled.or(&read);
                if d.settled.has(r) {
                    let added = self.pass(d, r);
                    self.link(added, true, c.link, op, state);
                    if self.readers.has(r) || d.used.has(r) {
                        continue;
                    }
                }
                if read.is_empty() && !still {
                    // Nothing came of x yet: the next operation must depend on it.
                    d.tag = 1 + (u64::from(c.state) << 16 | x as u64);
                }
                let added = self.seen.add(&d);
                self.link(added, false, c.link, op, state);
            }
        }
    }

    fn link(&mut self, added: Option<usize>, next: bool, before: u32, op: u32, state: u32) {
        let (Some(i), true) = (added, self.keep_links) else { return };
        let link = self.links.len() as u32;
        self.links.push(Link { before, op, state });
        if next {
            self.next.set_link(i, link);
        } else {
            self.seen.set_link(i, link);
        }
    }

    /// True if the operation before `x` (it is in the tag of `c`) might as well be left out, or
    /// come after `x`, where `x` leads to `target`.
    fn idle(&mut self, context: Context, c: &Config<W>, x: usize, target: u32, r: usize) -> bool {
        let (from, w) = ((c.tag - 1) >> 16, ((c.tag - 1) & 0xffff) as usize);
        let m = self.moves(context, from as u32);
        let direct = self.leads[self.moves[m].leads + x];
        if self.space.leads_to(direct, target) {
            // Left out, unless it settled what x does not; or settled itself by x.
            let (w_blind, x_blind) = (self.slots[w].blind, self.slots[x].blind);
            let unknown = !self.writers.has(w);
            if unknown && (!w_blind || x_blind) || self.total.has(w) && x_blind {
                return true;
            }
        }
        if self.slots[w].class == self.slots[x].class {
            // Twins have their own order, which slots (used again) do not keep. With both rules no
            // order might be left; without this one always is (docs/explanation/checking.md).
            return false;
        }
        if x != r && w < x {
            return false; // of two that commute the one in the lower slot goes first
        }
        for i in 0..self.space.count(direct) {
            let between = self.space.target(direct, i);
            let swapped = self.space.step(context, between, self.slots[w].class);
            if self.space.leads_to(swapped, target) {
                return true;
            }
        }
        false
    }

    /// Drops links that lead to no configuration.
    fn forget_links(&mut self) {
        let mut live = vec![false; self.links.len()];
        for c in &self.configs {
            let mut at = c.link;
            while at != NO_LINK && !live[at as usize] {
                live[at as usize] = true;
                at = self.links[at as usize].before;
            }
        }
        let mut number = vec![NO_LINK; self.links.len()];
        let mut kept = Vec::new();
        for (i, link) in self.links.iter().enumerate() {
            if live[i] {
                number[i] = kept.len() as u32;
                let before = match link.before {
                    NO_LINK => NO_LINK,
                    b => number[b as usize],
                };
                kept.push(Link { before, ..*link });
            }
        }
        for c in &mut self.configs {
            c.link = number[c.link as usize];
        }
        self.links_limit = (kept.len() * 2).max(LINKS_KEPT);
        self.links = kept;
    }

    /// Drops states and classes that nothing open refers to. Not while links are kept.
    pub fn compact(&mut self) {
        let mut states: Vec<u32> = self.configs.iter().map(|c| c.state).collect();
        states.sort_unstable();
        states.dedup();
        let mut classes: Vec<u32> = self.taken.iter().map(|i| self.slots[i].class).collect();
        classes.sort_unstable();
        classes.dedup();
        self.space.retain(&states, &classes);
        for c in &mut self.configs {
            c.state = states.binary_search(&c.state).expect("kept") as u32;
        }
        for i in self.taken.iter() {
            let slot = &mut self.slots[i];
            slot.class = classes.binary_search(&slot.class).expect("kept") as u32;
        }
        self.moves_of.clear();
    }
}
