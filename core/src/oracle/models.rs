//! The models written out plainly: what every operation may make of a state.

use std::collections::BTreeMap;

use crate::history::{History, Value, ValueId};

/// A value written out.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Plain {
    Nil,
    Bool(bool),
    Int(i64),
    Str(String),
    List(Vec<Plain>),
    Map(BTreeMap<Plain, Plain>),
}

use Plain::{Bool, Int, List, Map, Nil, Str};

impl Plain {
    pub fn of(history: &History, id: ValueId) -> Plain {
        match history.values.get(id) {
            Value::Nil => Nil,
            Value::Bool(b) => Bool(b),
            Value::Int(i) => Int(i),
            Value::Float(bits) => Str(format!("float {bits}")),
            Value::Str(text) => Str(text.to_string()),
            Value::List(members) => List(members.iter().map(|&m| Plain::of(history, m)).collect()),
            Value::Map(entries) => Map(entries
                .iter()
                .map(|&(k, v)| (Plain::of(history, k), Plain::of(history, v)))
                .collect()),
        }
    }

    pub fn list(&self) -> Vec<Plain> {
        match self {
            List(members) => members.clone(),
            _ => vec![],
        }
    }

    pub fn int(&self) -> i64 {
        match self {
            Int(i) => *i,
            _ => panic!("an integer was expected, not {self:?}"),
        }
    }

    pub fn map(&self) -> BTreeMap<Plain, Plain> {
        match self {
            Map(entries) => entries.clone(),
            _ => BTreeMap::new(),
        }
    }

    pub fn text(&self) -> String {
        match self {
            Str(text) => text.clone(),
            _ => String::new(),
        }
    }
}

/// An operation written out. `out` is None where it is not known.
#[derive(Clone, Debug)]
pub struct PlainOp {
    pub process: u32,
    pub f: String,
    pub key: Plain,
    pub arg: Plain,
    pub out: Option<Plain>,
    pub failed: bool,
}

/// What each key holds before the first operation, where the user says nothing else.
pub fn default_initial(model: &str) -> Plain {
    match model {
        "counter" => Int(0),
        "semaphore" => Int(1),
        "kv" => Str(String::new()),
        "multi-register" => Map(BTreeMap::new()),
        "register" | "cas-register" | "versioned-register" => Nil,
        _ => List(vec![]),
    }
}

/// How a model sees the initial value `given`.
pub fn start(model: &str, given: Plain) -> Plain {
    match model {
        "versioned-register" => match given {
            List(pair) if pair.len() == 2 && matches!(pair[0], Int(0..)) => List(pair),
            _ => List(vec![Int(0), given]),
        },
        "semaphore" => List(vec![Int(0), given]), // taken, all
        "mutex" | "owned-mutex" | "fenced-mutex" => List(vec![Nil, Nil]), // holder, last token
        "grow-set" | "set" | "priority-queue" => List(sorted(given.list())),
        "leader" => Map(BTreeMap::new()),
        _ => given,
    }
}

fn sorted(mut list: Vec<Plain>) -> Vec<Plain> {
    list.sort();
    list
}

fn unique(list: Vec<Plain>) -> Vec<Plain> {
    let mut list = sorted(list);
    list.dedup();
    list
}

