//! Why guessed parameters cannot be used.

/// Arguments that are not as many as the guess has parts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the parameters of {func} are not known, and guessed to be {guess}: {got} argument{} given; give a number for each part, or the signature, as in 'func(a int, s string) error'", if *got == 1 { "" } else { "s" })]
pub struct GuessError {
    /// The function.
    pub func: String,
    /// What was guessed.
    pub guess: String,
    /// How many arguments were given.
    pub got: usize,
}
