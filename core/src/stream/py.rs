//! The Python face of streams.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedStr;
use pyo3::types::{PyBytes, PyDict};

use super::{Stream, Subject, Verdict};
use crate::formats::py::{value_from_py, value_to_py};
use crate::formats::{parse_line, Builder, Event, Kind, Limits};
use crate::py::{duration, find, starts_itself, wrong_initial, AnyValue};
use crate::python_model::{PythonModel, Streaming};
use crate::registry::{Initial, Options};

/// One event of a stream: (index, time_ns, process, type, f, key, value).
type Row<'py> =
    (u64, i64, Bound<'py, PyAny>, PyBackedStr, PyBackedStr, Bound<'py, PyAny>, Bound<'py, PyAny>);

#[pyclass(name = "Stream", module = "paxtest._core")]
pub struct PyStream {
    stream: Stream,
    lines: u64,
    /// Where the model is a user's.
    custom: Option<Streaming>,
    /// The model has raised an exception: nothing is known.
    failed: bool,
}

#[pymethods]
impl PyStream {
    #[new]
    #[pyo3(signature = (model, *, initial = None, memory_budget_mb = 2048, time_budget_s = 60.0))]
    fn new(
        model: &Bound<'_, PyAny>,
        initial: Option<Bound<'_, PyAny>>,
        memory_budget_mb: usize,
        time_budget_s: f64,
    ) -> PyResult<Self> {
        let mut builder = Builder::new(Limits::default());
        let initial = match initial {
            Some(given) if given.is_instance_of::<AnyValue>() => {
                return Err(PyValueError::new_err("a stream needs to know the initial value"));
            }
            Some(given) => {
                let depth = Limits::default().depth;
                Initial::Value(value_from_py(&mut |v| builder.intern(v), &given, depth)?)
            }
            None => Initial::Default,
        };
        let (subject, custom) = match model.cast::<PythonModel>() {
            Ok(model) if initial != Initial::Default => return Err(starts_itself(model.get())),
            Ok(model) => {
                let custom = Streaming::new(model)?;
                (custom.subject(), Some(custom))
            }
            Err(_) => {
                let spec = find(model.extract()?)?;
                spec.start(&builder.history, initial).map_err(wrong_initial)?;
                (Subject::Builtin(spec), None)
            }
        };
        let stream = Stream::new(
            builder,
            subject,
            Options { initial },
            duration(time_budget_s)?,
            memory_budget_mb << 20,
        );
        Ok(PyStream { stream, lines: 0, custom, failed: false })
    }

    fn feed(&mut self, py: Python<'_>, events: &Bound<'_, PyAny>) -> PyResult<()> {
        let fed = match events.cast::<PyBytes>() {
            Ok(bytes) => {
                let bytes = bytes.as_bytes();
                py.detach(|| self.lines(bytes)).map_err(PyValueError::new_err)
            }
            Err(_) => self.rows(events),
        };
        self.raised().and(fed)
    }

    /// No more events will come.
    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        py.detach(|| self.stream.finish());
        self.raised()
    }

    fn verdict(&self) -> &'static str {
        match self.stream.verdict() {
            _ if self.failed => "unknown",
            Verdict::Valid => "valid",
            Verdict::Invalid => "invalid",
            Verdict::Unknown => "unknown",
        }
    }

    fn first_violation<'py>(
        &self,
        py: Python<'py>,
    ) -> PyResult<Option<(u64, i64, Bound<'py, PyAny>)>> {
        let Some(v) = self.stream.violation().filter(|_| !self.failed) else { return Ok(None) };
        let own = self.custom.as_ref().and_then(|custom| custom.key(py, v.key));
        let key = match own {
            Some(key) => key,
            None => value_to_py(py, &self.stream.builder.history, v.key)?,
        };
        Ok(Some((v.index, v.time_ns, key)))
    }

    fn frontier<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let (keys, open, held, events) = self.stream.frontier();
        let d = PyDict::new(py);
        d.set_item("keys", keys)?;
        d.set_item("open", open)?;
        d.set_item("held", held)?;
        d.set_item("events", events)?;
        d.set_item("values", self.stream.values())?;
        Ok(d)
    }
}

impl PyStream {
    fn rows(&mut self, events: &Bound<'_, PyAny>) -> PyResult<()> {
        let depth = Limits::default().depth;
        for row in events.try_iter()? {
            let row: Row<'_> = row?.extract()?;
            let (index, time_ns, process, kind, f, key, value) = row;
            let builder = &mut self.stream.builder;
            let mut event = Event::new(index);
            event.index = Some(index);
            event.time_ns = Some(time_ns);
            event.process = match process.extract::<i64>() {
                Ok(n) => builder.process_number(n),
                Err(_) => {
                    let name: PyBackedStr = process.extract()?;
                    if &*name == "nemesis" {
                        continue;
                    }
                    builder.process_name(&name)
                }
            };
            event.kind = Kind::parse(kind.as_bytes())
                .ok_or_else(|| PyValueError::new_err(format!("unknown type {:?}", &*kind)))?;
            event.f = builder.function(f.as_bytes()).map_err(PyValueError::new_err)?;
            if !key.is_none() {
                event.key = Some(value_from_py(&mut |v| builder.intern(v), &key, depth)?);
            }
            event.value = value_from_py(&mut |v| builder.intern(v), &value, depth)?;
            self.stream.event(&event).map_err(PyValueError::new_err)?;
        }
        Ok(())
    }

    /// Err: what the user's model raised.
    fn raised(&mut self) -> PyResult<()> {
        let error = self.custom.as_ref().and_then(|c| c.asking.error.lock().unwrap().take());
        self.failed |= error.is_some();
        error.map_or(Ok(()), Err)
    }

    fn lines(&mut self, bytes: &[u8]) -> Result<(), String> {
        for line in bytes.split(|&b| b == b'\n') {
            self.lines += 1;
            if line.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            let event = parse_line(&mut self.stream.builder, line, self.lines)
                .and_then(|event| event.map_or(Ok(()), |e| self.stream.event(&e)));
            event.map_err(|e| format!("line {}: {e}", self.lines))?;
        }
        Ok(())
    }
}
