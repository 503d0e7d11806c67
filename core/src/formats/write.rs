//! Writers: own JSONL, and EDN as Knossos and Jepsen read it.

use std::io::{self, Write};

use super::Parsed;
use crate::history::{Outcome, Value, ValueId, OPEN};

/// An event of a history, to be written.
struct Event {
    op: u32,
    kind: &'static str,
    time_ns: i64,
}

/// The events in their order. A completion that nobody saw (the file ended before) has none.
fn events(parsed: &Parsed) -> Vec<Option<Event>> {
    let mut events: Vec<Option<Event>> = Vec::new();
    events.resize_with(parsed.history.event_index.len(), || None);
    for (number, op) in parsed.history.ops.iter().enumerate() {
        let number = number as u32;
        events[op.inv as usize] = Some(Event { op: number, kind: "invoke", time_ns: op.inv_ns });
        if op.ret != OPEN {
            let kind = if op.outcome == Outcome::Ok { "ok" } else { "fail" };
            events[op.ret as usize] = Some(Event { op: number, kind, time_ns: op.ret_ns });
        }
    }
    for &(op, position, time_ns) in &parsed.infos {
        events[position as usize] = Some(Event { op, kind: "info", time_ns });
    }
    events
}

/// Own JSONL, one event a line.
pub fn jsonl(parsed: &Parsed, to: &mut dyn Write) -> io::Result<()> {
    let history = &parsed.history;
    for (position, event) in events(parsed).into_iter().enumerate() {
        let Some(event) = event else { continue };
        let op = &history.ops[event.op as usize];
        write!(to, "{{\"index\":{}", history.event_index[position])?;
        if parsed.timed {
            write!(to, ",\"time_ns\":{}", event.time_ns)?;
        }
        to.write_all(b",\"process\":")?;
        let process = &history.processes[op.process as usize];
        match process.parse::<i64>() {
            Ok(number) => write!(to, "{number}")?,
            Err(_) => json_string(process, to)?,
        }
        write!(to, ",\"type\":\"{}\",\"f\":", event.kind)?;
        json_string(&history.functions[op.f as usize], to)?;
        if op.key != ValueId::NIL {
            to.write_all(b",\"key\":")?;
            json_value(parsed, op.key, to)?;
        }
        to.write_all(b",\"value\":")?;
        json_value(parsed, value(parsed, &event), to)?;
        if let Some(node) = node(parsed, event.op) {
            to.write_all(b",\"node\":")?;
            json_string(node, to)?;
        }
        if let Some((class, text)) = error(parsed, &event) {
            to.write_all(b",\"error\":[")?;
            json_string(class, to)?;
            to.write_all(b",")?;
            json_string(text, to)?;
            to.write_all(b"]")?;
        }
        to.write_all(b"}\n")?;
    }
    Ok(())
}

/// EDN: a vector of maps. Where there are several keys, values are tuples [key value], as
/// jepsen.independent takes them; one key alone is left out, for Knossos knows of none.
pub fn edn(parsed: &Parsed, to: &mut dyn Write) -> io::Result<()> {
    let history = &parsed.history;
    let keyed = history.ops.windows(2).any(|pair| pair[0].key != pair[1].key);
    let mut before: &[u8] = b"[";
    for (position, event) in events(parsed).into_iter().enumerate() {
        let Some(event) = event else { continue };
        let op = &history.ops[event.op as usize];
        to.write_all(before)?;
        before = b"\n ";
        write!(to, "{{:index {}", history.event_index[position])?;
        if parsed.timed {
            write!(to, ", :time {}", event.time_ns)?;
        }
        let process = &history.processes[op.process as usize];
        match process.parse::<i64>() {
            Ok(number) => write!(to, ", :process {number}")?,
            Err(_) => {
                to.write_all(b", :process ")?;
                edn_string(process, to)?;
            }
        }
        write!(to, ", :type :{}, :f ", event.kind)?;
        edn_keyword(&history.functions[op.f as usize], to)?;
        to.write_all(b", :value ")?;
        if keyed {
            to.write_all(b"[")?;
            edn_value(parsed, op.key, to)?;
            to.write_all(b" ")?;
        }
        edn_value(parsed, value(parsed, &event), to)?;
        if keyed {
            to.write_all(b"]")?;
        }
        if let Some(node) = node(parsed, event.op) {
            to.write_all(b", :node ")?;
            edn_string(node, to)?;
        }
        if let Some((class, text)) = error(parsed, &event) {
            to.write_all(b", :error [")?;
            edn_string(class, to)?;
            to.write_all(b" ")?;
            edn_string(text, to)?;
            to.write_all(b"]")?;
        }
        to.write_all(b"}")?;
    }
    to.write_all(if before == b"[" { b"[]\n" } else { b"]\n" })
}

