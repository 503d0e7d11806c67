//! Random choices, from a seed or from the bytes of a fuzzer.

#![allow(dead_code)]

/// splitmix64, or the bytes of a fuzzer as long as there are any.
pub struct Rng {
    state: u64,
    tape: Vec<u8>,
}

impl Rng {
    pub fn new(seed: u64) -> Rng {
        Rng { state: seed, tape: Vec::new() }
    }

    /// Every choice takes a byte, so that a changed byte is another choice at the same place.
    pub fn of_bytes(bytes: &[u8]) -> Rng {
        let state =
            bytes.iter().fold(0, |h: u64, b| h.wrapping_mul(31).wrapping_add(u64::from(*b)));
        Rng { state, tape: bytes.iter().rev().copied().collect() }
    }

    pub fn next(&mut self) -> u64 {
        if let Some(byte) = self.tape.pop() {
            return u64::from(byte);
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    pub fn percent(&mut self, p: usize) -> bool {
        self.below(100) < p
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}
