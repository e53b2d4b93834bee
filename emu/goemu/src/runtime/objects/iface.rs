//! Interfaces (`runtime/iface.go`): which types implement them, and itabs.

use goemu_loader::TypeRef;

use super::{errors, type_word};
use crate::error::Error;
use crate::hook::{Action, HookContext, HookError, HookResult};

/// `internal/abi.TFlag`: a type has a table of methods.
const UNCOMMON: u8 = 1;
/// The bits of the kind byte that are the kind.
const KIND: u8 = 0x1f;
/// No type has more methods.
const MAX_METHODS: u64 = 1 << 16;

/// A method of a type, or of an interface.
struct Method {
    name: Vec<u8>,
    /// `typeOff` of its type; 0 where it is not told.
    ty: u32,
    /// The code that interfaces call.
    code: u64,
}

fn half(cx: &HookContext<'_>, at: u64) -> Result<u32, HookError> {
    Ok(u32::from_le_bytes(cx.memory.read(at)?))
}

/// The name at an offset from the start of the types: flags, length, text.
fn name_at(cx: &HookContext<'_>, offset: u32) -> Result<Vec<u8>, HookError> {
    let types = cx.image.module().and_then(|module| module.types).map_or(0, |types| types.start);
    let at = types.wrapping_add(offset.into());
    let [_, first, second]: [u8; 3] = cx.memory.read(at)?;
    let (len, start) = match (cx.image.facts().rules().names_have_varints(), first) {
        (false, _) => (u64::from(first) << 8 | u64::from(second), 3),
        (true, 0..0x80) => (first.into(), 2),
        (true, _) => (u64::from(first & 0x7f) | u64::from(second) << 7, 3),
    };
    super::bytes_at(cx, at.wrapping_add(start), len)
}

/// Where a type's table of methods is.
fn uncommon(cx: &HookContext<'_>, ty: u64) -> Result<Option<u64>, HookError> {
    let at = &cx.image.facts().types;
    let field = |field: Option<u64>| ty.wrapping_add(field.unwrap_or_default());
    let [flags]: [u8; 1] = cx.memory.read(field(at.rtype.tflag))?;
    let [kind]: [u8; 1] = cx.memory.read(field(at.rtype.kind))?;
    let size = match kind & KIND {
        17 => at.array.sizeof,
        18 => at.chan.sizeof,
        19 => at.func.sizeof,
        20 => at.interface.sizeof,
        21 => at.map.sizeof,
        22 | 23 => at.pointer.sizeof,
        25 => at.structure.sizeof,
        _ => at.rtype.sizeof,
    };
    Ok((flags & UNCOMMON != 0).then(|| field(size)))
}

/// The methods of a type.
fn methods(cx: &HookContext<'_>, ty: u64) -> Result<Vec<Method>, HookError> {
    let at = &cx.image.facts().types;
    let Some(table) = uncommon(cx, ty)? else { return Ok(Vec::new()) };
    let field = |field: Option<u64>| table.wrapping_add(field.unwrap_or_default());
    let count = u16::from_le_bytes(cx.memory.read(field(at.uncommon.mcount))?);
    let first = table.wrapping_add(half(cx, field(at.uncommon.moff))?.into());
    let text = cx.image.module().map_or(0, |module| module.text.start);
    let mut methods = Vec::new();
    for index in 0..u64::from(count) {
        let entry = first.wrapping_add(index.wrapping_mul(at.method.sizeof.unwrap_or_default()));
        let field = |field: Option<u64>| half(cx, entry.wrapping_add(field.unwrap_or_default()));
        let code = text.wrapping_add(field(at.method.ifn)?.into());
        methods.push(Method { name: name_at(cx, field(at.method.name)?)?, ty: field(at.method.ty)?, code });
    }
    Ok(methods)
}

