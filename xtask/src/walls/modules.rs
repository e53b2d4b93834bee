//! Which modules of a crate may import which, where ARCHITECTURE.md says so.

use std::collections::BTreeSet;

use super::{
    Violation,
    imports::{Target, imports},
    workspace::{Crate, is_within},
};

/// A module with all below it, and the only modules and crates that it may import.
struct Rule {
    of: &'static str,
    module: &'static str,
    may: &'static [&'static str],
    why: &'static str,
}

const RULES: [Rule; 10] = [
    x86("cpu", &["alu", "goemu_memory"], "the processor's state knows nothing above it"),
    x86("alu", &["cpu"], "alu is pure: numbers in, numbers and flags out"),
    x86("decode", &["goemu_memory"], "the decoder sees bytes only"),
    x86(
        "engine",
        &["goemu_memory", "coverage", "cpu", "decode", "exit"],
        "an engine is memory, a processor and code",
    ),
    x86(
        "interp",
        &["goemu_memory", "cpu", "alu", "decode", "exit", "engine", "coverage"],
        "instruction handlers see registers and memory",
    ),
    library("disasm", &["goemu_loader"], "text is made of instructions and names alone"),
    library(
        "go",
        &["disasm", "error", "outcome", "goemu_loader", "goemu_memory", "goemu_x86"],
        "Go is known without a machine",
    ),
    library(
        "guest",
        &["go", "error", "goemu_loader", "goemu_memory", "goemu_x86"],
        "the guest's state is data",
    ),
    library(
        "os",
        &["error", "go", "guest", "hook", "outcome", "goemu_loader", "goemu_memory", "goemu_x86"],
        "system calls are answered without the machine",
    ),
    library(
        "runtime",
        &[
            "disasm",
            "error",
            "go",
            "guest",
            "hook",
            "observe",
            "os",
            "outcome",
            "goemu_loader",
            "goemu_memory",
            "goemu_x86",
        ],
        "hooks see the guest, not the machine",
    ),
];

const fn library(module: &'static str, may: &'static [&'static str], why: &'static str) -> Rule {
    Rule { of: "goemu", module, may, why }
}

const fn x86(module: &'static str, may: &'static [&'static str], why: &'static str) -> Rule {
    Rule { of: "goemu-x86", module, may, why }
}

pub(super) fn check(crates: &[Crate]) -> Vec<Violation> {
    let idents: BTreeSet<String> = crates.iter().map(Crate::ident).collect();
    crates.iter().flat_map(|of| check_crate(of, &RULES, &idents)).collect()
}

fn check_crate(of: &Crate, rules: &[Rule], idents: &BTreeSet<String>) -> Vec<Violation> {
    let rules: Vec<&Rule> = rules.iter().filter(|rule| rule.of == of.name).collect();
    if rules.is_empty() {
        return Vec::new();
    }
    let found = imports(of, idents);
    let mut violations: Vec<Violation> = rules.iter().filter_map(|rule| without_file(of, rule)).collect();
    for import in found {
        for rule in rules.iter().filter(|rule| is_within(&import.from, rule.module)) {
            let (to, is_allowed) = match &import.to {
                Target::Module(to) => {
                    // The crate's root is below none.
                    let is_below = |module: &str| !to.is_empty() && is_within(to, module);
                    (to, is_below(rule.module) || rule.may.iter().any(|may| is_below(may)))
                }
                Target::Crate(ident) => (ident, rule.may.contains(&ident.as_str())),
            };
            if !is_allowed {
                let to = if to.is_empty() { "the crate's root" } else { to };
                violations.push(Violation {
                    wall: "modules",
                    path: import.path.clone(),
                    line: import.line,
                    what: format!("{} may not import {to}: {}", rule.module, rule.why),
                });
            }
        }
    }
    violations
}

/// A rule for a module that is not there checks nothing.
fn without_file(of: &Crate, rule: &Rule) -> Option<Violation> {
    let is_there =
        of.files.iter().any(|file| file.module.as_deref().is_some_and(|m| is_within(m, rule.module)));
    (!is_there).then(|| Violation {
        wall: "modules",
        path: of.folder.clone(),
        line: 0,
        what: format!("the table of modules has a row for {}, which is not there", rule.module),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULE: Rule = Rule { of: "goemu", module: "alu", may: &["cpu", "goemu_memory"], why: "" };

    fn found(text: &str) -> Vec<String> {
        let files = [
            ("src/alu/add.rs", text),
            ("src/cpu.rs", ""),
            ("src/hook.rs", "use crate::alu;"),
            ("src/lib.rs", ""),
        ];
        let idents = BTreeSet::from(["goemu_memory".to_owned(), "goemu_loader".to_owned()]);
        let violations = check_crate(&Crate::planted("goemu", &files), &[RULE], &idents);
        violations.into_iter().map(|violation| violation.what).collect()
    }

    #[test]
    fn an_import_over_the_wall_is_found() {
        assert_eq!(found("use crate::cpu; use super::add; use goemu_memory::Perm; use std::fmt;"), [""; 0]);
        assert_eq!(found("fn f() { crate::hook::g() }"), ["alu may not import hook: "]);
        assert_eq!(found("use goemu_loader::Image;"), ["alu may not import goemu_loader: "]);
        assert_eq!(found("use crate::Machine;"), ["alu may not import the crate's root: "]);
    }

    #[test]
    fn a_rule_without_a_module_is_found() {
        assert_eq!(check_crate(&Crate::planted("goemu", &[]), &[RULE], &BTreeSet::new()).len(), 1);
    }
}
