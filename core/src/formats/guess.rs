//! Which format a file has, told from its first lines.

use super::{csv, jepsen_log, Format, FormatError, Input};

const LINES_LOOKED_AT: usize = 200;
const HINT: &str = "JSON lines, Jepsen's EDN or log lines, or CSV with named columns are \
                    understood; --format names one";

/// Whether the event itself has a `:key`, and not a value of it.
fn keyed(event: &[u8]) -> bool {
    memchr::memmem::find(event, b":key ")
        .is_some_and(|at| !event[1..at].iter().any(|b| matches!(b, b'{' | b'[' | b'(' | b'"')))
}

/// Leaves the input where it was.
pub fn format(input: &mut Input) -> Result<Format, FormatError> {
    while input.rest().len() < 4096 && input.refill()? {}
    let text = input.rest();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let lines = || text.split(|&b| b == b'\n').take(LINES_LOOKED_AT).map(<[u8]>::trim_ascii);
    let Some(first) = lines().find(|l| !l.is_empty()) else {
        if input.at_eof() {
            return Ok(Format::Jsonl); // an empty history
        }
        return Err(FormatError::new(1, "nothing but blank lines", b"").with_hint(HINT));
    };
    if csv::looks_like(first) {
        return Ok(Format::Csv);
    }
    if first[0] == b'{' {
        let inner = first[1..].trim_ascii_start();
        if matches!(inner.first(), Some(b'"' | b'}') | None) && !inner.starts_with(b"\"\"") {
            return Ok(Format::Jsonl);
        }
    }
    if matches!(first[0], b'{' | b'[' | b'(' | b'#' | b';') {
        // Not the `[12:00:00]` that some logs begin their lines with.
        if !lines().any(jepsen_log::looks_like) {
            if first[0] == b'[' && first[1..].trim_ascii_start().starts_with(b"{\"") {
                return Err(FormatError::new(1, "one JSON array of all events", first)
                    .with_hint("write one event a line: jq -c '.[]' FILE"));
            }
            return Ok(if first[0] == b'{' && keyed(first) { Format::Kv } else { Format::Edn });
        }
    }
    if lines().any(jepsen_log::looks_like) {
        return Ok(Format::JepsenLog);
    }
    Err(FormatError::new(1, "this is not a history in any known format", first).with_hint(HINT))
}
