//! A debug adapter: the Debug Adapter Protocol, which VS Code, nvim-dap and others speak.
//!
//! Messages are handled one after the other on the thread of the machine; another thread reads them, so that `pause` is seen
//! while the guest runs.

mod breakpoints;
mod frames;
mod steps;
mod wire;

use std::io::{self, Read, Write};
use std::sync::mpsc::{Receiver, TryRecvError};

use goemu::{Error, Report, Session};
use serde_json::{Value as Json, json};

use crate::watch::{Runner, Stopped};
use wire::Out;

/// Instructions between two looks at what the editor says.
const PART: u64 = 1 << 20;

/// How the editor left.
#[derive(Debug)]
pub enum Left {
    /// The call came to its end, before the editor left.
    Ended(Box<Report>),
    /// The call is not over.
    Gone,
}

/// A session that an editor looks at.
struct Adapter<'m, W> {
    runner: Runner<'m>,
    messages: Receiver<Json>,
    out: Out<W>,
    breakpoints: breakpoints::Breakpoints,
    /// What the guest has printed that the editor has been shown.
    shown: (usize, usize),
}

/// What is to be done after an answer.
enum After {
    Nothing,
    /// The guest has stopped, and the editor is to be told why.
    Tell(Result<Stopped, Error>),
    /// The guest was stopped by the editor.
    Paused,
    Leave,
}

/// An editor that has connected.
pub struct Editor<W> {
    messages: Receiver<Json>,
    out: Out<W>,
    /// The request to launch, which is answered when there is a session.
    launch: Option<Json>,
}

impl<W: Write> Editor<W> {
    /// An editor whose messages come from here, and that is told everything there.
    pub fn new(from: impl Read + Send + 'static, to: W) -> Editor<W> {
        Editor { messages: wire::messages(from), out: Out::new(to), launch: None }
    }

    /// Waits for what the editor wants to launch: the arguments of its request. `None` where it leaves before.
    pub fn launch(&mut self) -> Option<Json> {
        loop {
            let message = self.messages.recv().ok()?;
            match message["command"].as_str() {
                Some("launch" | "attach") => return Some(self.launch.insert(message)["arguments"].clone()),
                Some("initialize") => self.out.response(&message, true, &capabilities()).ok()?,
                _ => self.out.failure(&message, "launch something first").ok()?,
            }
        }
    }

    /// Tells the editor why there is nothing to be debugged.
    pub fn refuse(mut self, why: &str) {
        if let Some(request) = self.launch.take() {
            // A closed output cannot be reported anywhere.
            let _ = self.out.failure(&request, why);
        }
    }

    /// Serves the editor until it leaves, or until its messages end.
    ///
    /// # Errors
    /// What the machine cannot serve, when the call is brought to its end.
    pub fn serve(self, session: Session<'_>) -> Result<Left, Error> {
        let Editor { messages, mut out, launch } = self;
        if let Some(request) = &launch {
            let _ = out.response(request, true, &json!({}));
            let _ = out.event("initialized", &json!({}));
        }
        let (runner, breakpoints) = (Runner::new(session), breakpoints::Breakpoints::default());
        let mut adapter = Adapter { runner, messages, out, breakpoints, shown: (0, 0) };
        // A closed output cannot be reported anywhere.
        let _ = adapter.run();
        let session = adapter.runner.into_session();
        if session.is_over() { Ok(Left::Ended(Box::new(session.finish()?))) } else { Ok(Left::Gone) }
    }
}

/// Serves an editor for a call that has begun already.
///
/// # Errors
/// Those of [`Editor::serve`].
pub fn serve(session: Session<'_>, from: impl Read + Send + 'static, to: impl Write) -> Result<Left, Error> {
    Editor::new(from, to).serve(session)
}

