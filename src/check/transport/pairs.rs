//! The two libcurl calls that make a socket pair. libcurl sets close-on-exec on it from 8.11 on; before, psc does.

use crate::libcurl::{Error, Multi, MultiError, Version};
use crate::sys::close_on_exec::{self, NextPair};

const MARKED_BY_LIBCURL: u32 = 0x08_0b_00;

fn next_pair() -> Option<NextPair> {
    let is_older = Version::get().version_num() < MARKED_BY_LIBCURL;
    is_older.then(NextPair::foresee).flatten()
}

/// A handle; its pair is what wakes it up.
pub fn multi() -> Result<Multi, Error> {
    let pair = next_pair();
    let multi = Multi::new()?;
    if let Some(pair) = pair {
        // A byte waits in libcurl's own pair then; the first wait takes it away.
        let woken = multi.wakeup().is_ok();
        pair.mark(|end| woken && close_on_exec::readable_bytes(end) == 1);
    }
    Ok(multi)
}

/// Begins a transfer. When a name is to be looked up, a pair tells of the end of that.
pub fn first_perform(multi: &Multi) -> Result<u32, MultiError> {
    let pair = next_pair();
    let running = multi.perform()?;
    if let Some(pair) = pair {
        // libcurl wants all three, although nothing is known to need the last one.
        let [mut read, mut write, mut other] = [(); 3].map(|()| close_on_exec::empty_set());
        let listed = multi.fdset2(&mut read, &mut write, &mut other);
        pair.mark(|end| listed.is_ok() && close_on_exec::has(&read, end));
    }
    Ok(running)
}
