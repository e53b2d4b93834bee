"""Questions about the whole file, reprs, completion, the readme and the notebook."""

import doctest
import json
import os
import pathlib
import pickle
import re
import subprocess
import sys

import pytest

import goemu

HERE = pathlib.Path(__file__).resolve().parent.parent


def test_functions_are_objects_and_dicts(corpus):
    functions = corpus.functions("main.f*")
    (fib,) = [function for function in functions if function.name == "main.fib"]
    assert fib.signature == "func(n int) int" and fib.package == "main" and fib.abi in ("ABI0", "ABIInternal")
    assert fib.address == corpus.main.fib.address and fib.size > 0 and fib.file.endswith("control.go") and fib.line > 0
    assert fib.asdict()["name"] == "main.fib"
    assert len(corpus.functions()) > 1000 and corpus.functions("nope*") == []


def test_types_are_objects(typed):
    node = typed.types["main.node"]
    assert node.kind == "struct" and [name for name, _ in node.fields] == ["name", "next", "tags", "any"]
    assert node.fields[1][1].elem == node and node.fields[2][1].key.name == "string"
    assert typed.types["[3]main.point"].length == 3 and typed.types["[]main.point"].elem.size == 16
    assert "main.node" in typed.types and "main.nope" not in typed.types and len(typed.types) > 50
    assert "main.node" in list(typed.types) and hash(node) == hash(typed.types["main.node"])
    with pytest.raises(KeyError, match="no type main.nope"):
        typed.types["main.nope"]


def test_disassembly_is_objects(corpus):
    listing = corpus.disassemble("main.fib")
    assert listing[0].address == corpus.main.fib.address and listing[0].bytes and listing.name == "main.fib"
    assert any(line.text.startswith("CALL main.fib") for line in listing) and "main.fib" in str(listing)
    assert [line.asdict() for line in corpus.disassemble(corpus.main.fib)][0]["address"] == listing[0].address


def test_strings_are_found_and_decoded(bin_dir):
    p = goemu.open(bin_dir / "decoders-go1.27-stripped")
    plain = p.strings()
    assert plain and {"value", "origin", "certainty", "address", "users"} == set(plain[0])
    assert not any(string["origin"] == "decoded" for string in plain)
    decoded = [string for string in p.strings(decode=True) if string["origin"] == "decoded"]
    assert len(decoded) > 5 and all(isinstance(string["value"], (str, bytes)) for string in decoded)


def test_info_is_a_dict(corpus):
    info = corpus.info()
    assert info["go"].startswith("go1.") and info["os"] == "linux" and info["functions"] > 1000


def test_reprs_are_short_and_html_is_escaped(typed):
    for of in (typed.main.double, typed.types["main.node"], typed.main.double.report(2), typed.disassemble("main.double"),
               typed.main.double.trace(2), typed.types["main.point"](1, 2)):
        html = of._repr_html_()
        assert html.startswith("<") and "<script" not in html
    evil = typed.types["main.node"](name="<script>alert(1)</script>")
    assert "<script" not in evil._repr_html_()
    assert repr(typed.main.double) == "<Go func main.double(n int) int>"
    assert "go1.27" in repr(typed) and "typed-go1.27" in repr(typed)


def test_names_complete(typed):
    assert "double" in dir(typed.main) and "main.double" in typed._ipython_key_completions_()
    assert "main.point" in typed.types._ipython_key_completions_()
    assert {"x", "y"} <= set(dir(typed.types["main.point"](1, 2)))


def test_the_examples_of_the_readme(bin_dir, tmp_path, monkeypatch):
    """Blocks of Python in the readme run, in order; what a comment says of a line is so."""
    monkeypatch.chdir(tmp_path)
    for name, build in (("prog", "typed-go1.27"), ("corpus", "corpus-go1.27"), ("stripped.exe", "corpus-go1.15-windows-stripped")):
        (tmp_path / name).write_bytes((bin_dir / build).read_bytes())
    readme = (HERE / "README.md").read_text() if (HERE / "README.md").exists() else pytest.skip("no readme here")
    blocks = re.findall(r"```python\n(.*?)```", readme, re.S)
    assert len(blocks) >= 5
    names = {}
    shown = []

    def show(value, expected):
        assert repr(value) == expected
        shown.append(expected)

    names["_show"] = show
    for block in blocks:
        checked = re.sub(r"^(\S.*?\S)\s+# -> (.*)$", lambda m: f"_show({m[1]}, {m[2]!r})", block, flags=re.M)
        exec(compile(checked, "README.md", "exec"), names)
    assert len(shown) >= 6


