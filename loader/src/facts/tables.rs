//! Tables that the linker writes and that stripping leaves: functions, their data, and the table of tables.
//!
//! Go sources: `runtime/symtab.go`, `runtime/runtime2.go` (`_func`), `cmd/link/internal/ld/pcln.go`,
//! `internal/abi/symtab.go`.

use crate::facts::{Found, layouts};

impl FuncIds {
    /// The number of the function of this name in package runtime.
    pub(crate) fn named(mut self, name: &str) -> Option<u64> {
        let mut id = None;
        self.ask(&mut |row| {
            if row.names().any(|known| known == name) {
                id = row.offset;
            }
            Found::NoType
        });
        id
    }
}

layouts! {
    /// The header of the function table (`runtime.pcHeader`): where its words are. Up to Go 1.15 the header
    /// ends after `nfunc` and one table follows that holds everything.
    Pclntab "" {
        nfunc          "nfunc":          u64         = 4 => 8;
        text_start     "textStart":      Option<u64> = 18 => 24, 26 => _;
        funcnames      "funcnameOffset": Option<u64> = 16 => 24, 18 => 32;
        cutab          "cuOffset":       Option<u64> = 16 => 32, 18 => 40;
        filetab        "filetabOffset":  Option<u64> = 16 => 40, 18 => 48;
        pctab          "pctabOffset":    Option<u64> = 16 => 48, 18 => 56;
        functab        "pclnOffset":     Option<u64> = 16 => 56, 18 => 64;
        functab_word   "width of a word of the functab":     u64 = 4 => 8, 18 => 4;
        func_size      "size of a record, without its data": u64 = 4 => 40, 16 => 44, 18 => 40, 20 => 44;
        nfuncdata_size "width of nfuncdata":                 u64 = 4 => 4, 12 => 1;
        funcdata_size  "width of a word of funcdata":        u64 = 4 => 8, 18 => 4;
    }

    /// `runtime._func`, one function's record. After [`Pclntab::func_size`] bytes follow `npcdata` offsets of
    /// pc-value tables and the funcdata: addresses, 8-aligned, up to Go 1.17, offsets from `gofunc` since.
    Func "runtime._func" {
        entry          "entryOff|entryoff|entry": u64 = 4 => 0;
        nameoff        "nameOff|nameoff": u64        = 4 => 8, 18 => 4;
        args           "args":           u64         = 4 => 12, 18 => 8;
        deferreturn    "deferreturn":    Option<u64> = 12 => 16, 18 => 12;
        pcsp           "pcsp":           u64         = 4 => 20, 18 => 16;
        pcfile         "pcfile":         u64         = 4 => 24, 18 => 20;
        pcln           "pcln":           u64         = 4 => 28, 18 => 24;
        npcdata        "npcdata":        u64         = 4 => 32, 18 => 28;
        cu_offset      "cuOffset":       Option<u64> = 16 => 36, 18 => 32;
        start_line     "startLine":      Option<u64> = 20 => 36;
        func_id        "funcID":         Option<u64> = 10 => 16, 12 => 36, 16 => 40, 18 => 36, 20 => 40;
        flag           "flag":           Option<u64> = 17 => 41, 18 => 37, 20 => 41;
        nfuncdata      "nfuncdata":      u64         = 4 => 36, 12 => 39, 16 => 43, 18 => 39, 20 => 43;
    }

    /// `runtime.inlinedCall`, an entry of a function's inline tree.
    InlinedCall "runtime.inlinedCall" {
        parent         "parent":         Option<u64> = 9 => 0, 20 => _;
        func_id        "funcID":         Option<u64> = 12 => 2, 20 => 0;
        file           "file":           Option<u64> = 9 => 4, 20 => _;
        line           "line":           Option<u64> = 9 => 8, 20 => _;
        name           "nameOff|func_":  Option<u64> = 9 => 12, 20 => 4;
        parent_pc      "parentPc":       Option<u64> = 12 => 16, 20 => 8;
        start_line     "startLine":      Option<u64> = 20 => 12;
        size           "sizeof":         Option<u64> = 9 => 16, 12 => 20, 20 => 16;
    }

    /// `runtime.moduledata`, the runtime's table of tables (Go 1.5 and later).
    Module "runtime.moduledata" {
        pc_header      "pcHeader|pclntable": Option<u64> = 5 => 0;
        ftab           "ftab":           Option<u64> = 5 => 24, 16 => 128;
        findfunctab    "findfunctab":    Option<u64> = 5 => 72, 16 => 152;
        minpc          "minpc":          Option<u64> = 5 => 80, 16 => 160;
        maxpc          "maxpc":          Option<u64> = 5 => 88, 16 => 168;
        text           "text":           Option<u64> = 5 => 96, 16 => 176;
        etext          "etext":          Option<u64> = 5 => 104, 16 => 184;
        noptrdata      "noptrdata":      Option<u64> = 5 => 112, 16 => 192;
        enoptrdata     "enoptrdata":     Option<u64> = 5 => 120, 16 => 200;
        data           "data":           Option<u64> = 5 => 128, 16 => 208;
        edata          "edata":          Option<u64> = 5 => 136, 16 => 216;
        bss            "bss":            Option<u64> = 5 => 144, 16 => 224;
        ebss           "ebss":           Option<u64> = 5 => 152, 16 => 232;
        noptrbss       "noptrbss":       Option<u64> = 5 => 160, 16 => 240;
        enoptrbss      "enoptrbss":      Option<u64> = 5 => 168, 16 => 248;
        end            "end":            Option<u64> = 5 => 176, 16 => 256, 20 => 272;
        types          "types":          Option<u64> = 7 => 200, 16 => 280, 20 => 296;
        typedesclen    "typedesclen":    Option<u64> = 27 => 304;
        etypes         "etypes":         Option<u64> = 7 => 208, 16 => 288, 20 => 304, 27 => 312;
        itaboffset     "itaboffset":     Option<u64> = 27 => 320;
        itabsize       "itabsize":       Option<u64> = 27 => 328;
        rodata         "rodata":         Option<u64> = 18 => 296, 20 => 312, 27 => 336;
        gofunc         "gofunc":         Option<u64> = 18 => 304, 20 => 320, 27 => 344;
        epclntab       "epclntab":       Option<u64> = 26 => 328, 27 => 352;
        textsectmap    "textsectmap":    Option<u64> = 8 => 216, 16 => 296, 18 => 312, 20 => 328, 26 => 336, 27 => 360;
        typelinks      "typelinks":      Option<u64> = 5 => 200, 7 => 216, 8 => 240, 16 => 320, 18 => 336, 20 => 352,
                                                       26 => 360, 27 => _;
        itablinks      "itablinks":      Option<u64> = 7 => 240, 8 => 264, 16 => 344, 18 => 360, 20 => 376, 26 => 384,
                                                       27 => _;
        pluginpath     "pluginpath":     Option<u64> = 8 => 312, 16 => 392, 18 => 408, 20 => 424, 26 => 432, 27 => 408;
        inittasks      "inittasks":      Option<u64> = 21 => 464, 26 => 472, 27 => 448;
        hasmain        "hasmain":        Option<u64> = 10 => 392, 16 => 472, 18 => 488, 20 => 504, 21 => 528, 26 => 536,
                                                       27 => 512;
        next           "next":           Option<u64> = 5 => 296, 7 => 344, 8 => 432, 10 => 448, 16 => 528, 18 => 544,
                                                       20 => 560, 21 => 584, 23 => 576, 26 => 584, 27 => 560;
        size           "sizeof":         Option<u64> = 5 => 304, 7 => 352, 8 => 440, 10 => 456, 16 => 536, 18 => 552,
                                                       20 => 568, 21 => 592, 23 => 584, 26 => 592, 27 => 568;
    }

    /// Indexes of a function's pc-value tables.
    PcData "" {
        unsafe_point   "PCDATA_UnsafePoint":   Option<u64> = 11 => 2, 13 => 0;
        stack_map      "PCDATA_StackMapIndex": u64         = 4 => 0, 13 => 1;
        inl_tree       "PCDATA_InlTreeIndex":  Option<u64> = 9 => 1, 13 => 2;
        arg_live       "PCDATA_ArgLiveIndex":  Option<u64> = 18 => 3;
        panic_bounds   "PCDATA_PanicBounds":   Option<u64> = 26 => 4;
    }

    /// Indexes of a function's data.
    FuncData "" {
        args_maps      "FUNCDATA_ArgsPointerMaps":    u64         = 4 => 0;
        locals_maps    "FUNCDATA_LocalsPointerMaps":  u64         = 4 => 1;
        stack_objects  "FUNCDATA_StackObjects":       Option<u64> = 12 => 4, 13 => 3, 16 => 2;
        inl_tree       "FUNCDATA_InlTree":            Option<u64> = 9 => 2, 13 => 4, 16 => 3;
        open_defer     "FUNCDATA_OpenCodedDeferInfo": Option<u64> = 14 => 5, 16 => 4;
        arg_info       "FUNCDATA_ArgInfo":            Option<u64> = 17 => 5;
        arg_live       "FUNCDATA_ArgLiveInfo":        Option<u64> = 18 => 6;
        wrap_info      "FUNCDATA_WrapInfo":           Option<u64> = 18 => 7;
    }

    /// `runtime.stackObjectRecord`, a variable of a frame that is reached by its address.
    StackObject "runtime.stackObjectRecord" {
        offset         "off":            Option<u64> = 12 => 0;
        size           "size":           Option<u64> = 17 => 4;
        ty             "typ":            Option<u64> = 12 => 8, 17 => _;
        record         "sizeof":         Option<u64> = 12 => 16, 17 => 24, 18 => 16;
    }

    /// Codes of the program that prints a function's arguments (`internal/abi`, `TraceArgs...`; the runtime reads
    /// such programs since Go 1.17). Every other code is an offset.
    TraceArgs "" {
        end               "TraceArgsEndSeq":         u64 = 4 => 0xff;
        start_aggregate   "TraceArgsStartAgg":       u64 = 4 => 0xfe;
        end_aggregate     "TraceArgsEndAgg":         u64 = 4 => 0xfd;
        dots              "TraceArgsDotdotdot":      u64 = 4 => 0xfc;
        offset_too_large  "TraceArgsOffsetTooLarge": u64 = 4 => 0xfb;
    }

    /// How long tracebacks are (`runtime/traceback.go`).
    TraceLimits "" {
        inner             "tracebackInnerFrames|_TracebackMaxFrames": u64         = 4 => 100, 21 => 50;
        outer             "tracebackOuterFrames":                     Option<u64> = 21 => 50;
        words             "words of arguments, where no program says": u64        = 4 => 10;
    }

    /// Numbers of the functions that the runtime treats specially (`_func.funcID`; 0 is any other function).
    FuncIds "" {
        abort                   "abort":                   Option<u64> = 17 => 1;
        asmcgocall              "asmcgocall":              Option<u64> = 10 => 7, 11 => 8, 17 => 2;
        async_preempt           "asyncPreempt":            Option<u64> = 14 => 21, 17 => 3;
        cgocallback             "cgocallback":             Option<u64> = 10 => 16, 11 => 14, 17 => 4;
        corostart               "corostart":               Option<u64> = 22 => 5;
        debug_call              "debugCall":               Option<u64> = 11 => 17, 17 => 5, 22 => 6;
        external_thread_handler "externalthreadhandler":   Option<u64> = 10 => 18, 11 => 16, 17 => _;
        gc_bg_mark_worker       "gcBgMarkWorker":          Option<u64> = 10 => 13, 11 => 11, 17 => 6, 22 => 7;
        goexit                  "goexit":                  Option<u64> = 10 => 1, 11 => 2, 17 => 7, 22 => 8;
        gogo                    "gogo":                    Option<u64> = 10 => 17, 11 => 15, 17 => 8, 22 => 9;
        gopanic                 "gopanic":                 Option<u64> = 12 => 18, 17 => 9, 22 => 10;
        handle_async_event      "handleAsyncEvent":        Option<u64> = 14 => 20, 17 => 10, 22 => 11;
        jmpdefer                "jmpdefer":                Option<u64> = 10 => 2, 11 => 3, 17 => 11, 18 => _;
        mcall                   "mcall":                   Option<u64> = 10 => 3, 11 => 4, 17 => 12, 18 => 11, 22 => 12;
        morestack               "morestack":               Option<u64> = 10 => 4, 11 => 5, 17 => 13, 18 => 12, 22 => 13;
        mstart                  "mstart":                  Option<u64> = 10 => 5, 11 => 6, 17 => 14, 18 => 13, 22 => 14;
        panicwrap               "panicwrap":               Option<u64> = 12 => 19, 17 => 15, 18 => 14, 22 => 15;
        rt0_go                  "rt0_go":                  Option<u64> = 10 => 6, 11 => 7, 17 => 16, 18 => 15, 22 => 16;
        run_cleanups            "runCleanups":             Option<u64> = 25 => 19;
        run_finalizers          "runFinalizers|runfinq":   Option<u64> = 10 => 9, 11 => 10, 17 => 17, 18 => 16, 22 => 17,
                                                                         25 => 18;
        runtime_main            "runtime_main":            Option<u64> = 11 => 1, 17 => 18, 18 => 17, 22 => 18, 25 => 17;
        sigpanic                "sigpanic":                Option<u64> = 10 => 8, 11 => 9, 17 => 19, 18 => 18, 22 => 19,
                                                                         25 => 20;
        systemstack             "systemstack":             Option<u64> = 10 => 15, 11 => 13, 17 => 20, 18 => 19, 22 => 20,
                                                                         25 => 21;
        systemstack_switch      "systemstack_switch":      Option<u64> = 10 => 14, 11 => 12, 17 => 21, 18 => 20, 22 => 21,
                                                                         25 => 22;
        wrapper                 "wrapper":                 Option<u64> = 12 => 20, 14 => 22, 18 => 21, 22 => 22, 25 => 23;
    }
}
