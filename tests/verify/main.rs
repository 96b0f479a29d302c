//! Trust beyond TLS: pinned keys, request binding, license data, advisories as data, detached verification, and the
//! documentation of all that.

mod advice;
mod advisories;
mod binding;
mod detached;
mod example;
mod keys;
mod license;
mod passenger;
mod relay;
mod result_schema;
mod support;
