//! Every fast algorithm against the search on histories of 1,000 operations (of
//! queues and their like 200): valid ones, and
//! the same with one to three things spoilt (answers swapped, stale, lost, told twice).

mod common;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use _core::check::{Answer, Budget, NO_SPARE};
use _core::registry::find;
use _core::{oracle, search};
use common::compare::options;
use common::interned::history;
use common::random::{events, Shape};
use common::rng::Rng;
use common::spoil::spoil;

/// Histories that both decided.
fn compare(model: &'static str) -> usize {
    let spec = find(model).expect("known");
    let given = oracle::default_initial(model);
    let mut compared = 0;
    for seed in 0..8 {
        let rng = &mut Rng::new(seed);
        // The search has a hard time with many queued elements of which the order is open.
        let container = ["queue", "stack", "priority-queue"].contains(&model);
        let shape = Shape {
            ops: if container { 200 } else { 1000 },
            processes: 2,
            unique: true,
            values: 1,
            unknown: 0,
            failed: 5,
            spoilt: 0,
            flavour: match model {
                "kv" => 0x300,  // texts that end themselves
                "counter" => 0, // additions of one
                _ => 2,
            },
        };
        let mut made = events(model, &given, &shape, rng);
        for _ in 0..seed % 4 {
            spoil(model, &mut made, rng);
        }
        let mut history = history(&made);
        let options = options(&mut history, model, &given);
        let part: Vec<u32> = (0..history.ops.len() as u32).collect();
        let cancel = AtomicBool::new(false);
        let deadline = Some(Instant::now() + Duration::from_secs(10));
        let budget = Budget { deadline, memory_bytes: 1 << 29, cancel: &cancel, spare: &NO_SPARE };
        let fast = (spec.fast[0].check)(&history, &part, &options, &budget);
        if let Answer::Valid { witness } = &fast {
            let right = oracle::verify(model, given.clone(), &history, &part, witness);
            assert_eq!(right, Ok(()), "{model}, seed {seed}");
        }
        let search_model = (spec.model)(&history, &part, &options);
        let slow = search::check(&history, &part, &*search_model, &budget);
        let verdict = |answer: &Answer| match answer {
            Answer::Valid { .. } => Some(true),
            Answer::Invalid { .. } => Some(false),
            _ => None,
        };
        if let (Some(a), Some(b)) = (verdict(&fast), verdict(&slow)) {
            assert_eq!(a, b, "{model}, seed {seed}: fast {a}, search {b}");
            compared += 1;
        }
    }
    compared
}

#[test]
fn fast_algorithms_and_the_search_agree() {
    for model in [
        "cas-register",
        "kv",
        "counter",
        "grow-set",
        "set",
        "append-list",
        "queue",
        "stack",
        "priority-queue",
        "mutex",
        "owned-mutex",
        "semaphore",
        "leader",
    ] {
        let compared = compare(model);
        assert!(compared >= 6, "{model}: only {compared} histories were decided by both");
    }
}
