//! Instructions on the processor itself, which no engine translates: both engines charge alike for them, and for what they make slow.

use goemu_x86::cpu::gpr;
use goemu_x86::exit::Exit;

use super::escape::hot;
use super::{DATA, Pair};

/// By name. RBX is [`DATA`].
const FORMS: [(&str, &[u8]); 14] = [
    ("cpuid", &[0x53, 0x51, 0x0f, 0xa2, 0x59, 0x5b]),
    ("xgetbv", &[0x51, 0x31, 0xc9, 0x0f, 0x01, 0xd0, 0x59]),
    ("rdtsc", &[0x0f, 0x31]),
    ("rdtscp", &[0x51, 0x0f, 0x01, 0xf9, 0x59]),
    ("rdrand rax", &[0x48, 0x0f, 0xc7, 0xf0]),
    ("rdseed eax", &[0x0f, 0xc7, 0xf8]),
    ("rdpid rax", &[0xf3, 0x0f, 0xc7, 0xf8]),
    ("stmxcsr [rbx]", &[0x0f, 0xae, 0x1b]),
    ("stmxcsr, ldmxcsr", &[0x0f, 0xae, 0x1b, 0x0f, 0xae, 0x13]),
    ("vstmxcsr, vldmxcsr", &[0xc5, 0xf8, 0xae, 0x1b, 0xc5, 0xf8, 0xae, 0x13]),
    ("rdfsbase rax", &[0xf3, 0x48, 0x0f, 0xae, 0xc0]),
    ("rdgsbase, wrgsbase", &[0xf3, 0x48, 0x0f, 0xae, 0xc8, 0xf3, 0x48, 0x0f, 0xae, 0xd8]),
    ("clflush [rbx]", &[0x0f, 0xae, 0x3b]),
    ("clflushopt [rbx]", &[0x66, 0x0f, 0xae, 0x3b]),
];

const ROUNDS: u64 = 2000;

#[test]
fn what_the_processor_does_itself_is_charged_alike() {
    for (name, form) in FORMS {
        // Vectors follow: vdivps ymm1, ymm0, ymm0; vsqrtpd ymm2, ymm0; dec rcx
        let rest = [0xc5, 0xfc, 0x5e, 0xc8, 0xc5, 0xfd, 0x51, 0xd0, 0x48, 0xff, 0xc9];
        let mut body = [form, &rest[..]].concat();
        let back = -(body.len() as i8 + 2);
        body.extend([0x75, back.cast_unsigned()]);
        // With the fuel for all of it, and ending in the midst.
        for fuel in [1 << 20, 10_000, 40_000] {
            let mut pair = Pair::new(&hot(&body));
            pair.set(gpr::RBX, DATA);
            pair.set(gpr::RCX, ROUNDS);
            let exit = pair.run(fuel, 0, name);
            let (one, other) = (pair.one.memory.charged(), pair.other.memory.charged());
            let rounds = ROUNDS - pair.one.cpu.gpr(gpr::RCX);
            assert_eq!((exit == Exit::Halt, one), (rounds == ROUNDS, other), "{name}");
            // What is charged is taken in portions.
            assert!(one + 5000 > rounds * 30, "{name}: {one} for {rounds} rounds");
            assert!(rounds == ROUNDS || rounds < fuel as u64 / 30 + 200, "{name}: {rounds}");
        }
    }
}
