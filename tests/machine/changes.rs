//! What a user changes of a program, in hooked calls, in started programs, and in whole ones.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::changes::{Change, Changes, bytes};
use goemu::outcome::Runtime;
use goemu::program::Program;
use goemu::reverse::memory_watch::MemoryWatch;
use goemu::{Config, Error, Image, Machine, Outcome, Value};
use goemu_tests::fixtures::binary;

const RUNTIMES: [Option<Runtime>; 3] = [None, Some(Runtime::Hooked), Some(Runtime::Real)];

fn image(name: &str) -> Image {
    Image::open(binary(name).unwrap()).unwrap()
}

fn machine(name: &str, runtime: Option<Runtime>, changes: &[Change]) -> Result<Machine, Error> {
    let changes: Changes = changes.iter().cloned().collect();
    Machine::with_config(image(name), Config { runtime, changes, ..Config::default() })
}

fn outcome(machine: &mut Machine, func: &str, args: &[&str]) -> String {
    machine.call(func).unwrap().literals(args).unwrap().run().unwrap().outcome.to_string()
}

/// What a call gives in all runtimes.
fn everywhere(name: &str, changes: &[Change], func: &str, args: &[&str]) -> String {
    let [auto, hooked, real] = RUNTIMES.map(|runtime| {
        let mut machine = machine(name, runtime, changes).unwrap();
        let first = outcome(&mut machine, func, args);
        assert_eq!(outcome(&mut machine, func, args), first, "a second call");
        assert_eq!(outcome(&mut machine.fork().unwrap(), func, args), first, "another machine");
        first
    });
    assert_eq!((&auto, &real), (&hooked, &hooked), "{func}");
    hooked
}

fn set(text: &str) -> Change {
    Change::set(text).unwrap()
}

fn stub(text: &str) -> Change {
    Change::stub(text).unwrap()
}

fn patch(text: &str) -> Change {
    Change::patch(text, bytes).unwrap()
}

