//! Values in Go syntax: as goemu's commands read them, and as Go's compiler does.

use std::fmt::Write;
use std::sync::Arc;

use goemu_loader::Type;

use super::plan::{Form, Id, Maker};
use super::source::{self, Unwritable};
use crate::go::print::Quoted;
use crate::go::value::{Interface, Pointer, Struct, Value};

/// The reader that a literal is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reader<'p> {
    /// [`literal`](crate::go::literal), which names types by their whole paths, and has `&int(5)`.
    Goemu,
    /// Go's compiler, in a file of this package.
    Go(&'p str),
}

impl Maker {
    /// The value in Go syntax, as [`Machine::call`](crate::Machine::call) and goemu's commands read it.
    #[must_use]
    pub fn literal(&self, value: &Value) -> String {
        let mut writer = Writer { maker: self, out: String::new(), reader: Reader::Goemu };
        // For this reader all can be written.
        let _ = writer.value(self.root, value, true);
        writer.out
    }

    /// The value as Go source, in a file of this package.
    ///
    /// # Errors
    /// What such a file cannot say: fields without an exported name of another package, functions without a name.
    pub fn source(&self, value: &Value, package: &str) -> Result<String, Unwritable> {
        let mut writer = Writer { maker: self, out: String::new(), reader: Reader::Go(package) };
        writer.value(self.root, value, true)?;
        Ok(writer.out)
    }
}

struct Writer<'m> {
    maker: &'m Maker,
    out: String,
    reader: Reader<'m>,
}

