//! One random history: brute force against the search and every fast algorithm.

#![allow(dead_code)]

use std::sync::atomic::AtomicBool;

use _core::check::{Answer, Budget, NO_SPARE};
use _core::history::{History, Outcome};
use _core::oracle::{self, Plain};
use _core::registry::{find, Initial, Options, Spec};
use _core::{orchestrate, search};

use super::interned;
use super::random::{self, Shape};
use super::rng::Rng;

/// How often what was met.
#[derive(Default, Debug, Clone)]
pub struct Tally {
    pub histories: u64,
    pub valid: u64,
    pub invalid: u64,
    /// Decided by a fast algorithm; passed on to the search.
    pub fast: u64,
    pub passed_on: u64,
}

fn unlimited(cancel: &AtomicBool) -> Budget<'_> {
    Budget { deadline: None, memory_bytes: usize::MAX, cancel, spare: &NO_SPARE }
}

pub fn options(history: &mut History, model: &str, given: &Plain) -> Options {
    if *given == oracle::default_initial(model) {
        Options::default()
    } else {
        Options { initial: Initial::Value(interned::intern(history, given)) }
    }
}

/// Makes the history of this seed and compares; the panic shows the seed and the history.
pub fn one(model: &'static str, seed: u64, with_search: bool, tally: &mut Tally) {
    let rng = &mut Rng::new(seed);
    of(model, rng, &format!("seed {seed}"), with_search, tally);
}

/// The same for the history that `rng` leads to; `whence` names it in a panic.
pub fn of(model: &'static str, rng: &mut Rng, whence: &str, with_search: bool, tally: &mut Tally) {
    let shape = Shape::small(rng);
    let given = random::initial(model, rng);
    // A string register splits by key on its own, too.
    let two_keys = model == "kv" && rng.percent(20);
    let mut history = if two_keys {
        let small = Shape { ops: shape.ops / 2 + 1, ..shape };
        let keys: Vec<_> =
            (0..2).map(|k| (Plain::Int(k), random::events(model, &given, &small, rng))).collect();
        interned::history_of_keys(&keys)
    } else {
        interned::history(&random::events(model, &given, &shape, rng))
    };
    let options = options(&mut history, model, &given);
    let spec = find(model).expect("a known model");
    let part: Vec<u32> = (0..history.ops.len() as u32).collect();
    let fail = |history: &History, what: String| -> ! {
        panic!("{model}, {whence}, initial {given:?}: {what}\n{}", interned::show(history, &part))
    };
    if let Err(error) = orchestrate::validate(&history, spec) {
        fail(&history, format!("the generator made nonsense: {error}"));
    }
    let expected = oracle::linearizable(model, given.clone(), &history, &part);
    tally.histories += 1;
    tally.valid += u64::from(expected);
    tally.invalid += u64::from(!expected);

    let cancel = AtomicBool::new(false);
    let mut answers: Vec<(&str, Answer)> = spec
        .fast
        .iter()
        .map(|f| (f.name, (f.check)(&history, &part, &options, &unlimited(&cancel))))
        .collect();
    match answers.iter().any(|(_, a)| matches!(a, Answer::Valid { .. } | Answer::Invalid { .. })) {
        true => tally.fast += 1,
        false => tally.passed_on += 1,
    }
    // Twelve elements put into a queue by nobody knows when have half a billion orders.
    let open = history.ops.iter().filter(|op| op.outcome == Outcome::Info).count();
    if with_search && open <= 8 {
        let found = by_search(spec, &history, &part, &options);
        answers.push(("search", found));
    }
    for (name, answer) in answers {
        if let Err(what) = judge(model, &given, &history, &part, expected, &answer, rng) {
            fail(&history, format!("{name} is wrong: {what}\n{answer:?}"));
        }
    }
}

pub fn by_search(spec: &Spec, history: &History, part: &[u32], options: &Options) -> Answer {
    let cancel = AtomicBool::new(false);
    let model = (spec.model)(history, part, options);
    search::check(history, part, &*model, &unlimited(&cancel))
}

/// Whether an answer agrees with brute force in all it says.
fn judge(
    model: &'static str,
    given: &Plain,
    history: &History,
    part: &[u32],
    expected: bool,
    answer: &Answer,
    rng: &mut Rng,
) -> Result<(), String> {
    match answer {
        Answer::NotApplicable { .. } => Ok(()),
        Answer::Unknown { .. } => Err("unknown, though nothing was limited".into()),
        Answer::Valid { .. } if !expected => Err("valid, but no order exists".into()),
        Answer::Valid { witness } => oracle::verify(model, given.clone(), history, part, witness),
        Answer::Invalid { .. } if expected => Err("invalid, but an order exists".into()),
        Answer::Invalid { core, at, .. } => {
            let mut core = core.clone();
            core.sort_unstable();
            core.dedup();
            if core.iter().any(|i| !part.contains(i)) {
                return Err("the core has operations of no part".into());
            }
            if oracle::linearizable(model, given.clone(), history, &core) {
                return Err("the core is linearizable".into());
            }
            // Whatever else is there: with any of the other operations, too.
            let percent = rng.below(100);
            let more: Vec<u32> =
                part.iter().copied().filter(|i| core.contains(i) || rng.percent(percent)).collect();
            if oracle::linearizable(model, given.clone(), history, &more) {
                return Err(format!("the core is linearizable together with {more:?}"));
            }
            if let Some(at) = at {
                let first =
                    [false, true].map(|h| oracle::first_impossible(model, given, history, part, h));
                if !first.contains(&Some(*at)) {
                    return Err(format!("impossible first at {first:?}"));
                }
            }
            Ok(())
        }
    }
}
