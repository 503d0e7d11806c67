//! Any well-formed history of any data type: each algorithm must agree with brute force in verdict,
//! witness and core. The first byte chooses the type, the others make every choice of the
//! generator of random histories (up to 12 operations).
#![no_main]

#[path = "../../tests/common/mod.rs"]
mod common;

use _core::registry::SPECS;
use common::compare::{self, Tally};
use common::rng::Rng;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some((&choice, rest)) = data.split_first() else { return };
    let model = SPECS[choice as usize % SPECS.len()].name;
    compare::of(model, &mut Rng::of_bytes(rest), "fuzzed", true, &mut Tally::default());
});