/// The methods of an interface type.
fn wanted(cx: &HookContext<'_>, interface: u64) -> Result<Vec<Method>, HookError> {
    let at = &cx.image.facts().types;
    let list = type_word(cx, interface, at.interface.methods)?;
    let count = type_word(cx, interface, at.interface.methods.map(|field| field + 8))?.min(MAX_METHODS);
    let mut methods = Vec::new();
    for index in 0..count {
        let entry = list.wrapping_add(index.wrapping_mul(at.imethod.sizeof.unwrap_or_default()));
        let field = |field: Option<u64>| half(cx, entry.wrapping_add(field.unwrap_or_default()));
        methods.push(Method {
            name: name_at(cx, field(at.imethod.name)?)?,
            ty: field(at.imethod.ty)?,
            code: 0,
        });
    }
    Ok(methods)
}

/// The code of a type's method, as interfaces call it. Methods of run-time errors are the linker's.
pub(in crate::runtime) fn method(
    cx: &HookContext<'_>,
    ty: u64,
    name: &str,
) -> Result<Option<u64>, HookError> {
    let known =
        cx.image.symbol_at(ty).and_then(|symbol| symbol.name.split_once("runtime.")).map(|(_, name)| name);
    if let Some(known) = known {
        let method = format!("runtime.{known}.{name}");
        return Ok(cx.image.funcs_named(&method).first().map(|func| func.entry()));
    }
    Ok(methods(cx, ty)?.into_iter().find(|method| method.name == name.as_bytes()).map(|method| method.code))
}

/// The itab of a type in an interface, or the name of a method that is missing.
pub(in crate::runtime) fn itab(
    cx: &mut HookContext<'_>,
    interface: u64,
    ty: u64,
) -> Result<Result<u64, String>, HookError> {
    if let Some(known) = cx.world.linked.itabs.get(&(interface, ty)) {
        return Ok(Ok(*known));
    }
    let layout = cx.image.facts().itab;
    if let Some(listed) = cx.image.module().and_then(|module| module.itablinks) {
        for index in 0..listed.len {
            let itab = cx.word(listed.addr.wrapping_add(8 * index))?;
            if cx.word(itab.wrapping_add(layout.inter))? == interface
                && cx.word(itab.wrapping_add(layout.ty))? == ty
            {
                cx.world.linked.itabs.insert((interface, ty), itab);
                return Ok(Ok(itab));
            }
        }
    }
    let mut code = Vec::new();
    for method in wanted(cx, interface)? {
        let own = methods(cx, ty)?;
        let same = |own: &&Method| own.name == method.name && (method.ty == 0 || own.ty == method.ty);
        let name = String::from_utf8_lossy(&method.name).into_owned();
        let found = match own.iter().find(same) {
            Some(own) => Some(own.code),
            None if own.is_empty() => self::method(cx, ty, &name)?,
            None => None,
        };
        match found {
            Some(found) => code.push(found),
            None => return Ok(Err(name)),
        }
    }
    let size = layout.fun.wrapping_add(8 * code.len() as u64);
    let Ok(addr) = cx.world.alloc(cx.memory, size) else { return Ok(Err("memory".to_owned())) };
    cx.set_word(addr.wrapping_add(layout.inter), interface)?;
    cx.set_word(addr.wrapping_add(layout.ty), ty)?;
    if let Some(hash) = layout.hash {
        let value = half(cx, ty.wrapping_add(cx.image.facts().types.rtype.hash.unwrap_or_default()))?;
        cx.memory.write(addr.wrapping_add(hash), value.to_le_bytes())?;
    }
    for (index, code) in (0..).zip(code) {
        cx.set_word(addr.wrapping_add(layout.fun).wrapping_add(8 * index), code)?;
    }
    cx.world.linked.itabs.insert((interface, ty), addr);
    Ok(Ok(addr))
}

fn name_of(cx: &HookContext<'_>, ty: u64) -> String {
    cx.image.resolve(&TypeRef::Rtype(ty)).map_or_else(|_| format!("{ty:#x}"), |ty| ty.name.clone())
}

