//! Packed decimal numbers of the x87 unit: 18 digits and a sign.

use super::{
    extended::{Extended, F80},
    mxcsr::Mxcsr,
};

const DIGITS: u32 = 18;
/// What stands for a number that does not fit.
const INDEFINITE: [u8; 10] = [0, 0, 0, 0, 0, 0, 0, 0xc0, 0xff, 0xff];

impl F80 {
    /// FBLD: exact. Digits above 9 count as what they are.
    pub fn from_decimal(bytes: [u8; 10]) -> F80 {
        let digits = bytes[..9].iter().rev();
        let magnitude =
            digits.fold(0i64, |n, byte| n * 100 + i64::from(byte >> 4) * 10 + i64::from(byte & 15));
        F80::from_integer(magnitude).signed(bytes[9] & 0x80 != 0)
    }

    /// FBSTP: rounded to an integer; one of more than 18 digits is invalid.
    pub fn to_decimal(self, env: &mut Extended) -> [u8; 10] {
        let mut tried = *env;
        let integer = self.to_integer(64, &mut tried);
        if tried.flags & Mxcsr::IE != 0 || integer.unsigned_abs() >= 10u64.pow(DIGITS) {
            env.flags |= Mxcsr::IE;
            return INDEFINITE;
        }
        *env = tried;
        let mut rest = integer.unsigned_abs();
        let mut bytes = [0; 10];
        for byte in &mut bytes[..9] {
            let two = (rest % 100) as u8;
            *byte = ((two / 10) << 4) | (two % 10);
            rest /= 100;
        }
        bytes[9] = if self.negative() { 0x80 } else { 0 };
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        for n in [0, 1, -1, 99, 1234567890123, -999_999_999_999_999_999] {
            let mut env = Extended::new(0x37f);
            let number = F80::from_integer(n);
            assert_eq!(F80::from_decimal(number.to_decimal(&mut env)), number);
            assert_eq!(env.flags, 0);
        }
        let mut env = Extended::new(0x37f);
        assert_eq!(F80::from_integer(10i64.pow(18)).to_decimal(&mut env), INDEFINITE);
        assert_eq!(env.flags, Mxcsr::IE);
    }
}
