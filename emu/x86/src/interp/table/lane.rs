//! How a row names a function on lanes: each macro makes the row's [`Lane`](super::super::ops::packed::Lane)
//! out of a function of a certain signature, and picks among its handlers.

/// `|a, b, imm, env| …` on whole lanes. In brackets: the function that picks the handler, bytes of a memory operand,
/// whether there is one source only, and how far the immediate is shifted for the upper lane.
macro_rules! lane {
    ($lane:expr) => { lane!([packed, 16, false, 0] $lane) };
    ($lane:expr, on $host:ident) => { lane!([packed_on, 16, false, 0] $lane, on $host) };
    ([$pick:ident, $bytes:literal, $unary:literal, $upper:literal] $lane:expr) => {
        lane!([$pick, $bytes, $unary, $upper] $lane, generic ())
    };
    ([$pick:ident, $bytes:literal, $unary:literal, $upper:literal] $lane:expr, on $host:ident) => {
        lane!([$pick, $bytes, $unary, $upper] $lane, generic ($crate::alu::float::host::$host))
    };
    ([$pick:ident, $bytes:literal, $unary:literal, $upper:literal] $lane:expr, generic ($($host:ty)?)) => {{
        struct Row;
        impl $crate::interp::ops::packed::Lane for Row {
            type Mem = $crate::interp::ops::packed::Load<$bytes>;
            const SHAPE: $crate::interp::ops::packed::Shape =
                $crate::interp::ops::packed::Shape { unary: $unary, upper_imm: $upper };
            fn apply(a: u128, b: u128, imm: u8, env: &mut $crate::alu::float::Mxcsr) -> u128 {
                let lane: fn(u128, u128, u8, &mut $crate::alu::float::Mxcsr) -> u128 = $lane;
                lane(a, b, imm, env)
            }
        }
        $crate::interp::ops::packed::$pick::<Row $(, $host)?>
    }};
}

/// As [`lane!`], for one source.
macro_rules! lane_single {
    ($lane:expr) => { lane!([packed, 16, true, 0] $lane) };
    ($lane:expr, on $host:ident) => { lane!([packed_on, 16, true, 0] $lane, on $host) };
}

/// As [`lane!`], for the lowest element of a type.
macro_rules! lane_scalar {
    (u32, $lane:expr) => { lane!([scalar, 4, false, 0] $lane) };
    (u64, $lane:expr) => { lane!([scalar, 8, false, 0] $lane) };
    (u32, $lane:expr, on $host:ident) => { lane!([scalar_on, 4, false, 0] $lane, on $host) };
    (u64, $lane:expr, on $host:ident) => { lane!([scalar_on, 8, false, 0] $lane, on $host) };
}

/// `f(a, b)`
macro_rules! pair {
    ($f:path $(, on $host:ident)?) => {
        lane!(|a, b, _, _| $f(a, b) $(, on $host)?)
    };
}

/// `f(a, b, imm)`
macro_rules! pair_imm {
    ($f:path) => { pair_imm!($f, upper 0) };
    ($f:path, upper $shift:literal) => { lane!([packed, 16, false, $shift] |a, b, imm, _| $f(a, b, imm)) };
}

/// `f(b)`
macro_rules! single {
    ($f:path $(, on $host:ident)?) => {
        lane_single!(|_, b, _, _| $f(b) $(, on $host)?)
    };
}

/// `f(b, imm)`
macro_rules! single_imm {
    ($f:path) => {
        lane_single!(|_, b, imm, _| $f(b, imm))
    };
}

/// `f(x, y, env)` on all pairs of elements of type `$t`.
macro_rules! each_pair {
    ($t:ty, $f:path $(, on $host:ident)?) => {
        lane!(|a, b, _, env| $crate::alu::simd::zip(a, b, |x: $t, y| $f(x, y, env)) $(, on $host)?)
    };
}

/// `f(x, y, env)` on the lowest elements; the rest is that of `a`.
macro_rules! one_pair {
    ($t:tt, $f:path $(, on $host:ident)?) => {
        lane_scalar!($t, |a, b, _, env| {
            $crate::alu::simd::with_first(
                a,
                $f($crate::alu::simd::first::<$t>(a), $crate::alu::simd::first(b), env),
            )
        } $(, on $host)?)
    };
}

/// `f(x, env)` on all elements of type `$t`.
macro_rules! each_single {
    ($t:ty, $f:expr $(, on $host:ident)?) => {
        lane_single!(|_, b, _, env| $crate::alu::simd::map(b, |x: $t| $f(x, env)) $(, on $host)?)
    };
}

/// `f(x, env)` on the lowest element; the rest is that of `a`.
macro_rules! one_single {
    ($t:tt, $f:expr $(, on $host:ident)?) => {
        lane_scalar!($t, |a, b, _, env| {
            $crate::alu::simd::with_first(a, $f($crate::alu::simd::first::<$t>(b), env))
        } $(, on $host)?)
    };
}
