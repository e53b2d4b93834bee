//! The host processor as oracle: runs a few instruction bytes natively on a chosen state and returns the state
//! after them. Faults come back as values. Linux on x86-64 only; it knows nothing of the emulator.
//!
//! ```text
//! Native::lock() ── state ──▶ enter ──▶ slot: the bytes, then a jump ──▶ leave ── state ──▶
//!                                         └─ fault ─▶ on_signal: note it, continue at leave
//! ```
#![allow(unsafe_code, reason = "it runs chosen machine code on the host; every block says why it may")]

use std::{
    arch::naked_asm,
    cell::UnsafeCell,
    mem::{offset_of, zeroed},
    ptr::{null_mut, write_bytes},
    sync::{
        Mutex, MutexGuard, Once, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::host::{host_has_avx, host_has_xsave};

/// Where the memory window starts; instructions use absolute addresses in it.
pub const WINDOW: u64 = 0x1000_0000;
/// Size of the memory window in bytes; the pages on both sides of it are never mapped.
pub const WINDOW_SIZE: usize = 0x2000;
/// Where the instruction bytes are placed; the page before it is never mapped.
pub const CODE: u64 = 0x1100_0000;
/// Most bytes that [`Native::run`] takes at once.
pub const CODE_MAX: usize = 0x800;
/// Where jumps may go instead of past the code: far enough for a displacement of 8 bits, or of 32.
pub const NEAR: u64 = CODE + 0x60;
/// As [`NEAR`].
pub const FAR: u64 = CODE + 0x900;
/// In the code's page, a byte that says that a jump went there.
const JUMPED: u64 = CODE + 0xf80;

const PAGE: usize = 0x1000;
/// Flags a guest may choose: CF PF AF ZF SF DF OF. TF and AC would fault in the harness itself.
const RFLAGS_FREE: u64 = 0xcd5;
/// IF and the bit that always reads as one: user code always sees them set.
const RFLAGS_FIXED: u64 = 0x202;

/// What an instruction can see and change.
#[derive(Clone, PartialEq, Eq)]
pub struct State {
    /// RAX RCX RDX RBX RSP RBP RSI RDI R8 … R15.
    pub gpr: [u64; 16],
    /// CF PF AF ZF SF DF OF at their places in RFLAGS; all other bits read as zero.
    pub rflags: u64,
    /// YMM0 … YMM15, low lane first.
    pub ymm: [[u128; 2]; 16],
    /// Control and status of SSE.
    pub mxcsr: u32,
    /// The x87 unit.
    pub x87: X87,
    /// The bytes at [`WINDOW`].
    pub mem: Box<[u8; WINDOW_SIZE]>,
    /// Whether control came out at [`NEAR`] or [`FAR`].
    pub jumped: bool,
}

/// The x87 unit as FXSAVE shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct X87 {
    /// Control word.
    pub control: u16,
    /// Status word; bits 11 to 13 are the top of the stack.
    pub status: u16,
    /// One bit a physical register: set where it holds a value.
    pub tags: u8,
    /// ST(0) … ST(7), 80 bits each.
    pub st: [u128; 8],
}

impl Default for X87 {
    fn default() -> Self {
        X87 { control: 0x37f, status: 0, tags: 0, st: [0; 8] }
    }
}

impl Default for State {
    fn default() -> Self {
        State {
            gpr: [0; 16],
            rflags: 0,
            ymm: [[0; 2]; 16],
            mxcsr: 0x1f80,
            x87: X87::default(),
            mem: Box::new([0; WINDOW_SIZE]),
            jumped: false,
        }
    }
}

/// Why the processor refused an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trap {
    /// Number of the exception: 0 #DE, 3 #BP, 6 #UD, 13 #GP, 14 #PF, 16 #MF, 17 #AC, 19 #XM.
    pub vector: u8,
    /// The address of a page fault; zero for all others.
    pub address: u64,
    /// Whether a page fault was a write.
    pub write: bool,
    /// Where the instruction pointer was, counted from [`CODE`].
    pub at: u64,
}

