//! Finalizers and cleanups (`runtime/mfinal.go`, `runtime/mcleanup.go`): their checks, as Go makes them. None of them runs here.

use std::sync::Arc;

use goemu_loader::{Kind, Type, TypeRef, printed_name};

use super::{fatal, goroutines, system};
use crate::hook::{Action, HookContext, HookError, HookResult};

/// Objects below this size, without pointers, share memory in Go: a finalizer may be set inside of it.
const TINY: u64 = 16;
/// What it takes to set a finalizer, in instructions: its types are looked at, and it is looked for in each collection.
const SETTING: u64 = 150;

/// `SetFinalizer(obj any, finalizer any)`
pub(in crate::runtime) fn set_finalizer(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, object, finalizer_ty, closure) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    cx.memory.charge(SETTING);
    match check(cx, ty, object, finalizer_ty)? {
        Err(text) => return Ok(fatal::error(cx, &format!("runtime.SetFinalizer: {text}"))),
        Ok(false) => return Ok(Action::Return),
        Ok(true) => {}
    }
    if finalizer_ty == 0 {
        cx.world.lifetimes.finalizers.remove(&object);
        return Ok(Action::Return);
    }
    cx.world.lifetimes.watched = true;
    if cx.world.lifetimes.finalizers.insert(object, closure).is_some() {
        return Ok(fatal::error(cx, "runtime.SetFinalizer: finalizer already set"));
    }
    Ok(Action::Return)
}

/// Whether the object can have a finalizer, which variables of the program need not; or what is wrong.
fn check(
    cx: &HookContext<'_>,
    ty: u64,
    object: u64,
    finalizer_ty: u64,
) -> Result<Result<bool, String>, HookError> {
    if ty == 0 {
        return Ok(Err("first argument is nil".to_owned()));
    }
    let pointer = resolve(cx, ty)?;
    let Kind::Pointer(elem) = &pointer.kind else {
        return Ok(Err(format!("first argument is {}, not pointer", name(&pointer))));
    };
    let elem = resolved(cx, elem)?;
    match cx.world.heap.base(object) {
        None if is_variable(cx, object) => return Ok(Ok(false)),
        None => return Ok(Err("pointer not in allocated block".to_owned())),
        Some(base) if base != object && (elem.size >= TINY || has_pointers(cx, &elem)) => {
            return Ok(Err("pointer not at beginning of allocated block".to_owned()));
        }
        Some(_) => {}
    }
    if finalizer_ty == 0 {
        return Ok(Ok(true));
    }
    let finalizer = resolve(cx, finalizer_ty)?;
    let Kind::Func(func) = &finalizer.kind else {
        return Ok(Err(format!("second argument is {}, not a function", name(&finalizer))));
    };
    let cannot = || format!("cannot pass {} to finalizer {}", name(&pointer), name(&finalizer));
    if func.variadic {
        return Ok(Err(format!("{} because dotdotdot", cannot())));
    }
    let [param] = &func.params[..] else { return Ok(Err(cannot())) };
    let takes = takes(cx, &*resolved(cx, param)?, &pointer)?;
    Ok(if takes { Ok(true) } else { Err(cannot()) })
}

/// Whether a parameter takes a pointer: it is of its type, of a like one without a name, or an interface that it implements.
fn takes(cx: &HookContext<'_>, param: &Type, pointer: &Type) -> Result<bool, HookError> {
    if param.rtype.is_some() && param.rtype == pointer.rtype {
        return Ok(true);
    }
    match (&param.kind, &pointer.kind) {
        (Kind::Pointer(a), Kind::Pointer(b)) => {
            let alike = resolved(cx, a)?.rtype == resolved(cx, b)?.rtype;
            Ok(alike && !(is_uncommon(cx, param)? && is_uncommon(cx, pointer)?))
        }
        (Kind::Interface { methods, .. }, _) => {
            let has = |name: &str| {
                pointer.rtype.is_some_and(|ty| matches!(cx.image.method_code(ty, name), Ok(Some(_))))
            };
            Ok(methods.iter().all(|method| has(&method.name)))
        }
        _ => Ok(false),
    }
}

/// Whether a type has a name, or methods: its descriptor then has more to say of it (`uncommontype`).
fn is_uncommon(cx: &HookContext<'_>, ty: &Type) -> Result<bool, HookError> {
    const UNCOMMON: u8 = 1;
    let (Some(at), Some(flags)) = (ty.rtype, cx.image.facts().types.rtype.tflag) else { return Ok(false) };
    let [flags] = cx.memory.read(at.wrapping_add(flags))?;
    Ok(flags & UNCOMMON != 0)
}

