//! mod_psc in Debian's own apache2.
//! `PSC_LONG=1` (make check-long) runs the long forms.

mod answers;
mod apache;
mod build;
mod conditions;
mod configuration;
mod cost;
mod module;
mod proc;
mod schedule;
mod shutdown;
mod status;