def test_the_notebook_runs(bin_dir, monkeypatch):
    path = HERE / "examples" / "strings.ipynb"
    if not path.exists():
        pytest.skip("no notebook here")
    monkeypatch.setenv("GOEMU_EXAMPLE", str(bin_dir / "corpus-go1.15-windows-stripped"))
    names = {}
    for cell in json.loads(path.read_text())["cells"]:
        if cell["cell_type"] == "code":
            exec(compile("".join(cell["source"]), str(path), "exec"), names)
    assert names["found"]


def test_docstrings(bin_dir, tmp_path, monkeypatch):
    """The examples in docstrings, of classes, methods and functions; `p` and `t` are programs."""
    strategies = pytest.importorskip("goemu.strategies")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "prog").write_bytes((bin_dir / "corpus-go1.27").read_bytes())
    programs = {"goemu": goemu, "p": goemu.open("prog"), "t": goemu.open(bin_dir / "typed-go1.27")}
    documented = [(name, getattr(goemu, name)) for name in goemu.__all__]
    documented += [(name, getattr(strategies, name)) for name in strategies.__all__]
    documented += [
        (f"{name}.{method}", getattr(of, method))
        for name, of in list(documented) if isinstance(of, type)
        for method in dir(of) if not method.startswith("__")]
    ran, runner = 0, doctest.DocTestRunner(optionflags=doctest.ELLIPSIS)
    for name, of in documented:
        text = getattr(of, "__doc__", None)
        if isinstance(text, str) and ">>>" in text:
            names = {**programs, **vars(strategies)}
            runner.run(doctest.DocTestParser().get_doctest(text, names, name, None, 0))
            ran += 1
    assert runner.summarize().failed == 0 and ran >= 15


def test_importing_is_quick():
    code = "import time; t = time.perf_counter(); import goemu; print(time.perf_counter() - t)"
    times = [float(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout) for _ in range(5)]
    modules = subprocess.run(
        [sys.executable, "-c", "import goemu, sys; print(' '.join(sys.modules))"], capture_output=True, text=True, check=True)
    assert not {"hypothesis", "tqdm", "numpy", "multiprocessing"} & set(modules.stdout.split())
    assert min(times) < 1


def test_uses_have_constant_arguments(bin_dir):
    p = goemu.open(bin_dir / "decoders-go1.27-stripped")
    calls = [use for decoder in p.functions("main.*") for use in p.xrefs(decoder.name, call=True) if use["kind"] == "call"]
    assert calls and all(use.keys() == {"func", "address", "kind", "to", "args", "shown", "result"} for use in calls)
    known = [arg for use in calls for arg in use["args"] if arg is not None]
    assert any(isinstance(arg, (str, bytes)) for arg in known) or any(isinstance(arg, int) for arg in known)
    assert any(isinstance(use["result"], str) for use in calls)
    assert all(len(use["args"]) == len(use["shown"]) for use in calls)
    decode = p.function("main.unxor", sig="func(text string) string")
    made = {decode(*use["args"]) for use in p.xrefs(decode) if use["kind"] == "call" and None not in use["args"]}
    assert {"c3.hidden.example", "value in a map", "compared and forgotten"} <= made


def test_uses_of_text_and_of_addresses(corpus):
    (use, *_) = [use for use in corpus.xrefs(b"hello") if use["kind"] == "text"]
    assert use["address"] and use["to"]
    uses = corpus.xrefs("main.numbers")
    assert {use["kind"] for use in uses} == {"read"} and all(use["func"] for use in uses)
    assert corpus.xrefs(uses[0]["to"])
    assert any(use["kind"] == "call" and use["func"] == "main.fib" for use in corpus.xrefs(corpus.main.fib))
    with pytest.raises(ValueError, match="empty"):
        corpus.xrefs(b"")
    with pytest.raises(goemu.NoSuchFunction):
        corpus.xrefs("main.nosuch")