/// Every state in which the operation can leave `state`.
pub fn apply(model: &str, state: &Plain, op: &PlainOp) -> Vec<Plain> {
    let same = || vec![state.clone()];
    let only_if = |condition: bool, next: Plain| if condition { vec![next] } else { vec![] };
    // A value not known agrees with everything.
    let out_is = |value: &Plain| op.out.as_ref().is_none_or(|out| out == value);
    let amount = || if op.arg == Nil { 1 } else { op.arg.int() };
    match (model, op.f.as_str()) {
        ("register" | "cas-register", "cas") if op.failed => only_if(out_is(state), state.clone()),
        ("register" | "cas-register", "read") => only_if(out_is(state), state.clone()),
        ("register" | "cas-register", "write") => vec![op.arg.clone()],
        ("register" | "cas-register", "cas") => {
            let pair = op.arg.list();
            only_if(*state == pair[0], pair[1].clone())
        }

        ("versioned-register", f) => {
            let (version, value) = (state.list()[0].int(), state.list()[1].clone());
            let agrees = |version: i64| match &op.out {
                None => true,
                // A write may complete with what was written, and no version.
                Some(out) if f != "read" && *out == op.arg => true,
                Some(Int(v)) => *v == version || *v < 0, // no version is negative
                Some(List(pair)) => match pair[0] {
                    Int(v) => v == version || v < 0,
                    _ => true,
                },
                Some(_) => true,
            };
            match f {
                "read" => match &op.out {
                    None => same(),
                    Some(Nil) => only_if(version == 0 && value == Nil, state.clone()),
                    Some(seen) => {
                        only_if(agrees(version) && seen.list()[1] == value, state.clone())
                    }
                },
                "write" => {
                    only_if(agrees(version + 1), List(vec![Int(version + 1), op.arg.clone()]))
                }
                _ => {
                    let pair = op.arg.list();
                    let next = List(vec![Int(version + 1), pair[1].clone()]);
                    only_if(agrees(version + 1) && pair[0] == value, next)
                }
            }
        }

        ("multi-register", f) => {
            let mut registers = state.map();
            let steps: Vec<(bool, Plain, Option<Plain>)> = match f {
                "read" => match &op.out {
                    None => vec![],
                    Some(seen) => {
                        seen.map().into_iter().map(|(k, v)| (false, k, Some(v))).collect()
                    }
                },
                "write" => op.arg.map().into_iter().map(|(k, v)| (true, k, Some(v))).collect(),
                _ => {
                    let known = op.out.is_some();
                    op.out
                        .as_ref()
                        .unwrap_or(&op.arg)
                        .list()
                        .iter()
                        .map(Plain::list)
                        .map(|step| {
                            let writes = step[0] == Str("w".into());
                            let value = (writes || known).then(|| step[2].clone());
                            (writes, step[1].clone(), value)
                        })
                        .collect()
                }
            };
            for (writes, register, value) in steps {
                if writes {
                    registers.insert(register, value.expect("a value to write"));
                } else if let Some(seen) = value {
                    if *registers.get(&register).unwrap_or(&Nil) != seen {
                        return vec![];
                    }
                }
            }
            registers.retain(|_, v| *v != Nil);
            vec![Map(registers)]
        }

        ("counter", "read") => only_if(out_is(state), state.clone()),
        ("counter", "add") => vec![Int(state.int() + amount())],
        ("counter", "sub") => vec![Int(state.int() - amount())],
        ("counter", "add-and-get") => {
            let next = Int(state.int() + amount());
            only_if(out_is(&next), next)
        }
        ("counter", "fetch-add") => only_if(out_is(state), Int(state.int() + amount())),

        ("kv", "get") => {
            let seen = op.out.as_ref().map(Plain::text);
            only_if(seen.is_none_or(|seen| seen == state.text()), state.clone())
        }
        ("kv", "put") => vec![Str(op.arg.text())],
        ("kv", "append") => vec![Str(state.text() + &op.arg.text())],

        ("append-list", "append") => {
            let mut list = state.list();
            list.push(op.arg.clone());
            vec![List(list)]
        }
        ("append-list", "read") => {
            let seen = op.out.as_ref().map(Plain::list);
            only_if(seen.is_none_or(|seen| seen == state.list()), state.clone())
        }

        ("grow-set", "add") => {
            let mut list = state.list();
            list.push(op.arg.clone());
            vec![List(unique(list))]
        }
        ("grow-set", "read") => {
            let seen = op.out.as_ref().map(|out| unique(out.list()));
            only_if(seen.is_none_or(|seen| seen == state.list()), state.clone())
        }

        ("set", f) => {
            let mut list = state.list();
            let present = list.contains(&op.arg);
            match f {
                "contains" => only_if(out_is(&Bool(present)), state.clone()),
                "add" => {
                    if matches!(&op.out, Some(Bool(added)) if *added == present) {
                        return vec![];
                    }
                    list.push(op.arg.clone());
                    vec![List(unique(list))]
                }
                _ => {
                    if matches!(&op.out, Some(Bool(removed)) if *removed != present) {
                        return vec![];
                    }
                    list.retain(|v| *v != op.arg);
                    vec![List(list)]
                }
            }
        }

        ("queue" | "stack" | "priority-queue", "enqueue" | "push" | "insert") => {
            let mut list = state.list();
            list.push(op.arg.clone());
            vec![List(if model == "priority-queue" { sorted(list) } else { list })]
        }
        ("queue" | "stack" | "priority-queue", f) => {
            let mut list = state.list();
            if list.is_empty() {
                return only_if(out_is(&Nil), state.clone());
            }
            let taken = match f {
                "pop" | "delete-max" => list.pop().expect("not empty"),
                _ => list.remove(0),
            };
            only_if(out_is(&taken), List(list))
        }

        ("mutex" | "owned-mutex" | "fenced-mutex", f) => {
            let (holder, last) = (state.list()[0].clone(), state.list()[1].clone());
            let me = match model {
                "mutex" => Bool(true),
                _ if op.arg == Nil => Str(format!("process {}", op.process)),
                _ => op.arg.clone(),
            };
            if f == "release" {
                return only_if(holder == me, List(vec![Nil, last]));
            }
            if holder != Nil {
                return vec![];
            }
            if model != "fenced-mutex" {
                return vec![List(vec![me, Nil])];
            }
            // Tokens rise. Tests use tokens of 0 to 30, so an unknown one is tried as each.
            let tokens = match &op.out {
                Some(token) => vec![token.clone()],
                None => (-30..40).map(Int).collect(),
            };
            tokens
                .into_iter()
                .filter(|t| last == Nil || *t > last)
                .map(|t| List(vec![me.clone(), t]))
                .collect()
        }

        ("semaphore", f) => {
            let (taken, all) = (state.list()[0].int(), state.list()[1].int());
            let next = if f == "acquire" { taken + amount() } else { taken - amount() };
            only_if((0..=all).contains(&next), List(vec![Int(next), Int(all)]))
        }

        ("leader", _) => match &op.out {
            Some(List(pair)) if pair[1] != Nil => {
                let mut terms = state.map();
                let known = terms.entry(pair[0].clone()).or_insert(pair[1].clone()).clone();
                only_if(known == pair[1], Map(terms))
            }
            _ => same(),
        },

        _ => panic!("the oracle knows no {} of {model}", op.f),
    }
}
