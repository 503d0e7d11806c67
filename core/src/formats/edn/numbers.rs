//! Numbers of EDN: decimal, octal, hexadecimal, of any radix, ratios, floats.

use super::super::float_value;
use crate::history::Value;

/// A token as a number: None where it is something else, Err where it is too large a number.
pub fn number(token: &[u8]) -> Result<Option<Value>, String> {
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
