//! Which files may be named (Landlock).

use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, PathBeneath, PathFd, Ruleset, RulesetAttr, RulesetCreated,
    RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
};

use super::{Needs, Sockets};

/// The newest that is known of. A kernel that knows less does what it can.
const KNOWN: ABI = ABI::V6;

/// Lets this thread and those that it starts do nothing else with files, sockets and other processes.
/// `false` where the kernel knows no such limits.
pub(super) fn restrict(needs: &Needs) -> Result<bool, RulesetError> {
    let mut ruleset = Ruleset::default().handle_access(AccessFs::from_all(KNOWN))?;
    if needs.sockets < Sockets::Connect {
        ruleset = ruleset.handle_access(AccessNet::from_all(KNOWN))?;
    }
    let mut ruleset = ruleset.scope(Scope::from_all(KNOWN))?.create()?;
    for path in &needs.reads {
        allow(&mut ruleset, path, reading());
    }
    for path in &needs.writes {
        match path.exists() {
            true => allow(&mut ruleset, path, writing()),
            false => allow(&mut ruleset, folder_of(path), writing() | AccessFs::MakeReg),
        }
    }
    for path in &needs.folders {
        let there = path.ancestors().find(|path| path.exists()).unwrap_or(Path::new("."));
        allow(&mut ruleset, there, reading() | changing());
    }
    Ok(ruleset.restrict_self()?.ruleset != RulesetStatus::NotEnforced)
}

/// What cannot be allowed stays forbidden, and the command says so when it opens it.
fn allow(ruleset: &mut RulesetCreated, path: &Path, access: BitFlags<AccessFs>) {
    if let Ok(path) = PathFd::new(path) {
        let _ = ruleset.add_rule(PathBeneath::new(path, access));
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn reading() -> BitFlags<AccessFs> {
    AccessFs::ReadFile | AccessFs::ReadDir
}

fn writing() -> BitFlags<AccessFs> {
    AccessFs::WriteFile | AccessFs::Truncate
}

fn changing() -> BitFlags<AccessFs> {
    let entries = AccessFs::MakeReg | AccessFs::MakeDir | AccessFs::MakeSym;
    let removed = AccessFs::RemoveFile | AccessFs::RemoveDir | AccessFs::Refer;
    writing() | entries | removed
}
