//! Own JSONL: one JSON object a line (docs/reference/history-format.md).

use super::{float_value, sorted_map, Builder, FormatError, Input};
use super::{Event, Kind};
use crate::history::{Value, ValueId};

const KEYS: &str = "expected index, time_ns, process, type, f, key, value, error, node";

pub fn read(input: &mut Input, builder: &mut Builder) -> Result<(), FormatError> {
    let depth = input.limits().depth;
    while let Some((length, terminated)) = input.line()? {
        let line = input.line;
        let bytes = &input.rest()[..length];
        let text = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        let text =
            if line == 1 { text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text) } else { text };
        if !text.iter().all(u8::is_ascii_whitespace) {
            let mut json = Json { text, at: 0, depth };
            match json.event(builder, line) {
                Ok(Some(event)) => builder.event(event).map_err(|mut e| {
                    if e.text.is_empty() {
                        e.text = super::printable(text);
                    }
                    e
                })?,
                Ok(None) => builder.nemesis_events += 1,
                Err(message) => {
                    if terminated {
                        let from = if json.at < text.len() { &text[json.at..] } else { text };
                        let quoted = if json.at > 20 { from } else { text };
                        return Err(FormatError::new(line, message, quoted).with_hint(KEYS));
                    }
                    builder.notes.push(format!(
                        "the last line (line {line}) is torn and was left out: {}",
                        super::printable(text)
                    ));
                }
            }
        }
        input.consume(length + usize::from(terminated));
        input.line += 1;
    }
    Ok(())
}

/// A cursor over one line.
struct Json<'a> {
    text: &'a [u8],
    at: usize,
    depth: usize,
}

type Parse<T> = Result<T, String>;

/// Process, as read.
enum Process {
    Client(u32),
    Nemesis,
}

