//! How many results a function type has, by its name.

/// The number of results of the type with this name; none where it has a name of its own: `func(int) (string, error)` has two.
pub(super) fn results(name: &str) -> Option<usize> {
    let (_, after) = list(name.strip_prefix("func(")?)?;
    match after.strip_prefix(' ') {
        None => after.is_empty().then_some(0),
        Some(results) => match results.strip_prefix('(') {
            Some(results) => list(results).map(|(count, _)| count),
            None => Some(1),
        },
    }
}

/// The number of types up to the parenthesis that ends a list, and what comes after that.
fn list(text: &str) -> Option<(usize, &str)> {
    let (mut depth, mut commas, mut quote, mut escaped) = (0_usize, 0, None, false);
    for (at, letter) in text.char_indices() {
        // Tags of structs may have anything in them.
        if let Some(end) = quote {
            match letter {
                _ if escaped => escaped = false,
                '\\' if end == '"' => escaped = true,
                _ if letter == end => quote = None,
                _ => {}
            }
            continue;
        }
        match letter {
            '"' | '`' => quote = Some(letter),
            '(' | '[' | '{' => depth += 1,
            ')' if depth == 0 => {
                let count = if at == 0 { 0 } else { commas + 1 };
                return Some((count, text.get(at + 1..)?));
            }
            ')' | ']' | '}' => depth = depth.checked_sub(1)?,
            ',' if depth == 0 => commas += 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::results;

    #[test]
    fn names_tell_how_many_results_there_are() {
        for (name, count) in [
            ("func()", Some(0)),
            ("func(int, string)", Some(0)),
            ("func(int) string", Some(1)),
            ("func(int) (string, error)", Some(2)),
            ("func(func(int) (int, int), map[string]int) func(int) (int, int)", Some(1)),
            (r#"func(struct { A int "json:\",)(\"" }) (main.T[int,string], []uint8)"#, Some(2)),
            ("func() (struct { a, b int }, error, int)", Some(3)),
            ("main.handler", None),
            ("func(", None),
            ("func(int", None),
            ("func(])", None),
            ("func(int) (int", None),
            ("func(int)x", None),
        ] {
            assert_eq!(results(name), count, "{name}");
        }
    }
}
