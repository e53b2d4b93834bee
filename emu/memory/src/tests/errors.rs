//! What refusals say.

use std::error::Error;

use super::*;

/// The texts of what map, unmap, replace, protect and discard say of a range.
fn refusals(memory: &mut Memory, range: &Range<u64>) -> Vec<String> {
    let all = [
        memory.map(range.clone(), RW, Contents::Zero),
        memory.unmap(range.clone()),
        memory.replace(range.clone(), RW, Contents::Zero),
        memory.protect(range.clone(), RW),
        memory.discard(range.clone()),
    ];
    all.into_iter().map(|refused| refused.expect_err("it is refused").to_string()).collect()
}

#[test]
fn a_range_that_ends_before_it_begins_is_called_that() {
    let mut memory = memory(0x1000..0x4000, RW);
    let backwards = Range { start: 0x3000, end: 0x1000 };
    let says = "a range cannot begin at 0x3000 and end before that, at 0x1000";
    assert_eq!(refusals(&mut memory, &backwards), [says; 5]);
    let end = memory.space() + 1;
    let says = format!("address {end:#x} lies outside the guest's space of {:#x} bytes", memory.space());
    assert_eq!(refusals(&mut memory, &(0x3000..end)), [(); 5].map(|()| says.clone()));
    assert_eq!(memory.ranges(), [(0x1000..0x4000, RW)], "nothing was done");
}

#[test]
fn contents_that_do_not_fit_are_refused_before_anything_is_done() {
    // The next page is mapped: contents must not end in it.
    let mut memory = memory(0x2000..0x4000, RW);
    memory.write(0x2000, [7; 8]).unwrap();
    let says =
        "0x1001 bytes of contents do not fit into the 0x1000 bytes of their range, whole pages counted";
    let long = [9; 0x1001];
    let refused = memory.map(0x1000..0x1800, RW, Contents::Bytes(&long)).unwrap_err();
    assert!(matches!(refused, MemoryError::TooMuch { len: 0x1001, room: PAGE }));
    assert_eq!(refused.to_string(), says);
    let refused = memory.replace(0x2000..0x3000, Perm::READ, Contents::Bytes(&long)).unwrap_err();
    assert_eq!(refused.to_string(), says);
    assert_eq!((memory.read(0x2000), memory.read(0x3000)), (Ok([7; 8]), Ok([0; 8])));
    assert_eq!(memory.ranges(), [(0x2000..0x4000, RW)]);
    memory.replace(0x2000..0x2001, RW, Contents::Bytes(&long[1..])).expect("a page of contents for a page");
}

#[test]
fn faults_are_errors_that_say_what_happened() {
    let mut memory = memory(0x1000..0x2000, Perm::READ);
    let said = |fault: MemFault| Box::<dyn Error>::from(fault).to_string();
    assert_eq!(said(memory.read::<8>(0x1ffc).unwrap_err()), "read of 0x2000: nothing is mapped there");
    assert_eq!(
        said(memory.write(0x1ffc, [0; 2]).unwrap_err()),
        "write to 0x1ffc: the page does not allow it"
    );
    assert_eq!(said(memory.fetch(0x1000, &mut [0]).unwrap_err()), "jump to 0x1000: it is not code");
    let fault = MemFault { addr: 0x1000, access: Access::Write, cause: Cause::Limit };
    assert_eq!(said(fault), "write to 0x1000: the memory limit leaves no room to keep the page as it was");
}
