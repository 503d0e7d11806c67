//! Fast exact algorithms, one file each. docs/explanation/checking-types.md argues every one.

use crate::check::{Answer, Budget, Limit, Reason};
use crate::history::{History, Operation, Outcome, ValueId, OPEN};

pub mod append_list;
pub mod counter;
mod gaps;
pub mod grow_set;
pub mod kv;
pub mod leader;
pub mod mutex;
pub mod priority_queue;
pub mod queue;
pub mod semaphore;
pub mod set;
pub mod stack;

/// A partition up to an event: what had not completed by then is of unknown outcome.
#[derive(Clone, Copy)]
pub(crate) struct View<'a> {
    pub history: &'a History,
    pub part: &'a [u32],
    /// The last event that is seen; OPEN for all.
    pub until: u32,
    pub budget: &'a Budget<'a>,
}

impl<'a> View<'a> {
    /// The operations that did or may have happened, in order of invocation. `ret` is OPEN
    /// where the outcome is unknown. Ends early when the time is over; what is then found is for
    /// nobody to see.
    pub fn ops(&self) -> impl Iterator<Item = (u32, Operation)> + 'a {
        let View { history, part, until, budget } = *self;
        let in_time = part.iter().enumerate().take_while(|&(n, _)| !budget.expired_at(n));
        in_time.filter_map(move |(_, &i)| {
            let mut op = history.ops[i as usize];
            if op.outcome == Outcome::Fail || op.inv > until {
                return None;
            }
            if op.outcome == Outcome::Info || op.ret > until {
                op.outcome = Outcome::Info;
                op.ret = OPEN;
                op.out = ValueId::NIL;
            }
            Some((i, op))
        })
    }

    pub fn op(&self, i: u32) -> &'a Operation {
        &self.history.ops[i as usize]
    }
}

