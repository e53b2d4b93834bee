//! The way into translated code and out of it.
//!
//! Inside, every register of the host but R14 and MM0 and MM1 holds the guest's, RSP too: there is no host stack. GS has the
//! base of the guest's space, below which lies the [`State`]. Nothing that comes out of there is believed: registers are
//! data, and the host's stack pointer lies where the guest cannot write.

#![allow(unsafe_code, reason = "switches to translated code and back; every block states why it is sound")]

use std::arch::{asm, naked_asm};
use std::mem::offset_of;

use goemu_memory::{BUMPED as BUMPED_MOST, Bumped};
use goemu_x86::cpu::Ymm;

use super::signals::Inside;
use crate::facts::SMALL_BITS;
use crate::layout::{self, TABLE_LEN};

/// What lies at [`layout::STATE`].
#[repr(C)]
pub(crate) struct State {
    /// The general-purpose registers.
    pub(crate) gpr: [u64; 16],
    /// RFLAGS: arithmetic flags alone, on the way in.
    pub(crate) rflags: u64,
    /// What the exit was: see [`Left`]; or the stub's number.
    left: u64,
    /// Address in the cache at which the host refused something.
    refused: u64,
    /// Instructions left, and those of them that the place of entry counts as used.
    pub(crate) count: i64,
    /// Where to enter.
    target: u64,
    /// The host's stack.
    host_rsp: u64,
    /// [`leave`]
    leave: u64,
    /// Where an indirect jump goes.
    pub(crate) jump: u64,
    /// Base of FS, if it lies in the space; else an address that faults.
    pub(crate) fs_base: u64,
    /// R14 where it is a base: itself, if it lies in the space; else an address that faults.
    pub(crate) safe_r14: u64,
    /// The bits that a small number has not.
    not_small: u64,
    /// [`layout::SECOND_BITS`]
    second_bits: u64,
    /// What a repeated instruction counts for, and how much such work may still be done.
    cost: u64,
    pub(crate) cost_left: u64,
    /// Where the space begins on the host, and minus that.
    base: [u64; 2],
    pub(crate) mxcsr: u32,
    /// Which translator filled the tables.
    pub(crate) owner: u64,
    /// Entries of switches that are filled in.
    switches: usize,
    /// What may be handed out: from where, up to where; how many objects were, and the count of instructions at the last one.
    pub(crate) bump: [u64; 2],
    pub(crate) bumped: u64,
    pub(crate) bumped_at: i64,
    /// RAX, RCX, RDX, the flags and what a type says of pointers, while an object is made.
    saved: [u64; 5],
}

pub(crate) const BUMP_NEXT: i32 = offset_of!(State, bump) as i32;
pub(crate) const BUMP_END: i32 = BUMP_NEXT + 8;
pub(crate) const BUMPED: i32 = offset_of!(State, bumped) as i32;
pub(crate) const BUMPED_AT: i32 = offset_of!(State, bumped_at) as i32;
pub(crate) const SAVED: i32 = offset_of!(State, saved) as i32;
pub(crate) const R14: i32 = offset_of!(State, gpr) as i32 + 14 * 8;
pub(crate) const LEAVE: i32 = offset_of!(State, leave) as i32;
pub(crate) const JUMP: i32 = offset_of!(State, jump) as i32;
pub(crate) const FS_BASE: i32 = offset_of!(State, fs_base) as i32;
pub(crate) const SAFE_R14: i32 = offset_of!(State, safe_r14) as i32;
pub(crate) const NOT_SMALL: i32 = offset_of!(State, not_small) as i32;
pub(crate) const COST: i32 = offset_of!(State, cost) as i32;
pub(crate) const COST_LEFT: i32 = offset_of!(State, cost_left) as i32;
pub(crate) const BASE: i32 = offset_of!(State, base) as i32;
pub(crate) const MINUS_BASE: i32 = BASE + 8;
pub(crate) const SECOND_BITS: i32 = offset_of!(State, second_bits) as i32;

/// An address that no access of translated code may reach: it lies in the guard below the space, out of reach of the state.
pub(crate) const FAULTS: u64 = (-0x2000_0000_i64) as u64;

/// [`State::left`] where the host refused something: not a number of a stub.
const REFUSED: u64 = 1 << 32;

