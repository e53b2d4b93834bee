//! How values are shown: options of all commands that print some.

use goemu::go::print::{Format, Style};
use goemu::go::read::{Limits, ReadOptions};

use crate::number;

#[derive(clap::Args)]
pub(crate) struct Shown {
    /// Print results as fmt's %+v does, not as %#v: {X:1 Y:2}, hello
    #[arg(long)]
    plain: bool,
    /// Print what has a String method by that, too
    #[arg(long)]
    stringers: bool,
    /// Values inside values that are printed [default: 64]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_depth: Option<u64>,
    /// Elements of a list or map that are printed [default: 4096]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_elems: Option<u64>,
    /// Bytes of a string that are printed [default: 65536]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_bytes: Option<u64>,
    /// Pointers inside a value that are followed, one inside the other [default: 0, as Go does]
    #[arg(long, value_name = "N", value_parser = number::count)]
    show_pointers: Option<u64>,
    /// Name types by the whole paths of their packages [default: by the last part, as Go does]
    #[arg(long)]
    show_paths: bool,
}

/// What was asked for, or what is usual.
fn size(asked: Option<u64>, usual: usize) -> usize {
    asked.map_or(usual, |n| usize::try_from(n).unwrap_or(usize::MAX))
}

impl Shown {
    /// What is made of the values. What is printed must be read.
    pub(crate) fn reading(&self, arguments: bool) -> ReadOptions {
        let limits = Limits::default();
        ReadOptions {
            limits: Limits {
                depth: size(self.show_depth, limits.depth),
                elems: self.show_elems.unwrap_or(limits.elems),
                bytes: self.show_bytes.unwrap_or(limits.bytes),
                pointers: size(self.show_pointers, 0).saturating_add(limits.pointers),
                ..limits
            },
            errors: true,
            stringers: self.stringers,
            arguments,
        }
    }

    /// What is printed.
    pub(crate) fn format(&self) -> Format {
        let format = Format::new(if self.plain { Style::Plain } else { Style::Go });
        Format {
            depth: size(self.show_depth, format.depth),
            elems: size(self.show_elems, format.elems),
            bytes: size(self.show_bytes, format.bytes),
            pointers: size(self.show_pointers, format.pointers),
            paths: self.show_paths,
            ..format
        }
    }
}
