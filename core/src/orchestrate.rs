//! From a history to one verdict: splits it by key, chooses an algorithm for each partition,
//! checks the partitions on all cores and merges what they say.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use crate::check::{Answer, Budget, Limit, Reason};
use crate::history::{History, ValueId};
use crate::minimise::minimise;
use crate::model::Model;
use crate::registry::{Options, Spec};
use crate::search;
use crate::table::IdMap;

/// How to check; what a user may say.
#[derive(Clone, Copy)]
pub struct Settings<'a> {
    /// "auto", "search" or the name of a fast algorithm.
    pub algorithm: &'a str,
    pub options: Options,
    pub time: Duration,
    pub memory_bytes: usize,
    /// 0: all cores.
    pub threads: usize,
    pub minimise: bool,
    /// Set from outside to stop.
    pub cancel: &'a AtomicBool,
}

/// What a history is checked against.
#[derive(Clone, Copy)]
pub enum Subject<'a> {
    Builtin(&'static Spec),
    /// A user's model: only the search knows it.
    Custom(&'a dyn Model),
}

/// A share of the history: its key, and its operations in order of invocation.
pub type Part = (ValueId, Vec<u32>);

/// What was found of one partition.
pub struct Partition {
    pub key: ValueId,
    pub operations: usize,
    pub algorithm: &'static str,
    pub answer: Answer,
    /// No operation can be taken out of the counterexample.
    pub minimal: bool,
    pub seconds: f64,
}

/// The operations of each key in order of invocation; keys in order of appearance.
pub fn split(history: &History, per_key: bool) -> Vec<Part> {
    let all = 0..history.ops.len() as u32;
    let Some(first) = history.ops.first() else { return Vec::new() };
    if !per_key {
        return vec![(ValueId::NIL, all.collect())];
    }
    if history.ops.iter().all(|o| o.key == first.key) {
        return vec![(first.key, all.collect())];
    }
    let mut ids = IdMap::with_capacity(64);
    let mut parts: Vec<Part> = Vec::new();
    for (i, op) in history.ops.iter().enumerate() {
        let fresh = parts.len() as u32;
        let p = ids.get_or_insert(op.key.0, fresh);
        if p == fresh {
            parts.push((op.key, Vec::new()));
        }
        parts[p as usize].1.push(i as u32);
    }
    parts
}

/// Err where an operation is not one that the data type knows, in words for the user.
pub fn validate(history: &History, spec: &Spec) -> Result<(), String> {
    for f in &history.functions {
        if !spec.functions.contains(&f.as_str())
            && history.ops.iter().any(|o| history.functions[o.f as usize] == *f)
        {
            return Err(format!(
                "model {} has no function {f:?}; it has {}",
                spec.name,
                spec.functions.join(", ")
            ));
        }
    }
    for op in &history.ops {
        if let Err(expected) = (spec.well_formed)(history, op) {
            return Err(format!(
                "{} by process {} (event {}): {expected} expected",
                history.functions[op.f as usize],
                history.processes[op.process as usize],
                history.event_index[op.inv as usize],
            ));
        }
    }
    Ok(())
}

/// Checks all partitions. Once one is found invalid the verdict is known: the others then get
/// as much time again as was used so far, and a second, and no more.
pub fn check(
    history: &History,
    parts: &[Part],
    subject: Subject,
    settings: &Settings,
) -> Vec<Partition> {
    let started = Instant::now();
    let cores = match settings.threads {
        0 => std::thread::available_parallelism().map_or(1, |n| n.get()),
        n => n,
    };
    let threads = cores.min(parts.len()).max(1);
    // A core without a partition of its own helps with another's search.
    let spare = AtomicUsize::new(cores.saturating_sub(threads));
    if threads == 1 {
        return on_this_thread(history, parts, subject, settings, &spare);
    }
    // Long partitions first, so that none is left to run alone at the end.
    let mut order: Vec<usize> = (0..parts.len()).collect();
    order.sort_by_key(|&i| std::cmp::Reverse(parts[i].1.len()));
    let cancel = AtomicBool::new(false);
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<Partition>>> = parts.iter().map(|_| Mutex::new(None)).collect();
    let state = Mutex::new((threads, false)); // workers at work, a partition found invalid
    let changed = Condvar::new();
    let one_by_one = || {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(&i) = order.get(n) else { break };
            let (key, part) = &parts[i];
            let budget = Budget {
                deadline: started.checked_add(settings.time),
                memory_bytes: settings.memory_bytes / threads,
                cancel: &cancel,
                spare: &spare,
            };
            let result = check_partition(history, *key, part, subject, settings, &budget);
            if matches!(result.answer, Answer::Invalid { .. }) {
                state.lock().unwrap().1 = true;
                changed.notify_all();
            }
            *results[i].lock().unwrap() = Some(result);
        }
        spare.fetch_add(1, Ordering::Relaxed);
        state.lock().unwrap().0 -= 1;
        changed.notify_all();
    };
    let work = || match subject {
        Subject::Builtin(_) => one_by_one(),
        Subject::Custom(model) => model.serve(&mut { one_by_one }),
    };
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
        let mut guard = state.lock().unwrap();
        let mut stop: Option<Instant> = None;
        while guard.0 > 0 {
            if settings.cancel.load(Ordering::Relaxed) || stop.is_some_and(|s| Instant::now() >= s)
            {
                cancel.store(true, Ordering::Relaxed);
            }
            if guard.1 && stop.is_none() {
                stop = Some(Instant::now() + started.elapsed() + AFTER_INVALID);
            }
            guard = changed.wait_timeout(guard, Duration::from_millis(20)).unwrap().0;
        }
    });
    results.into_iter().filter_map(|r| r.into_inner().unwrap()).collect()
}

