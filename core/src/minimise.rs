//! Makes counterexamples small.
//!
//! A sub-history proves something only if whatever its operations saw could have come from
//! nowhere else: of the operations left out, none may provide what a kept one observes
//! (`Model::evidence`). So an operation goes together with all that observe what it provides,
//! and a counterexample is minimal if it can be linearized as soon as any of its operations
//! goes. Taken out in chunks that get smaller (Zeller's ddmin).
//!
//! Where whatever is observed was provided before (`Model::sees_the_past`), what began only when
//! the observer had ended matters nothing to it; but for the first, where none was in time, for
//! that is then the very error.
//!
//! Operations that say nothing of what they observe have to stay, but for those that began when
//! the proof was complete and nothing was under way: what is impossible stays so.

use std::collections::HashMap;

use crate::check::Answer;
use crate::history::{History, Outcome, OPEN};
use crate::model::{Evidence, Model};

/// So many operations that have to stay are tried one by one.
const FEW: usize = 64;

struct Shrink<'a> {
    history: &'a History,
    model: &'a dyn Model,
    decide: &'a dyn Fn(&[u32]) -> Answer,
    /// By operation, once asked for: what it observes and provides. None: it has to stay.
    evidence: HashMap<u32, Option<Evidence>>,
    /// By token: the invocation of the first that provides it.
    first: HashMap<u64, u32>,
    ops: Vec<u32>,
    last: Option<Answer>,
}

/// The smallest counterexample found within what `core` proves, the answer it gives, and
/// whether no operation can be taken out of it. `decide` checks a sub-history; it answers
/// Unknown when the budget is used up, and the search for a smaller one ends there.
pub fn minimise(
    history: &History,
    part: &[u32],
    core: &[u32],
    model: &dyn Model,
    decide: &dyn Fn(&[u32]) -> Answer,
) -> Option<(Vec<u32>, Answer, bool)> {
    let (evidence, first, ops, last) = (HashMap::new(), HashMap::new(), Vec::new(), None);
    let mut s = Shrink { history, model, decide, evidence, first, ops, last };
    s.ops = s.closed(part, core);
    s.ops.retain(|&i| happened(history, model, i));
    // What did not complete by the end of the proof may observe what came later.
    match decide(&s.ops) {
        answer @ Answer::Invalid { .. } => s.last = Some(answer),
        _ => return None, // (the budget is used up)
    }
    s.cut_to_proof();
    let minimal = s.shrink() && s.nothing_to_spare();
    s.last.map(|answer| (s.ops, answer, minimal))
}

fn happened(history: &History, model: &dyn Model, i: u32) -> bool {
    let op = &history.ops[i as usize];
    match op.outcome {
        Outcome::Fail => op.ret != OPEN && model.learns_from_failure(history, op),
        _ => true,
    }
}