/// What `enter` and `leave` load and store. The registers of the FXSAVE images are at the manual's offsets.
#[repr(C, align(64))]
struct Area {
    fx: [u8; 512],
    host_fx: [u8; 512],
    ymm: [[u128; 2]; 16],
    gpr: [u64; 16],
    rflags: u64,
    host_rsp: u64,
    slot: u64,
    scratch: [u64; 8],
    scratch_top: u64,
    /// Not zero where the host has AVX; elsewhere the lower lanes go through the FXSAVE images alone.
    avx: u64,
}

/// The upper lanes of the vector registers, as a bit of XCR0.
const AVX_STATE: u64 = 4;
/// Where an FXSAVE image has the vector registers.
const FX_VECTORS: usize = 160;

struct Shared(UnsafeCell<Area>);
// SAFETY: only the holder of `LOCK` touches the area.
unsafe impl Sync for Shared {}

// SAFETY: integers and arrays of them may be all zero.
static AREA: Shared = Shared(UnsafeCell::new(unsafe { zeroed() }));
static LOCK: Mutex<()> = Mutex::new(());
static RUNNING: AtomicBool = AtomicBool::new(false);
static TRAP: Mutex<Option<Trap>> = Mutex::new(None);

/// The one right to run code natively; other threads wait for it.
pub struct Native {
    _lock: MutexGuard<'static, ()>,
    _stack: Box<[u8]>,
    old_stack: libc::stack_t,
}

impl Native {
    /// Waits for the processor, maps the window and the code page once, and installs the fault handlers.
    pub fn lock() -> Native {
        let lock = LOCK.lock().unwrap_or_else(PoisonError::into_inner);
        static SETUP: Once = Once::new();
        SETUP.call_once(setup);
        let mut stack = vec![0u8; 256 << 10].into_boxed_slice();
        // SAFETY: the stack outlives its use: `drop` gives the old one back before it is freed.
        let old_stack = unsafe {
            let new = libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: stack.len() };
            let mut old = zeroed();
            assert_eq!(libc::sigaltstack(&new, &mut old), 0, "no alternate signal stack");
            old
        };
        Native { _lock: lock, _stack: stack, old_stack }
    }

    /// Runs `code` on `state`, which it replaces by the state after it, or at the fault.
    ///
    /// # Panics
    /// Where the code is longer than [`CODE_MAX`].
    pub fn run(&mut self, code: &[u8], state: &mut State) -> Result<(), Trap> {
        place(code);
        load(state);
        *TRAP.lock().expect("no panic while it is held") = None;
        RUNNING.store(true, Ordering::SeqCst);
        // SAFETY: `enter` keeps the callee-saved registers, the x87 and SSE state of the host; what the guest
        // code can reach are its registers, the window, and whatever address its caller computed for it.
        unsafe { enter() };
        RUNNING.store(false, Ordering::SeqCst);
        store(state);
        match TRAP.lock().expect("no panic while it is held").take() {
            Some(trap) => Err(trap),
            None => Ok(()),
        }
    }
}

impl Drop for Native {
    fn drop(&mut self) {
        // SAFETY: gives back the stack that was there before.
        unsafe { libc::sigaltstack(&self.old_stack, null_mut()) };
    }
}

/// The parts of the state that the host saves, as bits of XCR0; none where it has no XSAVE.
pub fn host_xcr0() -> u64 {
    if !host_has_xsave() {
        return 0;
    }
    // SAFETY: the processor has XSAVE and the kernel has turned it on.
    let parts = unsafe { std::arch::x86_64::_xgetbv(0) };
    if host_has_avx() { parts } else { parts & !AVX_STATE }
}

/// Writes the bytes into the slot, behind them a jump to `leave`, and the same where jumps may go.
fn place(code: &[u8]) {
    assert!(code.len() <= CODE_MAX, "too much code for the slot");
    let mut jump = vec![0xff, 0x25, 0, 0, 0, 0]; // JMP [RIP+0]
    jump.extend((leave as *const () as u64).to_le_bytes());
    write_code(CODE, code);
    write_code(CODE + code.len() as u64, &jump);
    let short = CODE + (code.len() + jump.len()) as u64 <= NEAR;
    for landing in [NEAR, FAR].into_iter().filter(|&at| at == FAR || short) {
        // MOV BYTE PTR [RIP+...], 1
        let mut note = vec![0xc6, 0x05];
        note.extend(((JUMPED - landing - 7) as u32).to_le_bytes());
        note.push(1);
        note.extend(&jump);
        write_code(landing, &note);
    }
    write_code(JUMPED, &[0]);
}

