# Puts what goemu found out about a Go program into an IDA database: File, Script file. The data is in the JSON file of
# the same name beside this script.
import json
import os

import ida_bytes
import ida_funcs
import ida_name
import ida_nalt
import ida_typeinf
import idaapi
import idc


def main(path=os.path.splitext(os.path.splitext(os.path.abspath(__file__))[0])[0] + ".json"):
    with open(path, encoding="utf-8") as file:
        data = json.load(file)
    delta = idaapi.get_imagebase() - data["base"]
    ida_typeinf.idc_parse_types(data["prelude"], 0)
    for ty in data["types"]:
        ida_typeinf.idc_parse_types(ty["c"], 0)
    for func in data["functions"]:
        start = func["address"] + delta
        if ida_funcs.get_func(start) is None:
            ida_funcs.add_func(start, func["end"] + delta)
        if func["label"]:
            ida_name.set_name(start, func["label"], ida_name.SN_NOCHECK | ida_name.SN_NOWARN)
        lines = [func["recovered"] or func["name"], func["signature"], func["line"]]
        if any(lines):
            idc.set_func_cmt(start, "\n".join(line for line in lines if line), 1)
    for variable in data["variables"]:
        at = variable["address"] + delta
        ida_name.set_name(at, variable["label"], ida_name.SN_NOCHECK | ida_name.SN_NOWARN)
        idc.set_cmt(at, variable["name"] + (" " + variable["type"] if variable["type"] else ""), 1)
    for string in data["strings"]:
        at = string["address"] + delta
        ida_bytes.del_items(at, 0, string["length"])
        ida_bytes.create_strlit(at, string["length"], ida_nalt.STRTYPE_C)
    for comment in data["comments"]:
        idc.set_cmt(comment["address"] + delta, comment["text"], 0)
    print("goemu: %d functions, %d types, %d strings" % tuple(len(data[k]) for k in ("functions", "types", "strings")))


main()