/// An itab as the result; a panic where there is none and there has to be one.
fn assert(cx: &mut HookContext<'_>, args: usize, interface: u64, ty: u64, can_fail: bool) -> HookResult {
    let found = if ty == 0 { Err(String::new()) } else { itab(cx, interface, ty)? };
    match found {
        Ok(itab) => cx.set_result(args, 0, itab)?,
        Err(_) if can_fail => cx.set_result(args, 0, 0)?,
        Err(missing) => {
            let wanted = name_of(cx, interface);
            let text = if ty == 0 {
                format!("interface is nil, not {wanted}")
            } else {
                format!("{} is not {wanted}: missing method {missing}", name_of(cx, ty))
            };
            return errors::assertion(cx, &text);
        }
    }
    Ok(Action::Return)
}

/// `abi.TypeOf(a any) *Type`
pub(in crate::runtime) fn type_of(cx: &mut HookContext<'_>) -> HookResult {
    let ty = cx.arg(0)?;
    cx.set_result(2, 0, ty)?;
    Ok(Action::Return)
}

/// A field of what the compiler writes for an assertion or a switch (Go 1.22 and later).
fn site_field(at: Option<u64>) -> Result<u64, HookError> {
    let what = || "an assertion to an interface in code of this release of Go".to_owned();
    at.ok_or_else(|| HookError::Error(Error::Unsupported { what: what(), caller: None }))
}

/// `typeAssert(s *abi.TypeAssert, t *_type) *itab`: a cache, the interface, whether it may fail.
pub(in crate::runtime) fn type_assert(cx: &mut HookContext<'_>) -> HookResult {
    let (site, ty) = (cx.arg(0)?, cx.arg(1)?);
    let at = cx.image.facts().type_assert;
    let (inter, can_fail) = (site_field(at.inter)?, site_field(at.can_fail)?);
    let interface = cx.word(site.wrapping_add(inter))?;
    let [can_fail]: [u8; 1] = cx.memory.read(site.wrapping_add(can_fail))?;
    assert(cx, 2, interface, ty, can_fail != 0)
}

/// `assertE2I(inter *interfacetype, t *_type) *itab`
pub(in crate::runtime) fn assert_to_itab(cx: &mut HookContext<'_>) -> HookResult {
    let (interface, ty) = (cx.arg(0)?, cx.arg(1)?);
    assert(cx, 2, interface, ty, false)
}

/// `assertE2I2(inter *interfacetype, t *_type) *itab`: nil where the type does not implement it.
pub(in crate::runtime) fn assert_to_itab_or_nil(cx: &mut HookContext<'_>) -> HookResult {
    let (interface, ty) = (cx.arg(0)?, cx.arg(1)?);
    assert(cx, 2, interface, ty, true)
}

/// The dynamic type behind the first word of an interface with methods.
fn type_of_itab(cx: &HookContext<'_>, itab: u64) -> Result<u64, HookError> {
    if itab == 0 { Ok(0) } else { Ok(cx.word(itab.wrapping_add(cx.image.facts().itab.ty))?) }
}

/// `assertI2I(inter *interfacetype, tab *itab) *itab`, Go 1.17 to 1.21
pub(in crate::runtime) fn assert_itab_to_itab(cx: &mut HookContext<'_>) -> HookResult {
    let (interface, ty) = (cx.arg(0)?, type_of_itab(cx, cx.arg(1)?)?);
    assert(cx, 2, interface, ty, false)
}

/// `convI2I(dst *interfacetype, src *itab) *itab`, Go 1.18 to 1.21: nil stays nil.
pub(in crate::runtime) fn conv_itab_to_itab(cx: &mut HookContext<'_>) -> HookResult {
    let (interface, ty) = (cx.arg(0)?, type_of_itab(cx, cx.arg(1)?)?);
    assert(cx, 2, interface, ty, ty == 0)
}

/// From interface to interface as whole values: what is given, and whether it says that it could.
fn whole(cx: &mut HookContext<'_>, ty: u64, can_fail: bool, says: bool) -> HookResult {
    const ARGS: usize = 3;
    let (interface, data) = (cx.arg(0)?, cx.arg(2)?);
    let answer = assert(cx, ARGS, interface, ty, can_fail)?;
    if !matches!(answer, Action::Return) {
        return Ok(answer);
    }
    let found = if ty == 0 { 0 } else { itab(cx, interface, ty)?.unwrap_or(0) };
    cx.set_result(ARGS, 1, if found == 0 { 0 } else { data })?;
    if says {
        cx.set_result(ARGS, 2, (found != 0).into())?;
    }
    Ok(Action::Return)
}

