//! Functions of the runtime by what they call, and what calls them.

use goemu_loader::{Func, FuncId, Image};
use iced_x86::{Code, FlowControl, Instruction, Mnemonic, OpKind, Register};

use super::{NEAR, Recognised, call_target, constant, is_address};
use crate::disasm::code_of;
use crate::go::start::scheduler_start;

/// How many calls after a check are looked at.
const FEW: usize = 2;
/// Bytes of a function that does one thing, and of the largest that is looked at twice.
const SMALL: u64 = 0x100;
const LARGE: u64 = 0x800;
/// Bytes of a function that goes to the system's stack, and does little else.
const SWITCHING: u64 = 0x200;
/// The limits of stacks and threads in every release.
const MAX_STACK: u64 = 1_000_000_000;
const MAX_THREADS: u64 = 10_000;
/// Bytes between a branch to a panic and what is panicked with.
const PANIC: u64 = 0x60;

/// What the scan notes of a function, for when all have been seen.
#[derive(Debug, Default)]
pub(super) struct Noted {
    /// Calls with the third argument of a goroutine that sleeps, or waits for the collector: caller, function, argument.
    parks: Vec<(u64, u64, u64)>,
    /// Functions that go to the system's stack, and the functions that they name.
    switching: Vec<(u64, Vec<u64>)>,
    /// Functions with texts of [`super::MARKS`].
    pub(super) marks: [Option<u64>; 3],
}

impl Noted {
    pub(super) fn look_at(&mut self, image: &Image, entry: u64, code: &[Instruction], switches: bool) {
        let numbers = &image.facts().numbers;
        let reasons = [numbers.wait_sleep, numbers.wait_collector];
        let in_registers = image.facts().register_abi();
        for (at, insn) in code.iter().enumerate() {
            let Some(target) = call_target(insn) else { continue };
            let before = &code[at.saturating_sub(NEAR)..at];
            let Some(reason) = before.iter().rev().find_map(|insn| third_argument(insn, in_registers)) else {
                continue;
            };
            if reasons.contains(&Some(reason)) {
                self.parks.push((entry, target, reason));
            }
        }
        if switches {
            self.switching.push((entry, functions_named(image, code)));
        }
    }

    /// What follows from all functions.
    pub(super) fn conclude(&self, image: &Image, found: &mut Recognised) {
        let numbers = &image.facts().numbers;
        let gopark = found.get("gopark");
        let parking = |reason: Option<u64>| {
            let calls = self.parks.iter();
            calls.filter(move |(_, target, of)| Some(*target) == gopark && Some(*of) == reason)
        };
        for (caller, ..) in parking(numbers.wait_sleep) {
            found.add("timeSleep", *caller);
        }
        let waits: Vec<u64> = parking(numbers.wait_collector).map(|(caller, ..)| *caller).collect();
        for (name, text) in ["stopTheWorld", "startTheWorld", "ReadMemStats"].into_iter().zip(self.marks) {
            self.conclude_switching(image, name, text, found);
        }
        self.conclude_coroutines(image, found);
        Second::of(image, found, &waits).conclude(image, found);
    }

    /// `newcoro` starts a goroutine on the system's stack, as `newproc` does, but makes an object first.
    fn conclude_coroutines(&self, image: &Image, found: &mut Recognised) {
        let Some(start) = found.get("newproc1").filter(|_| found.get("coroswitch_m").is_some()) else {
            return;
        };
        let allocators: Vec<u64> =
            found.all().filter(|(name, _)| *name == "mallocgc").map(|(_, entry)| entry).collect();
        let calls = |entry: u64, is_it: &dyn Fn(u64) -> bool| {
            let code = image.func_at(entry).map(|func| code_of(&func)).unwrap_or_default();
            code.iter().filter_map(call_target).any(is_it)
        };
        let allocates = |entry| allocators.contains(&entry);
        // `newobject` does nothing else.
        let makes = |entry| allocates(entry) || !is_of_panics(image, entry) && calls(entry, &allocates);
        for (entry, named) in &self.switching {
            let starts = named.iter().any(|closure| calls(*closure, &|target| target == start));
            if starts && calls(*entry, &makes) {
                found.add("newcoro", *entry);
            }
        }
    }

