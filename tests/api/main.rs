//! The functions of include/psc.h as a host calls them, by the C programs in c-tests/api.

mod configuration;
mod login;
mod programs;
