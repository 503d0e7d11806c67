//! Values of EDN, and passing over what is none of ours.

use super::super::{sorted_map, Builder};
use super::numbers::number;
use super::{bad, is_delimiter, Edn, Parse, Trouble};
use crate::history::{Value, ValueId};

impl Edn<'_> {
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
    pub(super) fn skip(&mut self) -> Parse<()> {
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
}
