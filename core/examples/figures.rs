//! Times of the fast algorithms on large histories: 10 clients, 30 operations of unknown outcome.
//!
//! `cargo run --release --no-default-features --example figures` prints a line a data type: the
//! best of five, and the size of the history.

#[path = "../tests/common/mod.rs"]
mod common;

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use _core::check::{Answer, Budget, NO_SPARE};
use _core::history::{History, Operation, Outcome, Value, ValueId, OPEN};
use _core::registry::find;
use common::rng::Rng;

/// A sequential specification: what an operation of function `f` does and returns.
trait Machine {
    fn functions(&self) -> &'static [&'static str];
    fn call(&mut self, rng: &mut Rng) -> (usize, i64);
    fn perform(&mut self, history: &mut History, f: usize, arg: i64) -> ValueId;
}

fn int(i: i64) -> ValueId {
    ValueId::small_int(i).expect("small")
}

struct Counter(i64);
impl Machine for Counter {
    fn functions(&self) -> &'static [&'static str] {
        &["add", "read"]
    }
    fn call(&mut self, rng: &mut Rng) -> (usize, i64) {
        (rng.below(2), 1)
    }
    fn perform(&mut self, _: &mut History, f: usize, _: i64) -> ValueId {
        self.0 += i64::from(f == 0);
        int(self.0)
    }
}

struct Queue(VecDeque<i64>, i64);
impl Machine for Queue {
    fn functions(&self) -> &'static [&'static str] {
        &["enqueue", "dequeue"]
    }
    fn call(&mut self, rng: &mut Rng) -> (usize, i64) {
        self.1 += 1;
        (rng.below(2), self.1)
    }
    fn perform(&mut self, _: &mut History, f: usize, arg: i64) -> ValueId {
        match f {
            0 => {
                self.0.push_back(arg);
                int(arg)
            }
            _ => self.0.pop_front().map_or(ValueId::NIL, int),
        }
    }
}

/// Appends with a whole read now and then; a fresh list every 1,000 appends is left to keys.
struct List(Vec<ValueId>, i64);
impl Machine for List {
    fn functions(&self) -> &'static [&'static str] {
        &["append", "read"]
    }
    fn call(&mut self, rng: &mut Rng) -> (usize, i64) {
        self.1 += 1;
        (usize::from(rng.percent(1)), self.1)
    }
    fn perform(&mut self, history: &mut History, f: usize, arg: i64) -> ValueId {
        match f {
            0 => {
                self.0.push(int(arg));
                int(arg)
            }
            _ => history.values.intern(Value::List(self.0.clone().into())),
        }
    }
}

struct Set(HashMap<i64, bool>, i64);
impl Machine for Set {
    fn functions(&self) -> &'static [&'static str] {
        &["add", "contains", "remove"]
    }
    fn call(&mut self, rng: &mut Rng) -> (usize, i64) {
        if rng.percent(30) || self.1 == 0 {
            self.1 += 1;
            return (0, self.1);
        }
        let recent = 1 + self.1 - rng.below(50.min(self.1 as usize)) as i64;
        if rng.percent(20) {
            return (2, recent.min(self.1));
        }
        (1, recent.min(self.1))
    }
    fn perform(&mut self, history: &mut History, f: usize, arg: i64) -> ValueId {
        match f {
            0 => self.0.insert(arg, true),
            1 => {
                let there = self.0.get(&arg).copied().unwrap_or(false);
                return history.values.intern(Value::Bool(there));
            }
            _ => self.0.insert(arg, false),
        };
        int(arg)
    }
}

fn make(machine: &mut dyn Machine, size: usize, rng: &mut Rng) -> History {
    let functions = machine.functions().iter().map(|f| (*f).into()).collect();
    let mut history = History { functions, ..History::default() };
    let mut running: [Option<(usize, bool)>; 10] = [None; 10];
    let (mut position, mut left) = (0u32, 30);
    while history.ops.len() < size || running.iter().any(Option::is_some) {
        let p = rng.below(10);
        match running[p] {
            None if history.ops.len() < size => {
                let (f, arg) = machine.call(rng);
                let takes = history.functions[f] == "dequeue" || history.functions[f] == "read";
                let op = Operation {
                    process: p as u32,
                    f: f as u16,
                    outcome: Outcome::Info,
                    key: ValueId::NIL,
                    arg: if takes { ValueId::NIL } else { int(arg) },
                    out: ValueId::NIL,
                    inv: position,
                    ret: OPEN,
                    inv_ns: 0,
                    ret_ns: 0,
                };
                running[p] = Some((history.ops.len(), false));
                history.ops.push(op);
                position += 1;
            }
            None => {}
            Some((i, done)) => {
                if !done {
                    let op = history.ops[i];
                    let arg = op.arg.as_small_int().unwrap_or(0);
                    let out = machine.perform(&mut history, op.f as usize, arg);
                    history.ops[i].out = out;
                    running[p] = Some((i, true));
                    continue;
                }
                running[p] = None;
                if left > 0 && rng.below(size / 40) == 0 {
                    left -= 1;
                    history.ops[i].out = ValueId::NIL;
                    continue;
                }
                history.ops[i].outcome = Outcome::Ok;
                history.ops[i].ret = position;
                position += 1;
            }
        }
    }
    history
}

fn main() {
    let rng = &mut Rng::new(1);
    let cases: [(&str, usize, Box<dyn Machine>); 4] = [
        ("counter", 1_000_000, Box::new(Counter(0))),
        ("append-list", 100_000, Box::new(List(vec![], 0))),
        ("queue", 200_000, Box::new(Queue(VecDeque::new(), 0))),
        ("set", 100_000, Box::new(Set(HashMap::new(), 0))),
    ];
    for (model, size, mut machine) in cases {
        let history = make(machine.as_mut(), size, rng);
        let part: Vec<u32> = (0..history.ops.len() as u32).collect();
        let cancel = AtomicBool::new(false);
        let budget =
            Budget { deadline: None, memory_bytes: usize::MAX, cancel: &cancel, spare: &NO_SPARE };
        let fast = &find(model).expect("known").fast[0];
        let mut best = f64::INFINITY;
        for _ in 0..5 {
            let start = Instant::now();
            let answer = (fast.check)(&history, &part, &Default::default(), &budget);
            best = best.min(start.elapsed().as_secs_f64());
            match answer {
                Answer::Valid { .. } => {}
                other => panic!("{model}: {other:?}"),
            }
        }
        let unknown = history.ops.iter().filter(|o| o.outcome == Outcome::Info).count();
        println!(
            "{model:12} {size:8} operations, {unknown} unknown: {:.3} s ({})",
            best, fast.name
        );
    }
}
