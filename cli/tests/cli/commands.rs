//! The other subcommands, help, and how output behaves in pipes.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use crate::run::{DEMO, Ran, command, corpus, file, goemu, ran, there};

fn on_corpus(args: &[&str]) -> Ran {
    ran(command().env("GOEMU_BINARY", corpus("go1.27")).args(args))
}

#[test]
fn functions_of_the_demo() {
    let expected = "\
0x45dda0    352 ABI0        main.main()  demo.go:10
0x45df00    160 ABI0        main.f1() (result int)  demo.go:18
0x45dfa0    160 ABI0        main.f2() (r int)  demo.go:26
0x45e040    160 ABI0        main.f3() (r int)  demo.go:35
0x45e0e0    160 ABI0        main.c() (i int)  demo.go:43
0x45e180     32 ABI0        main.f1.func1(result *int)  demo.go:20
0x45e1a0     32 ABI0        main.f2.func1(t *int)  demo.go:29
0x45e1c0     32 ABI0        main.f3.func1(r int)  demo.go:37
0x45e1e0     20 ABI0        main.c.func1(i *int)  demo.go:45
";
    assert_eq!(goemu(["funcs", "main.*"]), Ran::new(0, expected, DEMO));
}

#[test]
fn filters_of_functions() {
    let names = |args: &[&str]| {
        let ran = on_corpus(&[&["funcs", "--json"], args].concat());
        assert_eq!(ran.status, 0, "{}", ran.stderr);
        let name = |line: &str| {
            let object: serde_json::Value = serde_json::from_str(line).unwrap();
            object["name"].as_str().unwrap().to_owned()
        };
        ran.stdout.lines().map(name).collect::<Vec<_>>()
    };
    assert_eq!(names(&["main.f?"]), ["main.f1", "main.f2", "main.f3"]);
    assert_eq!(
        names(&["area", "--package", "main", "--file", "interfaces.go", "--max-size", "32"])[..2],
        ["main.circle.area", "main.(*rect).area"]
    );
    assert_eq!(names(&["--sig", "func(n int, seed uint64) uint64"]), ["main.mix"]);
    assert!(names(&["--callable", "--package", "runtime"]).contains(&"runtime.gopanic".to_owned()));
    assert!(names(&["--min-size", "4k", "--package", "main"]).contains(&"main.init.0".to_owned()));
    assert!(names(&["--callable=no"]).contains(&"runtime.gogo".to_owned()));
    assert!(names(&["--callable=guessed"]).contains(&"runtime.memmove".to_owned()));
    assert_eq!(names(&["main.f?", "--sort", "name"]), ["main.f1", "main.f2", "main.f3"]);
    let sized = names(&["--size", ">4k", "--sort", "size", "--package", "main"]);
    assert_eq!(sized.last().map(String::as_str), Some("main.init.0"));
    for (size, message) in [("<1", "no such functions"), (">x", "write a whole number")] {
        let ran = on_corpus(&["funcs", "main.*", "--size", size]);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{ran:?}");
    }
    let none = on_corpus(&["funcs", "nosuch"]);
    assert_eq!(none, Ran::new(1, "", "goemu: no such functions; `goemu funcs` lists all\n"));
}

