//! What the tests of the checker share.

pub mod compare;
pub mod interned;
pub mod random;
pub mod rng;
pub mod spoil;
