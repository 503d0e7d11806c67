//! The Python face of checking: `check`, `models`.

use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList};

use crate::check::{Answer, Limit};
use crate::formats::py::{value_to_py, PyHistory};
use crate::history::{History, Value, ValueId};
use crate::orchestrate::{self, Partition, Settings};
use crate::registry::{self, Initial, Options, Spec};

/// Stands for an unknown initial value.
#[pyclass(name = "Any", module = "paxtest._core", frozen)]
struct AnyValue;

#[pymethods]
impl AnyValue {
    fn __repr__(&self) -> &'static str {
        "ANY"
    }
}

/// The value that `initial` stands for in this history. One that does not occur in it gets an
/// id that nothing else has.
fn initial(history: &History, given: &Bound<'_, PyAny>) -> PyResult<Initial> {
    if given.is_instance_of::<AnyValue>() {
        return Ok(Initial::Any);
    }
    let value = if let Ok(b) = given.extract::<bool>() {
        Value::Bool(b)
    } else if let Ok(i) = given.extract::<i64>() {
        Value::Int(i)
    } else if let Ok(s) = given.extract::<String>() {
        Value::Str(s.into())
    } else {
        return Err(PyValueError::new_err("initial: bool, int or str expected"));
    };
    Ok(Initial::Value(history.values.find(&value).unwrap_or(ValueId::ABSENT)))
}

fn find(name: &str) -> PyResult<&'static Spec> {
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

#[pyfunction]
#[pyo3(signature = (history, model, *, algorithm = "auto", initial = None,
    time_budget_s = 60.0, memory_budget_mb = 2048, threads = 0, minimise = true, witness = true))]
#[allow(clippy::too_many_arguments)]
fn check<'py>(
    py: Python<'py>,
    history: &PyHistory,
    model: &str,
    algorithm: &str,
    initial: Option<Bound<'py, PyAny>>,
    time_budget_s: f64,
    memory_budget_mb: usize,
    threads: usize,
    minimise: bool,
    witness: bool,
) -> PyResult<Bound<'py, PyDict>> {
    let started = Instant::now();
    let spec = find(model)?;
    let known = algorithm == "auto"
        || algorithm == "search"
        || spec.fast.iter().any(|f| f.name == algorithm);
    if !known {
        let mut names = vec!["auto", "search"];
        names.extend(spec.fast.iter().map(|f| f.name));
        return Err(PyValueError::new_err(format!(
            "unknown algorithm {algorithm:?} for model {model}; one of {}",
            names.join(", ")
        )));
    }
    let h = history.history();
    let initial = match initial {
        Some(given) => self::initial(h, &given)?,
        None => Initial::Default,
    };
    let cancel = AtomicBool::new(false);
    let settings = Settings {
        algorithm,
        options: Options { initial },
        time: Duration::try_from_secs_f64(time_budget_s.min(1e9))
            .map_err(|e| PyValueError::new_err(format!("time_budget_s {time_budget_s}: {e}")))?,
        memory_bytes: memory_budget_mb << 20,
        threads,
        minimise,
        cancel: &cancel,
    };
    let parts = py.detach(|| {
        orchestrate::validate(h, spec)?;
        Ok::<_, String>(orchestrate::check(h, spec, &settings))
    });
    let parts = parts.map_err(PyValueError::new_err)?;
    report(py, h, spec.name, &parts, witness, started)
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
    for p in parts {
        list.append(partition(py, history, p, witness)?)?;
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
    m.add("ANY", AnyValue)?;
    Ok(())
}