    /// What calls a function on the system's stack by a function that does nothing else.
    fn conclude_switching(
        &self,
        image: &Image,
        name: &'static str,
        done: Option<u64>,
        found: &mut Recognised,
    ) {
        let Some(done) = done else { return };
        let calls_it = |entry: &u64| {
            let Some(func) = image.func_at(*entry) else { return false };
            code_of(&func).iter().any(|insn| call_target(insn) == Some(done))
        };
        // The collector's start does so, too, and much more.
        let is_small = |entry: u64| {
            image.func_at(entry).is_some_and(|func| func.end().saturating_sub(entry) < SWITCHING)
        };
        for (entry, _) in self.switching.iter().filter(|(_, named)| named.iter().any(calls_it)) {
            if is_small(*entry) {
                found.add(name, *entry);
            }
        }
    }
}

/// Why the world is stopped for a profile of goroutines, up to Go 1.20.
const PROFILE: &[u8] = b"profile";

/// What is looked for once others are found.
struct Second {
    /// What waits for the collector: `GC` waits for the cycle before its own, and for its own.
    wait: Option<u64>,
    stop_world: Option<u64>,
    processors: Option<u64>,
    /// `maxstacksize`, which `runtime.main` sets.
    max_stack: Option<u64>,
    /// `sched.maxmcount`, which `schedinit` sets.
    max_threads: Option<u64>,
    /// The variables of `signal_recv`.
    of_signals: Vec<u64>,
    signal_recv: Option<u64>,
    /// What `coroswitch` leaves its stack for.
    coroutines: Option<u64>,
}

