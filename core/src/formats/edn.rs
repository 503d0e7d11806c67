//! Jepsen's EDN: maps (or records) of events, in a vector, a list, or one after the other.

use std::borrow::Cow;

use super::builder::{Event, Kind};
use super::{float_value, sorted_map, Builder, FormatError, Input};
use crate::history::{Value, ValueId};

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

    pub fn value(&mut self, builder: &mut Builder) -> Parse<ValueId> {
        self.tags()?;
        let value = match self.next_byte()? {
            b'"' => Value::Str(self.string()?.into()),
            open @ (b'[' | b'(') => {
                let close = if open == b'[' { b']' } else { b')' };
                self.at += 1;
                Value::List(self.items(builder, close)?.into())
            }
            b'#' if self.text.get(self.at + 1) == Some(&b'{') => {
                self.at += 2;
                let mut items = self.items(builder, b'}')?;
                items.sort_unstable();
                items.dedup();
                Value::List(items.into())
            }
            b'{' => {
                self.at += 1;
                let items = self.items(builder, b'}')?;
                if items.len() % 2 != 0 {
                    return bad("a map with a key but no value");
                }
                Value::Map(sorted_map(items.chunks_exact(2).map(|e| (e[0], e[1])).collect()))
            }
            b'\\' => Value::Str(self.character()?.into()),
            b'#' if self.text.get(self.at + 1) == Some(&b'#') => {
                self.at += 2;
                match self.token()? {
                    b"Inf" => Value::Float(f64::INFINITY.to_bits()),
                    b"-Inf" => Value::Float(f64::NEG_INFINITY.to_bits()),
                    b"NaN" => Value::Float(f64::NAN.to_bits()),
                    _ => return bad("expected ##Inf, ##-Inf or ##NaN"),
                }
            }
            _ => {
                let start = self.at;
                let token = self.token()?;
                match token {
                    b"" => return bad("expected a value"),
                    b"nil" => return Ok(ValueId::NIL),
                    b"true" => Value::Bool(true),
                    b"false" => Value::Bool(false),
                    _ => match number(token) {
                        Ok(Some(number)) => number,
                        Ok(None) => match std::str::from_utf8(token) {
                            Ok(text) => Value::Str(text.into()),
                            Err(_) => return bad("a keyword or symbol is not UTF-8"),
                        },
                        Err(message) => {
                            self.at = start;
                            return bad(message);
                        }
                    },
                }
            }
        };
        Ok(builder.intern(value))
    }

    /// One level of nesting deeper; errors leave the cursor useless, so only success returns.
    fn enter(&mut self) -> Parse<()> {
        match self.depth.checked_sub(1) {
            Some(depth) => {
                self.depth = depth;
                Ok(())
            }
            None => bad("values nested too deeply"),
        }
    }

    fn items(&mut self, builder: &mut Builder, close: u8) -> Parse<Vec<ValueId>> {
        self.enter()?;
        let mut items = Vec::new();
        loop {
            let next = self.next_byte()?;
            if next == close {
                self.at += 1;
                self.depth += 1;
                return Ok(items);
            }
            if matches!(next, b']' | b')' | b'}') {
                return bad(format!("expected `{}`", close as char));
            }
            items.push(self.value(builder)?);
        }
    }

    /// Passes over one form.
    fn skip(&mut self) -> Parse<()> {
        self.enter()?;
        self.pass()?;
        self.depth += 1;
        Ok(())
    }

    fn pass(&mut self) -> Parse<()> {
        self.tags()?;
        let close = match self.next_byte()? {
            b'"' => {
                self.at += 1;
                loop {
                    match memchr::memchr2(b'"', b'\\', &self.text[self.at.min(self.text.len())..]) {
                        None => return Err(Trouble::More),
                        Some(end) => {
                            self.at += end + 1;
                            if self.text[self.at - 1] == b'"' {
                                return Ok(());
                            }
                            self.at += 1; // what is escaped
                        }
                    }
                }
            }
            b'[' => b']',
            b'(' => b')',
            b'{' => b'}',
            b'#' if matches!(self.text.get(self.at + 1), Some(b'{' | b'(')) => {
                self.at += 1;
                if self.text[self.at] == b'{' {
                    b'}'
                } else {
                    b')'
                }
            }
            b'#' if self.text.get(self.at + 1) == Some(&b'"') => {
                self.at += 1;
                return self.skip(); // a regular expression
            }
            b'\\' => return self.character().map(drop),
            _ => {
                if self.token()?.is_empty() {
                    return bad("expected a value");
                }
                return Ok(());
            }
        };
        self.at += 1;
        loop {
            let next = self.next_byte()?;
            if next == close {
                self.at += 1;
                return Ok(());
            }
            if matches!(next, b']' | b')' | b'}') {
                return bad(format!("expected `{}`", close as char));
            }
            self.skip()?;
        }
    }

    fn character(&mut self) -> Parse<String> {
        let rest = &self.text[self.at + 1..];
        let first = rest.iter().take(4).copied().collect::<Vec<_>>();
        if first.is_empty() {
            return Err(Trouble::More);
        }
        // A delimiter may itself be the character: `\(`, `\"`.
        if first[0] < 0x80 && is_delimiter(first[0]) {
            self.at += 2;
            return Ok((first[0] as char).to_string());
        }
        self.at += 1;
        let token = self.token()?;
        Ok(match token {
            b"newline" => "\n".to_string(),
            b"space" => " ".to_string(),
            b"tab" => "\t".to_string(),
            b"return" => "\r".to_string(),
            b"formfeed" => "\u{c}".to_string(),
            b"backspace" => "\u{8}".to_string(),
            _ => match std::str::from_utf8(token) {
                Ok(text) => text.to_string(),
                Err(_) => return bad("a character is not UTF-8"),
            },
        })
    }

    fn string(&mut self) -> Parse<String> {
        let start = self.at + 1;
        let Some(end) = memchr::memchr2(b'"', b'\\', &self.text[start..]) else {
            return Err(Trouble::More);
        };
        let mut out = self.text[start..start + end].to_vec();
        let mut at = start + end;
        loop {
            match self.text.get(at) {
                None => return Err(Trouble::More),
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape = *self.text.get(at + 1).ok_or(Trouble::More)?;
                    at += 2;
                    match escape {
                        b'n' => out.push(b'\n'),
                        b't' => out.push(b'\t'),
                        b'r' => out.push(b'\r'),
                        b'b' => out.push(8),
                        b'f' => out.push(12),
                        b'"' | b'\\' | b'\'' => out.push(escape),
                        b'0'..=b'7' => {
                            let mut code = u32::from(escape - b'0');
                            let mut digits = 1;
                            while digits < 3 {
                                match self.text.get(at) {
                                    None => return Err(Trouble::More),
                                    Some(d @ b'0'..=b'7') => code = code * 8 + u32::from(d - b'0'),
                                    Some(_) => break,
                                }
                                at += 1;
                                digits += 1;
                            }
                            push_char(&mut out, code)?;
                        }
                        b'u' => {
                            if self.text.len() < at + 4 {
                                return Err(Trouble::More);
                            }
                            let mut code = self.hex4(at)?;
                            at += 4;
                            if (0xd800..0xdc00).contains(&code) {
                                if self.text.len() < at + 6 {
                                    return Err(Trouble::More);
                                }
                                if self.text[at..].starts_with(b"\\u") {
                                    let low = self.hex4(at + 2)?;
                                    if (0xdc00..0xe000).contains(&low) {
                                        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                                        at += 6;
                                    }
                                }
                            }
                            push_char(&mut out, code)?;
                        }
                        _ => return bad("an unknown escape in a string"),
                    }
                }
                Some(_) => {
                    let rest = &self.text[at..];
                    let run = memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                    out.extend_from_slice(&rest[..run]);
                    at += run;
                }
            }
        }
        self.at = at + 1;
        String::from_utf8(out).or_else(|_| bad("a string is not UTF-8"))
    }

    fn hex4(&self, at: usize) -> Parse<u32> {
        self.text
            .get(at..at + 4)
            .filter(|h| h.iter().all(u8::is_ascii_hexdigit))
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u32::from_str_radix(h, 16).ok())
            .ok_or_else(|| Trouble::Bad("expected four hex digits after \\u".to_string()))
    }
}

