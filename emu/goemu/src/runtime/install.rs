//! Sets the hooks of the [`table`] on the functions that a program has.

use std::collections::HashSet;
use std::sync::Arc;

use goemu_loader::{FuncId, Image, Os};

use super::found::{is_hashed, is_nameless};
use super::hooked::recognise::{self, Recognised};
use super::hooked::{cleanups, collections, counted, fatal, goroutines, system};
use super::objects::{self as served, channels, panics};
use super::real;
use super::table::{self, Body, Release, When};
use crate::go::cgo;
use crate::guest::address_map;
use crate::guest::world::World;
use crate::hook::{HookContext, Hooks};
use crate::memory::Memory;
use crate::os::imports;

/// Sets the hooks on the functions that an image has. Of two functions of one name, the wrapper between
/// calling conventions calls the other and needs none; a wrapper alone is the function itself (the runtime
/// marks `deferreturn` so, to keep it out of tracebacks).
pub(crate) fn hooked(image: &Image, hooks: &mut Hooks, memory: &mut Memory, world: &mut World) {
    let release = Release::of(image);
    let mut wrappers = Vec::new();
    let mut hooked = HashSet::new();
    for func in image.funcs() {
        let name = func.name();
        let Some(body) = table::hooked(name, release) else { continue };
        if func.func_id() == FuncId::Wrapper {
            wrappers.push((name, func.entry(), body));
        } else {
            hooked.insert(name);
            add(hooks, name, func.entry(), body);
        }
    }
    hooks.add(address_map::PARKED, Arc::new(goroutines::parked as Body));
    hooks.add(address_map::PANIC_PRINTED, Arc::new(fatal::printed as Body));
    hooks.add(address_map::VSYSCALL, Arc::new(system::time_of_day as Body));
    wrappers.retain(|(name, ..)| !hooked.contains(name));
    for (name, entry, body) in wrappers {
        hooked.insert(name);
        hooks.add(entry, Arc::new(body));
    }
    if is_nameless(image, &hooked) || is_hashed(image, &hooked) {
        let recognised = recognise::recognise(image);
        install_recognised(image, hooks, &hooked, &recognised);
        // `GOMAXPROCS`, which tells it, is not recognised. What is not mapped is no variable.
        if let Some(variable) = recognised.processors {
            let _ = memory.poke(variable, &1_u32.to_le_bytes());
        }
        world.goroutine_count = counted::variable(image, recognised.get("allgadd"));
        world.runtime_end = counted::runtime_end(image);
    } else {
        world.goroutine_count = counted::variable(image, None);
    }
}

fn add(hooks: &mut Hooks, name: &str, entry: u64, body: Body) {
    hooks.add(entry, Arc::new(body));
    if table::allocates(name) {
        hooks.mark_allocator(entry);
    }
}

/// Sets the hooks on functions that are recognised by what they are, where their names do not tell.
fn install_recognised(image: &Image, hooks: &mut Hooks, hooked: &HashSet<&str>, recognised: &Recognised) {
    let release = Release::of(image);
    let printer = recognised.get("printpanics");
    for (name, entry) in recognised.all().filter(|(name, _)| !hooked.contains(&*table::full(name))) {
        match name {
            "fatalpanic" => {
                hooks.add(entry, Arc::new(move |cx: &mut HookContext<'_>| fatal::end_by_panic(cx, printer)))
            }
            // It is all of `newproc` that has a text.
            "newproc1" => hooks.add(entry, Arc::new(goroutines::newproc1 as Body)),
            "cgocall" if image.target().os == Os::Windows => {
                hooks.add(entry, Arc::new(imports::cgocall_unnamed as Body))
            }
            "GC" => {
                let pools = recognised.pools;
                hooks.add(
                    entry,
                    Arc::new(move |cx: &mut HookContext<'_>| collections::collect_unnamed(cx, pools)),
                );
            }
            "AddCleanup[*]" => {
                if table::hooked(&table::full(name), release).is_some() {
                    hooks.add(entry, Arc::new(cleanups::add_unnamed as Body));
                }
            }
            "gopark" => hooks.add(entry, Arc::new(goroutines::gopark_unnamed as Body)),
            _ => {
                if let Some(body) = table::hooked(&table::full(name), release) {
                    add(hooks, name, entry, body);
                }
            }
        }
    }
}

/// Sets hooks on the functions that no object defines.
pub(crate) fn objects(image: &Image, hooks: &mut Hooks) {
    let release = Release::of(image);
    for func in image.funcs().filter(|func| image.is_undefined_func(func.entry())) {
        let row = |case| table::find(func.name(), &[case], release).map(|row| row.body);
        let body = row(When::Object).or_else(|| row(When::Replaces));
        hooks.add(func.entry(), Arc::new(body.unwrap_or(served::undefined)));
    }
    hooks.add(address_map::DEFERRED_RETURNED, Arc::new(panics::deferred_returned as Body));
    hooks.add(address_map::SEND_FAILED, Arc::new(channels::send_failed as Body));
    hooks.add(address_map::ERROR_SAID, Arc::new(panics::error_said as Body));
}

/// Sets the hooks that observe a started program.
pub(crate) fn started(image: &Image, hooks: &mut Hooks) {
    let release = Release::of(image);
    let cases = [When::Started, When::StartedTells, When::StartedWithC];
    let cases = if cgo::is_used(image) { &cases[..] } else { &cases[..2] };
    for func in image.funcs().filter(|func| func.func_id() != FuncId::Wrapper) {
        match table::find(func.name(), cases, release) {
            Some(row) if row.when == When::StartedTells => {
                hooks.add_observer_only(func.entry(), Arc::new(row.body))
            }
            Some(row) => hooks.add(func.entry(), Arc::new(row.body)),
            None => {}
        }
    }
    hooks.add(address_map::VSYSCALL, Arc::new(real::time_of_day as Body));
}
