//! Asks an image everything, of some functions and types. Signatures are asked for apart: the first one unpacks and reads
//! the debug information, which takes as long as all the rest.

use goemu_loader::Image;

pub fn walk(image: &Image) {
    let _ = (image.relocs().len(), image.imports().len(), image.plugin_path(), image.build_info());
    for section in image.sections() {
        let _ = image.section_data(&section.name);
    }
    for symbol in image.symbols().take(200) {
        let _ = (symbol.name.len(), image.symbol_at(symbol.addr), image.read_u64(symbol.addr));
    }
    for func in image.funcs().step_by(image.func_count() / 50 + 1) {
        let (entry, end) = (func.entry(), func.end());
        let _ = (func.name().len(), func.abi(), func.args_size(), func.deferreturn(), func.start_line());
        for pc in [entry, entry / 2 + end / 2, end.wrapping_sub(1)] {
            let _ = (func.line_at(pc), func.inlined_at(pc).len(), func.sp_delta(pc), image.symbol_at(pc));
        }
        let _ = (0..8).filter_map(|index| func.funcdata(index)).count();
    }
    let types: Vec<_> = image.types().collect();
    for ty in types.iter().step_by(types.len() / 50 + 1) {
        let _ = image.resolve(ty);
    }
}

pub fn signatures(image: &Image) {
    for func in image.funcs().step_by(image.func_count() / 50 + 1) {
        let _ = image.signature(&func);
    }
}
