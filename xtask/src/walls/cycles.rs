//! No import cycle crosses a folder: a table may import its rows and they it, and files beside each other may import each
//! other, but not those of another folder. A file `x.rs` belongs to the folder `x` beside it.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Violation,
    imports::{Import, Target, imports},
    workspace::{Crate, is_within, join},
};

/// The modules that each module imports, with a place for each.
type Graph<'a> = BTreeMap<&'a str, BTreeMap<&'a str, &'a Import>>;

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    crates.iter().flat_map(check_crate).collect()
}

/// A violation for each file of a cycle.
fn check_crate(of: &Crate) -> Vec<Violation> {
    let modules: BTreeSet<&str> =
        of.files.iter().filter(|file| !file.is_test).filter_map(|file| file.module.as_deref()).collect();
    let imports = imports(of, &BTreeSet::new());
    let mut found = Vec::new();
    let mut graphs = vec![graph(&imports)];
    while let Some(graph) = graphs.pop() {
        for members in components(&graph) {
            let folder = folder(&members);
            if members.contains(&folder) {
                // The file of the folder itself may import what lies in it, and that it.
                let inside: Vec<&str> = members.into_iter().filter(|member| *member != folder).collect();
                graphs.push(only(&graph, &inside));
            } else if crosses(&members, folder, &modules) {
                found.extend(members.iter().map(|member| violation(of, folder, &members, &graph[member])));
            }
        }
    }
    found
}

/// The imports of these modules among each other.
fn only<'a>(graph: &Graph<'a>, modules: &[&str]) -> Graph<'a> {
    let among = |ties: &BTreeMap<&'a str, &'a Import>| {
        ties.iter().filter(|(to, _)| modules.contains(to)).map(|(to, import)| (*to, *import)).collect()
    };
    let from = graph.iter().filter(|(from, _)| modules.contains(from));
    from.map(|(from, ties)| (*from, among(ties))).collect()
}

/// The crate's root only declares modules and says their names again.
fn graph(imports: &[Import]) -> Graph<'_> {
    let mut graph = Graph::new();
    for import in imports.iter().filter(|import| !import.from.is_empty()) {
        let Target::Module(to) = &import.to else { continue };
        if !to.is_empty() {
            graph.entry(&import.from).or_default().entry(to).or_insert(import);
        }
    }
    graph
}

/// The sets of modules that reach each other.
fn components<'a>(graph: &Graph<'a>) -> Vec<Vec<&'a str>> {
    let reach: BTreeMap<&str, BTreeSet<&str>> =
        graph.keys().map(|from| (*from, reached(graph, from))).collect();
    let mutual = |a: &str, b: &str| reach[a].contains(b) && reach[b].contains(a);
    let mut found: Vec<Vec<&str>> = Vec::new();
    for module in graph.keys() {
        match found.iter_mut().find(|members| mutual(members[0], module)) {
            Some(members) => members.push(module),
            None => found.push(vec![module]),
        }
    }
    found.retain(|members| members.len() > 1);
    found
}

/// All modules that a module reaches.
fn reached<'a>(graph: &Graph<'a>, from: &str) -> BTreeSet<&'a str> {
    let mut found = BTreeSet::new();
    let mut open = vec![from];
    while let Some(module) = open.pop() {
        for to in graph.get(module).into_iter().flat_map(BTreeMap::keys) {
            if found.insert(*to) {
                open.push(to);
            }
        }
    }
    found
}

/// The folder that modules have in common.
fn folder<'a>(members: &[&'a str]) -> &'a str {
    let mut folder = members[0];
    while !members.iter().all(|member| is_within(member, folder)) {
        folder = folder.rsplit_once("::").map_or("", |(parent, _)| parent);
    }
    folder
}

