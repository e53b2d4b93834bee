//! A run as one page of HTML, to be looked at step by step in a browser, without a network.
//!
//! ```no_run
//! use goemu::sink::view::Viewer;
//! use goemu::trace::Recorder;
//! use goemu::{Image, Machine};
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let viewer = Viewer::new(machine.image().clone());
//! machine.observe(Recorder::with_sink(viewer.sink()));
//! let report = machine.call("main.f1")?.run()?;
//! let file = std::fs::File::create("out.html").expect("it can be written");
//! viewer.write(&report, &|name| std::fs::read_to_string(name).ok(), file).expect("it can be written");
//! # Ok::<(), goemu::Error>(())
//! ```

mod columns;
mod data;
mod labels;
mod locals;
mod page;

use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use goemu_loader::Image;

use crate::outcome::Report;
use crate::trace::{Detail, Moment, Record, Sink};
use data::Data;

/// Steps that a page shows, unless it is told otherwise.
pub const MAX_STEPS: u32 = 1_000_000;
/// Steps that a page can show: more would take gigabytes of memory to make, and browsers do not open them.
pub const MOST_STEPS: u32 = 20_000_000;

/// Finds the text of a file of source by the name that the program has for it.
pub type Source<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Keeps a run for a page: each clone keeps the same one.
#[derive(Clone)]
pub struct Viewer {
    image: Arc<Image>,
    data: Arc<Mutex<Data>>,
}

impl Viewer {
    /// For calls of this program.
    pub fn new(image: Arc<Image>) -> Viewer {
        Viewer::with_limit(image, MAX_STEPS)
    }

    /// A page that shows so many steps, [`MOST_STEPS`] at most. What comes after them runs, and is not shown.
    pub fn with_limit(image: Arc<Image>, steps: u32) -> Viewer {
        Viewer { image, data: Arc::new(Mutex::new(Data::new(steps.min(MOST_STEPS)))) }
    }

    /// The sink that keeps a run. The newest call is what is kept.
    pub fn sink(&self) -> ViewSink {
        ViewSink { viewer: self.clone(), moment: Moment::default() }
    }

    /// Whether the run had more steps than are kept.
    pub fn is_cut(&self) -> bool {
        self.data.lock().unwrap_or_else(PoisonError::into_inner).is_cut()
    }

    /// Writes the page, with the sources that are found.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, report: &Report, source: Source<'_>, to: impl Write) -> io::Result<()> {
        let data = self.data.lock().unwrap_or_else(PoisonError::into_inner);
        page::write(&data, &self.image, report, source, to)
    }
}

/// Keeps a run for a [`Viewer`].
pub struct ViewSink {
    viewer: Viewer,
    moment: Moment,
}

impl Sink for ViewSink {
    fn detail(&self) -> Detail {
        Detail::Instructions
    }

    fn moment(&mut self, moment: Moment) {
        self.moment = moment;
    }

    fn record(&mut self, record: &Record<'_>) {
        let mut data = self.viewer.data.lock().unwrap_or_else(PoisonError::into_inner);
        data.record(record, self.moment, &self.viewer.image);
    }
}