impl<'a> Json<'a> {
    #[inline]
    fn peek(&mut self) -> u8 {
        while let Some(&b) = self.text.get(self.at) {
            if !matches!(b, b' ' | b'\t' | b'\r' | b'\n') {
                return b;
            }
            self.at += 1;
        }
        0
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Parse<()> {
        if self.peek() == byte && self.at < self.text.len() {
            self.at += 1;
            Ok(())
        } else {
            Err(format!("expected `{}`", byte as char))
        }
    }

    /// None for an event of the nemesis.
    fn event(&mut self, builder: &mut Builder, line: u64) -> Parse<Option<Event>> {
        let mut event = Event::new(line);
        let (mut process, mut kind, mut f) = (None, None, None);
        if self.peek() != b'{' {
            return Err("expected a JSON object".to_string());
        }
        self.at += 1;
        if self.peek() != b'}' {
            loop {
                let name = self.string()?;
                self.expect(b':')?;
                match name.as_ref() {
                    "index" => event.index = Some(self.integer("index")? as u64),
                    "time_ns" => event.time_ns = Some(self.integer("time_ns")?),
                    "process" => process = Some(self.process(builder)?),
                    "type" => {
                        let name = self.string()?;
                        kind = Some(Kind::parse(name.as_bytes()).ok_or_else(|| {
                            format!(
                                "unknown type `{}`: expected invoke, ok, fail or info",
                                super::printable(name.as_bytes())
                            )
                        })?);
                    }
                    "f" => f = Some(self.string()?),
                    "key" => event.key = Some(self.value(builder, self.depth)?),
                    "value" => event.value = self.value(builder, self.depth)?,
                    "node" => {
                        if self.peek() == b'"' {
                            let name = self.string()?;
                            event.node = builder.node(name.as_bytes());
                        } else {
                            self.skip(self.depth)?;
                        }
                    }
                    "error" => event.error = self.error(builder)?,
                    _ => self.skip(self.depth)?,
                }
                match self.peek() {
                    b',' => self.at += 1,
                    b'}' => break,
                    _ => return Err("expected `,` or `}`".to_string()),
                }
            }
        }
        self.at += 1;
        if self.peek() != 0 || self.at < self.text.len() {
            return Err("expected the end of the line after the object".to_string());
        }
        let kind = kind.ok_or("an event without `type`")?;
        let f = f.ok_or("an event without `f`")?;
        match process.ok_or("an event without `process`")? {
            Process::Nemesis => return Ok(None),
            Process::Client(id) => event.process = id,
        }
        event.f = builder.function(f.as_bytes())?;
        event.kind = kind;
        Ok(Some(event))
    }

    fn process(&mut self, builder: &mut Builder) -> Parse<Process> {
        if self.peek() == b'"' {
            let name = self.string()?;
            if name == "nemesis" {
                return Ok(Process::Nemesis);
            }
            return Ok(Process::Client(builder.process_name(&name)));
        }
        let number = self.integer("process")?;
        Ok(Process::Client(builder.process_number(number)))
    }

    fn error(&mut self, builder: &mut Builder) -> Parse<u32> {
        match self.peek() {
            b'"' => {
                let text = self.string()?;
                Ok(builder.error(&text, ""))
            }
            b'[' => {
                self.at += 1;
                let mut parts = Vec::new();
                while self.peek() != b']' {
                    if self.peek() == b'"' {
                        let part = self.string()?;
                        if parts.len() < 2 {
                            parts.push(part);
                        }
                    } else {
                        self.skip(self.depth)?;
                    }
                    if self.peek() == b',' {
                        self.at += 1;
                    } else if self.peek() != b']' {
                        return Err("expected `,` or `]`".to_string());
                    }
                }
                self.at += 1;
                let class = parts.first().map_or("", |s| s.as_ref());
                let text = parts.get(1).map_or("", |s| s.as_ref());
                Ok(builder.error(class, text))
            }
            _ => self.skip(self.depth).map(|()| 0),
        }
    }

    fn integer(&mut self, name: &str) -> Parse<i64> {
        self.peek();
        match self.number()? {
            Value::Int(i) => Ok(i),
            _ => Err(format!("`{name}` must be an integer")),
        }
    }

    fn number(&mut self) -> Parse<Value> {
        let start = self.at;
        let negative = self.text.get(start) == Some(&b'-');
        let mut at = start + usize::from(negative);
        let digits = at;
        let mut small: u64 = 0;
        while let Some(&b) = self.text.get(at) {
            let digit = b.wrapping_sub(b'0');
            if digit > 9 {
                break;
            }
            small = small.wrapping_mul(10).wrapping_add(u64::from(digit));
            at += 1;
        }
        let length = at - digits;
        if length == 0 {
            return Err("expected a value".to_string());
        }
        if !matches!(self.text.get(at), Some(b'.' | b'e' | b'E')) {
            self.at = at;
            // Up to 18 digits cannot overflow; 19 are told by parsing again, carefully.
            if length <= 18 {
                return Ok(Value::Int(if negative { -(small as i64) } else { small as i64 }));
            }
            return std::str::from_utf8(&self.text[start..at])
                .ok()
                .filter(|_| length < 1000)
                .and_then(|s| s.parse().ok())
                .map(Value::Int)
                .ok_or_else(|| {
                    self.at = start;
                    "an integer beyond 64 bits; write such numbers as strings".to_string()
                });
        }
        while matches!(self.text.get(at), Some(b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')) {
            at += 1;
        }
        let float = std::str::from_utf8(&self.text[start..at])
            .ok()
            .filter(|s| s.len() < 1000)
            .and_then(|s| s.parse::<f64>().ok())
            .filter(|f| f.is_finite())
            .ok_or("not a number that a 64-bit float can hold")?;
        self.at = at;
        Ok(float_value(float))
    }

    #[inline]
    fn string(&mut self) -> Parse<std::borrow::Cow<'a, str>> {
        if self.peek() != b'"' {
            return Err("expected a string".to_string());
        }
        let start = self.at + 1;
        let mut at = start;
        loop {
            match self.text.get(at) {
                Some(b'"') => {
                    let raw = &self.text[start..at];
                    let text = std::str::from_utf8(raw).map_err(|_| "a string is not UTF-8")?;
                    self.at = at + 1;
                    return Ok(std::borrow::Cow::Borrowed(text));
                }
                Some(b'\\') => return self.escaped(start, at).map(std::borrow::Cow::Owned),
                Some(0..=0x1f) => return Err("a control character in a string".to_string()),
                Some(_) => at += 1,
                None => return Err("a string without its closing quote".to_string()),
            }
        }
    }

    #[cold]
    fn escaped(&mut self, start: usize, first: usize) -> Parse<String> {
        let mut out = self.text[start..first].to_vec();
        let mut at = first;
        loop {
            match self.text.get(at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape = *self.text.get(at + 1).ok_or("a string ends in a backslash")?;
                    at += 2;
                    let plain = match escape {
                        b'"' | b'\\' | b'/' => escape,
                        b'b' => 8,
                        b'f' => 12,
                        b'n' => b'\n',
                        b'r' => b'\r',
                        b't' => b'\t',
                        b'u' => {
                            let mut code = self.hex4(at)?;
                            at += 4;
                            if (0xd800..0xdc00).contains(&code)
                                && self.text.get(at..at + 2) == Some(b"\\u")
                            {
                                let low = self.hex4(at + 2)?;
                                if (0xdc00..0xe000).contains(&low) {
                                    code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
                                    at += 6;
                                }
                            }
                            let c =
                                char::from_u32(code).ok_or("an unpaired surrogate in a string")?;
                            out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                            continue;
                        }
                        _ => return Err("an unknown escape in a string".to_string()),
                    };
                    out.push(plain);
                }
                Some(0..=0x1f) => return Err("a control character in a string".to_string()),
                Some(&b) => {
                    out.push(b);
                    at += 1;
                }
                None => return Err("a string without its closing quote".to_string()),
            }
        }
        self.at = at + 1;
        String::from_utf8(out).map_err(|_| "a string is not UTF-8".to_string())
    }

