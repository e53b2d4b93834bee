//! Debuggers for calls that goemu makes: gdb and everything that speaks its remote protocol ([`gdb`]), and editors that speak
//! the Debug Adapter Protocol ([`dap`]).
//!
//! ```no_run
//! use goemu::{Image, Machine};
//! use goemu_debug::gdb;
//!
//! let mut machine = Machine::new(Image::open("program")?)?;
//! let session = machine.call("main.f1")?.start()?;
//! let listener = std::net::TcpListener::bind("127.0.0.1:1234").expect("the port is free");
//! let (stream, _) = listener.accept().expect("gdb connects");
//! let outcome = gdb::serve(session, gdb::Connection::tcp(stream).expect("a socket"));
//! # Ok::<(), goemu::Error>(())
//! ```
//!
//! A debugger changes nothing of the run: it stops where it is told to, and can go back.

pub mod dap;
pub mod gdb;
mod watch;

pub use watch::{Access, Runner, Stopped, Watchpoint};
