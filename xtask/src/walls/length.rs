//! A file holds one idea, and no more than 600 lines.

use super::{
    Violation,
    workspace::{Crate, File},
};

const LINES: usize = 600;

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(|of| &of.files).filter_map(check_file).collect()
}

fn check_file(file: &File) -> Option<Violation> {
    let lines = file.text.lines().count();
    let what = format!("{lines} lines; {LINES} are the most");
    (lines > LINES).then(|| Violation { wall: "length", path: file.path.clone(), line: 0, what })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_found() {
        let (most, more) = ("\n".repeat(LINES), "\n".repeat(LINES + 1));
        let planted = Crate::planted("goemu", &[("src/a.rs", &most), ("src/b.rs", &more)]);
        let found = check(&[planted]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "src/b.rs");
    }
}
