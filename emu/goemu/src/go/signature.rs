//! Signatures: in Go syntax, or as the program tells them.

use goemu_loader::sigparse::parse_signature;
use goemu_loader::{Func, Image, Signature};

use crate::error::Error;
use crate::go::generic;
use crate::go::guest::Types;

/// The signature of a function that a user calls by this name: the one given, or what the binary knows.
pub(crate) fn known(
    func: &Func<'_>,
    name: &str,
    given: Option<Signature>,
) -> Result<Option<Signature>, Error> {
    if let Some(given) = given {
        return Ok(Some(generic::with_hidden(func, given)));
    }
    let known = func.image().signature(func)?;
    Ok(known.map(|known| generic::with_source_types(func.image(), func, name, known)))
}

/// A signature in Go syntax, with the program's named types; those of this package need not name it.
pub(crate) fn parse(image: &Image, text: &str, package: &str) -> Result<Signature, Error> {
    let own = |name: &str| {
        let in_package = !package.is_empty() && !name.contains('.');
        in_package.then(|| image.type_named(&format!("{package}.{name}")).ok().flatten()).flatten()
    };
    Ok(parse_signature(text, &|name| own(name).or_else(|| Types::named(image, name)))?)
}