impl Second {
    fn of(image: &Image, found: &Recognised, waits: &[u64]) -> Second {
        let main = image.funcs().find(|func| func.func_id() == FuncId::RuntimeMain);
        let constant_in = |func: Option<Func<'_>>, value| {
            func.and_then(|func| code_of(&func).iter().find_map(|insn| stored_constant(insn, value)))
        };
        let signal_recv = found.get("os/signal.signal_recv");
        let code = signal_recv.and_then(|entry| image.func_at(entry)).map(|func| code_of(&func));
        let variables = code.iter().flatten().filter(|insn| insn.is_ip_rel_memory_operand());
        Second {
            wait: if let [wait] = waits { Some(*wait) } else { None },
            stop_world: found.get("stopTheWorld"),
            processors: found.processors,
            max_stack: constant_in(main, MAX_STACK),
            max_threads: constant_in(scheduler_start(image), MAX_THREADS),
            of_signals: variables.map(Instruction::ip_rel_memory_address).collect(),
            signal_recv,
            coroutines: found.get("coroswitch_m"),
        }
    }

    fn conclude(&self, image: &Image, found: &mut Recognised) {
        let rules = image.facts().rules();
        let (mut stopping, mut asking) = (Vec::from_iter(self.stop_world), Vec::new());
        for func in image.funcs().filter(|func| func.end().saturating_sub(func.entry()) < LARGE) {
            let (entry, code) = (func.entry(), code_of(&func));
            let calls = |target: Option<u64>| {
                code.iter().filter(|insn| target.is_some() && call_target(insn) == target).count()
            };
            if calls(self.wait) >= 2 {
                found.add("GC", entry);
            }
            if calls(self.stop_world) > 0 {
                stopping.push(entry);
            }
            if code.iter().any(|insn| is_load(insn) && accesses(insn, self.processors)) {
                // What a program has set is noted since Go 1.25.
                let unset = |insn: &Instruction| {
                    insn.code() == Code::Mov_rm8_imm8
                        && insn.is_ip_rel_memory_operand()
                        && insn.immediate(1) == 0
                };
                let is_default = rules.is_within((25, u16::MAX)) && code.iter().any(unset);
                let name = if is_default { "SetDefaultGOMAXPROCS" } else { "GOMAXPROCS" };
                asking.push((name, entry, code.iter().filter_map(call_target).collect::<Vec<_>>()));
            }
            if let Some(name) = self.profiles(image, &code, calls(self.stop_world)) {
                found.add(name, entry);
            }
            if let Some(name) = size_of_channel(image, &func, &code) {
                found.add(name, entry);
            }
            let stores = |code_is, variable| {
                code.iter().any(|insn| insn.code() == code_is && accesses(insn, variable))
            };
            if stores(Code::Mov_rm64_r64, self.max_stack) {
                found.add("runtime/debug.setMaxStack", entry);
            }
            if stores(Code::Mov_rm32_r32, self.max_threads) {
                found.add("runtime/debug.setMaxThreads", entry);
            }
            if self.switches_coroutines(image, &func, &code) {
                found.add("coroswitch", entry);
            }
            if Some(entry) != self.signal_recv && self.waits_for_signals(&func, &code) {
                found.add("os/signal.signalWaitUntilIdle", entry);
            }
        }
        for (name, entry, calls) in asking {
            if calls.iter().any(|target| stopping.contains(target)) {
                found.add(name, entry);
            }
        }
    }

    /// What makes profiles of goroutines. Since Go 1.19 it stops the world twice, before for a text.
    fn profiles(&self, image: &Image, code: &[Instruction], stops: usize) -> Option<&'static str> {
        let rules = image.facts().rules();
        if rules.is_within((19, u16::MAX)) {
            return (stops >= 2).then_some("goroutineProfileWithLabelsConcurrent");
        }
        let stop = code.iter().position(|insn| stops == 1 && call_target(insn) == self.stop_world)?;
        let before = &code[stop.saturating_sub(NEAR)..stop];
        let text = before.iter().any(|insn| {
            is_address(insn) && image.bytes(insn.ip_rel_memory_address(), PROFILE.len()) == Some(PROFILE)
        });
        let size = before.iter().any(|insn| {
            insn.op_count() == 2 && insn.try_immediate(1).is_ok_and(|size| size == PROFILE.len() as u64)
        });
        let first = if rules.is_within((0, 14)) { "GoroutineProfile" } else { "goroutineProfileWithLabels" };
        (text && size).then_some(first)
    }

    /// Whether a small function names what switches, and does not note that a coroutine ends.
    fn switches_coroutines(&self, image: &Image, func: &Func<'_>, code: &[Instruction]) -> bool {
        let Some(switch) = self.coroutines.filter(|_| func.end() - func.entry() < SMALL) else {
            return false;
        };
        let notes = |insn: &Instruction| insn.code() == Code::Mov_rm8_imm8;
        func.entry() != switch && !code.iter().any(notes) && functions_named(image, code).contains(&switch)
    }

    /// Whether a small function does not go on before a variable of `signal_recv` is 1.
    fn waits_for_signals(&self, func: &Func<'_>, code: &[Instruction]) -> bool {
        let is_one = |insn: &Instruction| {
            insn.mnemonic() == Mnemonic::Cmp
                && insn.op1_kind() == OpKind::Immediate8to32
                && insn.immediate(1) == 1
        };
        let state = |insn: &Instruction| {
            insn.is_ip_rel_memory_operand()
                && insn.memory_size().size() == 4
                && self.of_signals.contains(&insn.ip_rel_memory_address())
        };
        let goes_back = |insn: &Instruction| {
            insn.op0_kind() == OpKind::NearBranch64
                && (func.entry() + 1..insn.ip()).contains(&insn.near_branch_target())
        };
        func.end() - func.entry() < SMALL
            && code.iter().any(is_one)
            && code.iter().any(state)
            && code.iter().any(goes_back)
            && code.iter().any(|insn| insn.flow_control() == FlowControl::Call)
    }
}

