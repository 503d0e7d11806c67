//! States and transitions: interned, and asked of the model once.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard};

use crate::history::{History, Operation};
use crate::model::{Class, Effect, Model, State};
use crate::table::mix;

/// What a state and an operation mean.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub history: &'a History,
    pub model: &'a dyn Model,
}

/// Where an operation class leads from a state.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Nowhere,
    One(u32),
    /// A range of `Edges::many`.
    Several(u32, u32),
}

/// What is known of an operation class.
#[derive(Clone, Copy)]
struct Kind {
    sample: Operation,
    read_only: bool,
    effect: Effect,
}

const FREE: u64 = u64::MAX;

#[derive(Default)]
struct States {
    words: Vec<State>,
    ids: HashMap<State, u32>,
}

impl States {
    fn intern(&mut self, state: State) -> u32 {
        if let Some(&id) = self.ids.get(&state) {
            return id;
        }
        let id = self.words.len() as u32;
        self.words.push(state.clone());
        self.ids.insert(state, id);
        id
    }
}

/// The states and operation classes met so far; all fronts share them.
#[derive(Default)]
pub struct Space {
    states: Mutex<States>,
    kinds: Vec<Kind>,
    class_ids: HashMap<Class, u32>,
}

impl Space {
    fn states(&self) -> MutexGuard<'_, States> {
        match self.states.lock() {
            Ok(states) => states,
            Err(poisoned) => poisoned.into_inner(),
        }
    }

    pub fn initial(&self, context: Context) -> Vec<u32> {
        let mut states = self.states();
        let mut ids: Vec<u32> =
            context.model.initial().into_iter().map(|s| states.intern(s)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    pub fn class(&mut self, context: Context, op: &Operation) -> u32 {
        let fresh = self.kinds.len() as u32;
        let class = context.model.class(context.history, op);
        let id = *self.class_ids.entry(class).or_insert(fresh);
        if id == fresh {
            self.kinds.push(Kind {
                sample: *op,
                read_only: context.model.read_only(context.history, op),
                effect: context.model.effect(context.history, op),
            });
        }
        id
    }

    pub fn read_only(&self, class: u32) -> bool {
        self.kinds[class as usize].read_only
    }

    pub fn effect(&self, class: u32) -> Effect {
        self.kinds[class as usize].effect
    }

    /// Forgets all but these states and classes; both are renumbered in the order given.
    pub fn retain(&mut self, states: &[u32], classes: &[u32]) {
        let mut old = self.states();
        let kept: Vec<State> =
            states.iter().map(|&s| std::mem::take(&mut old.words[s as usize])).collect();
        drop(old);
        let number: HashMap<u32, u32> =
            classes.iter().enumerate().map(|(i, &c)| (c, i as u32)).collect();
        let class_ids = std::mem::take(&mut self.class_ids)
            .into_iter()
            .filter_map(|(class, c)| number.get(&c).map(|&n| (class, n)))
            .collect();
        let kinds = classes.iter().map(|&c| self.kinds[c as usize]).collect();
        let ids = kept.iter().cloned().zip(0..).collect();
        *self = Space { states: Mutex::new(States { words: kept, ids }), kinds, class_ids };
    }

    /// All that may be the id of a value: words of states, and what operations carry.
    pub fn words(&self) -> Vec<u64> {
        let of = |k: &Kind| [k.sample.key.0, k.sample.arg.0, k.sample.out.0];
        let carried = self.kinds.iter().flat_map(of);
        self.states().words.iter().flatten().copied().chain(carried).collect()
    }

    /// Bytes held, roughly.
    pub fn bytes(&self) -> usize {
        let states = self.states();
        let words = states.words.first().map_or(0, Vec::len);
        states.words.len() * (2 * (words * 8 + 24) + 16) + self.kinds.len() * 140
    }
}

/// Where operation classes lead from states, as far as one front has asked.
#[derive(Default)]
pub struct Edges {
    /// Open addressing: (state, class) -> where it leads.
    keys: Vec<u64>,
    next: Vec<Next>,
    count: usize,
    many: Vec<u32>,
}

impl Edges {
    #[inline]
    pub fn step(&mut self, context: Context, space: &Space, state: u32, class: u32) -> Next {
        if self.count * 2 >= self.keys.len() {
            self.grow();
        }
        let key = u64::from(state) << 32 | u64::from(class);
        let mask = self.keys.len() - 1;
        let mut i = mix(key) as usize & mask;
        while self.keys[i] != key {
            if self.keys[i] == FREE {
                return self.ask(context, space, state, class, i);
            }
            i = (i + 1) & mask;
        }
        self.next[i]
    }

    #[cold]
    fn grow(&mut self) {
        let size = (self.keys.len() * 2).max(256);
        let keys = std::mem::replace(&mut self.keys, vec![FREE; size]);
        let next = std::mem::replace(&mut self.next, vec![Next::Nowhere; size]);
        for (key, next) in keys.into_iter().zip(next) {
            if key != FREE {
                let mut i = mix(key) as usize & (size - 1);
                while self.keys[i] != FREE {
                    i = (i + 1) & (size - 1);
                }
                self.keys[i] = key;
                self.next[i] = next;
            }
        }
    }

    fn ask(
        &mut self,
        context: Context,
        space: &Space,
        state: u32,
        class: u32,
        slot: usize,
    ) -> Next {
        let op = space.kinds[class as usize].sample;
        let mut states = space.states();
        let targets = context.model.step(context.history, &states.words[state as usize], &op);
        let mut ids: Vec<u32> = Vec::with_capacity(targets.len());
        for target in targets {
            ids.push(if target == states.words[state as usize] {
                state
            } else {
                states.intern(target)
            });
        }
        drop(states);
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
        self.keys[slot] = u64::from(state) << 32 | u64::from(class);
        self.next[slot] = next;
        self.count += 1;
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

    pub fn bytes(&self) -> usize {
        self.keys.len() * 24 + self.many.len() * 4
    }
}
