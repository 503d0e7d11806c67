//! The verdict while the history is still being recorded.
//!
//! Registers go through the online zones, which decide at every event. Everything else, and
//! registers whose values repeat, goes through the search, which takes an operation as soon as
//! it is known how all that began before it ended: then it decides exactly as it does offline,
//! a little later. Memory is bounded by what is open, but for the table of strings and lists.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use crate::check::{Budget, Limit};
use crate::formats::{Builder, Event, Kind};
use crate::history::{History, Operation, Outcome, ValueId, OPEN};
use crate::model::Model;
use crate::register::{Act, Online, Reader, Status};
use crate::registry::{Initial, Options, Spec};
use crate::search::{kept, Context, Found, Window, COMPACT_BYTES};
use crate::table::Mixed;

/// What is said of a history so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    Valid,
    Invalid,
    Unknown,
}

/// The event at which the history became impossible.
#[derive(Clone, Copy, Debug)]
pub struct Violation {
    pub index: u64,
    pub time_ns: i64,
    pub key: ValueId,
}

/// Events of one key kept in case its values come to repeat.
const REMEMBERED: usize = 8192;

pub struct Stream {
    pub builder: Builder,
    spec: &'static Spec,
    options: Options,
    time: Duration,
    memory_bytes: usize,
    reader: Reader,
    /// By process: the operation it is in.
    open: Vec<Option<(ValueId, usize)>>,
    keys: HashMap<u64, Key, Mixed>,
    position: u32,
    violation: Option<Violation>,
    undecided: Option<Limit>,
}

impl Stream {
    pub fn new(
        mut builder: Builder,
        spec: &'static Spec,
        options: Options,
        time: Duration,
        memory_bytes: usize,
    ) -> Self {
        for f in spec.functions {
            builder.function(f.as_bytes()).expect("a built-in function");
        }
        let reader = Reader::new(&builder.history, &options);
        Stream {
            builder,
            spec,
            options,
            time,
            memory_bytes,
            reader,
            open: Vec::new(),
            keys: HashMap::default(),
            position: 0,
            violation: None,
            undecided: None,
        }
    }

    pub fn verdict(&self) -> Verdict {
        match (self.violation, self.undecided) {
            (Some(_), _) => Verdict::Invalid,
            (_, Some(_)) => Verdict::Unknown,
            _ => Verdict::Valid,
        }
    }

    pub fn violation(&self) -> Option<Violation> {
        self.violation
    }

    /// (keys, open operations, configurations or values held, events fed)
    pub fn frontier(&self) -> (usize, usize, usize, u32) {
        let held = self.keys.values().map(Key::held).sum();
        (self.keys.len(), self.open.iter().flatten().count(), held, self.position)
    }

    /// The next event, its parts interned by `builder`. Err: what is wrong with it.
    pub fn event(&mut self, event: &Event) -> Result<(), String> {
        let process = event.process as usize;
        if process >= self.open.len() {
            self.open.resize(process + 1, None);
        }
        self.position += 1;
        let position = self.position;
        let history = &self.builder.history;
        if event.kind == Kind::Invoke {
            if self.open[process].is_some() {
                return Err(format!(
                    "process {} invokes while its last invocation is open",
                    history.processes[process]
                ));
            }
            if !self.spec.functions.contains(&history.functions[event.f as usize].as_str()) {
                return Err(format!(
                    "model {} has no function {:?}; it has {}",
                    self.spec.name,
                    history.functions[event.f as usize],
                    self.spec.functions.join(", ")
                ));
            }
            let op = Operation {
                process: event.process,
                f: event.f,
                outcome: Outcome::Info,
                key: event.key.unwrap_or(ValueId::NIL),
                arg: event.value,
                out: ValueId::NIL,
                inv: position,
                ret: OPEN,
                inv_ns: event.time_ns.unwrap_or(0),
                ret_ns: 0,
            };
            let by = if self.spec.per_key { op.key } else { ValueId::NIL };
            let (spec, options) = (self.spec, &self.options);
            let key = self.keys.entry(by.0).or_insert_with(|| Key::new(history, spec, options));
            let token = key.tokens + key.ops.len();
            self.open[process] = Some((by, token));
            let status = key.begin(history, &self.reader, op);
            return self.note(by, status, event);
        }
        let Some((by, token)) = self.open[process].take() else {
            return Err(format!(
                "process {} completes an operation that it did not invoke",
                history.processes[process]
            ));
        };
        let key = self.keys.get_mut(&by.0).expect("its key has begun");
        let op = key.op(token);
        op.outcome = match event.kind {
            Kind::Ok => Outcome::Ok,
            Kind::Fail => Outcome::Fail,
            _ => Outcome::Info,
        };
        if op.outcome != Outcome::Info {
            op.ret = position;
            op.ret_ns = event.time_ns.unwrap_or(0);
            op.out = event.value;
        }
        let op = *op;
        if let Err(expected) = (self.spec.well_formed)(history, &op) {
            return Err(format!(
                "{} by process {}: {expected} expected",
                history.functions[op.f as usize], history.processes[process]
            ));
        }
        let status = key.end(history, &self.reader, token, position);
        self.note(by, status, event)
    }

