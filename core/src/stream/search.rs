//! The search of one key of a stream: a model, and a window that gets wider when it must.

use std::sync::Arc;

use crate::check::{Budget, Limit};
use crate::history::{History, Operation};
use crate::model::Model;
use crate::search::{kept, Context, Found, Window};

pub struct Search {
    model: Arc<dyn Model>,
    window: Wide,
}

impl Search {
    pub fn new(history: &History, model: Arc<dyn Model>) -> Self {
        let context = Context { history, model: model.as_ref() };
        let window = Wide::One(Window::new(context, false));
        Search { model, window }
    }

    /// Configurations held.
    pub fn width(&self) -> usize {
        self.window.width()
    }

    /// Whether the search has to order `op` at all.
    pub fn orders(&self, history: &History, op: &Operation) -> bool {
        kept(history, self.model.as_ref(), op)
    }

    pub fn begin(&mut self, history: &History, number: u32, op: &Operation) -> Result<(), Limit> {
        let context = Context { history, model: self.model.as_ref() };
        self.window.begin(context, number, op)
    }

    pub fn end(&mut self, history: &History, number: u32, budget: &Budget) -> Found {
        let context = Context { history, model: self.model.as_ref() };
        self.window.end(context, number, budget)
    }

    /// See `Key::prepare_sweep`.
    pub fn prepare_sweep(&mut self, roots: &mut Vec<u64>) {
        let words = self.window.words();
        self.model.forget_ids(&words);
        roots.extend(words);
    }
}

/// A window that gets wider when it must.
enum Wide {
    One(Window<1>),
    Four(Window<4>),
    Sixteen(Box<Window<16>>),
    Most(Box<Window<128>>),
}

impl Wide {
    fn width(&self) -> usize {
        match self {
            Wide::One(w) => w.width(),
            Wide::Four(w) => w.width(),
            Wide::Sixteen(w) => w.width(),
            Wide::Most(w) => w.width(),
        }
    }

    /// After forgetting all states but the present ones: what may be ids of values in these and
    /// in open operations, sorted.
    fn words(&mut self) -> Vec<u64> {
        match self {
            Wide::One(w) => words(w),
            Wide::Four(w) => words(w),
            Wide::Sixteen(w) => words(w),
            Wide::Most(w) => words(w),
        }
    }

    fn has_room(&self) -> bool {
        match self {
            Wide::One(w) => w.has_room(),
            Wide::Four(w) => w.has_room(),
            Wide::Sixteen(w) => w.has_room(),
            Wide::Most(w) => w.has_room(),
        }
    }

    fn begin(&mut self, context: Context, number: u32, op: &Operation) -> Result<(), Limit> {
        if !self.has_room() {
            let old = std::mem::replace(self, Wide::One(Window::new(context, false)));
            *self = match old {
                Wide::One(w) => Wide::Four(w.widen()),
                Wide::Four(w) => Wide::Sixteen(Box::new(w.widen())),
                Wide::Sixteen(w) => Wide::Most(Box::new(w.widen())),
                Wide::Most(_) => return Err(Limit::Memory),
            };
        }
        match self {
            Wide::One(w) => w.begin(context, number, op),
            Wide::Four(w) => w.begin(context, number, op),
            Wide::Sixteen(w) => w.begin(context, number, op),
            Wide::Most(w) => w.begin(context, number, op),
        }
        Ok(())
    }

    fn end(&mut self, context: Context, number: u32, budget: &Budget) -> Found {
        match self {
            Wide::One(w) => w.end(context, number, budget),
            Wide::Four(w) => w.end(context, number, budget),
            Wide::Sixteen(w) => w.end(context, number, budget),
            Wide::Most(w) => w.end(context, number, budget),
        }
    }
}

fn words<const W: usize>(window: &mut Window<W>) -> Vec<u64> {
    window.compact();
    let mut words = window.space.words();
    words.sort_unstable();
    words.dedup();
    words
}
