//! Readers and writers of histories. A reader turns bytes into events and hands them to the
//! `Builder`, which pairs invocations with completions; what comes out is a `Parsed`.

use std::fs::File;
use std::io::{Cursor, Read};
use std::path::Path;

use crate::history::{History, Value, ValueId};

mod builder;
mod csv;
mod edn;
mod event;
mod guess;
mod input;
mod jepsen_log;
mod jsonl;
#[cfg(feature = "python")]
pub mod py;
#[cfg(feature = "python")]
mod py_values;
mod rows;
mod tuples;
pub mod write;

pub use builder::Builder;
pub use event::{Event, Kind};
pub use input::Input;
pub use jsonl::parse_line;

/// What bounds the reading of a hostile file. `docs/reference/history-format.md` lists them.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one event (a line, or an EDN map).
    pub event_bytes: usize,
    /// Nesting of values within one another.
    pub depth: usize,
    /// Bytes after decompression.
    pub total_bytes: u64,
    /// Bytes that the parsed history may take (estimated).
    pub memory_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits { event_bytes: 64 << 20, depth: 64, total_bytes: 64 << 30, memory_bytes: 4 << 30 }
    }
}

/// Bytes of offending text that an error repeats.
const QUOTE_BYTES: usize = 80;

/// A file that is not a history: where, what stands there, what was expected.
#[derive(Clone, Debug)]
pub struct FormatError {
    /// 1-based; 0 where the error is of the whole file.
    pub line: u64,
    /// What is wrong and what was expected.
    pub message: String,
    /// The offending text, cut and printable.
    pub text: String,
    pub hint: String,
}

impl FormatError {
    pub fn new(line: u64, message: impl Into<String>, text: &[u8]) -> Self {
        FormatError { line, message: message.into(), text: printable(text), hint: String::new() }
    }

    pub fn whole(message: impl Into<String>, hint: impl Into<String>) -> Self {
        FormatError { line: 0, message: message.into(), text: String::new(), hint: hint.into() }
    }

    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = hint.into();
        self
    }
}

/// The first bytes of a text from outside, with everything unprintable escaped.
pub fn printable(text: &[u8]) -> String {
    let cut = &text[..text.len().min(QUOTE_BYTES)];
    let mut out = String::with_capacity(cut.len() + 3);
    for c in String::from_utf8_lossy(cut).chars() {
        // Letters and digits of all scripts show; anything else may hide, or turn text around.
        if c == ' ' || c.is_ascii_graphic() || c.is_alphanumeric() {
            out.push(c);
        } else {
            out.extend(c.escape_unicode());
        }
    }
    if text.len() > cut.len() {
        out.push_str("...");
    }
    out
}

/// The formats that are read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Format {
    /// One JSON object a line: paxtest's own.
    Jsonl,
    /// Jepsen's maps.
    Edn,
    /// The same, one a line, with `:key`: Porcupine's test data.
    Kv,
    /// Jepsen's log lines and its history.txt.
    JepsenLog,
    Csv,
}

impl Format {
    pub const ALL: [Format; 5] =
        [Format::Jsonl, Format::Edn, Format::Kv, Format::JepsenLog, Format::Csv];

    pub fn name(self) -> &'static str {
        match self {
            Format::Jsonl => "jsonl",
            Format::Edn => "edn",
            Format::Kv => "kv",
            Format::JepsenLog => "jepsen-log",
            Format::Csv => "csv",
        }
    }

    pub fn by_name(name: &str) -> Option<Format> {
        Self::ALL.into_iter().find(|f| f.name() == name)
    }
}

/// How to read. `None` means: guess from the content, and report the guess.
#[derive(Clone, Copy, Default, Debug)]
pub struct Options {
    pub format: Option<Format>,
    /// Whether values are tuples [key value] of jepsen.independent (EDN and log lines).
    pub independent: Option<bool>,
    pub limits: Limits,
}

/// A history and what is known of the file it came from.
#[derive(Debug)]
pub struct Parsed {
    pub history: History,
    pub format: Format,
    /// What the reader noticed and the user should know (a torn last line, lines skipped).
    pub notes: Vec<String>,
    /// Events of clients.
    pub events: u64,
    /// Events of the nemesis, which are no operations.
    pub nemesis_events: u64,
    /// Whether events carry times; otherwise every `inv_ns` and `ret_ns` is 0.
    pub timed: bool,
    /// Names of nodes, and for each operation 1 + its node's number (0: unknown; empty: none).
    pub nodes: Vec<String>,
    pub op_nodes: Vec<u16>,
    /// Errors (class, text) and which operation ended with which.
    pub errors: Vec<(String, String)>,
    pub op_errors: std::collections::HashMap<u32, u32>,
    /// Completions of unknown outcome: operation, event position, time.
    pub infos: Vec<(u32, u32, i64)>,
    pub bytes_read: u64,
}

pub fn read_path(path: &Path, options: &Options) -> Result<Parsed, FormatError> {
    let file = File::open(path).map_err(|e| {
        FormatError::whole(format!("cannot open it: {}", reason(&e)), "check the path")
    })?;
    read(Box::new(file), options)
}

/// The words of an error of the operating system, without its number.
fn reason(error: &std::io::Error) -> String {
    let words = error.to_string();
    words.split(" (os error").next().unwrap_or_default().to_string()
}

pub fn read_bytes(bytes: &[u8], options: &Options) -> Result<Parsed, FormatError> {
    read(Box::new(Cursor::new(bytes)), options)
}

fn read(reader: Box<dyn Read + '_>, options: &Options) -> Result<Parsed, FormatError> {
    let (reader, compression) = input::decompressed(reader)?;
    let mut input = Input::new(reader, options.limits);
    let format = match options.format {
        Some(format) => format,
        None => guess::format(&mut input)?,
    };
    let mut builder = Builder::new(options.limits);
    if let Some(name) = compression {
        builder.notes.push(format!("decompressed from {name}"));
    }
    match format {
        Format::Jsonl => jsonl::read(&mut input, &mut builder)?,
        Format::Edn | Format::Kv => edn::read(&mut input, &mut builder)?,
        Format::JepsenLog => jepsen_log::read(&mut input, &mut builder)?,
        Format::Csv => csv::read(&mut input, &mut builder)?,
    }
    if matches!(format, Format::Edn | Format::JepsenLog) {
        builder.split_tuples(options.independent)?;
    }
    Ok(builder.finish(format, input.bytes_read()))
}

/// A float as a value. Most sources have one kind of number, so 1.0 is 1 and -0.0 is 0.
pub fn float_value(float: f64) -> Value {
    if float.fract() == 0.0 && float.abs() < 9.0e15 {
        Value::Int(float as i64)
    } else {
        Value::Float(float.to_bits())
    }
}

/// Entries sorted by key; of two with one key the later counts.
pub fn sorted_map(mut entries: Vec<(ValueId, ValueId)>) -> Box<[(ValueId, ValueId)]> {
    entries.reverse();
    entries.sort_by_key(|e| e.0);
    entries.dedup_by_key(|e| e.0);
    entries.into()
}
