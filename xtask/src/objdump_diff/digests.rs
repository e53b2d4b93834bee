//! Digests of whole programs' listings, `testdata/disasm/digests-PROGRAM.txt`: what the tool printed of every
//! function, small enough to be checked in, so that tests compare entire programs without the tool.
//!
//! A line is the entry of a function, `=` or `~`, and a hash of its listing. `=` says that the tool printed that
//! listing, byte for byte. `~` says that ours differed from it, for reasons that [`goemu::disasm`] lists and no
//! other; the hash is then of ours.

use std::{fmt::Write, fs, path::Path, path::PathBuf};

use anyhow::{Context, Result};
use goemu::disasm::write_listing;
use goemu_loader::{Func, Image};
use sha2::{Digest as _, Sha256};

use crate::run;

/// The listing of one function.
pub(super) struct Digest {
    pub(super) entry: u64,
    /// Whether it is what the tool prints.
    pub(super) of_tool: bool,
    pub(super) hash: u32,
}

/// Our listing of a function, without the last line end.
pub(super) fn listing(image: &Image, func: &Func<'_>) -> Result<String> {
    let mut text = String::new();
    write_listing(&mut text, image, func)?;
    text.truncate(text.trim_end_matches('\n').len());
    Ok(text)
}

/// The first four bytes of its SHA-256: a change goes unseen once in four billion times.
pub(super) fn hash(listing: &str) -> u32 {
    Sha256::digest(listing).iter().take(4).fold(0, |hash, byte| hash << 8 | u32::from(*byte))
}

/// Records the digests of a program, which is known by its file name and its release of Go.
pub(super) fn write(binary: &Path, image: &Image, digests: &[Digest]) -> Result<()> {
    let file = binary.file_name().and_then(|name| name.to_str()).context("a path without a file name")?;
    let release = format!("-go1.{}", image.facts().version.minor);
    let name = file.strip_suffix(&release).unwrap_or(file).to_owned() + &release;
    let mut text = format!("# cargo xtask objdump-diff --digests: the listing of every function of {name}\n");
    for Digest { entry, of_tool, hash } in digests {
        writeln!(text, "{entry:x} {} {hash:08x}", if *of_tool { '=' } else { '~' })?;
    }
    let path = path(&name);
    fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))
}

fn path(name: &str) -> PathBuf {
    run::root().join(format!("testdata/disasm/digests-{name}.txt"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::toolchains;

    fn parse(line: &str) -> Option<Digest> {
        let mut cells = line.split(' ');
        let entry = u64::from_str_radix(cells.next()?, 16).ok()?;
        let of_tool = cells.next()? == "=";
        Some(Digest { entry, of_tool, hash: u32::from_str_radix(cells.next()?, 16).ok()? })
    }

    /// Compares every function of a program; most listings have to be the tool's own.
    fn check(binary: &Path, name: &str) {
        let image = Image::open(binary).unwrap();
        let digests = fs::read_to_string(path(name)).unwrap();
        let (mut equal, mut known, mut wrong) = (0, 0, Vec::new());
        for line in digests.lines().filter(|line| !line.starts_with('#')) {
            let digest = parse(line).unwrap_or_else(|| panic!("{name}: not a digest: {line}"));
            *if digest.of_tool { &mut equal } else { &mut known } += 1;
            match image.func_at(digest.entry).filter(|func| func.entry() == digest.entry) {
                None => wrong.push(line.to_owned()),
                Some(func) if hash(&listing(&image, &func).unwrap()) == digest.hash => {}
                Some(func) => wrong.push(func.name().to_owned()),
            }
        }
        println!("{name}: {equal} functions as the tool prints them, {known} that differ for known reasons");
        assert!(wrong.is_empty(), "{name}: {} listings differ: {wrong:?}", wrong.len());
        assert!(equal > 1800, "{name}: only {equal} functions are compared with the tool");
        assert!(known * 40 < equal, "{name}: {known} functions differ from the tool");
    }

    #[test]
    fn whole_programs_are_listed_as_the_tool_lists_them() {
        for name in ["corpus-go1.15", "corpus-go1.27"] {
            check(&run::root().join("testdata/bin").join(name), name);
        }
    }

    /// Go's own assembler, where the toolchains that have it are installed (`cargo xtask toolchains`).
    #[test]
    fn tools_of_go_are_listed_as_the_tool_lists_them() {
        for release in ["go1.23", "go1.27"] {
            let tool = toolchains::default_dir().join(release).join("pkg/tool/linux_amd64/asm");
            if tool.exists() {
                check(&tool, &format!("asm-{release}"));
            } else {
                println!("{release} is not installed");
            }
        }
    }
}