#[test]
fn functions_give_what_is_said() {
    let fib = [stub("main.fib=1000")];
    assert_eq!(everywhere("corpus-go1.27", &fib, "main.fib", &["4"]), "1000");
    assert_eq!(everywhere("corpus-go1.15", &fib, "main.fib", &["4"]), "1000");
    // Initialisers call it, too.
    let started = everywhere("world-go1.27", &[stub("fmt.Sprintf=\"x\"")], "main.initialised", &["3"]);
    assert_eq!(started, r#"9, 285, "x""#);
    let error = [stub("main.check=errors.New(\"refused\")")];
    assert_eq!(
        everywhere("typed-go1.27", &error, "main.check", &["1"]),
        r#"&errors.errorString{s:"refused"}"#
    );
    // The later one holds.
    let twice = [stub("main.fib=1"), stub("main.fib=2")];
    assert_eq!(everywhere("corpus-go1.27", &twice, "main.fib", &["4"]), "2");
}

#[test]
fn c_functions_give_numbers_and_texts() {
    let cgo = "cgo-go1.27-gcc-pie";
    let mallocs = |change| {
        let mut machine = machine(cgo, Some(Runtime::Hooked), &[change]).unwrap();
        let call = machine.call("main._cgo_cmalloc").unwrap().signature("func(n uint64)").unwrap();
        assert_eq!(call.arg(5).run().unwrap().outcome.word(), "returned");
        // C's result, beside the argument on the stack.
        let result = machine.memory().read(machine.cpu().gpr(4) + 8).unwrap();
        (u64::from_le_bytes(result), machine)
    };
    assert_eq!(mallocs(stub("malloc=0x1234")).0, 0x1234);
    let (at, machine) = mallocs(stub(r#"malloc="text""#));
    assert_eq!(machine.memory().read(at), Ok(*b"text\0"));
    let mut windows = self::machine("corpus-go1.27-windows", None, &[stub("GetStdHandle=77")]).unwrap();
    let report = windows.call("syscall.GetStdHandle").unwrap().arg(-11).run().unwrap();
    assert_eq!(report.outcome.values().unwrap()[0], &Value::Uintptr(77));
    let error = self::machine(cgo, None, &[stub("malloc={1}")]).err().unwrap();
    assert!(error.to_string().contains("a number, or a text in quotes"), "{error}");
}

#[test]
fn variables_have_other_values() {
    let initialised = |changes: &[Change]| everywhere("world-go1.27", changes, "main.initialised", &["3"]);
    assert_eq!(initialised(&[]), r#"9, 285, "total 285""#);
    let changes = [set("main.total=5"), set(r#"main.started="so""#), set("main.squares={0, 1, 2, 30}")];
    assert_eq!(initialised(&changes), r#"30, 5, "so""#);
    let planets = [set(r#"main.planets={"pluto": {"pluto", 5, false}}"#)];
    let found = |name| everywhere("world-go1.27", &planets, "main.lookup", &[name]);
    assert_eq!(found("pluto"), r#"main.planet{Name:"pluto", Moons:5, inner:false}, true"#);
    assert!(found("mars").ends_with("false"));
    // By address and type, where nothing tells them.
    let total = image("world-go1.27").symbol("main.total").unwrap().addr;
    assert_eq!(initialised(&[set(&format!("{total:#x}:int=8"))]), r#"9, 8, "total 285""#);
    assert_eq!(initialised(&[set("main.started+8:int=3")]), r#"9, 285, "tot""#);
}

#[test]
fn bytes_and_registers_are_others() {
    // MOVL $7, AX; RET
    let seven = patch("main.fib=b8 07 00 00 00 c3");
    assert_eq!(everywhere("corpus-go1.27", &[seven], "main.fib", &["4"]), "7");
    let ten = Change::register("AX=10").unwrap();
    assert_eq!(everywhere("corpus-go1.27", &[ten], "main.fib", &["4"]), "55");
}

#[test]
fn memory_is_where_the_program_has_none() {
    let text = |_: &str| Ok(b"\x2a\0\0\0\0\0\0\0".to_vec());
    for runtime in RUNTIMES {
        let map = Change::map("file@0x20_0000_0008", text);
        assert!(machine("corpus-go1.27", runtime, &[map.unwrap()]).is_err(), "the machine's own");
        let map = Change::map("file@0x1_0000_0008", text).unwrap();
        let mut machine = machine("corpus-go1.27", runtime, &[map]).unwrap();
        let report = machine.call("main.fib").unwrap().arg(4).run().unwrap();
        assert_eq!(machine.memory_after(&report).read(0x1_0000_0008), Ok([42, 0, 0, 0, 0, 0, 0, 0]));
    }
    let there = Change::map("file@0x400000", text).unwrap();
    let error = machine("corpus-go1.27", None, &[there]).err().unwrap();
    assert!(error.to_string().contains("patch it"), "{error}");
}

#[test]
fn initialisers_are_passed_over() {
    let own = [Change::SkipInit(Some("main".to_owned())), set("main.squares={4}")];
    assert_eq!(everywhere("world-go1.27", &own, "main.initialised", &["0"]), r#"4, 0, """#);
    for runtime in [None, Some(Runtime::Hooked)] {
        let mut machine =
            machine("world-go1.27", runtime, &[Change::SkipInit(None), set("main.squares={4}")]);
        assert_eq!(outcome(machine.as_mut().unwrap(), "main.initialised", &["0"]), r#"4, 0, """#);
    }
    let real = machine("world-go1.27", Some(Runtime::Real), &[Change::SkipInit(None)]).err().unwrap();
    assert!(real.to_string().contains("name the packages"), "{real}");
    let none = machine("world-go1.27", None, &[Change::SkipInit(Some("nosuch".to_owned()))]).err().unwrap();
    assert!(none.to_string().contains("no package nosuch has initialisers"), "{none}");
}

#[test]
fn runs_end_where_they_are_told_to() {
    let stop = [Change::Stop("fmt.Sprintf".to_owned())];
    for runtime in RUNTIMES {
        let mut machine = machine("world-go1.27", runtime, &stop).unwrap();
        // Initialising is not the call.
        assert_eq!(outcome(&mut machine, "main.initialised", &["3"]), r#"9, 285, "total 285""#);
        let call = machine.call("main.sprintf").unwrap().literals(&["a", "5", "1"]).unwrap();
        let report = call.run().unwrap();
        let Outcome::Stopped(stopped) = &report.outcome else { panic!("{:?}", report.outcome) };
        assert_eq!((stopped.place.as_str(), report.outcome.word()), ("fmt.Sprintf", "stopped"));
        assert_eq!(stopped.registers.len(), 16);
        let frames = &stopped.traceback.goroutines[0].frames;
        assert_eq!([frames[0].func.as_str(), frames[1].func.as_str()], ["fmt.Sprintf", "main.sprintf"]);
        assert_eq!(stopped.stack[0].1, frames[1].pc, "the return address");
    }
    let changes: Changes = stop.into_iter().collect();
    let config = Config { changes, ..Config::default() };
    let run = Program::load(image("world-go1.27"), config).unwrap().run().unwrap();
    let Outcome::Stopped(stopped) = &run.outcome else { panic!("{:?}", run.outcome) };
    assert_eq!(stopped.traceback.goroutines[0].frames[1].func, "main.init.1");
}

#[test]
fn a_whole_program_finds_changes() {
    let stop = Change::Stop("main.main".to_owned());
    let changes: Changes = [set("main.total=5"), set(r#"main.started="so""#), stop].into_iter().collect();
    let config = Config { changes, ..Config::default() };
    let mut program = Program::load(image("world-go1.27"), config).unwrap();
    let total = program.machine().image().symbol("main.total").unwrap().addr;
    let watch = MemoryWatch::new(total..total + 8);
    program.machine().observe(watch.observer());
    assert_eq!(program.run().unwrap().outcome.word(), "stopped");
    // It was 5 from the beginning, is computed, and set again.
    let writes = watch.writes();
    assert_eq!(writes.len() as u64, watch.count());
    let init = &writes[0];
    assert_eq!((init.before[..2].to_vec(), init.after[..2].to_vec()), (vec![5, 0], vec![29, 1]));
    assert!(init.by_instruction && init.place.starts_with("main.init+"), "{init:?}");
    assert_eq!(init.stack.frames[0].func, "main.init");
}

#[test]
fn what_cannot_be_changed_is_said() {
    for (change, message) in [
        (set("main.nosuch=1"), "set main.nosuch=1: main.nosuch: no function main.nosuch"),
        (set("main.total=x"), "set main.total=x: column 1: a int is wanted here, not x"),
        (set("main.fib=1"), "the type of main.fib is not known: give it, as in main.fib:int=5"),
        (set("main.word:nosuch=1"), "nosuch"),
        (stub("nosuch=1"), "no function nosuch"),
        (stub("main.fib=1, 2"), "the end is wanted here, not ','"),
        (stub("main.fib=x"), "column 1"),
        (patch("0x10=90"), "nothing of the program is at 0x10: its base is 0x400000"),
        (patch("0x898e0=90"), "counted from 0x0, it is 0x4898e0"),
        (Change::Stop("main.fib+1".to_owned()), "no instruction begins there: one does at"),
        (Change::Stop("main.fib+0xffffffffffffffff".to_owned()), "beyond the last address"),
    ] {
        let change = if change.to_string().contains("total") {
            ("world-go1.27", change)
        } else {
            ("corpus-go1.27", change)
        };
        let error =
            machine(change.0, None, std::slice::from_ref(&change.1)).err().map(|error| error.to_string());
        assert!(error.as_ref().is_some_and(|error| error.contains(message)), "{}: {error:?}", change.1);
    }
}

#[test]
fn variables_in_arguments_have_what_initialisation_gave_them() {
    let show = |given: &str| everywhere("world-go1.27", &[], "main.show", &[given]);
    assert_eq!(show("main.squares"), r#""[]int{0, 1, 4, 9, 16, 25, 36, 49, 64, 81}""#);
    assert_eq!(show("[]int{1, main.total}"), r#""[]int{1, 285}""#);
    assert_eq!(everywhere("world-go1.27", &[], "main.locked", &["&sync.Mutex{}", "&main.total"]), "285");
}
