//! Random small histories of every data type, linearizable and not.
//!
//! A history is made by running the type's specification at random moments between invocation
//! and completion, so that it is linearizable; then, half of the time, something is spoilt.

#![allow(dead_code)]

use std::collections::BTreeMap;

use _core::history::{Outcome, OPEN};
use _core::oracle::{self, Plain, PlainOp};
use Plain::{Bool, Int, List, Map, Nil, Str};

use super::rng::Rng;
use super::spoil::spoil;

/// What a history should be like.
#[derive(Clone, Debug)]
pub struct Shape {
    pub ops: usize,
    pub processes: usize,
    /// Every written value is another.
    pub unique: bool,
    /// How many different values there are where not.
    pub values: usize,
    /// Percent of completions that are unknown, or failed.
    pub unknown: usize,
    pub failed: usize,
    /// How many things are spoilt.
    pub spoilt: usize,
    /// Variants of a type, by their bits: which functions occur.
    pub flavour: u64,
}

impl Shape {
    /// Up to 12 operations of up to 6 processes.
    pub fn small(rng: &mut Rng) -> Shape {
        Shape {
            ops: 2 + rng.below(11),
            processes: 1 + rng.below(6),
            unique: rng.percent(70),
            values: 1 + rng.below(4),
            unknown: *rng.pick(&[0, 10, 20, 40]),
            failed: *rng.pick(&[0, 0, 10, 20]),
            spoilt: *rng.pick(&[0, 1, 2, 3, 4, 8]),
            flavour: rng.next(),
        }
    }
}

/// An operation under way.
struct Open {
    process: u32,
    op: usize,
    done: bool,
}

struct Maker<'a> {
    rng: &'a mut Rng,
    shape: &'a Shape,
    model: &'static str,
    fresh: i64,
    state: Plain,
    /// Arguments in use, for takes and lookups.
    used: Vec<Plain>,
    holders: BTreeMap<u32, bool>,
}

/// An operation written out, with its place.
#[derive(Clone)]
pub struct Event {
    pub process: u32,
    pub f: &'static str,
    pub arg: Plain,
    pub out: Plain,
    pub outcome: Outcome,
    pub inv: u32,
    pub ret: u32,
}