#[test]
fn how_a_program_was_built() {
    let ran = on_corpus(&["info"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    for part in
        [": go1.27.3\n", "\tpath\tcorpus\n", "\tbuild\tGOAMD64=v1\n", "\ntarget       linux/amd64 v1\n"]
    {
        assert!(ran.stdout.contains(part), "{part} in {}", ran.stdout);
    }
    let object: serde_json::Value = serde_json::from_str(&on_corpus(&["info", "--json"]).stdout).unwrap();
    assert_eq!((&object["go"], &object["debug_info"]), (&"go1.27.3".into(), &true.into()));
}

/// The rows of `info` and its JSON.
fn told(path: &str) -> (impl Fn(&str) -> String + use<>, serde_json::Value) {
    let text = goemu(["info", "-b", path]).stdout;
    let json = serde_json::from_str(&goemu(["info", "--json", "-b", path]).stdout).expect("one JSON object");
    let row = move |key: &str| {
        let value = text.lines().find_map(|line| line.strip_prefix(key).filter(|rest| rest.starts_with(' ')));
        value.unwrap_or_else(|| panic!("no {key} in {text}")).trim().to_owned()
    };
    (row, json)
}

#[test]
fn what_the_function_table_is_and_whether_it_has_names() {
    for build in there(&["go1.15", "go1.19", "go1.27-stripped"]) {
        let since = match build {
            "go1.15" => "go1.2",
            "go1.19" => "go1.18",
            _ => "go1.20",
        };
        let (row, json) = told(corpus(build).to_str().unwrap());
        assert_eq!(
            (row("table"), row("names")),
            (format!("of functions, in the format of {since}"), "as in the source".to_owned())
        );
        assert!(row("hooks").ends_with(" functions of Go's runtime by name"), "{}", row("hooks"));
        assert_eq!(json["table"], serde_json::json!({ "since": since, "has_magic": true }));
        assert_eq!(
            (&json["names_removed"], &json["hooks"]["recognised"]),
            (&false.into(), &vec![0; 0].into())
        );
    }
}

#[test]
fn what_is_told_without_names() {
    let mut bytes = fs::read(corpus("go1.27-stripped")).unwrap();
    for (old, new) in [
        (&b"runtime."[..], &b"qzjxvwk."[..]),
        (b"\xf1\xff\xff\xff\0\0\x01\x08", b"\x5a\x13\x77\xc4\0\0\x01\x08"),
    ] {
        let places: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(old)).collect();
        assert!(!places.is_empty(), "no {old:x?}");
        for at in places {
            bytes[at..at + new.len()].copy_from_slice(new);
        }
    }
    let (row, json) = told(&file("no-names", &bytes).display().to_string());
    assert_eq!(row("table"), "of functions, in the format of go1.20, its magic number changed");
    assert_eq!(row("names"), "hashed or removed (call by address)");
    assert!(row("hooks").contains(" by what they are: "), "{}", row("hooks"));
    let recognised = json["hooks"]["recognised"].as_array().unwrap();
    for name in ["mallocgc", "morestack", "gopanic", "throw"] {
        assert!(recognised.contains(&name.into()), "{name} in {recognised:?}");
    }
    assert_eq!((&json["names_removed"], &json["table"]["has_magic"]), (&true.into(), &false.into()));
}

#[test]
fn listings() {
    let ran = goemu(["disasm", "main.f1", "f2"]);
    assert_eq!((ran.status, ran.stderr.as_str()), (0, DEMO));
    assert!(ran.stdout.starts_with("TEXT main.f1(SB) demo/demo.go\n"), "{}", ran.stdout);
    assert!(ran.stdout.contains("\n\nTEXT main.f2(SB) "), "{}", ran.stdout);
    assert!(ran.stdout.contains("CALL runtime.deferprocStack(SB)"), "{}", ran.stdout);
}

/// What a shell gets when it asks, as its script does, what the last of these words may become.
fn completed(shell: &str, words: &[&str]) -> Vec<String> {
    let mut asked = command();
    let index = words.len().to_string();
    asked.envs([("COMPLETE", shell), ("_CLAP_COMPLETE_INDEX", &index), ("_CLAP_IFS", "\n")]);
    if shell == "bash" {
        asked.env("_CLAP_COMPLETE_COMP_TYPE", "9");
    }
    let ran = ran(asked.args(["--", "goemu"]).args(words));
    assert_eq!((ran.status, ran.stderr.as_str()), (0, ""));
    ran.stdout.lines().map(str::to_owned).collect()
}

#[test]
fn listings_of_parts_in_other_syntaxes() {
    let text = |args: &[&str]| {
        let ran = on_corpus(&[&["disasm"], args].concat());
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        ran.stdout
    };
    assert!(text(&["--syntax", "intel", "main.f1"]).contains("\tcmp rsp, [r14+0x10]\t"));
    assert!(text(&["--syntax", "gnu", "main.f1"]).contains("\tcmp 0x10(%r14), %rsp\t"));
    assert_eq!(text(&["main.f?"]).matches("TEXT main.f").count(), 3);
    let whole = text(&["main.f1"]);
    let address = whole.lines().nth(2).unwrap().split_whitespace().nth(1).unwrap();
    assert_eq!(text(&[address]), whole);
    assert_eq!(text(&[&format!("{address}+1")]).lines().count(), 2);
    for (target, message) in [
        ("0x10", "no function at 0x10"),
        ("0x10+16", "no function at 0x10"),
        ("0x20-0x10", "no range of addresses"),
        ("main.nosuch*", "no functions main.nosuch*"),
    ] {
        let ran = on_corpus(&["disasm", target]);
        assert!(ran.status == 1 && ran.stderr.contains(message), "{ran:?}");
    }
}

#[test]
fn shells_complete_names_of_functions() {
    let path = corpus("go1.27");
    let path = path.to_str().unwrap();
    let joined = format!("--binary={path}");
    for shell in ["bash", "zsh", "fish"] {
        let ran = goemu(["completions", shell]);
        assert!(ran.status == 0 && ran.stdout.contains("goemu"), "{ran:?}");
        let found = completed(shell, &["call", "-b", path, "main.genericM"]);
        assert_eq!(found, ["main.genericMax", "main.genericMap"], "{shell}");
        assert_eq!(completed(shell, &["disasm", &joined, "main.rect"]), ["main.rect.area"], "{shell}");
        assert_eq!(completed(shell, &["call", "-b", path, "quicks"]), ["quicksort"], "{shell}");
        for quoted in ["main.(*rect", "'main.(*rect", "\"main.(*rect"] {
            assert_eq!(
                completed(shell, &["call", "-b", path, quoted]),
                ["main.(*rect).area"],
                "{shell}: {quoted}"
            );
        }
        let escaped: &[&str] = if shell == "bash" { &[] } else { &["main.(*rect).area"] };
        assert_eq!(completed(shell, &["call", "-b", path, r"main.\(\*rect"]), escaped, "{shell}");
        assert_eq!(completed(shell, &["call", "-b", path, "no such"]), [""; 0], "{shell}");
        assert!(
            completed(shell, &["funcs", "--so"]).iter().any(|word| word.starts_with("--sort")),
            "{shell}"
        );
    }
}

/// The script in the shell itself.
#[test]
fn bash_completes() {
    let script = r#"
        goemu() { "$GOEMU" "$@"; }
        source <(goemu completions bash) || exit 1
        COMP_WORDS=(goemu call -b "$PROGRAM" main.genericM) COMP_CWORD=4 COMP_TYPE=9
        _clap_complete_goemu goemu main.genericM -b 2> /dev/null
        printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let mut bash = std::process::Command::new("bash");
    bash.args(["--norc", "-c", script]).env("PROGRAM", corpus("go1.27"));
    let output = match bash.env("GOEMU", env!("CARGO_BIN_EXE_goemu")).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            // Written past the harness, which keeps what passing tests print.
            writeln!(std::io::stderr(), "note: there is no bash here, its completions are not tested")
                .unwrap();
            return;
        }
        Err(error) => panic!("{error}"),
    };
    assert_eq!(String::from_utf8_lossy(&output.stdout), "main.genericMax\nmain.genericMap\n", "{output:?}");
}

