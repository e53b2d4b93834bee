//! Pages to look at a run, opened in a browser.

#![allow(clippy::unwrap_used, reason = "a test that cannot read what was written has failed")]
#![allow(clippy::print_stderr, reason = "a test says why it is skipped")]

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::run::{Ran, call, command, corpus, ran};

fn target(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// Makes a page; gives its path.
fn view(name: &str, binary: Option<PathBuf>, args: &[&str]) -> (PathBuf, Ran) {
    let path = target(name);
    let mut run = command();
    if let Some(binary) = binary {
        run.env("GOEMU_BINARY", binary);
    }
    let ran = ran(run.arg("view").args(args).arg("-o").arg(&path));
    (path, ran)
}

/// The page as a browser shows it at a step, after these scripts; none where there is no browser.
fn shown(page: &Path, step: &str, script: &str) -> Option<String> {
    let html = std::fs::read_to_string(page).unwrap();
    let wait =
        "const wait = setInterval(() => { if (!document.body.dataset.loaded) return; clearInterval(wait);";
    let driven = page.with_extension("driven.html");
    let driver = format!("<script>{wait} {script} document.body.dataset.driven = 'yes'; }}, 10);</script>");
    std::fs::write(&driven, html.replace("</body>", &format!("{driver}</body>"))).unwrap();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let url = format!("file://{}#{step}", driven.display());
    let profile = target("chromium-profile").join(page.file_stem().unwrap());
    let output = names.iter().find_map(|name| {
        let mut browser = Command::new(name);
        browser.args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=60000",
            "--dump-dom",
        ]);
        browser.arg(format!("--user-data-dir={}", profile.display())).arg(&url).output().ok()
    });
    let Some(output) = output else {
        eprintln!("skipped: no Chromium here");
        return None;
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let start =
        text.find("<body").unwrap_or_else(|| panic!("{text} {}", String::from_utf8_lossy(&output.stderr)));
    // What is compressed in the page says nothing of what is shown.
    let text = text[start..].split("<script").next().unwrap().to_owned();
    assert!(text.contains("data-driven=\"yes\""), "{text}");
    Some(text)
}

/// The part of a page that belongs to a pane.
fn pane<'a>(text: &'a str, id: &str) -> &'a str {
    let start = text.find(&format!("id=\"{id}\"")).unwrap_or_else(|| panic!("no {id} in {text}"));
    text[start..].split("</section>").next().unwrap()
}

