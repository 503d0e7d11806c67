//! What the tests of the checker share: random numbers, an oracle by brute force, and the
//! checks that every answer must pass.
#![allow(dead_code)]

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use _core::check::{Answer, Budget, NO_SPARE};
use _core::history::{History, Operation, Outcome, Value, ValueId, OPEN};
use _core::model::{Model, State};

/// xorshift64*: small, seeded, the same everywhere.
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// In 0..n.
    pub fn below(&mut self, n: u64) -> u64 {
        ((self.next() >> 32) * n) >> 32
    }

    pub fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// The model of a partition.
pub type MakeModel<'a> = &'a dyn Fn(&History, &[u32]) -> Box<dyn Model>;
pub type Drawing<'a> = &'a mut dyn FnMut(&mut Random, &mut History) -> Draw;
pub type Applying<'a> =
    &'a mut dyn FnMut(&mut Random, &mut History, u16, ValueId) -> Result<ValueId, ValueId>;

pub fn int(i: i64) -> ValueId {
    ValueId::small_int(i).unwrap()
}

pub fn list(history: &mut History, members: &[ValueId]) -> ValueId {
    history.values.intern(Value::List(members.into()))
}

pub fn budget(cancel: &AtomicBool) -> Budget<'_> {
    Budget { deadline: None, memory_bytes: 1 << 30, cancel, spare: &NO_SPARE }
}

/// Whether an operation takes part in the order at all, and whether it must.
fn kept(history: &History, op: &Operation, model: &dyn Model) -> (bool, bool) {
    match op.outcome {
        Outcome::Ok => (true, op.ret != OPEN),
        Outcome::Fail => {
            let learns = op.ret != OPEN && model.learns_from_failure(history, op);
            (learns, learns)
        }
        Outcome::Info => (true, false),
    }
}

/// Tries all orders. At most 64 operations, and few of them concurrent.
pub fn linearizable(history: &History, part: &[u32], model: &dyn Model) -> bool {
    let ops: Vec<(&Operation, bool)> = part
        .iter()
        .map(|&i| &history.ops[i as usize])
        .filter_map(|o| match kept(history, o, model) {
            (true, must) => Some((o, must)),
            _ => None,
        })
        .collect();
    let must = ops.iter().enumerate().filter(|(_, o)| o.1).fold(0u64, |m, (i, _)| m | 1 << i);
    let mut seen: HashSet<(u64, State)> = HashSet::new();
    let mut stack: Vec<(u64, State)> = model.initial().into_iter().map(|s| (0, s)).collect();
    while let Some((done, state)) = stack.pop() {
        if done & must == must {
            return true;
        }
        if !seen.insert((done, state.clone())) {
            continue;
        }
        let first_ret = ops
            .iter()
            .enumerate()
            .filter(|(i, o)| o.1 && done & 1 << i == 0)
            .map(|(_, o)| o.0.ret)
            .min()
            .unwrap();
        for (i, (op, _)) in ops.iter().enumerate() {
            if done & 1 << i == 0 && op.inv < first_ret {
                for s in model.step(history, &state, op) {
                    stack.push((done | 1 << i, s));
                }
            }
        }
    }
    false
}

/// The history as it was right after the event at `position`: later events have not been seen,
/// but that operations which failed did not happen is known from the start.
pub fn prefix(history: &History, part: &[u32], position: u32) -> (History, Vec<u32>) {
    let mut h = History {
        functions: history.functions.clone(),
        processes: history.processes.clone(),
        values: history.values.clone(),
        ..History::default()
    };
    let mut p = Vec::new();
    for &i in part {
        let mut op = history.ops[i as usize];
        if op.inv > position || op.outcome == Outcome::Fail && op.ret > position {
            continue;
        }
        if op.ret > position && op.ret != OPEN {
            op.ret = OPEN;
            op.out = ValueId::NIL;
            op.outcome = Outcome::Info;
        }
        p.push(h.ops.len() as u32);
        h.ops.push(op);
    }
    (h, p)
}

/// The event at which the history became impossible, by brute force.
pub fn earliest(history: &History, part: &[u32], model: MakeModel) -> Option<u32> {
    let mut rets: Vec<u32> =
        part.iter().map(|&i| history.ops[i as usize].ret).filter(|&r| r != OPEN).collect();
    rets.sort_unstable();
    rets.into_iter().find(|&r| {
        let (h, p) = prefix(history, part, r);
        !linearizable(&h, &p, model(&h, &p).as_ref())
    })
}

/// Err: why `witness` is not a linearization.
pub fn check_witness(
    history: &History,
    part: &[u32],
    model: &dyn Model,
    witness: &[u32],
) -> Result<(), String> {
    let mut left: HashSet<u32> = part.iter().copied().collect();
    let mut latest = 0;
    let mut states = model.initial();
    for &i in witness {
        let op = &history.ops[i as usize];
        if !left.remove(&i) {
            return Err(format!("{i} is twice in the witness, or of another partition"));
        }
        if !kept(history, op, model).0 {
            return Err(format!("{i} did not happen"));
        }
        if op.ret < latest {
            return Err(format!("{i} had completed before one in front of it began"));
        }
        latest = latest.max(op.inv);
        states = states.iter().flat_map(|s| model.step(history, s, op)).collect();
        states.sort();
        states.dedup();
        if states.is_empty() {
            return Err(format!("{i} cannot happen there"));
        }
    }
    match left.iter().find(|&&i| kept(history, &history.ops[i as usize], model).1) {
        Some(i) => Err(format!("{i} is missing in the witness")),
        None => Ok(()),
    }
}

