//! Flat open-addressing tables for the hot paths.

/// Spreads the bits of a key (splitmix64's finaliser).
#[inline]
pub fn mix(mut x: u64) -> u64 {
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x = (x ^ (x >> 32)).wrapping_mul(0xd6e8_feb8_6659_fd93);
    x ^ (x >> 32)
}

/// A hasher for keys that are numbers: one multiplication instead of SipHash. Not for keys that
/// somebody hostile may choose freely in great numbers; ids of values are given out by us.
#[derive(Clone, Copy, Default)]
pub struct Mixed;

#[derive(Clone, Copy, Default)]
pub struct MixedHasher(u64);

impl std::hash::BuildHasher for Mixed {
    type Hasher = MixedHasher;

    fn build_hasher(&self) -> MixedHasher {
        MixedHasher(0)
    }
}

impl std::hash::Hasher for MixedHasher {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.write_u64(u64::from_le_bytes(word));
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write_u64(u64::from(n));
    }

    fn write_u64(&mut self, n: u64) {
        self.0 = mix(self.0 ^ n);
    }

    fn write_usize(&mut self, n: usize) {
        self.write_u64(n as u64);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// From 64-bit keys to 32-bit numbers.
pub struct IdMap {
    slots: Vec<(u64, u32)>, // number u32::MAX: free
    used: usize,
}

impl IdMap {
    pub fn with_capacity(keys: usize) -> Self {
        let size = (keys * 2).next_power_of_two().max(16);
        IdMap { slots: vec![(0, u32::MAX); size], used: 0 }
    }

    /// The number of `key`; `fresh` where it is new. `fresh` must not be u32::MAX.
    #[inline]
    pub fn get_or_insert(&mut self, key: u64, fresh: u32) -> u32 {
        if self.used * 4 >= self.slots.len() * 3 {
            self.grow();
        }
        let mask = self.slots.len() - 1;
        let mut i = mix(key) as usize & mask;
        loop {
            let (k, n) = self.slots[i];
            if n == u32::MAX {
                self.slots[i] = (key, fresh);
                self.used += 1;
                return fresh;
            }
            if k == key {
                return n;
            }
            i = (i + 1) & mask;
        }
    }

    #[inline]
    pub fn get(&self, key: u64) -> Option<u32> {
        let mask = self.slots.len() - 1;
        let mut i = mix(key) as usize & mask;
        loop {
            let (k, n) = self.slots[i];
            if n == u32::MAX {
                return None;
            }
            if k == key {
                return Some(n);
            }
            i = (i + 1) & mask;
        }
    }

    #[cold]
    fn grow(&mut self) {
        let size = self.slots.len() * 2;
        let old = std::mem::replace(&mut self.slots, vec![(0, u32::MAX); size]);
        for (k, n) in old {
            if n != u32::MAX {
                let mut i = mix(k) as usize & (size - 1);
                while self.slots[i].1 != u32::MAX {
                    i = (i + 1) & (size - 1);
                }
                self.slots[i] = (k, n);
            }
        }
    }
}
