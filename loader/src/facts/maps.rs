//! Maps: buckets of eight with overflow chains, and since Go 1.24 Swiss tables of groups of eight.
//!
//! Read from the DWARF of linux/amd64 binaries of each release; Go sources: `runtime/map.go`, `internal/runtime/maps`.

use crate::facts::layouts;

layouts! {
    /// `runtime.hmap`, a map (up to Go 1.23; in 1.24 and 1.25 with `GOEXPERIMENT=noswissmap`).
    Hmap "runtime.hmap" {
        count         "count":        Option<u64> = 4 => 0, 26 => _;
        flags         "flags":        Option<u64> = 4 => 8, 26 => _;
        b             "B":            Option<u64> = 4 => 16, 5 => 9, 26 => _;
        noverflow     "noverflow":    Option<u64> = 8 => 10, 26 => _;
        hash0         "hash0":        Option<u64> = 4 => 12, 26 => _;
        sizeof        "sizeof":       Option<u64> = 9 => 48, 24 => 56, 26 => _;
        buckets       "buckets":      Option<u64> = 4 => 24, 5 => 16, 26 => _;
        oldbuckets    "oldbuckets":   Option<u64> = 4 => 32, 5 => 24, 26 => _;
        nevacuate     "nevacuate":    Option<u64> = 5 => 32, 26 => _;
    }

    /// `internal/runtime/maps.Map`, a map (Go 1.24 and later).
    SwissMap "internal/runtime/maps.Map" {
        used          "used":         Option<u64> = 24 => 0;
        seed          "seed":         Option<u64> = 24 => 8;
        dir_ptr       "dirPtr":       Option<u64> = 24 => 16;
        dir_len       "dirLen":       Option<u64> = 24 => 24;
        global_depth  "globalDepth":  Option<u64> = 24 => 32;
        global_shift  "globalShift":  Option<u64> = 24 => 33;
        writing       "writing":      Option<u64> = 24 => 34;
        clear_seq     "clearSeq":     Option<u64> = 24 => 40;
        size          "sizeof":       Option<u64> = 24 => 48;
    }

    /// `internal/runtime/maps.table`, what a map of more than eight entries keeps them in (Go 1.24 and later).
    SwissTable "internal/runtime/maps.table" {
        used          "used":         Option<u64> = 24 => 0;
        capacity      "capacity":     Option<u64> = 24 => 2;
        growth_left   "growthLeft":   Option<u64> = 24 => 4;
        local_depth   "localDepth":   Option<u64> = 24 => 6;
        index         "index":        Option<u64> = 24 => 8;
        groups        "groups.data":  Option<u64> = 24 => 16;
        length_mask   "groups.lengthMask": Option<u64> = 24 => 24;
        size          "sizeof":       Option<u64> = 24 => 32;
    }

    /// Numbers that no structure shows (`runtime/map.go`, `internal/abi/map*.go`, `internal/runtime/maps/group.go`).
    MapRules "" {
        max_key       "MapMaxKeyBytes": u64       = 4 => 128;
        max_elem      "MapMaxElemBytes": u64      = 4 => 128;
        same_size     "sameSizeGrow": u64         = 4 => 8;
        evacuated     "the least top hash of a bucket that has moved": u64 = 4 => 1, 12 => 2;
        min_top_hash  "minTopHash":   u64         = 4 => 4, 12 => 5;
        load_num      "loadFactorNum": u64        = 4 => 13;
        load_den      "loadFactorDen": u64        = 4 => 2;
        max_table     "maxTableCapacity": u64     = 4 => 1024;
        empty_one     "the top hash of a slot that holds nothing any more": u64 = 4 => 0, 12 => 1;
        empty         "ctrlEmpty":    u64         = 4 => 0x80;
        deleted       "ctrlDeleted":  u64         = 4 => 0xfe;
    }
}

impl MapRules {
    /// Entries in a bucket or a group (`MapBucketCount`, `MapGroupSlots`): as many as a word has bytes, which are
    /// their top hashes or control bytes.
    pub const SLOTS: u64 = 8;
}
