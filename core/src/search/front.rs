//! A front: the states that one thread answers for, and what it makes of them at an event.

use super::bits::Bits;
use super::open::{Open, Slot};
use super::set::{Config, Set};
use super::space::{Context, Edges, Next, Space};
use super::window::Link;
use crate::check::{Budget, Limit};
use crate::table::mix;

/// No front answers for this state yet: its number decides.
pub const ANYBODY: u32 = u32::MAX;

/// What all fronts know of the event at hand: the end of the operation in slot `r`.
pub struct Event<'a, const W: usize> {
    pub context: Context<'a>,
    pub space: &'a Space,
    pub open: &'a Open<W>,
    pub r: usize,
    /// What could be before it.
    pub configs: &'a [Config<W>],
    /// By state: the front that answers for it.
    pub owners: &'a [u32],
    /// The number of the first link that is made at this event; None where none are kept.
    pub first_link: Option<u32>,
    /// Bytes that the window holds besides its fronts.
    pub bytes: usize,
    pub budget: &'a Budget<'a>,
}

/// A configuration on its way to the front that answers for its state. `config.link` is that of
/// the one before it.
pub struct Arrival<const W: usize> {
    pub config: Config<W>,
    /// The state before it.
    from: u32,
    /// The slot of the operation that led from there.
    x: u32,
}

/// What a state permits, for the event at hand.
struct Moves<const W: usize> {
    /// Read-only operations that are legal.
    readers: Bits<W>,
    /// Others that are legal.
    legal: Bits<W>,
    /// Where they lead: `Front::leads[leads + slot]`.
    leads: usize,
}

pub struct Front<const W: usize> {
    pub edges: Edges,
    /// This one's number, and how many there are at this event.
    number: u32,
    fronts: u32,
    /// Configurations in which the operation has ended.
    pub next: Set<W>,
    /// All others that were met, and how many of them were looked at.
    pub seen: Set<W>,
    pub at: usize,
    /// Links made at this event.
    pub links: Vec<Link>,
    /// By front: what is on its way there.
    pub out: Vec<Vec<Arrival<W>>>,
    steps: u64,
    // For the event at hand, kept for their memory.
    moves: Vec<Moves<W>>,
    moves_of: Vec<(u32, u32)>, // by state: event, entry of `moves`
    leads: Vec<Next>,
    event: u32,
}

impl<const W: usize> Front<W> {
    pub fn new() -> Self {
        Front {
            edges: Edges::default(),
            number: 0,
            fronts: 1,
            next: Set::new(),
            seen: Set::new(),
            at: 0,
            links: Vec::new(),
            out: Vec::new(),
            steps: 0,
            moves: Vec::new(),
            moves_of: Vec::new(),
            leads: Vec::new(),
            event: 0,
        }
    }

    /// An event begins, with so many fronts.
    pub fn start(&mut self, number: usize, fronts: usize) {
        (self.number, self.fronts) = (number as u32, fronts as u32);
        self.event += 1;
        self.moves.clear();
        self.leads.clear();
        self.next.clear();
        self.seen.clear();
        self.at = 0;
        self.out.resize_with(fronts, Vec::new);
    }

    /// States were renumbered.
    pub fn forget_states(&mut self) {
        self.edges = Edges::default();
        self.moves_of.clear();
    }

    /// The front that answers for a state.
    #[inline]
    fn owner(&self, e: &Event<W>, state: u32) -> u32 {
        match e.owners.get(state as usize) {
            Some(&owner) if owner != ANYBODY => owner,
            _ if self.fronts == 1 => self.number,
            _ => (mix(u64::from(state)) >> 32) as u32 % self.fronts,
        }
    }

    /// Takes its share of what could be before the event.
    pub fn take(&mut self, e: &Event<W>) {
        let reads = e.open.readers.has(e.r);
        for &config in e.configs {
            if self.owner(e, config.state) != self.number {
                continue;
            }
            let mut c = config;
            if c.settled.has(e.r) {
                self.pass(c, e.r);
                if reads || c.used.has(e.r) {
                    continue;
                }
            } else if reads && self.step(e, c.state, e.r) != Next::Nowhere {
                self.pass(c, e.r);
                continue;
            }
            let m = self.moves(e, c.state);
            c.settled = c.settled.or(&self.moves[m].readers);
            self.seen.add(&c);
        }
    }

    /// Looks at the next of what was met, up to number `end`. Some: a limit does not allow it.
    pub fn advance(&mut self, e: &Event<W>, end: usize) -> Option<Limit> {
        while self.at < end.min(self.seen.len()) {
            if let Some(&c) = self.seen.get(self.at) {
                self.steps += 1;
                if self.steps.is_multiple_of(256) {
                    if e.budget.expired() {
                        return Some(Limit::Time);
                    }
                    let bytes = self.bytes() * self.fronts as usize + e.bytes + e.space.bytes();
                    if bytes > e.budget.memory_bytes {
                        return Some(Limit::Memory);
                    }
                }
                self.expand(e, &c);
            }
            self.at += 1;
        }
        None
    }

    fn bytes(&self) -> usize {
        self.next.bytes()
            + self.seen.bytes()
            + self.links.len() * std::mem::size_of::<Link>()
            + self.edges.bytes()
    }

