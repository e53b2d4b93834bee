//! The ways in which one name is written: by the linker, by Go, and by people in a hurry.
//!
//! The linker has `example%2ecom/t.(*T).Method` and `main.Map[go.shape.int]`; people write `T.Method` and
//! `Map[int]`. Both become the same here: receivers without their star and parentheses, type arguments apart.

use std::borrow::Cow;

use goemu_loader::{Func, Image};

/// A name, its parts told apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spelling<'n> {
    /// The name without type arguments.
    base: Cow<'n, str>,
    /// The type arguments between the brackets, from left to right.
    arguments: Vec<&'n str>,
    /// Whether the receiver is written with parentheses, and so means what it says.
    strict: bool,
}

/// How well a name is what a user means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Likeness {
    /// The end of it.
    End,
    /// All of it.
    Whole,
}

impl<'n> Spelling<'n> {
    /// The last part of it, which every function has in its name that is meant.
    pub(super) fn last(&self) -> &str {
        self.base.rsplit(['.', '/', ')']).find(|part| !part.is_empty()).unwrap_or_default()
    }

    /// The lists of type arguments, from left to right.
    pub(super) fn arguments(&self) -> &[&'n str] {
        &self.arguments
    }

    pub(super) fn of(name: &'n str) -> Spelling<'n> {
        let strict = name.contains('(');
        if !name.contains(['[', '%']) {
            return Spelling { base: Cow::Borrowed(name), arguments: Vec::new(), strict };
        }
        let (base, arguments) = without_brackets(name);
        let base = if base.contains('%') { unescape(&base) } else { base };
        Spelling { base: Cow::Owned(base), arguments, strict }
    }

    /// Whether this, which a user wrote, means the function of that full name. `same` compares type arguments: the
    /// user's, and the function's.
    pub(super) fn means(&self, full: &Spelling<'_>, same: &dyn Fn(&str, &str) -> bool) -> Option<Likeness> {
        let plain =
            |name: &Spelling<'_>| -> String { name.base.chars().filter(|c| !"(*)".contains(*c)).collect() };
        let likeness = if self.strict || !full.strict {
            likeness(&full.base, &self.base)?
        } else {
            likeness(&plain(full), &self.base)?
        };
        self.has_arguments(full, same).then_some(likeness)
    }

    /// Type arguments have to be the same where both names tell them.
    fn has_arguments(&self, full: &Spelling<'_>, same: &dyn Fn(&str, &str) -> bool) -> bool {
        if self.arguments.is_empty() {
            return true;
        }
        let told = |list: &str| list != "...";
        self.arguments.len() == full.arguments.len()
            && self.arguments.iter().zip(&full.arguments).filter(|(a, b)| told(a) && told(b)).all(|(a, b)| {
                let (a, b) = (split(a), split(b));
                a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| same(a, b))
            })
    }
}

/// Whether `full` is `name`, or ends in it at a border: `f1` and `Method` for `main.f1` and `main.(*T).Method`.
fn likeness(full: &str, name: &str) -> Option<Likeness> {
    match full.strip_suffix(name)? {
        "" => Some(Likeness::Whole),
        rest if !name.is_empty() && rest.ends_with(['.', '/']) => Some(Likeness::End),
        _ => None,
    }
}

/// The name without what is in brackets, and that.
fn without_brackets(name: &str) -> (String, Vec<&str>) {
    let (mut base, mut arguments) = (String::with_capacity(name.len()), Vec::new());
    let (mut depth, mut start) = (0usize, 0);
    for (at, letter) in name.char_indices() {
        match letter {
            '[' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            ']' if depth > 0 => {
                depth -= 1;
                if depth == 0 {
                    arguments.extend(name.get(start..at));
                }
            }
            _ if depth == 0 => base.push(letter),
            _ => {}
        }
    }
    (base, arguments)
}

