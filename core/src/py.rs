//! The Python face of checking: `check`, `models`.

use std::borrow::Cow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::check::{Answer, Limit};
use crate::formats::py::{find_py, value_from_py, value_to_py, PyHistory};
use crate::formats::Limits;
use crate::history::History;
use crate::orchestrate::{self, Partition, Settings, Subject};
use crate::python_model::{self, Asking, PythonModel};
use crate::registry::{self, Fast, Initial, Options, Spec};
use crate::stream::py::PyStream;

/// Stands for an unknown initial value.
#[pyclass(name = "Any", module = "paxtest._core", frozen)]
pub(crate) struct AnyValue;

#[pymethods]
impl AnyValue {
    fn __repr__(&self) -> &'static str {
        "ANY"
    }
}

/// What `given` stands for in this history, which is copied to hold it where it does not occur.
fn initial(history: &mut Cow<'_, History>, given: Option<&Bound<'_, PyAny>>) -> PyResult<Initial> {
    let Some(given) = given else { return Ok(Initial::Default) };
    if given.is_instance_of::<AnyValue>() {
        return Ok(Initial::Any);
    }
    let depth = Limits::default().depth;
    let value = match find_py(history, given, depth)? {
        Some(value) => value,
        None => {
            let values = &mut history.to_mut().values;
            value_from_py(&mut |value| values.intern(value), given, depth)?
        }
    };
    Ok(Initial::Value(value))
}

pub(crate) fn wrong_initial(message: String) -> PyErr {
    PyValueError::new_err(format!("initial: {message}"))
}

pub(crate) fn starts_itself(model: &PythonModel) -> PyErr {
    wrong_initial(format!(
        "model {} is written in Python and says itself what it starts with; leave it out",
        model.name
    ))
}

pub(crate) fn find(name: &str) -> PyResult<&'static Spec> {
    registry::find(name).ok_or_else(|| {
        let names: Vec<_> = registry::SPECS.iter().map(|s| s.name).collect();
        PyValueError::new_err(format!("unknown model {name:?}; one of {}", names.join(", ")))
    })
}

#[pyfunction]
fn models() -> Vec<(&'static str, &'static str, Vec<&'static str>, Vec<&'static str>)> {
    registry::SPECS
        .iter()
        .map(|s| {
            let mut algorithms: Vec<_> = s.fast.iter().map(|f| f.name).collect();
            algorithms.push("search");
            (s.name, s.about, s.functions.to_vec(), algorithms)
        })
        .collect()
}

/// How often Ctrl-C is looked for while a check runs.
const SIGNALS_EVERY: Duration = Duration::from_millis(100);

#[pyfunction]
#[pyo3(signature = (history, model, *, algorithm = "auto", initial = None,
    time_budget_s = 60.0, memory_budget_mb = 2048, threads = 0, minimise = true, witness = true))]
#[allow(clippy::too_many_arguments)]
fn check<'py>(
    py: Python<'py>,
    history: &PyHistory,
    model: &Bound<'py, PyAny>,
    algorithm: &str,
    initial: Option<Bound<'py, PyAny>>,
    time_budget_s: f64,
    memory_budget_mb: usize,
    threads: usize,
    minimise: bool,
    witness: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let started = Instant::now();
    let mut h = Cow::Borrowed(history.history());
    let initial = self::initial(&mut h, initial.as_ref())?;
    let h = &*h;
    let cancel = Arc::new(AtomicBool::new(false));
    let settings = Settings {
        algorithm,
        options: Options { initial },
        time: duration(time_budget_s)?,
        memory_bytes: memory_budget_mb << 20,
        threads,
        minimise,
        cancel: &cancel,
    };
    if let Ok(model) = model.cast::<PythonModel>() {
        let custom = model.get();
        algorithm_of(algorithm, &custom.name, &[])?;
        if initial != Initial::Default {
            return Err(starts_itself(custom));
        }
        let (parts, keys) = python_model::split(py, h, custom)?;
        let asking = Asking::new(model, cancel.clone())?;
        let found = run(py, &cancel, || {
            orchestrate::check(h, &parts, Subject::Custom(&asking), &settings)
        })?;
        if let Some(error) = asking.error.lock().unwrap().take() {
            return Err(error);
        }
        return report(py, h, &custom.name, &found, keys.as_deref(), witness, started);
    }
    let spec = find(model.extract()?)?;
    algorithm_of(algorithm, spec.name, spec.fast)?;
    spec.start(h, initial).map_err(wrong_initial)?;
    py.detach(|| orchestrate::validate(h, spec)).map_err(PyValueError::new_err)?;
    let found = run(py, &cancel, || {
        let parts = orchestrate::split(h, spec.per_key);
        orchestrate::check(h, &parts, Subject::Builtin(spec), &settings)
    })?;
    report(py, h, spec.name, &found, None, witness, started)
}

pub(crate) fn duration(seconds: f64) -> PyResult<Duration> {
    Duration::try_from_secs_f64(seconds.min(1e9))
        .map_err(|e| PyValueError::new_err(format!("time_budget_s {seconds}: {e}")))
}

