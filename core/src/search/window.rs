//! The window: the operations that are open, and every configuration the past permits.

use std::collections::HashMap;

use super::bits::Bits;
use super::space::{Next, Space};
use crate::check::{Budget, Limit};
use crate::history::{History, Outcome, OPEN};
use crate::model::Model;

/// What linearizing everything up to some event may have led to.
#[derive(Clone, Copy)]
struct Config<const W: usize> {
    state: u32,
    /// The last operation linearized (an entry of `Window::links`).
    link: u32,
    /// Open operations that are linearized already.
    done: Bits<W>,
    /// Operations of unknown outcome that are taken to have happened.
    used: Bits<W>,
}

/// Configurations without those that another one makes superfluous: of two equal but for the
/// unknown operations they used, the one that used fewer can do all that the other can.
struct Set<const W: usize> {
    by: HashMap<(u32, [u64; W]), Vec<(Bits<W>, u32)>>,
    len: usize,
}

impl<const W: usize> Set<W> {
    fn new() -> Self {
        Set { by: HashMap::new(), len: 0 }
    }

    fn add(&mut self, c: &Config<W>) -> bool {
        let list = self.by.entry((c.state, c.done.0)).or_default();
        if list.iter().any(|(used, _)| used.is_subset(&c.used)) {
            return false;
        }
        let before = list.len();
        list.retain(|(used, _)| !c.used.is_subset(used));
        list.push((c.used, c.link));
        self.len = self.len + list.len() - before;
        true
    }

    fn configs(&self) -> Vec<Config<W>> {
        let mut all = Vec::with_capacity(self.len);
        for (&(state, done), list) in &self.by {
            for &(used, link) in list {
                all.push(Config { state, link, done: Bits(done), used });
            }
        }
        all
    }
}

#[derive(Clone, Copy)]
struct Slot<const W: usize> {
    op: u32,
    class: u32,
    ret: u32,
    /// Open operations of the same class that end earlier: they go first.
    before: Bits<W>,
}

pub enum Step {
    Possible,
    Impossible,
    Exhausted(Limit),
}

pub struct Window<'a, const W: usize> {
    history: &'a History,
    space: Space<'a>,
    slots: Vec<Slot<W>>,
    open: Bits<W>,
    /// Those of `open` that never change a state.
    readers: Bits<W>,
    unknown: Vec<Slot<W>>,
    configs: Vec<Config<W>>,
    /// (link before, operation)
    links: Vec<(u32, u32)>,
    steps: u64,
}

const NO_LINK: u32 = u32::MAX;

impl<'a, const W: usize> Window<'a, W> {
    pub fn new(history: &'a History, model: &'a dyn Model) -> Self {
        let mut space = Space::new(history, model);
        let configs = space
            .initial()
            .into_iter()
            .map(|state| Config { state, link: NO_LINK, done: Bits::EMPTY, used: Bits::EMPTY })
            .collect();
        Window {
            history,
            space,
            slots: Vec::new(),
            open: Bits::EMPTY,
            readers: Bits::EMPTY,
            unknown: Vec::new(),
            configs,
            links: Vec::new(),
            steps: 0,
        }
    }

    pub fn begin(&mut self, op: u32) {
        let o = &self.history.ops[op as usize];
        let class = self.space.class(op);
        let mut slot = Slot { op, class, ret: o.ret, before: Bits::EMPTY };
        if o.ret == OPEN || o.outcome == Outcome::Info {
            for (i, u) in self.unknown.iter().enumerate() {
                if u.class == class {
                    slot.before.set(i);
                }
            }
            self.unknown.push(slot);
            return;
        }
        let i = self.open.first_free().expect("the window was measured");
        for k in self.open.iter() {
            if self.slots[k].class == class {
                if self.slots[k].ret < o.ret {
                    slot.before.set(k);
                } else {
                    self.slots[k].before.set(i);
                }
            }
        }
        if i == self.slots.len() {
            self.slots.push(slot);
        } else {
            self.slots[i] = slot;
        }
        self.open.set(i);
        if self.space.read_only(class) {
            self.readers.set(i);
        }
    }

    pub fn end(&mut self, op: u32, budget: &Budget) -> Step {
        let r = self.open.iter().find(|&i| self.slots[i].op == op).expect("only what began ends");
        let mut next = Set::new();
        let mut seen = Set::new();
        let mut stack = Vec::new();
        for c in std::mem::take(&mut self.configs) {
            self.push(c, r, &mut next, &mut seen, &mut stack);
        }
        while let Some(c) = stack.pop() {
            self.steps += 1;
            if self.steps.is_multiple_of(1024) {
                if budget.expired() {
                    return Step::Exhausted(Limit::Time);
                }
                let configs = next.len + seen.len + stack.len();
                let bytes = configs * (std::mem::size_of::<Config<W>>() + 48)
                    + self.links.len() * 8
                    + self.space.bytes();
                if bytes > budget.memory_bytes {
                    return Step::Exhausted(Limit::Memory);
                }
            }
            self.expand(&c, r, &mut next, &mut seen, &mut stack);
        }
        self.configs = next.configs();
        self.open.clear(r);
        self.readers.clear(r);
        for slot in &mut self.slots {
            slot.before.clear(r);
        }
        if self.configs.is_empty() {
            Step::Impossible
        } else {
            Step::Possible
        }
    }