/// Type arguments one by one: commas in brackets, braces and parentheses are their own.
pub(crate) fn split(list: &str) -> Vec<&str> {
    let mut depth = 0usize;
    let parts = list.split(|letter: char| {
        match letter {
            '[' | '(' | '{' => depth += 1,
            ']' | ')' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        letter == ',' && depth == 0
    });
    parts.map(str::trim).collect()
}

/// The full name of a function with its type arguments: up to Go 1.20 only the symbol has them.
pub(crate) fn full_name<'i>(image: &'i Image, func: &Func<'i>) -> &'i str {
    let name = func.name();
    let symbol = || image.symbol_at(func.entry()).filter(|symbol| symbol.addr == func.entry());
    if name.contains("[...]") { symbol().map_or(name, |symbol| symbol.name) } else { name }
}

/// Names of packages with what the linker escapes: `%2e` for a dot.
fn unescape(name: &str) -> String {
    let mut rest = name;
    let mut out = String::with_capacity(name.len());
    while let Some((before, after)) = rest.split_once('%') {
        out.push_str(before);
        let code = after.get(..2).and_then(|hex| u8::from_str_radix(hex, 16).ok());
        match code {
            Some(code) if code.is_ascii() => {
                out.push(char::from(code));
                rest = after.get(2..).unwrap_or_default();
            }
            _ => {
                out.push('%');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

/// A name without the quotes that it is copied with, and the parentheses of a call.
pub(super) fn unquote(name: &str) -> &str {
    let name = name.trim();
    let quoted = |quote: char| name.strip_prefix(quote)?.strip_suffix(quote);
    let name = quoted('\'').or_else(|| quoted('"')).or_else(|| quoted('`')).unwrap_or(name);
    name.strip_suffix("()").filter(|name| !name.is_empty()).unwrap_or(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_users_write_means_what_the_linker_wrote() {
        use Likeness::{End, Whole};
        for (full, name, expected) in [
            ("main.f1", "f1", Some(End)),
            ("main.f1", "main.f1", Some(Whole)),
            ("main.xf1", "f1", None),
            ("main.f.func1", "f.func1", Some(End)),
            ("main.(*T).Method", "main.(*T).Method", Some(Whole)),
            ("main.(*T).Method", "main.T.Method", Some(Whole)),
            ("main.(*T).Method", "(*T).Method", Some(End)),
            ("main.(*T).Method", "T.Method", Some(End)),
            ("main.(*T).Method", "Method", Some(End)),
            ("main.(*XT).Method", "T.Method", None),
            ("main.T.Method", "(*T).Method", None),
            ("main.T.Method", "main.T.Method", Some(Whole)),
            ("main.(*T).Method.func1", "T.Method.func1", Some(End)),
            ("main.Map[...]", "Map", Some(End)),
            ("main.Map[...]", "main.Map[int,string]", Some(Whole)),
            ("main.Map[int,string]", "main.Map[int, string]", Some(Whole)),
            ("main.Map[int,string]", "Map[int]", None),
            ("main.Map[int,string]", "Map[string,int]", None),
            ("main.Map[map[a.K]b.V,int]", "Map[map[a.K]b.V,int]", Some(End)),
            ("main.Map", "Map[int]", None),
            ("main.(*stack[int]).push", "stack.push", Some(End)),
            ("main.(*stack[int]).push", "(*stack[int]).push", Some(End)),
            ("gopkg.in/yaml%2ev2.Unmarshal", "gopkg.in/yaml.v2.Unmarshal", Some(Whole)),
            ("gopkg.in/yaml%2ev2.Unmarshal", "yaml.v2.Unmarshal", Some(End)),
            ("gopkg.in/yaml%2ev2.Unmarshal", "yaml%2ev2.Unmarshal", Some(End)),
            ("main.f1", "", None),
            ("main.f]1[", "f1", None),
        ] {
            let same = |a: &str, b: &str| a == b;
            assert_eq!(Spelling::of(name).means(&Spelling::of(full), &same), expected, "{name} for {full}");
        }
    }

    #[test]
    fn quotes_and_calls() {
        for (text, name) in [
            ("'main.f1'", "main.f1"),
            ("\"a\"", "a"),
            ("`f`", "f"),
            (" f() ", "f"),
            ("'", "'"),
            ("()", "()"),
            ("", ""),
        ] {
            assert_eq!(unquote(text), name);
        }
    }

    #[test]
    fn escapes() {
        for (name, plain) in [("a%2eb", "a.b"), ("%", "%"), ("%2", "%2"), ("%zz%22", "%zz\""), ("%ff", "%ff")]
        {
            assert_eq!(unescape(name), plain);
        }
    }
}
