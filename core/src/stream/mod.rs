//! The verdict while the history is still being recorded.
//!
//! Registers go through the online zones, which decide at every event. Everything else, and
//! registers whose values repeat, goes through the search, which takes an operation as soon as
//! it is known how all that began before it ended: then it decides exactly as it does offline,
//! a little later. Memory is bounded by what is open: strings and lists that nothing refers to
//! any more make room for others.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::check::{Budget, Limit, NO_SPARE};
use crate::formats::{Builder, Event, Kind};
use crate::history::{History, Operation, Outcome, ValueId, OPEN};
use crate::model::Model;
use crate::register::{Reader, Status};
use crate::registry::{Initial, Options, Spec};
use crate::table::Mixed;

mod key;
#[cfg(feature = "python")]
pub mod py;
mod search;

use key::Key;

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

/// Strings and lists that a stream lets come before it looks which of them are needed.
const SWEPT_AT_LEAST: usize = 1 << 14;

/// Which part of a history an operation belongs to, told when it is invoked.
pub type Partition = Box<dyn Fn(&History, &Operation) -> u64 + Send + Sync>;

/// What a stream is checked against.
pub enum Subject {
    Builtin(&'static Spec),
    /// A user's model, and how it divides histories (None: by key).
    Custom(Arc<dyn Model>, Option<Partition>),
}

impl Subject {
    /// Err where `op` is none that the data type knows, in words for the user.
    fn knows(&self, history: &History, op: &Operation) -> Result<(), String> {
        let Subject::Builtin(spec) = self else { return Ok(()) };
        let f = &history.functions[op.f as usize];
        if !spec.functions.contains(&f.as_str()) {
            return Err(format!(
                "model {} has no function {f:?}; it has {}",
                spec.name,
                spec.functions.join(", ")
            ));
        }
        Ok(())
    }

    /// Err where the values of an operation that has ended are none of the data type's.
    fn permits(&self, history: &History, op: &Operation) -> Result<(), String> {
        let Subject::Builtin(spec) = self else { return Ok(()) };
        (spec.well_formed)(history, op).map_err(|expected| {
            format!(
                "{} by process {}: {expected} expected",
                history.functions[op.f as usize], history.processes[op.process as usize]
            )
        })
    }

    fn part(&self, history: &History, op: &Operation) -> u64 {
        match self {
            Subject::Builtin(spec) if !spec.per_key => ValueId::NIL.0,
            Subject::Custom(_, Some(partition)) => partition(history, op),
            _ => op.key.0,
        }
    }

    fn model(&self, history: &History, options: &Options) -> Arc<dyn Model> {
        match self {
            Subject::Builtin(spec) => Arc::from((spec.model)(history, &[], options)),
            Subject::Custom(model, _) => model.clone(),
        }
    }