fn push_char(out: &mut Vec<u8>, code: u32) -> Parse<()> {
    match char::from_u32(code) {
        Some(c) => {
            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            Ok(())
        }
        None => bad("an unpaired surrogate in a string"),
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

/// A token as a number: None where it is something else, Err where it is too large a number.
fn number(token: &[u8]) -> Result<Option<Value>, String> {
    let unsigned = token.strip_prefix(b"-").or(token.strip_prefix(b"+")).unwrap_or(token);
    if !unsigned.first().is_some_and(u8::is_ascii_digit) {
        return Ok(None);
    }
    let negative = token[0] == b'-';
    let plain = unsigned.strip_suffix(b"N").unwrap_or(unsigned);
    if plain.iter().all(u8::is_ascii_digit) {
        if plain.len() <= 18 && (plain.len() == 1 || plain[0] != b'0') {
            let number = plain.iter().fold(0i64, |n, b| n * 10 + i64::from(b - b'0'));
            return Ok(Some(Value::Int(if negative { -number } else { number })));
        }
        let radix = if plain[0] == b'0' && plain.len() > 1 { 8 } else { 10 };
        return integer(negative, plain, radix).map(Some);
    }
    if let Some(hex) = plain.strip_prefix(b"0x").or(plain.strip_prefix(b"0X")) {
        return integer(negative, hex, 16).map(Some);
    }
    let text = std::str::from_utf8(token).map_err(|_| "a number is not UTF-8")?;
    if let Some(at) = text.find(['r', 'R']) {
        let radix = text[..at].trim_start_matches(['-', '+']).parse().unwrap_or(0);
        if (2..=36).contains(&radix) {
            return integer(negative, &token[at + 1..], radix).map(Some);
        }
    }
    if text.contains('/') {
        return Ok(Some(Value::Str(text.into()))); // a ratio; equal iff spelled alike
    }
    let float = text.strip_suffix('M').unwrap_or(text);
    match float.parse::<f64>() {
        Ok(f) if f.is_finite() && float.len() < 1000 => Ok(Some(float_value(f))),
        _ => Err("not a number that 64 bits can hold; write such numbers as strings".to_string()),
    }
}

fn integer(negative: bool, digits: &[u8], radix: u32) -> Result<Value, String> {
    let text = std::str::from_utf8(digits).unwrap_or("");
    let signed = if negative { format!("-{text}") } else { text.to_string() };
    if digits.is_empty() || digits.len() > 1000 || !digits[0].is_ascii_alphanumeric() {
        return Err("not an integer".to_string());
    }
    i64::from_str_radix(&signed, radix)
        .map(Value::Int)
        .map_err(|_| "an integer beyond 64 bits; write such numbers as strings".to_string())
}
