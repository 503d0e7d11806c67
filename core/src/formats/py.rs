//! `_core.History`: a parsed history as Python sees it.

use std::sync::Arc;

use pyo3::create_exception;
use pyo3::exceptions::{PyIndexError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict};

use super::rows::Row;
use super::Kind;
use super::{read_bytes, read_path, write, Builder, Format, FormatError, Limits, Options, Parsed};
use crate::history::{History, Operation, Outcome, ValueId, OPEN};

create_exception!(
    _core,
    FormatErrorPy,
    PyValueError,
    "A file that is not a history: args are (message, line, text, hint)."
);

impl From<FormatError> for PyErr {
    fn from(e: FormatError) -> PyErr {
        FormatErrorPy::new_err((e.message, e.line, e.text, e.hint))
    }
}

pub use super::py_values::{find_py, value_from_py, value_to_py};

/// A history, parsed; shared without copying by whoever checks it.
#[pyclass(name = "History", module = "paxtest._core", frozen)]
pub struct PyHistory {
    pub parsed: Arc<Parsed>,
}

impl PyHistory {
    pub fn history(&self) -> &History {
        &self.parsed.history
    }
}

fn options(format: &str, independent: Option<bool>, memory_mb: Option<u64>) -> PyResult<Options> {
    let format = match format {
        "auto" => None,
        name => Some(Format::by_name(name).ok_or_else(|| {
            let names: Vec<_> = Format::ALL.iter().map(|f| f.name()).collect();
            FormatErrorPy::new_err((
                format!("unknown format `{name}`"),
                0,
                "",
                format!("one of auto, {}", names.join(", ")),
            ))
        })?),
    };
    let mut limits = Limits::default();
    if let Some(mb) = memory_mb {
        limits.memory_bytes = mb << 20;
    }
    Ok(Options { format, independent, limits })
}

#[pymethods]
impl PyHistory {
    #[staticmethod]
    #[pyo3(signature = (path, format = "auto", *, independent = None, memory_mb = None))]
    fn read(
        py: Python<'_>,
        path: std::path::PathBuf,
        format: &str,
        independent: Option<bool>,
        memory_mb: Option<u64>,
    ) -> PyResult<Self> {
        let options = options(format, independent, memory_mb)?;
        let parsed = py.detach(|| read_path(&path, &options))?;
        Ok(PyHistory { parsed: Arc::new(parsed) })
    }

    #[staticmethod]
    #[pyo3(signature = (data, format = "auto", *, independent = None, memory_mb = None))]
    fn from_bytes(
        py: Python<'_>,
        data: &Bound<'_, PyBytes>,
        format: &str,
        independent: Option<bool>,
        memory_mb: Option<u64>,
    ) -> PyResult<Self> {
        let options = options(format, independent, memory_mb)?;
        let bytes = data.as_bytes();
        let parsed = py.detach(|| read_bytes(bytes, &options))?;
        Ok(PyHistory { parsed: Arc::new(parsed) })
    }

