//! Names of types.

use std::borrow::Cow;

/// The name of a type as Go prints it, without the folders of packages' paths: `map[string]*json.Token` of
/// `map[string]*encoding/json.Token`. Type arguments keep theirs, as in Go: `er.Pair[deep/er.Rec,int]`.
pub fn printed_name(name: &str) -> Cow<'_, str> {
    short_name(name).map_or(Cow::Borrowed(name), Cow::Owned)
}

/// The same; `None` if nothing changes.
pub(crate) fn short_name(name: &str) -> Option<String> {
    let mut short = String::new();
    // Where the word begins, and how many brackets of type arguments are open.
    let (mut word, mut arguments) = (0, 0_u32);
    for c in name.chars() {
        match c {
            '[' if arguments > 0 || !matches!(short.get(word..), None | Some("" | "map")) => arguments += 1,
            ']' if arguments > 0 => arguments -= 1,
            '/' if arguments == 0 => {
                short.truncate(word);
                continue;
            }
            _ => {}
        }
        short.push(c);
        if arguments == 0 && !(c.is_alphanumeric() || "_.-%~@+·".contains(c)) {
            word = short.len();
        }
    }
    (short.len() < name.len()).then_some(short)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_without_folders() {
        for (name, expected) in [
            ("int", "int"),
            ("main.T", "main.T"),
            ("encoding/json.Token", "json.Token"),
            ("map[string]*encoding/json.Token", "map[string]*json.Token"),
            ("map[a/b.K][]c/d.V", "map[b.K][]d.V"),
            ("[3]a/b.T", "[3]b.T"),
            ("chan [2]a/b.T", "chan [2]b.T"),
            ("gopkg.in/yaml%2ev2.Node", "yaml%2ev2.Node"),
            ("func(a/b.T, *c/d.U) e/f.V", "func(b.T, *d.U) f.V"),
            ("struct { X a/b.T; Y int }", "struct { X b.T; Y int }"),
            ("a/b.Pair[c/d.T,int]", "b.Pair[c/d.T,int]"),
            ("[]a/b.Pair[c/d.T,[]e/f.U]", "[]b.Pair[c/d.T,[]e/f.U]"),
            ("map[a/b.Pair[c/d.T]]a/b.V", "map[b.Pair[c/d.T]]b.V"),
        ] {
            assert_eq!(printed_name(name), expected);
        }
    }
}
