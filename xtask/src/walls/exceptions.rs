//! The places that broke a wall when it was first checked, counted by folder. The numbers only get smaller.

use anyhow::{Context, Result};

use super::Violation;

/// How many violations of a wall a folder may have.
#[derive(Debug)]
struct Exception<'a> {
    wall: &'a str,
    folder: &'a str,
    most: usize,
}

/// Violations that are not excepted, and how many are.
pub(super) fn split(found: Vec<Violation>) -> Result<(Vec<Violation>, usize)> {
    Ok(split_by(found, &parse(include_str!("../../walls.txt"))?))
}

/// A line is `wall folder number`.
fn parse(text: &str) -> Result<Vec<Exception<'_>>> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines
        .map(|line| {
            let words: Vec<&str> = line.split_whitespace().collect();
            let [wall, folder, number] = words[..] else { anyhow::bail!("walls.txt: {line}") };
            let most = number.parse().with_context(|| format!("walls.txt: {line}"))?;
            Ok(Exception { wall, folder, most })
        })
        .collect()
}

fn split_by(found: Vec<Violation>, exceptions: &[Exception<'_>]) -> (Vec<Violation>, usize) {
    let mut broken = found;
    let mut excepted = 0;
    for exception in exceptions {
        let holds = |v: &Violation| v.wall == exception.wall && v.path.starts_with(exception.folder);
        let number = broken.iter().filter(|violation| holds(violation)).count();
        if number <= exception.most {
            broken.retain(|violation| !holds(violation));
            excepted += number;
        }
    }
    (broken, excepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_excepts_what_it_counts_and_no_more() {
        let exceptions = parse("# comment\n\nversions emu/src 2\n").unwrap();
        let broken = |wall: &'static str, path: &str, number: usize| {
            let violation = Violation { wall, path: path.to_owned(), line: 1, what: String::new() };
            split_by(vec![violation; number], &exceptions).0.len()
        };
        assert_eq!(broken("versions", "emu/src/a.rs", 2), 0);
        assert_eq!(broken("versions", "emu/src/a.rs", 3), 3);
        assert_eq!(broken("versions", "loader/src/a.rs", 1), 1);
        assert_eq!(broken("words", "emu/src/a.rs", 1), 1);
    }

    #[test]
    fn a_line_that_says_nothing_is_an_error() {
        assert!(parse("versions emu/src").is_err());
        assert!(parse("versions emu/src many").is_err());
    }
}
