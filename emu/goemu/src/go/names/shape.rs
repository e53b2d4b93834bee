//! Type arguments as the compiler has them: functions are compiled once for all types of one *shape*, that is, of
//! one underlying type. Pointers are all of one shape.

use goemu_loader::{Image, Kind, Type};

use crate::go::guest::Types;

/// What stands before the underlying type in the name of a shape.
const SHAPE: &str = "go.shape.";

/// Whether the type argument that a user gave may be the one that a function was compiled for: the same type, or one of
/// its shape.
pub(super) fn same_type(image: &Image, wanted: &str, has: &str) -> bool {
    let (wanted, has) = (wanted.trim(), has.trim());
    if wanted == has {
        return true;
    }
    let Some(shape) = has.strip_prefix(SHAPE) else { return tight(wanted) == tight(has) };
    let wanted = wanted.strip_prefix(SHAPE).unwrap_or(wanted);
    let shape = without_number(shape);
    if wanted.starts_with('*') {
        return shape == "*uint8";
    }
    let wanted = match wanted {
        "byte" => "uint8",
        "rune" => "int32",
        "any" => "interface{}",
        other => other,
    };
    tight(wanted) == tight(shape)
        || Types::named(image, wanted).is_some_and(|ty| has_shape(image, &ty, shape))
}

/// Without the blanks that Go's tools write in one place and not in another.
fn tight(name: &str) -> String {
    name.chars().filter(|letter| *letter != ' ').collect()
}

/// Up to Go 1.19 a shape ends in the number of its type parameter: `go.shape.int_0`.
pub(crate) fn without_number(shape: &str) -> &str {
    let digits = shape.trim_end_matches(|letter: char| letter.is_ascii_digit());
    digits.strip_suffix('_').filter(|rest| digits.len() < shape.len() && !rest.is_empty()).unwrap_or(shape)
}

/// Whether a named type may have this underlying type, by the beginning of its name.
fn has_shape(image: &Image, ty: &Type, shape: &str) -> bool {
    if let Some(under) = image.predeclared(ty) {
        return shape == under;
    }
    let bits = ty.size.saturating_mul(8);
    let number = |word: &str| shape == word && ty.size == 8 || shape == format!("{word}{bits}");
    match &ty.kind {
        Kind::Bool => shape == "bool",
        Kind::Int => number("int"),
        Kind::Uint => number("uint"),
        Kind::Uintptr => shape == "uintptr",
        Kind::Float => number("float"),
        Kind::Complex => number("complex"),
        Kind::String => shape == "string",
        Kind::UnsafePointer => shape == "unsafe.Pointer",
        Kind::Pointer(_) => shape == "*uint8",
        Kind::Slice(_) => shape.starts_with("[]"),
        Kind::Array { len, .. } => shape.starts_with(&format!("[{len}]")),
        Kind::Struct(fields) => {
            let names = || fields.iter().all(|field| shape.contains(field.name.as_str()));
            shape.starts_with("struct") && names()
        }
        Kind::Interface { .. } => shape.starts_with("interface"),
        Kind::Map { .. } => shape.starts_with("map["),
        Kind::Chan { .. } => shape.contains("chan "),
        Kind::Func(_) => shape.starts_with("func("),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_parameters_are_no_part_of_a_shape() {
        for (shape, plain) in
            [("int_0", "int"), ("a_b", "a_b"), ("[]main.T_12", "[]main.T"), ("_1", "_1"), ("int8", "int8")]
        {
            assert_eq!(without_number(shape), plain);
        }
    }
}
