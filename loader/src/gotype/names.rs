//! Names of types.

/// A name as Go prints it: `map[string]*encoding/json.Token` is `map[string]*json.Token`. `None` if it is one.
pub(crate) fn short_name(name: &str) -> Option<String> {
    let mut short = String::new();
    let mut word = 0;
    for c in name.chars() {
        match c {
            '/' => short.truncate(word),
            c => {
                short.push(c);
                if !(c.is_alphanumeric() || "_.-%~@+·".contains(c)) {
                    word = short.len();
                }
            }
        }
    }
    name.contains('/').then_some(short)
}