/// `chanlen` and `chancap`, since channels may be those of timers: they look whether there is a timer, and load one word of the channel.
fn size_of_channel(image: &Image, func: &Func<'_>, code: &[Instruction]) -> Option<&'static str> {
    let facts = image.facts().hchan;
    let timer = facts.timer.filter(|_| func.end() - func.entry() < SMALL)?;
    let of_channel = |insn: &&Instruction| {
        insn.op_count() == 2
            && (0..2).any(|operand| insn.op_kind(operand) == OpKind::Memory)
            && !matches!(insn.memory_base(), Register::RSP | Register::RIP | Register::R14)
    };
    let asks = |insn: &Instruction| {
        insn.code() == Code::Cmp_rm64_imm8 && insn.memory_displacement64() == timer && insn.immediate(1) == 0
    };
    let is_timer = |insn: &&Instruction| insn.memory_displacement64() == timer;
    let rest = || code.iter().filter(of_channel).filter(|insn| !is_timer(insn));
    let loads = |field: u64| {
        rest().next().is_some()
            && rest().all(|insn| insn.code() == Code::Mov_r64_rm64 && insn.memory_displacement64() == field)
    };
    let sizes = [("chanlen", facts.qcount), ("chancap", facts.dataqsiz)];
    code.iter().any(asks).then(|| sizes.into_iter().find(|(_, field)| loads(*field)))?.map(|(name, _)| name)
}

fn is_load(insn: &Instruction) -> bool {
    matches!(insn.code(), Code::Movsxd_r64_rm32 | Code::Mov_r32_rm32)
}

fn accesses(insn: &Instruction, variable: Option<u64>) -> bool {
    variable.is_some() && insn.is_ip_rel_memory_operand() && Some(insn.ip_rel_memory_address()) == variable
}

/// The variable that an instruction makes this constant.
fn stored_constant(insn: &Instruction, value: u64) -> Option<u64> {
    let stores = matches!(insn.code(), Code::Mov_rm64_imm32 | Code::Mov_rm32_imm32);
    (stores && insn.is_ip_rel_memory_operand() && insn.immediate(1) == value)
        .then(|| insn.ip_rel_memory_address())
}

/// The low byte of a constant that an instruction makes the third argument, or a part of it.
fn third_argument(insn: &Instruction, in_registers: bool) -> Option<u64> {
    if in_registers {
        return constant(insn, Register::ECX);
    }
    let stores = matches!(
        insn.code(),
        Code::Mov_rm8_imm8 | Code::Mov_rm16_imm16 | Code::Mov_rm32_imm32 | Code::Mov_rm64_imm32
    );
    let third = insn.memory_base() == Register::RSP && insn.memory_displacement64() == 16;
    (stores && third).then(|| insn.immediate(1) & 0xff)
}

/// The functions whose addresses code has, and those that function values begin with that it has.
fn functions_named(image: &Image, code: &[Instruction]) -> Vec<u64> {
    let is_function = |addr: &u64| image.func_at(*addr).is_some_and(|func| func.entry() == *addr);
    let named = code.iter().filter(|insn| is_address(insn)).map(Instruction::ip_rel_memory_address);
    let values = named.flat_map(|addr| [Some(addr), image.read_u64(addr)]).flatten();
    values.filter(is_function).collect()
}

/// The variable that has the function which empties pools: `GC` calls what starts a collection, and that calls what first calls this
/// function, where there is one.
pub(super) fn pool_cleanup(image: &Image, found: &Recognised) -> Option<u64> {
    let code = |entry| image.func_at(entry).map(|func| code_of(&func)).unwrap_or_default();
    let callees = |entry| code(entry).iter().filter_map(call_target).collect::<Vec<u64>>();
    let mut variables = Vec::new();
    for entry in callees(found.get("GC")?).into_iter().flat_map(callees) {
        let variable = called_first(&code(entry));
        variables.extend(variable.filter(|variable| !variables.contains(variable)));
    }
    if let [variable] = variables[..] { Some(variable) } else { None }
}

/// The first variable of a function, if it is a function value that is called where it is not nil.
fn called_first(code: &[Instruction]) -> Option<u64> {
    let first = code.iter().position(Instruction::is_ip_rel_memory_operand)?;
    let told: Vec<&Instruction> =
        code[first..].iter().filter(|insn| insn.mnemonic() != Mnemonic::Nop).collect();
    let [load, test, rest @ ..] = &told[..] else { return None };
    let value = load.op0_register();
    let loads = load.code() == Code::Mov_r64_rm64;
    let tests =
        test.code() == Code::Test_rm64_r64 && [test.op0_register(), test.op1_register()] == [value; 2];
    let is_its_code = |insn: &Instruction| {
        insn.code() == Code::Mov_r64_rm64
            && insn.op1_kind() == OpKind::Memory
            && insn.memory_base() == value
            && insn.memory_displacement64() == 0
    };
    let calls =
        rest.windows(2).any(|two| is_its_code(two[0]) && two[1].flow_control() == FlowControl::IndirectCall);
    (loads && tests && calls).then(|| load.ip_rel_memory_address())
}

/// The first function that code calls.
pub(super) fn first_call(image: &Image, code: &[Instruction]) -> Option<u64> {
    code.iter().filter_map(call_target).find(|target| !is_of_panics(image, *target))
}

/// The functions that code calls where it does not panic with the text whose address the instruction at `at` has: it branches to the
/// panic, and goes on with the calls.
pub(super) fn calls_after_check(image: &Image, code: &[Instruction], at: usize) -> Vec<u64> {
    let text = code[at].ip();
    let is_branch = |insn: &Instruction| {
        let target = insn.near_branch_target();
        insn.flow_control() == FlowControl::ConditionalBranch
            && insn.op0_kind() == OpKind::NearBranch64
            && target <= text
            && text - target < PANIC
    };
    let branches = code.iter().enumerate().filter(|(_, insn)| is_branch(insn));
    // The panic begins where the nearest of them leads.
    let Some((branch, _)) = branches.max_by_key(|(_, insn)| insn.near_branch_target()) else {
        return Vec::new();
    };
    let on = code[branch..].iter().take_while(|insn| insn.flow_control() != FlowControl::Return);
    let calls = on.filter_map(call_target).filter(|target| !is_of_panics(image, *target));
    calls.take(FEW).collect()
}

fn is_of_panics(image: &Image, target: u64) -> bool {
    let id = image.func_at(target).map(|func| func.func_id());
    matches!(id, Some(FuncId::Gopanic | FuncId::Morestack))
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    /// `clearpools`, as releases begin it: what assemblers put between instructions is none of them.
    #[test]
    fn a_function_value_is_called_first() {
        const PLAIN: &[u8] = b"\x48\x8b\x15\x09\x87\x28\x00\x48\x85\xd2\x74\x05\x48\x8b\x02\xff\xd0\xc3";
        const FILLED: &[u8] = b"\x48\x8b\x15\x09\x87\x28\x00\x90\x48\x85\xd2\x74\x05\x48\x8b\x02\xff\xd0\xc3";
        const OTHER: &[u8] = b"\x48\x8b\x15\x09\x87\x28\x00\x48\x85\xdb\x74\x05\x48\x8b\x02\xff\xd0\xc3";
        for (code, is_it) in [(PLAIN, true), (FILLED, true), (OTHER, false)] {
            let code: Vec<_> = Decoder::with_ip(64, code, 0x1000, DecoderOptions::NONE).into_iter().collect();
            assert_eq!(called_first(&code), is_it.then_some(0x1000 + 7 + 0x28_8709), "{code:?}");
        }
    }
}
