//! Numbers as filters compare them: by exact value, whatever the spelling (reference: list-v2 §2.3).

use std::fmt;

/// A number in canonical form: two numbers are equal, or ordered, exactly as their mathematical values are.
///
/// A literal that is written as an integer and fits an `i64` or `u64` keeps its exact value; any other literal is
/// the nearest IEEE double. `5`, `5.0` and `5e0` are one number, `-0` is `0`, and 2⁵³ differs from 2⁵³+1.
///
/// The 80 significant bits are the greatest double not above the value, in an order-preserving form, and then how
/// far the value lies above that double. (Only integers beyond 2⁵³ lie above it, by less than 2,048.) So the derived
/// order and equality are those of the values, and the bytes sort as the numbers do.
///
/// ```
/// use darkroom_model::Number;
/// assert_eq!(Number::parse("5.0"), Number::parse("5"));
/// assert!(Number::parse("9007199254740993") > Number::parse("9007199254740992"));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Number(u128);

impl Number {
    /// How many bytes [`Number::to_bytes`] returns.
    pub const BYTES: usize = 10;

    /// Reads a literal of the JSON grammar; `None` if the text is no such literal or overflows a double.
    pub fn parse(text: &str) -> Option<Number> {
        if !is_json_number(text) {
            return None;
        }
        if !text.contains(['.', 'e', 'E']) {
            if let Ok(value) = text.parse::<i64>() {
                return Some(Number::from_integer(i128::from(value)));
            }
            if let Ok(value) = text.parse::<u64>() {
                return Some(Number::from_integer(i128::from(value)));
            }
        }
        let value: f64 = text.parse().ok()?;
        value.is_finite().then(|| Number::from_double(value))
    }

    /// Returns the bytes whose order, compared left to right, is the order of the numbers.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes.copy_from_slice(&self.0.to_be_bytes()[16 - Self::BYTES..]);
        bytes
    }

    /// Reads what [`Number::to_bytes`] wrote.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Number {
        let mut wide = [0; 16];
        wide[16 - Self::BYTES..].copy_from_slice(&bytes);
        Number(u128::from_be_bytes(wide))
    }

    fn from_integer(value: i128) -> Number {
        let nearest = value as f64;
        let floor = if nearest as i128 > value { nearest.next_down() } else { nearest };
        let above = value - floor as i128;
        Number(u128::from(sortable(floor)) << 16 | above as u128)
    }

    fn from_double(value: f64) -> Number {
        // `-0.0 + 0.0` is `0.0`; every other value is unchanged.
        Number(u128::from(sortable(value + 0.0)) << 16)
    }
}

impl fmt::Debug for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let floor = unsortable((self.0 >> 16) as u64);
        match self.0 & 0xffff {
            0 => write!(f, "{floor}"),
            above => write!(f, "{}", floor as i128 + above as i128),
        }
    }
}

/// Maps a finite double to an integer of the same order.
fn sortable(value: f64) -> u64 {
    let bits = value.to_bits();
    if bits >> 63 == 1 { !bits } else { bits | 1 << 63 }
}

fn unsortable(bits: u64) -> f64 {
    f64::from_bits(if bits >> 63 == 1 { bits & !(1 << 63) } else { !bits })
}

/// Says whether the text is a `number` of the filter grammar, which is JSON's (reference: list-v2 §2.1).
fn is_json_number(text: &str) -> bool {
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let bytes = text.as_bytes();
    let mut rest = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let integer = digits(rest);
    if integer == 0 || (integer > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[integer..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let Some(exponent) = rest.strip_prefix(b"e").or_else(|| rest.strip_prefix(b"E")) {
        let exponent =
            exponent.strip_prefix(b"+").or_else(|| exponent.strip_prefix(b"-")).unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap_or_else(|| panic!("{text} is a number"))
    }

    #[test]
    fn spellings_of_one_value_are_one_number() {
        for (a, b) in [
            ("5", "5.0"),
            ("5", "5e0"),
            ("5", "50e-1"),
            ("0", "-0"),
            ("0", "-0.0"),
            ("9007199254740992", "9007199254740992.0"),
            ("9007199254740992", "9007199254740993.0"),
            ("18446744073709551616", "18446744073709551616.0"),
        ] {
            assert_eq!(number(a), number(b), "{a} = {b}");
        }
    }

    #[test]
    fn neighbours_beyond_the_doubles_stay_apart() {
        let ascending = [
            "-1e300",
            "-18446744073709551616",
            "-9223372036854775808",
            "-9223372036854775807",
            "-9007199254740993",
            "-9007199254740992",
            "-1.5",
            "-1",
            "-1e-300",
            "0",
            "1e-300",
            "0.1",
            "1",
            "9007199254740991",
            "9007199254740992",
            "9007199254740993",
            "9007199254740994",
            "9223372036854775807",
            "9223372036854775808",
            "18446744073709551614",
            "18446744073709551615",
            "18446744073709551616",
            "1e308",
        ];
        for pair in ascending.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{} < {}", pair[0], pair[1]);
        }
    }

    #[test]
    fn a_number_shows_its_value() {
        for text in ["0", "5", "-1.5", "0.1", "-9007199254740993", "9007199254740993", "18446744073709551615"]
        {
            assert_eq!(format!("{:?}", number(text)), text);
        }
    }

    #[test]
    fn text_outside_the_grammar_is_no_number() {
        for text in [
            "", "+5", "05", "-", ".5", "5.", "0x5", "1_000", "NaN", "Infinity", " 5", "5 ", "1e", "1e+",
            "--5", "1.e5", "٥", "1e5x", "00", "-01",
        ] {
            assert!(!is_json_number(text), "{text:?}");
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_overflows_a_double_is_no_number() {
        for text in ["1e400", "-1e400"] {
            assert_eq!(Number::parse(text), None, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn integers_order_as_their_values(a: i64, b: u64) {
            prop_assert_eq!(
                number(&a.to_string()).cmp(&number(&b.to_string())),
                i128::from(a).cmp(&i128::from(b))
            );
        }

        #[test]
        fn doubles_order_as_their_values(a in proptest::num::f64::NORMAL, b in proptest::num::f64::NORMAL) {
            let (x, y) = (number(&format!("{a:e}")), number(&format!("{b:e}")));
            prop_assert_eq!(x.cmp(&y), a.partial_cmp(&b).unwrap());
        }

        #[test]
        fn bytes_order_and_return(a: i64, b in proptest::num::f64::NORMAL) {
            let (x, y) = (number(&a.to_string()), number(&format!("{b:e}")));
            prop_assert_eq!(x.cmp(&y), x.to_bytes().cmp(&y.to_bytes()));
            prop_assert_eq!(Number::from_bytes(x.to_bytes()), x);
        }
    }
}
