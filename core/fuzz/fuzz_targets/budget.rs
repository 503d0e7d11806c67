//! Long histories of few values and many processes, under tight budgets: an answer or `unknown`,
//! never a panic, and not much later than the deadline. Memory is watched by libFuzzer's limit.
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use _core::check::{Budget, NO_SPARE};
use _core::registry::{Options, SPECS};
use _core::{oracle, search};
use common::interned;
use common::random::{self, Shape};
use common::rng::Rng;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let spec = SPECS[choice as usize % SPECS.len()];
    let rng = &mut Rng::of_bytes(rest);
    let small = Shape::small(rng);
    let shape = Shape { ops: 40 + rng.below(400), processes: 1 + rng.below(24), ..small };
    let given = oracle::default_initial(spec.name);
    let history = interned::history(&random::events(spec.name, &given, &shape, rng));
    let part: Vec<u32> = (0..history.ops.len() as u32).collect();
    let cancel = AtomicBool::new(false);
    let options = Options::default();
    let budget = || Budget {
        deadline: Some(Instant::now() + Duration::from_millis(50)),
        memory_bytes: 16 << 20,
        cancel: &cancel, spare: &NO_SPARE,
    };
    let begun = Instant::now();
    let model = (spec.model)(&history, &part, &options);
    let _ = search::check(&history, &part, &*model, &budget());
    for fast in spec.fast {
        let _ = (fast.check)(&history, &part, &options, &budget());
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(5), "{}: {took:?} with budgets of 50 ms", spec.name);
});
