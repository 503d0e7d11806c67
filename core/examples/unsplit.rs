//! How long kv histories take that are not split by key: `unsplit FILE...`.

use std::path::Path;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use _core::check::{Budget, NO_SPARE};
use _core::formats::{read_path, Options};
use _core::registry;

fn main() {
    let spec = registry::find("kv").expect("it is built in");
    for file in std::env::args().skip(1) {
        let parsed = read_path(Path::new(&file), &Options::default()).expect("a history");
        let part: Vec<u32> = (0..parsed.history.ops.len() as u32).collect();
        let cancel = AtomicBool::new(false);
        let budget =
            Budget { deadline: None, memory_bytes: 2 << 30, cancel: &cancel, spare: &NO_SPARE };
        let mut best = f64::INFINITY;
        let mut said = String::new();
        for _ in 0..20 {
            let began = Instant::now();
            let answer = (spec.fast[0].check)(&parsed.history, &part, &Default::default(), &budget);
            best = best.min(began.elapsed().as_secs_f64());
            said = format!("{answer:?}").chars().take(30).collect();
        }
        println!("{file}: {:.3} ms: {said}", best * 1e3);
    }
}
