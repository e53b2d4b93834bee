//! Whole programs, from their entry to their end.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use goemu::changes::{self, Change};
use goemu::machine::{Access, Config, Dir, EngineChoice, Faults, Files, Process, Signals};
use goemu::program::{Program, Run, Stream};
use goemu::{Image, Outcome};
use goemu_tests::fixtures::{self, binary, cases};

fn load(name: &str, config: Config) -> Program {
    Program::load(Image::open(binary(name).unwrap()).unwrap(), config).unwrap()
}

fn whole(config: Config) -> Run {
    load("whole-go1.27-stripped", config).run().unwrap()
}

/// What the cases of a program say that they returned, in their order.
fn returned(run: &Run) -> Vec<String> {
    let text = String::from_utf8(run.stderr.clone()).unwrap();
    text.lines().filter_map(|line| line.strip_prefix("\x01returned\t")).map(str::to_owned).collect()
}

#[test]
fn files_sockets_and_clocks_are_as_natively() {
    let run = whole(Config::default());
    assert_eq!(run.outcome, Outcome::Exited { code: 0, fatal: None });
    let results = |case: fixtures::Case| match case.outcome {
        fixtures::Outcome::Returned(results) => results,
        other => panic!("{other:?}"),
    };
    let native: Vec<String> = cases("whole", 27).into_iter().map(results).collect();
    assert!(native.len() > 9);
    assert_eq!(returned(&run), native);
}

#[test]
fn a_seed_is_one_run_on_either_engine() {
    let run = |seed, engine, processors| whole(Config { seed, engine, processors, ..Config::default() });
    for processors in [1, 4] {
        let first = run(3, EngineChoice::Interpreter, processors);
        assert_eq!(first, run(3, EngineChoice::Interpreter, processors));
        assert_eq!(first, run(3, EngineChoice::Auto, processors));
    }
}

/// What the program says where a function of its has these instructions.
fn patched(code: &str, engine: EngineChoice) -> (Outcome, String) {
    let change = Change::patch(&format!("main.busy={code}"), changes::bytes).unwrap();
    let run = whole(Config { changes: [change].into_iter().collect(), engine, ..Config::default() });
    (run.outcome, String::from_utf8_lossy(&run.stderr).into_owned())
}

#[test]
fn faults_reach_the_program_as_signals() {
    let cases = [
        ("cc", "SIGTRAP: trace trap\nPC=", "sigcode=128"),
        ("cd 03", "SIGTRAP: trace trap\nPC=", "sigcode=128"),
        ("0f 0b", "SIGILL: illegal instruction\nPC=", "sigcode=2"),
        // MOV RAX, [0x12345000]; the same of an address that no space has.
        ("48 8b 04 25 00 50 34 12", "unexpected fault address 0x12345000\nfatal error: fault\n", "code=0x1"),
        ("48 b8 00 00 00 00 00 00 00 80 48 8b 00", "unexpected fault address", "fatal error: fault"),
    ];
    for (code, first, more) in cases {
        for engine in [EngineChoice::Interpreter, EngineChoice::Auto] {
            let (outcome, said) = patched(code, engine);
            assert!(matches!(outcome, Outcome::Exited { code: 2, .. }), "{code}: {outcome:?}");
            assert!(said.contains(first) && said.contains(more), "{code}: {said}");
        }
    }
}

#[test]
fn what_goemu_lacks_is_no_signal() {
    // POP FS
    let (outcome, said) = patched("0f a1", EngineChoice::Auto);
    assert!(matches!(outcome, Outcome::Faulted { .. }), "{outcome:?} {said}");
}

#[test]
fn faults_follow_from_the_seed() {
    let run = |faults: &str, seed, engine| {
        let faults: Faults = faults.parse().unwrap();
        whole(Config { faults, seed, engine, ..Config::default() })
    };
    let usual = whole(Config::default());
    // A program that does it right is not disturbed by these.
    for seed in 1..4 {
        let disturbed = run("short,delays", seed, EngineChoice::Auto);
        assert_eq!(returned(&disturbed), returned(&usual));
        assert_ne!(disturbed.instructions, usual.instructions);
    }
    let all = run("all", 5, EngineChoice::Auto);
    assert_eq!(all, run("all", 5, EngineChoice::Interpreter));
    let says = |faults: &str, text: &str| {
        (1..40).any(|seed| {
            let run = run(faults, seed, EngineChoice::Auto);
            String::from_utf8_lossy(&run.stderr).contains(text)
        })
    };
    assert!(says("full", "no space left on device"));
    assert!(says("drops", "connection reset by peer"));
}

