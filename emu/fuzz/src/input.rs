//! Arguments as an input of LibAFL: values, and where they leave the process, literals.

use std::cell::RefCell;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use goemu::Image;
use goemu::Value;
use goemu::go::arguments::{self, Argument};
use goemu::testing::Subject;
use goemu_loader::{Param, Signature};
use libafl::inputs::Input;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Arguments of a call.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Args(pub(crate) Vec<Value>);

/// What literals are written and read with: the function's types.
pub(crate) struct Codec {
    subject: Subject,
    signature: Signature,
    image: Arc<Image>,
}

thread_local! {
    /// The codec of the job that this thread is.
    static CODEC: RefCell<Option<Arc<Codec>>> = const { RefCell::new(None) };
}

impl Codec {
    pub(crate) fn new(subject: &Subject, image: &Arc<Image>) -> Codec {
        let param =
            |input: &goemu::testing::Input| Param { name: input.name.clone(), ty: Arc::clone(&input.ty) };
        let params = subject.inputs().iter().map(param).collect();
        let signature = Signature { params, results: Vec::new(), variadic: false };
        Codec { subject: subject.clone(), signature, image: Arc::clone(image) }
    }

    /// Makes it this thread's.
    pub(crate) fn install(self) -> Arc<Codec> {
        let codec = Arc::new(self);
        CODEC.with_borrow_mut(|of| *of = Some(Arc::clone(&codec)));
        codec
    }

    pub(crate) fn literals(&self, args: &[Value]) -> Vec<String> {
        self.subject.literals(args)
    }

    pub(crate) fn parse(&self, literals: &[String]) -> Result<Vec<Value>, String> {
        let given: Vec<Argument<'_>> = literals.iter().map(|text| Argument::Text(text)).collect();
        let values =
            arguments::parse(&self.signature, &given, &*self.image).map_err(|error| error.to_string())?;
        let whole = values.len() == self.signature.params.len();
        whole.then_some(values).ok_or_else(|| "not as many values as arguments".to_owned())
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.subject
    }
}

fn codec() -> Option<Arc<Codec>> {
    CODEC.with_borrow(Clone::clone)
}

impl Input for Args {}

impl Hash for Args {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|value| value.to_string().hash(state));
    }
}

impl Serialize for Args {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Threads without a function have no inputs to write.
        codec().map(|codec| codec.literals(&self.0)).unwrap_or_default().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Args {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Args, D::Error> {
        let literals = Vec::<String>::deserialize(deserializer)?;
        match codec() {
            Some(codec) => codec.parse(&literals).map(Args).map_err(D::Error::custom),
            // The broker passes inputs on without looking at them.
            None => Ok(Args(Vec::new())),
        }
    }
}