fn resolve(cx: &HookContext<'_>, ty: u64) -> Result<Arc<Type>, HookError> {
    resolved(cx, &TypeRef::Rtype(ty))
}

fn resolved(cx: &HookContext<'_>, ty: &TypeRef) -> Result<Arc<Type>, HookError> {
    Ok(cx.image.resolve(ty).map_err(crate::error::Error::from)?)
}

/// As the runtime writes it.
fn name(ty: &Type) -> String {
    printed_name(&ty.name).into_owned()
}

fn has_pointers(cx: &HookContext<'_>, ty: &Type) -> bool {
    ty.rtype.is_none_or(|ty| super::alloc::kind(cx, ty) != crate::guest::heap::Kind::Data)
}

/// Whether an address is in the file's own memory.
pub(super) fn is_variable(cx: &HookContext<'_>, addr: u64) -> bool {
    let segments = cx.image.segments();
    segments
        .iter()
        .any(|segment| (segment.addr..segment.addr.saturating_add(segment.mem_size)).contains(&addr))
}

/// `AddCleanup[T, S any](ptr *T, cleanup func(S), arg S) Cleanup`, with a dictionary before its arguments. What Go panics at is
/// left to a program that was started.
pub(in crate::runtime) fn add_cleanup(cx: &mut HookContext<'_>) -> HookResult {
    let (object, argument) = (cx.arg(1)?, cx.arg(3)?);
    let is_variable = cx.world.heap.base(object).is_none() && is_variable(cx, object);
    if object == 0 || object == argument || cx.world.heap.base(object).is_none() && !is_variable {
        return Err(goroutines::cannot(cx, "a cleanup that cannot be"));
    }
    if is_variable {
        return no_cleanup(cx);
    }
    cx.world.lifetimes.watched = true;
    cx.world.lifetimes.cleanups += 1;
    // Its number, and the object.
    cx.set_result(4, 0, cx.world.lifetimes.cleanups)?;
    cx.set_result(4, 1, object)?;
    Ok(Action::Return)
}

/// The same since Go 1.26, which panics where the cleanup could never run: its argument, or a variable that it captures, is in the object.
pub(in crate::runtime) fn add_cleanup_that_can_run(cx: &mut HookContext<'_>) -> HookResult {
    let (object, cleanup, argument) = (cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    let base = cx.world.heap.base(object);
    if base.is_some() && (cx.world.heap.base(argument) == base || holds(cx, cleanup, base)?) {
        return Err(goroutines::cannot(cx, "a cleanup that would never run"));
    }
    add_cleanup(cx)
}

/// `AddCleanup` in a program without names: `Stop`, which is not found there, does nothing with what it is of no cleanup.
pub(in crate::runtime) fn add_cleanup_unnamed(
    cx: &mut HookContext<'_>,
    add: fn(&mut HookContext<'_>) -> HookResult,
) -> HookResult {
    match add(cx)? {
        Action::Return => no_cleanup(cx),
        other => Ok(other),
    }
}

/// Whether an object of the heap has an address in another one.
fn holds(cx: &HookContext<'_>, holder: u64, object: Option<u64>) -> Result<bool, HookError> {
    let Some((granule, _)) = cx.world.heap.find(holder) else { return Ok(false) };
    for at in (cx.world.heap.address(granule)..cx.world.heap.end_of(granule)).step_by(8) {
        if cx.world.heap.base(cx.word(at)?) == object {
            return Ok(true);
        }
    }
    Ok(false)
}

/// `Cleanup.Stop()`: it would not have run.
pub(in crate::runtime) fn stop_cleanup(_: &mut HookContext<'_>) -> HookResult {
    Ok(Action::Return)
}

/// `AddCleanup`, where it is not defined, and of a variable, which is never freed: nothing can be stopped by the two words of its result.
pub(in crate::runtime) fn no_cleanup(cx: &mut HookContext<'_>) -> HookResult {
    cx.set_result(4, 0, 0)?;
    cx.set_result(4, 1, 0)?;
    Ok(Action::Return)
}

/// `getOrAddWeakHandle(p unsafe.Pointer) *atomic.Uintptr`, up to Go 1.24: variables have no weak pointers.
pub(in crate::runtime) fn weak_handle_of_object(cx: &mut HookContext<'_>) -> HookResult {
    let object = cx.arg(0)?;
    if cx.world.heap.base(object).is_none() && is_variable(cx, object) {
        return Ok(fatal::error(cx, "getWeakHandle on invalid pointer"));
    }
    system::weak_handle(cx)
}
