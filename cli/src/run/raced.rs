//! Data races as JSON.

use goemu::races::{Access, Goroutine, Location, Place, Race};
use serde_json::{Value, json};

/// A race: both accesses, and what is at the address.
pub(super) fn json(race: &Race) -> Value {
    json!({
        "address": race.addr,
        "access": access(&race.access),
        "previous": access(&race.previous),
        "location": location(&race.location),
    })
}

fn access(access: &Access) -> Value {
    json!({
        "write": access.write,
        "atomic": access.atomic,
        "goroutine": goroutine(&access.goroutine),
        "stack": stack(&access.stack),
    })
}

fn goroutine(goroutine: &Goroutine) -> Value {
    json!({
        "id": goroutine.id,
        "finished": goroutine.finished,
        "creator": goroutine.creator,
        "created": stack(&goroutine.created),
    })
}

fn stack(places: &[Place]) -> Value {
    let place = |place: &Place| {
        json!({
            "func": place.func,
            "file": place.file,
            "line": place.line,
            "pc": place.pc,
            "offset": place.offset,
        })
    };
    places.iter().map(place).collect()
}

fn location(location: &Location) -> Value {
    match location {
        Location::Variable { name, offset } => json!({ "variable": name, "offset": offset }),
        Location::Object { addr, size, ty, goroutine, allocated } => json!({
            "object": addr,
            "size": size,
            "type": ty,
            "goroutine": goroutine,
            "allocated": stack(allocated),
        }),
        _ => Value::Null,
    }
}