/// Writes into the slot's page.
fn write_code(at: u64, bytes: &[u8]) {
    assert!(at >= CODE && at as usize + bytes.len() <= CODE as usize + PAGE, "outside the slot");
    // SAFETY: the slot is mapped and writable, and the bytes fit into it.
    unsafe { (at as *mut u8).copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) };
}

fn load(state: &State) {
    // SAFETY: the caller holds the lock, so nothing else uses the area or the window.
    unsafe {
        let area = &mut *AREA.0.get();
        area.gpr = state.gpr;
        area.rflags = state.rflags & RFLAGS_FREE | RFLAGS_FIXED;
        area.ymm = state.ymm;
        area.slot = CODE;
        area.avx = host_has_avx().into();
        area.fx[0..2].copy_from_slice(&state.x87.control.to_le_bytes());
        area.fx[2..4].copy_from_slice(&state.x87.status.to_le_bytes());
        area.fx[4] = state.x87.tags;
        area.fx[24..28].copy_from_slice(&state.mxcsr.to_le_bytes());
        for (i, st) in state.x87.st.iter().enumerate() {
            area.fx[32 + 16 * i..48 + 16 * i].copy_from_slice(&st.to_le_bytes());
        }
        for (lane, ymm) in area.fx[FX_VECTORS..].chunks_exact_mut(16).zip(&state.ymm) {
            lane.copy_from_slice(&ymm[0].to_le_bytes());
        }
        (WINDOW as *mut u8).copy_from_nonoverlapping(state.mem.as_ptr(), WINDOW_SIZE);
    }
}

fn store(state: &mut State) {
    // SAFETY: as in `load`.
    unsafe {
        let area = &*AREA.0.get();
        state.gpr = area.gpr;
        state.rflags = area.rflags & RFLAGS_FREE;
        if host_has_avx() {
            state.ymm = area.ymm;
        } else {
            // Without AVX no instruction changes the upper lanes: they stay as they were.
            for (lane, ymm) in area.fx[FX_VECTORS..].chunks_exact(16).zip(&mut state.ymm) {
                ymm[0] = u128::from_le_bytes(std::array::from_fn(|i| lane[i]));
            }
        }
        state.x87.control = u16::from_le_bytes([area.fx[0], area.fx[1]]);
        state.x87.status = u16::from_le_bytes([area.fx[2], area.fx[3]]);
        state.x87.tags = area.fx[4];
        state.mxcsr = u32::from_le_bytes([area.fx[24], area.fx[25], area.fx[26], area.fx[27]]);
        for (i, st) in state.x87.st.iter_mut().enumerate() {
            let mut bytes = [0; 16];
            bytes[..10].copy_from_slice(&area.fx[32 + 16 * i..42 + 16 * i]);
            *st = u128::from_le_bytes(bytes);
        }
        (WINDOW as *const u8).copy_to_nonoverlapping(state.mem.as_mut_ptr(), WINDOW_SIZE);
        state.jumped = *(JUMPED as *const u8) != 0;
    }
}

/// Maps the window and the slot, each between pages that fault, and takes over the fault signals.
fn setup() {
    map_between_guards(WINDOW, WINDOW_SIZE, libc::PROT_READ | libc::PROT_WRITE);
    map_between_guards(CODE, PAGE, libc::PROT_READ | libc::PROT_WRITE | libc::PROT_EXEC);
    for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGFPE, libc::SIGILL, libc::SIGTRAP] {
        // SAFETY: a handler of the right type that only touches what the lock protects.
        unsafe {
            let mut action: libc::sigaction = zeroed();
            action.sa_sigaction = on_signal as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            assert_eq!(libc::sigaction(signal, &action, null_mut()), 0, "cannot handle signal {signal}");
        }
    }
}

