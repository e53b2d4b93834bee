//! What a process is given when it is started: arguments, environment, standard input. Nothing of the host's own.

use std::sync::Arc;

use crate::error::Error;

/// `os.Args[0]` by default.
const PROGRAM: &str = "goemu";

/// What the program gets from its parent process. By default that is nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// `os.Args[0]`: the program's name, `goemu` by default.
    pub program: String,
    /// Arguments: `os.Args` after the first.
    pub args: Vec<String>,
    /// Environment: names and values.
    pub env: Vec<(String, String)>,
    /// What reading standard input gives. Every call reads it from where the state that it starts from has it.
    pub stdin: Arc<[u8]>,
}

impl Default for Process {
    fn default() -> Process {
        Process { program: PROGRAM.to_owned(), args: Vec::new(), env: Vec::new(), stdin: Arc::default() }
    }
}

impl Process {
    /// Arguments and environment end with a NUL in memory, and names of variables with an equals sign.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let texts =
            std::iter::once(&self.program).chain(&self.args).chain(self.env.iter().map(|(_, value)| value));
        if let Some(text) = { texts }.find(|text| text.contains('\0')) {
            return Err(Error::Process(format!("{text:?} has a NUL in it")));
        }
        match self.env.iter().find(|(name, _)| name.is_empty() || name.contains(['\0', '='])) {
            Some((name, _)) => Err(Error::Process(format!("{name:?} is no name of an environment variable"))),
            None => Ok(()),
        }
    }

    /// The value of an environment variable.
    pub(crate) fn variable(&self, name: &str) -> Option<&str> {
        self.env.iter().find(|(own, _)| own == name).map(|(_, value)| &**value)
    }

    /// `NAME=VALUE`, of all variables.
    pub(crate) fn environment(&self) -> impl Iterator<Item = String> {
        self.env.iter().map(|(name, value)| format!("{name}={value}"))
    }

    /// All arguments.
    pub(crate) fn arguments(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&*self.program).chain(self.args.iter().map(String::as_str))
    }

    /// How many arguments there are.
    pub(crate) fn argc(&self) -> u64 {
        self.args.len() as u64 + 1
    }

    /// The block that a process finds at `at`, as the kernel leaves it above the first stack frame: pointers to arguments,
    /// and to the environment, each list with a 0 at its end; so many words more, which are given the address of the
    /// program's name; the texts.
    pub(crate) fn block<const N: usize>(&self, at: u64, more: impl FnOnce(u64) -> [u64; N]) -> Vec<u8> {
        let lists = [self.arguments().map(str::to_owned).collect(), self.environment().collect::<Vec<_>>()];
        let words: usize = lists.iter().map(|list: &Vec<String>| list.len() + 1).sum();
        let name = at + 8 * (words + N) as u64;
        let (mut block, mut texts) = (Vec::new(), Vec::new());
        for list in lists {
            for text in list {
                block.extend((name + texts.len() as u64).to_le_bytes());
                texts.extend(text.as_bytes());
                texts.push(0);
            }
            block.extend([0; 8]);
        }
        block.extend(more(name).into_iter().flat_map(u64::to_le_bytes));
        block.extend(texts);
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_as_a_kernel_leaves_it() {
        let env = vec![("A".to_owned(), "b=c".to_owned())];
        let process = Process { args: vec!["x".to_owned()], env, ..Process::default() };
        let block = process.block(0x1000, |name| [name]);
        let words: Vec<u64> =
            block.chunks(8).take(6).map(|w| u64::from_le_bytes(w.try_into().unwrap())).collect();
        assert_eq!(words, [0x1030, 0x1036, 0, 0x1038, 0, 0x1030]);
        assert_eq!(&block[48..], b"goemu\0x\0A=b=c\0");
    }

    #[test]
    fn what_no_process_can_be_given_is_refused() {
        let check = |args: &[&str], env: &[(&str, &str)]| {
            let args = args.iter().map(|&arg| arg.to_owned()).collect();
            let env = env.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect();
            Process { args, env, ..Process::default() }.check().map_err(|error| error.to_string())
        };
        assert_eq!(check(&["", "a=b"], &[("A", ""), ("B", "=")]), Ok(()));
        assert_eq!(
            check(&["a\0b"], &[]).unwrap_err(),
            r#"the process cannot be given that: "a\0b" has a NUL in it"#
        );
        for name in ["", "A=B", "A\0"] {
            assert!(check(&[], &[(name, "")]).unwrap_err().contains("no name of an environment"), "{name:?}");
        }
    }
}
