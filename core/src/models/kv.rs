//! String register with append: put replaces, append appends, get reads. An absent value is "".

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use super::{answered, functions, initial_value};
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Evidence, Model, State};
use crate::registry::{Options, Spec};
use crate::table::mix;

functions! {
    Get: "get", "read";
    Put: "put", "write", "set";
    Append: "append";
}

pub static SPEC: Spec = Spec {
    name: "kv",
    about: "string register: put replaces, append appends, get reads; initially empty",
    functions: FUNCTIONS,
    per_key: true,
    fast: &[crate::types::kv::CHUNKS],
    model: |history, part, options| Box::new(Kv::new(history, part, options)),
    well_formed,
    initial: |history, id| history.values.str(id).map(drop).ok_or("a string"),
};

fn well_formed(history: &History, op: &Operation) -> Result<(), &'static str> {
    let text = |id: ValueId| id == ValueId::NIL || history.values.str(id).is_some();
    match Function::of(super::function(history, op)) {
        Some(Function::Get) if answered(op) && !text(op.out) => Err("a string read, or nil"),
        Some(Function::Put | Function::Append) if !text(op.arg) => Err("a string"),
        _ => Ok(()),
    }
}

/// What an operation does to a string.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Act<'a> {
    Get(&'a str),
    Put(&'a str),
    Append(&'a str),
    Nothing,
}

pub struct Reader {
    table: Vec<Option<Function>>,
}

/// The text of a value; nil is the empty one.
pub fn text(history: &History, id: ValueId) -> &str {
    history.values.str(id).unwrap_or("")
}

impl Reader {
    pub fn new(history: &History) -> Self {
        Reader { table: Function::table(history) }
    }

    pub fn act<'a>(&self, history: &'a History, op: &Operation) -> Act<'a> {
        match (self.table[op.f as usize], op.outcome) {
            (Some(Function::Get), Outcome::Ok) => Act::Get(text(history, op.out)),
            (Some(Function::Put), Outcome::Ok | Outcome::Info) => Act::Put(text(history, op.arg)),
            (Some(Function::Append), Outcome::Ok | Outcome::Info) => {
                Act::Append(text(history, op.arg))
            }
            _ => Act::Nothing,
        }
    }
}

/// The string that every key holds before the first operation.
pub fn initial<'a>(history: &'a History, options: &Options) -> &'a str {
    text(history, initial_value(options))
}

/// Strings that states speak of, by number.
#[derive(Default)]
struct Strings {
    texts: Vec<Box<str>>,
    /// Numbers that stand for no text.
    free: Vec<u64>,
    ids: HashMap<Box<str>, u64>,
    /// What appending a value (by id) to a string makes.
    appended: HashMap<(u64, ValueId), u64>,
}

impl Strings {
    fn id(&mut self, text: &str) -> u64 {
        if let Some(&id) = self.ids.get(text) {
            return id;
        }
        let id = match self.free.pop() {
            Some(id) => {
                self.texts[id as usize] = text.into();
                id
            }
            None => {
                self.texts.push(text.into());
                self.texts.len() as u64 - 1
            }
        };
        self.ids.insert(text.into(), id);
        id
    }

    /// Forgets the texts whose numbers are not in `kept` (sorted), but for the initial one.
    fn retain(&mut self, kept: &[u64]) {
        self.appended.clear();
        let (texts, free) = (&mut self.texts, &mut self.free);
        self.ids.retain(|_, &mut id| {
            let stays = id == 0 || kept.binary_search(&id).is_ok();
            if !stays {
                texts[id as usize] = "".into();
                free.push(id);
            }
            stays
        });
    }
}

/// State: (key, string) of every key written so far, sorted by key; a string is its number in
/// `strings`. A history that was split by key has one key and so one pair.
pub struct Kv {
    reader: Reader,
    strings: Mutex<Strings>,
    part: Vec<u32>,
    /// (key, text) of what is put or appended, each once; made when it is first asked for.
    written: OnceLock<Vec<(ValueId, ValueId)>>,
}

