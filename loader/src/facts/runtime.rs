//! Structures that the runtime keeps in memory: goroutines, threads, defers, panics, channels.
//!
//! Read from the DWARF of linux/amd64 binaries of each release; Go sources: `runtime/runtime2.go`,
//! `runtime/chan.go`, `runtime/mwbbuf.go`, `runtime/error.go`, `internal/abi/switch.go`.

use crate::facts::layouts;

impl M {
    /// Moves the fields that follow those whose sizes depend on the system.
    pub(super) fn moved(self, by: i64) -> M {
        let moved = |offset: u64| offset.wrapping_add_signed(by);
        M {
            tls: moved(self.tls),
            curg: moved(self.curg),
            p: moved(self.p),
            mallocing: moved(self.mallocing),
            throwing: moved(self.throwing),
            preemptoff: self.preemptoff.map(moved),
            locks: moved(self.locks),
            incgo: self.incgo.map(moved),
            ncgo: self.ncgo.map(moved),
            waitunlockf: self.waitunlockf.map(moved),
            waitlock: self.waitlock.map(moved),
            ..self
        }
    }
}

layouts! {
    /// `runtime.g`, a goroutine.
    G "runtime.g" {
        stack_lo      "stack.lo":     u64         = 4 => 0;
        stack_hi      "stack.hi":     u64         = 4 => 8;
        stackguard0   "stackguard0":  u64         = 4 => 16;
        stackguard1   "stackguard1":  u64         = 4 => 24;
        panic         "_panic":       u64         = 4 => 32;
        defer         "_defer":       u64         = 4 => 40;
        m             "m":            u64         = 4 => 176, 5 => 48;
        sched         "sched":        u64         = 4 => 48, 5 => 64, 9 => 56;
        syscallsp     "syscallsp":    u64         = 4 => 96, 5 => 120, 9 => 112, 25 => 104;
        syscallpc     "syscallpc":    u64         = 4 => 104, 5 => 128, 9 => 120, 25 => 112;
        stktopsp      "stktopsp":     Option<u64> = 6 => 168, 9 => 128, 23 => 136, 25 => 128;
        param         "param":        u64         = 4 => 112, 5 => 168, 6 => 176, 9 => 136, 23 => 144, 25 => 136;
        atomicstatus  "atomicstatus": u64         = 4 => 120, 5 => 176, 6 => 184, 9 => 144, 23 => 152, 25 => 144;
        goid          "goid":         u64         = 4 => 128, 5 => 184, 6 => 192, 9 => 152, 23 => 160, 25 => 152;
        paniconfault  "paniconfault": Option<u64> = 12 => 178, 14 => 181, 23 => 189, 25 => 181;
        sig           "sig":          u64         = 4 => 192, 5 => 256, 6 => 264, 7 => 272, 9 => 232, 11 => 224,
                                                    17 => 240, 21 => 216, 23 => 224, 24 => 228, 25 => 220, 26 => 224;
        sigcode0      "sigcode0":     u64         = 4 => 224, 5 => 288, 6 => 296, 7 => 304, 9 => 264, 11 => 256,
                                                    17 => 272, 21 => 248, 23 => 256, 25 => 248, 26 => 256;
        sigcode1      "sigcode1":     u64         = 4 => 232, 5 => 296, 6 => 304, 7 => 312, 9 => 272, 11 => 264,
                                                    17 => 280, 21 => 256, 23 => 264, 25 => 256, 26 => 264;
        sigpc         "sigpc":        u64         = 4 => 240, 5 => 304, 6 => 312, 7 => 320, 9 => 280, 11 => 272,
                                                    17 => 288, 21 => 264, 23 => 272, 25 => 264, 26 => 272;
        waitreason    "waitreason":   Option<u64> = 15 => 176, 23 => 184, 25 => 176;
        parent_goid   "parentGoid":   Option<u64> = 21 => 272, 23 => 280, 25 => 272, 26 => 280;
        lockedm       "lockedm":      Option<u64> = 11 => 216, 17 => 232, 21 => 208, 23 => 216, 25 => 208;
        gopc          "gopc":         u64         = 4 => 248, 5 => 312, 6 => 320, 7 => 328, 9 => 288, 11 => 280,
                                                    17 => 296, 21 => 280, 23 => 288, 25 => 280, 26 => 288;
    }

    /// `runtime.gobuf`, the registers of a goroutine that is not running (`g.sched`).
    Gobuf "runtime.gobuf" {
        sp            "sp":           u64         = 4 => 0;
        pc            "pc":           u64         = 4 => 8;
        g             "g":            u64         = 4 => 16;
        ctxt          "ctxt":         u64         = 4 => 24;
        ret           "ret":          Option<u64> = 4 => 32, 25 => _;
        lr            "lr":           u64         = 4 => 40, 25 => 32;
        bp            "bp":           Option<u64> = 5 => 48, 25 => 40;
        size          "sizeof":       u64         = 4 => 48, 5 => 56, 25 => 48;
    }

    /// `runtime.m`, a thread, on Linux. What differs on other systems is in `Facts::on`.
    M "runtime.m" {
        g0            "g0":           u64         = 4 => 0;
        morebuf       "morebuf":      u64         = 4 => 8;
        gsignal       "gsignal":      u64         = 4 => 64, 5 => 80, 25 => 72;
        tls           "tls":          u64         = 4 => 72, 5 => 120, 6 => 96, 9 => 136, 25 => 128;
        curg          "curg":         u64         = 4 => 112, 5 => 160, 6 => 152, 9 => 192, 25 => 184;
        p             "p":            u64         = 4 => 128, 5 => 176, 6 => 168, 9 => 208, 25 => 200, 26 => 208;
        mallocing     "mallocing":    u64         = 4 => 148, 5 => 196, 6 => 188, 9 => 228, 10 => 232, 12 => 240,
                                                    25 => 232, 26 => 240;
        throwing      "throwing":     u64         = 4 => 152, 5 => 200, 6 => 192, 9 => 232, 10 => 236, 12 => 244,
                                                    25 => 236, 26 => 244;
        preemptoff    "preemptoff":   Option<u64> = 5 => 208, 6 => 200, 9 => 240, 12 => 248, 25 => 240, 26 => 248;
        locks         "locks":        u64         = 4 => 160, 5 => 224, 6 => 216, 9 => 256, 12 => 264, 25 => 256,
                                                    26 => 264;
        incgo         "incgo":        Option<u64> = 12 => 280, 25 => 272, 26 => 280;
        ncgo          "ncgo":         Option<u64> = 12 => 312, 22 => 304, 24 => 328, 25 => 320, 26 => 328;
        waitunlockf   "waitunlockf":  Option<u64> = 15 => 632, 22 => 920, 23 => 712, 24 => 736, 25 => 728, 26 => 760;
        waitlock      "waitlock":     Option<u64> = 15 => 640, 22 => 928, 23 => 720, 24 => 744, 25 => 736, 26 => 768;
        fastrand      "fastrand":     Option<u64> = 4 => 184, 5 => 248, 6 => 244, 9 => 284, 10 => 288, 11 => 284, 12 => 288,
                                                    22 => _;
    }

    /// `runtime.p`, what a thread needs to run Go code.
    P "runtime.p" {
        id            "id":           u64         = 4 => 8, 13 => 0;
        status        "status":       u64         = 4 => 12, 13 => 4;
        m             "m":            u64         = 4 => 32, 9 => 64, 13 => 56, 23 => 48;
        mcache        "mcache":       u64         = 4 => 40, 9 => 72, 13 => 64, 23 => 56;
        deferpool     "deferpool":    u64         = 4 => 48, 7 => 56, 9 => 88, 13 => 80, 14 => 104, 23 => 96, 26 => 104;
        wb_buf        "wbBuf":        Option<u64> = 10 => 4752, 12 => 4896, 14 => 5960, 16 => 5824, 18 => 4704,
                                                    19 => 4712, 20 => 4704, 21 => 4712, 22 => 4744, 23 => 4720,
                                                    25 => 5272, 26 => 9552;
    }

    /// `runtime.wbBuf`, a processor's write barrier buffer.
    WbBuf "runtime.wbBuf" {
        next          "next":         Option<u64> = 10 => 0;
        end           "end":          Option<u64> = 10 => 8;
        buf           "buf":          Option<u64> = 10 => 16;
    }

    /// What `asmstdcall` is given on Windows: `runtime.libcall`, later `StdCallInfo`, which has no room for the error
    /// number. Then that is the result of `asmcgocall`.
    WinCall "" {
        function      "fn":           u64         = 4 => 0;
        count         "n":            u64         = 4 => 8;
        args          "args":         u64         = 4 => 16;
        result        "r1":           u64         = 4 => 24;
        error         "err":          Option<u64> = 4 => 40, 27 => _;
    }

    /// `runtime._defer`, a deferred call.
    Defer "runtime._defer" {
        siz           "siz":          Option<u64> = 4 => 0, 18 => _;
        started       "started":      Option<u64> = 4 => 4, 18 => 0, 22 => _;
        heap          "heap":         Option<u64> = 13 => 5, 18 => 1, 22 => 0;
        open_defer    "openDefer":    Option<u64> = 14 => 6, 18 => 2, 22 => _;
        rangefunc     "rangefunc":    Option<u64> = 22 => 1;
        sp            "sp|argp":      u64         = 4 => 8;
        pc            "pc":           u64         = 4 => 16;
        func          "fn":           u64         = 4 => 24;
        panic         "_panic":       Option<u64> = 4 => 32, 22 => _;
        link          "link":         u64         = 4 => 40, 22 => 32;
        head          "head":         Option<u64> = 22 => 40;
        fd            "fd":           Option<u64> = 14 => 48, 22 => _;
        varp          "varp":         Option<u64> = 14 => 56, 22 => _;
        framepc       "framepc":      Option<u64> = 14 => 64, 22 => _;
        size          "sizeof":       u64         = 4 => 48, 14 => 72, 22 => 48;
    }

    /// `runtime._panic`, a panic under way.
    Panic "runtime._panic" {
        argp          "argp":         Option<u64> = 4 => 0, 26 => _;
        arg           "arg":          u64         = 4 => 8, 26 => 0;
        link          "link":         u64         = 4 => 24, 26 => 16;
        recovered     "recovered":    u64         = 4 => 32, 14 => 48, 22 => 96, 26 => 88;
        aborted       "aborted":      Option<u64> = 4 => 33, 14 => 49, 22 => _;
        repanicked    "repanicked":   Option<u64> = 25 => 97, 26 => 89;
        goexit        "goexit":       Option<u64> = 14 => 50, 22 => 97, 25 => 98, 26 => 90;
        deferreturn   "deferreturn":  Option<u64> = 22 => 98, 25 => 99, 26 => 91;
        pc            "pc":           Option<u64> = 14 => 32, 22 => _, 27 => 40;
        sp            "sp":           Option<u64> = 14 => 40, 22 => 48, 26 => 40, 27 => 48;
        lr            "lr":           Option<u64> = 22 => 56, 26 => 48, 27 => _;
        fp            "fp":           Option<u64> = 22 => 64, 26 => 56;
        start_pc      "startPC":      Option<u64> = 22 => 32, 26 => 24;
        start_sp      "startSP":      Option<u64> = 22 => 40, 26 => 32;
        retpc         "retpc":        Option<u64> = 22 => 72, 26 => 64;
        defer_bits    "deferBitsPtr": Option<u64> = 22 => 80, 26 => 72;
        slots         "slotsPtr":     Option<u64> = 22 => 88, 26 => 80;
        size          "sizeof":       u64         = 4 => 40, 14 => 56, 22 => 104, 27 => 96;
    }

    /// Stack sizes in bytes (`runtime/stack.go`, `internal/abi/stack.go`), for systems other than Windows,
    /// which adds 4096 to `guard` and to `min`.
    Stack "" {
        guard         "stackGuard":   u64         = 4 => 512, 5 => 640, 6 => 720, 8 => 880, 14 => 896, 15 => 928;
        small         "StackSmall":   u64         = 4 => 128;
        big           "StackBig":     u64         = 4 => 4096;
        min           "stackMin":     u64         = 4 => 2048;
        max           "maxstacksize": u64         = 4 => 1_000_000_000;
        room_for_g    "room for a g":  u64         = 4 => 512;
        preempt       "stackPreempt": u64         = 4 => 0xffff_ffff_ffff_fade;
    }

    /// `runtime.itab`, the first word of non-empty interfaces. The hash lies in `link`'s place since 1.10.
    Itab "runtime.itab|internal/abi.ITab" {
        inter         "Inter|inter":  u64         = 4 => 0;
        ty            "Type|_type":   u64         = 4 => 8;
        hash          "Hash|hash":    Option<u64> = 9 => 24, 10 => 16;
        fun           "Fun|fun":      u64         = 4 => 32, 10 => 24;
    }

    /// `runtime.eface`, a value of an interface type without methods.
    Eface "runtime.eface" {
        ty            "_type":        u64         = 4 => 0;
        data          "data":         u64         = 4 => 8;
        size          "sizeof":       u64         = 4 => 16;
    }

    /// `runtime.hchan`, a channel.
    Hchan "runtime.hchan" {
        qcount        "qcount":       u64         = 4 => 0;
        dataqsiz      "dataqsiz":     u64         = 4 => 8;
        buf           "buf":          u64         = 4 => 16;
        elemsize      "elemsize":     u64         = 4 => 24;
        closed        "closed":       u64         = 4 => 28;
        timer         "timer":        Option<u64> = 23 => 32;
        elemtype      "elemtype":     u64         = 4 => 32, 23 => 40;
        sendx         "sendx":        u64         = 4 => 40, 23 => 48;
        recvx         "recvx":        u64         = 4 => 48, 23 => 56;
        recvq         "recvq":        u64         = 4 => 56, 23 => 64;
        sendq         "sendq":        u64         = 4 => 72, 23 => 80;
        lock          "lock":         u64         = 4 => 88, 23 => 96, 25 => 104;
    }

    /// `runtime.sudog`, a goroutine that waits for a channel.
    Sudog "runtime.sudog" {
        g             "g":            u64         = 4 => 0;
    }

    /// `runtime.scase`, a case of a select statement.
    Scase "runtime.scase" {
        channel       "c":            u64         = 4 => 8, 11 => 0;
        elem          "elem":         u64         = 4 => 0, 11 => 8;
        kind          "kind":         Option<u64> = 4 => 24, 11 => 16, 16 => _;
        size          "sizeof":       u64         = 4 => 48, 11 => 40, 16 => 16;
    }

    /// `runtime.timer`; up to Go 1.22 package time fills it in.
    Timer "runtime.timer" {
        when          "when":         u64         = 4 => 8, 10 => 16, 14 => 8, 23 => 16, 25 => 24;
        period        "period":       u64         = 4 => 16, 10 => 24, 14 => 16, 23 => 24, 25 => 32;
        f             "f":            u64         = 4 => 24, 10 => 32, 14 => 24, 23 => 32, 25 => 40;
        arg           "arg":          u64         = 4 => 32, 10 => 40, 14 => 32, 23 => 40, 25 => 48;
        seq           "seq":          u64         = 4 => 48, 10 => 56, 14 => 48, 23 => 56, 25 => 64;
    }

    /// `runtime.initTask`, what initialises a package (Go 1.13 and later; before, it is a function).
    InitTask "runtime.initTask|runtime.inittask" {
        state         "state":        Option<u64> = 13 => 0;
        ndeps         "ndeps":        Option<u64> = 13 => 8, 21 => _;
        nfns          "nfns":         Option<u64> = 13 => 16, 21 => 4;
    }

    /// `runtime.boundsError`, what a panic over an index holds (Go 1.13 and later; where object files are linked,
    /// in all releases).
    BoundsError "runtime.boundsError" {
        x             "x":            u64         = 4 => 0;
        y             "y":            u64         = 4 => 8;
        signed        "signed":       u64         = 4 => 16;
        code          "code":         u64         = 4 => 17;
        size          "sizeof":       u64         = 4 => 24;
    }

    /// `internal/abi.TypeAssert`, what an assertion to an interface is compiled to (Go 1.22 and later).
    TypeAssert "internal/abi.TypeAssert" {
        inter         "Inter":        Option<u64> = 22 => 8;
        can_fail      "CanFail":      Option<u64> = 22 => 16;
    }

    /// `internal/abi.InterfaceSwitch`, what cases of a type switch are (Go 1.22 and later).
    InterfaceSwitch "internal/abi.InterfaceSwitch" {
        ncases        "NCases":       Option<u64> = 22 => 8;
        cases         "Cases":        Option<u64> = 22 => 16;
    }

    /// Numbers that no structure shows: states (`runtime/runtime2.go`, `runtime/proc.go`), and how many slots a
    /// processor's pools of defer records have.
    Numbers "" {
        g_running     "_Grunning":    u64         = 4 => 2;
        g_waiting     "_Gwaiting":    u64         = 4 => 4;
        g_dead        "_Gdead":       u64         = 4 => 6;
        p_running     "_Prunning":    u64         = 4 => 1;
        init_running  "initTask.state: being run": u64 = 4 => 1;
        init_done     "initTask.state: done": u64 = 4 => 2;
        wait_sleep    "waitReasonSleep": Option<u64> = 11 => 19, 25 => 20, 26 => 14;
        wait_collector "waitReasonWaitForGCCycle": Option<u64> = 11 => 23, 20 => 25, 24 => 26, 25 => 27;
        case_receive  "caseRecv":     u64         = 4 => 1;
        case_send     "caseSend":     u64         = 4 => 2;
        case_default  "caseDefault":  u64         = 4 => 3;
        defer_pools   "len(p.deferpool)": u64     = 4 => 5, 17 => 1;
        defer_pool    "len(p.deferpoolbuf)": u64  = 4 => 32;
    }
}
