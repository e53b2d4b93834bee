//! A call's arguments into a frame, its results out of it: where the assigner, the writer and the reader meet.

use goemu_loader::{Kind, Param, Signature, Type};

use crate::go::{
    abi::{Assignment, Piece},
    frame::{self, Frame, OutsideFrame, Places},
    guest::{GuestHeap, Types},
    read::Reader,
    value::{Bytes, List, Value},
    write::{Problem, ValueError, Writer},
};

/// Puts the arguments of a call into its frame; what they refer to is placed in the guest.
///
/// The arguments of a variadic parameter may be given one by one, or as one slice or nil.
///
/// # Errors
/// When there are too many or too few arguments, one of them does not fit its parameter (the message says
/// which), or the guest has no room.
pub fn pass(
    sig: &Signature,
    places: &Assignment,
    args: &[Value],
    frame: &mut Frame,
    heap: &mut dyn GuestHeap,
    types: &dyn Types,
) -> Result<(), ValueError> {
    let mut writer = Writer::new(heap, types);
    let packed = pack_variadic(sig, args);
    let args = packed.as_deref().unwrap_or(args);
    if args.len() != sig.params.len() {
        return Err(Problem::Arguments { got: args.len(), signature: sig.to_string() }.into());
    }
    for (i, ((arg, param), pieces)) in args.iter().zip(&sig.params).zip(&places.params).enumerate() {
        let bytes = writer.encode(arg, &param.ty).map_err(|e| e.at(&label(i, param)))?;
        frame.put(pieces, &bytes).map_err(Problem::from)?;
    }
    Ok(())
}

/// Puts the results of a call into its frame: those of a function that somebody else has carried out.
///
/// # Errors
/// When there are too many or too few results, one of them does not fit (the message says which), or the guest has
/// no room.
pub fn give(
    sig: &Signature,
    places: &Assignment,
    results: &[Value],
    frame: &mut Frame,
    heap: &mut dyn GuestHeap,
    types: &dyn Types,
) -> Result<(), ValueError> {
    if results.len() != sig.results.len() {
        return Err(Problem::Results { got: results.len(), signature: sig.to_string() }.into());
    }
    let mut writer = Writer::new(heap, types);
    for (i, ((result, param), pieces)) in results.iter().zip(&sig.results).zip(&places.results).enumerate() {
        let label = format!("result {} ({param})", i + 1);
        let bytes = writer.encode(result, &param.ty).map_err(|e| e.at(&label))?;
        frame.put(pieces, &bytes).map_err(Problem::from)?;
    }
    Ok(())
}

/// The results of a call, from its frame when it has returned.
///
/// # Errors
/// When the frame is not one of this signature.
pub fn results(
    sig: &Signature,
    places: &Assignment,
    frame: &Frame,
    reader: &Reader<'_>,
) -> Result<Vec<Value>, OutsideFrame> {
    values(&sig.results, &places.results, frame, reader)
}

/// The arguments of a call, from its frame when it begins.
///
/// # Errors
/// When the frame is not one of this signature.
pub fn arguments(
    sig: &Signature,
    places: &Assignment,
    frame: &Frame,
    reader: &Reader<'_>,
) -> Result<Vec<Value>, OutsideFrame> {
    values(&sig.params, &places.params, frame, reader)
}

fn values(
    params: &[Param],
    places: &[Vec<Piece>],
    frame: &Frame,
    reader: &Reader<'_>,
) -> Result<Vec<Value>, OutsideFrame> {
    params.iter().zip(places).map(|(param, pieces)| value(param, pieces, frame, reader)).collect()
}

/// One argument or result of a call, from its frame.
///
/// # Errors
/// When the frame is not one of this signature.
pub fn value(
    param: &Param,
    pieces: &[Piece],
    frame: &impl Places,
    reader: &Reader<'_>,
) -> Result<Value, OutsideFrame> {
    Ok(reader.decode(&param.ty, &frame::get(frame, pieces, param.ty.size)?))
}

/// How messages call an argument: `argument 2 (k uint8)`.
fn label(index: usize, param: &Param) -> String {
    format!("argument {} ({param})", index + 1)
}

/// The arguments with those of the variadic parameter made one slice, if they are not one already.
fn pack_variadic(sig: &Signature, args: &[Value]) -> Option<Vec<Value>> {
    let last = sig.params.last().filter(|_| sig.variadic)?;
    let fixed = args.get(..sig.params.len() - 1)?;
    let rest = args.get(sig.params.len() - 1..)?;
    if let [only] = rest
        && is_slice(only, &last.ty)
    {
        return None;
    }
    let mut packed = fixed.to_vec();
    packed.push(match rest {
        [] => Value::Nil(None),
        _ => Value::List(List { ty: None, elems: rest.to_vec() }),
    });
    Some(packed)
}

