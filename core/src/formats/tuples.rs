//! Tuples [key value] of jepsen.independent, told from values that are lists of two.

use super::{Builder, FormatError};
use crate::history::{Operation, ValueId};

impl Builder {
    /// Values that are tuples [key value], as of jepsen.independent, become keys and values.
    /// `wanted`: whether they are such; None: told from the content of the whole history.
    pub fn split_tuples(&mut self, wanted: Option<bool>) -> Result<(), FormatError> {
        if wanted == Some(false) || self.history.ops.is_empty() {
            return Ok(());
        }
        let keyed = self.history.ops.iter().any(|op| op.key != ValueId::NIL);
        // (said by a tag, they are: one that is not is an error, not a reason to doubt all)
        if wanted.is_none() && (keyed || !(self.tuples || self.are_tuples())) {
            return Ok(());
        }
        let values = &self.history.values;
        for op in &mut self.history.ops {
            let Some(&[key, arg]) = values.list(op.arg) else {
                return Err(FormatError::whole(
                    format!(
                        "event {}: the value of `{}` is no tuple [key value]",
                        self.history.event_index[op.inv as usize],
                        self.history.functions[op.f as usize]
                    ),
                    "read it with independent keys switched off",
                ));
            };
            op.key = key;
            op.arg = arg;
            if let Some(&[_, out]) = values.list(op.out) {
                op.out = out;
            }
        }
        if wanted.is_none() {
            self.notes.push(
                "values of the form [k v] were read as independent keys (--independent no: not)"
                    .to_string(),
            );
        }
        Ok(())
    }

    /// Every value is a list of two whose first element, the key, is no collection, and comes
    /// back in the completion. If all are cas, [from to] looks alike, unless `to` is a pair.
    fn are_tuples(&self) -> bool {
        let values = &self.history.values;
        let pair = |id| match values.list(id) {
            Some(&[key, value]) if values.list(key).is_none() => Some((key, value)),
            _ => None,
        };
        let fits = |op: &Operation| {
            pair(op.arg).is_some_and(|(key, _)| {
                op.out == ValueId::NIL || pair(op.out).is_some_and(|(again, _)| again == key)
            })
        };
        let tells = |op: &Operation| {
            self.history.functions[op.f as usize] != "cas"
                || pair(op.arg).is_some_and(|(_, value)| pair(value).is_some())
        };
        let ops = &self.history.ops;
        ops.iter().all(|op| fits(op) && tells(op))
    }
}