    /// From (process, f, key, argument, result, "ok"|"fail"|"info", invoked_ns, completed_ns).
    /// Where times tie, invocations come before completions.
    #[staticmethod]
    fn from_ops(operations: &Bound<'_, PyAny>) -> PyResult<Self> {
        type Fields<'py> = (
            Bound<'py, PyAny>,
            String,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            Bound<'py, PyAny>,
            String,
            i64,
            Option<i64>,
        );
        let limits = Limits::default();
        let mut builder = Builder::new(limits);
        let mut rows = Vec::new();
        for (number, fields) in operations.try_iter()?.enumerate() {
            let (process, f, key, argument, result, outcome, invoked_ns, completed_ns): Fields<'_> =
                fields?.extract()?;
            let mut row = Row::new(number as u64 + 1);
            row.process = match process.extract::<i64>() {
                Ok(n) => builder.process_number(n),
                Err(_) => builder.process_name(&process.extract::<String>()?),
            };
            row.f = builder.function(f.as_bytes()).map_err(PyValueError::new_err)?;
            row.outcome = Kind::parse(outcome.as_bytes())
                .filter(|k| *k != Kind::Invoke)
                .ok_or_else(|| {
                    PyValueError::new_err(format!("outcome {outcome:?}: ok, fail or info expected"))
                })?;
            row.key = Some(value_from_py(&mut |v| builder.intern(v), &key, limits.depth)?);
            row.arg = value_from_py(&mut |v| builder.intern(v), &argument, limits.depth)?;
            row.out = value_from_py(&mut |v| builder.intern(v), &result, limits.depth)?;
            row.invoked_ns = invoked_ns;
            row.completed_ns = completed_ns;
            rows.push(row);
        }
        builder.rows(rows)?;
        Ok(PyHistory { parsed: Arc::new(builder.finish(Format::Jsonl, 0)) })
    }

    /// Writes the events to a new file, as "jsonl" or "edn".
    fn write(&self, py: Python<'_>, path: std::path::PathBuf, format: &str) -> PyResult<()> {
        let write = match format {
            "jsonl" => write::jsonl,
            "edn" => write::edn,
            _ => return Err(PyValueError::new_err("format must be jsonl or edn")),
        };
        py.detach(|| {
            let mut to = std::io::BufWriter::with_capacity(1 << 16, std::fs::File::create(path)?);
            write(&self.parsed, &mut to)?;
            to.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()
        })?;
        Ok(())
    }

    fn __len__(&self) -> usize {
        self.history().ops.len()
    }

    #[getter]
    fn format(&self) -> &'static str {
        self.parsed.format.name()
    }

    #[getter]
    fn notes(&self) -> Vec<String> {
        self.parsed.notes.clone()
    }

    #[getter]
    fn events(&self) -> u64 {
        self.parsed.events
    }

    #[getter]
    fn nemesis_events(&self) -> u64 {
        self.parsed.nemesis_events
    }

    #[getter]
    fn timed(&self) -> bool {
        self.parsed.timed
    }

    #[getter]
    fn functions(&self) -> Vec<String> {
        self.history().functions.clone()
    }

    /// Operations by outcome: (ok, fail, info).
    fn outcomes(&self) -> (usize, usize, usize) {
        let mut n = (0, 0, 0);
        for op in &self.history().ops {
            match op.outcome {
                Outcome::Ok => n.0 += 1,
                Outcome::Fail => n.1 += 1,
                Outcome::Info => n.2 += 1,
            }
        }
        n
    }

    /// The operations as flat arrays, native-endian: f u16, outcome u8 (0 ok, 1 fail, 2 info),
    /// key, arg, out u64 (ids of values), inv, ret u32 (event positions; ret 2**32-1: unknown),
    /// process u32.
    fn columns<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let ops = &self.history().ops;
        let d = PyDict::new(py);
        let column = |name: &str, width: usize, get: &dyn Fn(&Operation) -> u64| {
            let bytes = PyBytes::new_with(py, ops.len() * width, |to| {
                for (to, op) in to.chunks_exact_mut(width).zip(ops) {
                    let number = get(op);
                    match width {
                        1 => to[0] = number as u8,
                        2 => to.copy_from_slice(&(number as u16).to_ne_bytes()),
                        4 => to.copy_from_slice(&(number as u32).to_ne_bytes()),
                        _ => to.copy_from_slice(&number.to_ne_bytes()),
                    }
                }
                Ok(())
            })?;
            d.set_item(name, bytes)
        };
        column("f", 2, &|op| u64::from(op.f))?;
        column("outcome", 1, &|op| match op.outcome {
            Outcome::Ok => 0,
            Outcome::Fail => 1,
            Outcome::Info => 2,
        })?;
        column("key", 8, &|op| op.key.0)?;
        column("arg", 8, &|op| op.arg.0)?;
        column("out", 8, &|op| op.out.0)?;
        column("inv", 4, &|op| u64::from(op.inv))?;
        column("ret", 4, &|op| u64::from(op.ret))?;
        column("process", 4, &|op| u64::from(op.process))?;
        Ok(d)
    }

    /// What a value id stands for.
    fn value<'py>(&self, py: Python<'py>, id: u64) -> PyResult<Bound<'py, PyAny>> {
        if ValueId(id).as_small_int().is_none() && id as usize >= self.history().values.len() {
            return Err(PyIndexError::new_err("no value of that id"));
        }
        value_to_py(py, self.history(), ValueId(id))
    }

    /// The ids of a list of two; None for anything else.
    fn pair(&self, id: u64) -> Option<(u64, u64)> {
        match self.history().values.list(ValueId(id)) {
            Some([a, b]) => Some((a.0, b.0)),
            _ => None,
        }
    }

    /// The id of a value; None where it does not occur in the history.
    fn find(&self, value: &Bound<'_, PyAny>) -> PyResult<Option<u64>> {
        Ok(find_py(self.history(), value, Limits::default().depth)?.map(|id| id.0))
    }

    /// One operation as a dict: index, process, f, type, invoked_ns, completed_ns, key, arg,
    /// value, node, error, inv, ret (event positions; ret None while unknown).
    fn operation<'py>(&self, py: Python<'py>, index: usize) -> PyResult<Bound<'py, PyDict>> {
        let history = self.history();
        let op = history
            .ops
            .get(index)
            .ok_or_else(|| PyIndexError::new_err("no operation of that number"))?;
        let d = PyDict::new(py);
        let process = &history.processes[op.process as usize];
        d.set_item("index", history.event_index[op.inv as usize])?;
        match process.parse::<i64>() {
            Ok(n) => d.set_item("process", n)?,
            Err(_) => d.set_item("process", process)?,
        }
        d.set_item("f", &history.functions[op.f as usize])?;
        d.set_item(
            "type",
            match op.outcome {
                Outcome::Ok => "ok",
                Outcome::Fail => "fail",
                Outcome::Info => "info",
            },
        )?;
        d.set_item("invoked_ns", op.inv_ns)?;
        let closed = op.ret != OPEN;
        d.set_item("completed_index", closed.then(|| history.event_index[op.ret as usize]))?;
        d.set_item("completed_ns", closed.then_some(op.ret_ns))?;
        d.set_item("key", value_to_py(py, history, op.key)?)?;
        d.set_item("arg", value_to_py(py, history, op.arg)?)?;
        d.set_item(
            "value",
            value_to_py(
                py,
                history,
                if closed && op.out != ValueId::NIL { op.out } else { op.arg },
            )?,
        )?;
        d.set_item("out", value_to_py(py, history, op.out)?)?;
        let node = self.parsed.op_nodes.get(index).copied().unwrap_or(0);
        d.set_item("node", (node > 0).then(|| self.parsed.nodes[node as usize - 1].as_str()))?;
        let error =
            self.parsed.op_errors.get(&(index as u32)).map(|&e| &self.parsed.errors[e as usize]);
        d.set_item("error", error.map(|(c, t)| (c.as_str(), t.as_str())))?;
        d.set_item("inv", op.inv)?;
        d.set_item("ret", closed.then_some(op.ret))?;
        Ok(d)
    }
}

pub fn register(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add_class::<PyHistory>()?;
    m.add("FormatError", m.py().get_type::<FormatErrorPy>())?;
    Ok(())
}