impl<W: Write> Adapter<'_, W> {
    fn run(&mut self) -> io::Result<()> {
        while let Ok(message) = self.messages.recv() {
            if message["type"] != "request" {
                continue;
            }
            let command = message["command"].as_str().unwrap_or_default().to_owned();
            let (answer, after) = self.answer(&command, &message["arguments"]);
            match answer {
                Ok(body) => self.out.response(&message, true, &body)?,
                Err(why) => self.out.failure(&message, &why)?,
            }
            match after {
                After::Nothing => {}
                After::Leave => return Ok(()),
                After::Paused => self.out.event("stopped", &self.stopped("pause", None))?,
                After::Tell(stopped) => self.tell(stopped)?,
            }
            if command == "initialize" {
                self.out.event("initialized", &json!({}))?;
            }
        }
        Ok(())
    }

    fn answer(&mut self, command: &str, arguments: &Json) -> (Result<Json, String>, After) {
        let answered = match command {
            "initialize" => Ok(capabilities()),
            // The call was begun by the command line; the editor's launch says nothing more.
            "launch" | "attach" | "setExceptionBreakpoints" => Ok(json!({})),
            "setBreakpoints" => self.set_breakpoints(arguments),
            "setFunctionBreakpoints" => self.set_function_breakpoints(arguments),
            "setInstructionBreakpoints" => self.set_instruction_breakpoints(arguments),
            "threads" => Ok(self.threads()),
            "stackTrace" => self.stack_trace(arguments),
            "scopes" => Ok(self.scopes(arguments)),
            "variables" => Ok(self.variables(arguments)),
            "disassemble" => self.disassemble(arguments),
            "evaluate" => self.evaluate(arguments),
            "configurationDone" => {
                return (Ok(json!({})), After::Tell(Ok(Stopped::Stepped)));
            }
            "disconnect" | "terminate" => return (Ok(json!({})), After::Leave),
            "pause" => return (Ok(json!({})), After::Paused),
            _ => match self.way(command, arguments) {
                Some(after) => return (Ok(json!({ "allThreadsContinued": true })), after),
                None => Err(format!("goemu has no {command}")),
            },
        };
        (answered, After::Nothing)
    }

    /// The requests that let the guest run.
    fn way(&mut self, command: &str, arguments: &Json) -> Option<After> {
        let single = arguments["granularity"] == "instruction";
        Some(match command {
            "continue" => self.go_on(),
            "reverseContinue" => After::Tell(self.runner.run_back()),
            "stepBack" if single => After::Tell(self.runner.step_back()),
            "stepBack" => After::Tell(steps::line_back(&mut self.runner)),
            "stepIn" if single => After::Tell(self.runner.step()),
            "next" if single => After::Tell(steps::over(&mut self.runner)),
            "stepIn" => After::Tell(steps::line_into(&mut self.runner)),
            "next" => After::Tell(steps::line(&mut self.runner)),
            "stepOut" => After::Tell(steps::out(&mut self.runner)),
            _ => return None,
        })
    }

    /// Runs until there is a reason to stop, or the editor wants it.
    fn go_on(&mut self) -> After {
        loop {
            match self.runner.run(PART) {
                Ok(None) => {}
                Ok(Some(stopped)) => return After::Tell(Ok(stopped)),
                Err(error) => return After::Tell(Err(error)),
            }
            match self.messages.try_recv() {
                Ok(message) if message["command"] == "pause" => {
                    // Its answer comes before that of `continue`, which does no harm.
                    let _ = self.out.response(&message, true, &json!({}));
                    return After::Paused;
                }
                Ok(message) if matches!(message["command"].as_str(), Some("disconnect" | "terminate")) => {
                    let _ = self.out.response(&message, true, &json!({}));
                    return After::Leave;
                }
                Ok(message) => {
                    let _ = self.out.failure(&message, "the program runs; pause it first");
                }
                Err(TryRecvError::Empty) => {}
                Err(TryRecvError::Disconnected) => return After::Leave,
            }
        }
    }

    fn stopped(&self, reason: &str, text: Option<String>) -> Json {
        let goroutine = frames::current(self.runner.session());
        json!({ "reason": reason, "threadId": goroutine, "allThreadsStopped": true, "text": text })
    }

    /// Tells the editor that the guest has stopped, and what it has printed.
    fn tell(&mut self, stopped: Result<Stopped, Error>) -> io::Result<()> {
        self.show_output()?;
        let (reason, text) = match stopped {
            Ok(Stopped::Stepped) => ("step", None),
            Ok(Stopped::Breakpoint) => ("breakpoint", None),
            Ok(Stopped::Watched(watchpoint)) => {
                ("data breakpoint", Some(format!("{:#x}", watchpoint.bytes.start)))
            }
            Ok(Stopped::Beginning) => ("entry", Some("the call begins here".to_owned())),
            Ok(Stopped::Ended) => return self.tell_end(),
            Err(error) => {
                self.out.event("output", &json!({ "category": "stderr", "output": format!("{error}\n") }))?;
                ("exception", Some(error.to_string()))
            }
        };
        self.out.event("stopped", &self.stopped(reason, text))
    }

    /// The end of the call is a place to go back from, not the end of the adapter.
    fn tell_end(&mut self) -> io::Result<()> {
        let session = self.runner.session();
        let text = match session.outcome() {
            Some(outcome) => format!("{}: {outcome}", outcome.word()),
            None => "the function has returned".to_owned(),
        };
        self.out.event("output", &json!({ "category": "console", "output": format!("{text}\n") }))?;
        self.out.event("stopped", &self.stopped("end", Some(text)))
    }

    fn show_output(&mut self) -> io::Result<()> {
        let (stdout, stderr) = self.runner.session().machine().output();
        let streams = [("stdout", stdout, &mut self.shown.0), ("stderr", stderr, &mut self.shown.1)];
        for (category, bytes, shown) in streams {
            // Going back takes output back, too.
            let new = bytes.get(*shown..).unwrap_or_default();
            *shown = bytes.len();
            if !new.is_empty() {
                let output = String::from_utf8_lossy(new);
                self.out.event("output", &json!({ "category": category, "output": output }))?;
            }
        }
        Ok(())
    }
}

fn capabilities() -> Json {
    json!({
        "supportsConfigurationDoneRequest": true,
        "supportsFunctionBreakpoints": true,
        "supportsInstructionBreakpoints": true,
        "supportsSteppingGranularity": true,
        "supportsStepBack": true,
        "supportsDisassembleRequest": true,
        "supportsEvaluateForHovers": false,
        "supportsTerminateRequest": true,
    })
}