    fn hex4(&self, at: usize) -> Parse<u32> {
        self.text
            .get(at..at + 4)
            .filter(|h| h.iter().all(u8::is_ascii_hexdigit))
            .and_then(|h| std::str::from_utf8(h).ok())
            .and_then(|h| u32::from_str_radix(h, 16).ok())
            .ok_or_else(|| "expected four hex digits after \\u".to_string())
    }

    fn word(&mut self, word: &[u8]) -> bool {
        let found = self.text[self.at..].starts_with(word);
        if found {
            self.at += word.len();
        }
        found
    }

    fn value(&mut self, builder: &mut Builder, depth: usize) -> Parse<ValueId> {
        let first = self.peek();
        let value = match first {
            b'"' => Value::Str(self.string()?.into()),
            b'n' if self.word(b"null") => return Ok(ValueId::NIL),
            b't' if self.word(b"true") => Value::Bool(true),
            b'f' if self.word(b"false") => Value::Bool(false),
            b'[' => {
                let depth = deeper(depth)?;
                self.at += 1;
                let mut items = Vec::new();
                if self.peek() == b']' {
                    self.at += 1;
                } else {
                    loop {
                        items.push(self.value(builder, depth)?);
                        if !self.more(b']')? {
                            break;
                        }
                    }
                }
                Value::List(items.into())
            }
            b'{' => {
                let depth = deeper(depth)?;
                self.at += 1;
                let mut entries = Vec::new();
                if self.peek() == b'}' {
                    self.at += 1;
                } else {
                    loop {
                        let name = Value::Str(self.string()?.into());
                        let name = builder.intern(name);
                        self.expect(b':')?;
                        entries.push((name, self.value(builder, depth)?));
                        if !self.more(b'}')? {
                            break;
                        }
                    }
                }
                Value::Map(sorted_map(entries))
            }
            _ => self.number()?,
        };
        Ok(builder.intern(value))
    }

    /// After an item: whether another follows. Consumes `,` or the closing byte.
    fn more(&mut self, close: u8) -> Parse<bool> {
        let next = self.peek();
        if next == b',' {
            self.at += 1;
            return Ok(true);
        }
        if next == close {
            self.at += 1;
            return Ok(false);
        }
        Err(format!("expected `,` or `{}`", close as char))
    }

    fn skip(&mut self, depth: usize) -> Parse<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'n' if self.word(b"null") => Ok(()),
            b't' if self.word(b"true") => Ok(()),
            b'f' if self.word(b"false") => Ok(()),
            b'[' => {
                let depth = deeper(depth)?;
                self.at += 1;
                if self.peek() == b']' {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.skip(depth)?;
                    if !self.more(b']')? {
                        return Ok(());
                    }
                }
            }
            b'{' => {
                let depth = deeper(depth)?;
                self.at += 1;
                if self.peek() == b'}' {
                    self.at += 1;
                    return Ok(());
                }
                loop {
                    self.string()?;
                    self.expect(b':')?;
                    self.skip(depth)?;
                    if !self.more(b'}')? {
                        return Ok(());
                    }
                }
            }
            _ => self.number().map(drop),
        }
    }
}

/// A text that is one JSON value and nothing else; None for any other.
pub fn json_value(builder: &mut Builder, text: &[u8]) -> Option<ValueId> {
    let mut json = Json { text, at: 0, depth: 16 };
    let value = json.value(builder, json.depth).ok()?;
    json.peek();
    (json.at == text.len()).then_some(value)
}

fn deeper(depth: usize) -> Parse<usize> {
    depth.checked_sub(1).ok_or_else(|| "values nested too deeply".to_string())
}

/// One line, without its newline; None for an event of the nemesis.
pub fn parse_line(builder: &mut Builder, text: &[u8], line: u64) -> Result<Option<Event>, String> {
    Json { text, at: 0, depth: super::Limits::default().depth }.event(builder, line)
}
