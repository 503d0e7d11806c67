//! Row: a whole operation, for sources that know invocation and completion together.

use std::collections::{HashMap, HashSet};

use super::event::{Event, Kind};
use super::{Builder, FormatError};
use crate::history::ValueId;

/// A whole operation, for sources that know invocation and completion together.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub line: u64,
    pub process: u32,
    pub f: u16,
    pub outcome: Kind,
    pub key: Option<ValueId>,
    pub arg: ValueId,
    pub out: ValueId,
    pub invoked_ns: i64,
    pub completed_ns: Option<i64>,
    pub node: u16,
    pub error: u32,
}

impl Row {
    pub fn new(line: u64) -> Self {
        Row {
            line,
            process: 0,
            f: 0,
            outcome: Kind::Ok,
            key: None,
            arg: ValueId::NIL,
            out: ValueId::NIL,
            invoked_ns: 0,
            completed_ns: None,
            node: 0,
            error: 0,
        }
    }
}

impl Builder {
    /// Operations with their times: the events in order of time. Where times tie, invocations
    /// come before completions, so that nothing is taken to precede what it may have overlapped.
    pub fn rows(&mut self, rows: Vec<Row>) -> Result<(), FormatError> {
        let mut events: Vec<(i64, bool, Event)> = Vec::with_capacity(rows.len() * 2);
        let mut unanswered = HashSet::new();
        for row in rows {
            let mut event = Event::new(row.line);
            event.time_ns = Some(row.invoked_ns);
            event.process = row.process;
            event.f = row.f;
            event.key = row.key;
            event.value = row.arg;
            event.node = row.node;
            events.push((row.invoked_ns, false, event));
            event.kind = row.outcome;
            event.error = row.error;
            let completed = match (row.outcome, row.completed_ns) {
                (Kind::Info, None) => {
                    unanswered.insert(row.line);
                    continue;
                }
                (_, Some(t)) if t >= row.invoked_ns => t,
                (_, Some(t)) => {
                    return Err(FormatError::new(
                        row.line,
                        format!("completed_ns {t} is before invoked_ns {}", row.invoked_ns),
                        b"",
                    ))
                }
                (_, None) => {
                    return Err(FormatError::new(
                        row.line,
                        "an operation that ended ok or fail needs its completed_ns",
                        b"",
                    ))
                }
            };
            event.time_ns = Some(completed);
            event.value = row.out;
            events.push((completed, true, event));
        }
        events.sort_by_key(|e| (e.0, e.1));
        self.one_at_a_time(&mut events);
        // A client that goes on has given up what it never got an answer to.
        let mut given_up: HashMap<u32, Event> = HashMap::new();
        for (time, _, event) in events {
            if event.kind == Kind::Invoke {
                if let Some(mut info) = given_up.remove(&event.process) {
                    info.time_ns = Some(time);
                    self.event(info)?;
                }
                if unanswered.contains(&event.line) {
                    given_up.insert(event.process, Event { kind: Kind::Info, ..event });
                }
            }
            self.event(event)?;
        }
        Ok(())
    }

    /// A process may end one operation and begin the next at the same instant: then the
    /// completion has to come first all the same.
    fn one_at_a_time(&self, events: &mut [(i64, bool, Event)]) {
        let mut open: HashMap<u32, u64> = HashMap::new();
        let mut at = 0;
        while at < events.len() {
            let (time, _, event) = events[at];
            if event.kind == Kind::Invoke {
                if let Some(&line) = open.get(&event.process) {
                    let done = (at + 1..events.len())
                        .take_while(|&i| events[i].0 == time)
                        .find(|&i| events[i].1 && events[i].2.line == line);
                    if let Some(done) = done {
                        events[at..=done].rotate_right(1);
                        continue;
                    }
                }
                open.insert(event.process, event.line);
            } else {
                open.remove(&event.process);
            }
            at += 1;
        }
    }
}
