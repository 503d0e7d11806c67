//! Every algorithm keeps to its budget, and says which limit it was.

mod common;

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use _core::check::{Answer, Budget, Limit, NO_SPARE};
use _core::history::History;
use _core::oracle;
use _core::registry::{Options, SPECS};

use common::interned;
use common::random::{self, Shape};
use common::rng::Rng;

/// Operations without end or damage: linearizable, and decided by the fast algorithms.
fn long(model: &'static str, ops: usize) -> History {
    let mut rng = Rng::new(7);
    let shape = Shape {
        ops,
        processes: 4,
        unique: true,
        values: 4,
        unknown: 0,
        failed: 0,
        spoilt: 0,
        flavour: 1,
    };
    interned::history(&random::events(model, &oracle::default_initial(model), &shape, &mut rng))
}

#[test]
fn fast_algorithms_say_which_limit_ran_out() {
    let never = AtomicBool::new(false);
    let cancelled = AtomicBool::new(true);
    for spec in SPECS {
        let history = long(spec.name, 300);
        let part: Vec<u32> = (0..history.ops.len() as u32).collect();
        for fast in spec.fast {
            let ask = |budget: Budget| (fast.check)(&history, &part, &Options::default(), &budget);
            let plenty = Budget {
                deadline: None,
                memory_bytes: usize::MAX,
                cancel: &never,
                spare: &NO_SPARE,
            };
            if !matches!(ask(plenty), Answer::Valid { .. }) {
                continue; // not what this algorithm covers
            }
            let limit = |budget| match ask(budget) {
                Answer::Unknown { limit, .. } => limit,
                other => panic!("{} of {}: {other:?}", fast.name, spec.name),
            };
            let over = Budget { deadline: Some(Instant::now()), ..plenty };
            assert_eq!(limit(over), Limit::Time, "{} of {}", fast.name, spec.name);
            assert_eq!(limit(Budget { cancel: &cancelled, ..plenty }), Limit::Time);
            let small = Budget { memory_bytes: 1000, ..plenty };
            assert_eq!(limit(small), Limit::Memory, "{} of {}", fast.name, spec.name);
        }
    }
}

/// One that ends while it is at work is stopped there, soon.
#[test]
fn a_deadline_in_the_midst_is_kept() {
    let never = AtomicBool::new(false);
    for model in ["register", "queue", "counter"] {
        let history = long(model, 200_000);
        let part: Vec<u32> = (0..history.ops.len() as u32).collect();
        let spec = _core::registry::find(model).expect("a known model");
        let time = Duration::from_millis(1);
        let began = Instant::now();
        let budget = Budget {
            deadline: Some(began + time),
            memory_bytes: usize::MAX,
            cancel: &never,
            spare: &NO_SPARE,
        };
        let answer = (spec.fast[0].check)(&history, &part, &Options::default(), &budget);
        assert!(matches!(answer, Answer::Unknown { limit: Limit::Time, .. }), "{model}");
        assert!(began.elapsed() < Duration::from_secs(2), "{model}: {:?}", began.elapsed());
    }
}
