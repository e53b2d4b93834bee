# Puts what goemu found out about a Go program into a Ghidra database: Script Manager, Run. The data is in the JSON file of
# the same name beside this script.
# @category Go
import io
import json
import os

from ghidra.app.util.cparser.C import CParser
from ghidra.program.model.symbol import SourceType


def main():
    path = os.path.splitext(os.path.splitext(getSourceFile().getAbsolutePath())[0])[0] + ".json"
    with io.open(path, encoding="utf-8") as file:
        data = json.load(file)
    delta = currentProgram.getImageBase().getOffset() - data["base"]

    def at(address):
        return toAddr(address + delta)

    manager = currentProgram.getDataTypeManager()
    # One text: declarations name those before them.
    text = data["prelude"] + "\n".join(ty["c"] for ty in data["types"])
    try:
        CParser(manager).parse(text)
    except Exception as error:
        print("goemu: types are left out: %s" % error)
    for func in data["functions"]:
        start = at(func["address"])
        known = getFunctionAt(start)
        if known is None:
            known = createFunction(start, func["label"])
        if known is None:
            continue
        if func["label"]:
            known.setName(func["label"], SourceType.USER_DEFINED)
        lines = [func["recovered"] or func["name"], func["signature"], func["line"]]
        if any(lines):
            known.setComment("\n".join(line for line in lines if line))
    for variable in data["variables"]:
        createLabel(at(variable["address"]), variable["label"], True, SourceType.USER_DEFINED)
    for string in data["strings"]:
        start = at(string["address"])
        clearListing(start, start.add(string["length"] - 1))
        createAsciiString(start, string["length"])
    for comment in data["comments"]:
        setEOLComment(at(comment["address"]), comment["text"])
    print("goemu: %d functions, %d types, %d strings" % tuple(len(data[k]) for k in ("functions", "types", "strings")))


main()