impl Kv {
    /// String 0 is the initial one.
    pub fn new(history: &History, part: &[u32], options: &Options) -> Self {
        let mut strings = Strings::default();
        strings.id(initial(history, options));
        Kv {
            reader: Reader::new(history),
            strings: Mutex::new(strings),
            part: part.to_vec(),
            written: OnceLock::new(),
        }
    }

    fn strings(&self) -> MutexGuard<'_, Strings> {
        self.strings.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn written(&self, history: &History) -> &[(ValueId, ValueId)] {
        self.written.get_or_init(|| {
            let ops = self.part.iter().map(|&i| &history.ops[i as usize]);
            let mut written: Vec<_> = ops
                .filter(|op| matches!(self.reader.act(history, op), Act::Put(_) | Act::Append(_)))
                .map(|op| (op.key, op.arg))
                .collect();
            written.sort_unstable_by_key(|(key, text)| (key.0, text.0));
            written.dedup();
            written
        })
    }
}

impl Model for Kv {
    fn initial(&self) -> Vec<State> {
        vec![vec![]]
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        let mut strings = self.strings();
        let place = state.chunks_exact(2).position(|pair| pair[0] >= op.key.0);
        let held = match place {
            Some(i) if state[2 * i] == op.key.0 => Some(2 * i),
            _ => None,
        };
        let now = held.map_or(0, |i| state[i + 1]);
        let next = match self.reader.act(history, op) {
            Act::Nothing => return vec![state.to_vec()],
            Act::Get(seen) if *strings.texts[now as usize] == *seen => return vec![state.to_vec()],
            Act::Get(_) => return vec![],
            Act::Put(text) => strings.id(text),
            Act::Append(text) => match strings.appended.get(&(now, op.arg)) {
                Some(&id) => id,
                None => {
                    let joined = format!("{}{}", strings.texts[now as usize], text);
                    let id = strings.id(&joined);
                    strings.appended.insert((now, op.arg), id);
                    id
                }
            },
        };
        let mut words = state.to_vec();
        match (held, next) {
            (Some(i), 0) => {
                words.drain(i..i + 2);
            }
            (Some(i), next) => words[i + 1] = next,
            (None, 0) => {}
            (None, next) => {
                let at = place.map_or(state.len(), |i| 2 * i);
                words.splice(at..at, [op.key.0, next]);
            }
        }
        vec![words]
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        match self.reader.act(history, op) {
            Act::Get(_) | Act::Nothing | Act::Append("") => true,
            Act::Put(_) | Act::Append(_) => false,
        }
    }

    fn forget_ids(&self, words: &[u64]) {
        self.strings().retain(words);
    }

    fn class(&self, history: &History, op: &Operation) -> Class {
        match self.reader.act(history, op) {
            Act::Nothing => [0; 4],
            Act::Get(_) => [1, op.out.0, op.key.0, 0],
            Act::Put(_) => [2, op.arg.0, op.key.0, 0],
            Act::Append(_) => [3, op.arg.0, op.key.0, 0],
        }
    }

    /// A get observes every text that is part of what it returned: those alone can have been
    /// there. Nothing else that was put or appended was there when it read, so that leaving
    /// that out changes nothing of what it returned.
    fn evidence(&self, history: &History, op: &Operation) -> Option<Evidence> {
        let token = |key: ValueId, written: ValueId| mix(key.0) ^ written.0;
        let (mut observes, mut provides) = (Vec::new(), Vec::new());
        match self.reader.act(history, op) {
            Act::Get(seen) => {
                let written = self.written(history);
                let start = written.partition_point(|(key, _)| key.0 < op.key.0);
                let same_key = written[start..].iter().take_while(|(key, _)| *key == op.key);
                let parts = same_key.filter(|(_, w)| seen.contains(text(history, *w)));
                observes.extend(parts.map(|&(key, w)| token(key, w)));
            }
            Act::Put(_) | Act::Append(_) => provides.push(token(op.key, op.arg)),
            Act::Nothing => {}
        }
        Some(Evidence { observes, provides })
    }
}
