//! Any bytes, as each format: an error or a history, never a panic, within bounded memory. What
//! was read and is written again must read the same.
//!
//! The first byte chooses: the low bits the format, bit 6 whether values are tuples.
//! FORMAT=edn (or another name) in the environment keeps to one format.
#![no_main]

use std::sync::OnceLock;

use _core::formats::{read_bytes, write, Format, Limits, Options, Parsed};
use _core::history::Operation;
use libfuzzer_sys::fuzz_target;

static ONLY: OnceLock<Option<Format>> = OnceLock::new();

fn only() -> Option<Format> {
    *ONLY.get_or_init(|| {
        let name = std::env::var("FORMAT").ok()?;
        Some(Format::by_name(&name).expect("FORMAT names no format"))
    })
}

fuzz_target!(|data: &[u8]| {
    let Some((&choice, text)) = data.split_first() else { return };
    let formats = [
        None,
        Some(Format::Jsonl),
        Some(Format::Edn),
        Some(Format::Kv),
        Some(Format::JepsenLog),
        Some(Format::Csv),
    ];
    let format = only().or(formats[(choice & 7) as usize % formats.len()]);
    let independent = [None, Some(true), Some(false)][(choice >> 6) as usize % 3];
    let limits = Limits {
        event_bytes: 1 << 16,
        total_bytes: 1 << 22,
        memory_bytes: 1 << 24,
        ..Limits::default()
    };
    let options = Options { format, independent, limits };
    let Ok(parsed) = read_bytes(text, &options) else { return };
    consistent(&parsed);
    let mut jsonl = Vec::new();
    write::jsonl(&parsed, &mut jsonl).unwrap();
    let again = Options {
        format: Some(Format::Jsonl),
        independent: None,
        limits: Limits::default(),
    };
    let other = read_bytes(&jsonl, &again).expect("what was written cannot be read");
    same(&parsed, &other);
    let mut edn = Vec::new();
    write::edn(&parsed, &mut edn).unwrap();
    let again = Options { format: Some(Format::Edn), independent: Some(false), ..again };
    let other = read_bytes(&edn, &again).expect("what was written cannot be read");
    assert_eq!(parsed.history.ops.len(), other.history.ops.len());
});

/// What every algorithm relies on.
fn consistent(parsed: &Parsed) {
    let history = &parsed.history;
    let events = history.event_index.len() as u32;
    let mut used = vec![false; events as usize];
    for pair in history.ops.windows(2) {
        assert!(pair[0].inv < pair[1].inv);
    }
    for op in &history.ops {
        assert!(op.inv < op.ret && op.inv < events);
        assert!(!std::mem::replace(&mut used[op.inv as usize], true));
        if op.ret != _core::history::OPEN {
            assert!(op.ret < events);
            assert!(!std::mem::replace(&mut used[op.ret as usize], true));
        }
        assert!((op.process as usize) < history.processes.len());
        assert!((op.f as usize) < history.functions.len());
        for id in [op.key, op.arg, op.out] {
            history.values.get(id);
        }
    }
}

fn same(a: &Parsed, b: &Parsed) {
    assert_eq!(a.history.ops.len(), b.history.ops.len());
    let text = |p: &Parsed, op: &Operation| {
        (p.history.processes[op.process as usize].clone(), op.inv, op.ret, op.outcome)
    };
    for (x, y) in a.history.ops.iter().zip(&b.history.ops) {
        assert_eq!(text(a, x), text(b, y));
    }
}
