# Runs the scripts of `goemu export` with modules in the place of the tools', which look whether the calls make sense.
import collections
import json
import os
import sys
import types

prefix, delta = sys.argv[1], 0x1000000
with open(prefix + ".json", encoding="utf-8") as file:
    data = json.load(file)
starts = {func["address"] for func in data["functions"]}
low = data["base"] + delta
counts = collections.Counter()


def is_address(ea):
    assert isinstance(ea, int) and low <= ea < low + (1 << 32), hex(ea)


def is_start(ea):
    is_address(ea)
    assert ea - delta in starts, hex(ea)


def is_label(name):
    assert name and name.isascii() and not name[0].isdigit() and " " not in name, name


def is_c(text):
    assert text.count("{") == text.count("}") and text.rstrip().endswith(";"), text


def module(name, **members):
    made = types.ModuleType(name)
    made.__dict__.update(members)
    sys.modules[name] = made
    return made


def told(what, *checks):
    def call(*args):
        counts[what] += 1
        for check, arg in zip(checks, args):
            if check is not None:
                check(arg)
        return 1

    return call


def text(value):
    assert isinstance(value, str) and value, value


def size(value):
    assert 0 < value < 1 << 20, value


def run(tool, names):
    counts.clear()
    path = "%s.%s.py" % (prefix, tool)
    with open(path, encoding="utf-8") as file:
        code = compile(file.read(), path, "exec")
    exec(code, {"__file__": os.path.abspath(path), "__name__": tool, **names})
    assert counts["name"] >= sum(func["label"] is not None for func in data["functions"]), (tool, counts)
    assert counts["comment"] >= len(data["comments"]), (tool, counts)
    assert counts["string"] == len(data["strings"]), (tool, counts)
    assert counts["type"] > 0, (tool, counts)
    print(tool, "runs")


def ida():
    module("idaapi", get_imagebase=lambda: low)
    module("ida_bytes", del_items=told("del", is_address, None, size), create_strlit=told("string", is_address, size))
    module("ida_funcs", get_func=lambda ea: is_start(ea), add_func=told("func", is_start, is_address))
    module("ida_name", SN_NOCHECK=1, SN_NOWARN=2, set_name=told("name", is_address, is_label))
    module("ida_nalt", STRTYPE_C=0)
    module("ida_typeinf", idc_parse_types=told("type", is_c))
    module("idc", set_func_cmt=told("comment", is_start, text), set_cmt=told("comment", is_address, text))
    run("ida", {})


class Address:
    def __init__(self, ea):
        is_address(ea)
        self.ea = ea

    def add(self, more):
        return Address(self.ea + more)


class Thing:
    def __init__(self, **members):
        self.__dict__.update(members)


def ghidra():
    parser = lambda manager: Thing(parse=told("type", is_c))
    for name in ("ghidra", "ghidra.app", "ghidra.app.util", "ghidra.app.util.cparser", "ghidra.program", "ghidra.program.model"):
        module(name)
    module("ghidra.app.util.cparser.C", CParser=parser)
    module("ghidra.program.model.symbol", SourceType=Thing(USER_DEFINED=1))
    made = lambda at, name: Thing(setName=told("name", is_label), setComment=told("comment", text))
    program = Thing(
        getImageBase=lambda: Thing(getOffset=lambda: low),
        getDataTypeManager=lambda: None,
    )
    run(
        "ghidra",
        {
            "currentProgram": program,
            "getSourceFile": lambda: Thing(getAbsolutePath=lambda: os.path.abspath(prefix + ".ghidra.py")),
            "toAddr": Address,
            "getFunctionAt": lambda at: is_start(at.ea),
            "createFunction": made,
            "createLabel": told("name", lambda at: is_address(at.ea), is_label),
            "clearListing": told("clear"),
            # What takes the kind of a comment differs from release to release.
            "setEOLComment": told("comment", lambda at: is_address(at.ea), text),
            "createAsciiString": told("string", lambda at: is_address(at.ea), size),
        },
    )


def binja():
    symbol = lambda kind, ea, name: (is_address(ea), is_label(name))
    module(
        "binaryninja",
        Symbol=symbol,
        SymbolType=Thing(FunctionSymbol=0, DataSymbol=1),
        Type=Thing(array=lambda of, count: size(count), char=lambda: None),
    )
    parsed = lambda source: (is_c(source), Thing(types={"T": None}))[1]
    bv = Thing(
        start=low,
        platform=Thing(parse_types_from_source=parsed),
        define_user_type=told("type"),
        get_function_at=lambda ea: is_start(ea) or Thing(comment=""),
        create_user_function=told("func", is_start),
        define_user_symbol=told("name"),
        define_user_data_var=told("string", is_address),
        set_comment_at=told("comment", is_address, text),
    )
    run("binja", {"bv": bv})


ida()
ghidra()
binja()