    /// Acts on what an event did to its key.
    fn note(&mut self, by: ValueId, status: Status, event: &Event) -> Result<(), String> {
        match status {
            Status::Possible => {}
            Status::Impossible => self.violated(
                Violation {
                    index: event.index.unwrap_or(u64::from(self.position) - 1),
                    time_ns: event.time_ns.unwrap_or(0),
                    key: by,
                },
                by,
            ),
            Status::Repeats => {
                let (spec, options) = (self.spec, &self.options);
                let key = self.keys.get_mut(&by.0).expect("it is there");
                match key.remembered.take() {
                    Some(events) => {
                        let search = Search::new(&self.builder.history, spec, options);
                        key.how = How::Search(Box::new(search));
                        key.pending = events;
                    }
                    None => {
                        key.how = How::Over;
                        self.undecided = Some(Limit::Memory);
                    }
                }
            }
        }
        self.search(by, false);
        Ok(())
    }

    fn violated(&mut self, violation: Violation, by: ValueId) {
        if self.violation.is_none_or(|v| violation.index < v.index) {
            self.violation = Some(violation);
        }
        if let Some(key) = self.keys.get_mut(&by.0) {
            key.how = How::Over;
            key.pending.clear();
            key.remembered = None;
        }
    }

    /// Lets the search of a key catch up. `last`: what is open now will never complete.
    fn search(&mut self, by: ValueId, last: bool) {
        let key = self.keys.get_mut(&by.0).expect("it is there");
        if !matches!(key.how, How::Search(_)) {
            key.drop_done();
            return;
        }
        let never = AtomicBool::new(false);
        let budget = Budget {
            deadline: Instant::now().checked_add(self.time),
            memory_bytes: self.memory_bytes,
            cancel: &never,
        };
        match key.advance(&self.builder.history, last, &budget) {
            Ok(None) => key.drop_done(),
            Ok(Some(op)) => {
                let index = u64::from(op.ret) - 1;
                self.violated(Violation { index, time_ns: op.ret_ns, key: by }, by);
            }
            Err(limit) => {
                key.how = How::Over;
                key.pending.clear();
                self.undecided = Some(limit);
            }
        }
    }

    /// No more events will come: what is open stays of unknown outcome.
    pub fn finish(&mut self) {
        let keys: Vec<u64> = self.keys.keys().copied().collect();
        for by in keys {
            self.search(ValueId(by), true);
        }
    }
}

/// How a key is decided.
enum How {
    Zones(Box<Online>),
    Search(Box<Search>),
    /// It is decided, or cannot be.
    Over,
}

/// One key. Its operations are numbered by tokens; those before `tokens` are forgotten.
struct Key {
    how: How,
    tokens: usize,
    /// Operations; true once its completion has come.
    ops: VecDeque<(Operation, bool)>,
    /// No operation before this one is open.
    oldest: usize,
    /// Events that the search has not taken: (token, it ends).
    pending: VecDeque<(usize, bool)>,
    /// All events so far, while they are few.
    remembered: Option<VecDeque<(usize, bool)>>,
}

