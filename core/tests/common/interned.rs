//! Random events as a history that the checker reads, and back in a form for people.

#![allow(dead_code)]

use _core::history::{History, Operation, Value, ValueId, OPEN};
use _core::oracle::Plain;
use Plain::{Bool, Int, List, Map, Nil, Str};

use super::random::Event;

/// Interns a value.
pub fn intern(history: &mut History, value: &Plain) -> ValueId {
    let value = match value {
        Nil => Value::Nil,
        Bool(b) => Value::Bool(*b),
        Int(i) => Value::Int(*i),
        Str(text) => Value::Str(text.as_str().into()),
        List(members) => {
            Value::List(members.iter().map(|m| intern(history, m)).collect::<Vec<_>>().into())
        }
        Map(entries) => {
            let mut list: Vec<_> =
                entries.iter().map(|(k, v)| (intern(history, k), intern(history, v))).collect();
            list.sort();
            Value::Map(list.into())
        }
    };
    history.values.intern(value)
}

/// The history of these operations. Positions are made dense.
pub fn history(events: &[Event]) -> History {
    history_of_keys(&[(Nil, events.to_vec())])
}

/// The history of several keys, whose events alternate as their positions say.
pub fn history_of_keys(keys: &[(Plain, Vec<Event>)]) -> History {
    let mut history = History::default();
    let mut all: Vec<(Plain, usize, Event)> = Vec::new();
    for (k, (key, events)) in keys.iter().enumerate() {
        all.extend(events.iter().map(|e| (key.clone(), k, e.clone())));
    }
    // (position, key, operation, ends)
    let mut order: Vec<(u32, usize, usize, bool)> = Vec::new();
    for (i, (_, k, e)) in all.iter().enumerate() {
        order.push((e.inv, *k, i, false));
        if e.ret != OPEN {
            order.push((e.ret, *k, i, true));
        }
    }
    order.sort_unstable();
    for (position, &(_, _, i, ends)) in order.iter().enumerate() {
        let event = &mut all[i].2;
        if ends {
            event.ret = position as u32;
        } else {
            event.inv = position as u32;
        }
        history.event_index.push(position as u64);
    }
    all.sort_by_key(|(_, _, e)| e.inv);
    for (key, k, e) in &all {
        let f = match history.functions.iter().position(|f| f == e.f) {
            Some(f) => f,
            None => {
                history.functions.push(e.f.into());
                history.functions.len() - 1
            }
        };
        let process = e.process + 1000 * *k as u32;
        while history.processes.len() <= process as usize {
            history.processes.push(history.processes.len().to_string());
        }
        let key = intern(&mut history, key);
        let arg = intern(&mut history, &e.arg);
        let out = intern(&mut history, &e.out);
        history.ops.push(Operation {
            process,
            f: f as u16,
            outcome: e.outcome,
            key,
            arg,
            out,
            inv: e.inv,
            ret: e.ret,
            inv_ns: i64::from(e.inv),
            ret_ns: if e.ret == OPEN { i64::MAX } else { i64::from(e.ret) },
        });
    }
    history
}

/// The history in a form to look at when a test fails.
pub fn show(history: &History, part: &[u32]) -> String {
    let mut text = String::new();
    for &i in part {
        let op = &history.ops[i as usize];
        let ret = if op.ret == OPEN { "-".into() } else { op.ret.to_string() };
        text += &format!(
            "{i:4}: p{} {:?} {} {:?} -> {:?} [{}, {ret}]\n",
            op.process,
            op.outcome,
            history.functions[op.f as usize],
            Plain::of(history, op.arg),
            Plain::of(history, op.out),
            op.inv,
        );
    }
    text
}
