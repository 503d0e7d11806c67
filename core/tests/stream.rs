//! Streams that forget values all the time, against brute force.

mod common;

use std::time::Duration;

use _core::formats::{Builder, Event, Kind, Limits};
use _core::history::{Outcome, OPEN};
use _core::oracle::{self, Plain};
use _core::registry::{find, Initial, Options};
use _core::stream::{Stream, Subject, Verdict};

use common::interned;
use common::random::{self, Shape};
use common::rng::Rng;

/// Integers stand in their ids; texts are what a stream has to forget.
fn as_text(plain: &Plain) -> Plain {
    match plain {
        Plain::Int(i) => Plain::Str(format!("v{i}")),
        Plain::List(members) => Plain::List(members.iter().map(as_text).collect()),
        Plain::Map(entries) => {
            Plain::Map(entries.iter().map(|(k, v)| (k.clone(), as_text(v))).collect())
        }
        other => other.clone(),
    }
}

fn streamed(model: &'static str, given: &Plain, events: &[random::Event]) -> Verdict {
    let mut builder = Builder::new(Limits::default());
    let initial = match *given == oracle::default_initial(model) {
        true => Initial::Default,
        false => Initial::Value(interned::intern(&mut builder.history, given)),
    };
    let subject = Subject::Builtin(find(model).expect("a known model"));
    let time = Duration::from_secs(60);
    let mut stream = Stream::new(builder, subject, Options { initial }, time, usize::MAX);
    // Each is of a process of its own: damaged ones may have become of unknown outcome.
    let numbered = || events.iter().zip(0..);
    let begin = numbered().map(|(e, n)| (e.inv, n, e, false));
    let end = numbered().filter(|(e, _)| e.ret != OPEN).map(|(e, n)| (e.ret, n, e, true));
    let mut order: Vec<_> = begin.chain(end).collect();
    order.sort_by_key(|o| o.0);
    for (position, process, of, ends) in order {
        let mut event = Event::new(u64::from(position));
        event.process = stream.builder.process_number(process);
        event.f = stream.builder.function(of.f.as_bytes()).expect("a name");
        event.kind = match (ends, of.outcome) {
            (false, _) => Kind::Invoke,
            (true, Outcome::Ok) => Kind::Ok,
            (true, _) => Kind::Fail,
        };
        let value = if ends { &of.out } else { &of.arg };
        event.value = interned::intern(&mut stream.builder.history, value);
        stream.event(&event).expect("a well-formed event");
        stream.sweep();
    }
    stream.finish();
    stream.verdict()
}

#[test]
fn forgotten_values_change_no_verdict() {
    let models = [
        "register",
        "cas-register",
        "multi-register",
        "kv",
        "grow-set",
        "set",
        "append-list",
        "queue",
        "stack",
    ];
    for model in models {
        let mut invalid = 0;
        for seed in 0..600 {
            let mut rng = Rng::new(seed);
            let mut shape = Shape::small(&mut rng);
            // What never ends keeps a stream waiting till the end; not what is asked here.
            shape.unknown = shape.unknown.min(10);
            let given = as_text(&random::initial(model, &mut rng));
            let mut events = random::events(model, &given, &shape, &mut rng);
            for event in &mut events {
                event.arg = as_text(&event.arg);
                event.out = as_text(&event.out);
            }
            let history = interned::history(&events);
            let part: Vec<u32> = (0..history.ops.len() as u32).collect();
            let expected = match oracle::linearizable(model, given.clone(), &history, &part) {
                true => Verdict::Valid,
                false => Verdict::Invalid,
            };
            let verdict = streamed(model, &given, &events);
            let shown = interned::show(&history, &part);
            assert_eq!(verdict, expected, "{model}, seed {seed}, initial {given:?}\n{shown}");
            invalid += u32::from(expected == Verdict::Invalid);
        }
        assert!((30..570).contains(&invalid), "{model}: {invalid} invalid");
    }
}