/// What an algorithm finds in a view.
#[derive(Clone, Debug)]
pub(crate) enum Verdict {
    Valid(Vec<u32>),
    Invalid(Vec<u32>, Reason),
    Outside(&'static str),
}

pub(crate) fn invalid(core: Vec<u32>, tag: &'static str, ops: Vec<u32>) -> Verdict {
    Verdict::Invalid(core, Reason { tag, ops })
}

/// Runs `decide` on the whole partition and, where it is not linearizable, on ever shorter
/// prefixes to find the event at which it stopped being so: what is linearizable stays so when
/// events are cut off its end.
pub(crate) fn run(
    history: &History,
    part: &[u32],
    budget: &Budget,
    decide: impl Fn(&View) -> Verdict,
) -> Answer {
    find(View { history, part, until: OPEN, budget }, false, decide)
}

/// The same where no operation's result says what it did to the state, so that a core proves as
/// much while others are still open: less has to be decided to find the first event.
pub(crate) fn run_resultless(whole: View, decide: impl Fn(&View) -> Verdict) -> Answer {
    find(whole, true, decide)
}

fn find(whole: View, cores_stand: bool, decide: impl Fn(&View) -> Verdict) -> Answer {
    if let Some(limit) = whole.budget.forbids(whole.part.len()) {
        return Answer::Unknown { limit, verified: 0 };
    }
    let verdict = decide(&whole);
    if whole.budget.expired() {
        return Answer::Unknown { limit: Limit::Time, verified: 0 };
    }
    match verdict {
        Verdict::Valid(witness) => Answer::Valid { witness },
        Verdict::Outside(why) => Answer::NotApplicable { why },
        Verdict::Invalid(mut core, reason) => {
            core.sort_unstable();
            core.dedup();
            let at = earliest(whole, &core, cores_stand, decide);
            Answer::Invalid { core, at, reason }
        }
    }
}

/// None also where the time is over.
fn earliest(
    whole: View,
    core: &[u32],
    cores_stand: bool,
    decide: impl Fn(&View) -> Verdict,
) -> Option<u32> {
    let View { history, part, budget, .. } = whole;
    let completed = |&i: &u32| {
        let op = &history.ops[i as usize];
        (op.outcome == Outcome::Ok && op.ret != OPEN).then_some(op.ret)
    };
    let mut ends: Vec<u32> = part.iter().filter_map(completed).collect();
    ends.sort_unstable();
    // The last completion by which a core is there.
    let there = |core: &[u32]| {
        let of = |&i: &u32| history.ops[i as usize].inv.max(completed(&i).unwrap_or(0));
        let last = core.iter().map(of).max()?;
        ends.partition_point(|&end| end <= last).checked_sub(1)
    };
    let impossible = |end: usize| {
        let verdict = decide(&View { until: ends[end], ..whole });
        if budget.expired() {
            return Verdict::Outside("the time is over");
        }
        verdict
    };
    let mut high = there(core)?;
    if !cores_stand && !matches!(impossible(high), Verdict::Invalid(..)) {
        return None; // one that was open then could have done otherwise; not seen to happen
    }
    // The algorithms tend to find the first violation: step back from it, ever wider, and from
    // what is found there.
    let (mut low, mut step) = (0, 1);
    while low < high {
        let end = match high.checked_sub(step) {
            Some(end) if end >= low => end,
            _ => (low + high) / 2,
        };
        match impossible(end) {
            Verdict::Invalid(core, _) => {
                high = if cores_stand { there(&core)?.min(end) } else { end };
                step = step.saturating_mul(2);
            }
            Verdict::Valid(_) => {
                low = end + 1;
                step = usize::MAX; // (halve from now on)
            }
            Verdict::Outside(_) => return None,
        }
    }
    Some(ends[high])
}

/// An operation that has to stand in a given slot.
#[derive(Clone, Copy)]
pub(crate) struct Slotted {
    pub slot: u32,
    pub inv: u32,
    pub ret: u32,
    pub op: u32,
}

/// Orders operations by slot, within a slot by invocation. Err: a pair (late, early) where
/// `late` stands in an earlier slot than `early`, which had completed before `late` was invoked.
///
/// Exact: within a slot the order by invocation keeps real time, and between slots the order is
/// given, so that only such a pair can be in the way.
pub(crate) fn slots(ops: &mut [Slotted]) -> Result<Vec<u32>, (u32, u32)> {
    ops.sort_unstable_by_key(|o| u64::from(o.slot) << 32 | u64::from(o.inv));
    let mut order = Vec::with_capacity(ops.len());
    // Latest invocation of the slots before this one, and within it.
    let (mut before, mut late) = (0, u32::MAX);
    let (mut within, mut last) = (0, u32::MAX);
    let mut slot = u32::MAX;
    for o in ops.iter() {
        if o.slot != slot {
            slot = o.slot;
            if last != u32::MAX && (late == u32::MAX || within > before) {
                (before, late) = (within, last);
            }
        }
        if late != u32::MAX && o.ret < before {
            return Err((late, o.op));
        }
        if last == u32::MAX || o.inv > within {
            (within, last) = (o.inv, o.op);
        }
        order.push(o.op);
    }
    Ok(order)
}

/// Checks pieces that do not depend on each other and puts their witnesses together: each
/// operation stands at the latest invocation of its piece so far, which all of them keep.
pub(crate) fn pieces(
    history: &History,
    pieces: &[Vec<u32>],
    check: impl Fn(&[u32]) -> Answer,
) -> Answer {
    let mut placed: Vec<(u32, u32)> = Vec::new();
    let mut undecided = None;
    let mut dated = true;
    let mut found: Option<(Vec<u32>, Option<u32>, Reason)> = None;
    for piece in pieces {
        match check(piece) {
            Answer::Valid { witness } => {
                let mut now = 0;
                for i in witness {
                    now = now.max(history.ops[i as usize].inv);
                    placed.push((now, i));
                }
            }
            Answer::Invalid { core, at, reason } => {
                dated &= at.is_some();
                // The piece that was the first to become impossible speaks for all.
                let sooner = match &found {
                    None => true,
                    Some((_, first, _)) => at.unwrap_or(OPEN) < first.unwrap_or(OPEN),
                };
                if sooner {
                    found = Some((core, at, reason));
                }
            }
            other => undecided = Some(other),
        }
    }
    match (found, undecided) {
        (Some((core, at, reason)), other) => {
            let at = at.filter(|_| dated && other.is_none());
            Answer::Invalid { core, at, reason }
        }
        (None, Some(other)) => other,
        (None, None) => {
            placed.sort_by_key(|&(at, _)| at);
            Answer::Valid { witness: placed.into_iter().map(|(_, i)| i).collect() }
        }
    }
}

/// The operations that share a key, in order of invocation.
pub(crate) fn split_by(part: &[u32], key: impl Fn(u32) -> ValueId) -> Vec<Vec<u32>> {
    let mut ids = crate::table::IdMap::with_capacity(64);
    let mut pieces: Vec<Vec<u32>> = Vec::new();
    for &i in part {
        let next = pieces.len() as u32;
        let n = ids.get_or_insert(key(i).0, next) as usize;
        if n == pieces.len() {
            pieces.push(Vec::new());
        }
        pieces[n].push(i);
    }
    pieces
}
