//! Faults on purpose: before a system call is carried out, chance may make it late, smaller, or let it fail.

use super::files::File;
use super::net::{Kind, State};
use super::threads::{self, On, Wait};
use super::{Args, Kernel, epoll, errno};
use crate::cpu::Cpu;
use crate::guest::clock;
use crate::guest::faults::Faults;
use crate::hook::{HookContext, HookError};
use crate::os::SyscallReturn;

/// One in so many.
const DELAYS: u64 = 16;
const DROPS: u64 = 128;
const SHORT: u64 = 4;
const JUMPS: u64 = 256;
/// Powers of two by which times, in nanoseconds, and sizes are drawn: the least, and how many.
const DELAY: (u64, u64) = (14, 10);
const JUMP: (u64, u64) = (20, 8);
const ROOM: (u64, u64) = (6, 19);

/// Calls of files: which argument is the size, and whether they write.
const SIZED: [(u64, bool); 6] = [(0, false), (1, true), (17, false), (18, true), (44, true), (45, false)];
/// Other calls that may come late: readv, writev, connect, accept, accept4.
const LATE: [u64; 5] = [19, 20, 42, 43, 288];

/// The faults of a kernel.
#[derive(Clone, Debug, Default)]
pub(super) struct Faulty {
    pub(super) given: Faults,
    /// Bytes that can be written to files yet, once that was drawn.
    room: Option<u64>,
}

/// What a system call is about.
enum About {
    /// A connection.
    Stream(usize),
    Pipe,
    /// What is in the file system.
    Node,
    /// Anything else.
    Other,
}

/// What becomes of a system call: an answer instead of it, or its arguments.
pub(super) fn before(
    kernel: &mut Kernel,
    cx: &mut HookContext<'_>,
    number: u64,
    mut args: Args,
) -> Result<Result<Args, SyscallReturn>, HookError> {
    let given = kernel.faults.given;
    if given.is_empty() {
        return Ok(Ok(args));
    }
    if given.clock && chance(cx.cpu, JUMPS) {
        let time = clock::now(cx.cpu).saturating_add(drawn(cx.cpu, JUMP));
        cx.world.outside.pass(cx.cpu, time);
    }
    let sized = SIZED.iter().find(|(other, _)| *other == number);
    if sized.is_none() && !LATE.contains(&number) {
        return Ok(Ok(args));
    }
    let about = about(kernel, args[0]);
    let waits = matches!(about, About::Stream(_) | About::Pipe);
    if given.delays && waits && is_delayed(kernel, cx.cpu) {
        threads::call_again(cx.cpu);
        let deadline = Some(clock::now(cx.cpu).saturating_add(drawn(cx.cpu, DELAY)));
        return kernel.threads.wait(cx, Wait { on: On::Stall, deadline, late: 0 }).map(Err);
    }
    let Some((_, writes)) = sized else { return Ok(Ok(args)) };
    if let (true, About::Stream(socket)) = (given.drops, &about)
        && chance(cx.cpu, DROPS)
    {
        drop_connection(kernel, *socket);
        epoll::changed(kernel, cx)?;
    }
    if given.short && !matches!(about, About::Other) && args[2] > 1 && chance(cx.cpu, SHORT) {
        args[2] = 1 + cx.cpu.next_random() % args[2];
    }
    if given.full && *writes && matches!(about, About::Node) && !has_room(kernel, cx.cpu, args[2]) {
        return Ok(Err(SyscallReturn::Return(-errno::ENOSPC)));
    }
    Ok(Ok(args))
}

fn about(kernel: &mut Kernel, number: u64) -> About {
    match kernel.files.get(number) {
        Some(File::Node(_)) => About::Node,
        Some(File::PipeIn(_) | File::PipeOut(_)) => About::Pipe,
        Some(&mut File::Socket(socket)) => match kernel.net.get(socket) {
            Ok(found) if found.kind != Kind::Stream => About::Other,
            _ => About::Stream(socket),
        },
        _ => About::Other,
    }
}

/// Whether the running thread's call comes later; one that has come late is carried out.
fn is_delayed(kernel: &mut Kernel, cpu: &mut Cpu) -> bool {
    let late = &mut kernel.threads.running().late;
    *late = !*late && chance(cpu, DELAYS);
    *late
}

/// Both ends find the connection reset.
fn drop_connection(kernel: &mut Kernel, socket: usize) {
    let Ok(State::Connected(Some(peer))) = kernel.net.get(socket).map(|found| &found.state) else { return };
    let peer = *peer;
    kernel.net.hang_up(socket, Some(errno::ECONNRESET));
    kernel.net.hang_up(peer, Some(errno::ECONNRESET));
}

/// Takes room for bytes, if there is as much.
fn has_room(kernel: &mut Kernel, cpu: &mut Cpu, bytes: u64) -> bool {
    let room = kernel.faults.room.get_or_insert_with(|| drawn(cpu, ROOM));
    match room.checked_sub(bytes) {
        Some(left) => {
            *room = left;
            true
        }
        None => {
            *room = 0;
            false
        }
    }
}

fn chance(cpu: &mut Cpu, of: u64) -> bool {
    cpu.next_random().is_multiple_of(of)
}

/// A number of a random power of two.
fn drawn(cpu: &mut Cpu, (least, count): (u64, u64)) -> u64 {
    let power = least + cpu.next_random() % (count + 1);
    (1 << power) + cpu.next_random() % (1 << power)
}
