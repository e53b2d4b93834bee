//! A function of a program watched, another one replaced, with arguments and results as Go values.
//!
//! `cargo run --example hook`
#![allow(clippy::print_stdout, reason = "an example shows something")]
#![allow(unreachable_pub, reason = "a test calls it too")]

use goemu::{Error, Image, Machine};

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");

fn main() -> Result<(), Error> {
    for outcome in calls(PROGRAM, |seen| println!("{seen}"))? {
        println!("{outcome}");
    }
    Ok(())
}

/// Two calls, after the hooks have been set: `say` gets what is watched.
pub fn calls(
    program: &str,
    mut say: impl FnMut(String) + Send + 'static,
) -> Result<[goemu::Outcome; 2], Error> {
    let mut machine = Machine::new(Image::open(program)?)?;
    machine.watch("main.fib", None, move |call| say(call.to_string()))?;
    machine.replace("main.itoa", None, |args| Some(vec![format!("<{}>", args[0]).into()]))?;
    let fib = machine.call("main.fib")?.arg(3).run()?.outcome;
    let joined = machine.call("main.concatMany")?.arg("a").arg("b").arg(7).run()?.outcome;
    Ok([fib, joined])
}
