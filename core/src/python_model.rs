//! Models written in Python: asked once per distinct (state, operation class).

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::sync::MutexExt;
use pyo3::types::{PyDict, PyTuple};

use crate::formats::py::value_to_py;
use crate::history::{History, Operation, Outcome, Value, ValueId};
use crate::model::{Class, Model, State};
use crate::orchestrate::{self, Part};
use crate::stream::{self, Subject};
use crate::table::Mixed;

/// Answers that a model keeps from one history to the next.
const REMEMBERED: usize = 1 << 20;

/// A user's model, as `paxtest.models.base` wraps it: operations reach it as tuples
/// (f, value, result, known, key), and `step` answers with an iterable of next states.
#[pyclass(name = "PythonModel", module = "paxtest._core", frozen)]
pub struct PythonModel {
    pub name: String,
    initial: Vec<Py<PyAny>>,
    step: Py<PyAny>,
    read_only: Py<PyAny>,
    partition: Option<Py<PyAny>>,
    memory: Mutex<Arc<Mutex<Memory>>>,
}

#[pymethods]
impl PythonModel {
    #[new]
    #[pyo3(signature = (name, initial, step, read_only, partition = None))]
    fn new(
        py: Python<'_>,
        name: String,
        initial: Vec<Py<PyAny>>,
        step: Py<PyAny>,
        read_only: Py<PyAny>,
        partition: Option<Py<PyAny>>,
    ) -> Self {
        let memory = Mutex::new(Arc::new(Mutex::new(Memory::new(py))));
        PythonModel { name, initial, step, read_only, partition, memory }
    }
}

/// What the model has said: states and operations by number, and where they lead. Holds for
/// every history, since operations are told apart by what they are and not by a history's ids.
struct Memory {
    numbers: Py<PyDict>,
    states: Vec<Py<PyAny>>,
    /// By what `spell` makes of them.
    operation_ids: HashMap<Box<[u8]>, u32>,
    operations: Vec<(Py<PyAny>, bool)>, // read-only?
    next: HashMap<(u64, u32), Vec<State>, Mixed>,
}

impl Memory {
    fn new(py: Python<'_>) -> Self {
        Memory {
            numbers: PyDict::new(py).unbind(),
            states: Vec::new(),
            operation_ids: HashMap::new(),
            operations: Vec::new(),
            next: HashMap::default(),
        }
    }

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
pub struct Asking {
    model: Py<PythonModel>,
    memory: Arc<Mutex<Memory>>,
    /// This history's operation classes, as `memory` numbers them.
    classes: Mutex<HashMap<Class, u32>>,
    initial: Vec<State>,
    /// What Python raised; `stop` is set then.
    pub error: Mutex<Option<PyErr>>,
    stop: Arc<AtomicBool>,
}

impl Asking {
    /// `stop` is set where Python raises, and may be set from outside.
    pub fn new(model: &Bound<'_, PythonModel>, stop: Arc<AtomicBool>) -> PyResult<Self> {
        let py = model.py();
        let (owned, model) = (model.clone().unbind(), model.get());
        let memory = {
            let mut kept = model.memory.lock_py_attached(py).unwrap();
            // (try_lock: whoever is asking now goes on with what there is)
            if kept.try_lock().is_ok_and(|m| m.next.len() > REMEMBERED) {
                *kept = Arc::new(Mutex::new(Memory::new(py)));
            }
            kept.clone()
        };
        let mut initial = Vec::new();
        for state in &model.initial {
            initial.push(vec![memory.lock_py_attached(py).unwrap().number(state.bind(py))?]);
        }
        let (classes, error) = (Mutex::new(HashMap::new()), Mutex::new(None));
        Ok(Asking { model: owned, memory, classes, initial, error, stop })
    }

