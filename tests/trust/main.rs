//! Trust beyond TLS: pinned keys, request binding, license data, advisories as data, detached verification, and the
//! documentation of all that.

mod advisories;
mod binding;
mod cures;
mod example;
mod keys;
mod license;
mod relay;
mod result_schema;
mod support;
mod verify;
