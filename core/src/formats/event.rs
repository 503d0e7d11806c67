//! Event: what one line of a history says.

use crate::history::ValueId;

/// What an event says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

impl Kind {
    pub fn parse(name: &[u8]) -> Option<Kind> {
        Some(match name {
            b"invoke" => Kind::Invoke,
            b"ok" => Kind::Ok,
            b"fail" => Kind::Fail,
            b"info" => Kind::Info,
            _ => return None,
        })
    }
}

/// One event of a client, its parts interned by the builder.
#[derive(Clone, Copy, Debug)]
pub struct Event {
    pub line: u64,
    pub index: Option<u64>,
    pub time_ns: Option<i64>,
    pub process: u32,
    pub kind: Kind,
    pub f: u16,
    pub key: Option<ValueId>,
    pub value: ValueId,
    /// 1 + number of the node, 0 for none.
    pub node: u16,
    /// 1 + number of the error, 0 for none.
    pub error: u32,
}

impl Event {
    pub fn new(line: u64) -> Self {
        Event {
            line,
            index: None,
            time_ns: None,
            process: 0,
            kind: Kind::Invoke,
            f: 0,
            key: None,
            value: ValueId::NIL,
            node: 0,
            error: 0,
        }
    }

    /// Jepsen's clients complete with the value `:timed-out` when nobody knows.
    pub fn time_out(&mut self) {
        if self.kind != Kind::Invoke {
            self.kind = Kind::Info;
        }
        self.value = ValueId::NIL;
    }
}
