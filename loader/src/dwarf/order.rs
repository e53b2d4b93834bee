//! The order of parameters that Go up to 1.16 lists by where they are on the stack.
//!
//! A value without size is where the next one starts, and may be listed behind it. What settles the order: an
//! abstract entry for inlined copies, which keeps that of the source; the numbers in the names that the compiler gives to
//! results; places, where they are written; a receiver, which comes first. Where nothing does, the order is not known.

use crate::facts::Forms;
use crate::{GoVersion, Param};

/// A parameter or result, and what its entry tells of its place among the others.
pub(super) struct Listed {
    pub(super) param: Param,
    /// Offset of its abstract entry.
    pub(super) origin: Option<usize>,
    /// Its number in a name like `~r2`.
    pub(super) number: Option<u32>,
    /// Where it is in the caller's frame, if it is there for all its life.
    pub(super) frame: Option<i64>,
    /// Whether the function is its method.
    pub(super) receiver: bool,
}

impl Listed {
    fn is_empty(&self) -> bool {
        self.param.ty.size == 0
    }
}

/// Puts parameters, or results, in the order of the source. False where that is not known.
pub(super) fn settle(list: &mut Vec<Listed>, compiler: Option<GoVersion>) -> bool {
    if compiler.is_none_or(|go| Forms::of(go.minor).params_as_declared())
        || !list.iter().any(Listed::is_empty)
    {
        return true;
    }
    if list.iter().all(|item| item.origin.is_some()) {
        list.sort_by_key(|item| item.origin);
        return true;
    }
    if list.iter().all(|item| item.number.is_some()) {
        list.sort_by_key(|item| item.number);
        return true;
    }
    let mut sorted: Vec<Listed> = Vec::with_capacity(list.len());
    let mut known = true;
    for item in list.drain(..) {
        let at = if item.is_empty() { position(&sorted, &item) } else { Some(sorted.len()) };
        known &= at.is_some();
        sorted.insert(at.unwrap_or(sorted.len()), item);
    }
    *list = sorted;
    known
}

/// Where among those that are listed before it a value without size belongs.
fn position(before: &[Listed], item: &Listed) -> Option<usize> {
    if item.receiver {
        return Some(0);
    }
    // Those without size right before it, and the value before them: it may belong in front of any of these.
    let last = before.iter().rposition(|other| !other.is_empty());
    let first_empty = last.map_or(0, |last| last + 1);
    let empties = before.get(first_empty..)?;
    if empties.iter().any(|other| !is_settled(other, item)) {
        return None;
    }
    let Some(last) = last else { return Some(before.len()) };
    let value = before.get(last)?;
    let start = end_of(before, last)?.checked_next_multiple_of(item.param.ty.align)?;
    match (value.frame, item.frame) {
        (Some(value), Some(item)) if value == item => Some(last),
        (Some(_), Some(_)) => Some(before.len()),
        // In front of the value it would not lie where that starts, and have been listed before it.
        _ if !start.is_multiple_of(value.param.ty.align) => Some(before.len()),
        _ => None,
    }
}

/// Whether it is known which of two values without size comes first, or does not matter.
fn is_settled(one: &Listed, other: &Listed) -> bool {
    one.receiver || one.param.ty.name == other.param.ty.name || one.frame.is_some() && other.frame.is_some()
}

/// The end of the values before one, from where the first begins.
fn end_of(list: &[Listed], index: usize) -> Option<u64> {
    list.get(..index)?.iter().try_fold(0u64, |at, item| {
        let ty = &item.param.ty;
        at.checked_next_multiple_of(ty.align)?.checked_add(ty.size)
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{Kind, Type};

    /// A value from its name (empty ones end in `0`), its alignment, and what is known of its place.
    fn listed(name: &str, align: u64, frame: Option<i64>) -> Listed {
        let size = if name.ends_with('0') { 0 } else { align };
        let ty = Type { name: name.to_owned(), size, align, kind: Kind::Struct(Vec::new()), rtype: None };
        let number = name.strip_prefix("~r").and_then(|rest| rest.get(..1)?.parse().ok());
        let param = Param { name: name.to_owned(), ty: Arc::new(ty) };
        Listed { param, origin: None, number, frame, receiver: name.starts_with("recv") }
    }

    #[track_caller]
    fn check(list: &[(&str, u64, Option<i64>)], expected: Option<&[&str]>) {
        let mut list: Vec<_> = list.iter().map(|&(name, align, frame)| listed(name, align, frame)).collect();
        let known = settle(&mut list, Some(GoVersion::new(15, 0)));
        let names: Vec<_> = list.iter().map(|item| item.param.name.as_str()).collect();
        assert_eq!(known.then_some(names.as_slice()), expected);
    }

    #[test]
    fn a_value_without_size_may_belong_before_the_one_that_it_is_listed_behind() {
        check(&[("a", 8, None), ("b0", 1, None)], None);
        check(&[("a", 4, None), ("b0", 8, None)], None);
        check(&[("b0", 1, None), ("a", 8, None)], Some(&["b0", "a"]));
        // Behind one byte it cannot be where eight are aligned.
        check(&[("a", 1, None), ("b", 8, None), ("c0", 1, None)], Some(&["a", "b", "c0"]));
    }

    #[test]
    fn places_numbers_and_receivers_settle_it() {
        check(&[("a", 8, Some(0)), ("b0", 1, Some(0))], Some(&["b0", "a"]));
        check(&[("a", 8, Some(0)), ("b0", 1, Some(8))], Some(&["a", "b0"]));
        check(&[("~r2", 8, None), ("~r1_0", 1, None)], Some(&["~r1_0", "~r2"]));
        check(&[("a", 8, None), ("recv0", 1, None)], Some(&["recv0", "a"]));
        check(&[("a0", 1, None), ("b0", 1, None)], None);
    }

    #[test]
    fn later_releases_list_them_as_declared() {
        let mut list = vec![listed("a", 8, None), listed("b0", 1, None)];
        assert!(settle(&mut list, Some(GoVersion::new(17, 0))));
    }

    #[test]
    fn abstract_entries_keep_the_order() {
        let mut list = vec![listed("a", 8, None), listed("b0", 1, None)];
        (list[0].origin, list[1].origin) = (Some(20), Some(10));
        assert!(settle(&mut list, Some(GoVersion::new(15, 0))));
        assert_eq!(list[0].param.name, "b0");
    }
}