#[test]
fn help_and_version() {
    for args in [&["--help"][..], &["help", "call"], &["call", "-h"], &["funcs", "--help"], &["--version"]] {
        let ran = goemu(args);
        assert_eq!((ran.status, ran.stderr.as_str()), (0, ""), "{args:?}");
        assert!(!ran.stdout.is_empty());
    }
    assert_eq!(goemu([""; 0]).status, 1);
}

#[test]
fn colour_only_where_it_is_wanted() {
    let funcs = |name: &str| ran(command().args(["funcs", "main.f1"]).env(name, "1")).stdout;
    assert!(!funcs("NO_COLOR").contains('\x1b'));
    assert!(funcs("CLICOLOR_FORCE").contains('\x1b'));
}

#[test]
fn nobody_reads_to_the_end() {
    let mut child = command().arg("funcs").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert_eq!(String::from_utf8_lossy(&output.stderr), DEMO);
}

#[test]
fn the_status_is_kept_though_nobody_reads() {
    let mut failing = command();
    failing.args(["call", "unrecovered", "0"]).env("GOEMU_BINARY", corpus("go1.27"));
    let mut child = failing.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop((child.stdout.take(), child.stderr.take()));
    assert_eq!(child.wait().unwrap().code(), Some(2));
}

/// garble leaves the names of Go's runtime, which the linker needs, and hashes those of the program.
#[test]
fn hashed_names_are_not_those_of_the_source() {
    let mut bytes = fs::read(corpus("go1.27-stripped")).unwrap();
    let digits = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_a";
    let starts: Vec<usize> = (0..bytes.len()).filter(|at| bytes[*at..].starts_with(b"\0main.")).collect();
    let mut random = 1_u64;
    for start in starts {
        let end = start + 1 + bytes[start + 1..].iter().position(|byte| *byte == 0).unwrap();
        if &bytes[start + 6..end] == b"main" {
            continue;
        }
        let mut first = true;
        for byte in &mut bytes[start + 6..end] {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let digit = digits[(random >> 58) as usize % if first { 26 } else { 64 }];
            first = !byte.is_ascii_alphanumeric();
            if !first {
                *byte = digit;
            }
        }
    }
    for name in ["cli/demo/demo-go1.27", "testdata/bin/typed-go1.27", "testdata/bin/cgo-go1.27-gcc-pie"] {
        let path = format!("{}/../{name}", env!("CARGO_MANIFEST_DIR"));
        assert_eq!(told(&path).0("names"), "as in the source", "{name}");
    }
    let path = file("hashed", &bytes);
    let (row, json) = told(path.to_str().unwrap());
    assert_eq!(row("names"), "hashed, but for Go's own packages (call by address or by the hash)");
    assert_eq!((&json["names_removed"], &json["names_hashed"]), (&false.into(), &true.into()));
}

