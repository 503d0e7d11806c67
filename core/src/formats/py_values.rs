//! Values as Python objects, and back.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyFrozenSet, PyInt, PyList, PySet, PyString, PyTuple};

use super::sorted_map;
use crate::history::{History, Value, ValueId};

/// A Python object as a value; tuples count as lists. `intern` gives values their ids.
pub fn value_from_py(
    intern: &mut dyn FnMut(Value) -> ValueId,
    object: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<ValueId> {
    let deeper =
        depth.checked_sub(1).ok_or_else(|| PyValueError::new_err("values nested too deeply"))?;
    let items = |intern: &mut dyn FnMut(Value) -> ValueId| -> PyResult<Vec<_>> {
        object.try_iter()?.map(|item| value_from_py(intern, &item?, deeper)).collect()
    };
    let value = if object.is_none() {
        return Ok(ValueId::NIL);
    } else if let Ok(b) = object.cast::<PyBool>() {
        Value::Bool(b.is_true())
    } else if object.is_instance_of::<PyInt>() {
        Value::Int(object.extract()?)
    } else if object.is_instance_of::<PyFloat>() {
        super::float_value(object.extract()?)
    } else if let Ok(s) = object.cast::<PyString>() {
        Value::Str(s.to_str()?.into())
    } else if let Ok(d) = object.cast::<PyDict>() {
        let mut entries = Vec::with_capacity(d.len());
        for (k, v) in d.iter() {
            entries.push((value_from_py(intern, &k, deeper)?, value_from_py(intern, &v, deeper)?));
        }
        Value::Map(sorted_map(entries))
    } else if object.is_instance_of::<PyList>() || object.is_instance_of::<PyTuple>() {
        let items = items(intern)?;
        Value::List(items.into())
    } else if object.is_instance_of::<PySet>() || object.is_instance_of::<PyFrozenSet>() {
        let mut items = items(intern)?;
        items.sort_unstable();
        Value::List(items.into())
    } else {
        return Err(PyValueError::new_err(format!(
            "a value of type {}: nil, bool, int, float, str, list, tuple, set or dict expected",
            object.get_type().name()?
        )));
    };
    Ok(intern(value))
}

/// The id of a Python object's value; None where the history does not have it.
pub fn find_py(
    history: &History,
    object: &Bound<'_, PyAny>,
    depth: usize,
) -> PyResult<Option<ValueId>> {
    let mut absent = false;
    let mut find = |value: Value| {
        let found = history.values.find(&value);
        absent |= found.is_none();
        found.unwrap_or(ValueId::NIL)
    };
    let id = value_from_py(&mut find, object, depth)?;
    Ok((!absent).then_some(id))
}

/// A value as a Python object.
pub fn value_to_py<'py>(
    py: Python<'py>,
    history: &History,
    id: ValueId,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match history.values.get(id) {
        Value::Nil => py.None().into_bound(py),
        Value::Bool(b) => b.into_pyobject(py)?.to_owned().into_any(),
        Value::Int(i) => i.into_pyobject(py)?.into_any(),
        Value::Float(bits) => f64::from_bits(bits).into_pyobject(py)?.into_any(),
        Value::Str(s) => s.into_pyobject(py)?.into_any(),
        Value::List(items) => {
            let items =
                items.iter().map(|&i| value_to_py(py, history, i)).collect::<PyResult<Vec<_>>>()?;
            PyList::new(py, items)?.into_any()
        }
        Value::Map(entries) => {
            let d = PyDict::new(py);
            for (k, v) in entries.iter() {
                let key = value_to_py(py, history, *k)?;
                // Lists and maps cannot be keys of a dict; their text can.
                let key = if key.hash().is_ok() {
                    key
                } else {
                    PyTuple::new(py, [key.repr()?])?.into_any()
                };
                d.set_item(key, value_to_py(py, history, *v)?)?;
            }
            d.into_any()
        }
    })
}
