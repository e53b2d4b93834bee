//! What an unrecovered panic prints, frame by frame, against what Go itself printed for every build.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::sync::Arc;

use goemu::go::traceback::Stack;
use goemu::hook::{Action, HookContext};
use goemu::machine::Config;
use goemu::outcome::Runtime;
use goemu::{Image, Machine, Outcome};
use goemu_tests::fixtures::{binary, present, releases, testdata};
use goemu_tests::table::Build;

/// Programs, heaps and stacks begin here: words from here on are pointers, which no two runs share.
const POINTERS: u64 = 0x40_0000;

/// A call and the frames that Go printed of it.
struct Recorded<'a> {
    func: &'a str,
    args: Vec<&'a str>,
    frames: &'a str,
}

fn recorded(text: &str) -> impl Iterator<Item = Recorded<'_>> {
    text.split("== ").skip(1).map(|case| {
        let (call, frames) = case.split_once('\n').unwrap();
        let mut columns = call.split('\t');
        let func = columns.next().unwrap();
        Recorded { func, args: columns.filter(|arg| !arg.is_empty()).collect(), frames }
    })
}

/// A traceback without what no two runs share: pointers, and words that the compiler does not vouch for.
fn comparable(frames: &str, version: u16) -> String {
    let lines: Vec<&str> = frames.lines().collect();
    let count = lines.len();
    let line = |(number, line): (usize, &&str)| {
        let Some((name, args)) = line.rsplit_once('(').filter(|_| !line.starts_with('\t')) else {
            return (*line).to_owned();
        };
        // Up to Go 1.16 results are shown as well. Those of the outermost call lie in its caller's frame, which
        // is Go's harness in one run and nothing in the other.
        if version < 17 && number + 2 == count {
            return name.to_owned();
        }
        let words = args.split_inclusive([' ', ',', '{', '}', ')']);
        format!("{name}({}", words.map(word).collect::<String>())
    };
    lines.iter().enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn word(text: &str) -> String {
    let digits = text.trim_start_matches("0x");
    let number = digits.len() < text.len();
    let end = digits.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(digits.len());
    let (digits, rest) = digits.split_at(end);
    match u64::from_str_radix(digits, 16) {
        Ok(_) if number && rest.starts_with('?') => rest.to_owned(),
        Ok(value) if number && (POINTERS..1 << 48).contains(&value) => format!("pointer{rest}"),
        _ => text.to_owned(),
    }
}

fn found(build: &Build, whole: &Build, case: &Recorded<'_>) -> Result<Stack, String> {
    let mut machine = build.machine();
    let say = |error: goemu::Error| error.to_string();
    let call = machine.call(case.func).map_err(say)?;
    let signature = whole.signature(case.func).ok_or("no signature")?;
    let report = call.signature(&signature).map_err(say)?.literals(&case.args).map_err(say)?.run();
    let outcome = report.map_err(say)?.outcome;
    let traceback = outcome.traceback().ok_or_else(|| outcome.to_string())?;
    Ok(traceback.goroutines[0].clone())
}

/// The calls of one build whose frames are not those that Go printed.
fn wrong(build: &str, text: &str) -> Vec<String> {
    let whole = Build::new(build.trim_end_matches("-stripped"));
    let build = Build::new(build);
    let differs = |case: Recorded<'_>| {
        let native = comparable(case.frames, build.version);
        let ours = found(&build, &whole, &case).map(|stack| {
            let text = stack.to_string();
            comparable(text.split_once('\n').unwrap().1, build.version)
        });
        let ours = ours.unwrap_or_else(|error| format!("error: {error}"));
        let call = format!("{} {}({})", build.name, case.func, case.args.join(", "));
        (ours != native).then(|| format!("{call}\nnative:\n{native}\ngoemu:\n{ours}"))
    };
    recorded(text).filter_map(differs).collect()
}