    /// The number of an operation; Python says once whether it is read-only.
    fn operation(&self, history: &History, op: &Operation) -> PyResult<u32> {
        let class = self.class(history, op);
        if let Some(&n) = self.classes.lock().unwrap().get(&class) {
            return Ok(n);
        }
        let spelled = spell(history, op);
        let known = self.memory.lock().unwrap().operation_ids.get(&spelled).copied();
        if let Some(n) = known {
            self.classes.lock().unwrap().insert(class, n);
            return Ok(n);
        }
        let n = Python::attach(|py| {
            let call = operation(py, history, op)?;
            let read_only = self.model.get().read_only.bind(py).call1((&call,))?.is_truthy()?;
            let memory = &mut *self.memory.lock_py_attached(py).unwrap();
            let fresh = memory.operations.len() as u32;
            let n = *memory.operation_ids.entry(spelled).or_insert(fresh);
            if n == fresh {
                memory.operations.push((call.into_any().unbind(), read_only));
            }
            Ok::<u32, PyErr>(n)
        })?;
        self.classes.lock().unwrap().insert(class, n);
        Ok(n)
    }

    fn next(&self, history: &History, state: u64, op: &Operation) -> PyResult<Vec<State>> {
        let n = self.operation(history, op)?;
        if let Some(next) = self.memory.lock().unwrap().next.get(&(state, n)) {
            return Ok(next.clone());
        }
        Python::attach(|py| {
            // Whoever waits for a lock lets go of the GIL, for a state's own `__hash__` runs
            // with the memory locked.
            let (call, from) = {
                let memory = self.memory.lock_py_attached(py).unwrap();
                let call = memory.operations[n as usize].0.clone_ref(py);
                (call, memory.states[state as usize].clone_ref(py))
            };
            let mut states = Vec::new();
            for after in self.model.get().step.bind(py).call1((from, call))?.try_iter()? {
                let after = after?;
                states.push(vec![self.memory.lock_py_attached(py).unwrap().number(&after)?]);
            }
            self.memory.lock_py_attached(py).unwrap().next.insert((state, n), states.clone());
            Ok(states)
        })
    }

