//! What looks like text.

/// Characters that are no letters, digits or blanks, of which text may have this part: one in so many.
const FEW: usize = 2;

/// Whether bytes look like text that a person wrote: UTF-8, no control characters but those of lines, and more letters, digits and
/// blanks than other characters, unless it is short.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let shown = |c: char| !c.is_control() && !is_odd(c) || matches!(c, '\n' | '\t' | '\r' | '\u{1b}');
    if text.is_empty() || !text.chars().all(shown) {
        return false;
    }
    let all = text.chars().count();
    let plain = text.chars().filter(|c| c.is_alphanumeric() || c.is_whitespace()).count();
    let ascii = text.chars().filter(char::is_ascii).count();
    // Random bytes are UTF-8 now and then, of letters that do not stand together.
    all <= 3 && ascii == all || plain * FEW >= all && (ascii * 2 >= all || all >= 8)
}

/// Characters that no text has: not assigned to anybody, or replaced.
fn is_odd(c: char) -> bool {
    matches!(c, '\u{fffd}' | '\u{e000}'..='\u{f8ff}' | '\u{fdd0}'..='\u{fdef}' | '\u{f0000}'..)
}

#[cfg(test)]
mod tests {
    use super::is_text;

    #[test]
    fn text_is_told_from_bytes() {
        for text in [
            "a",
            "ok",
            "hello, world\n",
            "https://example.com/a?b=c",
            "Grüße",
            "漢字かな交じり文です。",
            "%s: %v",
            "4711",
        ] {
            assert!(is_text(text.as_bytes()), "{text:?}");
        }
        for bytes in
            [&b""[..], b"\0", b"ab\0", b"\xff\xfe", b"\x01\x02abc", "\u{fffd}".as_bytes(), b"{[<|}~^&*(:;"]
        {
            assert!(!is_text(bytes), "{bytes:?}");
        }
    }
}
