//! Readable cases of instructions: the rows of `testdata/insn/*.ins`, one reported test each.
//!
//! A row is `bytes | text | inputs => outputs`. Inputs and outputs are words such as `rax=0x10`, `xmm1=0x3`,
//! `ymm1h=0x0` (the upper lane), `mxcsr=0x1f80`, `st0=0x3fff8000000000000000`, `fcw`, `fsw`, `full` (a bit a register of
//! the x87 unit), `jumped=1` (to 60h or 900h bytes behind the instruction's address), `[0x10001000]=01ff` (bytes in memory order), `flags=CF,ZF` (those
//! set; all others are clear) and `fault=#DE`. What the outputs do not name must not change; `any=AF` names flags
//! that the manual leaves undefined. `UPDATE_EXPECT=1` writes what the processor does as the outputs. Rows of
//! instructions that the processor lacks are checked on goemu alone, and marked `[goemu only]`.
#![cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), allow(unused))]

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
fn main() {
    rows::main();
}

#[cfg(not(all(target_arch = "x86_64", target_os = "linux")))]
fn main() {}

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
mod rows {
    use std::{fmt::Write as _, fs, path::PathBuf};

    use goemu::disasm::go_syntax;
    use goemu_tests::{
        host::{host_has, say},
        native::{CODE, Native, State, Trap, WINDOW, WINDOW_SIZE},
        oracle::engines,
        vendor::RULES,
    };
    use libtest_mimic::{Arguments, Failed, Trial};

    const GPRS: [&str; 16] = [
        "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13",
        "r14", "r15",
    ];
    const FLAGS: [(&str, u64); 7] =
        [("CF", 1), ("PF", 4), ("AF", 0x10), ("ZF", 0x40), ("SF", 0x80), ("DF", 0x400), ("OF", 0x800)];
    const FAULTS: [(&str, u8); 7] =
        [("#DE", 0), ("#BP", 3), ("#UD", 6), ("#GP", 13), ("#PF", 14), ("#MF", 16), ("#XM", 19)];

    type Result<T> = std::result::Result<T, String>;

    /// A row: what is run, and the words on both sides.
    struct Row {
        code: Vec<u8>,
        bytes: String,
        head: String,
        inputs: String,
        outputs: String,
    }

    pub(super) fn main() {
        let arguments = Arguments::from_args();
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../testdata/insn");
        let mut files: Vec<PathBuf> = fs::read_dir(&folder)
            .expect("testdata/insn is there")
            .map(|entry| entry.expect("it can be read").path())
            .collect();
        files.sort();
        if std::env::var_os("UPDATE_EXPECT").is_some() {
            files.iter().for_each(bless);
        }
        let trials = files.iter().flat_map(trials).collect();
        libtest_mimic::run(&arguments, trials).exit();
    }

    fn trials(file: &PathBuf) -> Vec<Trial> {
        let text = fs::read_to_string(file).expect("a row file can be read");
        let family = file.file_stem().expect("it has a name").to_string_lossy().into_owned();
        let numbered =
            text.lines().enumerate().filter(|(_, line)| !line.is_empty() && !line.starts_with('#'));
        numbered
            .map(|(at, line)| {
                let (line, family) = (line.to_owned(), family.clone());
                let name = line.split('|').nth(1).unwrap_or("?").trim().to_owned();
                let kind = if parse(&line).is_ok_and(|row| !asked(&row)) { "goemu only" } else { "" };
                Trial::test(format!("{family}:{} {name}", at + 1), move || check(&line).map_err(Failed::from))
                    .with_kind(kind)
            })
            .collect()
    }

    /// Whether the processor is asked: it has the instructions of a row.
    fn asked(row: &Row) -> bool {
        instructions(row).all(|insn| insn.is_invalid() || host_has(insn.code()))
    }

    fn instructions(row: &Row) -> impl Iterator<Item = iced_x86::Instruction> {
        iced_x86::Decoder::with_ip(64, &row.code, CODE, 0).into_iter()
    }

    /// Whether processors differ in a row.
    fn differ(row: &Row, before: &State) -> bool {
        instructions(row).any(|insn| RULES.iter().any(|rule| (rule.covers)(&insn, before)))
    }

