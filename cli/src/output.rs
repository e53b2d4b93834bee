//! Where output goes: plain where it is no terminal or NO_COLOR is set, and quiet when the reader is gone.

use std::io::{self, BufWriter, Write};

use anstyle::{AnsiColor, Style};

use crate::hint;

/// What one should see first.
pub(crate) const NAME: Style = AnsiColor::Cyan.on_default().bold();
/// What one may pass over.
pub(crate) const DIM: Style = Style::new().dimmed();
/// What went wrong.
const WRONG: Style = AnsiColor::Red.on_default().bold();

/// Standard output, buffered. Flush it: an error on drop is lost.
pub(crate) fn stdout() -> impl Write {
    BufWriter::with_capacity(64 << 10, anstream::stdout().lock())
}

/// The same for what has no colours, and may be long.
pub(crate) fn plain() -> impl Write {
    BufWriter::with_capacity(64 << 10, io::stdout().lock())
}

/// A guest's text in one column: what a terminal would not show as a character, or would show in another place, is escaped as
/// Go does.
pub(crate) fn escaped(text: &str) -> String {
    goemu::testing::escaped(text).replace('\t', "\\t")
}

/// The same for text of several lines.
pub(crate) fn escaped_lines(text: &str) -> String {
    text.split('\n').map(goemu::testing::escaped).collect::<Vec<_>>().join("\n")
}

/// Says something on standard error, as it is.
pub(crate) fn say(text: &str) {
    // There is no output left to report this on.
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Says on standard error what is wrong.
pub(crate) fn complain(message: &str) {
    say(&format!("{WRONG}goemu{WRONG:#}: {message}"));
}

/// An error, its causes, and which option helps, on one line. Errors of the libraries name their cause themselves: it is not said twice.
pub(crate) fn message(error: &anyhow::Error) -> String {
    let text = error.chain().map(ToString::to_string).fold(String::new(), |text, cause| match () {
        () if text.is_empty() => cause,
        () if text.contains(&cause) => text,
        () => format!("{text}: {cause}"),
    });
    text + hint::error(error)
}

/// Says something on standard error that is not wrong.
pub(crate) fn note(message: &str) {
    say(&format!("{DIM}goemu: {message}{DIM:#}"));
}

/// Whether the error is that the output has no reader any more.
pub(crate) fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe;
    error.chain().any(|cause| cause.downcast_ref().is_some_and(broken))
}
