# Puts what goemu found out about a Go program into a Binary Ninja database: File, Run script. The data is in the JSON file of
# the same name beside this script.
import json
import os

from binaryninja import Symbol, SymbolType, Type


def apply(bv, path=os.path.splitext(os.path.splitext(os.path.abspath(__file__))[0])[0] + ".json"):
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    delta = bv.start - data["base"]
    text = data["prelude"] + "\n".join(ty["c"] for ty in data["types"])
    parsed = bv.platform.parse_types_from_source(text)
    for name, ty in parsed.types.items():
        bv.define_user_type(name, ty)
    for func in data["functions"]:
        start = func["address"] + delta
        known = bv.get_function_at(start)
        if known is None:
            bv.create_user_function(start)
            known = bv.get_function_at(start)
        if func["label"]:
            bv.define_user_symbol(Symbol(SymbolType.FunctionSymbol, start, func["label"]))
        lines = [func["recovered"] or func["name"], func["signature"], func["line"]]
        if known is not None and any(lines):
            known.comment = "\n".join(line for line in lines if line)
    for variable in data["variables"]:
        bv.define_user_symbol(Symbol(SymbolType.DataSymbol, variable["address"] + delta, variable["label"]))
    for string in data["strings"]:
        bv.define_user_data_var(string["address"] + delta, Type.array(Type.char(), string["length"]))
    for comment in data["comments"]:
        bv.set_comment_at(comment["address"] + delta, comment["text"])
    print("goemu: %d functions, %d types, %d strings" % tuple(len(data[k]) for k in ("functions", "types", "strings")))


apply(bv)