#[test]
fn frames_are_those_that_go_prints() {
    let (mut all, mut builds) = (Vec::new(), 0);
    for entry in fs::read_dir(testdata("native/tracebacks")).unwrap() {
        let path = entry.unwrap().path();
        let build = path.file_stem().unwrap().to_str().unwrap();
        if present([build]).is_empty() {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        assert!(recorded(&text).count() > 30, "{}", path.display());
        builds += 1;
        all.extend(wrong(build, &text));
    }
    assert!(builds >= 6, "only {builds} builds");
    assert!(all.is_empty(), "{} wrong\n{}", all.len(), all.join("\n\n"));
}

/// A fatal error as a machine shows it: what was printed before, the text, and the stacks without what no two runs share.
fn fatal(machine: &mut Machine, version: u16, func: &str, args: &[&str]) -> String {
    let report = machine.call(func).unwrap().literals(args).unwrap().run().unwrap();
    let (said, stacks) = match report.outcome {
        Outcome::Exited { fatal: Some(fatal), .. } => (fatal.text, fatal.traceback.goroutines),
        Outcome::Deadlock(traceback) => ("deadlock".to_owned(), traceback.goroutines),
        other => panic!("{func}: {other}"),
    };
    let mut text = String::from_utf8_lossy(&report.stderr).trim().to_owned() + "\n" + &said + "\n";
    for mut stack in stacks {
        // The system's goroutines are there in a started program only. Of those of the call's, the first stands on
        // `runtime.main` there.
        stack.frames.retain(|frame| !matches!(&*frame.func, "runtime.main" | "runtime.goexit"));
        let system = |name: &str| name.starts_with("runtime.") && name != "runtime.throw";
        if !stack.frames.iter().all(|frame| system(&frame.func)) {
            text += &comparable(&stack.to_string(), version);
        }
    }
    if text.contains("stack overflow") { deep(&text) } else { text }
}

/// A stack that was used up, without what follows from how large and where it was.
fn deep(text: &str) -> String {
    let line = |line: &str| match line.split_once(['=', '(']) {
        Some((start, rest)) => format!("{start}, {} numbers\n", rest.matches("0x").count()),
        None if line.ends_with("frames elided...") => "gap\n".to_owned(),
        None => format!("{line}\n"),
    };
    text.lines().map(line).collect()
}

/// What hooks show of a fatal error is what the program's own runtime prints, the system's stack aside.
#[test]
fn fatal_errors_are_those_of_the_runtime() {
    for version in releases("corpus", "", &[15, 19, 23, 27]) {
        let build = Build::new(&format!("corpus-go1.{version}"));
        let image = Arc::new(Image::open(binary(&build.name).unwrap()).unwrap());
        let [mut hooked, mut real] = [Runtime::Hooked, Runtime::Real].map(|runtime| {
            let config = Config { runtime: Some(runtime), max_stack: 1 << 20, ..Config::default() };
            Machine::with_config(Arc::clone(&image), config).unwrap()
        });
        let unlock =
            if version < 24 { "sync.(*Mutex).unlockSlow" } else { "internal/sync.(*Mutex).unlockSlow" };
        let calls: [(&str, &[&str]); 4] = [
            ("runtime.throw", &["\"thrown\""]),
            (unlock, &["nil", "-1"]),
            ("main.deadlock", &[]),
            ("main.stackOverflow", &["1"]),
        ];
        for (func, args) in calls {
            let [by_hooks, by_runtime] =
                [&mut hooked, &mut real].map(|machine| fatal(machine, version, func, args));
            assert!(by_runtime.lines().count() > 3, "{by_runtime}");
            assert_eq!(by_hooks, by_runtime, "{} {func}", build.name);
        }
    }
}

/// Go shows the newest fault of a goroutine beside whatever it dies of.
#[test]
fn a_fatal_error_shows_the_fault_before_it() {
    const SIGSEGV: u64 = 11;
    for version in [15, 27] {
        let mut machine = Build::new(&format!("corpus-go1.{version}")).machine();
        let faulted = |cx: &mut HookContext<'_>| {
            let at = cx.image.facts().g;
            cx.set_word(cx.goroutine.g + at.sigcode1, 0x10)?;
            cx.memory.write(cx.goroutine.g + at.sig, (SIGSEGV as u32).to_le_bytes())?;
            Ok(Action::Run)
        };
        machine.hook("runtime.throw", faulted).unwrap();
        let report = machine.call("runtime.throw").unwrap().literals(&["\"thrown\""]).unwrap().run().unwrap();
        let signal = report.outcome.signal().unwrap();
        assert_eq!((signal.name.as_str(), signal.addr), ("SIGSEGV: segmentation violation", 0x10));
    }
}
