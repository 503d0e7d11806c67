//! From the state-changing operations of a linearization to all of it.
//!
//! The search remembers only those; the rest follows from its rules: read-only operations stand
//! where they were first legal, and what completed without having been linearized stands right
//! before the last blind operation that it was open at.

use std::collections::HashMap;

use super::space::{Context, Edges, Next, Space};
use super::window::{Link, NO_LINK, NO_OP};
use super::Event;
use crate::model::Effect;

/// What the search knows of states and operations.
pub struct Asked<'a> {
    pub space: &'a mut Space,
    pub edges: &'a mut Edges,
}

struct Replay<'a> {
    context: Context<'a>,
    space: &'a mut Space,
    edges: &'a mut Edges,
    state: u32,
    /// Operations to come, last first: (operation, state after it).
    path: Vec<(u32, u32)>,
    order: Vec<u32>,
    /// Read-only operations that have begun and have no place yet.
    waiting: Vec<u32>,
    /// When operations began, in events.
    began: HashMap<u32, usize>,
    now: usize,
    /// The last blind operation: its place in `order`, and when it happened.
    blind: Option<(usize, usize)>,
    /// (place in `order`, what stands right before it)
    inserted: Vec<(usize, u32)>,
}

pub fn replay(
    context: Context,
    asked: Asked,
    links: &[Link],
    last: u32,
    events: &[Event],
) -> Vec<u32> {
    let mut path = Vec::new();
    let mut at = last;
    while at != NO_LINK {
        let link = links[at as usize];
        path.push((link.op, link.state));
        at = link.before;
    }
    let (first, state) = path.pop().expect("a path has a beginning");
    debug_assert_eq!(first, NO_OP);
    let linearized: HashMap<u32, ()> = path.iter().map(|&(op, _)| (op, ())).collect();
    let mut r = Replay {
        context,
        space: asked.space,
        edges: asked.edges,
        state,
        path,
        order: Vec::with_capacity(events.len() / 2),
        waiting: Vec::new(),
        began: HashMap::new(),
        now: 0,
        blind: None,
        inserted: Vec::new(),
    };
    for e in events {
        r.now += 1;
        let class = r.class(e.op);
        let reads = r.space.read_only(class);
        if !e.ends {
            if reads {
                r.waiting.push(e.op);
            }
            r.began.insert(e.op, r.now);
        } else if reads {
            while r.waiting.contains(&e.op) {
                r.read_or_step();
            }
            r.began.remove(&e.op);
        } else {
            if linearized.contains_key(&e.op) {
                while r.began.contains_key(&e.op) {
                    r.read();
                    r.step();
                }
            } else {
                let began = r.began.remove(&e.op).expect("it began");
                while r.blind.is_none_or(|(_, when)| when < began) {
                    r.read();
                    r.step();
                }
                let (place, _) = r.blind.expect("there is one");
                r.inserted.push((place, e.op));
            }
        }
    }
    r.finish()
}

impl Replay<'_> {
    fn class(&mut self, op: u32) -> u32 {
        self.space.class(self.context, &self.context.history.ops[op as usize])
    }

    /// Places all read-only operations that are legal.
    fn read(&mut self) {
        let mut i = 0;
        while i < self.waiting.len() {
            let op = self.waiting[i];
            let class = self.class(op);
            if self.edges.step(self.context, self.space, self.state, class) == Next::Nowhere {
                i += 1;
            } else {
                self.order.push(op);
                self.waiting.remove(i);
            }
        }
    }

    fn read_or_step(&mut self) {
        let before = self.waiting.len();
        self.read();
        if self.waiting.len() == before {
            self.step();
            self.read();
        }
    }

    /// The next operation of the path happens.
    fn step(&mut self) {
        let (op, state) = self.path.pop().expect("the path leads to the end");
        self.state = state;
        let class = self.class(op);
        if self.space.effect(class) == Effect::Blind {
            self.blind = Some((self.order.len(), self.now));
        }
        self.order.push(op);
        self.began.remove(&op);
        self.read();
    }

    fn finish(mut self) -> Vec<u32> {
        if self.inserted.is_empty() {
            return self.order;
        }
        self.inserted.sort_by_key(|i| i.0);
        let mut all = Vec::with_capacity(self.order.len() + self.inserted.len());
        let mut inserted = self.inserted.iter().peekable();
        for (place, &op) in self.order.iter().enumerate() {
            while let Some((_, before)) = inserted.next_if(|i| i.0 == place) {
                all.push(*before);
            }
            all.push(op);
        }
        all
    }
}
