//! The native core of paxtest: parsing and checking histories.

use pyo3::prelude::*;

pub mod check;
pub mod history;
pub mod model;

#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    Ok(())
}
