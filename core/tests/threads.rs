//! The search of one key on several threads says what it says on one.

mod common;

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::Mutex;
use std::thread::ThreadId;

use _core::check::{Answer, Budget, Limit};
use _core::history::{History, Operation};
use _core::model::{Class, Effect, Model, State};
use _core::registry::find;
use _core::{oracle, search};
use common::compare::options;
use common::interned::history;
use common::random::{events, Shape};
use common::rng::Rng;
use common::spoil::spoil;

/// A model that notes which threads asked it.
struct Watched<'a> {
    model: &'a dyn Model,
    askers: Mutex<HashSet<ThreadId>>,
}

impl Model for Watched<'_> {
    fn initial(&self) -> Vec<State> {
        self.model.initial()
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        self.askers.lock().unwrap().insert(std::thread::current().id());
        self.model.step(history, state, op)
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        self.model.read_only(history, op)
    }

    fn learns_from_failure(&self, history: &History, op: &Operation) -> bool {
        self.model.learns_from_failure(history, op)
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        self.model.class(history, op)
    }

    fn effect(&self, history: &History, op: &Operation) -> Effect {
        self.model.effect(history, op)
    }
}

/// Five clients at once: some thousand configurations at an event.
fn shape(unknown: usize) -> Shape {
    Shape {
        ops: 52,
        processes: 5,
        unique: true,
        values: 1,
        unknown,
        failed: 0,
        spoilt: 0,
        flavour: 2,
    }
}

#[test]
fn several_threads_and_one_agree() {
    let model = "queue";
    let spec = find(model).expect("known");
    let given = oracle::default_initial(model);
    let (mut valid, mut invalid, mut shared) = (0, 0, 0);
    for seed in 0..25 {
        let rng = &mut Rng::new(seed);
        let mut made = events(model, &given, &shape(seed as usize % 3), rng);
        for _ in 0..seed % 2 {
            spoil(model, &mut made, rng);
        }
        let mut history = history(&made);
        let options = options(&mut history, model, &given);
        let part: Vec<u32> = (0..history.ops.len() as u32).collect();
        let model_of = (spec.model)(&history, &part, &options);
        let decide = |spare: usize| {
            let (cancel, spare) = (AtomicBool::new(false), AtomicUsize::new(spare));
            let (memory_bytes, deadline) = (1 << 30, None);
            let budget = Budget { deadline, memory_bytes, cancel: &cancel, spare: &spare };
            let watched = Watched { model: &*model_of, askers: Mutex::default() };
            let answer = search::check(&history, &part, &watched, &budget);
            (answer, watched.askers.into_inner().unwrap().len())
        };
        let (alone, _) = decide(0);
        let (together, threads) = decide(2);
        shared += usize::from(threads > 1);
        println!("seed {seed}: {threads} threads asked");
        match (&alone, &together) {
            (Answer::Valid { .. }, Answer::Valid { witness }) => {
                valid += 1;
                let right = oracle::verify(model, given.clone(), &history, &part, witness);
                assert_eq!(right, Ok(()), "seed {seed}");
            }
            (Answer::Invalid { at, .. }, Answer::Invalid { at: also, .. }) => {
                invalid += 1;
                assert_eq!(at, also, "seed {seed}");
            }
            _ => panic!("seed {seed}: alone {alone:?}, together {together:?}"),
        }
    }
    println!("{valid} valid, {invalid} invalid, {shared} on several threads");
    assert!(valid >= 3 && invalid >= 3 && shared >= 5, "{valid}, {invalid}, {shared}");
}

#[test]
fn a_limit_stops_all_threads() {
    let model = "queue";
    let spec = find(model).expect("known");
    let given = oracle::default_initial(model);
    let mut history = history(&events(model, &given, &shape(0), &mut Rng::new(0)));
    let options = options(&mut history, model, &given);
    let part: Vec<u32> = (0..history.ops.len() as u32).collect();
    let (cancel, spare) = (AtomicBool::new(false), AtomicUsize::new(2));
    let budget = Budget { deadline: None, memory_bytes: 300_000, cancel: &cancel, spare: &spare };
    let answer = search::check(&history, &part, &*(spec.model)(&history, &part, &options), &budget);
    assert!(matches!(answer, Answer::Unknown { limit: Limit::Memory, .. }), "{answer:?}");
}