fn map_between_guards(at: u64, size: usize, prot: i32) {
    let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_FIXED_NOREPLACE;
    let start = at - PAGE as u64;
    // SAFETY: MAP_FIXED_NOREPLACE takes the range only where nothing is mapped; then a part of it is opened.
    unsafe {
        let got = libc::mmap(start as *mut _, size + 2 * PAGE, libc::PROT_NONE, flags, -1, 0);
        assert_eq!(got as u64, start, "the host has something mapped at {start:#x}");
        assert_eq!(libc::mprotect(at as *mut _, size, prot), 0, "cannot open {at:#x}");
        if prot & libc::PROT_WRITE != 0 {
            write_bytes(at as *mut u8, 0, size);
        }
    }
}

/// Notes the fault and goes on at `leave`, with every register as the fault left it.
unsafe extern "C" fn on_signal(signal: i32, _: *mut libc::siginfo_t, context: *mut libc::c_void) {
    // SAFETY: the kernel hands a valid context to a handler that was installed with SA_SIGINFO.
    let registers = unsafe { &mut (*context.cast::<libc::ucontext_t>()).uc_mcontext.gregs };
    let rip = registers[libc::REG_RIP as usize] as u64;
    let in_slot = (CODE - PAGE as u64..CODE + 2 * PAGE as u64).contains(&rip);
    if !RUNNING.load(Ordering::SeqCst) || !in_slot {
        // SAFETY: not ours: with the default action the same fault ends the process, as it should.
        unsafe { libc::signal(signal, libc::SIG_DFL) };
        return;
    }
    let vector = registers[libc::REG_TRAPNO as usize] as u8;
    let page_fault = vector == 14;
    let trap = Trap {
        vector,
        address: if page_fault { registers[libc::REG_CR2 as usize] as u64 } else { 0 },
        write: page_fault && registers[libc::REG_ERR as usize] & 2 != 0,
        at: rip.wrapping_sub(CODE),
    };
    if let Ok(mut slot) = TRAP.try_lock() {
        *slot = Some(trap);
    }
    registers[libc::REG_RIP as usize] = leave as *const () as i64;
}

/// Saves the host, loads the guest, jumps to the slot.
#[unsafe(naked)]
unsafe extern "C" fn enter() {
    naked_asm!(
        ".irp r, rbx, rbp, r12, r13, r14, r15",
        "push \\r",
        ".endr",
        "mov [rip + {area} + {host_rsp}], rsp",
        "fxsave64 [rip + {area} + {host_fx}]",
        "fxrstor64 [rip + {area} + {fx}]",
        "cmp qword ptr [rip + {area} + {avx}], 0",
        "je 2f",
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "vmovdqu ymm\\n, [rip + {area} + {ymm} + 32 * \\n]",
        ".endr",
        "2:",
        "lea rsp, [rip + {area} + {scratch_top}]",
        "push qword ptr [rip + {area} + {rflags}]",
        "popfq",
        "mov rax, [rip + {area} + {gpr}]",
        "mov rcx, [rip + {area} + {gpr} + 8]",
        "mov rdx, [rip + {area} + {gpr} + 16]",
        "mov rbx, [rip + {area} + {gpr} + 24]",
        "mov rsp, [rip + {area} + {gpr} + 32]",
        "mov rbp, [rip + {area} + {gpr} + 40]",
        "mov rsi, [rip + {area} + {gpr} + 48]",
        "mov rdi, [rip + {area} + {gpr} + 56]",
        ".irp n, 8, 9, 10, 11, 12, 13, 14, 15",
        "mov r\\n, [rip + {area} + {gpr} + 8 * \\n]",
        ".endr",
        "jmp [rip + {area} + {slot}]",
        area = sym AREA,
        host_rsp = const offset_of!(Area, host_rsp),
        host_fx = const offset_of!(Area, host_fx),
        fx = const offset_of!(Area, fx),
        ymm = const offset_of!(Area, ymm),
        avx = const offset_of!(Area, avx),
        scratch_top = const offset_of!(Area, scratch_top),
        rflags = const offset_of!(Area, rflags),
        gpr = const offset_of!(Area, gpr),
        slot = const offset_of!(Area, slot),
    )
}

