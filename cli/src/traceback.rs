//! Tracebacks for people, as Go prints them, and for programs.

use goemu::Outcome;
use goemu::go::traceback::{Stack, Traceback};
use serde_json::{Value as Json, json};

/// What Go prints after the line that says why the program died: the signal, the stacks.
pub(crate) fn text(outcome: &Outcome) -> String {
    let signal = outcome.signal().map(|signal| format!("{signal}\n")).unwrap_or_default();
    match outcome.traceback().filter(|traceback| !traceback.is_empty()) {
        Some(traceback) => format!("{signal}\n{traceback}").trim_end_matches('\n').to_owned(),
        None => signal.trim_end().to_owned(),
    }
}

/// The goroutines with their frames.
pub(crate) fn object(traceback: &Traceback) -> Json {
    traceback.goroutines.iter().map(stack).collect()
}

/// A goroutine with its frames.
pub(crate) fn stack(stack: &Stack) -> Json {
    let frame = |frame: &goemu::go::traceback::Frame| {
        json!({
            "function": frame.func,
            "arguments": frame.args,
            "file": frame.line.file,
            "line": frame.line.line,
            "pc": frame.pc,
            "inlined": frame.offset.is_none(),
        })
    };
    json!({
        "goroutine": stack.goroutine,
        "status": stack.status,
        "frames": stack.frames.iter().map(frame).collect::<Json>(),
        "elided": stack.elided.and_then(|elided| elided.count),
        "created_by": stack.created_by.as_ref().map(|creator| creator.func.as_str()),
    })
}
