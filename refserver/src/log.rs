//! Log lines on standard error. Where that is closed, the server goes on without.

use std::io::{self, Write};

pub(crate) fn error(text: &str) {
    line(text);
}

/// What happened in the ordinary course, where the operator wants to see it.
pub(crate) fn info(verbose: bool, text: &str) {
    if verbose {
        line(text);
    }
}

fn line(text: &str) {
    let _ = writeln!(io::stderr(), "psc-refserver: {text}");
}
