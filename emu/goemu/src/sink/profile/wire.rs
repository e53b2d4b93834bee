//! Messages in the encoding of protocol buffers, as far as profiles need it. Crates that do this generate code, and
//! double what the first build has to parse.

/// The fields of a message, encoded.
#[derive(Default)]
pub(super) struct Fields(Vec<u8>);

/// How a field is encoded.
const VARINT: u32 = 0;
const BYTES: u32 = 2;

impl Fields {
    /// A number; 0 is what a field is that is not there.
    pub(super) fn number(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.key(field, VARINT);
            varint(&mut self.0, value);
        }
    }

    /// Several numbers, as one field.
    pub(super) fn numbers(&mut self, field: u32, values: &[u64]) {
        let mut packed = Vec::new();
        values.iter().for_each(|value| varint(&mut packed, *value));
        self.bytes(field, &packed);
    }

    /// A text.
    pub(super) fn text(&mut self, field: u32, text: &str) {
        self.bytes(field, text.as_bytes());
    }

    /// A message in this one.
    pub(super) fn message(&mut self, field: u32, message: &Fields) {
        self.bytes(field, &message.0);
    }

    /// The encoded message.
    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn bytes(&mut self, field: u32, bytes: &[u8]) {
        self.key(field, BYTES);
        varint(&mut self.0, bytes.len() as u64);
        self.0.extend_from_slice(bytes);
    }

    fn key(&mut self, field: u32, encoding: u32) {
        varint(&mut self.0, u64::from(field << 3 | encoding));
    }
}

/// Seven bits a byte, the lowest first.
fn varint(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_encoding_is_that_of_the_specification() {
        let mut inner = Fields::default();
        inner.number(1, 150);
        let mut fields = Fields::default();
        fields.number(5, 0);
        fields.text(2, "testing");
        fields.message(3, &inner);
        fields.numbers(6, &[3, 270, 86942]);
        let expected = b"\x12\x07testing\x1a\x03\x08\x96\x01\x32\x06\x03\x8e\x02\x9e\xa7\x05";
        assert_eq!(fields.into_bytes(), expected);
    }
}
