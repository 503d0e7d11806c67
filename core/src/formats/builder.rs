//! Pairs invocations with completions: events in, operations out.

use std::collections::HashMap;

use super::event::{Event, Kind};
use super::{Format, FormatError, Limits, Parsed};
use crate::history::{History, Operation, Outcome, Value, ValueId, OPEN};

const NO_OP: u32 = u32::MAX;
/// Process numbers below this are looked up in a plain vector.
const DIRECT_PROCESSES: usize = 1 << 16;
/// Distinct errors kept; later ones all read "(more)".
const ERRORS_KEPT: usize = 10_000;
const ERROR_TEXT_CHARS: usize = 500;

pub struct Builder {
    pub history: History,
    pub notes: Vec<String>,
    pub nemesis_events: u64,
    /// The source said that values are tuples of key and value.
    pub tuples: bool,
    limits: Limits,
    direct: Vec<u32>,
    by_name: HashMap<String, u32>,
    /// Per process its open operation, and the line of its invocation.
    open: Vec<(u32, u64)>,
    timed: bool,
    nodes: Vec<String>,
    op_nodes: Vec<u16>,
    errors: Vec<(String, String)>,
    error_ids: HashMap<(String, String), u32>,
    op_errors: HashMap<u32, u32>,
    infos: Vec<(u32, u32, i64)>,
    value_bytes: u64,
    values_seen: u64,
}

impl Builder {
    pub fn new(limits: Limits) -> Self {
        Builder {
            history: History::default(),
            notes: Vec::new(),
            nemesis_events: 0,
            tuples: false,
            limits,
            direct: Vec::new(),
            by_name: HashMap::new(),
            open: Vec::new(),
            timed: false,
            nodes: Vec::new(),
            op_nodes: Vec::new(),
            errors: Vec::new(),
            error_ids: HashMap::new(),
            op_errors: HashMap::new(),
            infos: Vec::new(),
            value_bytes: 0,
            values_seen: 0,
        }
    }

    #[inline]
    pub fn process_number(&mut self, number: i64) -> u32 {
        if let Some(&id) = usize::try_from(number).ok().and_then(|n| self.direct.get(n)) {
            if id != NO_OP {
                return id;
            }
        }
        let id = self.process_name(&number.to_string());
        if let Ok(n) = usize::try_from(number) {
            if n < DIRECT_PROCESSES {
                if self.direct.len() <= n {
                    self.direct.resize(n + 1, NO_OP);
                }
                self.direct[n] = id;
            }
        }
        id
    }

    pub fn process_name(&mut self, name: &str) -> u32 {
        if let Some(&id) = self.by_name.get(name) {
            return id;
        }
        let id = self.open.len() as u32;
        self.by_name.insert(name.to_string(), id);
        self.history.processes.push(name.to_string());
        self.open.push((NO_OP, 0));
        id
    }

    #[inline]
    pub fn function(&mut self, name: &[u8]) -> Result<u16, String> {
        // A history has a handful of functions; a scan beats a hash.
        if let Some(at) = self.history.functions.iter().position(|f| f.as_bytes() == name) {
            return Ok(at as u16);
        }
        if self.history.functions.len() >= 1000 {
            return Err("more than 1000 different functions `f`".to_string());
        }
        let name = std::str::from_utf8(name).map_err(|_| "`f` is not UTF-8".to_string())?;
        self.history.functions.push(name.to_string());
        Ok((self.history.functions.len() - 1) as u16)
    }

    /// 1 + number of the node (0 when there are too many to keep).
    pub fn node(&mut self, name: &[u8]) -> u16 {
        if let Some(at) = self.nodes.iter().position(|n| n.as_bytes() == name) {
            return at as u16 + 1;
        }
        if self.nodes.len() >= 1000 {
            return 0;
        }
        self.nodes.push(String::from_utf8_lossy(name).into_owned());
        self.nodes.len() as u16
    }

    /// 1 + number of the error.
    pub fn error(&mut self, class: &str, text: &str) -> u32 {
        let cut = |s: &str| s.chars().take(ERROR_TEXT_CHARS).collect::<String>();
        let mut entry = (cut(class), cut(text));
        if let Some(&id) = self.error_ids.get(&entry) {
            return id;
        }
        if self.errors.len() >= ERRORS_KEPT {
            entry = ("(more)".to_string(), String::new());
            if let Some(&id) = self.error_ids.get(&entry) {
                return id;
            }
        }
        self.errors.push(entry.clone());
        let id = self.errors.len() as u32;
        self.error_ids.insert(entry, id);
        id
    }

    #[inline]
    pub fn intern(&mut self, value: Value) -> ValueId {
        let bytes = match &value {
            Value::Int(i) => match ValueId::small_int(*i) {
                Some(id) => return id,
                None => 0,
            },
            Value::Str(s) => s.len(),
            Value::List(l) => l.len() * 8,
            Value::Map(m) => m.len() * 16,
            _ => 0,
        };
        let id = self.history.values.intern(value);
        if id.0 > self.values_seen {
            self.values_seen = id.0;
            // Table and index hold the value each; 100 for the two entries themselves.
            self.value_bytes += 2 * bytes as u64 + 100;
        }
        id
    }