impl Maker<'_> {
    fn value(&mut self) -> Plain {
        if self.shape.unique {
            self.fresh += 1;
            Int(self.fresh)
        } else {
            Int(1 + self.rng.below(self.shape.values) as i64)
        }
    }

    /// A value that was written, or nearly always so.
    fn known(&mut self) -> Plain {
        if self.used.is_empty() || self.rng.percent(5) {
            return Int(1 + self.rng.below(6) as i64);
        }
        let recent = self.used.len().saturating_sub(4);
        let at = recent + self.rng.below(self.used.len() - recent);
        self.used[at].clone()
    }

    fn new_value(&mut self) -> Plain {
        let value = self.value();
        self.used.push(value.clone());
        value
    }

    fn registers(&mut self) -> Vec<Plain> {
        let names = ["x", "y", "z"];
        let count = if self.shape.flavour & 1 == 0 { 2 } else { 1 + self.rng.below(3) };
        names[..count].iter().map(|n| Str((*n).into())).collect()
    }

    /// A function and its argument.
    fn call(&mut self, process: u32) -> (&'static str, Plain) {
        let flavour = self.shape.flavour;
        let often = self.rng.percent(50);
        match self.model {
            "register" if often => ("read", Nil),
            "register" => ("write", self.new_value()),
            "cas-register" | "versioned-register" => match self.rng.below(3) {
                0 => ("read", Nil),
                1 => ("write", self.new_value()),
                _ => {
                    let mut from = self.known();
                    // nil would be read as "version unknown" in a pair of a versioned register
                    if self.rng.percent(60) && self.current() != Nil {
                        from = self.current();
                    }
                    ("cas", List(vec![from, self.new_value()]))
                }
            },
            "multi-register" => match self.rng.below(if flavour & 2 == 0 { 2 } else { 3 }) {
                0 => ("read", Nil),
                1 => {
                    let names = self.registers();
                    ("write", Map(names.into_iter().map(|n| (n, self.new_value())).collect()))
                }
                _ => {
                    let mut steps = Vec::new();
                    for name in self.registers() {
                        let writes = self.rng.percent(50);
                        let value = if writes { self.new_value() } else { Nil };
                        steps.push(List(vec![
                            Str(if writes { "w" } else { "r" }.into()),
                            name,
                            value,
                        ]));
                    }
                    ("txn", List(steps))
                }
            },
            "counter" => {
                let by = match flavour & 3 {
                    0 | 1 => Nil,
                    2 => Int(1 + self.rng.below(3) as i64),
                    _ => Int(self.rng.below(5) as i64 - 2),
                };
                match self.rng.below(if flavour & 4 == 0 { 2 } else { 4 }) {
                    0 => ("read", Nil),
                    1 => ("add", by),
                    2 => ("add-and-get", by),
                    _ => ("fetch-add", by),
                }
            }
            "kv" => match self.rng.below(if flavour & 1 == 0 { 8 } else { 7 }) {
                0..=2 => ("get", Nil),
                3..=6 => ("append", self.chunk()),
                _ => ("put", self.chunk()),
            },
            "append-list" if often => ("read", Nil),
            "append-list" => ("append", self.new_value()),
            "grow-set" if often => ("read", Nil),
            "grow-set" => ("add", self.new_value()),
            "set" => match self.rng.below(5) {
                0 => ("add", self.new_value()),
                1 => ("add", self.value()),
                2 => ("remove", self.known()),
                _ => ("contains", self.known()),
            },
            "queue" if often => ("dequeue", Nil),
            "queue" => ("enqueue", self.new_value()),
            "stack" if often => ("pop", Nil),
            "stack" => ("push", self.new_value()),
            "priority-queue" if often => match flavour & 7 {
                0 => ("delete-max", Nil),
                1 => (*self.rng.pick(&["delete-max", "delete-min"]), Nil),
                _ => ("delete-min", Nil),
            },
            "priority-queue" => {
                if self.shape.unique {
                    // Distinct, but not in the order of insertion.
                    let value = loop {
                        let value = Int(self.rng.below(60.max(4 * self.shape.ops)) as i64);
                        if !self.used.contains(&value) {
                            break value;
                        }
                    };
                    self.used.push(value.clone());
                    ("insert", value)
                } else {
                    ("insert", self.new_value())
                }
            }
            "mutex" | "owned-mutex" | "fenced-mutex" => {
                // Mostly in turns, as a well-behaved client does.
                let named = flavour & 3 == 0;
                let who = if named { Int(self.rng.below(2) as i64) } else { Nil };
                let held = self.holders.entry(process).or_insert(false);
                let release = if self.rng.percent(95) { *held } else { !*held };
                *held = !release;
                (if release { "release" } else { "acquire" }, who)
            }
            "semaphore" => {
                let permits =
                    if flavour & 3 == 0 { Int(1 + self.rng.below(2) as i64) } else { Nil };
                (if often { "release" } else { "acquire" }, permits)
            }
            "leader" => ("leader", Nil),
            other => panic!("no generator for {other}"),
        }
    }

    /// The value that a register holds at this moment.
    fn current(&self) -> Plain {
        match self.model {
            "versioned-register" => self.state.list()[1].clone(),
            _ => self.state.clone(),
        }
    }

    fn chunk(&mut self) -> Plain {
        let Int(n) = self.value() else { unreachable!() };
        // Self-delimiting ones, or such as run into each other.
        let text = match self.shape.flavour >> 8 & 3 {
            0 => n.to_string(),
            1 => format!("{n}a"),
            2 if n > 3 => format!("b{}", "c".repeat(n as usize % 5)),
            _ => format!("x{n}y"),
        };
        Str(text)
    }

    /// Lets the operation happen now: what it returns, or None where it cannot happen.
    fn perform(&mut self, op: &Event) -> Option<Plain> {
        let out = self.answer(op);
        let done = PlainOp {
            process: op.process,
            f: op.f.into(),
            key: Nil,
            arg: op.arg.clone(),
            out: Some(out.clone()),
            failed: false,
        };
        let next = oracle::apply(self.model, &self.state, &done);
        if next.is_empty() {
            return None;
        }
        self.state = self.rng.pick(&next).clone();
        Some(out)
    }

    /// What the operation would return in the present state.
    fn answer(&mut self, op: &Event) -> Plain {
        let state = self.state.clone();
        match (self.model, op.f) {
            ("versioned-register", "read") if state.list()[0] == Int(0) && self.rng.percent(50) => {
                Nil
            }
            ("versioned-register", "read") => state,
            ("versioned-register", _) => match self.rng.below(4) {
                0 if self.shape.flavour & 1 == 0 => op.arg.clone(),
                1 => List(vec![Int(state.list()[0].int() + 1), op.arg.clone()]),
                _ => Int(state.list()[0].int() + 1),
            },
            ("multi-register", "read") => {
                let held = state.map();
                let names = self.registers();
                Map(names
                    .into_iter()
                    .map(|n| (n.clone(), held.get(&n).unwrap_or(&Nil).clone()))
                    .collect())
            }
            ("multi-register", "txn") => {
                let mut held = state.map();
                let mut seen = Vec::new();
                for step in op.arg.list().iter().map(Plain::list) {
                    let mut step = step;
                    if step[0] == Str("w".into()) {
                        held.insert(step[1].clone(), step[2].clone());
                    } else {
                        step[2] = held.get(&step[1]).unwrap_or(&Nil).clone();
                    }
                    seen.push(List(step));
                }
                List(seen)
            }
            ("counter", "add-and-get") => Int(state.int() + self.by(op)),
            ("counter", "fetch-add") => state,
            ("set", "contains") => Bool(state.list().contains(&op.arg)),
            ("set", f) if self.shape.flavour & 1 == 0 && self.rng.percent(50) => {
                Bool(state.list().contains(&op.arg) != (f == "add"))
            }
            ("queue" | "priority-queue", "dequeue" | "delete-min") => {
                state.list().first().cloned().unwrap_or(Nil)
            }
            ("stack" | "priority-queue", "pop" | "delete-max") => {
                state.list().last().cloned().unwrap_or(Nil)
            }
            ("fenced-mutex", "acquire") => {
                let last = match &state.list()[1] {
                    Int(t) => *t,
                    _ => 0,
                };
                Int(last + 1 + self.rng.below(2) as i64)
            }
            ("leader", _) => {
                if self.rng.percent(10) {
                    return Nil;
                }
                let term = Int(self.rng.below(4) as i64);
                let known = state.map().get(&term).cloned();
                let leader = known.unwrap_or_else(|| Int(self.rng.below(3) as i64));
                List(vec![term, leader])
            }
            (_, "read" | "get") => state,
            _ => op.arg.clone(),
        }
    }

    fn by(&self, op: &Event) -> i64 {
        if op.arg == Nil {
            1
        } else {
            op.arg.int()
        }
    }
}