/// `assertE2I(inter *interfacetype, e eface) iface`, up to Go 1.16
pub(in crate::runtime) fn assert_any(cx: &mut HookContext<'_>) -> HookResult {
    let ty = cx.arg(1)?;
    whole(cx, ty, false, false)
}

/// `assertE2I2(inter *interfacetype, e eface) (iface, bool)`; without the bool since Go 1.17
pub(in crate::runtime) fn assert_any_or_nil(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, says) = (cx.arg(1)?, !cx.image.facts().register_abi());
    whole(cx, ty, true, says)
}

/// `assertI2I(inter *interfacetype, i iface) iface`, up to Go 1.16
pub(in crate::runtime) fn assert_iface(cx: &mut HookContext<'_>) -> HookResult {
    let ty = type_of_itab(cx, cx.arg(1)?)?;
    whole(cx, ty, false, false)
}

/// `assertI2I2(inter *interfacetype, i iface) (iface, bool)`; without the bool since Go 1.17
pub(in crate::runtime) fn assert_iface_or_nil(cx: &mut HookContext<'_>) -> HookResult {
    let (ty, says) = (type_of_itab(cx, cx.arg(1)?)?, !cx.image.facts().register_abi());
    whole(cx, ty, true, says)
}

/// `convI2I(inter *interfacetype, i iface) iface`, up to Go 1.17: nil stays nil.
pub(in crate::runtime) fn conv_iface(cx: &mut HookContext<'_>) -> HookResult {
    let ty = type_of_itab(cx, cx.arg(1)?)?;
    whole(cx, ty, ty == 0, false)
}

/// `interfaceSwitch(s *abi.InterfaceSwitch, t *_type) (int, *itab)`: the first case that the type implements.
pub(in crate::runtime) fn interface_switch(cx: &mut HookContext<'_>) -> HookResult {
    let (site, ty) = (cx.arg(0)?, cx.arg(1)?);
    let at = cx.image.facts().interface_switch;
    let (ncases, first) = (site_field(at.ncases)?, site_field(at.cases)?);
    let cases = cx.word(site.wrapping_add(ncases))?.min(MAX_METHODS);
    let mut answer = (cases, 0);
    for case in 0..cases {
        let interface = cx.word(site.wrapping_add(first).wrapping_add(8 * case))?;
        if let Ok(itab) = itab(cx, interface, ty)? {
            answer = (case, itab);
            break;
        }
    }
    cx.set_result(2, 0, answer.0)?;
    cx.set_result(2, 1, answer.1)?;
    Ok(Action::Return)
}

/// `panicdottypeE(have, want, iface *_type)`: an interface holds another type than `x.(T)` asks for.
pub(in crate::runtime) fn panicdottype_e(cx: &mut HookContext<'_>) -> HookResult {
    let (have, want, interface) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    wrong_type(cx, have, want, interface)
}

/// `panicdottypeI(have *itab, want, iface *_type)`
pub(in crate::runtime) fn panicdottype_i(cx: &mut HookContext<'_>) -> HookResult {
    let (itab, want, interface) = (cx.arg(0)?, cx.arg(1)?, cx.arg(2)?);
    let have = type_of_itab(cx, itab)?;
    wrong_type(cx, have, want, interface)
}

fn wrong_type(cx: &mut HookContext<'_>, have: u64, want: u64, interface: u64) -> HookResult {
    let (interface, want) = (name_of(cx, interface), name_of(cx, want));
    let have = if have == 0 { "nil".to_owned() } else { name_of(cx, have) };
    errors::assertion(cx, &format!("{interface} is {have}, not {want}"))
}

/// `panicnildottype(want *_type)`
pub(in crate::runtime) fn panicnildottype(cx: &mut HookContext<'_>) -> HookResult {
    let want = name_of(cx, cx.arg(0)?);
    errors::assertion(cx, &format!("interface is nil, not {want}"))
}
