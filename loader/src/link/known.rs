//! What is known of the package runtime, for programs that are linked without it.

use crate::goobj::Abi;

/// Functions that there are always: where faults become panics, where goroutines end, and the methods of run-time
/// errors. Where there is one convention, all are in it.
pub(super) fn always(two_conventions: bool) -> &'static [(&'static str, Abi)] {
    if two_conventions {
        &[
            ("runtime.sigpanic0", Abi::Abi0),
            ("runtime.goexit", Abi::Abi0),
            ("runtime.boundsError.Error", Abi::Internal),
            ("runtime.errorString.Error", Abi::Internal),
            ("runtime.boundsError.RuntimeError", Abi::Internal),
            ("runtime.errorString.RuntimeError", Abi::Internal),
            ("runtime.TypeAssertionError.Error", Abi::Internal),
            ("runtime.TypeAssertionError.RuntimeError", Abi::Internal),
        ]
    } else {
        &[
            ("runtime.sigpanic", Abi::Internal),
            ("runtime.goexit", Abi::Internal),
            ("runtime.boundsError.Error", Abi::Internal),
            ("runtime.errorString.Error", Abi::Internal),
            ("runtime.boundsError.RuntimeError", Abi::Internal),
            ("runtime.errorString.RuntimeError", Abi::Internal),
            ("runtime.TypeAssertionError.Error", Abi::Internal),
            ("runtime.TypeAssertionError.RuntimeError", Abi::Internal),
        ]
    }
}

/// Types that there are always: those by which signatures name values, and those of run-time errors.
pub(super) const TYPES: &[&str] = &[
    "bool",
    "int",
    "int8",
    "int16",
    "int32",
    "int64",
    "uint",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "uintptr",
    "float32",
    "float64",
    "complex64",
    "complex128",
    "string",
    "unsafe.Pointer",
    "error",
    "runtime.boundsError",
    "runtime.errorString",
    "runtime.TypeAssertionError",
];

/// The code of functions that are entered in the middle (`runtime/mkduff.go`).
pub(super) fn code(name: &str, two_conventions: bool) -> Option<Vec<u8>> {
    const RET: u8 = 0xc3;
    let mut code = match name {
        // MOVUPS X15, (DI); ... 16(DI); ... 32(DI); ... 48(DI); LEAQ 64(DI), DI
        "runtime.duffzero" if two_conventions => [
            &[0x44, 0x0f, 0x11, 0x3f][..],
            &[0x44, 0x0f, 0x11, 0x7f, 0x10],
            &[0x44, 0x0f, 0x11, 0x7f, 0x20],
            &[0x44, 0x0f, 0x11, 0x7f, 0x30],
            &[0x48, 0x8d, 0x7f, 0x40],
        ]
        .concat()
        .repeat(16),
        // The same of X0.
        "runtime.duffzero" => [
            &[0x0f, 0x11, 0x07][..],
            &[0x0f, 0x11, 0x47, 0x10],
            &[0x0f, 0x11, 0x47, 0x20],
            &[0x0f, 0x11, 0x47, 0x30],
            &[0x48, 0x8d, 0x7f, 0x40],
        ]
        .concat()
        .repeat(16),
        // MOVUPS (SI), X0; ADDQ $16, SI; MOVUPS X0, (DI); ADDQ $16, DI
        "runtime.duffcopy" => {
            [0x0f, 0x10, 0x06, 0x48, 0x83, 0xc6, 0x10, 0x0f, 0x11, 0x07, 0x48, 0x83, 0xc7, 0x10].repeat(64)
        }
        _ => return None,
    };
    code.push(RET);
    Some(code)
}

/// The value of a variable of the runtime when a program starts; `tls_g` says where Android's code finds `g`.
pub(super) fn variable(name: &str, tls_g: i64) -> Option<Vec<u8>> {
    // Constants by their bits, which no object defines up to Go 1.15.
    let constant = |prefix: &str| u64::from_str_radix(name.strip_prefix(prefix)?, 16).ok();
    if let Some(bits) = constant("$f64.").or_else(|| constant("$i64.")) {
        return Some(bits.to_le_bytes().to_vec());
    }
    if let Some(bits) = constant("$f32.").or_else(|| constant("$i32.")) {
        return Some((bits as u32).to_le_bytes().to_vec());
    }
    // What is made to escape is stored behind a condition that never holds.
    match name {
        "internal/abi.alwaysFalse" => return Some(vec![0]),
        "internal/abi.escapeSink" => return Some(vec![0; 16]),
        _ => {}
    }
    match name.strip_prefix("runtime.")? {
        // No barrier is ever on.
        "writeBarrier" | "zerobase" | "debugCallV2" => Some(vec![0; 16]),
        "tls_g" => Some(tls_g.to_le_bytes().to_vec()),
        // What the emulated processor has.
        "x86HasPOPCNT" | "x86HasSSE41" | "x86HasFMA" | "x86HasAVX" => Some(vec![1]),
        "zeroVal" => Some(vec![0; 1024]),
        // Generic code looks for settings, for arenas of the heap, and for goroutines that run cleanups: none.
        "debug" => Some(vec![0; 512]),
        "mheap_" => Some(vec![0; 1 << 17]),
        "gcCleanups" => Some(vec![0; 512]),
        "gomaxprocs" => Some(1_i32.to_le_bytes().to_vec()),
        "emptyTypeAssertCache" | "emptyInterfaceSwitchCache" => Some(vec![0; 64]),
        "staticuint64s" => Some((0..256).flat_map(u64::to_le_bytes).collect()),
        "staticbytes" => Some((0..=255).collect()),
        _ => None,
    }
}
