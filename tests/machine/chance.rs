//! What is left to chance follows from the seed: the order of maps, and which case of a select is chosen.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use goemu::outcome::Runtime;
use goemu::{Config, Image, Machine, Value};
use goemu_tests::fixtures::{binary, releases};

/// The oldest and the newest release, whose builds CI has.
fn versions() -> Vec<u16> {
    releases("corners", "-stripped", &[15, 27])
}

const SEEDS: u64 = 20;

fn call(image: &str, runtime: Runtime, seed: u64, func: &str, signature: &str) -> String {
    let config = Config { seed, runtime: Some(runtime), ..Config::default() };
    let mut machine = Machine::with_config(Image::open(binary(image).unwrap()).unwrap(), config).unwrap();
    let call = machine.call(func).unwrap().signature(signature).unwrap();
    call.run().unwrap().outcome.to_string()
}

/// In every release and in either runtime.
#[test]
fn every_seed_has_its_orders_and_a_select_is_fair() {
    for version in versions() {
        let image = format!("corners-go1.{version}-stripped");
        for (runtime, seeds) in [(Runtime::Hooked, SEEDS), (Runtime::Real, 4)] {
            let mut orders = HashSet::new();
            for seed in 1..=seeds {
                let order = call(&image, runtime, seed, "main.order", "func() string");
                assert_eq!(order.len(), 28, "{image}: {order}");
                orders.insert(order);
                let fair = call(&image, runtime, seed, "main.fair", "func() (int, int)");
                let first: u32 = fair.split(", ").next().unwrap().parse().unwrap();
                assert!((400..600).contains(&first), "{image}, {runtime}, seed {seed}: {fair}");
                let rounds = call(&image, runtime, seed, "main.livelock", "func() int");
                assert!(rounds.parse::<u32>().unwrap() < 64, "{image}, {runtime}, seed {seed}: {rounds}");
            }
            // Maps have few places to begin at.
            assert!(orders.len() as u64 > seeds * 3 / 4, "{image}, {runtime}: {} of {seeds}", orders.len());
        }
    }
}

/// Also where the file is for another system, whose `m` is another.
#[test]
fn other_systems_have_chance_too() {
    for image in ["corpus-go1.27-darwin", "corpus-go1.27-windows"] {
        let numbers: HashSet<String> = (1..=SEEDS)
            .map(|seed| {
                let config = Config { seed, runtime: Some(Runtime::Hooked), ..Config::default() };
                let mut machine =
                    Machine::with_config(Image::open(binary(image).unwrap()).unwrap(), config).unwrap();
                let call = machine.call("runtime.rand").unwrap().signature("func() uint64").unwrap();
                let outcome = call.run().unwrap().outcome;
                let [Value::Uint(_)] = outcome.values().unwrap()[..] else { panic!("{outcome}") };
                outcome.to_string()
            })
            .collect();
        assert_eq!(numbers.len() as u64, SEEDS, "{image}");
    }
}
