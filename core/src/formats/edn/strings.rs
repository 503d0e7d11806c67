//! Strings of EDN, with their escapes.

use super::{bad, Edn, Parse, Trouble};

impl Edn<'_> {
    pub(super) fn string(&mut self) -> Parse<String> {
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
