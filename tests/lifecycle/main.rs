//! Living inside someone else's process: thread, schedule, fork, stop, one check per host. The programs are
//! c-tests/lifecycle/, hosts without a web server; docs/host-events.md says which event each of them plays.

mod clock;
mod configuration;
mod corrupt_state;
mod cycles;
mod due;
mod events;
mod host;
mod interpreter;
mod run;
mod sanitizers;
mod shared_state;
mod shutdown;
mod stack;
mod stop;
mod support;
mod thread;
mod verdict;
