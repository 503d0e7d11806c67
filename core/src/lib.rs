//! The native core of paxtest: parsing and checking histories.

#[cfg(feature = "python")]
use pyo3::prelude::*;

pub mod check;
pub mod formats;
pub mod history;
pub mod minimise;
pub mod model;
pub mod models;
pub mod oracle;
pub mod orchestrate;
#[cfg(feature = "python")]
pub mod py;
#[cfg(feature = "python")]
pub mod python_model;
pub mod register;
pub mod registry;
pub mod search;
pub mod stream;
pub mod table;
pub mod types;

#[cfg(feature = "python")]
#[pymodule]
fn _core(m: &Bound<'_, PyModule>) -> PyResult<()> {
    m.add("__version__", env!("CARGO_PKG_VERSION"))?;
    formats::py::register(m)?;
    py::register(m)?;
    Ok(())
}