/// What is no code is not counted.
#[test]
fn code_of_macos_programs_is_their_text() {
    let (row, _) = told(corpus("go1.27-darwin").to_str().unwrap());
    let image = goemu_loader::Image::open(corpus("go1.27-darwin")).unwrap();
    let text = image.section("__text").unwrap().size;
    assert!(row("sections").ends_with(&format!(", {text} bytes of code")), "{}", row("sections"));
    assert!(text < image.segments()[0].mem_size);
}

/// Position-independent programs can be put where other tools show them, and addresses that count from there are told.
#[test]
fn bases_of_other_tools() {
    let build = "go1.27-pie";
    let run = |line: &str| ran(command().env("GOEMU_BINARY", corpus(build)).args(line.split(' ')));
    let info = run("info");
    assert!(
        info.stdout.contains("position-independent, at 0x400000 as linked (--base moves it)"),
        "{}",
        info.stdout
    );
    let listed = run("funcs main.add --json --base 0").stdout;
    assert!(listed.contains("\"main.add\""), "{listed}");
    let entry = |line: &str| {
        let text = run(line).stdout;
        u64::from_str_radix(
            text.lines().next().unwrap().split_whitespace().next().unwrap().trim_start_matches("0x"),
            16,
        )
        .unwrap()
    };
    let (usual, moved) = (entry("funcs main.sumArray"), entry("funcs main.sumArray --base 0"));
    assert_eq!(usual - moved, 0x40_0000);
    for base in ["0", "0x100000", "0x7f0000000000"] {
        let line = format!("call main.add 2 3 --sig func(int,int)int --base {base} --runtime hooked");
        let call = run(&line);
        let fits = base.len() < 12;
        assert_eq!(call.status == 0 && call.stdout == "5\n", fits, "{base}: {} {}", call.stdout, call.stderr);
        assert!(fits || call.stderr.contains("lies outside the guest's space"), "{base}: {}", call.stderr);
    }
    let miss = run(&format!("call {moved:#x}"));
    let expected = format!(
        "goemu: no function at {moved:#x}: the program's base is 0x400000; counted from 0x0, it is {usual:#x} in \
         main.sumArray\n"
    );
    assert_eq!((miss.status, miss.stderr.as_str()), (1, expected.as_str()));
    let miss = run(&format!("disasm {:#x}", moved + 0x10_0000 + 1)).stderr;
    assert!(miss.contains("counted from 0x100000, it is"), "{miss}");
    let fixed =
        ran(command().env("GOEMU_BINARY", corpus("go1.27-stripped")).args(["funcs", "--base", "0x500000"]));
    assert!(
        fixed.stderr.contains("was linked to run at 0x400000 only, and cannot be moved to 0x500000"),
        "{}",
        fixed.stderr
    );
}