fn value(parsed: &Parsed, event: &Event) -> ValueId {
    let op = &parsed.history.ops[event.op as usize];
    match event.kind {
        "ok" | "fail" => op.out,
        _ => op.arg,
    }
}

fn node(parsed: &Parsed, op: u32) -> Option<&str> {
    match parsed.op_nodes.get(op as usize) {
        Some(&node) if node > 0 => Some(&parsed.nodes[node as usize - 1]),
        _ => None,
    }
}

fn error<'a>(parsed: &'a Parsed, event: &Event) -> Option<(&'a str, &'a str)> {
    if event.kind == "invoke" {
        return None;
    }
    let (class, text) = &parsed.errors[*parsed.op_errors.get(&event.op)? as usize];
    Some((class, text))
}

fn json_string(text: &str, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(b"\"")?;
    let mut from = 0;
    for (at, byte) in text.bytes().enumerate() {
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        to.write_all(&text.as_bytes()[from..at])?;
        match byte {
            b'"' | b'\\' => to.write_all(&[b'\\', byte])?,
            _ => write!(to, "\\u{byte:04x}")?,
        }
        from = at + 1;
    }
    to.write_all(&text.as_bytes()[from..])?;
    to.write_all(b"\"")
}

fn json_value(parsed: &Parsed, id: ValueId, to: &mut dyn Write) -> io::Result<()> {
    match parsed.history.values.get(id) {
        Value::Nil => to.write_all(b"null"),
        Value::Bool(b) => write!(to, "{b}"),
        Value::Int(i) => write!(to, "{i}"),
        Value::Float(bits) => match f64::from_bits(bits) {
            f if f.is_finite() => write!(to, "{f:?}"),
            f => write!(to, "\"{f}\""), // JSON has no such number
        },
        Value::Str(s) => json_string(&s, to),
        Value::List(items) => {
            to.write_all(b"[")?;
            for (at, &item) in items.iter().enumerate() {
                if at > 0 {
                    to.write_all(b",")?;
                }
                json_value(parsed, item, to)?;
            }
            to.write_all(b"]")
        }
        Value::Map(entries) => {
            to.write_all(b"{")?;
            for (at, &(key, value)) in entries.iter().enumerate() {
                if at > 0 {
                    to.write_all(b",")?;
                }
                match parsed.history.values.get(key) {
                    Value::Str(s) => json_string(&s, to)?,
                    _ => {
                        // Names of JSON are text.
                        let mut name = Vec::new();
                        json_value(parsed, key, &mut name)?;
                        json_string(&String::from_utf8_lossy(&name), to)?;
                    }
                }
                to.write_all(b":")?;
                json_value(parsed, value, to)?;
            }
            to.write_all(b"}")
        }
    }
}

fn is_keyword(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.*+!?<>=/".contains(&b))
}

fn edn_keyword(text: &str, to: &mut dyn Write) -> io::Result<()> {
    if is_keyword(text) {
        write!(to, ":{text}")
    } else {
        edn_string(text, to)
    }
}

fn edn_string(text: &str, to: &mut dyn Write) -> io::Result<()> {
    to.write_all(b"\"")?;
    for c in text.chars() {
        match c {
            '"' | '\\' => write!(to, "\\{c}")?,
            '\n' => to.write_all(b"\\n")?,
            '\r' => to.write_all(b"\\r")?,
            '\t' => to.write_all(b"\\t")?,
            c if (c as u32) < 0x20 => write!(to, "\\u{:04x}", c as u32)?,
            c => write!(to, "{c}")?,
        }
    }
    to.write_all(b"\"")
}

fn edn_value(parsed: &Parsed, id: ValueId, to: &mut dyn Write) -> io::Result<()> {
    let mut items = |open: &[u8], items: &mut dyn Iterator<Item = ValueId>, close: &[u8]| {
        to.write_all(open)?;
        for (at, item) in items.enumerate() {
            if at > 0 {
                to.write_all(b" ")?;
            }
            edn_value(parsed, item, &mut *to)?;
        }
        to.write_all(close)
    };
    match parsed.history.values.get(id) {
        Value::List(list) => items(b"[", &mut list.iter().copied(), b"]"),
        Value::Map(entries) => items(b"{", &mut entries.iter().flat_map(|&(k, v)| [k, v]), b"}"),
        Value::Nil => to.write_all(b"nil"),
        Value::Bool(b) => write!(to, "{b}"),
        Value::Int(i) => write!(to, "{i}"),
        Value::Float(bits) => match f64::from_bits(bits) {
            f if f.is_nan() => to.write_all(b"##NaN"),
            f if f.is_infinite() => to.write_all(if f > 0.0 { b"##Inf" } else { b"##-Inf" }),
            f => write!(to, "{f:?}"),
        },
        // A keyword that was read keeps its colon.
        Value::Str(s) => match s.strip_prefix(':') {
            Some(name) if is_keyword(name) => write!(to, ":{name}"),
            _ => edn_string(&s, to),
        },
    }
}
