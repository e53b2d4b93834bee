//! Finalizers (`runtime/mfinal.go`): their checks, as Go makes them, and what is passed to them.

use std::sync::Arc;

use goemu_loader::{Kind, Type, TypeRef, printed_name};

use super::super::objects::iface;
use super::{fatal, goroutines};
use crate::guest::lifetimes::Owed;
use crate::hook::{Action, HookContext, HookError, HookResult};

/// Objects below this size, without pointers, share memory in Go: a finalizer may be set inside of it.
const TINY: u64 = 16;
/// What it takes to set a finalizer, in instructions: its types are looked at, and it is looked for in each collection.
const SETTING: u64 = 150;

/// `SetFinalizer(obj any, finalizer any)`
pub(in crate::runtime) fn set_finalizer(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, object, finalizer_ty, closure) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?, cx.arg(3)?);
    cx.memory.charge(SETTING);
    let takes = match check(cx, ty, object, finalizer_ty)? {
        Err(text) => return Ok(fatal::error(cx, &format!("runtime.SetFinalizer: {text}"))),
        Ok(Checked::NeedsNone) => return Ok(Action::Return),
        Ok(Checked::Removed) => {
            cx.world.lifetimes.finalizers.remove(&object);
            return Ok(Action::Return);
        }
        Ok(Checked::Takes(takes)) => takes,
    };
    if cx.world.lifetimes.finalizers.contains_key(&object) {
        return Ok(fatal::error(cx, "runtime.SetFinalizer: finalizer already set"));
    }
    let (args, count) = match takes {
        Takes::Pointer => ([object, 0], 1),
        Takes::Any => ([ty, object], 2),
        Takes::Interface(interface) => ([itab(cx, interface, ty)?, object], 2),
    };
    cx.world.lifetimes.watched = true;
    cx.world.lifetimes.finalizers.insert(object, Owed { closure, args, count });
    Ok(Action::Return)
}

/// What there is to do.
enum Checked {
    /// Nothing: variables of the program are never freed.
    NeedsNone,
    /// The object is to have none any more.
    Removed,
    /// It is to have one.
    Takes(Takes),
}

/// What a finalizer takes.
enum Takes {
    Pointer,
    Any,
    /// An interface with methods, by its type.
    Interface(u64),
}

/// What there is to do, or what is wrong.
fn check(
    cx: &HookContext<'_>,
    ty: u64,
    object: u64,
    finalizer_ty: u64,
) -> Result<Result<Checked, String>, HookError> {
    if ty == 0 {
        return Ok(Err("first argument is nil".to_owned()));
    }
    let pointer = resolve(cx, ty)?;
    let Kind::Pointer(elem) = &pointer.kind else {
        return Ok(Err(format!("first argument is {}, not pointer", name(&pointer))));
    };
    let elem = resolved(cx, elem)?;
    match cx.world.heap.base(object) {
        None if is_variable(cx, object) => return Ok(Ok(Checked::NeedsNone)),
        None => return Ok(Err("pointer not in allocated block".to_owned())),
        Some(base) if base != object && (elem.size >= TINY || has_pointers(cx, &elem)) => {
            return Ok(Err("pointer not at beginning of allocated block".to_owned()));
        }
        Some(_) => {}
    }
    if finalizer_ty == 0 {
        return Ok(Ok(Checked::Removed));
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
    Ok(takes.map(Checked::Takes).ok_or_else(cannot))
}

/// How a parameter takes a pointer: it is of its type, of a like one without a name, or an interface that it implements.
fn takes(cx: &HookContext<'_>, param: &Type, pointer: &Type) -> Result<Option<Takes>, HookError> {
    if param.rtype.is_some() && param.rtype == pointer.rtype {
        return Ok(Some(Takes::Pointer));
    }
    match (&param.kind, &pointer.kind) {
        (Kind::Pointer(a), Kind::Pointer(b)) => {
            let alike = resolved(cx, a)?.rtype == resolved(cx, b)?.rtype;
            let takes = alike && !(is_uncommon(cx, param)? && is_uncommon(cx, pointer)?);
            Ok(takes.then_some(Takes::Pointer))
        }
        (Kind::Interface { methods, .. }, _) => {
            // Where object files were linked, the table of a type's methods may be gone.
            let has = |ty: u64, name: &str| {
                matches!(cx.image.method_code(ty, name), Ok(Some(_)))
                    || matches!(iface::method(cx, ty, name), Ok(Some(_)))
            };
            let has = |name: &str| pointer.rtype.is_some_and(|ty| has(ty, name));
            let takes = methods.iter().all(|method| has(&method.name));
            let interface = param.rtype.filter(|_| !methods.is_empty()).map_or(Takes::Any, Takes::Interface);
            Ok(takes.then_some(interface))
        }
        _ => Ok(None),
    }
}

/// The table of a type's methods for an interface that it implements.
fn itab(cx: &mut HookContext<'_>, interface: u64, ty: u64) -> Result<u64, HookError> {
    if let Some(itab) = cx.image.itab(interface, ty) {
        return Ok(itab);
    }
    let made = iface::itab(cx, interface, ty)?;
    made.map_err(|_| goroutines::cannot(cx, "a finalizer that takes this interface"))
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