impl Shrink<'_> {
    fn evidence(&mut self, i: u32) -> &Option<Evidence> {
        let (history, model) = (self.history, self.model);
        self.evidence.entry(i).or_insert_with(|| {
            let op = &history.ops[i as usize];
            let read_only = || model.read_only(history, op).then(Evidence::default);
            model.evidence(history, op).or_else(read_only)
        })
    }

    fn observed(&mut self, i: u32) -> Vec<u64> {
        self.evidence(i).as_ref().map_or(Vec::new(), |e| e.observes.clone())
    }

    /// What provides this token matters to this observer if it was invoked before that.
    fn end(&self, observer: u32, token: u64) -> u32 {
        let ret = self.history.ops[observer as usize].ret;
        match self.first.get(&token) {
            Some(&inv) if self.model.sees_the_past() => ret.max(inv + 1),
            _ => OPEN,
        }
    }

    /// `ops` and all of `part` that provides what they observe.
    fn closed(&mut self, part: &[u32], ops: &[u32]) -> Vec<u32> {
        let mut providers: HashMap<u64, Vec<u32>> = HashMap::new();
        let mut kept: Vec<u32> = ops.to_vec();
        let mut inside: HashMap<u32, ()> = kept.iter().map(|&i| (i, ())).collect();
        for &i in part {
            if self.model.read_only(self.history, &self.history.ops[i as usize]) {
                continue; // provides nothing
            }
            let inv = self.history.ops[i as usize].inv;
            match self.evidence(i).clone() {
                Some(Evidence { provides, .. }) => {
                    for token in provides {
                        self.first.entry(token).or_insert(inv);
                        providers.entry(token).or_default().push(i);
                    }
                }
                None => {
                    if inside.insert(i, ()).is_none() {
                        kept.push(i);
                    }
                }
            }
        }
        // How many of a token's providers, in order of invocation, were taken.
        let mut taken: HashMap<u64, usize> = HashMap::new();
        let mut at = 0;
        while at < kept.len() {
            let observer = kept[at];
            for token in self.observed(observer) {
                let Some(all) = providers.get(&token) else { continue };
                let end = self.end(observer, token);
                let matter = all.partition_point(|&i| self.history.ops[i as usize].inv < end);
                let before = taken.entry(token).or_insert(0);
                for &i in all.get(*before..matter).unwrap_or_default() {
                    if inside.insert(i, ()).is_none() {
                        kept.push(i);
                    }
                }
                *before = matter.max(*before);
            }
            at += 1;
        }
        kept.sort_unstable();
        kept
    }

    /// What is left without `gone` and all that observe what those provide.
    fn without(&mut self, gone: &[u32]) -> Option<Vec<u32>> {
        let mut observers: HashMap<u64, Vec<(u32, u32)>> = HashMap::new();
        for i in self.ops.clone() {
            for token in self.observed(i) {
                observers.entry(token).or_default().push((self.end(i, token), i));
            }
        }
        observers.values_mut().for_each(|all| all.sort_unstable());
        let mut out: HashMap<u32, ()> = HashMap::new();
        let mut stack = gone.to_vec();
        while let Some(i) = stack.pop() {
            if out.insert(i, ()).is_some() {
                continue;
            }
            let inv = self.history.ops[i as usize].inv;
            let evidence = self.evidence(i).as_ref()?;
            for token in &evidence.provides {
                let Some(all) = observers.get_mut(token) else { continue };
                let matter = all.partition_point(|&(end, _)| end <= inv);
                stack.extend(all.drain(matter..).map(|(_, observer)| observer));
            }
        }
        Some(self.ops.iter().copied().filter(|i| !out.contains_key(i)).collect())
    }

    /// Takes `ops` if it proves something still. None: the budget is used up.
    fn attempt(&mut self, ops: Vec<u32>) -> Option<bool> {
        if ops.len() >= self.ops.len() {
            return Some(false);
        }
        match (self.decide)(&ops) {
            answer @ Answer::Invalid { .. } => {
                self.ops = ops;
                self.last = Some(answer);
                Some(true)
            }
            Answer::Valid { .. } => Some(false),
            _ => None,
        }
    }

    /// As long as an answer proves more than it had to: down to what it needed.
    fn cut_to_proof(&mut self) {
        for _ in 0..8 {
            let Some(Answer::Invalid { core, at, .. }) = &self.last else { return };
            let (core, at) = (core.clone(), *at);
            let smaller = self.closed(&self.ops.clone(), &core);
            let before = self.ops.len();
            if self.attempt(smaller).is_none() {
                return;
            }
            // Whatever began after it was over.
            if let Some(at) = at {
                let late: Vec<u32> = self
                    .ops
                    .iter()
                    .copied()
                    .filter(|&i| self.history.ops[i as usize].inv > at)
                    .collect();
                let smaller = self.without(&late).unwrap_or_else(|| self.until(at));
                if self.attempt(smaller).is_none() {
                    return;
                }
            }
            if self.ops.len() * 10 >= before * 9 {
                return;
            }
        }
    }

    /// What had begun at the first event from `at` on at which no change is under way.
    fn until(&self, at: u32) -> Vec<u32> {
        let op = |i: u32| &self.history.ops[i as usize];
        let ended = |i: u32| op(i).outcome != Outcome::Info && op(i).ret != OPEN;
        let looks = |i: u32| self.model.read_only(self.history, op(i));
        let mut end = at;
        loop {
            let open = |&&i: &&u32| !looks(i) && ended(i) && op(i).inv <= end && op(i).ret > end;
            match self.ops.iter().filter(open).map(|&i| op(i).ret).max() {
                Some(later) => end = later,
                None => break,
            }
        }
        let began = |&i: &u32| op(i).inv <= end && !(looks(i) && ended(i) && op(i).ret > end);
        self.ops.iter().copied().filter(began).collect()
    }

    /// Whether each of the operations that have to stay is needed indeed.
    fn nothing_to_spare(&mut self) -> bool {
        let all = self.ops.clone();
        let bound: Vec<u32> = all.into_iter().filter(|&i| self.evidence(i).is_none()).collect();
        bound.len() <= FEW
            && bound.iter().all(|gone| {
                let rest: Vec<u32> = self.ops.iter().copied().filter(|i| i != gone).collect();
                matches!((self.decide)(&rest), Answer::Valid { .. })
            })
    }

    /// True if at last no operation could go.
    fn shrink(&mut self) -> bool {
        let mut size = (self.ops.len() / 2).max(1);
        loop {
            let mut changed = false;
            let mut end = self.ops.len();
            while end > 0 {
                let start = end.saturating_sub(size);
                let chunk: Vec<u32> = self.ops[start..end].to_vec();
                if let Some(rest) = self.without(&chunk) {
                    match self.attempt(rest) {
                        None => return false,
                        Some(true) => changed = true,
                        Some(false) => {}
                    }
                }
                end = start.min(self.ops.len());
            }
            if size == 1 && !changed {
                return true;
            }
            size = if changed && size == 1 { 1 } else { (size / 2).max(1) };
        }
    }
}
