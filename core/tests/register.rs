//! The register's zone algorithm and the search against brute force.
//!
//! A million histories: HISTORIES=1000000 cargo test --release --no-default-features --test
//! register -- --nocapture

mod support;

use std::sync::atomic::AtomicBool;

use _core::check::Answer;
use _core::history::{History, Outcome, ValueId};
use _core::model::Model;
use _core::register::{Online, Status};
use _core::registry::{Initial, Options, Spec};
use _core::{register, search};
use support::{budget, check_witness, int, judge, list, many, record, show, Draw, Random};

const READ: u16 = 0;
const WRITE: u16 = 1;
const CAS: u16 = 2;

/// A history of a register that mostly does what it should. `distinct`: no value twice.
fn history(random: &mut Random, distinct: bool, cas: bool, initial: ValueId) -> History {
    let mut h = History {
        functions: vec!["read".into(), "write".into(), "cas".into()],
        processes: (0..6).map(|p| p.to_string()).collect(),
        ..History::default()
    };
    let operations = 2 + random.below(11) as usize;
    let processes = 1 + random.below(6) as usize;
    let unknown = [0, 0, 10, 30, 60][random.below(5) as usize];
    let values = 1 + random.below(4);
    let mut fresh = 10;
    let mut recent: Vec<ValueId> = vec![initial];
    // Values already taken away, when they ought to be distinct.
    let pick = move |random: &mut Random, recent: &mut Vec<ValueId>| {
        let value = if distinct {
            fresh += 1;
            int(fresh)
        } else {
            int(1 + random.below(values) as i64)
        };
        recent.push(value);
        value
    };
    let mut pick = pick;
    let mut draw =
        |random: &mut Random, h: &mut History| match random.below(if cas { 4 } else { 2 }) {
            0 => Draw { f: READ, arg: ValueId::NIL },
            1 => Draw { f: WRITE, arg: pick(random, &mut recent) },
            _ => {
                let from =
                    recent[recent.len() - 1 - random.below(recent.len().min(3) as u64) as usize];
                let to = pick(random, &mut recent);
                Draw { f: CAS, arg: list(h, &[from, to]) }
            }
        };
    let mut state = initial;
    let mut before = initial;
    // A stale replica, a lost write, a cas that does not compare: some histories are wrong.
    let wrong = if random.chance(50) { random.below(25) } else { 0 };
    let sees = random.chance(30);
    let mut apply = |random: &mut Random, h: &mut History, f: u16, arg: ValueId| match f {
        READ => Ok(if random.chance(wrong) { before } else { state }),
        WRITE => {
            if !random.chance(wrong) {
                before = state;
                state = arg;
            }
            Ok(ValueId::NIL)
        }
        _ => {
            let (from, to) = match h.values.list(arg) {
                Some([from, to]) => (*from, *to),
                _ => unreachable!(),
            };
            if state == from || random.chance(wrong) {
                before = state;
                state = to;
                Ok(ValueId::NIL)
            } else {
                Err(if sees { state } else { ValueId::NIL })
            }
        }
    };
    record(random, &mut h, operations, processes, unknown, &mut draw, &mut apply);
    if initial != ValueId::NIL {
        for op in &mut h.ops {
            if op.f == READ && random.chance(10) {
                op.out = ValueId::NIL; // tells nothing
            }
        }
    }
    if random.chance(30) {
        // Somebody read what nobody should have.
        let n = random.below(h.ops.len() as u64) as usize;
        let out = int(random.below(14) as i64);
        let op = &mut h.ops[n];
        if op.f == READ && op.outcome == Outcome::Ok {
            op.out = out;
        }
    }
    h
}

fn compare(seed: u64, distinct: bool, spec: &'static Spec) -> (bool, bool) {
    let random = &mut Random::new(seed);
    let nil = random.chance(60);
    let initial = if nil { ValueId::NIL } else { int(0) };
    let mut options = Options::default();
    if !nil {
        options.initial = Initial::Value(initial);
    }
    let h = history(random, distinct, spec.functions.len() > 2, initial);
    if random.chance(10) {
        options.initial = Initial::Any;
    }
    let part: Vec<u32> = (0..h.ops.len() as u32).collect();
    let model = |h: &History, p: &[u32]| -> Box<dyn Model> { (spec.model)(h, p, &options) };
    let cancel = AtomicBool::new(false);
    let zones = register::check(&h, &part, &options, &budget(&cancel));
    let fast = judge(&h, &part, &model, &zones, &format!("zones, seed {seed}"));
    let m = model(&h, &part);
    let searched = search::check(&h, &part, m.as_ref(), &budget(&cancel));
    let slow = judge(&h, &part, &model, &searched, &format!("search, seed {seed}")).unwrap();
    if let Some(fast) = fast {
        assert_eq!(fast, slow, "seed {seed}\n{}", show(&h, &part));
    }
    (slow, fast.is_some())
}