/// The value before the first operation: mostly the default.
pub fn initial(model: &'static str, rng: &mut Rng) -> Plain {
    if rng.percent(75) {
        return oracle::default_initial(model);
    }
    let few = |rng: &mut Rng| {
        let count = rng.below(3) as i64;
        List((0..count).map(|i| Int(100 + i)).collect())
    };
    match model {
        "counter" => Int(rng.below(9) as i64 - 3),
        "semaphore" => Int(rng.below(4) as i64),
        "kv" => Str("i".into()),
        "multi-register" => Map([(Str("x".into()), Int(0)), (Str("y".into()), Int(0))].into()),
        "versioned-register" if rng.percent(50) => List(vec![Int(rng.below(3) as i64), Int(0)]),
        "register" | "cas-register" | "versioned-register" => Int(0),
        "append-list" | "grow-set" | "set" | "queue" | "stack" => few(rng),
        "priority-queue" => List(vec![Int(70), Int(71)]),
        _ => oracle::default_initial(model),
    }
}

/// Operations of one key in order of invocation.
pub fn events(model: &'static str, given: &Plain, shape: &Shape, rng: &mut Rng) -> Vec<Event> {
    let state = oracle::start(model, given.clone());
    let mut maker =
        Maker { rng, shape, model, fresh: 0, state, used: Vec::new(), holders: BTreeMap::new() };
    let mut events: Vec<Event> = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut retired: Vec<usize> = Vec::new(); // of unknown outcome, not yet in effect
    let mut next_process = shape.processes as u32;
    let mut names: Vec<u32> = (0..shape.processes as u32).collect();
    let mut position = 0u32;
    while events.len() < shape.ops || !open.is_empty() {
        // Something takes effect.
        if maker.rng.percent(40) && !open.is_empty() {
            let at = maker.rng.below(open.len());
            let op = open[at].op;
            if !open[at].done {
                if let Some(out) = maker.perform(&events[op].clone()) {
                    events[op].out = out;
                    open[at].done = true;
                }
            }
            continue;
        }
        if maker.rng.percent(20) && !retired.is_empty() {
            let at = maker.rng.below(retired.len());
            let op = retired.swap_remove(at);
            maker.perform(&events[op].clone());
            continue;
        }
        let slot = maker.rng.below(shape.processes);
        let running = open.iter().position(|o| o.process == names[slot]);
        match running {
            None if events.len() < shape.ops => {
                let process = names[slot];
                let (f, arg) = maker.call(process);
                open.push(Open { process, op: events.len(), done: false });
                events.push(Event {
                    process,
                    f,
                    arg,
                    out: Nil,
                    outcome: Outcome::Info,
                    inv: position,
                    ret: OPEN,
                });
                position += 4;
            }
            None => {}
            Some(at) => {
                let Open { op, done, .. } = open.swap_remove(at);
                if maker.rng.percent(shape.unknown) {
                    if !done {
                        retired.push(op);
                    }
                    events[op].out = Nil;
                    names[slot] = next_process;
                    next_process += 1;
                    continue;
                }
                let happens = done || {
                    let refuses = maker.rng.percent(shape.failed);
                    let out = if refuses { None } else { maker.perform(&events[op].clone()) };
                    match out {
                        Some(out) => {
                            events[op].out = out;
                            true
                        }
                        None => {
                            let seen = maker.state.clone();
                            let tells = events[op].f == "cas"
                                && model != "versioned-register"
                                && !refuses
                                && maker.rng.percent(50);
                            events[op].out = if tells { seen } else { events[op].arg.clone() };
                            false
                        }
                    }
                };
                events[op].outcome = if happens { Outcome::Ok } else { Outcome::Fail };
                events[op].ret = position;
                position += 4;
            }
        }
    }
    for _ in 0..shape.spoilt {
        spoil(model, &mut events, maker.rng);
    }
    events
}