/// Whether a value stands for the whole slice, not for an element of it.
fn is_slice(value: &Value, slice: &Type) -> bool {
    match value {
        // What carries a type is the slice if that is its type.
        Value::Bytes(Bytes { ty: Some(ty), .. }) | Value::List(List { ty: Some(ty), .. }) => {
            ty.name == slice.name
        }
        Value::Nil(Some(ty)) => matches!(ty.kind, Kind::Slice(_)),
        Value::Bytes(_) | Value::List(_) | Value::Nil(None) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::go::{
        abi::assign,
        testing::{Space, Ty, basic, slice, structure},
    };
    use goemu_loader::Abi;

    fn sig(params: &[(&str, Ty)], variadic: bool) -> Signature {
        let params = params.iter().map(|(name, ty)| Param { name: (*name).to_owned(), ty: ty.clone() });
        Signature { params: params.collect(), results: Vec::new(), variadic }
    }

    /// What a function of this signature would see of these arguments.
    fn seen(sig: &Signature, args: &[Value]) -> Result<String, ValueError> {
        let mut space = Space::new();
        let types = space.types();
        let mut texts = Vec::new();
        for abi in [Abi::Abi0, Abi::Internal] {
            let places = assign(abi, sig).unwrap();
            let mut frame = Frame::new(places.stack_size);
            pass(sig, &places, args, &mut frame, &mut space, &types)?;
            let values = arguments(sig, &places, &frame, &Reader::new(&space, &types)).unwrap();
            texts.push(values.iter().map(Value::to_string).collect::<Vec<_>>().join(" "));
        }
        assert_eq!(texts[0], texts[1]);
        Ok(texts.remove(0))
    }

    #[test]
    fn arguments_arrive() {
        let point = structure("main.Point", &[("X", &basic("int")), ("Y", &basic("float32"))]);
        let sig =
            sig(&[("s", basic("string")), ("k", basic("uint8")), ("p", point), ("r", basic("int32"))], false);
        let args = ["hi".into(), 7.into(), Value::structure([("Y", 2.5.into())]), 'x'.into()];
        assert_eq!(seen(&sig, &args).unwrap(), r#""hi" 0x7 main.Point{X:0, Y:2.5} 120"#);
    }

    #[test]
    fn variadic_arguments_come_one_by_one_or_as_a_slice() {
        let sig = sig(&[("a", basic("int")), ("rest", slice(&basic("string")))], true);
        assert_eq!(seen(&sig, &[1.into()]).unwrap(), "1 []string(nil)");
        assert_eq!(seen(&sig, &[1.into(), "x".into(), "y".into()]).unwrap(), r#"1 []string{"x", "y"}"#);
        assert_eq!(seen(&sig, &[1.into(), vec!["x"].into()]).unwrap(), r#"1 []string{"x"}"#);
        assert_eq!(seen(&sig, &[1.into(), Value::nil()]).unwrap(), "1 []string(nil)");
        assert!(seen(&sig, &[]).is_err());
    }

    #[test]
    fn messages_say_which_argument_and_what() {
        let point = structure("main.Point", &[("X", &basic("int8")), ("Y", &slice(&basic("bool")))]);
        let sig = sig(&[("a", basic("int")), ("k", basic("uint8")), ("p", point)], false);
        let p = || Value::structure([("X", 1.into())]);
        let message = |args: &[Value]| seen(&sig, args).unwrap_err().to_string();
        assert_eq!(message(&[1.into(), 300.into(), p()]), "argument 2 (k uint8): 300 overflows uint8");
        assert_eq!(message(&[1.into(), (-1).into(), p()]), "argument 2 (k uint8): -1 overflows uint8");
        assert_eq!(
            message(&["x".into(), 1.into(), p()]),
            "argument 1 (a int): a int is wanted, and this is a string"
        );
        let bad = Value::structure([("Y", vec![Value::Bool(true), Value::Int(1)].into())]);
        assert_eq!(
            message(&[1.into(), 1.into(), bad]),
            "argument 3 (p main.Point).Y[1]: a bool is wanted, and this is an integer"
        );
        let bad = Value::structure([("Z", 1.into())]);
        assert_eq!(
            message(&[1.into(), 1.into(), bad]),
            "argument 3 (p main.Point): main.Point has no field Z; its fields are X, Y"
        );
        assert_eq!(message(&[1.into()]), "1 argument given to func(a int, k uint8, p main.Point)");
    }
}