impl Key {
    fn new(history: &History, spec: &'static Spec, options: &Options) -> Self {
        let initial = match options.initial {
            Initial::Default => Some(ValueId::NIL),
            Initial::Value(v) => Some(v),
            Initial::Any => None,
        };
        let register = matches!(spec.name, "register" | "cas-register");
        let how = match initial {
            Some(initial) if register => How::Zones(Box::new(Online::new(initial))),
            _ => How::Search(Box::new(Search::new(history, spec, options))),
        };
        Key {
            how,
            tokens: 0,
            ops: VecDeque::new(),
            oldest: 0,
            pending: VecDeque::new(),
            remembered: register.then(VecDeque::new),
        }
    }

    fn held(&self) -> usize {
        match &self.how {
            How::Zones(online) => online.len(),
            How::Search(search) => search.window.width() + self.pending.len(),
            How::Over => 0,
        }
    }

    fn op(&mut self, token: usize) -> &mut Operation {
        &mut self.ops[token - self.tokens].0
    }

    /// Forgets operations that nothing refers to any more.
    fn drop_done(&mut self) {
        if self.remembered.is_some() {
            return;
        }
        let first = self.pending.iter().map(|p| p.0).min().unwrap_or(usize::MAX);
        while self.tokens < first && self.ops.front().is_some_and(|o| o.1) {
            self.ops.pop_front();
            self.tokens += 1;
        }
        self.oldest = self.oldest.max(self.tokens);
    }

    fn remember(&mut self, token: usize, ends: bool) {
        match &mut self.remembered {
            Some(events) if events.len() < REMEMBERED => events.push_back((token, ends)),
            _ => self.remembered = None,
        }
    }

    fn begin(&mut self, history: &History, reader: &Reader, op: Operation) -> Status {
        let token = self.tokens + self.ops.len();
        self.ops.push_back((op, false));
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

    fn end(&mut self, history: &History, reader: &Reader, token: usize, now: u32) -> Status {
        let entry = &mut self.ops[token - self.tokens];
        entry.1 = true;
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
        while self.ops.get(self.oldest - self.tokens).is_some_and(|o| o.1) {
            self.oldest += 1;
        }
        if let How::Zones(online) = &mut self.how {
            let oldest = self.ops.get(self.oldest - self.tokens).map_or(now, |o| o.0.inv);
            online.forget(oldest);
        }
        status
    }

    /// Feeds the search as far as what has completed permits. Some: the operation whose
    /// completion is impossible.
    fn advance(
        &mut self,
        history: &History,
        last: bool,
        budget: &Budget,
    ) -> Result<Option<Operation>, Limit> {
        let How::Search(search) = &mut self.how else { return Ok(None) };
        while let Some(&(token, ends)) = self.pending.front() {
            let (op, known) = self.ops[token - self.tokens];
            if !known && !last {
                return Ok(None);
            }
            self.pending.pop_front();
            if !kept(history, search.model.as_ref(), &op) {
                continue;
            }
            let context = Context { history, model: search.model.as_ref() };
            if !ends {
                search.window.begin(context, token as u32, &op)?;
            } else {
                match search.window.end(context, token as u32, budget) {
                    Found::Possible => {}
                    Found::Impossible => return Ok(Some(op)),
                    Found::Exhausted(limit) => return Err(limit),
                }
            }
        }
        Ok(None)
    }
}

struct Search {
    model: Box<dyn Model>,
    window: Wide,
}

impl Search {
    fn new(history: &History, spec: &Spec, options: &Options) -> Self {
        let model = (spec.model)(history, &[], options);
        let context = Context { history, model: model.as_ref() };
        let window = Wide::One(Window::new(context, false));
        Search { model, window }
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
            Wide::One(w) => end(w, context, number, budget),
            Wide::Four(w) => end(w, context, number, budget),
            Wide::Sixteen(w) => end(w, context, number, budget),
            Wide::Most(w) => end(w, context, number, budget),
        }
    }
}

fn end<const W: usize>(
    window: &mut Window<W>,
    context: Context,
    number: u32,
    budget: &Budget,
) -> Found {
    let found = window.end(context, number, budget);
    if matches!(found, Found::Possible) && window.space.bytes() > window.compact_at {
        window.compact();
        window.compact_at = (window.space.bytes() * 2).max(COMPACT_BYTES);
    }
    found
}
