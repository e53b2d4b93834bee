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

/// Violations that are not excepted, how many are, and the lines of the list whose numbers are too large.
pub(super) struct Split {
    pub(super) broken: Vec<Violation>,
    pub(super) excepted: usize,
    pub(super) stale: Vec<String>,
}

pub(super) fn split(found: Vec<Violation>) -> Result<Split> {
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

fn split_by(found: Vec<Violation>, exceptions: &[Exception<'_>]) -> Split {
    let mut split = Split { broken: found, excepted: 0, stale: Vec::new() };
    for Exception { wall, folder, most } in exceptions {
        let holds = |v: &Violation| v.wall == *wall && v.path.starts_with(folder);
        let number = split.broken.iter().filter(|violation| holds(violation)).count();
        if number <= *most {
            split.broken.retain(|violation| !holds(violation));
            split.excepted += number;
        }
        if number < *most {
            split.stale.push(format!("walls.txt: {wall} {folder}: {number} are left of {most}"));
        }
    }
    split
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_excepts_what_it_counts_and_no_more() {
        let exceptions = parse("# comment\n\nversions emu/src 2\n").unwrap();
        let broken = |wall: &'static str, path: &str, number: usize| {
            let violation = Violation { wall, path: path.to_owned(), line: 1, what: String::new() };
            split_by(vec![violation; number], &exceptions).broken.len()
        };
        assert_eq!(broken("versions", "emu/src/a.rs", 2), 0);
        assert_eq!(broken("versions", "emu/src/a.rs", 3), 3);
        assert_eq!(broken("versions", "loader/src/a.rs", 1), 1);
        assert_eq!(broken("words", "emu/src/a.rs", 1), 1);
        let stale =
            |number| split_by(Vec::new(), &[Exception { wall: "", folder: "", most: number }]).stale.len();
        assert_eq!((stale(0), stale(1)), (0, 1));
    }

    #[test]
    fn a_line_that_says_nothing_is_an_error() {
        assert!(parse("versions emu/src").is_err());
        assert!(parse("versions emu/src many").is_err());
    }
}