fn algorithm_of(algorithm: &str, model: &str, fast: &[Fast]) -> PyResult<()> {
    let mut names = vec!["auto", "search"];
    names.extend(fast.iter().map(|f| f.name));
    if names.contains(&algorithm) {
        return Ok(());
    }
    Err(PyValueError::new_err(format!(
        "unknown algorithm {algorithm:?} for model {model}; one of {}",
        names.join(", ")
    )))
}

/// Runs `work` without the GIL; Ctrl-C stops it.
fn run<T: Send>(
    py: Python<'_>,
    cancel: &AtomicBool,
    work: impl FnOnce() -> T + Send,
) -> PyResult<T> {
    py.detach(|| {
        std::thread::scope(|scope| {
            let (done, wait) = std::sync::mpsc::channel();
            let worker = scope.spawn(move || {
                let found = work();
                let _ = done.send(());
                found
            });
            let mut interrupted = Ok(());
            while wait.recv_timeout(SIGNALS_EVERY)
                == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                if interrupted.is_ok() {
                    interrupted = Python::attach(|py| py.check_signals());
                    if interrupted.is_err() {
                        cancel.store(true, Ordering::Relaxed);
                    }
                }
            }
            match worker.join() {
                Ok(found) => interrupted.map(|()| found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    })
}

fn verdict(answer: &Answer) -> &'static str {
    match answer {
        Answer::Valid { .. } => "valid",
        Answer::Invalid { .. } => "invalid",
        Answer::Unknown { .. } | Answer::NotApplicable { .. } => "unknown",
    }
}

fn report<'py>(
    py: Python<'py>,
    history: &History,
    model: &str,
    parts: &[Partition],
    keys: Option<&[Py<PyAny>]>,
    witness: bool,
    started: Instant,
) -> PyResult<Bound<'py, PyDict>> {
    let verdicts: Vec<_> = parts.iter().map(|p| verdict(&p.answer)).collect();
    let worst =
        ["invalid", "unknown"].into_iter().find(|v| verdicts.contains(v)).unwrap_or("valid");
    let d = PyDict::new(py);
    d.set_item("verdict", worst)?;
    d.set_item("model", model)?;
    let algorithms = PyDict::new(py);
    for p in parts {
        let before: u64 = algorithms.get_item(p.algorithm)?.map_or(Ok(0), |n| n.extract())?;
        algorithms.set_item(p.algorithm, before + 1)?;
    }
    d.set_item("algorithms", algorithms)?;
    d.set_item("operations", history.ops.len())?;
    let at = parts.iter().filter_map(|p| match p.answer {
        Answer::Invalid { at, .. } => at,
        _ => None,
    });
    d.set_item("at", at.min())?;
    let list = PyList::empty(py);
    for (n, p) in parts.iter().enumerate() {
        let d = partition(py, history, p, witness)?;
        if let Some(keys) = keys {
            d.set_item("key", &keys[n])?;
        }
        list.append(d)?;
    }
    d.set_item("partitions", list)?;
    d.set_item("seconds", started.elapsed().as_secs_f64())?;
    Ok(d)
}

fn partition<'py>(
    py: Python<'py>,
    history: &History,
    p: &Partition,
    with_witness: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let d = PyDict::new(py);
    d.set_item("key", value_to_py(py, history, p.key)?)?;
    d.set_item("verdict", verdict(&p.answer))?;
    d.set_item("algorithm", p.algorithm)?;
    d.set_item("operations", p.operations)?;
    d.set_item("seconds", p.seconds)?;
    match &p.answer {
        Answer::Valid { witness } => {
            if with_witness {
                let bytes = PyBytes::new_with(py, witness.len() * 4, |out| {
                    for (o, w) in out.chunks_exact_mut(4).zip(witness) {
                        o.copy_from_slice(&w.to_ne_bytes());
                    }
                    Ok(())
                })?;
                d.set_item("witness", bytes)?;
            }
        }
        Answer::Invalid { core, at, reason } => {
            d.set_item("counterexample", core)?;
            d.set_item("minimal", p.minimal)?;
            let r = PyDict::new(py);
            r.set_item("tag", reason.tag)?;
            r.set_item("ops", &reason.ops)?;
            d.set_item("reason", r)?;
            d.set_item("at", *at)?;
        }
        Answer::Unknown { limit, verified } => {
            let limit = match limit {
                Limit::Time => "time",
                Limit::Memory => "memory",
                Limit::Cancelled => "cancelled",
            };
            d.set_item("limit", limit)?;
            d.set_item("verified", *verified)?;
        }
        Answer::NotApplicable { why } => {
            d.set_item("limit", "algorithm")?;
            d.set_item("why", why)?;
            d.set_item("verified", 0)?;
        }
    }
    Ok(d)
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_function(wrap_pyfunction!(check, m)?)?;
    m.add_function(wrap_pyfunction!(models, m)?)?;
    m.add_class::<PyStream>()?;
    m.add_class::<PythonModel>()?;
    m.add("ANY", AnyValue)?;
    Ok(())
}