/// Whether modules lie in several parts of a folder, one of which is a folder.
fn crosses(members: &[&str], folder: &str, modules: &BTreeSet<&str>) -> bool {
    let below = |member: &'_ str| member[folder.len()..].trim_start_matches("::").to_owned();
    let part = |member: &&str| below(member).split("::").next().unwrap_or_default().to_owned();
    let parts: BTreeSet<String> = members.iter().map(part).collect();
    let is_folder = |part: &String| {
        let prefix = format!("{}::", join(folder, part));
        modules.iter().any(|module| module.starts_with(&prefix))
    };
    parts.len() > 1 && parts.iter().any(is_folder)
}

/// Says what a file of a cycle imports of the others.
fn violation(of: &Crate, folder: &str, members: &[&str], ties: &BTreeMap<&str, &Import>) -> Violation {
    let of_cycle: Vec<&str> = ties.keys().filter(|to| members.contains(to)).copied().collect();
    let first = of_cycle.first().map(|to| ties[to]);
    let folder = if folder.is_empty() { String::new() } else { format!("/{}", folder.replace("::", "/")) };
    Violation {
        wall: "cycles",
        path: first.map_or_else(String::new, |import| import.path.clone()),
        line: first.map_or(0, |import| import.line),
        what: format!(
            "one of {} files of {}/src{folder} that import each other: imports {}",
            members.len(),
            of.folder,
            of_cycle.join(", ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(files: &[(&str, &str)]) -> Vec<String> {
        let violations = check_crate(&Crate::planted("goemu", files));
        violations.into_iter().map(|violation| violation.path).collect()
    }

    #[test]
    fn a_cycle_between_folders_is_found() {
        let there = ("src/cpu/flags.rs", "use crate::machine::run::go;");
        let back = ("src/machine/run.rs", "use crate::cpu::flags::Flags;");
        let files = [("src/cpu.rs", ""), ("src/machine.rs", ""), there, back];
        assert_eq!(found(&files), ["src/cpu/flags.rs", "src/machine/run.rs"]);
        assert_eq!(found(&files[..3]), [""; 0], "one way only");
    }

    #[test]
    fn a_cycle_through_a_third_is_found() {
        let a = ("src/a.rs", "use crate::b;");
        let b = ("src/b.rs", "pub use crate::c::d::D;");
        let d = ("src/c/d.rs", "fn f() { crate::a::f() }");
        assert_eq!(found(&[a, b, ("src/c.rs", ""), d]).len(), 3);
    }

    #[test]
    fn a_table_and_its_rows_may_import_each_other() {
        let table = ("src/go/table.rs", "use self::row::R;");
        let row = ("src/go/table/row.rs", "use super::Entry; use super::other;");
        let other = ("src/go/table/other.rs", "use super::row;");
        assert_eq!(found(&[("src/go.rs", "use self::table::T;"), table, row, other]), [""; 0]);
    }

    #[test]
    fn a_cycle_beside_the_folders_own_file_is_found() {
        let go = ("src/go.rs", "use self::a::b::A; use self::c::C;");
        let a = ("src/go/a/b.rs", "use super::super::Go; use crate::go::c::C;");
        let c = |text| ("src/go/c.rs", text);
        assert_eq!(found(&[go, ("src/go/a.rs", ""), a, c("use super::Go;")]), [""; 0]);
        assert_eq!(
            found(&[go, ("src/go/a.rs", ""), a, c("use super::a::b::A;")]),
            ["src/go/a/b.rs", "src/go/c.rs"]
        );
    }

    #[test]
    fn files_beside_each_other_may_and_a_folder_between_them_may_not() {
        let names = ("src/go/names.rs", "use super::table;");
        let back = "use crate::go::names;";
        let go = ("src/go.rs", "mod names; mod table;");
        assert_eq!(found(&[go, names, ("src/go/table.rs", back)]), [""; 0]);
        let table = ("src/go/table.rs", "use self::row::R;");
        assert_eq!(found(&[go, names, table, ("src/go/table/row.rs", back)]).len(), 3);
    }
}
