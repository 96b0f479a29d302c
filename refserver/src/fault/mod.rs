//! Faults on demand, by name.
//!
//! [`table`] lists them; [`Effect`] says at which step of a connection a fault acts. The other files make what each step
//! sends in the place of the proper thing.

mod active;
mod body;
mod data;
mod effect;
mod expected;
mod ocsp;
mod signature;
mod table;
mod tls;
mod transfer;

pub(crate) use active::Faults;
pub(crate) use effect::Effect;
pub use effect::Fault;
pub use expected::Expected;
pub use table::FAULTS;
