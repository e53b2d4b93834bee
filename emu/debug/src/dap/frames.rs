//! Goroutines as threads, their calls as frames, values as variables, code.

use std::io::Write;

use goemu::go::locals::{Role, Variable};
use goemu::go::traceback::Elided;
use goemu::go::traceback::unwind::{Start, Unwinder};
use goemu::machine::GoroutineState;
use goemu::{Session, disasm};
use serde_json::{Value as Json, json};

use super::Adapter;

/// Frames of one goroutine that are numbered, and lists of variables of a frame.
const FRAMES: u64 = 1 << 20;
const REGISTERS: u64 = 1;
const ARGUMENTS: u64 = 2;
const LOCALS: u64 = 3;
/// Instructions of one answer.
const MAX_INSTRUCTIONS: u64 = 4096;

/// Names of the registers, by number.
const NAMES: [&str; 16] =
    ["AX", "CX", "DX", "BX", "SP", "BP", "SI", "DI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];

/// The number of the running goroutine.
pub(super) fn current(session: &Session<'_>) -> u64 {
    let machine = session.machine();
    let goid = machine.goroutine().g.wrapping_add(machine.image().facts().g.goid);
    machine.memory().read(goid).map_or(1, u64::from_le_bytes)
}

/// `0x45e1a0`
pub(super) fn address(text: &str) -> Option<u64> {
    u64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// The frame that the processor is in: its function's entry, the end of the frame, its line. `None` where nothing tells.
pub(super) fn here(session: &Session<'_>) -> Option<(u64, u64, u32)> {
    let machine = session.machine();
    let cpu = machine.cpu();
    let start = Start { pc: cpu.rip, sp: cpu.gpr(4), trap: true };
    let frame = Unwinder::new(machine.image(), machine.memory(), start).next()?;
    let line = frame.func.line_at(cpu.rip).map_or(0, |line| line.line);
    Some((frame.func.entry(), frame.fp, line))
}

impl<W: Write> Adapter<'_, W> {
    fn goroutines(&mut self) -> Vec<GoroutineState> {
        self.runner.session_mut().goroutines()
    }

    pub(super) fn threads(&mut self) -> Json {
        let goroutines = self.goroutines();
        let thread = |goroutine: &GoroutineState| {
            let name = format!("goroutine {} [{}]", goroutine.number, goroutine.status);
            json!({ "id": goroutine.number, "name": name })
        };
        json!({ "threads": goroutines.iter().map(thread).collect::<Vec<_>>() })
    }

    pub(super) fn stack_trace(&mut self, arguments: &Json) -> Result<Json, String> {
        let wanted = arguments["threadId"].as_u64().unwrap_or(1);
        let goroutines = self.goroutines();
        let goroutine = goroutines.iter().find(|goroutine| goroutine.number == wanted);
        let goroutine = goroutine.ok_or_else(|| format!("there is no goroutine {wanted}"))?;
        let stack = self.runner.session().machine().stack_of(goroutine, true);
        let frames = stack.goroutines.first().map_or(&[][..], |stack| &stack.frames);
        let from = arguments["startFrame"].as_u64().unwrap_or(0);
        let levels = arguments["levels"].as_u64().filter(|levels| *levels > 0).unwrap_or(u64::MAX);
        let shown = frames.iter().zip(0..).filter(|(_, n)| *n >= from && *n - from < levels);
        let list: Vec<Json> = shown
            .map(|(frame, n)| {
                let file = frame.line.file.as_str();
                let name = file.rsplit('/').next().unwrap_or(file);
                json!({
                    "id": wanted * FRAMES + n,
                    "name": format!("{}({})", frame.func, frame.args),
                    "source": { "name": name, "path": file },
                    "line": frame.line.line,
                    "column": 0,
                    "instructionPointerReference": format!("{:#x}", frame.pc),
                })
            })
            .collect();
        Ok(json!({ "stackFrames": list, "totalFrames": frames.len() }))
    }

    /// What there is to see of a frame: arguments and local variables of each, registers of the innermost one of the running goroutine.
    pub(super) fn scopes(&mut self, arguments: &Json) -> Json {
        let frame = arguments["frameId"].as_u64().unwrap_or(0);
        let scope = |name: &str, kind: u64, hint: &str| {
            let reference = (frame << 2 | kind) & ((1 << 53) - 1);
            json!({ "name": name, "presentationHint": hint, "variablesReference": reference, "expensive": false })
        };
        let mut scopes = vec![scope("Arguments", ARGUMENTS, "arguments"), scope("Locals", LOCALS, "locals")];
        if frame == current(self.runner.session()) * FRAMES {
            scopes.push(scope("Registers", REGISTERS, "registers"));
        }
        json!({ "scopes": scopes })
    }

    pub(super) fn variables(&mut self, arguments: &Json) -> Json {
        let reference = arguments["variablesReference"].as_u64().unwrap_or(0);
        let list = match reference & 3 {
            REGISTERS => self.registers(),
            LOCALS => self.written(reference >> 2, |role| role == Role::Local),
            _ => self.arguments(reference >> 2),
        };
        json!({ "variables": list })
    }

    fn registers(&self) -> Vec<Json> {
        let cpu = self.runner.session().machine().cpu();
        let variable =
            |name: String, value: String| json!({ "name": name, "value": value, "variablesReference": 0 });
        let general =
            NAMES.iter().zip(0_u8..).map(|(name, n)| (name.to_string(), format!("{:#x}", cpu.gpr(n))));
        let special = [("PC", cpu.rip), ("flags", cpu.rflags()), ("FS", cpu.fs_base), ("GS", cpu.gs_base)];
        let special = special.into_iter().map(|(name, value)| (name.to_owned(), format!("{value:#x}")));
        let vectors = cpu
            .ymm
            .iter()
            .enumerate()
            .map(|(n, [low, high])| (format!("X{n}"), format!("{high:#x}:{low:#x}")));
        general.chain(special).chain(vectors).map(|(name, value)| variable(name, value)).collect()
    }

    /// The variables of a frame that debug information tells of.
    fn written(&mut self, frame: u64, wanted: impl Fn(Role) -> bool) -> Vec<Json> {
        let (goroutine, mut number) = (frame / FRAMES, (frame % FRAMES) as usize);
        let goroutines = self.goroutines();
        let Some(goroutine) = goroutines.iter().find(|other| other.number == goroutine) else {
            return Vec::new();
        };
        let machine = self.runner.session().machine();
        // Of a long stack, calls in the middle are not among the frames.
        let elided = machine.stack_of(goroutine, true).goroutines.first().and_then(|stack| stack.elided);
        if let Some(Elided { after, count: Some(count) }) = elided.filter(|elided| elided.after <= number) {
            number = number.saturating_add(count as usize).max(after);
        }
        let variable = |name: &str, ty: &str, value: String| json!({ "name": name, "value": value, "type": ty, "variablesReference": 0 });
        match machine.locals_of(goroutine, number) {
            Ok(found) => {
                let shown = found.iter().filter(|variable| wanted(variable.role));
                let value = |of: &Variable| match &of.value {
                    Ok(value) => value.to_string(),
                    Err(missing) => format!("({missing})"),
                };
                shown.map(|of| variable(&of.name, &of.ty, value(of))).collect()
            }
            Err(error) => vec![variable("?", "", error.to_string())],
        }
    }

    /// The arguments of a frame. At a function's first instruction the signature tells them; later debug information does, and
    /// without it there are the words that Go prints in tracebacks.
    fn arguments(&mut self, frame: u64) -> Vec<Json> {
        let (goroutine, n) = (frame / FRAMES, (frame % FRAMES) as usize);
        let session = self.runner.session();
        if n == 0
            && goroutine == current(session)
            && let Some(arguments) = session.arguments_here()
        {
            let variable = |named: &goemu::outcome::NamedValue| {
                let name = if named.name.is_empty() { "_" } else { &named.name };
                json!({ "name": name, "value": named.value.to_string(), "type": named.ty.to_string(), "variablesReference": 0 })
            };
            return arguments.iter().map(variable).collect();
        }
        let written = self.written(frame, |role| role != Role::Local);
        if !written.is_empty() {
            return written;
        }
        let goroutines = self.goroutines();
        let Some(goroutine) = goroutines.iter().find(|other| other.number == goroutine) else {
            return Vec::new();
        };
        let stack = self.runner.session().machine().stack_of(goroutine, true);
        let frame = stack.goroutines.first().and_then(|stack| stack.frames.get(n));
        let words = frame.map_or("", |frame| frame.args.as_str());
        if words.is_empty() {
            return Vec::new();
        }
        vec![json!({ "name": "words", "value": words, "variablesReference": 0 })]
    }

    pub(super) fn disassemble(&mut self, arguments: &Json) -> Result<Json, String> {
        let reference =
            arguments["memoryReference"].as_str().and_then(address).ok_or("an address is wanted")?;
        let at = reference.wrapping_add_signed(arguments["offset"].as_i64().unwrap_or(0));
        let skip = arguments["instructionOffset"].as_i64().unwrap_or(0);
        let count = arguments["instructionCount"].as_u64().unwrap_or(1).min(MAX_INSTRUCTIONS);
        let image = self.runner.session().machine().image().clone();
        let Some(func) = image.func_at(at) else { return Err(format!("no function at {at:#x}")) };
        let lines: Vec<_> = disasm::disassemble(&image, &func).collect();
        let here = lines.iter().position(|line| line.address >= at).unwrap_or(0) as i64;
        let instruction = |n: i64| {
            let line = usize::try_from(n).ok().and_then(|n| lines.get(n));
            match line {
                Some(line) => json!({
                    "address": format!("{:#x}", line.address),
                    "instruction": line.text,
                    "symbol": func.name(),
                    "line": line.source.map(|source| source.line),
                    "location": line.source.map(|source| json!({ "path": source.file })),
                }),
                // As many are wanted as were asked for.
                None => json!({ "address": "0x0", "instruction": "?", "presentationHint": "invalid" }),
            }
        };
        let list: Vec<Json> = (0..count as i64).map(|n| instruction(here + skip + n)).collect();
        Ok(json!({ "instructions": list }))
    }

    /// A register, or what is at an address: `AX`, `0xc000012345`.
    pub(super) fn evaluate(&mut self, arguments: &Json) -> Result<Json, String> {
        let expression = arguments["expression"].as_str().unwrap_or_default().trim();
        let registers = self.registers();
        let found = registers.iter().find(|register| register["name"] == expression);
        let value = match found {
            Some(register) => register["value"].as_str().unwrap_or_default().to_owned(),
            None => {
                let at = address(expression).ok_or("a register or an address is wanted: AX, 0xc000012345")?;
                let memory = self.runner.session().machine().memory();
                let word = memory
                    .read(at)
                    .map(u64::from_le_bytes)
                    .map_err(|_| format!("no readable memory at {at:#x}"))?;
                format!("{word:#x}")
            }
        };
        Ok(json!({ "result": value, "variablesReference": 0 }))
    }
}