    /// The value that zones start with; None where this is no register.
    fn register(&self, options: &Options) -> Option<ValueId> {
        match (self, options.initial) {
            (Subject::Builtin(spec), _) if !matches!(spec.name, "register" | "cas-register") => {
                None
            }
            (Subject::Custom(..), _) | (_, Initial::Any) => None,
            (_, Initial::Default) => Some(ValueId::NIL),
            (_, Initial::Value(v)) => Some(v),
        }
    }
}

pub struct Stream {
    pub builder: Builder,
    subject: Subject,
    options: Options,
    time: Duration,
    memory_bytes: usize,
    reader: Reader,
    /// By process: the operation it is in, as its part and its token there.
    open: Vec<Option<(u64, usize)>>,
    keys: HashMap<u64, Key, Mixed>,
    position: u32,
    violation: Option<Violation>,
    undecided: Option<Limit>,
    /// How many values are in the table when it is swept.
    sweep_at: usize,
}

impl Stream {
    pub fn new(
        mut builder: Builder,
        subject: Subject,
        options: Options,
        time: Duration,
        memory_bytes: usize,
    ) -> Self {
        if let Subject::Builtin(spec) = &subject {
            for f in spec.functions {
                builder.function(f.as_bytes()).expect("a built-in function");
            }
        }
        let reader = Reader::new(&builder.history, &options);
        Stream {
            builder,
            subject,
            options,
            time,
            memory_bytes,
            reader,
            open: Vec::new(),
            keys: HashMap::default(),
            position: 0,
            violation: None,
            undecided: None,
            sweep_at: SWEPT_AT_LEAST,
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

    /// Strings, lists and maps in memory.
    pub fn values(&self) -> usize {
        self.builder.history.values.used()
    }

    /// The next event, its parts interned by `builder`. Err: what is wrong with it.
    pub fn event(&mut self, event: &Event) -> Result<(), String> {
        let taken = self.take(event);
        if self.values() >= self.sweep_at {
            self.sweep();
        }
        taken
    }

    fn take(&mut self, event: &Event) -> Result<(), String> {
        let process = event.process as usize;
        if process >= self.open.len() {
            self.open.resize(process + 1, None);
        }
        self.position += 1;
        let position = self.position;
        let index = self.index(event);
        let history = &self.builder.history;
        if event.kind == Kind::Invoke {
            if self.open[process].is_some() {
                return Err(format!(
                    "process {} invokes while its last invocation is open",
                    history.processes[process]
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
            self.subject.knows(history, &op)?;
            let by = self.subject.part(history, &op);
            let (subject, options) = (&self.subject, &self.options);
            let key = self.keys.entry(by).or_insert_with(|| Key::new(history, subject, options));
            let token = key.next_token();
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
        let key = self.keys.get_mut(&by).expect("its key has begun");
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
        self.subject.permits(history, &op)?;
        let status = key.end(history, &self.reader, token, (position, index));
        self.note(by, status, event)
    }

    /// The number of the event that is being taken, as the history has it.
    fn index(&self, event: &Event) -> u64 {
        event.index.unwrap_or(u64::from(self.position) - 1)
    }

    /// Acts on what an event did to its key.
    fn note(&mut self, by: u64, status: Status, event: &Event) -> Result<(), String> {
        match status {
            Status::Possible => {}
            Status::Impossible => self.violated(
                Violation {
                    index: self.index(event),
                    time_ns: event.time_ns.unwrap_or(0),
                    key: ValueId(by),
                },
                by,
            ),
            Status::Repeats => {
                let model = self.subject.model(&self.builder.history, &self.options);
                let key = self.keys.get_mut(&by).expect("it is there");
                if !key.start_over(&self.builder.history, model) {
                    self.undecided = Some(Limit::Memory);
                }
            }
        }
        self.search(by, false);
        Ok(())
    }

    fn violated(&mut self, violation: Violation, by: u64) {
        if self.violation.is_none_or(|v| violation.index < v.index) {
            self.violation = Some(violation);
        }
        if let Some(key) = self.keys.get_mut(&by) {
            key.give_up();
        }
    }

    /// Lets the search of a key catch up. `last`: what is open now will never complete.
    fn search(&mut self, by: u64, last: bool) {
        let key = self.keys.get_mut(&by).expect("it is there");
        if !key.searches() {
            key.drop_done();
            return;
        }
        let never = AtomicBool::new(false);
        let budget = Budget {
            deadline: Instant::now().checked_add(self.time),
            memory_bytes: self.memory_bytes,
            cancel: &never,
            spare: &NO_SPARE, // (the load that is being checked needs the other cores)
        };
        match key.advance(&self.builder.history, last, &budget) {
            Ok(None) => key.drop_done(),
            Ok(Some((index, time_ns))) => {
                self.violated(Violation { index, time_ns, key: ValueId(by) }, by);
            }
            Err(limit) => {
                key.give_up();
                self.undecided = Some(limit);
            }
        }
    }

    /// No more events will come: what is open stays of unknown outcome.
    pub fn finish(&mut self) {
        let keys: Vec<u64> = self.keys.keys().copied().collect();
        for by in keys {
            self.search(by, true);
        }
    }

    /// Forgets strings and lists that nothing refers to any more; others will have their ids.
    /// Happens by itself.
    pub fn sweep(&mut self) {
        let mut roots = Vec::new();
        if let Initial::Value(initial) = self.options.initial {
            roots.push(initial.0);
        }
        roots.extend(self.violation.map(|v| v.key.0));
        for (&by, key) in &mut self.keys {
            roots.push(by);
            key.prepare_sweep(&mut roots);
        }
        self.builder.history.values.sweep(roots);
        self.sweep_at = 2 * self.values() + SWEPT_AT_LEAST;
    }
}