/// Panics unless the answer is the oracle's and proves what it says. True: valid.
pub fn judge(
    history: &History,
    part: &[u32],
    model: MakeModel,
    answer: &Answer,
    name: &str,
) -> Option<bool> {
    let m = model(history, part);
    match answer {
        Answer::Valid { witness } => {
            if let Err(why) = check_witness(history, part, m.as_ref(), witness) {
                panic!("{name}: {why}: {witness:?}\n{}", show(history, part));
            }
            Some(true)
        }
        Answer::Invalid { core, at, reason } => {
            assert!(
                !linearizable(history, part, m.as_ref()),
                "{name}: wrongly invalid ({reason:?})\n{}",
                show(history, part)
            );
            assert!(
                !linearizable(history, core, m.as_ref()),
                "{name}: the core {core:?} is linearizable ({reason:?})\n{}",
                show(history, part)
            );
            if let Some(at) = at {
                let expected = earliest(history, part, model);
                assert_eq!(
                    Some(*at),
                    expected,
                    "{name}: earliest event ({reason:?})\n{}",
                    show(history, part)
                );
            }
            Some(false)
        }
        Answer::NotApplicable { .. } => None,
        Answer::Unknown { .. } => {
            panic!("{name}: undecided\n{}", show(history, part))
        }
    }
}

/// The operations, one a line.
pub fn show(history: &History, part: &[u32]) -> String {
    let value = |v: ValueId| match v.as_small_int() {
        Some(i) => i.to_string(),
        None => match history.values.get(v) {
            Value::Nil => "nil".into(),
            Value::List(m) => {
                format!("{:?}", m.iter().map(|m| m.as_small_int()).collect::<Vec<_>>())
            }
            other => format!("{other:?}"),
        },
    };
    part.iter()
        .map(|&i| {
            let o = &history.ops[i as usize];
            let ret = if o.ret == OPEN { "-".into() } else { o.ret.to_string() };
            format!(
                "{i}: {} {} -> {} {:?} {}..{ret}\n",
                history.functions[o.f as usize],
                value(o.arg),
                value(o.out),
                o.outcome,
                o.inv
            )
        })
        .collect()
}

/// What a random operation is, and what became of it.
pub struct Draw {
    pub f: u16,
    pub arg: ValueId,
}

/// A random history of up to `processes` concurrent clients. `draw` makes an operation; `apply`
/// lets it happen: the result, or None where it fails (with what was seen). Each operation
/// takes effect at a moment between its ends; `unknown` percent of them have no completion.
pub fn record(
    random: &mut Random,
    history: &mut History,
    operations: usize,
    processes: usize,
    unknown: u64,
    draw: Drawing,
    apply: Applying,
) {
    struct Client {
        op: usize,
        applied: Option<Result<ValueId, ValueId>>,
    }
    let mut clients: Vec<Option<Client>> = (0..processes).map(|_| None).collect();
    let mut position = 0;
    let mut invoked = 0;
    loop {
        let busy = clients.iter().any(Option::is_some);
        if invoked >= operations && !busy {
            return;
        }
        let c = random.below(processes as u64) as usize;
        match &mut clients[c] {
            None if invoked < operations => {
                let d = draw(random, history);
                clients[c] = Some(Client { op: history.ops.len(), applied: None });
                history.ops.push(Operation {
                    process: c as u32,
                    f: d.f,
                    outcome: Outcome::Info,
                    key: ValueId::NIL,
                    arg: d.arg,
                    out: ValueId::NIL,
                    inv: position,
                    ret: OPEN,
                    inv_ns: i64::from(position),
                    ret_ns: 0,
                });
                position += 1;
                invoked += 1;
            }
            None => {}
            Some(client) => match client.applied {
                None if random.chance(unknown / 2) => clients[c] = None,
                None => {
                    let (f, arg) = (history.ops[client.op].f, history.ops[client.op].arg);
                    client.applied = Some(apply(random, history, f, arg));
                }
                Some(_) if random.chance(unknown / 2) => clients[c] = None,
                Some(result) => {
                    let op = &mut history.ops[client.op];
                    op.ret = position;
                    op.ret_ns = i64::from(position);
                    position += 1;
                    (op.outcome, op.out) = match result {
                        Ok(out) => (Outcome::Ok, out),
                        Err(seen) => (Outcome::Fail, seen),
                    };
                    clients[c] = None;
                }
            },
        }
    }
}

/// Runs `one(seed)` for every seed up to `histories`, or what the environment asks for.
pub fn many(histories: u64, mut one: impl FnMut(u64)) -> u64 {
    let histories = std::env::var("HISTORIES").map_or(histories, |n| n.parse().unwrap());
    let first = std::env::var("SEED").map_or(1, |n| n.parse().unwrap());
    for seed in first..first + histories {
        one(seed);
    }
    histories
}