    fn link(&mut self, before: u32, op: u32) -> u32 {
        self.links.push((before, op));
        self.links.len() as u32 - 1
    }

    fn push(
        &mut self,
        mut c: Config<W>,
        r: usize,
        next: &mut Set<W>,
        seen: &mut Set<W>,
        stack: &mut Vec<Config<W>>,
    ) {
        for k in self.readers.minus(&c.done).iter() {
            if self.space.step(c.state, self.slots[k].class) != Next::Nowhere {
                c.done.set(k);
                c.link = self.link(c.link, self.slots[k].op);
            }
        }
        if c.done.has(r) {
            c.done.clear(r);
            next.add(&c);
        } else if seen.add(&c) {
            stack.push(c);
        }
    }

    fn expand(
        &mut self,
        c: &Config<W>,
        r: usize,
        next: &mut Set<W>,
        seen: &mut Set<W>,
        stack: &mut Vec<Config<W>>,
    ) {
        let todo = self.open.minus(&c.done);
        for k in todo.iter() {
            let Slot { op, class, before, .. } = self.slots[k];
            if !before.and(&todo).is_empty() {
                continue;
            }
            let to = self.space.step(c.state, class);
            for i in 0..self.space.count(to) {
                let state = self.space.target(to, i);
                let link = self.link(c.link, op);
                let c = Config { state, link, done: c.done.with(k), used: c.used };
                self.push(c, r, next, seen, stack);
            }
        }
        for u in 0..self.unknown.len() {
            self.suppose(c, u, r, next, seen, stack);
        }
    }

    /// Lets unknown operation `u` happen in `c`, where the operation right after it needs that:
    /// it could neither do the same without `u`, nor before `u`.
    fn suppose(
        &mut self,
        c: &Config<W>,
        u: usize,
        r: usize,
        next: &mut Set<W>,
        seen: &mut Set<W>,
        stack: &mut Vec<Config<W>>,
    ) {
        let slot = self.unknown[u];
        if c.used.has(u) || !slot.before.is_subset(&c.used) {
            return;
        }
        let todo = self.open.minus(&c.done);
        if todo.iter().any(|k| self.slots[k].class == slot.class) {
            return; // one that did happen does as well
        }
        let to = self.space.step(c.state, slot.class);
        for i in 0..self.space.count(to) {
            let state = self.space.target(to, i);
            if state == c.state {
                continue;
            }
            let mut link = None;
            for k in todo.iter() {
                let follower = self.slots[k];
                if !follower.before.and(&todo).is_empty() {
                    continue;
                }
                let then = self.space.step(state, follower.class);
                for j in 0..self.space.count(then) {
                    let target = self.space.target(then, j);
                    if self.without(c.state, slot.class, follower.class, target).is_some() {
                        continue;
                    }
                    let l = *link.get_or_insert_with(|| {
                        self.links.push((c.link, slot.op));
                        self.links.len() as u32 - 1
                    });
                    let link = self.link(l, follower.op);
                    let c =
                        Config { state: target, link, done: c.done.with(k), used: c.used.with(u) };
                    self.push(c, r, next, seen, stack);
                }
            }
            for v in 0..self.unknown.len() {
                if v == u || c.used.has(v) {
                    continue;
                }
                let then = self.space.step(state, self.unknown[v].class);
                let mut needed = false;
                for j in 0..self.space.count(then) {
                    let target = self.space.target(then, j);
                    needed |= match self.without(c.state, slot.class, self.unknown[v].class, target)
                    {
                        None => true,
                        Some(Without::Swapped) => u < v,
                        Some(Without::Dropped) => false,
                    };
                }
                if needed {
                    let l = *link.get_or_insert_with(|| {
                        self.links.push((c.link, slot.op));
                        self.links.len() as u32 - 1
                    });
                    let c = Config { state, link: l, done: c.done, used: c.used.with(u) };
                    self.suppose(&c, v, r, next, seen, stack);
                }
            }
        }
    }

    /// Whether `follower` leads from `state` to `target` also without an unknown operation of
    /// class `unknown` right before it.
    fn without(&mut self, state: u32, unknown: u32, follower: u32, target: u32) -> Option<Without> {
        let direct = self.space.step(state, follower);
        if self.space.leads_to(direct, target) {
            return Some(Without::Dropped);
        }
        for i in 0..self.space.count(direct) {
            let between = self.space.target(direct, i);
            let swapped = self.space.step(between, unknown);
            if self.space.leads_to(swapped, target) {
                return Some(Without::Swapped);
            }
        }
        None
    }

    /// A linearization of all that has ended.
    pub fn witness(&self) -> Vec<u32> {
        let mut order = Vec::new();
        let mut link = self.configs[0].link;
        while link != NO_LINK {
            let (before, op) = self.links[link as usize];
            order.push(op);
            link = before;
        }
        order.reverse();
        order
    }
}

enum Without {
    Dropped,
    Swapped,
}
