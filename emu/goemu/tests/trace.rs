//! What traces say of captured variables and stack checks is true of the frames that are under way.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use goemu::outcome::Runtime;
use goemu::trace::{CallKind, Detail, Record, Recorder, Sink, Written};
use goemu::{Config, Image, Machine};

/// Checks records against each other.
#[derive(Clone, Default)]
struct Check(Arc<Mutex<Seen>>);

#[derive(Default)]
struct Seen {
    /// Calls that are under way.
    calls: Vec<String>,
    /// Variables that closures were said to have captured: of which function.
    captured: HashMap<u64, String>,
    told: usize,
    wrong: Vec<String>,
}

impl Seen {
    /// Takes `0x1234 (the address of a variable of F)` out of what a record says.
    fn note_captured(&mut self, words: &str) {
        for (before, after) in words
            .match_indices(" (the address of a variable of ")
            .map(|(at, matched)| (&words[..at], &words[at + matched.len()..]))
        {
            let addr = before.rsplit([' ', ',']).next().unwrap().trim_start_matches("0x");
            let func = after.split(')').next().unwrap();
            self.captured.insert(u64::from_str_radix(addr, 16).unwrap(), func.to_owned());
        }
    }
}

impl Sink for Check {
    fn detail(&self) -> Detail {
        Detail::Instructions
    }

    fn record(&mut self, record: &Record<'_>) {
        let mut seen = self.0.lock().unwrap();
        match record {
            Record::Call(change) => {
                if let CallKind::Deferred { captured, .. } = &change.kind {
                    seen.note_captured(captured);
                }
                match change.kind {
                    CallKind::Returned(_) => {
                        let at = seen.calls.iter().rposition(|func| *func == change.func);
                        seen.calls.truncate(at.unwrap_or_default());
                    }
                    _ => seen.calls.push(change.func.clone()),
                }
            }
            Record::Event(event) => seen.note_captured(event.words),
            Record::Written(written @ Written::Captured { func, addr, .. }) => {
                seen.told += 1;
                let known = seen.captured.get(addr) == Some(func) && seen.calls.contains(func);
                if !known {
                    let line = format!("{written} in {:?}", seen.calls);
                    seen.wrong.push(line);
                }
            }
            Record::StackCheck(check) if check.func.starts_with("0x") => {
                seen.wrong.push(check.to_string());
            }
            _ => {}
        }
    }
}

fn check(program: &str, runtime: Runtime, funcs: &[&str]) -> usize {
    let path = format!("{}/../../{program}", env!("CARGO_MANIFEST_DIR"));
    let config = Config { runtime: Some(runtime), ..Config::default() };
    let mut machine = Machine::with_config(Image::open(path).unwrap(), config).unwrap();
    let seen = Check::default();
    machine.observe(Recorder::with_sink(seen.clone()));
    let mut told = 0;
    for func in funcs {
        let call = machine.call(func).unwrap().literals(&["5"]);
        match call {
            Ok(call) => call.run().unwrap(),
            Err(_) => machine.call(func).unwrap().run().unwrap(),
        };
        let seen = std::mem::take(&mut *seen.0.lock().unwrap());
        assert!(seen.wrong.is_empty(), "{program} {runtime:?} {func}: {:#?}", seen.wrong);
        told += seen.told;
    }
    told
}

#[test]
fn captured_variables_belong_to_frames_that_are_under_way() {
    let funcs = ["main.f1", "main.f2", "main.f3", "main.c", "main.main"];
    for runtime in [Runtime::Hooked, Runtime::Real] {
        for demo in ["cli/demo/demo-go1.15", "cli/demo/demo-go1.27"] {
            assert!(check(demo, runtime, &funcs) > 1, "{demo}");
        }
        let funcs = [
            "main.f2",
            "main.deferLoop",
            "main.deferMethods",
            "main.deferNested",
            "main.deferInLoopFunc",
            "main.deferRecursive",
            "main.deferNamedResults",
        ];
        for corpus in ["testdata/bin/corpus-go1.15", "testdata/bin/corpus-go1.27"] {
            assert!(check(corpus, runtime, &funcs) > 0, "{corpus}");
        }
    }
}