/// One after the other: a thread of its own would cost more than a small history.
fn on_this_thread(
    history: &History,
    parts: &[Part],
    subject: Subject,
    settings: &Settings,
    spare: &AtomicUsize,
) -> Vec<Partition> {
    let started = Instant::now();
    let mut deadline = started.checked_add(settings.time);
    let mut found = Vec::with_capacity(parts.len());
    let mut work = || {
        for (key, part) in parts {
            let (memory_bytes, cancel) = (settings.memory_bytes, settings.cancel);
            let budget = Budget { deadline, memory_bytes, cancel, spare };
            let result = check_partition(history, *key, part, subject, settings, &budget);
            if matches!(result.answer, Answer::Invalid { .. }) {
                let stop = Instant::now() + started.elapsed() + AFTER_INVALID;
                deadline = Some(deadline.map_or(stop, |d| d.min(stop)));
            }
            found.push(result);
        }
    };
    match subject {
        Subject::Builtin(_) => work(),
        Subject::Custom(model) => model.serve(&mut work),
    }
    found
}

fn check_partition(
    history: &History,
    key: ValueId,
    part: &[u32],
    subject: Subject,
    settings: &Settings,
    budget: &Budget,
) -> Partition {
    let started = Instant::now();
    let (algorithm, mut answer) = decide(history, part, subject, settings, budget);
    let mut minimal = false;
    if let (Answer::Invalid { core, at, .. }, true) = (&answer, settings.minimise) {
        let (core, at) = (core.clone(), *at);
        if let Some((ops, reason, done)) = smaller(history, part, &core, subject, settings, budget)
        {
            minimal = done;
            answer = Answer::Invalid { core: ops, at, reason };
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    Partition { key, operations: part.len(), algorithm, answer, minimal, seconds }
}

/// A minimal counterexample, the reason why it is one, and whether it is minimal indeed.
fn smaller(
    history: &History,
    part: &[u32],
    core: &[u32],
    subject: Subject,
    settings: &Settings,
    budget: &Budget,
) -> Option<(Vec<u32>, Reason, bool)> {
    let end = Instant::now() + MINIMISING;
    let budget = Budget { deadline: Some(budget.deadline.map_or(end, |d| d.min(end))), ..*budget };
    let quick = Settings { algorithm: "auto", ..*settings };
    let decide = |ops: &[u32]| {
        if budget.expired() {
            return Answer::Unknown { limit: Limit::Time, verified: 0 };
        }
        self::decide(history, ops, subject, &quick, &budget).1
    };
    let built;
    let model: &dyn Model = match subject {
        Subject::Builtin(spec) => {
            built = (spec.model)(history, part, &settings.options);
            built.as_ref()
        }
        Subject::Custom(model) => model,
    };
    match minimise(history, part, core, model, &decide)? {
        (ops, Answer::Invalid { reason, .. }, minimal) => Some((ops, reason, minimal)),
        _ => None,
    }
}

/// What other partitions get, besides as much time as was used, once one is found invalid.
const AFTER_INVALID: Duration = Duration::from_secs(1);

/// How long a counterexample is made smaller, at most.
const MINIMISING: Duration = Duration::from_secs(5);

fn decide(
    history: &History,
    part: &[u32],
    subject: Subject,
    settings: &Settings,
    budget: &Budget,
) -> (&'static str, Answer) {
    let spec = match subject {
        Subject::Builtin(spec) => spec,
        Subject::Custom(model) => return ("search", search::check(history, part, model, budget)),
    };
    let mut skipped = None;
    for fast in spec.fast {
        if settings.algorithm != "auto" && settings.algorithm != fast.name {
            continue;
        }
        match (fast.check)(history, part, &settings.options, budget) {
            Answer::NotApplicable { why } => skipped = Some((fast.name, why)),
            answer => return (fast.name, answer),
        }
    }
    match skipped {
        Some((name, why)) if settings.algorithm != "auto" => (name, Answer::NotApplicable { why }),
        _ => {
            let model: Box<dyn Model> = (spec.model)(history, part, &settings.options);
            ("search", search::check(history, part, model.as_ref(), budget))
        }
    }
}
