//! Patterns of names: a part of the name, or all of it with `*` and `?`.

/// Whether `name` contains `pattern`, or is matched by it as a whole, `*` for any letters and `?` for one.
pub fn matches(pattern: &str, name: &str) -> bool {
    name.contains(pattern) || glob(pattern.as_bytes(), name.as_bytes())
}

/// Whether `pattern` matches `name` as a whole, `*` for any letters and `?` for one.
pub fn is_match(pattern: &str, name: &str) -> bool {
    glob(pattern.as_bytes(), name.as_bytes())
}

/// Without recursion: only the last `*` ever has to be tried again.
fn glob(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star = None;
    while n < name.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, n));
                p += 1;
            }
            Some(b'?') => (p, n) = (p + 1, n + 1),
            letter if letter == name.get(n) => (p, n) = (p + 1, n + 1),
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    (p, n) = (at + 1, from + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(p..).is_some_and(|rest| rest.iter().all(|letter| *letter == b'*'))
}

#[cfg(test)]
mod tests {
    use super::matches;

    #[test]
    fn parts_and_globs() {
        for (pattern, name, expected) in [
            ("f1", "main.f1", true),
            ("", "main.f1", true),
            ("main.*", "main.f1", true),
            ("main.*", "xmain.f1", false),
            ("*.f?", "main.f1", true),
            ("m*n.*1", "main.f1.func1", true),
            ("m*n.*2", "main.f1.func1", false),
            ("(*T).M", "main.(*T).M", true),
            ("main.(*T).M", "main.(*T).M", true),
            ("a*a*a*a*b", &"a".repeat(1000), false),
        ] {
            assert_eq!(matches(pattern, name), expected, "{pattern} {name}");
        }
    }
}
