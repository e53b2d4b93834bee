//! Arguments of the guest that begin with a hyphen: `goemu call main.abs -5 --trace`.
//!
//! A parser of options takes `-5` for one, or, told not to, takes `--trace` for an argument. Here the
//! command line of `call` is sorted first: options, `--`, and then all else, so that both mean what they say.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use clap::Command;

/// The command line with the options of `call` in front. What is no option of it, and begins with one hyphen, is
/// an argument; what begins with two is left to be complained of.
pub(crate) fn options_first(command: &Command, args: Vec<OsString>) -> Vec<OsString> {
    let call = command.find_subcommand("call").filter(|_| args.get(1).is_some_and(|arg| arg == "call"));
    let Some(call) = call else { return args };
    let takes_value = options(call);
    let mut args = args.into_iter();
    let mut options: Vec<OsString> = args.by_ref().take(2).collect();
    let mut rest = Vec::new();
    while let Some(arg) = args.next() {
        match kind(&arg, &takes_value) {
            Kind::Separator => rest.extend(args.by_ref()),
            Kind::Option => options.push(arg),
            Kind::OptionAndValue => {
                options.push(arg);
                options.extend(args.next());
            }
            Kind::Argument => rest.push(arg),
        }
    }
    if !rest.is_empty() {
        options.push("--".into());
        options.append(&mut rest);
    }
    options
}

/// What an element of the command line is.
enum Kind {
    Separator,
    Option,
    OptionAndValue,
    Argument,
}

fn kind(arg: &OsStr, takes_value: &HashMap<String, bool>) -> Kind {
    // What is not UTF-8 is no option.
    let text = arg.to_str().unwrap_or_default();
    if text == "--" {
        return Kind::Separator;
    }
    let short = text.get(..2).and_then(|short| takes_value.get(short));
    let takes_value = match (text.starts_with("--"), short) {
        (true, _) => takes_value.get(text).copied().unwrap_or(false),
        (false, Some(takes_value)) => *takes_value && text.len() == 2,
        (false, None) => return Kind::Argument,
    };
    if takes_value { Kind::OptionAndValue } else { Kind::Option }
}

/// The options of a command as they are written, and whether the next argument is their value.
fn options(command: &Command) -> HashMap<String, bool> {
    let mut options = HashMap::from([("-h".to_owned(), false), ("-V".to_owned(), false)]);
    for option in command.get_arguments().filter(|arg| !arg.is_positional()) {
        let takes_value = option.get_action().takes_values() && !option.is_require_equals_set();
        options.extend(option.get_short().map(|short| (format!("-{short}"), takes_value)));
        options.extend(option.get_long().map(|long| (format!("--{long}"), takes_value)));
    }
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Arg;

    fn sorted(line: &str) -> String {
        let call = Command::new("call").args([
            Arg::new("binary").short('b').long("binary"),
            Arg::new("trace").long("trace").num_args(0..=1).require_equals(true),
            Arg::new("args").num_args(0..),
        ]);
        let command = Command::new("goemu").subcommand(call);
        let args = options_first(&command, line.split(' ').map(OsString::from).collect());
        args.join(OsStr::new(" ")).into_string().unwrap()
    }

    #[test]
    fn options_go_before_the_separator() {
        for (line, expected) in [
            ("goemu call f -5 --trace", "goemu call --trace -- f -5"),
            ("goemu call f -5 -b x -0x7", "goemu call -b x -- f -5 -0x7"),
            ("goemu call f --binary x -bx -'a'", "goemu call --binary x -bx -- f -'a'"),
            ("goemu call f --trace=calls -- --trace", "goemu call --trace=calls -- f --trace"),
            ("goemu call f --tracee", "goemu call --tracee -- f"),
            ("goemu call -h", "goemu call -h"),
            ("goemu call f - é -é", "goemu call -- f - é -é"),
            ("goemu funcs -5", "goemu funcs -5"),
        ] {
            assert_eq!(sorted(line), expected);
        }
    }
}
