//! Several fronts at one event, a thread each. A configuration belongs to the front that answers
//! for its state, so that whatever covers it is met there; the others hand it over.
//!
//! They go step by step, as one alone does: all look at what one more operation led to before
//! any looks at what comes of that. Out of step they would look at much that is covered later.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use super::front::{Arrival, Event, Front};
use crate::check::Limit;

/// Looks at the others before a front goes to sleep, some tens of microseconds.
const SPINS: usize = 10_000;

/// Where fronts meet after each step.
struct Meeting<const W: usize> {
    table: Mutex<Table<W>>,
    changed: Condvar,
    /// Steps that all have taken.
    steps: AtomicU64,
}

struct Table<const W: usize> {
    /// By front: batches for it.
    batches: Vec<Vec<Vec<Arrival<W>>>>,
    /// Fronts that wait for the others to end the step.
    waiting: usize,
    /// Somebody found something in this step.
    more: bool,
    over: bool,
    limit: Option<Limit>,
}

impl<const W: usize> Meeting<W> {
    fn new(fronts: usize) -> Self {
        let batches = (0..fronts).map(|_| Vec::new()).collect();
        let table = Table { batches, waiting: 0, more: false, over: false, limit: None };
        Meeting { table: Mutex::new(table), changed: Condvar::new(), steps: AtomicU64::new(0) }
    }

    fn table(&self) -> MutexGuard<'_, Table<W>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, limit: Option<Limit>) {
        let mut table = self.table();
        table.over = true;
        table.limit = table.limit.or(limit);
        self.steps.fetch_add(1, Ordering::Release);
        self.changed.notify_all();
    }

    /// Hands over what `front` found and waits until all have. None: the event is over.
    fn after_step(&self, front: &mut Front<W>, number: usize) -> Option<Vec<Vec<Arrival<W>>>> {
        let mut table = self.table();
        table.more |= front.at < front.seen.len();
        for (to, arrivals) in front.out.iter_mut().enumerate() {
            if !arrivals.is_empty() {
                table.more = true;
                table.batches[to].push(std::mem::take(arrivals));
            }
        }
        table.waiting += 1;
        if table.waiting == table.batches.len() {
            table.over |= !table.more;
            (table.waiting, table.more) = (0, false);
            self.steps.fetch_add(1, Ordering::Release);
            self.changed.notify_all();
        } else {
            let steps = self.steps.load(Ordering::Acquire);
            let waits = || self.steps.load(Ordering::Acquire) == steps;
            // Most steps are short: to sleep would take longer than what is waited for.
            drop(table);
            for _ in 0..SPINS {
                if !waits() {
                    break;
                }
                std::hint::spin_loop();
            }
            table = self.table();
            while waits() && !table.over {
                table = self.changed.wait(table).unwrap_or_else(PoisonError::into_inner);
            }
        }
        (!table.over).then(|| std::mem::take(&mut table.batches[number]))
    }
}

/// A thread that panics must not let the others wait for it.
struct Ending<'a, const W: usize>(&'a Meeting<W>);

impl<const W: usize> Drop for Ending<'_, W> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.end(None);
        }
    }
}

/// All fronts go as far as they can. Some: a limit stopped them.
pub fn run<const W: usize>(fronts: &mut [Front<W>], e: &Event<W>) -> Option<Limit> {
    let meeting = Meeting::new(fronts.len());
    std::thread::scope(|scope| {
        for (number, front) in fronts.iter_mut().enumerate() {
            let meeting = &meeting;
            scope.spawn(move || {
                let _ending = Ending(meeting);
                work(front, number, e, meeting);
            });
        }
    });
    let limit = meeting.table().limit;
    limit
}

fn work<const W: usize>(front: &mut Front<W>, number: usize, e: &Event<W>, meeting: &Meeting<W>) {
    front.take(e);
    loop {
        let met = front.seen.len();
        if let Some(limit) = front.advance(e, met) {
            return meeting.end(Some(limit));
        }
        let Some(batches) = meeting.after_step(front, number) else { return };
        for arrival in batches.into_iter().flatten() {
            front.arrive(e, arrival);
        }
    }
}
