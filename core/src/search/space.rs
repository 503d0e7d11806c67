//! States and transitions: interned, and asked of the model once.

use std::collections::HashMap;

use crate::history::History;
use crate::model::{Class, Model, State};
use crate::table::IdMap;

/// Where an operation class leads from a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Nowhere,
    One(u32),
    /// A range of `Space::many`.
    Several(u32, u32),
}

pub struct Space<'a> {
    history: &'a History,
    model: &'a dyn Model,
    states: Vec<State>,
    state_ids: HashMap<State, u32>,
    class_ids: HashMap<Class, u32>,
    /// An operation of each class, and whether the class never changes a state.
    samples: Vec<(u32, bool)>,
    edges: IdMap,
    next: Vec<Next>,
    many: Vec<u32>,
}

impl<'a> Space<'a> {
    pub fn new(history: &'a History, model: &'a dyn Model) -> Self {
        Space {
            history,
            model,
            states: Vec::new(),
            state_ids: HashMap::new(),
            class_ids: HashMap::new(),
            samples: Vec::new(),
            edges: IdMap::with_capacity(64),
            next: Vec::new(),
            many: Vec::new(),
        }
    }

    pub fn initial(&mut self) -> Vec<u32> {
        let mut ids: Vec<u32> = self.model.initial().into_iter().map(|s| self.intern(s)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    fn intern(&mut self, state: State) -> u32 {
        if let Some(&id) = self.state_ids.get(&state) {
            return id;
        }
        let id = self.states.len() as u32;
        self.states.push(state.clone());
        self.state_ids.insert(state, id);
        id
    }

    pub fn class(&mut self, op: u32) -> u32 {
        let o = &self.history.ops[op as usize];
        let class = self.model.class(self.history, o);
        let fresh = self.samples.len() as u32;
        let id = *self.class_ids.entry(class).or_insert(fresh);
        if id == fresh {
            self.samples.push((op, self.model.read_only(self.history, o)));
        }
        id
    }

    pub fn read_only(&self, class: u32) -> bool {
        self.samples[class as usize].1
    }

    #[inline]
    pub fn step(&mut self, state: u32, class: u32) -> Next {
        let fresh = self.next.len() as u32;
        let edge = self.edges.get_or_insert(u64::from(state) << 32 | u64::from(class), fresh);
        if edge != fresh {
            return self.next[edge as usize];
        }
        self.ask(state, class)
    }

    #[cold]
    fn ask(&mut self, state: u32, class: u32) -> Next {
        let op = &self.history.ops[self.samples[class as usize].0 as usize];
        let targets = self.model.step(self.history, &self.states[state as usize], op);
        let mut ids: Vec<u32> = targets.into_iter().map(|s| self.intern(s)).collect();
        ids.sort_unstable();
        ids.dedup();
        let next = match ids[..] {
            [] => Next::Nowhere,
            [one] => Next::One(one),
            _ => {
                let start = self.many.len() as u32;
                self.many.extend(&ids);
                Next::Several(start, self.many.len() as u32)
            }
        };
        self.next.push(next);
        next
    }

    #[inline]
    pub fn count(&self, next: Next) -> usize {
        match next {
            Next::Nowhere => 0,
            Next::One(_) => 1,
            Next::Several(a, b) => (b - a) as usize,
        }
    }

    #[inline]
    pub fn target(&self, next: Next, i: usize) -> u32 {
        match next {
            Next::Nowhere => unreachable!("no target"),
            Next::One(one) => one,
            Next::Several(a, _) => self.many[a as usize + i],
        }
    }

    #[inline]
    pub fn leads_to(&self, next: Next, state: u32) -> bool {
        match next {
            Next::Nowhere => false,
            Next::One(one) => one == state,
            Next::Several(a, b) => self.many[a as usize..b as usize].contains(&state),
        }
    }

    /// Bytes held, roughly.
    pub fn bytes(&self) -> usize {
        let words: usize = self.states.first().map_or(0, Vec::len);
        self.states.len() * (2 * (words * 8 + 24) + 16) + self.next.len() * 44
    }
}
