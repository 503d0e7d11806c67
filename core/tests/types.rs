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
    register: "register", 60;
    cas_register: "cas-register", 60;
    versioned_register: "versioned-register", 0;
    multi_register: "multi-register", 0;
    kv: "kv", 60;
    counter: "counter", 55;
    grow_set: "grow-set", 100;
    set: "set", 100;
    append_list: "append-list", 70;
    queue: "queue", 65;
    stack: "stack", 50;
    priority_queue: "priority-queue", 40;
    mutex: "mutex", 100;
    owned_mutex: "owned-mutex", 65;
    fenced_mutex: "fenced-mutex", 65;
    semaphore: "semaphore", 80;
    leader: "leader", 100;
}

/// What a core rests on may lie behind the completion at which the core itself is there.
#[test]
fn first_events_are_of_the_prefix_or_of_the_whole() {
    one("queue", 9_100_000_183, false, &mut Tally::default());
}
