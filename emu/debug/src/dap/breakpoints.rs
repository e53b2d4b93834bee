//! Breakpoints in lines, at functions, at instructions.

use std::collections::{BTreeMap, HashSet};
use std::io::Write;

use goemu::Image;
use serde_json::{Value as Json, json};

use super::Adapter;

/// The breakpoints that the editor has set, by what it calls them.
#[derive(Default)]
pub(super) struct Breakpoints {
    lines: BTreeMap<String, Vec<u64>>,
    functions: Vec<u64>,
    instructions: Vec<u64>,
}

/// Where code of a line begins, in each function that has some. `file` is the editor's path, the program's may be a part of it.
fn addresses(image: &Image, file: &str, line: u32) -> Vec<u64> {
    let mut found = Vec::new();
    for func in image.defined_funcs() {
        let mut lines = func.lines();
        let mut before = false;
        for pc in func.entry()..func.end() {
            let here = lines.at(pc).is_some_and(|at| at.line == line && is_file(at.file, file));
            if here && !before {
                found.push(pc);
                break;
            }
            before = here;
        }
    }
    found
}

/// Whether the program's name of a file is the editor's path: the same, or the same last parts.
fn is_file(own: &str, path: &str) -> bool {
    let parts = |name: &str| name.rsplit(['/', '\\']).map(str::to_owned).collect::<Vec<_>>();
    let (own, path) = (parts(own), parts(path));
    let count = own.len().min(path.len()).min(2);
    count > 0 && own[..count] == path[..count] || own.first() == path.first() && path.len() == 1
}

impl<W: Write> Adapter<'_, W> {
    pub(super) fn set_breakpoints(&mut self, arguments: &Json) -> Result<Json, String> {
        let path = arguments["source"]["path"].as_str().ok_or("a source with a path is wanted")?.to_owned();
        let image = self.runner.session().machine().image().clone();
        let mut all = Vec::new();
        let wanted = arguments["breakpoints"].as_array().cloned().unwrap_or_default();
        let answers: Vec<Json> = wanted
            .iter()
            .map(|breakpoint| {
                let line = breakpoint["line"].as_u64().and_then(|line| u32::try_from(line).ok()).unwrap_or(0);
                let found = addresses(&image, &path, line);
                all.extend(&found);
                answer(found.first().copied(), Some(line), "no code of the program is of this line")
            })
            .collect();
        self.breakpoints.lines.insert(path, all);
        self.apply();
        Ok(json!({ "breakpoints": answers }))
    }

    pub(super) fn set_function_breakpoints(&mut self, arguments: &Json) -> Result<Json, String> {
        let wanted = arguments["breakpoints"].as_array().cloned().unwrap_or_default();
        self.breakpoints.functions.clear();
        let mut answers = Vec::new();
        for breakpoint in &wanted {
            let name = breakpoint["name"].as_str().unwrap_or_default();
            match self.runner.session().machine().find(name).map(|func| func.entry()) {
                Ok(entry) => {
                    self.breakpoints.functions.push(entry);
                    answers.push(answer(Some(entry), None, ""));
                }
                Err(error) => answers.push(answer(None, None, &error.to_string())),
            }
        }
        self.apply();
        Ok(json!({ "breakpoints": answers }))
    }

    pub(super) fn set_instruction_breakpoints(&mut self, arguments: &Json) -> Result<Json, String> {
        let wanted = arguments["breakpoints"].as_array().cloned().unwrap_or_default();
        let address = |breakpoint: &Json| {
            let base = super::frames::address(breakpoint["instructionReference"].as_str()?)?;
            base.checked_add_signed(breakpoint["offset"].as_i64().unwrap_or(0))
        };
        let found: Vec<Option<u64>> = wanted.iter().map(address).collect();
        let answers: Vec<Json> = found.iter().map(|at| answer(*at, None, "an address is wanted")).collect();
        self.breakpoints.instructions = found.into_iter().flatten().collect();
        self.apply();
        Ok(json!({ "breakpoints": answers }))
    }

    /// Sets in the session what the editor wants.
    fn apply(&mut self) {
        let Breakpoints { lines, functions, instructions } = &self.breakpoints;
        let wanted: HashSet<u64> =
            lines.values().flatten().chain(functions).chain(instructions).copied().collect();
        let session = self.runner.session_mut();
        let set = session.breakpoints().clone();
        for addr in set.difference(&wanted) {
            session.remove_breakpoint(*addr);
        }
        wanted.difference(&set).for_each(|addr| session.add_breakpoint(*addr));
    }
}

fn answer(address: Option<u64>, line: Option<u32>, why_not: &str) -> Json {
    let mut answer = json!({ "verified": address.is_some() });
    match address {
        Some(address) => answer["instructionReference"] = format!("{address:#x}").into(),
        None => answer["message"] = why_not.into(),
    }
    if let Some(line) = line {
        answer["line"] = line.into();
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::is_file;

    #[test]
    fn the_program_may_know_a_part_of_a_path() {
        for (own, path, expected) in [
            ("corpus/defers.go", "/home/me/corpus/defers.go", true),
            ("corpus/defers.go", "/home/me/other/defers.go", false),
            ("/src/a/b.go", "/src/a/b.go", true),
            ("a/b.go", "b.go", true),
            ("a/b.go", "c.go", false),
            ("", "", true),
        ] {
            assert_eq!(is_file(own, path), expected, "{own} {path}");
        }
    }
}