fn run(distinct: bool, spec: &'static Spec) {
    let (mut valid, mut covered) = (0, 0);
    let all = many(2_000, |seed| {
        let (v, c) = compare(seed, distinct, spec);
        valid += u64::from(v);
        covered += u64::from(c);
    });
    println!(
        "{} distinct={distinct}: {all} histories, {valid} valid, {covered} decided by zones",
        spec.name
    );
    assert!(valid > all / 10 && valid < all * 95 / 100, "{valid} of {all} are valid");
    assert!(!distinct || covered > all * 8 / 10);
}

#[test]
fn online_forgets_what_nobody_may_read() {
    let mut online = Online::new(ValueId::NIL);
    let mut position = 1;
    for value in 1..100_000 {
        let v = int(value);
        assert_eq!(online.begin(v, None, position), Status::Possible);
        assert_eq!(online.happened(v, position + 1), Status::Possible);
        assert_eq!(online.read(v, position + 2, position + 3), Status::Possible);
        online.forget(position + 4);
        position += 4;
        assert!(online.len() < 200);
    }
    assert_eq!(online.read(int(3), position, position + 1), Status::Impossible);
}

#[test]
fn register_distinct() {
    run(true, &register::REGISTER);
}

#[test]
fn register_repeated() {
    run(false, &register::REGISTER);
}

#[test]
fn cas_distinct() {
    run(true, &register::CAS_REGISTER);
}

#[test]
fn cas_repeated() {
    run(false, &register::CAS_REGISTER);
}

/// Long histories, whole or with one wrong value: the zones say what the search says.
#[test]
fn long_histories() {
    let mut valid = 0;
    let all = many(40, |seed| {
        let random = &mut Random::new(seed ^ 0xabcd);
        let (operations, clients) = (1_000, 3 + random.below(4) as usize);
        let mut h = History {
            functions: vec!["read".into(), "write".into(), "cas".into()],
            processes: (0..8).map(|p| p.to_string()).collect(),
            ..History::default()
        };
        let mut fresh = 0;
        let mut draw = |random: &mut Random, h: &mut History| {
            fresh += 1;
            match random.below(5) {
                0 | 1 => Draw { f: READ, arg: ValueId::NIL },
                2 | 3 => Draw { f: WRITE, arg: int(fresh) },
                _ => Draw { f: CAS, arg: list(h, &[int(fresh - 2), int(fresh)]) },
            }
        };
        let mut state = ValueId::NIL;
        let mut apply = |_: &mut Random, h: &mut History, f: u16, arg: ValueId| match f {
            READ => Ok(state),
            WRITE => {
                state = arg;
                Ok(ValueId::NIL)
            }
            _ => match h.values.list(arg) {
                Some([from, to]) if *from == state => {
                    state = *to;
                    Ok(ValueId::NIL)
                }
                _ => Err(ValueId::NIL),
            },
        };
        record(random, &mut h, operations, clients, 2, &mut draw, &mut apply);
        // Swapped, stale, lost or invented: what a broken register shows.
        let reads: Vec<usize> = (0..h.ops.len())
            .filter(|&i| h.ops[i].f == READ && h.ops[i].outcome == Outcome::Ok)
            .collect();
        let pick = |random: &mut Random| reads[random.below(reads.len() as u64) as usize];
        let (a, b) = (pick(random), pick(random));
        match random.below(5) {
            0 => {
                let (x, y) = (h.ops[a].out, h.ops[b].out);
                (h.ops[a].out, h.ops[b].out) = (y, x);
            }
            1 => h.ops[a].out = h.ops[reads[0]].out,
            2 => {
                // The write that somebody saw never was.
                let seen = h.ops[a].out;
                h.ops.retain(|o| o.f != WRITE || o.arg != seen);
            }
            3 => h.ops[a].out = int(1_000_000),
            _ => {}
        }
        let options = Options::default();
        let part: Vec<u32> = (0..h.ops.len() as u32).collect();
        let model = (register::CAS_REGISTER.model)(&h, &part, &options);
        let cancel = AtomicBool::new(false);
        let zones = register::check(&h, &part, &options, &budget(&cancel));
        let searched = search::check(&h, &part, model.as_ref(), &budget(&cancel));
        match (&zones, &searched) {
            (Answer::Valid { witness: w }, Answer::Valid { witness: v }) => {
                valid += 1;
                for witness in [w, v] {
                    check_witness(&h, &part, model.as_ref(), witness).unwrap();
                }
            }
            (Answer::Invalid { at: a, core, .. }, Answer::Invalid { at: b, .. }) => {
                assert_eq!(a, b, "seed {seed}: earliest event");
                let again = search::check(&h, core, model.as_ref(), &budget(&cancel));
                assert!(matches!(again, Answer::Invalid { .. }), "seed {seed}: core");
            }
            _ => panic!("seed {seed}: {zones:?} against {searched:?}"),
        }
    });
    assert!(valid > all / 10 && valid < all * 9 / 10, "{valid} of {all} are valid");
}
