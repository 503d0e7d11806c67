//! Random histories against brute force at scale.
//!
//! `cargo run --release --no-default-features --example million -- HISTORIES FIRST_SEED [MODEL...]`
//! prints a line a model; a disagreement panics with its seed.

#[path = "../tests/common/mod.rs"]
mod common;

use std::time::Instant;

use _core::registry::SPECS;
use common::compare::{one, Tally};

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let histories: u64 = args.first().and_then(|a| a.parse().ok()).unwrap_or(100_000);
    let first: u64 = args.get(1).and_then(|a| a.parse().ok()).unwrap_or(1_000_000_000);
    let names = args.get(2..).unwrap_or(&[]);
    for spec in SPECS {
        if !names.is_empty() && !names.iter().any(|n| n == spec.name) {
            continue;
        }
        let start = Instant::now();
        let mut tally = Tally::default();
        for seed in first..first + histories {
            // The search is slower; every tenth history is enough for it.
            one(spec.name, seed, seed % 10 == 0, &mut tally);
        }
        println!("{:20} {:6.1} s  {tally:?}", spec.name, start.elapsed().as_secs_f64());
    }
}
