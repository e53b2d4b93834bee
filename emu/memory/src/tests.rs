//! Memory against its promises: borders, permissions, snapshots.

mod errors;

use proptest::prelude::*;

use super::*;

const RW: Perm = Perm::READ.union(Perm::WRITE);

fn memory(range: Range<u64>, perm: Perm) -> Memory {
    let mut memory = Memory::new(1 << 30).unwrap();
    memory.map(range, perm, Contents::Zero).unwrap();
    memory
}

/// Another memory with the same pages. `None` where the host limits its address space so that there is no room for a second space like
/// the first: that is said, and not tried.
fn duplicate(memory: &Memory) -> Option<Memory> {
    match memory.duplicate() {
        Ok(copy) => Some(copy),
        Err(MemoryError::Reserve { .. } | MemoryError::OutOfSpace { .. }) => {
            eprintln!(
                "no copy was made: this host has no room for a second space of {:#x} bytes",
                memory.space()
            );
            None
        }
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn an_access_over_a_border_checks_both_pages() {
    let mut memory = memory(0x1000..0x3000, RW);
    memory.write(0x1ffc, 0x1122_3344_5566_7788_u64.to_le_bytes()).unwrap();
    assert_eq!(memory.read::<8>(0x1ffc).unwrap(), 0x1122_3344_5566_7788_u64.to_le_bytes());
    memory.protect(0x2000..0x3000, Perm::READ).unwrap();
    let fault = memory.write(0x1ffc, [0xff; 8]).unwrap_err();
    assert_eq!(fault, MemFault { addr: 0x2000, access: Access::Write, cause: Cause::Denied });
    assert_eq!(memory.read::<4>(0x1ffc).unwrap(), 0x5566_7788_u32.to_le_bytes(), "nothing was written");
    let fault = memory.read::<8>(0x2ffc).unwrap_err();
    assert_eq!(fault, MemFault { addr: 0x3000, access: Access::Read, cause: Cause::Unmapped });
}

#[test]
fn addresses_outside_the_space_fault() {
    let mut memory = memory(0x1000..0x2000, RW);
    for addr in [memory.space(), memory.space() - 4, u64::MAX, u64::MAX - 3, 1 << 63] {
        assert_eq!(memory.read::<8>(addr).unwrap_err().cause, Cause::Unmapped, "{addr:#x}");
        assert!(memory.write::<8>(addr, [1; 8]).is_err());
    }
    assert!(memory.map(memory.space()..memory.space() + 1, RW, Contents::Zero).is_err());
}

#[test]
fn maps_are_limited_and_do_not_overlap() {
    let mut memory = Memory::new(0x4000).unwrap();
    memory.map(0x1000..0x3000, RW, Contents::Zero).unwrap();
    let overlap = memory.map(0x2000..0x3000, RW, Contents::Zero).unwrap_err();
    assert!(matches!(overlap, MemoryError::Occupied { addr: 0x2000 }));
    assert!(matches!(memory.map(0x8000..0xb000, RW, Contents::Zero), Err(MemoryError::Limit { .. })));
    memory.unmap(0..0x10000).unwrap();
    assert_eq!(memory.mapped(), 0);
    memory.map(0x8000..0xb000, RW, Contents::Zero).unwrap();
}

#[test]
fn host_writes_ignore_permissions_and_stay_protected() {
    let mut memory = memory(0x1000..0x2000, Perm::READ);
    memory.poke(0x1ff8, &[7; 8]).unwrap();
    assert_eq!(memory.read::<1>(0x1ff8).unwrap(), [7]);
    assert!(memory.write(0x1ff8, [1]).is_err());
    assert!(matches!(memory.poke(0x1fff, &[7; 2]), Err(MemoryError::NotMapped { addr: 0x2000 })));
}

#[test]
fn a_duplicate_has_the_same_pages_and_goes_its_own_way() {
    let mut memory = memory(0x1000..0x4000, RW);
    memory.map(0x9000..0xa000, Perm::READ, Contents::Bytes(b"code")).unwrap();
    memory.snapshot();
    memory.write(0x2000, [7; 8]).unwrap();
    memory.protect(0x3000..0x4000, Perm::empty()).unwrap();
    let Some(mut copy) = duplicate(&memory) else { return };
    assert_eq!(copy.mapped(), memory.mapped());
    for addr in [0x0, 0x1000, 0x2000, 0x3000, 0x4000, 0x9000] {
        let bytes = |of: &Memory| {
            let mut bytes = [1; 4096];
            of.peek(addr, &mut bytes);
            bytes
        };
        assert_eq!((copy.perm(addr), bytes(&copy)), (memory.perm(addr), bytes(&memory)), "{addr:#x}");
    }
    let start = copy.snapshot();
    copy.write(0x2000, [9; 8]).unwrap();
    assert_eq!(memory.read::<8>(0x2000).unwrap(), [7; 8]);
    copy.restore(start).unwrap();
    assert_eq!(copy.read::<8>(0x2000).unwrap(), [7; 8]);
    assert!(copy.write(0x9000, [1]).is_err());
}

#[test]
fn discarded_pages_are_new_ones() {
    let mut memory = memory(0x1000..0x4000, RW);
    memory.protect(0x2000..0x3000, Perm::READ).unwrap();
    memory.poke(0x1ff8, &[7; 0x1010]).unwrap();
    let snapshot = memory.snapshot();
    memory.discard(0x2000..0x8000).unwrap();
    assert_eq!(memory.read::<16>(0x1ff8).unwrap(), [7, 7, 7, 7, 7, 7, 7, 7, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(memory.read::<8>(0x3000).unwrap(), [0; 8]);
    assert!(memory.write(0x2000, [1]).is_err(), "permissions stay");
    memory.write(0x3000, [9]).unwrap();
    memory.restore(snapshot).unwrap();
    let mut bytes = [0; 0x1010];
    memory.read_bytes(0x1ff8, &mut bytes).unwrap();
    assert_eq!(bytes, [7; 0x1010]);
    assert_eq!(memory.mapped(), 0x3000);
}

#[test]
fn written_code_is_told() {
    let mut memory = memory(0x1000..0x3000, RW | Perm::EXEC);
    memory.mark_code(0x1010..0x1020);
    memory.write(0x2000, [1]).unwrap();
    assert!(!memory.code_written());
    memory.write(0x1018, [1, 2]).unwrap();
    assert_eq!(memory.take_code_writes(), vec![0x1018..0x101a; 1]);
}

/// What a guest may do to its memory in the property below.
#[derive(Clone, Debug)]
enum Step {
    Write(u64, Vec<u8>),
    Store(u64, u64),
    Code(u64),
    HostCode,
    UnhostCode,
    Map(u64),
    Unmap(u64),
    Protect(u64, u8),
    Snapshot,
    Rebase,
    Restore(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let page = 0..6_u64;
    prop_oneof![
        6 => (0..0x6000_u64, prop::collection::vec(any::<u8>(), 1..40)).prop_map(|(a, b)| Step::Write(a, b)),
        6 => (0..0x6000_u64, any::<u64>()).prop_map(|(a, b)| Step::Store(a, b)),
        1 => page.clone().prop_map(Step::Code),
        1 => Just(Step::HostCode),
        1 => Just(Step::UnhostCode),
        1 => page.clone().prop_map(Step::Map),
        1 => page.clone().prop_map(Step::Unmap),
        1 => (page, 0..4_u8).prop_map(|(p, bits)| Step::Protect(p, bits)),
        1 => Just(Step::Snapshot),
        1 => Just(Step::Rebase),
        1 => (0..4_usize).prop_map(Step::Restore),
    ]
}

/// Everything visible of the six pages.
fn picture(memory: &Memory) -> Vec<Option<(Perm, Vec<u8>)>> {
    let page = |p: u64| {
        let perm = memory.perm(p * PAGE)?;
        let mut bytes = vec![0; PAGE as usize];
        memory.peek(p * PAGE, &mut bytes);
        Some((perm, bytes))
    };
    (0..6).map(page).collect()
}

proptest! {
    #[test]
    fn restoring_brings_everything_back(steps in prop::collection::vec(step(), 1..60)) {
        let mut memory = memory(0..0x3000, RW);
        let mut snapshots = Vec::new();
        for step in steps {
            match step {
                Step::Write(addr, bytes) => drop(memory.write_bytes(addr, &bytes)),
                Step::Map(p) => drop(memory.map(p * PAGE..(p + 1) * PAGE, RW, Contents::Zero)),
                Step::Unmap(p) => memory.unmap(p * PAGE..(p + 1) * PAGE).unwrap(),
                Step::Store(addr, value) => drop(memory.write(addr, value.to_le_bytes())),
                Step::Code(p) => memory.mark_code(p * PAGE..(p + 1) * PAGE),
                Step::HostCode => assert_eq!(memory.host_code(&[]).is_some(), memory.can_host_code()),
                Step::UnhostCode => memory.unhost_code(),
                Step::Protect(p, bits) => {
                    let perm = [Perm::empty(), Perm::READ, Perm::WRITE, RW][usize::from(bits)];
                    drop(memory.protect(p * PAGE..(p + 1) * PAGE, perm));
                }
                Step::Snapshot => snapshots.push((memory.snapshot(), picture(&memory), memory.mapped())),
                Step::Rebase => {
                    let before = snapshots.first().map(|(snapshot, ..)| *snapshot);
                    snapshots = vec![(memory.rebase(), picture(&memory), memory.mapped())];
                    if let Some(gone) = before {
                        prop_assert!(matches!(memory.restore(gone), Err(MemoryError::NoSuchSnapshot)));
                    }
                }
                Step::Restore(n) => {
                    if let Some((snapshot, was, mapped)) = snapshots.get(n).cloned() {
                        memory.restore(snapshot).unwrap();
                        snapshots.truncate(n + 1);
                        prop_assert!(picture(&memory) == was);
                        prop_assert_eq!(memory.mapped(), mapped);
                    }
                }
            }
        }
        if let Some((snapshot, was, _)) = snapshots.first().cloned() {
            memory.restore(snapshot).unwrap();
            prop_assert!(picture(&memory) == was);
        }
    }
}

#[test]
fn a_page_that_a_gone_snapshot_left_dirty_is_saved_again() {
    let mut memory = memory(0..0x3000, RW);
    let outer = memory.snapshot();
    let inner = memory.snapshot();
    memory.write(0x10, [1]).unwrap();
    if memory.host_code(&[]).is_none() {
        return;
    }
    memory.restore(inner).unwrap();
    memory.write(0x10, [2]).unwrap();
    memory.restore(outer).unwrap();
    memory.write(0x10, [3]).unwrap();
    memory.restore(outer).unwrap();
    assert_eq!(memory.read::<1>(0x10).unwrap(), [0]);
}

/// Zero pages that cannot be written count when they can: also when the host writes them.
#[test]
fn pages_that_cannot_be_written_cost_nothing_until_they_can() {
    let mut memory = Memory::new(4 * PAGE).expect("a space");
    // 4 GiB, where the space is not smaller.
    let size = (memory.space() / 2).min(1 << 32);
    memory.map(0x10_0000..0x10_0000 + size, Perm::READ, Contents::Zero).expect("much to read");
    assert_eq!(memory.mapped(), 0);
    assert_eq!(memory.read(0x10_0000 + size / 2), Ok([0; 8]));
    let start = memory.snapshot();
    memory.protect(0x10_0000..0x10_0000 + 3 * PAGE, Perm::READ | Perm::WRITE).expect("three pages");
    assert_eq!(memory.mapped(), 3 * PAGE);
    memory.write(0x10_0000, [7; 8]).expect("a write");
    memory.poke(0x20_0000, &[7]).expect("the host's write");
    assert_eq!(memory.mapped(), 4 * PAGE);
    let more = memory.protect(0x30_0000..0x30_0000 + PAGE, Perm::WRITE);
    assert!(matches!(more, Err(MemoryError::Limit { .. })), "{more:?}");
    memory.protect(0x30_0000..0x30_0000 + PAGE, Perm::empty()).expect("no access is free");
    if let Some(copy) = duplicate(&memory) {
        assert_eq!(copy.mapped(), memory.mapped());
    }
    memory.restore(start).expect("a snapshot");
    assert_eq!(
        (memory.mapped(), memory.read(0x10_0000), memory.read(0x20_0000)),
        (0, Ok([0; 8]), Ok([0; 1]))
    );
    memory.unmap(0x10_0000..0x10_0000 + size).expect("all of it");
    assert!(memory.mapped() == 0 && memory.kept() <= 2 * PAGE, "{} bytes are kept", memory.kept());
    if memory.space() > 1 << 37 {
        let most = memory.map(0x10_0000..1 << 37, Perm::READ, Contents::Zero);
        assert!(matches!(most, Err(MemoryError::Limit { .. })), "{most:?}");
    }
}

#[test]
fn a_far_page_can_be_read() {
    let mut memory = Memory::new(1 << 20).expect("a space");
    let far = 0x7fff_ffe0_0000;
    let mut page = [0; PAGE as usize];
    page[0x1e] = 13;
    memory.show_far(far, Perm::READ, std::sync::Arc::new(page), 0..PAGE as usize);
    let copy = duplicate(&memory);
    for mut memory in [Some(memory), copy].into_iter().flatten() {
        assert_eq!(memory.read(far + 0x1e), Ok([13, 0]));
        assert_eq!(memory.perm(far), Some(Perm::READ));
        assert_eq!(memory.read::<8>(far + PAGE - 4).map_err(|fault| fault.addr), Err(far + PAGE));
        assert_eq!(memory.write(far, [1]).map_err(|fault| fault.cause), Err(Cause::Denied));
        memory.poke(far, &[1]).expect("from the host's side");
        assert_eq!(memory.read(far), Ok([1]));
        assert!(memory.poke(far + PAGE - 1, &[1, 1]).is_err());
        assert!(memory.map(far..far + PAGE, Perm::READ, Contents::Zero).is_err());
    }
}

/// What was zero before a write is kept as that: a program's empty variables do not take their size twice.
#[test]
fn zero_pages_are_kept_for_nothing() {
    let mut memory = Memory::new(1 << 30).expect("a space");
    memory.map(0x10_0000..0x10_0000 + 100 * PAGE, Perm::READ | Perm::WRITE, Contents::Zero).expect("pages");
    memory.write(0x10_0000, [1; 8]).expect("a write");
    let start = memory.snapshot();
    for page in 0..100 {
        memory.write(0x10_0000 + page * PAGE, [2; 8]).expect("a write");
    }
    assert_eq!(memory.kept(), PAGE);
    memory.unmap(0x10_0000..0x10_0000 + 50 * PAGE).expect("half of it");
    for _ in 0..3 {
        memory.restore(start).expect("a snapshot");
        assert_eq!(memory.read(0x10_0000), Ok([1; 8]));
        assert!((1..100).all(|page| memory.read(0x10_0000 + page * PAGE) == Ok([0; 8])));
        memory.write(0x10_0000 + 60 * PAGE, [3; 8]).expect("a write");
    }
}

#[test]
fn memory_that_is_lent_stays_where_it_is() {
    let mut memory = Memory::new(1 << 30).expect("a space");
    let (at, plain) = (0x10_0000, Perm::READ | Perm::WRITE);
    memory.map(at..at + 2 * PAGE, plain, Contents::Zero).expect("two pages");
    memory.map(at + 2 * PAGE..at + 3 * PAGE, Perm::READ | Perm::EXEC, Contents::Zero).expect("code");
    memory.write(at + PAGE, [1; 8]).expect("a write");
    let start = memory.snapshot();
    let lease = memory.lend(at + 8, 2 * PAGE as usize - 8, Access::Write).expect("both pages");
    let code = memory.lend(at + PAGE, 2 * PAGE as usize, Access::Read).expect("code, to be read");
    assert_eq!(
        (lease.len(), code.as_ptr()),
        (2 * PAGE as usize - 8, lease.as_ptr().wrapping_add(PAGE as usize - 8))
    );
    // Kept as for a write: that of the page that was zero is free.
    assert_eq!((memory.leases(), memory.kept()), (2, PAGE));
    let lent = |result| matches!(result, Err(MemoryError::Lent { leases: 2 }));
    assert!(
        lent(memory.restore(start))
            && lent(memory.unmap(at..at + PAGE))
            && lent(memory.discard(at..at + PAGE))
    );
    assert!(lent(memory.protect(at..at + PAGE, Perm::READ)) && memory.host_code(&[]).is_none());
    memory.write(at + 8, [3; 8]).expect("the guest's memory is still the guest's");
    drop((lease, code));
    memory.restore(start).expect("nothing is lent");
    assert_eq!((memory.read(at + 8), memory.read(at + PAGE)), (Ok([0; 8]), Ok([1; 8])));
    let lease = memory.lend(at, 8, Access::Read).expect("it can be lent again");
    drop(memory);
    assert!(!lease.is_empty() && !lease.as_ptr().is_null());
}

#[test]
fn what_may_not_be_accessed_is_not_lent() {
    let mut memory = Memory::new(1 << 20).expect("a space");
    let at = 0x10_0000;
    memory.map(at..at + PAGE, Perm::READ | Perm::WRITE, Contents::Zero).expect("a page");
    memory
        .map(at + PAGE..at + 2 * PAGE, Perm::READ | Perm::WRITE | Perm::EXEC, Contents::Zero)
        .expect("code");
    memory.map(at + 3 * PAGE..at + 4 * PAGE, Perm::READ, Contents::Zero).expect("constants");
    let far = 0x7fff_ffe0_0000;
    memory.show_far(far, Perm::READ, std::sync::Arc::new([0; PAGE as usize]), 0..PAGE as usize);
    let space = memory.space();
    let mut lend = |addr, len, access| {
        memory.lend(addr, len, access).map(drop).map_err(|fault| (fault.addr, fault.cause))
    };
    let end = (space, Cause::Unmapped);
    assert_eq!(lend(at, PAGE as usize + 1, Access::Write), Err((at + PAGE, Cause::Denied)));
    assert_eq!(lend(at + 3 * PAGE, 1, Access::Write), Err((at + 3 * PAGE, Cause::Denied)));
    assert_eq!(lend(at, 3 * PAGE as usize, Access::Read), Err((at + 2 * PAGE, Cause::Unmapped)));
    assert_eq!(lend(space - 1, 2, Access::Read).map_err(|(_, cause)| cause), Err(Cause::Unmapped));
    assert_eq!(lend(space, 0, Access::Read), Ok(()));
    assert_eq!(lend(space + 1, 0, Access::Read), Err((space + 1, Cause::Unmapped)));
    assert_eq!(lend(u64::MAX, 2, Access::Read), Err((u64::MAX, Cause::Unmapped)));
    assert_eq!(lend(at, usize::MAX, Access::Read), Err((at + 2 * PAGE, Cause::Unmapped)));
    assert_eq!(lend(far, 8, Access::Read).map_err(|(_, cause)| cause), Err(end.1));
    assert_eq!(memory.leases(), 0);
    // Pages are kept no further than the limit.
    memory
        .map(0x20_0000..0x20_0000 + (1 << 20) - 2 * PAGE, Perm::READ | Perm::WRITE, Contents::Zero)
        .expect("all");
    for page in 0..254 {
        memory.write(0x20_0000 + page * PAGE, [1]).expect("a write");
    }
    memory.snapshot();
    let all = memory.lend(0x20_0000, (1 << 20) - 2 * PAGE as usize, Access::Write);
    assert_eq!(all.map(drop).map_err(|fault| fault.cause), Err(Cause::Limit));
}

/// A host keeps only so many parts of its mappings apart (Linux: `vm.max_map_count`, 65,530 as a rule). The guest sees nothing of it.
#[test]
fn more_parts_than_the_host_keeps_apart() {
    const PAGES: u64 = 140_000;
    const AT: u64 = 0x10_0000;
    for exact in [false, true] {
        let mut memory = Memory::new(1 << 31).expect("a space");
        memory.map(AT..AT + PAGES * PAGE, RW, Contents::Zero).expect("pages");
        memory.write(AT, [1; 8]).expect("a write");
        if exact {
            memory.host_code(&[]);
        }
        let start = memory.snapshot();
        memory.write(AT + PAGE, [2; 8]).expect("a write");
        for page in (0..PAGES).step_by(2) {
            memory.protect(AT + page * PAGE..AT + (page + 1) * PAGE, Perm::READ).expect("a page to read");
        }
        assert_eq!((memory.read(AT), memory.read(AT + PAGE)), (Ok([1; 8]), Ok([2; 8])));
        assert_eq!(memory.write(AT, [3]).map_err(|fault| fault.cause), Err(Cause::Denied));
        memory.write(AT + PAGE, [4]).expect("the next page can be written");
        // Pages that are given back fault, and are zero when they are mapped again.
        for page in (1..PAGES).step_by(2) {
            memory.unmap(AT + page * PAGE..AT + (page + 1) * PAGE).expect("a page");
        }
        assert_eq!(memory.read::<1>(AT + PAGE).map_err(|fault| fault.cause), Err(Cause::Unmapped));
        memory.map(AT + PAGE..AT + 2 * PAGE, RW, Contents::Zero).expect("a page again");
        assert_eq!(memory.read(AT + PAGE), Ok([0; 8]));
        memory.poke(AT, &[5]).expect("the host writes");
        if let Some(copy) = duplicate(&memory) {
            assert_eq!(copy.read(AT), Ok([5, 1]));
        }
        memory.restore(start).expect("the snapshot");
        assert_eq!((memory.read(AT), memory.read(AT + PAGE)), (Ok([1; 8]), Ok([0; 8])));
        memory.write(AT, [6]).expect("it can be written again");
        if exact && memory.can_host_code() {
            assert!(memory.host_code(&[]).is_some(), "translated code runs again");
        }
    }
}

#[test]
fn parts_of_bytes_are_shown_beyond_the_space() {
    let mut memory = Memory::new(1 << 20).expect("a space");
    let bytes: std::sync::Arc<Vec<u8>> = std::sync::Arc::new((0..9000_u32).map(|n| n as u8).collect());
    let far = 0x5555_5555_0000;
    memory.show_far(far, Perm::READ, bytes.clone(), 100..8100);
    memory.show_far(far + 0x10_0000, Perm::READ, bytes, 0..10);
    assert_eq!(memory.read(far + 4094), Ok([(4194_u32 as u8), 99, 100, 101].map(|n: u8| n)));
    assert_eq!(memory.read(far + 7999), Ok([8099_u32 as u8, 0]));
    assert_eq!(memory.read(far + 0x10_0009), Ok([9, 0]));
    for outside in [far - 1, far + 2 * PAGE, far + 0x10_0000 + PAGE] {
        assert_eq!(memory.read::<1>(outside).map_err(|fault| fault.addr), Err(outside));
    }
    assert_eq!(memory.ranges().len(), 2);
}

/// Parts of a dump may begin anywhere in a page, and share it.
#[test]
fn parts_beyond_the_space_may_share_pages() {
    let far = 0x5555_5555_0000;
    let numbered = |from: u8| std::sync::Arc::new([from; 0x3000]);
    let shown = |parts: &[(u64, Perm, u8, usize)]| {
        let mut memory = Memory::new(1 << 20).expect("a space");
        for &(at, perm, byte, len) in parts {
            memory.show_far(far + at, perm, numbered(byte), 0..len);
        }
        memory
    };
    let within = shown(&[(0x123, Perm::READ, 1, 0x1000)]);
    assert_eq!(within.read(far + 0x121), Ok([0, 0, 1, 1]));
    assert_eq!(within.read(far + 0x1121), Ok([1, 1, 0, 0]));
    assert_eq!(within.read::<1>(far + 0x2000).map_err(|fault| fault.addr), Err(far + 0x2000));
    let looked = |memory: &Memory, at: u64| {
        let mut bytes = [0; 4];
        memory.peek(far + at, &mut bytes);
        bytes
    };
    // The same in either order: one ends where the next begins.
    let (first, second) = ((0x800, Perm::READ, 1, 0x900), (0x1100, Perm::WRITE, 2, 0x1000));
    for parts in [[first, second], [second, first]] {
        let memory = shown(&parts);
        assert_eq!(looked(&memory, 0x7fe), [0, 0, 1, 1]);
        assert_eq!(looked(&memory, 0x10fe), [1, 1, 2, 2]);
        assert_eq!(looked(&memory, 0x20fe), [2, 2, 0, 0]);
        let perms: Vec<_> = [0, 0x1000, 0x2000].map(|at| memory.perm(far + at)).into();
        assert_eq!(perms, [Some(Perm::READ), Some(Perm::READ | Perm::WRITE), Some(Perm::WRITE)]);
    }
    // One inside another, and one over the ends of two.
    let memory =
        shown(&[(0, Perm::READ, 1, 0x3000), (0x1000, Perm::READ, 2, 0x1000), (0x1800, Perm::READ, 3, 4)]);
    for (at, bytes) in
        [(0xffe, [1, 1, 2, 2]), (0x17fe, [2, 2, 3, 3]), (0x1802, [3, 3, 2, 2]), (0x1ffe, [2, 2, 1, 1])]
    {
        assert_eq!(memory.read(far + at), Ok(bytes), "{at:#x}");
    }
    assert_eq!(memory.read(far + 0x2fff), Ok([1]));
    assert_eq!(memory.ranges(), [(far..far + 0x3000, Perm::READ)]);
    let memory =
        shown(&[(0, Perm::READ, 1, 0x2000), (0x3000, Perm::READ, 2, 0x2000), (0xf00, Perm::READ, 3, 0x2200)]);
    for (at, bytes) in [(0xefe, [1, 1, 3, 3]), (0x30fe, [3, 3, 2, 2]), (0x3ffe, [2; 4])] {
        assert_eq!(memory.read(far + at), Ok(bytes), "{at:#x}");
    }
}

/// Memory of a dumped process: its heap and its code may lie beyond the space.
#[test]
fn what_is_shown_beyond_the_space_can_be_written() {
    let mut memory = Memory::new(1 << 20).expect("a space");
    let far = 0x5555_5555_0000;
    memory.show_far(far, Perm::READ | Perm::WRITE, std::sync::Arc::new([7; 8192]), 0..8192);
    memory.show_far(far + 0x10_0000, Perm::READ | Perm::EXEC, std::sync::Arc::new([0x90; 8192]), 0..8192);
    memory.write(far, [1, 2]).expect("a write");
    let start = memory.snapshot();
    for round in 0..3 {
        assert_eq!(memory.read(far), Ok([1, 2, 7]), "{round}");
        assert_eq!(memory.read(far + PAGE - 2), Ok([7; 4]), "{round}");
        memory.write(far + PAGE - 2, [3; 4]).expect("a write");
        memory.write(far + 1, [3; 8]).expect("a write");
        let inner = memory.snapshot();
        memory.write(far, [4; 8]).expect("a write");
        memory.restore(inner).expect("a snapshot");
        assert_eq!(memory.read(far), Ok([1, 3, 3]), "{round}");
        assert_eq!(memory.read(far + PAGE - 3), Ok([7, 3, 3, 3, 3, 7]), "{round}");
        if let Some(copy) = duplicate(&memory) {
            assert_eq!(copy.read(far + PAGE - 3), Ok([7, 3, 3, 3, 3, 7]), "{round}");
        }
        memory.restore(start).expect("a snapshot");
    }
    // Neither all nor some of it, where a part may not be written.
    assert!(memory.write(far + 2 * PAGE - 1, [1, 1]).is_err());
    assert_eq!(memory.read(far + 2 * PAGE - 1), Ok([7]));
    assert_eq!(memory.write(far + 0x10_0000, [1]).map_err(|fault| fault.cause), Err(Cause::Denied));
    let mut code = [0; 4];
    assert_eq!(memory.fetch(far + 0x10_0000, &mut code), Ok(4));
    assert!(memory.fetch(far, &mut code).is_err());
    // Decoded code is told of.
    memory.poke(far + 0x10_0001, &[0xcc]).expect("from the host's side");
    assert!(memory.take_code_writes().iter().any(|range| range.contains(&(far + 0x10_0001))));
    memory.restore(start).expect("a snapshot");
    assert!(memory.take_code_writes().iter().any(|range| range.contains(&(far + 0x10_0001))));
}

/// What is written beyond the space counts toward the limit.
#[test]
fn writes_beyond_the_space_are_limited() {
    let mut memory = Memory::new(8 * PAGE).expect("a space");
    let far = 0x5555_5555_0000;
    memory.show_far(far, Perm::READ | Perm::WRITE, std::sync::Arc::new([0; 1 << 17]), 0..1 << 17);
    let written = (0..32).take_while(|page| memory.write(far + page * PAGE, [1]).is_ok()).count();
    assert_eq!(written, 9);
    assert_eq!(memory.write(far + 20 * PAGE, [1]).map_err(|fault| fault.cause), Err(Cause::Limit));
    memory.write(far, [2]).expect("a page that was written");
}

/// So does what snapshots keep of it: a page that is written after one is there twice.
#[test]
fn what_snapshots_keep_beyond_the_space_is_limited() {
    let mut memory = Memory::new(8 * PAGE).expect("a space");
    let far = 0x5555_5555_0000;
    memory.show_far(far, Perm::READ | Perm::WRITE, std::sync::Arc::new([0; 1 << 17]), 0..1 << 17);
    let write = |memory: &mut Memory, byte: u8| {
        (0..5).take_while(|page| memory.write(far + page * PAGE, [byte]).is_ok()).count()
    };
    assert_eq!(write(&mut memory, 1), 5);
    let start = memory.snapshot();
    for _ in 0..3 {
        assert_eq!(memory.taken(), 5 * PAGE);
        assert_eq!(write(&mut memory, 2), 4);
        assert_eq!(memory.taken(), 9 * PAGE);
        memory.snapshot();
        assert_eq!(write(&mut memory, 3), 0);
        memory.restore(start).expect("the snapshot");
    }
    write(&mut memory, 2);
    memory.rebase();
    assert_eq!(memory.taken(), 5 * PAGE);
}

/// Writes to decoded code are free as long as they are few: what a run costs does not depend on what was decoded before it.
#[test]
fn many_writes_to_decoded_code_are_charged() {
    let mut memory = Memory::new(1 << 20).unwrap();
    memory.map(0x1000..0x3000, Perm::all(), Contents::Zero).unwrap();
    memory.mark_code(0x1000..0x1001);
    let charged = |memory: &mut Memory, writes: usize| {
        for _ in 0..writes {
            memory.write(0x1800, [0]).unwrap();
            memory.take_code_writes();
        }
        memory.take_cost()
    };
    assert_eq!(charged(&mut memory, 1 << 16), 0);
    assert_eq!(charged(&mut memory, 10), 20_000);
    memory.write(0x2800, [0]).unwrap();
    assert_eq!(memory.take_cost(), 0);
}
