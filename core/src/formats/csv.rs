//! CSV with named columns, in two layouts told apart by their columns: one event a row
//! (process, type, f, key, value, time_ns, ...), or one operation a row (process, f, key, arg,
//! out, invoked_ns, completed_ns, type).

use super::jsonl::json_value;
use super::rows::Row;
use super::{Builder, FormatError, Input};
use super::{Event, Kind};
use crate::history::{Value, ValueId};

const HINT: &str = "the first line names the columns: process,type,f,key,value,time_ns (one event \
                    a row) or process,f,key,arg,out,invoked_ns,completed_ns,type (one operation a \
                    row)";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Column {
    Index,
    Time,
    Process,
    Type,
    F,
    Key,
    Value,
    Node,
    Error,
    Arg,
    Out,
    Invoked,
    Completed,
    Other,
}

fn column(name: &str) -> Column {
    match name.trim().to_ascii_lowercase().as_str() {
        "index" => Column::Index,
        "time_ns" | "time" => Column::Time,
        "process" | "client" | "client_id" => Column::Process,
        "type" | "outcome" => Column::Type,
        "f" | "function" | "op" | "operation" => Column::F,
        "key" => Column::Key,
        "value" => Column::Value,
        "node" => Column::Node,
        "error" => Column::Error,
        "arg" | "argument" | "input" => Column::Arg,
        "out" | "result" | "output" => Column::Out,
        "invoked_ns" | "start" | "start_ns" | "call" => Column::Invoked,
        "completed_ns" | "end" | "end_ns" | "return" => Column::Completed,
        _ => Column::Other,
    }
}

/// The separator and columns of a header; None where the line is none.
fn header(line: &[u8]) -> Option<(u8, Vec<Column>)> {
    let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
    [b',', b'\t', b';'].into_iter().find_map(|separator| {
        let columns: Vec<_> = cells(line, separator).ok()?.iter().map(|c| column(c)).collect();
        let has = |c| columns.contains(&c);
        let events = has(Column::Type) && !has(Column::Invoked);
        let good = has(Column::Process) && has(Column::F) && (events || has(Column::Invoked));
        good.then_some((separator, columns))
    })
}

pub fn looks_like(line: &[u8]) -> bool {
    header(line).is_some()
}

pub fn read(input: &mut Input, builder: &mut Builder) -> Result<(), FormatError> {
    let mut layout = None;
    let mut rows = Vec::new();
    while let Some((length, terminated)) = input.line()? {
        let line = input.line;
        let text = input.rest()[..length].trim_ascii_end();
        if !text.is_empty() {
            let at = |message: String| FormatError::new(line, message, text).with_hint(HINT);
            match &layout {
                None => {
                    let found = header(text)
                        .ok_or_else(|| at("not the names of a history's columns".to_string()))?;
                    layout = Some(found);
                }
                Some((separator, columns)) => {
                    let cells = cells(text, *separator).map_err(at)?;
                    if columns.contains(&Column::Invoked) {
                        rows.push(row(builder, line, columns, &cells).map_err(at)?);
                        if rows.len().is_multiple_of(4096) {
                            builder.check_memory_with(rows.len() as u64 * 160, line)?;
                        }
                    } else if let Some(event) = event(builder, line, columns, &cells).map_err(at)? {
                        builder.event(event).map_err(|mut e| {
                            e.text = super::printable(text);
                            e
                        })?;
                    } else {
                        builder.nemesis_events += 1;
                    }
                }
            }
        }
        input.consume(length + usize::from(terminated));
        input.line += 1;
    }
    builder.rows(rows)
}

fn event(
    builder: &mut Builder,
    line: u64,
    columns: &[Column],
    cells: &[String],
) -> Result<Option<Event>, String> {
    let mut event = Event::new(line);
    let (mut kind, mut f, mut process) = (None, None, None);
    for (column, cell) in columns.iter().zip(cells) {
        match column {
            Column::Index if !cell.is_empty() => event.index = Some(integer(cell, "index")? as u64),
            Column::Time if !cell.is_empty() => event.time_ns = Some(integer(cell, "time_ns")?),
            Column::Process => process = Some(cell),
            Column::Type => kind = Some(cell),
            Column::F => f = Some(cell),
            Column::Key => event.key = Some(value(builder, cell)?),
            Column::Value => event.value = value(builder, cell)?,
            Column::Node if !cell.is_empty() => event.node = builder.node(cell.as_bytes()),
            Column::Error if !cell.is_empty() => event.error = builder.error(cell, ""),
            _ => {}
        }
    }
    let process = process.ok_or("the row has no process")?;
    if process == "nemesis" {
        return Ok(None);
    }
    event.process = process_id(builder, process);
    let kind = kind.ok_or("the row has no type")?;
    event.kind = Kind::parse(kind.as_bytes())
        .ok_or_else(|| "unknown type: expected invoke, ok, fail or info".to_string())?;
    event.f = builder.function(f.ok_or("the row has no f")?.as_bytes())?;
    Ok(Some(event))
}

