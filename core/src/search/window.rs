//! The window: the operations that are open, and every configuration the past permits.

use std::sync::atomic::Ordering;

use super::bits::Bits;
use super::exchange;
use super::front::{Event, Front, ANYBODY};
use super::open::Open;
use super::set::Config;
use super::space::{Context, Space};
use crate::check::{Budget, Limit};
use crate::history::Operation;

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
const COMPACT_BYTES: usize = 16 << 20;
const LINKS_KEPT: usize = 1 << 22;
/// Configurations from which on an event is worth more than one thread.
const SHARED: usize = 1024;

pub enum Step {
    Possible,
    Impossible,
    Exhausted(Limit),
}

pub struct Window<const W: usize> {
    pub space: Space,
    /// Bytes of states and transitions from which on `compact` is worth it.
    compact_at: usize,
    open: Open<W>,
    configs: Vec<Config<W>>,
    /// The first works alone while there is little to do.
    pub fronts: Vec<Front<W>>,
    pub links: Vec<Link>,
    links_limit: usize,
    keep_links: bool,
}

impl<const W: usize> Window<W> {
    pub fn new(context: Context, keep_links: bool) -> Self {
        let space = Space::default();
        let mut links = Vec::new();
        let mut configs = Vec::new();
        for state in space.initial(context) {
            let link = if keep_links { links.len() as u32 } else { NO_LINK };
            if keep_links {
                links.push(Link { before: NO_LINK, op: NO_OP, state });
            }
            configs.push(Config { state, link, tag: 0, settled: Bits::EMPTY, used: Bits::EMPTY });
        }
        Window {
            space,
            compact_at: COMPACT_BYTES,
            open: Open::new(),
            configs,
            fronts: vec![Front::new()],
            links,
            links_limit: LINKS_KEPT,
            keep_links,
        }
    }

    /// Configurations held.
    pub fn width(&self) -> usize {
        self.configs.len()
    }

    /// True if one more operation fits.
    pub fn has_room(&self) -> bool {
        self.open.has_room()
    }

    /// The end of some linearization of all that has ended, in `links`.
    pub fn last(&self) -> u32 {
        self.configs[0].link
    }

    /// The same with more room.
    pub fn widen<const V: usize>(self) -> Window<V> {
        let configs = self.configs.iter().map(|c| Config {
            state: c.state,
            link: c.link,
            tag: c.tag,
            settled: c.settled.widen(),
            used: c.used.widen(),
        });
        Window {
            configs: configs.collect(),
            space: self.space,
            compact_at: self.compact_at,
            open: self.open.widen(),
            fronts: vec![Front::new()],
            links: self.links,
            links_limit: self.links_limit,
            keep_links: self.keep_links,
        }
    }

    /// `op` is invoked; its completion, `ret`, is known already. There must be room.
    pub fn begin(&mut self, context: Context, number: u32, op: &Operation) {
        self.open.add(&mut self.space, context, number, op);
    }

    /// Operation `number` completes: what could have happened until now?
    pub fn end(&mut self, context: Context, number: u32, budget: &Budget) -> Step {
        let r = self.open.slot_of(number);
        let fronts = self.fronts_for(context, budget);
        for (i, front) in self.fronts[..fronts].iter_mut().enumerate() {
            front.start(i, fronts);
        }
        let owners = owners(&self.configs, fronts);
        let event = Event {
            context,
            space: &self.space,
            open: &self.open,
            r,
            configs: &self.configs,
            owners: &owners,
            first_link: self.keep_links.then_some(self.links.len() as u32),
            bytes: self.links.len() * std::mem::size_of::<Link>()
                + self.configs.len() * std::mem::size_of::<Config<W>>(),
            budget,
        };
        let limit = match &mut self.fronts[..fronts] {
            [front] => {
                front.take(&event);
                front.advance(&event, usize::MAX)
            }
            several => exchange::run(several, &event),
        };
        if let Some(limit) = limit {
            return Step::Exhausted(limit);
        }
        self.collect_links(fronts);
        self.configs.clear();
        for front in &mut self.fronts[..fronts] {
            front.next.drain(&mut self.configs);
        }
        self.open.remove(r);
        if self.configs.is_empty() {
            return Step::Impossible;
        }
        if self.links.len() > self.links_limit {
            self.forget_links();
        }
        let edges = self.fronts.iter().map(|f| f.edges.bytes()).sum::<usize>();
        if !self.keep_links && self.space.bytes() + edges > self.compact_at {
            self.compact();
            self.compact_at = (self.space.bytes() * 2).max(COMPACT_BYTES);
        }
        Step::Possible
    }

    /// How many threads the next event is worth.
    fn fronts_for(&mut self, context: Context, budget: &Budget) -> usize {
        if self.configs.len() < SHARED || !context.model.parallel() {
            return 1;
        }
        let fronts = 1 + budget.spare.load(Ordering::Relaxed);
        while self.fronts.len() < fronts {
            self.fronts.push(Front::new());
        }
        fronts
    }

    fn collect_links(&mut self, fronts: usize) {
        let fronts = &mut self.fronts[..fronts];
        if let [front] = fronts {
            self.links.append(&mut front.links);
            return;
        }
        let most = fronts.iter().map(|f| f.links.len()).max().unwrap_or(0);
        let filler = Link { before: NO_LINK, op: NO_OP, state: 0 };
        for i in 0..most {
            self.links.extend(fronts.iter().map(|f| *f.links.get(i).unwrap_or(&filler)));
        }
        for front in fronts {
            front.links.clear();
        }
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
        for i in 0..self.links.len() {
            if live[i] {
                number[i] = kept.len() as u32;
                kept.push(self.links[i]);
            }
        }
        // (a link may stand before the one that it follows)
        for link in &mut kept {
            if link.before != NO_LINK {
                link.before = number[link.before as usize];
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
        let classes = self.open.classes();
        self.space.retain(&states, &classes);
        for c in &mut self.configs {
            c.state = states.binary_search(&c.state).expect("kept") as u32;
        }
        self.open.renumber(&classes);
        for front in &mut self.fronts {
            front.forget_states();
        }
    }
}

/// States shared out to fronts so that each gets about as many configurations.
fn owners<const W: usize>(configs: &[Config<W>], fronts: usize) -> Vec<u32> {
    if fronts == 1 {
        return Vec::new();
    }
    let states = configs.iter().map(|c| c.state as usize + 1).max().unwrap_or(0);
    let mut sizes: Vec<(usize, usize)> = (0..states).map(|state| (0, state)).collect();
    for c in configs {
        sizes[c.state as usize].0 += 1;
    }
    sizes.sort_unstable_by(|a, b| b.cmp(a));
    let mut owners = vec![ANYBODY; states];
    let mut loads = vec![0; fronts];
    for (size, state) in sizes.into_iter().take_while(|s| s.0 > 0) {
        let least = (0..fronts).min_by_key(|&f| loads[f]).unwrap_or(0);
        loads[least] += size;
        owners[state] = least as u32;
    }
    owners
}
