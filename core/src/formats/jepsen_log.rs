//! Jepsen's log lines (`INFO  jepsen.util - 3  :invoke  :write  4`) and its history.txt, which
//! is the same without the prefix. Fields are separated by tabs or blanks.

use super::edn::{Edn, Trouble};
use super::{Builder, FormatError, Input};
use super::{Event, Kind};

const HINT: &str = "expected PROCESS TYPE F VALUE, as in `3  :invoke  :write  4`";
const PREFIXES: [&[u8]; 2] = [b"jepsen.util - ", b"jepsen.util: "];

pub fn read(input: &mut Input, builder: &mut Builder) -> Result<(), FormatError> {
    let depth = input.limits().depth;
    let mut skipped = 0u64;
    while let Some((length, terminated)) = input.line()? {
        let line = input.line;
        let text = input.rest()[..length].trim_ascii();
        match fields(text) {
            None => skipped += u64::from(!text.is_empty()),
            Some(fields) => match event(builder, line, &fields, depth) {
                Ok(Some(event)) => builder.event(event).map_err(|mut e| {
                    e.text = super::printable(text);
                    e
                })?,
                Ok(None) => builder.nemesis_events += 1,
                Err(message) => {
                    return Err(FormatError::new(line, message, text).with_hint(HINT));
                }
            },
        }
        input.consume(length + usize::from(terminated));
        input.line += 1;
    }
    if builder.history.ops.is_empty() && skipped > 0 {
        return Err(FormatError::whole("no line of the log is an operation", HINT));
    }
    if skipped > 0 {
        builder.notes.push(format!("{skipped} lines that are no operations were skipped"));
    }
    Ok(())
}

struct Fields<'a> {
    process: &'a [u8],
    kind: &'a [u8],
    f: &'a [u8],
    rest: &'a [u8],
}

/// Whether a line may be an event of such a log.
pub fn looks_like(line: &[u8]) -> bool {
    fields(line.trim_ascii()).is_some()
}

/// The fields of a line that is an event; None for any other line.
fn fields(line: &[u8]) -> Option<Fields<'_>> {
    let text = PREFIXES
        .iter()
        .find_map(|p| memchr::memmem::find(line, p).map(|at| &line[at + p.len()..]))
        .unwrap_or(line);
    let (process, rest) = word(text);
    let (kind, rest) = word(rest);
    let (f, rest) = word(rest);
    let is_process = process.first() == Some(&b':') || number(process).is_some();
    let is_event = is_process && kind.first() == Some(&b':') && f.first() == Some(&b':');
    is_event.then(|| Fields { process, kind: &kind[1..], f: &f[1..], rest })
}

fn word(text: &[u8]) -> (&[u8], &[u8]) {
    let text = text.trim_ascii_start();
    let end = text.iter().position(u8::is_ascii_whitespace).unwrap_or(text.len());
    (&text[..end], text[end..].trim_ascii_start())
}

fn number(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// None for an event of the nemesis.
fn event(
    builder: &mut Builder,
    line: u64,
    fields: &Fields,
    depth: usize,
) -> Result<Option<Event>, String> {
    let Some(process) = number(fields.process) else {
        return Ok(None);
    };
    let mut event = Event::new(line);
    event.kind =
        Kind::parse(fields.kind).ok_or("unknown type: expected :invoke, :ok, :fail or :info")?;
    event.process = builder.process_number(process);
    event.f = builder.function(fields.f)?;
    if fields.rest.starts_with(b":timed-out") {
        event.time_out();
        event.error = builder.error("timed-out", "");
        return Ok(Some(event));
    }
    let mut edn = Edn { text: fields.rest, at: 0, eof: true, depth, tuples: false };
    match edn.value(builder) {
        Ok(value) => event.value = value,
        // What a client threw in place of a value is often not EDN.
        Err(_) if event.kind == Kind::Info => edn.at = 0,
        Err(Trouble::More) => return Err("the value is missing or cut off".to_string()),
        Err(Trouble::Bad(message)) => return Err(message),
    }
    builder.tuples |= edn.tuples;
    let rest = fields.rest[edn.at..].trim_ascii();
    if !rest.is_empty() {
        event.error = builder.error(&String::from_utf8_lossy(rest), "");
    }
    Ok(Some(event))
}