/// How translated code came out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Left {
    /// Through the stub of this number.
    Stub(u32),
    /// The host refused an instruction at this place of the cache.
    Refused(u64),
}

/// The state of translated code in one guest's space.
pub(crate) struct Window {
    state: *mut State,
    base: *mut u8,
}

impl Window {
    /// `state` is what [`layout::commit`] gave for the space at `base`.
    pub(crate) fn new(state: *mut u8, base: *mut u8) -> Window {
        Window { state: state.cast(), base }
    }

    pub(crate) fn base(&self) -> *mut u8 {
        self.base
    }

    pub(crate) fn state(&mut self) -> &mut State {
        // SAFETY: the window was committed for this, is aligned to a page and zero at first, which is a State; the
        // guest does not run while the reference lives, and `&mut self` makes it the only one.
        unsafe { &mut *self.state }
    }

    /// Empties both tables and fills in what never changes.
    pub(crate) fn prepare(&mut self, owner: u64, misses: (u64, u64)) {
        let base = self.base as u64;
        let state = self.state();
        state.base = [base, base.wrapping_neg()];
        (state.owner, state.not_small) = (owner, !0 << SMALL_BITS);
        state.switches = 0;
        state.second_bits = layout::SECOND_BITS;
        state.leave = leave as *const () as u64;
        for n in 0..layout::NUMBERS_LEN {
            let value = n as i64 - layout::NUMBERS_LEN as i64 / 2;
            self.put(layout::number(value as i32), value as u64);
        }
        for n in 0..TABLE_LEN {
            self.put(layout::RETURNS + 8 * n as i32, misses.0);
            self.put(layout::JUMPS + 8 * n as i32, misses.1);
        }
        for n in 0..layout::SECOND_LEN {
            self.put(layout::SECOND_RETURNS + 8 * n as i32, misses.0);
            self.put(layout::SECOND_JUMPS + 8 * n as i32, misses.1);
        }
    }

    /// Sets the entry of a guest address in a table. `miss` is what it has where there is none, `shared` where another address
    /// has it: then both are found through the second table.
    pub(crate) fn set_entry(&mut self, table: i32, addr: u64, place: u64, miss: u64, shared: u64) {
        let jumps = table == layout::JUMPS;
        let at = table + 8 * i32::from(if jumps { layout::slot_of_jump(addr) } else { addr as u16 });
        if [miss, place].contains(&self.get(at)) {
            return self.put(at, place);
        }
        self.put(at, shared);
        let second = if jumps { layout::SECOND_JUMPS } else { layout::SECOND_RETURNS };
        self.put(second + 8 * i32::from(layout::second_slot(addr)), place);
    }

    /// Fills in the entries of switches that have come since: addresses of all, by their number.
    pub(crate) fn set_switches(&mut self, len: usize, address: impl Fn(usize) -> u64) {
        for n in self.state().switches..len {
            self.put(layout::SWITCHES + 8 * n as i32, address(n));
        }
        self.state().switches = len;
    }

    /// The object that was handed out as the `n`-th.
    pub(crate) fn bumped(&mut self, n: usize) -> Bumped {
        let at = 8 * n.min(BUMPED_MOST - 1) as i32;
        Bumped { size: self.get(layout::SIZES + at), pointers: self.get(layout::POINTERS + at) }
    }

    fn get(&mut self, displacement: i32) -> u64 {
        // SAFETY: as for `put`.
        unsafe { self.quadword(displacement).read() }
    }

    fn put(&mut self, displacement: i32, value: u64) {
        // SAFETY: callers stay in the tables; `&mut self` as above.
        unsafe { self.quadword(displacement).write(value) }
    }

    fn quadword(&mut self, displacement: i32) -> *mut u64 {
        let at = (i64::from(displacement) - i64::from(layout::STATE)) as usize;
        debug_assert!(at < layout::TABLES_END);
        // SAFETY: the window reaches from the state to the end of the tables, and callers stay in it.
        unsafe { self.state.cast::<u8>().add(at).cast() }
    }

