//! One key of a stream: its operations that are open or not yet decided.

use std::collections::VecDeque;
use std::sync::Arc;

use super::search::Search;
use super::Subject;
use crate::check::{Budget, Limit};
use crate::history::{History, Operation, Outcome, OPEN};
use crate::model::Model;
use crate::register::{Act, Online, Reader, Status};
use crate::registry::Options;
use crate::search::Found;

/// Events of one key kept in case its values come to repeat.
const REMEMBERED: usize = 8192;

/// How a key is decided.
enum How {
    Zones(Box<Online>),
    Search(Box<Search>),
    /// It is decided, or cannot be.
    Over,
}

/// One key. Its operations are numbered by tokens; those before `tokens` are forgotten.
pub struct Key {
    how: How,
    tokens: usize,
    /// Operations; and the index of the completion once it has come.
    ops: VecDeque<(Operation, Option<u64>)>,
    /// No operation before this one is open.
    oldest: usize,
    /// Events that the search has not taken: (token, it ends).
    pending: VecDeque<(usize, bool)>,
    /// All events so far, while they are few.
    remembered: Option<VecDeque<(usize, bool)>>,
}

impl Key {
    pub fn new(history: &History, subject: &Subject, options: &Options) -> Self {
        let register = subject.register(options);
        let how = match register {
            Some(initial) => How::Zones(Box::new(Online::new(initial))),
            None => {
                let model = subject.model(history, options);
                How::Search(Box::new(Search::new(history, model)))
            }
        };
        Key {
            how,
            tokens: 0,
            ops: VecDeque::new(),
            oldest: 0,
            pending: VecDeque::new(),
            remembered: register.map(|_| VecDeque::new()),
        }
    }

    /// What the next operation to begin will be called.
    pub fn next_token(&self) -> usize {
        self.tokens + self.ops.len()
    }

    pub fn searches(&self) -> bool {
        matches!(self.how, How::Search(_))
    }

    /// Configurations or values held.
    pub fn held(&self) -> usize {
        match &self.how {
            How::Zones(online) => online.len(),
            How::Search(search) => search.width() + self.pending.len(),
            How::Over => 0,
        }
    }

    pub fn op(&mut self, token: usize) -> &mut Operation {
        &mut self.ops[token - self.tokens].0
    }

    /// Forgets operations that nothing refers to any more.
    pub fn drop_done(&mut self) {
        if self.remembered.is_some() {
            return;
        }
        let first = self.pending.iter().map(|p| p.0).min().unwrap_or(usize::MAX);
        while self.tokens < first && self.ops.front().is_some_and(|o| o.1.is_some()) {
            self.ops.pop_front();
            self.tokens += 1;
        }
        self.oldest = self.oldest.max(self.tokens);
    }

    /// From now on by search, of all events so far; false where these are forgotten already, so
    /// that nothing can be decided.
    pub fn start_over(&mut self, history: &History, model: Arc<dyn Model>) -> bool {
        let Some(events) = self.remembered.take() else {
            self.give_up();
            return false;
        };
        self.how = How::Search(Box::new(Search::new(history, model)));
        self.pending = events;
        true
    }

    /// Nothing more will be decided.
    pub fn give_up(&mut self) {
        self.how = How::Over;
        self.pending.clear();
        self.remembered = None;
    }

    /// Adds to `roots` all that may be the id of a value that is still needed, and forgets
    /// whatever else was kept by id.
    pub fn prepare_sweep(&mut self, roots: &mut Vec<u64>) {
        for (op, _) in &self.ops {
            roots.extend([op.key.0, op.arg.0, op.out.0]);
        }
        match &mut self.how {
            How::Zones(online) => roots.extend(online.values()),
            How::Search(search) => search.prepare_sweep(roots),
            How::Over => {}
        }
    }

    fn remember(&mut self, token: usize, ends: bool) {
        match &mut self.remembered {
            Some(events) if events.len() < REMEMBERED => events.push_back((token, ends)),
            _ => self.remembered = None,
        }
    }

    pub fn begin(&mut self, history: &History, reader: &Reader, op: Operation) -> Status {
        let token = self.next_token();
        self.ops.push_back((op, None));
        let How::Zones(online) = &mut self.how else {
            if matches!(self.how, How::Search(_)) {
                self.pending.push_back((token, false));
            }
            return Status::Possible;
        };
        let status = match reader.act(history, &op) {
            Act::Write(v) => online.begin(v, None, op.inv),
            Act::Cas(from, to) => online.begin(to, Some(from), op.inv),
            _ => Status::Possible,
        };
        self.remember(token, false);
        status
    }

    /// An operation has ended, at event `index` of the history, which is the `now`th here.
    pub fn end(
        &mut self,
        history: &History,
        reader: &Reader,
        token: usize,
        (now, index): (u32, u64),
    ) -> Status {
        let entry = &mut self.ops[token - self.tokens];
        entry.1 = Some(index);
        let op = entry.0;
        let How::Zones(online) = &mut self.how else {
            if matches!(self.how, How::Search(_)) && op.ret != OPEN {
                self.pending.push_back((token, true));
            }
            return Status::Possible;
        };
        let mut status = Status::Possible;
        let begun = reader.act(history, &Operation { outcome: Outcome::Info, ..op });
        match (begun, op.outcome) {
            (Act::Write(v) | Act::Cas(_, v), Outcome::Ok) => status = online.happened(v, op.ret),
            (Act::Write(v) | Act::Cas(_, v), Outcome::Fail) => status = online.failed(v),
            _ => {}
        }
        if let (Act::Read(v), Status::Possible) = (reader.act(history, &op), status) {
            status = online.read(v, op.inv, op.ret);
        }
        if op.ret != OPEN {
            self.remember(token, true);
        }
        while self.ops.get(self.oldest - self.tokens).is_some_and(|o| o.1.is_some()) {
            self.oldest += 1;
        }
        if let How::Zones(online) = &mut self.how {
            let oldest = self.ops.get(self.oldest - self.tokens).map_or(now, |o| o.0.inv);
            online.forget(oldest);
        }
        status
    }

    /// Feeds the search as far as what has completed permits. Some: index and time of
    /// the completion that is impossible.
    pub fn advance(
        &mut self,
        history: &History,
        last: bool,
        budget: &Budget,
    ) -> Result<Option<(u64, i64)>, Limit> {
        let How::Search(search) = &mut self.how else { return Ok(None) };
        while let Some(&(token, ends)) = self.pending.front() {
            let (op, done) = self.ops[token - self.tokens];
            if done.is_none() && !last {
                return Ok(None);
            }
            self.pending.pop_front();
            if !search.orders(history, &op) {
                continue;
            }
            if !ends {
                search.begin(history, token as u32, &op)?;
            } else {
                match search.end(history, token as u32, budget) {
                    Found::Possible => {}
                    Found::Impossible => {
                        return Ok(Some((done.expect("it has ended"), op.ret_ns)));
                    }
                    Found::Exhausted(limit) => return Err(limit),
                }
            }
        }
        Ok(None)
    }
}