    #[inline]
    fn step(&mut self, e: &Event<W>, state: u32, slot: usize) -> Next {
        self.edges.step(e.context, e.space, state, e.open.slots[slot].class)
    }

    /// What `state` permits now.
    fn moves(&mut self, e: &Event<W>, state: u32) -> usize {
        if state as usize >= self.moves_of.len() {
            self.moves_of.resize((state as usize + 1).next_power_of_two(), (0, 0));
        }
        let (event, m) = self.moves_of[state as usize];
        if event == self.event {
            return m as usize;
        }
        let mut readers = Bits::EMPTY;
        for i in e.open.readers.iter() {
            if self.step(e, state, i) != Next::Nowhere {
                readers.set(i);
            }
        }
        let leads = self.leads.len();
        self.leads.resize(leads + e.open.slots.len(), Next::Nowhere);
        let mut legal = Bits::EMPTY;
        for i in e.open.writers.or(&e.open.unknown).iter() {
            let next = self.step(e, state, i);
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
    fn expand(&mut self, e: &Event<W>, c: &Config<W>) {
        let m = self.moves(e, c.state);
        let leads = self.moves[m].leads;
        let legal = self.moves[m].legal.minus(&c.used);
        let total = &e.open.total;
        for x in legal.iter() {
            let Slot { blind, twins, .. } = e.open.slots[x];
            let known = e.open.writers.has(x);
            let twins = twins.minus(&c.used);
            if !twins.is_empty() {
                // One that does the same goes first; unless it need not any more and x must.
                let must = known && !blind && !c.settled.has(x);
                if !must || twins.iter().any(|y| !c.settled.has(y)) {
                    continue;
                }
            }
            let next = self.leads[leads + x];
            for t in 0..self.edges.count(next) {
                let state = self.edges.target(next, t);
                let still = state == c.state;
                let settles = blind && !total.is_subset(&c.settled.or(&Bits::one(x)));
                if still && !settles && (!known || c.settled.has(x)) {
                    continue; // it would be used up for nothing
                }
                if c.tag != 0 && self.idle(e, c, x, state) {
                    continue;
                }
                let mut config = *c;
                config.state = state;
                config.tag = 0;
                config.used.set(x);
                if known {
                    config.settled.set(x);
                }
                if blind {
                    config.settled = config.settled.or(total);
                }
                let arrival = Arrival { config, from: c.state, x: x as u32 };
                let owner = self.owner(e, state);
                if owner == self.number {
                    self.arrive(e, arrival);
                } else {
                    self.out[owner as usize].push(arrival);
                }
            }
        }
    }

    /// A configuration reaches the front that answers for its state.
    pub fn arrive(&mut self, e: &Event<W>, arrival: Arrival<W>) {
        let Arrival { mut config, from, x } = arrival;
        let (r, op) = (e.r, e.open.slots[x as usize].op);
        let link = Link { before: config.link, op, state: config.state };
        if x as usize == r {
            let added = self.pass(config, r);
            self.link(e, added, true, link);
            return;
        }
        let m = self.moves(e, config.state);
        let read = self.moves[m].readers.minus(&config.settled);
        config.settled = config.settled.or(&read);
        if config.settled.has(r) {
            let added = self.pass(config, r);
            self.link(e, added, true, link);
            if e.open.readers.has(r) || config.used.has(r) {
                return;
            }
        }
        if read.is_empty() && from != config.state {
            // Nothing came of x yet: the next operation must depend on it.
            config.tag = 1 + (u64::from(from) << 16 | u64::from(x));
        }
        let added = self.seen.add(&config);
        self.link(e, added, false, link);
    }

    fn link(&mut self, e: &Event<W>, added: Option<usize>, next: bool, link: Link) {
        let (Some(i), Some(first)) = (added, e.first_link) else { return };
        // Fronts number theirs in turn.
        let number = first + self.links.len() as u32 * self.fronts + self.number;
        self.links.push(link);
        if next {
            self.next.set_link(i, number);
        } else {
            self.seen.set_link(i, number);
        }
    }

    /// True if the operation before `x` (it is in the tag of `c`) might as well be left out, or
    /// come after `x`, where `x` leads to `target`.
    fn idle(&mut self, e: &Event<W>, c: &Config<W>, x: usize, target: u32) -> bool {
        let (from, w) = ((c.tag - 1) >> 16, ((c.tag - 1) & 0xffff) as usize);
        let m = self.moves(e, from as u32);
        let direct = self.leads[self.moves[m].leads + x];
        let slots = &e.open.slots;
        if self.edges.leads_to(direct, target) {
            // Left out, unless it settled what x does not; or settled itself by x.
            let (w_blind, x_blind) = (slots[w].blind, slots[x].blind);
            let unknown = !e.open.writers.has(w);
            if unknown && (!w_blind || x_blind) || e.open.total.has(w) && x_blind {
                return true;
            }
        }
        if slots[w].class == slots[x].class {
            // Twins have their own order, which slots (used again) do not keep. With both rules no
            // order might be left; without this one always is (docs/explanation/checking.md).
            return false;
        }
        if x != e.r && w < x {
            return false; // of two that commute the one in the lower slot goes first
        }
        for i in 0..self.edges.count(direct) {
            let between = self.edges.target(direct, i);
            let swapped = self.step(e, between, w);
            if self.edges.leads_to(swapped, target) {
                return true;
            }
        }
        false
    }
}
