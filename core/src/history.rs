//! A history as every algorithm sees it: operations over interned values.

use std::collections::HashMap;

/// A value, interned: two are equal iff their ids are. Integers of up to 61 bits stand in the
/// id itself; everything else is an index into the table of `Values`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ValueId(pub u64);

impl ValueId {
    pub const NIL: ValueId = ValueId(0);
    const INT_TAG: u64 = 1 << 63;
    const INT_MAX: i64 = (1 << 61) - 1;

    /// The id of a small integer; None where it has to be interned.
    #[inline]
    pub fn small_int(i: i64) -> Option<ValueId> {
        (-Self::INT_MAX..=Self::INT_MAX)
            .contains(&i)
            .then(|| ValueId(Self::INT_TAG | (i + Self::INT_MAX) as u64))
    }

    /// The integer that stands in the id itself.
    #[inline]
    pub fn as_small_int(self) -> Option<i64> {
        (self.0 & Self::INT_TAG != 0).then(|| (self.0 & !Self::INT_TAG) as i64 - Self::INT_MAX)
    }
}

/// What a `ValueId` outside the small integers stands for.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Value {
    Nil,
    Bool(bool),
    Int(i64),
    /// Bits of the float, so that it can be hashed.
    Float(u64),
    Str(Box<str>),
    List(Box<[ValueId]>),
    /// Sorted by key.
    Map(Box<[(ValueId, ValueId)]>),
}

/// The table of interned values; entry 0 is nil.
#[derive(Clone, Debug)]
pub struct Values {
    table: Vec<Value>,
    ids: HashMap<Value, ValueId>,
    /// Places in the table that are free; these hold nil, which has its own.
    free: Vec<u64>,
}

impl Default for Values {
    fn default() -> Self {
        let mut v = Values { table: Vec::new(), ids: HashMap::new(), free: Vec::new() };
        v.intern(Value::Nil);
        v
    }
}

impl Values {
    pub fn intern(&mut self, value: Value) -> ValueId {
        if let Value::Int(i) = value {
            if let Some(id) = ValueId::small_int(i) {
                return id;
            }
        }
        if let Some(&id) = self.ids.get(&value) {
            return id;
        }
        let id = match self.free.pop() {
            Some(place) => {
                self.table[place as usize] = value.clone();
                ValueId(place)
            }
            None => {
                self.table.push(value.clone());
                ValueId(self.table.len() as u64 - 1)
            }
        };
        self.ids.insert(value, id);
        id
    }

    /// Forgets all values but those of `roots` and what they are made of: their ids will stand
    /// for others. `roots` may hold what is no id.
    pub fn sweep(&mut self, mut roots: Vec<u64>) {
        let mut live = vec![false; self.table.len()];
        live[ValueId::NIL.0 as usize] = true;
        while let Some(id) = roots.pop() {
            let Some(live) = live.get_mut(id as usize).filter(|live| !**live) else { continue };
            *live = true;
            match &self.table[id as usize] {
                Value::List(members) => roots.extend(members.iter().map(|m| m.0)),
                Value::Map(entries) => roots.extend(entries.iter().flat_map(|(k, v)| [k.0, v.0])),
                _ => {}
            }
        }
        for (place, value) in self.table.iter_mut().enumerate() {
            if !live[place] && *value != Value::Nil {
                self.ids.remove(value);
                *value = Value::Nil;
                self.free.push(place as u64);
            }
        }
    }

    /// How many values are in the table and stand for something.
    pub fn used(&self) -> usize {
        self.table.len() - self.free.len()
    }

    /// How many values are in the table.
    #[allow(clippy::len_without_is_empty)] // nil always is
    pub fn len(&self) -> usize {
        self.table.len()
    }

    /// The id of a value that occurs.
    pub fn find(&self, value: &Value) -> Option<ValueId> {
        if let Value::Int(i) = value {
            if let Some(id) = ValueId::small_int(*i) {
                return Some(id);
            }
        }
        self.ids.get(value).copied()
    }

    /// The members of a list; None for everything else.
    pub fn list(&self, id: ValueId) -> Option<&[ValueId]> {
        if id.as_small_int().is_some() {
            return None;
        }
        match &self.table[id.0 as usize] {
            Value::List(members) => Some(members),
            _ => None,
        }
    }

    /// The text of a string; None for everything else.
    pub fn str(&self, id: ValueId) -> Option<&str> {
        if id.as_small_int().is_some() {
            return None;
        }
        match &self.table[id.0 as usize] {
            Value::Str(text) => Some(text),
            _ => None,
        }
    }

    /// The entries of a map, sorted by key; None for everything else.
    pub fn map(&self, id: ValueId) -> Option<&[(ValueId, ValueId)]> {
        if id.as_small_int().is_some() {
            return None;
        }
        match &self.table[id.0 as usize] {
            Value::Map(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn get(&self, id: ValueId) -> Value {
        match id.as_small_int() {
            Some(i) => Value::Int(i),
            None => self.table[id.0 as usize].clone(),
        }
    }
}

/// How an operation ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// It happened.
    Ok,
    /// It certainly did not happen (kept, since a model may learn from it).
    Fail,
    /// Nobody knows; it may take effect at any time after its invocation, or never.
    Info,
}

/// `ret` of an operation whose outcome is unknown.
pub const OPEN: u32 = u32::MAX;

/// An invocation with its completion. `inv` and `ret` are positions in the total order of
/// events (unique, so that ties cannot arise); a precedes b iff a.ret < b.inv.
#[derive(Clone, Copy, Debug)]
pub struct Operation {
    /// Index into `History::processes`.
    pub process: u32,
    /// Index into `History::functions`.
    pub f: u16,
    pub outcome: Outcome,
    pub key: ValueId,
    /// Value at the invocation.
    pub arg: ValueId,
    /// Value at the completion (nil while the outcome is unknown).
    pub out: ValueId,
    pub inv: u32,
    pub ret: u32,
    pub inv_ns: i64,
    pub ret_ns: i64,
}

/// A parsed history: operations in order of invocation.
#[derive(Clone, Default, Debug)]
pub struct History {
    pub ops: Vec<Operation>,
    pub values: Values,
    pub functions: Vec<String>,
    pub processes: Vec<String>,
    /// Journal index of each event position (position -> `index` as the file gives it).
    pub event_index: Vec<u64>,
}
