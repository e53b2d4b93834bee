//! What the tests share.

#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod abuse;
pub mod facts;
pub mod fixtures;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod form;
pub mod guessing;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod host;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod native;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod oracle;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod random;
pub mod releases;
pub mod served;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod state;
pub mod table;
pub mod trace;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod vendor;
pub mod work;
#[cfg(all(target_arch = "x86_64", target_os = "linux"))]
pub mod xsave;