    fn parse(line: &str) -> Result<Row> {
        let mut parts = line.splitn(3, '|');
        let (bytes, text, states) = (parts.next().unwrap_or(""), parts.next(), parts.next());
        let (Some(text), Some(states)) = (text, states) else { return Err("a row has three parts".into()) };
        let (inputs, outputs) = states.split_once("=>").ok_or("a row has inputs => outputs")?;
        let code =
            bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).map_err(|e| e.to_string()));
        Ok(Row {
            code: code.collect::<Result<_>>()?,
            bytes: bytes.trim().to_owned(),
            head: format!("{} | {}", bytes.trim(), text.trim()),
            inputs: inputs.trim().to_owned(),
            outputs: outputs.trim().to_owned(),
        })
    }

    /// The instruction in Go's syntax.
    fn text(code: &[u8]) -> String {
        let insn = iced_x86::Decoder::with_ip(64, code, CODE, 0).decode();
        go_syntax(&insn, code, &())
    }

    /// Both runs, with all flags clear and all set before, give what the row says.
    fn check(line: &str) -> Result<()> {
        let row = parse(line)?;
        let text = text(&row.code);
        if !row.head.ends_with(&format!("| {text}")) {
            return Err(format!("the bytes are {text}"));
        }
        let named = row.inputs.contains("flags=");
        for flags in if named { vec![0] } else { vec![0, 0x8d5] } {
            let mut before = State { rflags: flags, ..poisoned() };
            apply(&mut before, &row.inputs)?;
            if asked(&row) {
                let mut native = before.clone();
                let result = Native::lock().run(&row.code, &mut native);
                match expect(&row, &before, &result, &native) {
                    Err(other) if differ(&row, &before) => {
                        say(&format!("{}: this processor does something else, as may be: {other}", row.head));
                    }
                    agrees => agrees.map_err(|e| format!("processor: {e}"))?,
                }
            }
            for (engine, mut emulated) in engines() {
                let mut after = before.clone();
                emulated.place(&row.code);
                let result = emulated.run(&mut after);
                expect(&row, &before, &result, &after).map_err(|e| format!("{engine}: {e}"))?;
            }
        }
        Ok(())
    }

    fn poisoned() -> State {
        let gpr = std::array::from_fn(|n| 0xbadc_0ffe_e0dd_f000 + n as u64);
        State { gpr, ymm: std::array::from_fn(|n| [!0 << n, 0x5555 << n]), ..State::default() }
    }

    fn number(text: &str) -> Result<u128> {
        let parsed = match text.strip_prefix("0x") {
            Some(hex) => u128::from_str_radix(hex, 16),
            None => text.parse(),
        };
        parsed.map_err(|e| format!("{text}: {e}"))
    }

    fn flags(text: &str) -> Result<u64> {
        text.split(',').filter(|name| !name.is_empty()).try_fold(0, |all, name| {
            let flag = FLAGS.iter().find(|(known, _)| *known == name).ok_or(format!("no flag {name}"))?;
            Ok(all | flag.1)
        })
    }

    /// Puts the words into a state.
    fn apply(state: &mut State, words: &str) -> Result<()> {
        for word in words.split_whitespace() {
            let (place, value) = word.split_once('=').ok_or(format!("{word}: no value"))?;
            if let Some(n) = GPRS.iter().position(|name| *name == place) {
                state.gpr[n] = number(value)? as u64;
            } else if let Some(n) = place.strip_prefix("xmm") {
                lane(state, n, 0, number(value)?)?;
            } else if let Some(n) = place.strip_prefix("ymm").and_then(|n| n.strip_suffix('h')) {
                lane(state, n, 1, number(value)?)?;
            } else if let Some(n) = place.strip_prefix("st").and_then(|n| n.parse::<usize>().ok()) {
                *state.x87.st.get_mut(n).ok_or("there are 8 x87 registers")? = number(value)?;
            } else if let Some(address) = place.strip_prefix('[') {
                memory(state, address.trim_end_matches(']'), value)?;
            } else {
                match place {
                    "flags" => state.rflags = flags(value)?,
                    "mxcsr" => state.mxcsr = number(value)? as u32,
                    "fcw" => state.x87.control = number(value)? as u16,
                    "fsw" => state.x87.status = number(value)? as u16,
                    "full" => state.x87.tags = number(value)? as u8,
                    "jumped" => state.jumped = number(value)? != 0,
                    "any" | "fault" => {}
                    _ => return Err(format!("no place {place}")),
                }
            }
        }
        Ok(())
    }

    fn lane(state: &mut State, n: &str, lane: usize, value: u128) -> Result<()> {
        let n: usize = n.parse().map_err(|_| format!("no vector register {n}"))?;
        state.ymm.get_mut(n).ok_or("there are 16 vector registers")?[lane] = value;
        Ok(())
    }

    fn memory(state: &mut State, address: &str, value: &str) -> Result<()> {
        let start = number(address)?.wrapping_sub(WINDOW.into()) as usize;
        for (i, pair) in value.as_bytes().chunks(2).enumerate() {
            let pair = std::str::from_utf8(pair).map_err(|e| e.to_string())?;
            *state.mem.get_mut(start + i).ok_or("outside the window")? =
                u8::from_str_radix(pair, 16).map_err(|e| e.to_string())?;
        }
        Ok(())
    }

    fn word<'a>(words: &'a str, name: &str) -> Option<&'a str> {
        words.split_whitespace().find_map(|word| word.strip_prefix(name))
    }

    fn expect(
        row: &Row,
        before: &State,
        result: &std::result::Result<(), Trap>,
        after: &State,
    ) -> Result<()> {
        let fault =
            FAULTS.iter().find(|(name, _)| word(&row.outputs, "fault=") == Some(name)).map(|(_, v)| *v);
        if result.err().map(|trap| trap.vector) != fault {
            return Err(format!("the outcome is {result:?}"));
        }
        let mut want = before.clone();
        apply(&mut want, &row.outputs)?;
        let open = word(&row.outputs, "any=").map_or(Ok(0), flags)?;
        want.rflags = want.rflags & !open | after.rflags & open;
        if *after == want { Ok(()) } else { Err(format!("after it: {}", words(before, after, 0))) }
    }

    /// What changed, as words.
    fn words(before: &State, after: &State, open: u64) -> String {
        let mut text = String::new();
        for (n, name) in GPRS.iter().enumerate() {
            if before.gpr[n] != after.gpr[n] {
                let _ = write!(text, "{name}={:#x} ", after.gpr[n]);
            }
            if before.ymm[n][0] != after.ymm[n][0] {
                let _ = write!(text, "xmm{n}={:#x} ", after.ymm[n][0]);
            }
            if before.ymm[n][1] != after.ymm[n][1] {
                let _ = write!(text, "ymm{n}h={:#x} ", after.ymm[n][1]);
            }
        }
        if before.mxcsr != after.mxcsr {
            let _ = write!(text, "mxcsr={:#x} ", after.mxcsr);
        }
        text += &x87_words(before, after);
        if before.jumped != after.jumped {
            let _ = write!(text, "jumped={} ", u8::from(after.jumped));
        }
        let changed: Vec<usize> = (0..WINDOW_SIZE).filter(|&i| before.mem[i] != after.mem[i]).collect();
        if let (Some(first), Some(last)) = (changed.first(), changed.last()) {
            let bytes: String = after.mem[*first..=*last].iter().map(|byte| format!("{byte:02x}")).collect();
            let _ = write!(text, "[{:#x}]={bytes} ", WINDOW + *first as u64);
        }
        if (before.rflags ^ after.rflags) & !open != 0 {
            let set = FLAGS.iter().filter(|(_, flag)| after.rflags & flag & !open != 0);
            let _ = write!(text, "flags={} ", set.map(|(name, _)| *name).collect::<Vec<_>>().join(","));
        }
        text.trim_end().to_owned()
    }

    /// What changed of the x87 unit, as words.
    fn x87_words(before: &State, after: &State) -> String {
        let (before, after, mut text) = (&before.x87, &after.x87, String::new());
        for (n, value) in after.st.iter().enumerate().filter(|&(n, value)| before.st[n] != *value) {
            let _ = write!(text, "st{n}={value:#x} ");
        }
        let words = [
            ("fcw", before.control, after.control),
            ("fsw", before.status, after.status),
            ("full", before.tags.into(), after.tags.into()),
        ];
        for (name, _, value) in words.into_iter().filter(|(_, before, after)| before != after) {
            let _ = write!(text, "{name}={value:#x} ");
        }
        text
    }

    /// Rewrites a file with what the processor does.
    fn bless(file: &PathBuf) {
        let text = fs::read_to_string(file).expect("a row file can be read");
        let lines: Vec<String> =
            text.lines().map(|line| blessed(line).unwrap_or_else(|_| line.to_owned())).collect();
        fs::write(file, lines.join("\n") + "\n").expect("a row file can be written");
    }

    fn blessed(line: &str) -> Result<String> {
        if line.is_empty() || line.starts_with('#') {
            return Ok(line.to_owned());
        }
        let row = parse(line)?;
        if !asked(&row) {
            return Ok(line.to_owned());
        }
        let open = word(&row.outputs, "any=");
        let mask = open.map_or(Ok(0), flags)?;
        let run = |rflags| {
            let mut before = State { rflags, ..poisoned() };
            apply(&mut before, &row.inputs)?;
            let mut after = before.clone();
            let result = Native::lock().run(&row.code, &mut after);
            Ok::<_, String>((words(&before, &after, mask), result))
        };
        let ((clear, result), (set, _)) = (run(0)?, run(0x8d5)?);
        let fault = result.err().and_then(|trap| FAULTS.iter().find(|(_, v)| *v == trap.vector));
        // Flags that are written show as changed in one of the two runs at least.
        let mut outputs = if clear.contains("flags=") || !set.contains("flags=") { clear } else { set };
        if let Some((name, _)) = fault {
            outputs = format!("fault={name} {outputs}").trim_end().to_owned();
        }
        let open = open.map_or_else(String::new, |open| format!(" any={open}"));
        let (bytes, text) = (&row.bytes, text(&row.code));
        Ok(format!("{bytes} | {text} | {} => {outputs}{open}", row.inputs).trim_end().to_owned())
    }
}