    fn fail<T: Default>(&self, error: PyErr) -> T {
        self.error.lock().unwrap().get_or_insert(error);
        self.stop.store(true, Ordering::Relaxed);
        T::default()
    }
}

/// An operation as bytes: equal for operations that look alike to Python, in any history.
fn spell(history: &History, op: &Operation) -> Box<[u8]> {
    let mut bytes = vec![u8::from(op.outcome == Outcome::Ok)];
    text(&history.functions[op.f as usize], &mut bytes);
    for id in [op.arg, op.out, op.key] {
        value(history, id, &mut bytes);
    }
    bytes.into()
}

fn text(text: &str, bytes: &mut Vec<u8>) {
    bytes.extend(text.len().to_le_bytes());
    bytes.extend(text.as_bytes());
}

fn value(history: &History, id: ValueId, bytes: &mut Vec<u8>) {
    match history.values.get(id) {
        Value::Nil => bytes.push(0),
        Value::Bool(b) => bytes.push(1 + u8::from(b)),
        Value::Int(i) => {
            bytes.push(3);
            bytes.extend(i.to_le_bytes());
        }
        Value::Float(bits) => {
            bytes.push(4);
            bytes.extend(bits.to_le_bytes());
        }
        Value::Str(s) => {
            bytes.push(5);
            text(&s, bytes);
        }
        Value::List(items) => {
            bytes.push(6);
            bytes.extend(items.len().to_le_bytes());
            items.iter().for_each(|&i| value(history, i, bytes));
        }
        Value::Map(entries) => {
            bytes.push(7);
            bytes.extend(entries.len().to_le_bytes());
            // (in order of their ids, which differs between histories: asked once more, then)
            for &(k, v) in entries.iter() {
                value(history, k, bytes);
                value(history, v, bytes);
            }
        }
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

impl Model for Asking {
    fn initial(&self) -> Vec<State> {
        self.initial.clone()
    }

    fn step(&self, history: &History, state: &[u64], op: &Operation) -> Vec<State> {
        if self.stop.load(Ordering::Relaxed) {
            return Vec::new();
        }
        self.next(history, state[0], op).unwrap_or_else(|e| self.fail(e))
    }

    fn read_only(&self, history: &History, op: &Operation) -> bool {
        if self.stop.load(Ordering::Relaxed) {
            return false;
        }
        self.operation(history, op)
            .map(|n| self.memory.lock().unwrap().operations[n as usize].1)
            .unwrap_or_else(|e| self.fail(e))
    }

    fn forget_ids(&self, _words: &[u64]) {
        self.classes.lock().unwrap().clear();
    }

    /// A thread that is attached already, though it let go of the GIL, takes it again without
    /// the making of a thread state.
    fn serve(&self, work: &mut (dyn FnMut() + Send)) {
        Python::attach(|py| py.detach(work));
    }

    fn parallel(&self) -> bool {
        false // (one thread at a time runs Python)
    }

    fn class(&self, _history: &History, op: &Operation) -> Class {
        let known = u64::from(op.outcome == Outcome::Ok);
        [u64::from(op.f) << 1 | known, op.arg.0, op.out.0, op.key.0]
    }
}

/// Partitions as a model's own `partition` makes them, by number.
struct Partitions {
    numbers: Py<PyDict>,
    keys: Vec<Py<PyAny>>,
}

impl Partitions {
    fn new(py: Python<'_>) -> Self {
        Partitions { numbers: PyDict::new(py).unbind(), keys: Vec::new() }
    }

    fn number(&mut self, key: &Bound<'_, PyAny>) -> PyResult<usize> {
        let numbers = self.numbers.bind(key.py());
        if let Some(n) = numbers.get_item(key)? {
            return n.extract();
        }
        let n = self.keys.len();
        numbers.set_item(key, n)?;
        self.keys.push(key.clone().unbind());
        Ok(n)
    }
}

/// Partitions, and their keys where these are no keys of the history.
type Parts = (Vec<Part>, Option<Vec<Py<PyAny>>>);

/// The partitions of a history: by the model's own `partition`, or by key.
pub fn split(py: Python<'_>, history: &History, model: &PythonModel) -> PyResult<Parts> {
    let Some(partition) = &model.partition else {
        return Ok((orchestrate::split(history, true), None));
    };
    let mut partitions = Partitions::new(py);
    let mut parts: Vec<Part> = Vec::new();
    for (i, op) in history.ops.iter().enumerate() {
        let key = partition.bind(py).call1((operation(py, history, op)?,))?;
        let n = partitions.number(&key)?;
        if n == parts.len() {
            parts.push((ValueId::NIL, Vec::new()));
        }
        parts[n].1.push(i as u32);
    }
    Ok((parts, Some(partitions.keys)))
}

/// A model at work on a stream, whose operations are told apart when they are invoked.
pub struct Streaming {
    pub asking: Arc<Asking>,
    partitions: Arc<Mutex<Partitions>>,
}

impl Streaming {
    pub fn new(model: &Bound<'_, PythonModel>) -> PyResult<Self> {
        let asking = Arc::new(Asking::new(model, Arc::default())?);
        let partitions = Arc::new(Mutex::new(Partitions::new(model.py())));
        Ok(Streaming { asking, partitions })
    }

    pub fn subject(&self) -> Subject {
        let partitions = self.partitions.clone();
        let asking = self.asking.clone();
        let partition = self.own_partition().then(|| {
            let part = move |history: &History, op: &Operation| {
                let number = Python::attach(|py| {
                    let partition = asking.model.get().partition.as_ref().expect("its own");
                    let key = partition.bind(py).call1((operation(py, history, op)?,))?;
                    partitions.lock_py_attached(py).unwrap().number(&key)
                });
                number.unwrap_or_else(|e| asking.fail(e)) as u64
            };
            Box::new(part) as stream::Partition
        });
        Subject::Custom(self.asking.clone(), partition)
    }

    fn own_partition(&self) -> bool {
        self.asking.model.get().partition.is_some()
    }

    /// The key of a part, where the model's own `partition` made it.
    pub fn key<'py>(&self, py: Python<'py>, part: ValueId) -> Option<Bound<'py, PyAny>> {
        let partitions = self.partitions.lock_py_attached(py).unwrap();
        self.own_partition().then(|| partitions.keys[part.0 as usize].bind(py).clone())
    }
}
