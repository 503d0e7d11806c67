//! Jepsen's EDN: maps (or records) of events, in a vector, a list, or one after the other.

use std::borrow::Cow;

use super::{Builder, FormatError, Input};
use super::{Event, Kind};
use crate::history::Value;

mod numbers;
mod strings;
mod values;

use numbers::number;

const HINT: &str = "expected maps such as {:process 0, :type :invoke, :f :read, :value nil}";

/// Why a form could not be read.
pub enum Trouble {
    /// The text ends inside of it.
    More,
    Bad(String),
}

type Parse<T> = Result<T, Trouble>;

fn bad<T>(message: impl Into<String>) -> Parse<T> {
    Err(Trouble::Bad(message.into()))
}

pub fn read(input: &mut Input, builder: &mut Builder) -> Result<(), FormatError> {
    let depth = input.limits().depth;
    let mut open = None; // the bracket that closes the collection of events
    let mut over = false;
    loop {
        let line = input.line;
        let mut edn = Edn { text: input.rest(), at: 0, eof: input.at_eof(), depth, tuples: false };
        let step = edn.step(builder, line, &mut open, &mut over);
        let (at, tuples, eof) = (edn.at, edn.tuples, edn.eof);
        match step {
            Ok(Step::End) => break,
            Ok(Step::Bracket) => {}
            Ok(Step::Event(event)) => {
                builder.tuples |= tuples;
                builder.event(event).map_err(|mut e| {
                    e.text = super::printable(input.rest()[..at].trim_ascii());
                    e
                })?;
            }
            Ok(Step::Nemesis) => builder.nemesis_events += 1,
            Err(Trouble::More) if !eof => {
                input.refill()?;
                continue;
            }
            Err(Trouble::More) => {
                return Err(FormatError::new(
                    line,
                    "the file ends inside of an event",
                    input.rest(),
                )
                .with_hint("the history is cut off; the last event must be complete"));
            }
            Err(Trouble::Bad(message)) => {
                let before = &input.rest()[..at.min(input.rest().len())];
                let lines = memchr::memchr_iter(b'\n', before).count() as u64;
                let from = memchr::memrchr(b'\n', before).map_or(0, |i| i + 1);
                let text = &input.rest()[from..];
                let end = memchr::memchr(b'\n', text).unwrap_or(text.len());
                return Err(FormatError::new(line + lines, message, &text[..end]).with_hint(HINT));
            }
        }
        input.line += memchr::memchr_iter(b'\n', &input.rest()[..at]).count() as u64;
        input.consume(at);
    }
    Ok(())
}

enum Step {
    Event(Event),
    Nemesis,
    Bracket,
    End,
}

/// A cursor over text that may go on behind its end (unless `eof`).
pub struct Edn<'a> {
    pub text: &'a [u8],
    pub at: usize,
    pub eof: bool,
    pub depth: usize,
    /// A tagged literal said that values are independent tuples.
    pub tuples: bool,
}

fn is_delimiter(b: u8) -> bool {
    matches!(
        b,
        b' ' | b','
            | b'\t'
            | b'\n'
            | b'\r'
            | 0x0c
            | b'('
            | b')'
            | b'['
            | b']'
            | b'{'
            | b'}'
            | b'"'
            | b';'
    )
}

impl<'a> Edn<'a> {
    fn step(
        &mut self,
        builder: &mut Builder,
        line: u64,
        open: &mut Option<u8>,
        over: &mut bool,
    ) -> Parse<Step> {
        let Some(first) = self.start()? else {
            if open.is_some() {
                return Err(Trouble::More);
            }
            return Ok(Step::End);
        };
        if *over {
            return bad("something stands behind the end of the history");
        }
        match first {
            b'[' | b'(' if open.is_none() => {
                self.at += 1;
                *open = Some(if first == b'[' { b']' } else { b')' });
                Ok(Step::Bracket)
            }
            b']' | b')' if *open == Some(first) => {
                self.at += 1;
                *open = None;
                *over = true;
                Ok(Step::Bracket)
            }
            b'{' | b'#' => {
                let newlines = memchr::memchr_iter(b'\n', &self.text[..self.at]).count() as u64;
                self.tags()?;
                if self.next_byte()? != b'{' {
                    return bad("an event must be a map");
                }
                self.event(builder, line + newlines)
            }
            _ => bad("expected an event, that is a map"),
        }
    }

    /// Skips white space, comments and discarded forms: the next byte, None at the very end.
    fn start(&mut self) -> Parse<Option<u8>> {
        loop {
            match self.text.get(self.at) {
                None if self.eof => return Ok(None),
                None => return Err(Trouble::More),
                Some(b' ' | b',' | b'\t' | b'\n' | b'\r' | 0x0c) => self.at += 1,
                Some(b';') => match memchr::memchr(b'\n', &self.text[self.at..]) {
                    Some(end) => self.at += end + 1,
                    None if self.eof => self.at = self.text.len(),
                    None => return Err(Trouble::More),
                },
                Some(b'#') => match self.text.get(self.at + 1) {
                    Some(b'_') => {
                        self.at += 2;
                        self.skip()?;
                    }
                    None if !self.eof => return Err(Trouble::More),
                    _ => return Ok(Some(b'#')),
                },
                Some(0xef) if self.text[self.at..].starts_with(b"\xef\xbb\xbf") => self.at += 3,
                Some(&b) => return Ok(Some(b)),
            }
        }
    }

    /// The next byte of a form that must go on.
    #[inline]
    fn next_byte(&mut self) -> Parse<u8> {
        match self.text.get(self.at) {
            Some(&b) if b > b' ' && !matches!(b, b',' | b';' | b'#' | 0xef) => Ok(b),
            _ => self.start()?.ok_or(Trouble::More),
        }
    }