    /// Runs translated code from `target`, an address of the cache.
    ///
    /// GS, the signals' stack and masks are set as long as there is an [`Inside`]; the state is the caller's to set.
    pub(crate) fn enter(&mut self, _inside: &Inside, target: u64, ymm: &mut [Ymm; 16]) -> Left {
        self.state().target = target;
        let upper = ymm.iter().fold(0, |all, [_, upper]| all | upper) != 0;
        // SAFETY: `target` is the beginning of a block that the translator emitted; such code keeps to the guest's space
        // and comes back through `leave`, which gives every register of the host's its value again.
        unsafe { enter(self.state, ymm.as_mut_ptr(), upper.into()) };
        let state = self.state();
        match state.left {
            REFUSED => Left::Refused(state.refused),
            stub => Left::Stub(stub as u32),
        }
    }
}

/// For the signal handler: where to go on, after noting that the host refused the instruction at `at`.
///
/// # Safety
/// `state` is that of the window that this thread is in.
pub(crate) unsafe fn refuse(state: *mut State, at: u64) -> u64 {
    // SAFETY: see above; translated code is stopped, so that nothing else looks at it.
    unsafe {
        (*state).left = REFUSED;
        (*state).refused = at;
    }
    leave_refused as *const () as u64
}

/// Whether the system lets programs write GS's base themselves.
fn has_fsgsbase() -> bool {
    const FSGSBASE: u64 = 2;
    // SAFETY: getauxval only reads.
    unsafe { libc::getauxval(libc::AT_HWCAP2) & FSGSBASE != 0 }
}

/// Gives GS a base, and says which it had.
pub(crate) fn swap_gs(base: u64) -> u64 {
    if has_fsgsbase() {
        let old: u64;
        // SAFETY: x86-64 Linux leaves GS to programs; the caller gives it its old base again before it returns to
        // anybody who could use it.
        unsafe {
            asm!("rdgsbase {}", "wrgsbase {}", out(reg) old, in(reg) base, options(nostack, preserves_flags))
        };
        return old;
    }
    const ARCH_SET_GS: i32 = 0x1001;
    const ARCH_GET_GS: i32 = 0x1004;
    let mut old = 0_u64;
    // SAFETY: as above; the kernel writes eight bytes where it is told.
    unsafe {
        libc::syscall(libc::SYS_arch_prctl, ARCH_GET_GS, &raw mut old);
        libc::syscall(libc::SYS_arch_prctl, ARCH_SET_GS, base);
    }
    old
}

const GS: i32 = layout::STATE;

/// Saves the host's registers, loads the guest's and jumps to the target.
///
/// # Safety
/// See [`Window::enter`].
#[unsafe(naked)]
unsafe extern "sysv64" fn enter(state: *mut State, ymm: *mut Ymm, upper: u32) {
    naked_asm!(
        "push rbp", "push rbx", "push r12", "push r13", "push r14", "push r15",
        "sub rsp, 8", "stmxcsr [rsp]",
        "push rsi",
        "mov [rdi + {host_rsp}], rsp",
        "test edx, edx", "jnz 2f",
        // Whoever has never used the upper halves must not pay for them: old instructions are slow where they are not
        // known to be zero.
        "vzeroupper",
        "movups xmm0, [rsi]", "movups xmm1, [rsi + 32]", "movups xmm2, [rsi + 64]", "movups xmm3, [rsi + 96]",
        "movups xmm4, [rsi + 128]", "movups xmm5, [rsi + 160]", "movups xmm6, [rsi + 192]",
        "movups xmm7, [rsi + 224]", "movups xmm8, [rsi + 256]", "movups xmm9, [rsi + 288]",
        "movups xmm10, [rsi + 320]", "movups xmm11, [rsi + 352]", "movups xmm12, [rsi + 384]",
        "movups xmm13, [rsi + 416]", "movups xmm14, [rsi + 448]", "movups xmm15, [rsi + 480]",
        "jmp 3f",
        "2:",
        "vmovdqu ymm0, [rsi]", "vmovdqu ymm1, [rsi + 32]", "vmovdqu ymm2, [rsi + 64]", "vmovdqu ymm3, [rsi + 96]",
        "vmovdqu ymm4, [rsi + 128]", "vmovdqu ymm5, [rsi + 160]", "vmovdqu ymm6, [rsi + 192]",
        "vmovdqu ymm7, [rsi + 224]", "vmovdqu ymm8, [rsi + 256]", "vmovdqu ymm9, [rsi + 288]",
        "vmovdqu ymm10, [rsi + 320]", "vmovdqu ymm11, [rsi + 352]", "vmovdqu ymm12, [rsi + 384]",
        "vmovdqu ymm13, [rsi + 416]", "vmovdqu ymm14, [rsi + 448]", "vmovdqu ymm15, [rsi + 480]",
        "3:",
        "ldmxcsr [rdi + {mxcsr}]",
        "movq mm0, qword ptr [rdi + {count}]",
        "push qword ptr [rdi + {rflags}]", "popfq",
        "mov rax, [rdi]", "mov rcx, [rdi + 8]", "mov rdx, [rdi + 16]", "mov rbx, [rdi + 24]",
        "mov rsp, [rdi + 32]", "mov rbp, [rdi + 40]", "mov rsi, [rdi + 48]",
        "mov r8, [rdi + 64]", "mov r9, [rdi + 72]", "mov r10, [rdi + 80]", "mov r11, [rdi + 88]",
        "mov r12, [rdi + 96]", "mov r13, [rdi + 104]", "mov r15, [rdi + 120]",
        "mov rdi, [rdi + 56]",
        "jmp qword ptr gs:[{gs} + {target}]",
        host_rsp = const offset_of!(State, host_rsp),
        mxcsr = const offset_of!(State, mxcsr),
        count = const offset_of!(State, count),
        rflags = const offset_of!(State, rflags),
        target = const offset_of!(State, target),
        gs = const GS,
    )
}

