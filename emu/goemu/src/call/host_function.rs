//! Functions of the host as values in the guest: what takes a function can be given a closure of Rust.
//!
//! Each has an address at which nothing is mapped and a hook stands. A function value is a pointer to such an address, so the guest
//! calls it as it calls any other.

use std::sync::Arc;

use goemu_loader::{Abi, Image, Kind, Param, Signature, Type, TypeRef};

use crate::call::changed::put;
use crate::call::intercept::Convention;
use crate::error::Error;
use crate::go::abi::assign;
use crate::go::signature;
use crate::go::value::{Func, Value};
use crate::guest::address_map::HOST_FUNCTIONS;
use crate::hook::{Action, Hook, HookContext, HookError};
use crate::machine::Machine;

/// Bytes between two of them.
const APART: usize = 16;

impl Machine {
    /// A function value that calls `with`, of the type that `signature` writes in Go syntax: an argument for a parameter of that
    /// type, or a result of a hook. It stays good for the machine and its forks, which have room for 4,096 of them.
    ///
    /// ```
    /// # let program = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27");
    /// use goemu::{Image, Machine, Value};
    ///
    /// let mut machine = Machine::new(Image::open(program)?)?;
    /// let double = machine.host_function("func(int) int", |_, args| match args {
    ///     [Value::Int(n)] => Ok(vec![Value::Int(2 * n)]),
    ///     other => Err(goemu::Error::Hook(format!("{} arguments", other.len()))),
    /// })?;
    /// let call = machine.call("main.chain")?.arg(vec![double.clone(), double]).arg(5);
    /// assert_eq!(call.run()?.outcome.to_string(), "20");
    /// # Ok::<(), goemu::Error>(())
    /// ```
    ///
    /// # Errors
    /// When the signature is malformed, or there is no room for another. Errors of `with` end the call that it is called in.
    pub fn host_function(
        &mut self,
        signature: &str,
        with: impl Fn(&mut HookContext<'_>, &[Value]) -> Result<Vec<Value>, Error> + Send + Sync + 'static,
    ) -> Result<Value, Error> {
        let signature = signature::parse(self.image(), signature, "")?;
        self.place_host_function(signature, with)
    }

    /// [`Machine::host_function`] of a type as the program has it: `func(int) int`, or one with a name of its own.
    ///
    /// # Errors
    /// When it is another type, types in it are not known, or there is no room for another function.
    pub fn host_function_of(
        &mut self,
        ty: &Type,
        with: impl Fn(&mut HookContext<'_>, &[Value]) -> Result<Vec<Value>, Error> + Send + Sync + 'static,
    ) -> Result<Value, Error> {
        let signature = signature_of(self.image(), ty)?;
        self.place_host_function(signature, with)
    }

    fn place_host_function(
        &mut self,
        signature: Signature,
        with: impl Fn(&mut HookContext<'_>, &[Value]) -> Result<Vec<Value>, Error> + Send + Sync + 'static,
    ) -> Result<Value, Error> {
        let name = signature.to_string();
        let abi = if self.image().facts().register_abi() { Abi::Internal } else { Abi::Abi0 };
        let places = assign(abi, &signature).map_err(|source| Error::Abi { func: name.clone(), source })?;
        let code = self.free_of_hooks(HOST_FUNCTIONS, APART).ok_or(Error::HostFunctions)?;
        let convention = Arc::new(Convention { name, signature, places });
        let silent = Arc::clone(&convention);
        let hook = move |cx: &mut HookContext<'_>| {
            let args = convention.arguments(cx)?;
            let results = with(cx, &args)?;
            convention.give(cx, &results).map(|()| Action::Return)
        };
        // There is no function to run where hooks are not asked.
        let instead: Arc<dyn Hook> = Arc::new(move |cx: &mut HookContext<'_>| give_zeros(&silent, cx));
        self.hook_or_instead([code], Arc::new(hook), Some(instead));
        Ok(Value::Func(Func { ty: None, closure: 0, code, name: None }))
    }
}

fn give_zeros(convention: &Convention, cx: &mut HookContext<'_>) -> Result<Action, HookError> {
    let mut frame = convention.frame(cx);
    for (result, pieces) in convention.signature.results.iter().zip(&convention.places.results) {
        let zeros = vec![0; result.ty.size as usize];
        frame.put(pieces, &zeros).map_err(Error::from)?;
    }
    put(cx, &frame).map(|()| Action::Return)
}

/// What a function of a type takes and gives.
///
/// # Errors
/// When it is no type of functions, parameters and results are not known apart, or types in it are not known.
pub fn signature_of(image: &Image, ty: &Type) -> Result<Signature, Error> {
    let unknown = || Error::NoSignature(ty.name.clone());
    match &ty.kind {
        Kind::Func(_) if ty.name.starts_with("func(") => signature::parse(image, &ty.name, ""),
        Kind::Func(func) if func.results_known => {
            let params = |list: &[TypeRef]| {
                let known =
                    list.iter().map(|ty| Some(Param { name: String::new(), ty: image.resolve(ty).ok()? }));
                known.collect::<Option<Vec<_>>>().ok_or_else(unknown)
            };
            let (params, results) = (params(&func.params)?, params(&func.results)?);
            Ok(Signature { params, results, variadic: func.variadic })
        }
        _ => Err(unknown()),
    }
}

#[cfg(test)]
mod tests {
    use goemu_loader::{FuncType, Image, Kind, Type};

    use super::signature_of;
    use crate::go::testing;

    #[test]
    fn types_with_names_have_signatures_where_results_are_known() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../testdata/bin/corpus-go1.27-stripped");
        let image = Image::open(path).expect("a fixture");
        let int = testing::basic("int");
        let of = |name: &str, results_known| {
            let here = || vec![testing::here(&int)];
            let func = FuncType { params: here(), results: here(), variadic: false, results_known };
            signature_of(&image, &Type { name: name.to_owned(), kind: Kind::Func(func), ..Type::clone(&int) })
        };
        let known = of("main.step", true).expect("all is known");
        assert_eq!(known.to_string(), "func(int) int");
        assert!(of("main.step", false).is_err(), "what is listed may be results");
        assert_eq!(of("func(int) int", false).expect("the name tells").to_string(), "func(int) int");
        assert!(signature_of(&image, &int).is_err());
    }
}