#[test]
fn the_page_of_f1_tells_why_it_returns_1() {
    let (page, ran) = view("f1.html", None, &["main.f1"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let html = std::fs::read_to_string(&page).unwrap();
    assert!(!html.contains("http://") && !html.contains("https://"), "nothing is loaded from a network");
    let Some(text) = shown(&page, "0", "go(run.length - 1);") else { return };
    let about = &text[text.find("id=\"about\"").unwrap()..][..80];
    assert!(about.contains("returned: 1"), "{about}");
    let frames = pane(&text, "frames");
    assert!(frames.contains("main.f1") && !frames.contains("deferreturn"), "that was carried out: {frames}");
    // The return statement writes 0, and the deferred function 1: both are events to jump to.
    let events = pane(&text, "events");
    let at = |part: &str| events.find(part).unwrap_or_else(|| panic!("no {part} in {events}"));
    assert!(at("result of main.f1 = 0") < at("deferreturn runs main.f1.func1"));
    assert!(at("deferreturn runs main.f1.func1") < at("result of main.f1 = 1"));
    let text = shown(&page, "0", "go(run.find('result slot: result of main.f1 = 1', 0));").unwrap();
    let frames = pane(&text, "frames");
    for part in ["main.f1.func1", "deferred", "main.f1<", "result = 1"] {
        assert!(frames.contains(part), "no {part} in {frames}");
    }
    assert!(pane(&text, "source").contains("here") && pane(&text, "source").contains("result++"), "{text}");
    let stack = pane(&text, "stack");
    for part in [
        "return address of main.f1.func1",
        "return address of main.f1<",
        "result result int of main.f1<",
        "defer record: fn",
        "saved BP",
    ] {
        assert!(stack.contains(part), "no {part} in {stack}");
    }
    assert!(pane(&text, "registers").contains("flags"));
    assert!(pane(&text, "code").contains("aria-current=\"step\""), "{text}");
}

#[test]
fn keys_and_links_move_through_the_run() {
    let (page, ran) = view("keys.html", Some(corpus("go1.27")), &["main.fib", "5"]);
    assert_eq!(ran.status, 0, "{ran:?}");
    let script = "
        const press = key => document.dispatchEvent(new KeyboardEvent('keydown', { key, bubbles: true }));
        const seen = [step];
        press('ArrowRight'); seen.push(step);
        press('ArrowLeft'); seen.push(step);
        press('End'); seen.push(step === run.length - 1);
        press('Home'); seen.push(step);
        press('d'); seen.push(run.depth(step));
        press('d'); seen.push(run.depth(step));
        press('u'); seen.push(run.depth(step));
        press('Home'); press('n'); seen.push(run.line(step) !== run.line(0)); press('p'); seen.push(step);
        press('Home'); press('e'); seen.push(run.eventSteps.includes(step));
        $('slider').value = 40; $('slider').dispatchEvent(new Event('input')); seen.push(location.hash);
        document.body.dataset.seen = JSON.stringify(seen);";
    let Some(text) = shown(&page, "7", script) else { return };
    let seen = text.split("data-seen=\"").nth(1).unwrap().split('"').next().unwrap().replace("&quot;", "'");
    assert_eq!(seen, "[7,8,7,true,0,2,3,2,true,0,true,'#40']", "{seen}");
}

/// Registers and stack of the page against the trace, at some steps.
#[test]
fn states_are_those_of_the_trace() {
    let (page, _) = view("states.html", Some(corpus("go1.27")), &["main.quicksort", "[]int{3, 1, 2}"]);
    let trace = target("states.jsonl");
    let line = format!("main.quicksort []int{{3,1,2}} --trace-format json --trace-out {}", trace.display());
    assert_eq!(call("go1.27", &line).status, 0);
    let script = "document.body.dataset.ax = JSON.stringify(Array.from(run.steps, (_, n) => run.at('registers', 0, n).value));";
    let Some(text) = shown(&page, "0", script) else { return };
    let values = text.split("data-ax=\"").nth(1).unwrap().split('"').next().unwrap().replace("&quot;", "\"");
    let values: Vec<String> = serde_json::from_str(&values).unwrap();
    let trace = std::fs::read_to_string(trace).unwrap();
    let steps = trace.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
    let steps: Vec<_> = steps.filter(|record| record["type"] == "step").collect();
    assert_eq!(steps.len(), values.len());
    for (step, value) in steps.iter().zip(&values) {
        if let Some(ax) = step["registers"]["AX"].as_str() {
            assert_eq!(ax, format!("0x{value}"), "{step}");
        }
    }
}

#[test]
fn long_runs_are_cut_and_said_to_be() {
    let (page, ran) = view("cut.html", Some(corpus("go1.27")), &["main.fib", "15", "--steps", "1000"]);
    assert!(ran.status == 0 && ran.stderr.contains("the first 1000 steps"), "{ran:?}");
    let Some(text) = shown(&page, "999999", "") else { return };
    assert!(text.contains("it shows the first 1000 steps"), "{text}");
    assert!(text.contains("Step 999 of 999"), "{text}");
}

#[test]
fn pages_that_cannot_be_written_are_named() {
    let ran = ran(command().args(["view", "main.f1", "-o", "/nosuch/page.html"]));
    assert!(ran.status == 1 && ran.stderr.contains("/nosuch/page.html"), "{ran:?}");
    let ran = self::ran(command().args(["view", "main.nosuch", "-o", "/tmp/x.html"]));
    assert!(ran.status == 1 && ran.stderr.contains("main.nosuch"), "{ran:?}");
    for steps in ["20000001", "1g", "10000000000"] {
        let ran = self::ran(command().args(["view", "main.f1", "-o", "/dev/null", "--steps", steps]));
        assert!(ran.status == 1 && ran.stderr.contains("at most 20000000 steps"), "{ran:?}");
    }
}