/// Where translated code jumps to leave, the number of a stub in R14.
#[unsafe(naked)]
unsafe extern "sysv64" fn leave() {
    naked_asm!(
        "mov gs:[{gs} + {left}], r14",
        "jmp {refused}",
        gs = const GS,
        left = const offset_of!(State, left),
        refused = sym leave_refused,
    )
}

/// Saves the guest's registers, loads the host's and returns from [`enter`].
#[unsafe(naked)]
unsafe extern "sysv64" fn leave_refused() {
    naked_asm!(
        "mov gs:[{gs}], rax", "mov gs:[{gs} + 8], rcx", "mov gs:[{gs} + 16], rdx", "mov gs:[{gs} + 24], rbx",
        "mov gs:[{gs} + 32], rsp", "mov gs:[{gs} + 40], rbp", "mov gs:[{gs} + 48], rsi", "mov gs:[{gs} + 56], rdi",
        "mov gs:[{gs} + 64], r8", "mov gs:[{gs} + 72], r9", "mov gs:[{gs} + 80], r10", "mov gs:[{gs} + 88], r11",
        "mov gs:[{gs} + 96], r12", "mov gs:[{gs} + 104], r13", "mov gs:[{gs} + 120], r15",
        "mov rsp, gs:[{gs} + {host_rsp}]",
        "pushfq", "pop rax", "mov gs:[{gs} + {rflags}], rax", "cld",
        "movq rax, mm0", "mov gs:[{gs} + {count}], rax", "emms",
        "stmxcsr gs:[{gs} + {mxcsr}]",
        "pop rdx",
        "vmovdqu [rdx], ymm0", "vmovdqu [rdx + 32], ymm1", "vmovdqu [rdx + 64], ymm2", "vmovdqu [rdx + 96], ymm3",
        "vmovdqu [rdx + 128], ymm4", "vmovdqu [rdx + 160], ymm5", "vmovdqu [rdx + 192], ymm6",
        "vmovdqu [rdx + 224], ymm7", "vmovdqu [rdx + 256], ymm8", "vmovdqu [rdx + 288], ymm9",
        "vmovdqu [rdx + 320], ymm10", "vmovdqu [rdx + 352], ymm11", "vmovdqu [rdx + 384], ymm12",
        "vmovdqu [rdx + 416], ymm13", "vmovdqu [rdx + 448], ymm14", "vmovdqu [rdx + 480], ymm15",
        "vzeroupper",
        "ldmxcsr [rsp]", "add rsp, 8",
        "pop r15", "pop r14", "pop r13", "pop r12", "pop rbx", "pop rbp",
        "ret",
        gs = const GS,
        host_rsp = const offset_of!(State, host_rsp),
        rflags = const offset_of!(State, rflags),
        count = const offset_of!(State, count),
        mxcsr = const offset_of!(State, mxcsr),
    )
}