#[test]
fn a_program_runs_again_from_its_entry() {
    let mut program = load("whole-go1.27-stripped", Config::default());
    let first = program.run().unwrap();
    assert_eq!(program.run().unwrap(), first);
    assert_eq!(program.fork().unwrap().run().unwrap(), first);
}

#[test]
fn too_much_output_has_an_outcome() {
    let limit = 40;
    let run = whole(Config { max_output: limit, ..Config::default() });
    assert_eq!(run.outcome, Outcome::OutputLimit { limit });
    assert_eq!((run.stderr.len(), run.status()), (40, None));
    assert!(run.outcome.to_string().contains("too much output"));
}

#[test]
fn output_goes_to_a_sink_as_it_comes() {
    let (send, pieces) = std::sync::mpsc::channel();
    let mut program = load("whole-go1.27-stripped", Config::default());
    program.stream(Box::new(move |stream, bytes| {
        send.send((stream, bytes.to_vec())).unwrap();
        Ok(())
    }));
    let run = program.run().unwrap();
    drop(program);
    assert_eq!((run.stderr.len(), run.status()), (0, Some(0)));
    let pieces: Vec<_> = pieces.iter().collect();
    assert!(pieces.len() > 10 && pieces.iter().all(|(stream, _)| *stream == Stream::Error));
    let whole_text: Vec<u8> = pieces.into_iter().flat_map(|(_, bytes)| bytes).collect();
    assert_eq!(whole_text, whole(Config::default()).stderr);
}

/// Calls into C become what they are in calls: the runtime has no C of its own.
#[test]
fn programs_with_c_run_whole() {
    let run = load("cgo-go1.27-gcc-pie", Config::default()).run().unwrap();
    assert_eq!(run.outcome, Outcome::Exited { code: 0, fatal: None });
    assert!(returned(&run).len() > 20, "{}", String::from_utf8_lossy(&run.stderr));
}

/// An unhandled signal ends a program as Go's runtime ends it.
#[test]
fn a_signal_comes_from_outside() {
    let mut program = load("bad-go1.27-stripped", Config::default());
    let signals = Signals::default();
    signals.send(2);
    program.share_signals(signals.clone());
    let run = program.run().unwrap();
    assert_eq!((run.outcome, signals.is_waiting()), (Outcome::Exited { code: 130, fatal: None }, false));
}

#[test]
fn a_folder_that_is_missing_is_an_error_before_the_run() {
    let missing = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("missing");
    let dir = Dir { host: missing, guest: "/given".to_owned(), access: Access::Overlay };
    let files = Files { dirs: vec![dir], ..Files::default() };
    let image = Image::open(binary("whole-go1.27-stripped").unwrap()).unwrap();
    let error = Program::load(image, Config { files, ..Config::default() }).err().unwrap().to_string();
    assert!(error.contains("missing"), "{error}");
}

#[test]
fn a_working_directory_that_is_missing_is_an_error() {
    let files = Files { current: "/nowhere".to_owned(), ..Files::default() };
    let image = Image::open(binary("whole-go1.27-stripped").unwrap()).unwrap();
    let process = Process { program: "prog".to_owned(), ..Process::default() };
    let error = Program::load(image, Config { files, process, ..Config::default() }).err().unwrap();
    assert!(error.to_string().contains("/nowhere"), "{error}");
}

#[test]
fn goroutines_of_stripped_programs_are_found() {
    let running = |name: &str| {
        let mut program = load(name, Config::default());
        let main = program.machine().find("main.main").unwrap().entry();
        let mut session = program.begin().unwrap();
        session.run_to(main).unwrap();
        session.goroutines().into_iter().map(|goroutine| goroutine.number).collect::<Vec<_>>()
    };
    for (with_symbols, stripped) in
        [("corpus-go1.15", "corpus-go1.15-stripped"), ("corpus-go1.27", "corpus-go1.27-stripped")]
    {
        let all = running(stripped);
        assert!(all.len() > 3, "{all:?}");
        assert_eq!(all, running(with_symbols));
    }
}
