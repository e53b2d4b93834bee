//! How much work something is: processor time of the calling thread, which other programs on the machine do not add to.
//! Tests compare it with other work on the same processor, never with a number of seconds.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// What is too short to be measured well.
pub const GRAIN: Duration = Duration::from_millis(10);

/// The processor time that this thread has had.
fn spent() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec.unsigned_abs() as u32)
}

/// The processor time that `run` takes.
pub fn work<T>(run: impl FnOnce() -> T) -> (Duration, T) {
    let begun = spent();
    let result = run();
    (spent() - begun, result)
}

/// The least processor time of `times` runs.
pub fn least_work(times: usize, mut run: impl FnMut()) -> Duration {
    (0..times).map(|_| work(&mut run).0).min().unwrap_or_default()
}