    /// Skips tags (`#jepsen.history.Op`) and metadata before a form.
    fn tags(&mut self) -> Parse<()> {
        loop {
            match self.next_byte()? {
                b'#' => match self.text.get(self.at + 1) {
                    Some(b'{' | b'#' | b'"' | b'(') => return Ok(()),
                    None => return Err(Trouble::More),
                    Some(_) => {
                        self.at += 1;
                        let tag = self.token()?;
                        if tag.is_empty() {
                            return bad("a # without its tag");
                        }
                        let has = |word: &[u8]| tag.windows(word.len()).any(|w| w == word);
                        self.tuples |= has(b"independent") || has(b"MapEntry");
                    }
                },
                b'^' => {
                    self.at += 1;
                    self.skip()?;
                }
                _ => return Ok(()),
            }
        }
    }

    /// Bytes up to the next delimiter.
    #[inline]
    fn token(&mut self) -> Parse<&'a [u8]> {
        let start = self.at;
        let mut at = start;
        while let Some(&b) = self.text.get(at) {
            if is_delimiter(b) {
                self.at = at;
                return Ok(&self.text[start..at]);
            }
            at += 1;
        }
        if !self.eof {
            return Err(Trouble::More);
        }
        self.at = at;
        Ok(&self.text[start..at])
    }

    fn event(&mut self, builder: &mut Builder, line: u64) -> Parse<Step> {
        self.at += 1;
        let mut event = Event::new(line);
        let (mut process, mut kind, mut f) = (None, None, None);
        let mut timed_out = false;
        loop {
            let first = self.next_byte()?;
            if first == b'}' {
                self.at += 1;
                break;
            }
            if first != b':' {
                self.skip()?; // a key that is none of ours
                self.skip()?;
                continue;
            }
            let name = self.token()?;
            self.next_byte()?;
            match name {
                b":index" => event.index = self.integer_or_nil(":index")?.map(|i| i as u64),
                b":time" => event.time_ns = self.integer_or_nil(":time")?,
                b":process" => process = Some(self.process(builder)?),
                b":type" => {
                    let name = self.name()?;
                    kind = Some(match Kind::parse(&name) {
                        Some(kind) => kind,
                        None => {
                            return bad(format!(
                                "unknown type `{}`: expected :invoke, :ok, :fail or :info",
                                super::printable(&name)
                            ))
                        }
                    });
                }
                b":f" => f = Some(self.name()?),
                b":key" => event.key = Some(self.value(builder)?),
                b":value" => {
                    if self.text[self.at..].starts_with(b":timed-out") {
                        timed_out = true;
                    }
                    event.value = self.value(builder)?;
                }
                b":node" => {
                    if matches!(self.next_byte()?, b'"' | b':') {
                        let name = self.name()?;
                        event.node = builder.node(&name);
                    } else {
                        self.skip()?;
                    }
                }
                b":error" => {
                    let start = self.at;
                    self.skip()?;
                    event.error = error(builder, &self.text[start..self.at]);
                }
                _ => self.skip()?,
            }
        }
        let Some(process) = process else {
            return bad("an event without :process");
        };
        let Some(id) = process else {
            return Ok(Step::Nemesis);
        };
        event.process = id;
        let Some(kind) = kind else {
            return bad("an event without :type");
        };
        let Some(f) = f else {
            return bad("an event without :f");
        };
        event.f = builder.function(&f).map_err(Trouble::Bad)?;
        event.kind = kind;
        if timed_out {
            event.time_out();
        }
        Ok(Step::Event(event))
    }

    /// None for a process that is no client (a keyword, such as :nemesis).
    fn process(&mut self, builder: &mut Builder) -> Parse<Option<u32>> {
        match self.next_byte()? {
            b':' => self.token().map(|_| None),
            b'"' => {
                let name = self.string()?;
                Ok((name != "nemesis").then(|| builder.process_name(&name)))
            }
            _ => Ok(Some(builder.process_number(self.integer(":process")?))),
        }
    }

    /// A keyword, symbol or string: its name.
    fn name(&mut self) -> Parse<Cow<'a, [u8]>> {
        match self.next_byte()? {
            b'"' => Ok(Cow::Owned(self.string()?.into_bytes())),
            b':' => self.token().map(|t| Cow::Borrowed(&t[1..])),
            _ => {
                let token = self.token()?;
                if token.is_empty() {
                    return bad("expected a keyword");
                }
                Ok(Cow::Borrowed(token))
            }
        }
    }

    fn integer(&mut self, name: &str) -> Parse<i64> {
        match self.integer_or_nil(name)? {
            Some(i) => Ok(i),
            None => bad(format!("{name} must be an integer")),
        }
    }

    fn integer_or_nil(&mut self, name: &str) -> Parse<Option<i64>> {
        self.next_byte()?;
        let start = self.at;
        let token = self.token()?;
        if token == b"nil" {
            return Ok(None);
        }
        match number(token) {
            Ok(Some(Value::Int(i))) => Ok(Some(i)),
            _ => {
                self.at = start;
                bad(format!("{name} must be an integer"))
            }
        }
    }
}

/// The class (its first word) and text of an error as it stands in the file.
fn error(builder: &mut Builder, form: &[u8]) -> u32 {
    let text = String::from_utf8_lossy(&form[..form.len().min(2000)]);
    if text == "nil" {
        return 0;
    }
    let inner = text.trim_start_matches(['[', '{', '(', '"', ':']);
    let end = inner.find([' ', ',', ']', '}', ')', '"']).unwrap_or(inner.len());
    builder.error(&inner[..end], &text)
}
