//! Every data type against brute force: verdict, witness, counterexample, first event.

mod common;

use common::compare::{one, Tally};

/// Histories a model in a normal run; examples/million.rs runs more.
const HISTORIES: u64 = 2_000;

fn agree(model: &'static str) -> Tally {
    let mut tally = Tally::default();
    for seed in 0..HISTORIES {
        one(model, seed, true, &mut tally);
    }
    // A generator that makes only one kind proves little.
    assert!(tally.valid > HISTORIES / 5 && tally.invalid > HISTORIES / 20, "{tally:?}");
    tally
}

macro_rules! models {
    ($($test:ident: $model:literal, $least:literal;)+) => {
        $(
            #[test]
            fn $test() {
                let tally = agree($model);
                // Percent of the histories that a fast algorithm must decide.
                assert!(tally.fast * 100 >= $least * tally.histories, "{tally:?}");
            }
        )+
    };
}

models! {
    register: "register", 0;
    cas_register: "cas-register", 0;
    versioned_register: "versioned-register", 0;
    multi_register: "multi-register", 0;
    kv: "kv", 0;
    counter: "counter", 0;
    grow_set: "grow-set", 0;
    set: "set", 0;
    append_list: "append-list", 0;
    queue: "queue", 0;
    stack: "stack", 0;
    priority_queue: "priority-queue", 0;
    mutex: "mutex", 0;
    owned_mutex: "owned-mutex", 0;
    fenced_mutex: "fenced-mutex", 0;
    semaphore: "semaphore", 0;
    leader: "leader", 0;
}
