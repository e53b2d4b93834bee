//! What the compiler has noted of frames for the collector.

use std::path::PathBuf;

use goemu_loader::{FramePart, Func, Image};

fn open(name: &str) -> Image {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "../cli/demo", name].iter().collect();
    Image::open(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Bytes of a function's variables at an address.
fn locals(func: &Func<'_>, pc: u64) -> u64 {
    let below = func.sp_delta(pc).unwrap_or_default().unsigned_abs();
    // The caller's frame pointer lies above them.
    below.saturating_sub(8)
}

/// At each address of each function in Go: the maps have no more words than the frame, objects lie in it, and there are some of
/// each, as many in an old release as in a new one.
#[test]
fn maps_and_objects_lie_in_their_frames() {
    for name in ["demo-go1.15", "demo-go1.27"] {
        let image = open(name);
        let (mut maps, mut pointers, mut objects) = (0, 0, 0);
        for func in image.funcs().filter(|func| !func.is_asm()) {
            let largest = (func.entry()..func.end()).map(|pc| locals(&func, pc)).max().unwrap_or_default();
            for pc in (func.entry()..func.end()).filter(|pc| locals(&func, *pc) > 0) {
                let Some(map) = func.pointer_map(FramePart::Locals, pc) else { continue };
                maps += 1;
                pointers += map.pointers().count();
                assert!(u64::from(map.len()) * 8 <= largest, "{name}: {func:?} at {pc:#x}");
                assert!(map.pointers().all(|word| word < map.len()));
            }
            let args = u64::from(func.args_size().unwrap_or_default());
            if let Some(map) = func.pointer_map(FramePart::Args, func.entry()) {
                assert!(u64::from(map.len()) * 8 <= args, "{name}: {func:?}");
            }
            for object in func.stack_objects().expect("a table") {
                objects += 1;
                let begins = object.offset.unsigned_abs();
                let fits = if object.offset < 0 {
                    begins <= largest && object.size <= begins
                } else {
                    begins + object.size <= args
                };
                assert!(fits, "{name}: {func:?}: {object:?}");
            }
        }
        assert!(maps > 100_000 && pointers > 100_000 && objects > 100, "{name}: {maps} {pointers} {objects}");
    }
}