    pub fn event(&mut self, event: Event) -> Result<(), FormatError> {
        let position = self.history.event_index.len();
        if position.is_multiple_of(4096) {
            self.check_memory(event.line)?;
        }
        let position = position as u32;
        let time_ns = match event.time_ns {
            Some(t) => {
                self.timed = true;
                t
            }
            None => 0,
        };
        let (op_index, opened) = self.open[event.process as usize];
        if event.kind == Kind::Invoke {
            if op_index != NO_OP {
                return Err(self.error_at(
                    &event,
                    format!(
                        "process {} invokes again while its invocation of line {opened} is open",
                        self.history.processes[event.process as usize]
                    ),
                    "a process does one thing at a time; after an `info` go on under a new \
                     process number",
                ));
            }
            let op_index = self.history.ops.len() as u32;
            self.history.ops.push(Operation {
                process: event.process,
                f: event.f,
                outcome: Outcome::Info,
                key: event.key.unwrap_or(ValueId::NIL),
                arg: event.value,
                out: ValueId::NIL,
                inv: position,
                ret: OPEN,
                inv_ns: time_ns,
                ret_ns: 0,
            });
            self.open[event.process as usize] = (op_index, event.line);
        } else {
            if op_index == NO_OP {
                return Err(self.error_at(
                    &event,
                    format!(
                        "process {} completes an operation that it did not invoke",
                        self.history.processes[event.process as usize]
                    ),
                    "every ok, fail or info needs an invoke of the same process before it",
                ));
            }
            let op = &mut self.history.ops[op_index as usize];
            if op.f != event.f {
                let invoked = self.history.functions[op.f as usize].clone();
                return Err(self.error_at(
                    &event,
                    format!(
                        "process {} completes `{}` but had invoked `{invoked}` (line {opened})",
                        self.history.processes[event.process as usize],
                        self.history.functions[event.f as usize]
                    ),
                    "the completion must name the function of its invocation",
                ));
            }
            if let Some(key) = event.key {
                if key != op.key {
                    return Err(self.error_at(
                        &event,
                        format!(
                            "a completion with another key than its invocation (line {opened})"
                        ),
                        "the completion must name the key of its invocation, or none",
                    ));
                }
            }
            match event.kind {
                Kind::Ok | Kind::Fail => {
                    op.outcome = if event.kind == Kind::Ok { Outcome::Ok } else { Outcome::Fail };
                    op.out = event.value;
                    op.ret = position;
                    op.ret_ns = time_ns;
                }
                _ => self.infos.push((op_index, position, time_ns)),
            }
            self.open[event.process as usize] = (NO_OP, 0);
            if event.error != 0 {
                self.op_errors.insert(op_index, event.error - 1);
            }
        }
        if event.node != 0 {
            let at = if event.kind == Kind::Invoke {
                self.history.ops.len() - 1
            } else {
                op_index as usize
            };
            if self.op_nodes.len() <= at {
                self.op_nodes.resize(at + 1, 0);
            }
            self.op_nodes[at] = event.node;
        }
        self.history.event_index.push(event.index.unwrap_or(u64::from(position)));
        Ok(())
    }

    fn check_memory(&self, line: u64) -> Result<(), FormatError> {
        self.check_memory_with(0, line)
    }

    /// The same where the reader itself holds `more` bytes.
    pub fn check_memory_with(&self, more: u64, line: u64) -> Result<(), FormatError> {
        let estimate = more
            + self.history.ops.capacity() as u64 * 64
            + self.history.event_index.capacity() as u64 * 8
            + self.history.processes.len() as u64 * 128
            + self.value_bytes;
        if estimate > self.limits.memory_bytes
            || self.history.event_index.len() >= OPEN as usize - 1
        {
            return Err(FormatError {
                line,
                message: format!(
                    "the history needs more than {} MiB of memory",
                    self.limits.memory_bytes >> 20
                ),
                text: String::new(),
                hint: "split the history by key and check the parts".to_string(),
            });
        }
        Ok(())
    }

    fn error_at(&self, event: &Event, message: String, hint: &str) -> FormatError {
        FormatError { line: event.line, message, text: String::new(), hint: hint.to_string() }
    }

    pub fn finish(mut self, format: Format, bytes_read: u64) -> Parsed {
        if !self.op_nodes.is_empty() {
            self.op_nodes.resize(self.history.ops.len(), 0);
        }
        self.history.ops.shrink_to_fit();
        self.history.event_index.shrink_to_fit();
        Parsed {
            events: self.history.event_index.len() as u64,
            history: self.history,
            format,
            notes: self.notes,
            nemesis_events: self.nemesis_events,
            timed: self.timed,
            nodes: self.nodes,
            op_nodes: self.op_nodes,
            errors: self.errors,
            op_errors: self.op_errors,
            infos: self.infos,
            bytes_read,
        }
    }
}
