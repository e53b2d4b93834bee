//! What is to be seen of memory when a run is over: options of `call` and `run`.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, bail};
use goemu::location::{locate, number};
use goemu::memory::Memory;
use goemu::reverse::memory_watch::{MAX_BYTES, MemoryWatch, Write};
use goemu::{Image, Machine};
use serde_json::{Value as Json, json};

use crate::{output, traceback};

/// The most that is written to a file.
const MAX_DUMP: u64 = 1 << 30;

#[derive(clap::Args)]
pub(crate) struct Looking {
    /// Write memory to a file when the run is over: 'main.table+256=table.bin', '0xc000010000+0x40=obj'
    #[arg(long, value_name = "ADDR+LEN=FILE")]
    dump: Vec<String>,
    /// Tell who changes these bytes, with the calls that it is in: 'main.count+8'
    #[arg(long, value_name = "ADDR+LEN")]
    watch_mem: Vec<String>,
}

/// What was asked for of one run.
pub(crate) struct Looks {
    dumps: Vec<(u64, u64, PathBuf)>,
    watches: Vec<MemoryWatch>,
}

impl Looking {
    /// The first of these options that was given.
    pub(crate) fn wanted(&self) -> Option<&'static str> {
        let given = [("--dump", !self.dump.is_empty()), ("--watch-mem", !self.watch_mem.is_empty())];
        given.into_iter().find(|(_, given)| *given).map(|(option, _)| option)
    }

    /// The files that memory is written to.
    pub(crate) fn files(&self) -> impl Iterator<Item = &Path> {
        self.dump.iter().filter_map(|text| Some(Path::new(text.rsplit_once('=')?.1)))
    }

    /// Lets this machine's next run be watched.
    pub(crate) fn begin(&self, machine: &mut Machine) -> Result<Looks> {
        let image = machine.image().clone();
        let dumps = self.dump.iter().map(|text| dump(&image, text).with_context(|| format!("--dump {text}")));
        let dumps = dumps.collect::<Result<Vec<_>>>()?;
        let watch = |text: &String| {
            let (addr, len) = range(&image, text)?;
            if len > MAX_BYTES {
                bail!("at most {MAX_BYTES} bytes can be watched");
            }
            Ok(MemoryWatch::new(addr..addr.saturating_add(len)))
        };
        let watches =
            self.watch_mem.iter().map(|text| watch(text).with_context(|| format!("--watch-mem {text}")));
        let watches = watches.collect::<Result<Vec<_>>>()?;
        watches.iter().for_each(|watch| machine.observe(watch.observer()));
        Ok(Looks { dumps, watches })
    }
}

impl Looks {
    /// Writes what is to be written.
    pub(crate) fn dump(&self, memory: &Memory) -> Result<()> {
        self.dumps.iter().try_for_each(|(addr, len, path)| write(memory, *addr, *len, path))
    }

    /// Tells on standard error who has written.
    pub(crate) fn tell(&self) {
        for watch in &self.watches {
            let writes = watch.writes();
            writes.iter().for_each(|write| output::say(&output::escaped_lines(&text(write))));
            if watch.count() > writes.len() as u64 {
                output::note(&format!("{} more writes are not shown", watch.count() - writes.len() as u64));
            }
            if writes.is_empty() {
                output::note("nothing has changed what is watched");
            }
        }
    }

    /// The writes; none where nothing was watched.
    pub(crate) fn object(&self) -> Option<Json> {
        let object = |write: &Write| {
            json!({
                "address": format!("{:#x}", write.addr),
                "before": hex(&write.before, ""),
                "after": hex(&write.after, ""),
                "pc": format!("{:#x}", write.pc),
                "place": write.place,
                "by_instruction": write.by_instruction,
                "stack": traceback::stack(&write.stack),
            })
        };
        let all =
            || self.watches.iter().flat_map(|watch| watch.writes().iter().map(object).collect::<Vec<_>>());
        (!self.watches.is_empty()).then(|| all().collect())
    }
}

fn dump(image: &Image, text: &str) -> Result<(u64, u64, PathBuf)> {
    let (place, path) = text.rsplit_once('=').filter(|(_, path)| !path.is_empty()).ok_or_else(wanted)?;
    let (addr, len) = range(image, place)?;
    if len > MAX_DUMP {
        bail!("at most {MAX_DUMP} bytes can be written");
    }
    Ok((addr, len, path.into()))
}

fn wanted() -> anyhow::Error {
    anyhow!("ADDR+LEN=FILE is wanted, as in 0xc000010000+0x40=out.bin")
}

/// `ADDR+LEN`: the length is behind the last sign.
fn range(image: &Image, text: &str) -> Result<(u64, u64)> {
    let parts = text.rsplit_once('+').and_then(|(place, len)| Some((place, number(len)?)));
    let (place, len) = parts.ok_or_else(|| anyhow!("ADDR+LEN is wanted, as in main.table+256"))?;
    if len == 0 {
        bail!("no bytes are asked for");
    }
    Ok((locate(image, place)?, len))
}

fn write(memory: &Memory, addr: u64, len: u64, path: &Path) -> Result<()> {
    let what = || format!("--dump {addr:#x}+{len:#x}={}", path.display());
    let mut bytes = vec![0; usize::try_from(len)?];
    if memory.read_bytes(addr, &mut bytes).is_err() {
        return Err(anyhow!("not all of this is memory that can be read").context(what()));
    }
    fs::write(path, bytes).with_context(what)
}

/// A write and the calls that it is in.
fn text(write: &Write) -> String {
    let by = if write.by_instruction { "" } else { "before " };
    let (before, after) = (hex(&write.before, " "), hex(&write.after, " "));
    let head = format!("{:#x}: {before} -> {after}, {by}{:#x} ({})", write.addr, write.pc, write.place);
    format!("{head}\n{}", write.stack)
}

fn hex(bytes: &[u8], between: &str) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(between)
}