type Written = Result<(), Unwritable>;

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn type_name(&self, id: Id) -> Result<String, Unwritable> {
        self.maker.shapes.get(id).map_or_else(|| Ok(String::new()), |shape| self.named(&shape.ty))
    }

    fn named(&self, ty: &Type) -> Result<String, Unwritable> {
        match self.reader {
            Reader::Goemu => Ok(ty.name.clone()),
            Reader::Go(package) => source::type_name(&ty.name, package),
        }
    }

    /// A value; `whole` where nothing around it tells its type.
    fn value(&mut self, id: Id, value: &Value, whole: bool) -> Written {
        match value {
            Value::Nil(_) | Value::Elided | Value::Invalid(_) => self.put("nil"),
            Value::Float32(n) => self.float(f64::from(*n), &format!("{n:?}"), "float32"),
            Value::Float64(n) => self.float(*n, &format!("{n:?}"), ""),
            Value::Complex64(re, im) => {
                self.complex((f64::from(*re), format!("{re:?}")), (f64::from(*im), format!("{im:?}")))
            }
            Value::Complex128(re, im) => self.complex((*re, format!("{re:?}")), (*im, format!("{im:?}"))),
            Value::Uint(n) | Value::Uintptr(n) => self.put(&n.to_string()),
            Value::String(bytes) => self.put(&Quoted(bytes).to_string()),
            Value::Bytes(bytes) => return self.bytes(id, &bytes.bytes),
            Value::List(list) => return self.list(id, &list.elems, whole),
            Value::Struct(s) => return self.structure(id, s, whole),
            Value::Map(map) => return self.map(id, &map.entries, whole),
            Value::Pointer(pointer) => return self.pointer(id, pointer),
            Value::Interface(of) => return self.interface(id, of),
            Value::Func(func) => return self.function(func.name.as_deref().unwrap_or("nil")),
            other => self.put(&other.to_string()),
        }
        Ok(())
    }

    fn float(&mut self, n: f64, digits: &str, convert: &str) {
        let text = match n {
            n if n.is_nan() => "math.NaN()".to_owned(),
            f64::INFINITY => "math.Inf(1)".to_owned(),
            f64::NEG_INFINITY => "math.Inf(-1)".to_owned(),
            // In Go -0.0 is a constant without a sign.
            n if n == 0.0 && n.is_sign_negative() && self.reader != Reader::Goemu => {
                "math.Copysign(0, -1)".to_owned()
            }
            _ => {
                return self.put(
                    digits.strip_suffix(".0").filter(|_| n != 0.0 || n.is_sign_positive()).unwrap_or(digits),
                );
            }
        };
        match (self.reader, convert) {
            (Reader::Go(_), ty) if !ty.is_empty() => self.put(&format!("{ty}({text})")),
            _ => self.put(&text),
        }
    }

    fn complex(&mut self, (re, re_digits): (f64, String), (im, im_digits): (f64, String)) {
        self.put("complex(");
        self.float(re, &re_digits, "");
        self.put(", ");
        self.float(im, &im_digits, "");
        self.put(")");
    }

    fn bytes(&mut self, id: Id, bytes: &[u8]) -> Written {
        if let Form::Bytes(Some(_)) = self.maker.form(id) {
            let name = self.type_name(id)?;
            let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
            self.put(&format!("{name}{{{}}}", items.join(", ")));
            return Ok(());
        }
        let name = self.type_name(id)?;
        let name = if name == "[]uint8" { "[]byte" } else { &name };
        // Text as text; what is none, as numbers.
        let text = std::str::from_utf8(bytes).is_ok_and(|text| text.chars().all(|c| !c.is_control()));
        if text {
            self.put(&format!("{name}({})", Quoted(bytes)));
        } else {
            let items: Vec<String> = bytes.iter().map(u8::to_string).collect();
            self.put(&format!("{name}{{{}}}", items.join(", ")));
        }
        Ok(())
    }

    fn open(&mut self, id: Id, whole: bool) -> Written {
        if whole {
            let name = self.type_name(id)?;
            self.put(&name);
        }
        self.put("{");
        Ok(())
    }

    fn list(&mut self, id: Id, elems: &[Value], whole: bool) -> Written {
        let (Form::Slice(elem) | Form::Array(elem, _)) = *self.maker.form(id) else { return Ok(()) };
        self.open(id, whole)?;
        for (at, value) in elems.iter().enumerate() {
            self.separate(at);
            self.value(elem, value, false)?;
        }
        self.put("}");
        Ok(())
    }

    fn separate(&mut self, at: usize) {
        if at > 0 {
            self.put(", ");
        }
    }

    fn structure(&mut self, id: Id, s: &Struct, whole: bool) -> Written {
        let maker = self.maker;
        let Form::Struct(fields) = maker.form(id) else { return Ok(()) };
        let name = self.type_name(id)?;
        self.open(id, whole)?;
        for (at, (field, value)) in s.fields.iter().enumerate() {
            let Some(shape) = fields.iter().find(|(name, _)| name == field).and_then(|(_, id)| *id) else {
                continue;
            };
            if let (Reader::Go(package), Some(ty)) = (self.reader, maker.shapes.get(id)) {
                source::check_field(&ty.ty.name, field, package)?;
            }
            self.separate(at);
            let _ = write!(self.out, "{field}: ");
            self.value(shape, value, true)?;
        }
        let _ = name;
        self.put("}");
        Ok(())
    }

    fn map(&mut self, id: Id, entries: &[(Value, Value)], whole: bool) -> Written {
        let Form::Map(key, elem) = *self.maker.form(id) else { return Ok(()) };
        self.open(id, whole)?;
        for (at, (k, v)) in entries.iter().enumerate() {
            self.separate(at);
            self.value(key, k, false)?;
            self.put(": ");
            self.value(elem, v, false)?;
        }
        self.put("}");
        Ok(())
    }

    fn pointer(&mut self, id: Id, pointer: &Pointer) -> Written {
        let Form::Pointer(to, _) = *self.maker.form(id) else { return Ok(()) };
        let Some(value) = pointer.pointee.as_deref() else {
            self.put("nil");
            return Ok(());
        };
        let name = self.type_name(to)?;
        match (value, self.reader) {
            (Value::Struct(_) | Value::List(_) | Value::Map(_), _) => {
                self.put("&");
                self.value(to, value, true)
            }
            (_, Reader::Goemu) => {
                self.put(&format!("&{name}("));
                self.value(to, value, true)?;
                self.put(")");
                Ok(())
            }
            (_, Reader::Go(_)) => {
                self.put(&format!("func() *{name} {{ var v {name} = "));
                self.value(to, value, true)?;
                self.put("; return &v }()");
                Ok(())
            }
        }
    }

    fn interface(&mut self, id: Id, of: &Interface) -> Written {
        let maker = self.maker;
        let Form::Interface(held, _) = maker.form(id) else { return Ok(()) };
        let same = |ty: &Arc<Type>| of.ty.as_ref().is_some_and(|of| of.name == ty.name);
        let Some((ty, id)) = held.iter().find(|(ty, _)| same(ty)) else { return Ok(()) };
        if let Some(text) = error_text(ty, &of.value) {
            self.put(&format!("errors.New({})", Quoted(text)));
            return Ok(());
        }
        let tells = match &*of.value {
            Value::Int(_) => ty.name == "int",
            Value::Bool(_) => ty.name == "bool",
            Value::String(_) => ty.name == "string",
            Value::Nil(_) | Value::Func(_) => false,
            Value::Uint(_) | Value::Uintptr(_) => false,
            Value::Float32(_) | Value::Float64(_) | Value::Complex64(..) | Value::Complex128(..) => false,
            _ => true,
        };
        if tells {
            return self.value(*id, &of.value, true);
        }
        let name = self.named(ty)?;
        let name = if name.starts_with('*') || name.contains(' ') { format!("({name})") } else { name };
        self.put(&format!("{name}("));
        self.value(*id, &of.value, true)?;
        self.put(")");
        Ok(())
    }

    fn function(&mut self, name: &str) -> Written {
        match self.reader {
            Reader::Goemu => self.put(name),
            Reader::Go(package) => {
                let name = source::function_name(name, package)?;
                self.put(&name);
            }
        }
        Ok(())
    }
}

/// What is given to `errors.New` to have this value.
fn error_text<'v>(ty: &Type, value: &'v Value) -> Option<&'v [u8]> {
    let Value::Pointer(Pointer { pointee: Some(to), .. }) = value else { return None };
    match (&**to, ty.name.as_str()) {
        (Value::Struct(s), "*errors.errorString") => match s.fields.as_slice() {
            [(_, Value::String(text))] => Some(text),
            [] => Some(b""),
            _ => None,
        },
        _ => None,
    }
}