/// Saves the guest, loads the host, returns to the caller of `enter`.
#[unsafe(naked)]
unsafe extern "C" fn leave() {
    naked_asm!(
        "mov [rip + {area} + {gpr}], rax",
        "mov [rip + {area} + {gpr} + 8], rcx",
        "mov [rip + {area} + {gpr} + 16], rdx",
        "mov [rip + {area} + {gpr} + 24], rbx",
        "mov [rip + {area} + {gpr} + 32], rsp",
        "mov [rip + {area} + {gpr} + 40], rbp",
        "mov [rip + {area} + {gpr} + 48], rsi",
        "mov [rip + {area} + {gpr} + 56], rdi",
        ".irp n, 8, 9, 10, 11, 12, 13, 14, 15",
        "mov [rip + {area} + {gpr} + 8 * \\n], r\\n",
        ".endr",
        "lea rsp, [rip + {area} + {scratch_top}]",
        "pushfq",
        "pop qword ptr [rip + {area} + {rflags}]",
        "cld",
        "cmp qword ptr [rip + {area} + {avx}], 0",
        "je 2f",
        ".irp n, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
        "vmovdqu [rip + {area} + {ymm} + 32 * \\n], ymm\\n",
        ".endr",
        "2:",
        "fxsave64 [rip + {area} + {fx}]",
        "cmp qword ptr [rip + {area} + {avx}], 0",
        "je 3f",
        "vzeroupper",
        "3:",
        "fxrstor64 [rip + {area} + {host_fx}]",
        "mov rsp, [rip + {area} + {host_rsp}]",
        ".irp r, r15, r14, r13, r12, rbp, rbx",
        "pop \\r",
        ".endr",
        "ret",
        area = sym AREA,
        host_rsp = const offset_of!(Area, host_rsp),
        host_fx = const offset_of!(Area, host_fx),
        fx = const offset_of!(Area, fx),
        ymm = const offset_of!(Area, ymm),
        avx = const offset_of!(Area, avx),
        scratch_top = const offset_of!(Area, scratch_top),
        rflags = const offset_of!(Area, rflags),
        gpr = const offset_of!(Area, gpr),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_and_sets_flags() {
        let mut state = State::default();
        (state.gpr[0], state.gpr[1]) = (u64::MAX, 1);
        Native::lock().run(&[0x48, 0x01, 0xc8], &mut state).expect("ADD RAX, RCX runs");
        assert_eq!((state.gpr[0], state.gpr[1], state.rflags), (0, 1, 0x55));
    }

    #[test]
    fn keeps_every_register() {
        let mut state = State::default();
        for i in 0..16 {
            state.gpr[i] = 0xbadc_0ffe_e0dd_f000 + i as u64;
            state.ymm[i] = [u128::MAX / (i as u128 + 3), i as u128];
        }
        state.x87.st = std::array::from_fn(|i| 0x4000_8000_0000_0000_0000 + i as u128);
        state.x87.tags = 0xff;
        state.mem[5] = 7;
        (state.mxcsr, state.rflags) = (0x7fbf, 0xcd5);
        let mut after = state.clone();
        Native::lock().run(&[0x90], &mut after).expect("NOP runs");
        assert!(after == state);
    }

    #[test]
    fn faults_are_values() {
        let mut native = Native::lock();
        let mut state = State::default();
        let ud2 = native.run(&[0x90, 0x0f, 0x0b], &mut state);
        assert_eq!(ud2, Err(Trap { vector: 6, address: 0, write: false, at: 1 }));
        let divide = native.run(&[0x48, 0xf7, 0xf1], &mut state);
        assert_eq!(divide, Err(Trap { vector: 0, address: 0, write: false, at: 0 }));
        let end = WINDOW + WINDOW_SIZE as u64;
        state.gpr[0] = end - 4;
        let store = native.run(&[0x48, 0x89, 0x08], &mut state);
        assert_eq!(store, Err(Trap { vector: 14, address: end, write: true, at: 0 }));
        state.gpr[0] = WINDOW + 1;
        assert!(!state.jumped);
        native.run(&[0xeb, 0x5e], &mut state).expect("JMP runs");
        assert!(state.jumped);
        let misaligned = native.run(&[0x0f, 0x28, 0x00], &mut state);
        assert_eq!(misaligned, Err(Trap { vector: 13, address: 0, write: false, at: 0 }));
        assert_eq!(state.gpr[0], WINDOW + 1);
    }
}
