//! What the tests of the checker share.

pub mod compare;
pub mod random;