fn row(
    builder: &mut Builder,
    line: u64,
    columns: &[Column],
    cells: &[String],
) -> Result<Row, String> {
    let mut row = Row::new(line);
    let (mut process, mut f, mut kind) = (None, None, None);
    let mut invoked = None;
    for (column, cell) in columns.iter().zip(cells) {
        match column {
            Column::Process => process = Some(cell),
            Column::Type if !cell.is_empty() => kind = Some(cell),
            Column::F => f = Some(cell),
            Column::Key => row.key = Some(value(builder, cell)?),
            Column::Arg | Column::Value => row.arg = value(builder, cell)?,
            Column::Out => row.out = value(builder, cell)?,
            Column::Invoked => invoked = Some(integer(cell, "invoked_ns")?),
            Column::Completed if !cell.is_empty() => {
                row.completed_ns = Some(integer(cell, "completed_ns")?)
            }
            Column::Node if !cell.is_empty() => row.node = builder.node(cell.as_bytes()),
            Column::Error if !cell.is_empty() => row.error = builder.error(cell, ""),
            _ => {}
        }
    }
    row.process = process_id(builder, process.ok_or("the row has no process")?);
    row.f = builder.function(f.ok_or("the row has no f")?.as_bytes())?;
    row.invoked_ns = invoked.ok_or("the row has no invoked_ns")?;
    row.outcome = match kind {
        Some(kind) => Kind::parse(kind.as_bytes())
            .filter(|k| *k != Kind::Invoke)
            .ok_or("unknown outcome: expected ok, fail or info")?,
        None if row.completed_ns.is_some() => Kind::Ok,
        None => Kind::Info,
    };
    Ok(row)
}

fn process_id(builder: &mut Builder, cell: &str) -> u32 {
    match cell.parse::<i64>() {
        Ok(number) => builder.process_number(number),
        Err(_) => builder.process_name(cell),
    }
}

fn integer(cell: &str, name: &str) -> Result<i64, String> {
    cell.trim().parse().map_err(|_| format!("{name} must be an integer"))
}

/// A cell: nothing is nil; JSON where it is JSON; text otherwise.
fn value(builder: &mut Builder, cell: &str) -> Result<ValueId, String> {
    let text = cell.trim();
    if text.is_empty() {
        return Ok(ValueId::NIL);
    }
    let json =
        matches!(text.as_bytes()[0], b'[' | b'{' | b'"' | b'-' | b'0'..=b'9' | b'n' | b't' | b'f');
    if json {
        if let Some(id) = json_value(builder, text.as_bytes()) {
            return Ok(id);
        }
    }
    Ok(builder.intern(Value::Str(cell.into())))
}

/// The cells of a line, quotes taken off.
fn cells(line: &[u8], separator: u8) -> Result<Vec<String>, String> {
    let mut cells = Vec::new();
    let mut at = 0;
    loop {
        let mut cell = Vec::new();
        if line.get(at) == Some(&b'"') {
            at += 1;
            loop {
                match line.get(at) {
                    None => return Err("a quoted cell does not end on its line".to_string()),
                    Some(b'"') if line.get(at + 1) == Some(&b'"') => {
                        cell.push(b'"');
                        at += 2;
                    }
                    Some(b'"') => {
                        at += 1;
                        break;
                    }
                    Some(&b) => {
                        cell.push(b);
                        at += 1;
                    }
                }
            }
        }
        while let Some(&b) = line.get(at) {
            if b == separator {
                break;
            }
            cell.push(b);
            at += 1;
        }
        cells.push(String::from_utf8(cell).map_err(|_| "a cell is not UTF-8")?);
        if cells.len() > 1000 {
            return Err("more than 1000 columns".to_string());
        }
        if at >= line.len() {
            return Ok(cells);
        }
        at += 1;
    }
}
