//! Models written in Python: asked once per distinct (state, operation class).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::Mutex;

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::formats::py::value_to_py;
use crate::history::{History, Operation, Outcome, ValueId};
use crate::model::{Class, Model, State};

/// A user's model, as `paxtest.models.base` wraps it: operations reach it as tuples
/// (f, argument, result, known, key), and `step` answers with an iterable of next states.
#[pyclass(name = "PythonModel", module = "paxtest._core", frozen)]
pub struct PythonModel {
    pub name: String,
    initial: Vec<Py<PyAny>>,
    step: Py<PyAny>,
    read_only: Py<PyAny>,
    partition: Option<Py<PyAny>>,
}

#[pymethods]
impl PythonModel {
    #[new]
    #[pyo3(signature = (name, initial, step, read_only, partition = None))]
    fn new(
        name: String,
        initial: Vec<Py<PyAny>>,
        step: Py<PyAny>,
        read_only: Py<PyAny>,
        partition: Option<Py<PyAny>>,
    ) -> Self {
        PythonModel { name, initial, step, read_only, partition }
    }
}

/// States by number, and operations as Python sees them.
struct Table {
    numbers: Py<PyDict>,
    states: Vec<Py<PyAny>>,
    operations: HashMap<Class, Py<PyAny>>,
}

impl Table {
    fn number(&mut self, state: &Bound<'_, PyAny>) -> PyResult<u64> {
        let numbers = self.numbers.bind(state.py());
        let known = numbers.get_item(state).map_err(|e| {
            PyTypeError::new_err(format!(
                "a state of type {} cannot be used: states must be hashable ({e})",
                state.get_type()
            ))
        })?;
        if let Some(n) = known {
            return n.extract();
        }
        let n = self.states.len() as u64;
        numbers.set_item(state, n)?;
        self.states.push(state.clone().unbind());
        Ok(n)
    }
}

/// A Python model at work on one history.
pub struct Asking<'a> {
    model: &'a PythonModel,
    table: Mutex<Table>,
    initial: Vec<State>,
    /// What Python raised; `stop` is set then.
    pub error: Mutex<Option<PyErr>>,
    stop: &'a AtomicBool,
}

impl<'a> Asking<'a> {
    pub fn new(py: Python<'_>, model: &'a PythonModel, stop: &'a AtomicBool) -> PyResult<Self> {
        let mut table = Table {
            numbers: PyDict::new(py).unbind(),
            states: Vec::new(),
            operations: HashMap::new(),
        };
        let mut initial = Vec::new();
        for state in &model.initial {
            initial.push(vec![table.number(state.bind(py))?]);
        }
        Ok(Asking { model, table: Mutex::new(table), initial, error: Mutex::new(None), stop })
    }

    fn call(&self, py: Python<'_>, history: &History, op: &Operation) -> PyResult<Py<PyAny>> {
        let class = self.class(history, op);
        let mut table = self.table.lock().unwrap();
        if let Some(call) = table.operations.get(&class) {
            return Ok(call.clone_ref(py));
        }
        let call = operation(py, history, op)?.into_any().unbind();
        table.operations.insert(class, call.clone_ref(py));
        Ok(call)
    }

    fn ask(&self, history: &History, state: u64, op: &Operation) -> PyResult<Vec<State>> {
        Python::attach(|py| {
            let call = self.call(py, history, op)?;
            let state = self.table.lock().unwrap().states[state as usize].clone_ref(py);
            let next = self.model.step.bind(py).call1((state, call))?;
            let mut states = Vec::new();
            for state in next.try_iter()? {
                states.push(vec![self.table.lock().unwrap().number(&state?)?]);
            }
            Ok(states)
        })
    }

    fn fail<T: Default>(&self, error: PyErr) -> T {
        self.error.lock().unwrap().get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
        T::default()
    }
}

fn operation<'py>(
    py: Python<'py>,
    history: &History,
    op: &Operation,
) -> PyResult<Bound<'py, PyTuple>> {
    (
        history.functions[op.f as usize].as_str(),
        value_to_py(py, history, op.arg)?,
        value_to_py(py, history, op.out)?,
        op.outcome == Outcome::Ok,
        value_to_py(py, history, op.key)?,
    )
        .into_pyobject(py)
}

impl Model for Asking<'_> {
    fn initial(&self) -> Vec<State> {
        self.initial.clone()
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        if self.stop.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.ask(history, state[0], op).unwrap_or_else(|e| self.fail(e))
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        Python::attach(|py| {
            let call = self.call(py, history, op)?;
            self.model.read_only.bind(py).call1((call,))?.is_truthy()
        })
        .unwrap_or_else(|e| self.fail(e))
    }

    fn class(&self, _history: &History, op: &Operation) -> Class {
        let known = u64::from(op.outcome == Outcome::Ok);
        [u64::from(op.f) << 1 | known, op.arg.0, op.out.0, op.key.0]
    }
}

/// The partitions of a history with their keys: by the model's own `partition`, or by key.
#[allow(clippy::type_complexity)]
pub fn split(
    py: Python<'_>,
    history: &History,
    model: &PythonModel,
) -> PyResult<(Vec<(ValueId, Vec<u32>)>, Option<Vec<Py<PyAny>>>)> {
    let Some(partition) = &model.partition else {
        return Ok((crate::orchestrate::split(history, true), None));
    };
    let numbers = PyDict::new(py);
    let mut parts: Vec<(ValueId, Vec<u32>)> = Vec::new();
    let mut keys = Vec::new();
    for (i, op) in history.ops.iter().enumerate() {
        let key = partition.bind(py).call1((operation(py, history, op)?,))?;
        let n: usize = match numbers.get_item(&key)? {
            Some(n) => n.extract()?,
            None => {
                numbers.set_item(&key, parts.len())?;
                keys.push(key.unbind());
                parts.push((ValueId::NIL, Vec::new()));
                parts.len() - 1
            }
        };
        parts[n].1.push(i as u32);
    }
    Ok((parts, Some(keys)))
}
